/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tpm/tpm.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <tss2/tss2_rc.h>
#include <tss2/tss2_tctildr.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/macros.h"

#define DEVICE_PREFIX  "device:"
#define DEVICE_POLL_MS 50

static uint64_t clock_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static _Atomic uint64_t *watched;

void tpm_watch(_Atomic uint64_t *at)
{
	watched = at;
}

void tpm_call_begins(struct tpm *t)
{
	t->began_ns = clock_ns();
	if (watched)
		*watched = t->began_ns;
}

TSS2_RC tpm_call_ended(struct tpm *t, TSS2_RC rc)
{
	if (watched)
		*watched = 0;
	t->spent_ns += clock_ns() - t->began_ns;
	if (rc != TSS2_RC_SUCCESS)
		t->last_rc = rc;
	return rc;
}

/* The code of the TPM itself, or of a resource manager that answers for it; 0 = a layer of tss2
 * in this process made the code. */
static TSS2_RC tpm_said(TSS2_RC rc)
{
	switch (rc & TSS2_RC_LAYER_MASK) {
	case TSS2_TPM_RC_LAYER:
	case TSS2_RESMGR_TPM_RC_LAYER:
		return rc & ~(TSS2_RC)TSS2_RC_LAYER_MASK;
	default:
		return 0;
	}
}

static int code_of_layer(TSS2_RC layer)
{
	switch (layer) {
	case TSS2_TCTI_RC_LAYER:
		return -ENODEV;
	case TSS2_RESMGR_RC_LAYER:
		return -EBUSY;
	default:
		return -EBADMSG;
	}
}

int tpm_code(TSS2_RC rc)
{
	TSS2_RC said = tpm_said(rc);

	if (rc == TSS2_RC_SUCCESS)
		return 0;
	if (!said)
		return code_of_layer(rc & TSS2_RC_LAYER_MASK);
	/* Format one (TPM 2.0 part 2, 6.6.3) contains the error and the number of the parameter,
	 * handle or session that caused it. */
	if (said & TPM2_RC_FMT1)
		said &= TPM2_RC_FMT1 | 0x3f;
	switch (said) {
	case TPM2_RC_HANDLE:
		return -ENOENT;
	case TPM2_RC_POLICY_FAIL:
		return -EKEYREJECTED;
	case TPM2_RC_PCR_CHANGED:
		return -EAGAIN;
	case TPM2_RC_LOCKOUT:
		return -EACCES;
	case TPM2_RC_AUTH_FAIL:
	case TPM2_RC_BAD_AUTH:
		return -EPERM;
	case TPM2_RC_OBJECT_MEMORY:
	case TPM2_RC_SESSION_MEMORY:
	case TPM2_RC_MEMORY:
	case TPM2_RC_OBJECT_HANDLES:
	case TPM2_RC_SESSION_HANDLES:
		return -ENOSPC;
	default:
		return said & TPM2_RC_FMT1 ? -EPROTO : -EBUSY;
	}
}

int tpm_fail(struct tpm *t, TSS2_RC rc, struct err *err, const char *format, ...)
{
	char what[ERR_TEXT_SIZE];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(what, sizeof(what), format, arguments);
	va_end(arguments);
	t->last_rc = rc;
	return err_set(err, tpm_code(rc), "%s: %s (0x%08x)%s", what, Tss2_RC_Decode(rc), rc,
		       tpm_code(rc) == -ENOSPC ? ": another program left objects or sessions "
						 "loaded in the TPM, tpm2_flushcontext ends them"
					       : "");
}

/* The kernel makes the device some time after it has started us. */
static void wait_for_device(const char *tcti, unsigned wait_ms)
{
	const struct timespec pause = {.tv_nsec = DEVICE_POLL_MS * 1000000L};
	const char *path = tcti + strlen(DEVICE_PREFIX);

	if (strncmp(tcti, DEVICE_PREFIX, strlen(DEVICE_PREFIX)) != 0)
		return;
	for (unsigned waited = 0; waited < wait_ms && access(path, F_OK) < 0;
	     waited += DEVICE_POLL_MS)
		(void)nanosleep(&pause, NULL);
}

/* The kernel lets one program at a time open the TPM without its resource manager. */
static bool is_held(const char *tcti)
{
	const char *path = tcti + strlen(DEVICE_PREFIX);
	int fd;

	if (strncmp(tcti, DEVICE_PREFIX, strlen(DEVICE_PREFIX)) != 0)
		return false;
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno == EBUSY;
	(void)close(fd);
	return false;
}

int tpm_open(struct tpm *t, const char *tcti, unsigned wait_ms, struct err *err)
{
	TSS2_RC rc;

	memset(t, 0, sizeof(*t));
	/* tss2 would write its own messages to stderr; ours are in err. */
	(void)setenv("TSS2_LOG", "all+none", 0);
	wait_for_device(tcti, wait_ms);
	rc = TPM_CALL(t, Tss2_TctiLdr_Initialize(tcti, &t->tcti));
	if (rc != TSS2_RC_SUCCESS) {
		/* tss2 4.1 leaves here what it has allocated, and its own Finalize frees only what
		 * was opened; others leave NULL. */
		free(t->tcti);
		t->tcti = NULL;
		(void)tpm_fail(t, rc, err, "open the TPM at %s", tcti);
		if (is_held(tcti))
			return err_set(err, -ETXTBSY, "open the TPM at %s: another program has it",
				       tcti);
		return err ? err_set(err, -ENODEV, "%s", err->text) : -ENODEV;
	}
	rc = TPM_CALL(t, Esys_Initialize(&t->esys, t->tcti, NULL));
	if (rc != TSS2_RC_SUCCESS) {
		Tss2_TctiLdr_Finalize(&t->tcti);
		return tpm_fail(t, rc, err, "open the TPM at %s", tcti);
	}
	return 0;
}

void tpm_close(struct tpm *t)
{
	if (t->esys)
		Esys_Finalize(&t->esys);
	if (t->tcti)
		Tss2_TctiLdr_Finalize(&t->tcti);
}

void tpm_flush(struct tpm_object *object)
{
	struct tpm *t = object->tpm;
	TSS2_RC reason;

	if (object->handle == ESYS_TR_NONE)
		return;
	/* Flushing must not replace the return code of a failure that is being reported. */
	reason = t->last_rc;
	(void)TPM_CALL(t, Esys_FlushContext(t->esys, object->handle));
	t->last_rc = reason;
	object->handle = ESYS_TR_NONE;
}

int tpm_session_start(struct tpm *t, ESYS_TR salt_key, TPM2_SE type, struct tpm_object *ret,
		      struct err *err)
{
	static const TPMT_SYM_DEF aes_128_cfb = {
		.algorithm = TPM2_ALG_AES,
		.keyBits = {.aes = 128},
		.mode = {.aes = TPM2_ALG_CFB},
	};
	TSS2_RC rc;

	*ret = TPM_OBJECT_NONE(t);
	rc = TPM_CALL(t, Esys_StartAuthSession(t->esys, salt_key, ESYS_TR_NONE, ESYS_TR_NONE,
					       ESYS_TR_NONE, ESYS_TR_NONE, NULL, type, &aes_128_cfb,
					       TPM2_ALG_SHA256, &ret->handle));
	if (rc != TSS2_RC_SUCCESS) {
		ret->handle = ESYS_TR_NONE;
		return tpm_fail(t, rc, err, "start a session salted to the storage root key");
	}
	tpm_session_encrypts(ret, TPM_ENCRYPT_NOTHING);
	return 0;
}

void tpm_session_encrypts(const struct tpm_object *session, TPMA_SESSION directions)
{
	TSS2_RC rc = Esys_TRSess_SetAttributes(session->tpm->esys, session->handle,
					       TPMA_SESSION_CONTINUESESSION | directions, 0xff);

	assert(rc == TSS2_RC_SUCCESS); /* it fails only for an object that is no session */
	(void)rc;
}

int tpm_find(struct tpm *t, TPM2_HANDLE handle, ESYS_TR *ret, TPM2B_PUBLIC *ret_public,
	     TPM2B_NAME *ret_name, struct err *err)
{
	TPM2B_PUBLIC *public = NULL;
	TPM2B_NAME *name = NULL;
	ESYS_TR found = ESYS_TR_NONE;
	TSS2_RC rc = TPM_CALL(t, Esys_TR_FromTPMPublic(t->esys, handle, ESYS_TR_NONE, ESYS_TR_NONE,
						       ESYS_TR_NONE, &found));

	if (rc == TSS2_RC_SUCCESS && ret_public) {
		rc = TPM_CALL(t, Esys_ReadPublic(t->esys, found, ESYS_TR_NONE, ESYS_TR_NONE,
						 ESYS_TR_NONE, &public, NULL, NULL));
		if (rc == TSS2_RC_SUCCESS)
			*ret_public = *public;
	}
	if (rc == TSS2_RC_SUCCESS && ret_name) {
		rc = Esys_TR_GetName(t->esys, found, &name);
		if (rc == TSS2_RC_SUCCESS)
			*ret_name = *name;
	}
	Esys_Free(public);
	Esys_Free(name);
	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(t, rc, err, "read what is at 0x%08x", handle);
	if (ret)
		*ret = found;
	return 0;
}

void tpm_name_text(const TPM2B_NAME *name, char ret[TPM_NAME_TEXT_SIZE])
{
	hex_encode(span_of(name->name, MIN(name->size, sizeof(TPMU_NAME))), ret);
}

bool tpm_name_equal(const TPM2B_NAME *a, const TPM2B_NAME *b)
{
	return a->size > 0 && a->size == b->size && memcmp(a->name, b->name, a->size) == 0;
}
