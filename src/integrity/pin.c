/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "integrity/pin.h"

#include <errno.h>
#include <string.h>

#include "base/macros.h"

#define ATTRIBUTES                                                                                 \
	(TPMA_NV_OWNERWRITE | TPMA_NV_OWNERREAD | TPMA_NV_AUTHREAD | TPMA_NV_WRITEDEFINE |         \
	 TPMA_NV_NO_DA)
#define ATTRIBUTES_OF_STATE (TPMA_NV_WRITTEN | TPMA_NV_WRITELOCKED)

bool pin_is_written(enum pin_state state)
{
	return state == PIN_WRITTEN || state == PIN_LOCKED;
}

static int find(struct tpm *t, TPM2_HANDLE index, ESYS_TR *ret, struct pin *ret_pin,
		struct err *err)
{
	TPM2B_NV_PUBLIC *public = NULL;
	TPMA_NV attributes;
	TSS2_RC rc = TPM_CALL(t, Esys_TR_FromTPMPublic(t->esys, index, ESYS_TR_NONE, ESYS_TR_NONE,
						       ESYS_TR_NONE, ret));

	memset(ret_pin, 0, sizeof(*ret_pin));
	if (tpm_code(rc) == -ENOENT)
		return 0;
	if (rc == TSS2_RC_SUCCESS)
		rc = TPM_CALL(t, Esys_NV_ReadPublic(t->esys, *ret, ESYS_TR_NONE, ESYS_TR_NONE,
						    ESYS_TR_NONE, &public, NULL));
	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(t, rc, err, "read what is at NV index 0x%08x", index);
	attributes = public->nvPublic.attributes;
	if ((attributes & ~(TPMA_NV)ATTRIBUTES_OF_STATE) != ATTRIBUTES ||
	    public->nvPublic.dataSize != PIN_SIZE || public->nvPublic.authPolicy.size != 0)
		ret_pin->state = PIN_FOREIGN;
	else if (!(attributes & TPMA_NV_WRITTEN))
		ret_pin->state = PIN_UNWRITTEN;
	else
		ret_pin->state = attributes & TPMA_NV_WRITELOCKED ? PIN_LOCKED : PIN_WRITTEN;
	Esys_Free(public);
	return 0;
}

int pin_read(struct tpm *t, TPM2_HANDLE index, const struct tpm_object *session, struct pin *ret,
	     struct err *err)
{
	TPM2B_MAX_NV_BUFFER *content = NULL;
	ESYS_TR nv;
	TSS2_RC tss_rc;
	int rc = find(t, index, &nv, ret, err);

	if (rc < 0 || (!pin_is_written(ret->state)))
		return rc;
	if (session)
		tpm_session_encrypts(session, TPM_ENCRYPT_RESPONSE);
	tss_rc = TPM_CALL(t, Esys_NV_Read(t->esys, nv, nv, ESYS_TR_PASSWORD,
					  session ? session->handle : ESYS_TR_NONE, ESYS_TR_NONE,
					  PIN_SIZE, 0, &content));
	if (tss_rc != TSS2_RC_SUCCESS)
		return tpm_fail(t, tss_rc, err, "read the pin at NV index 0x%08x", index);
	if (content->size == PIN_SIZE)
		memcpy(ret->digest, content->buffer, PIN_SIZE);
	else
		rc = err_set(err, -EBADMSG, "read the pin at NV index 0x%08x: %u bytes came", index,
			     content->size);
	Esys_Free(content);
	return rc;
}

static int define(struct tpm *t, TPM2_HANDLE index, const struct tpm_object *session, ESYS_TR *ret,
		  struct err *err)
{
	static const TPM2B_AUTH no_auth = {0};
	const TPM2B_NV_PUBLIC public = {
		.nvPublic = {.nvIndex = index,
			     .nameAlg = TPM2_ALG_SHA256,
			     .attributes = ATTRIBUTES,
			     .dataSize = PIN_SIZE},
	};
	TSS2_RC rc = TPM_CALL(t, Esys_NV_DefineSpace(t->esys, ESYS_TR_RH_OWNER, session->handle,
						     ESYS_TR_NONE, ESYS_TR_NONE, &no_auth, &public,
						     ret));

	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(t, rc, err, "define the pin at NV index 0x%08x", index);
	return 0;
}

static int lock(struct tpm *t, TPM2_HANDLE index, ESYS_TR nv, struct err *err)
{
	TSS2_RC rc = TPM_CALL(t, Esys_NV_WriteLock(t->esys, ESYS_TR_RH_OWNER, nv, ESYS_TR_PASSWORD,
						   ESYS_TR_NONE, ESYS_TR_NONE));

	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(t, rc, err, "lock the pin at NV index 0x%08x", index);
	return 0;
}

static int write_content(struct tpm *t, TPM2_HANDLE index, ESYS_TR nv,
			 const struct tpm_object *session, const uint8_t digest[PIN_SIZE],
			 struct err *err)
{
	TPM2B_MAX_NV_BUFFER content = {.size = PIN_SIZE};
	TSS2_RC rc;

	memcpy(content.buffer, digest, PIN_SIZE);
	tpm_session_encrypts(session, TPM_ENCRYPT_NOTHING);
	rc = TPM_CALL(t, Esys_NV_Write(t->esys, ESYS_TR_RH_OWNER, nv, session->handle, ESYS_TR_NONE,
				       ESYS_TR_NONE, &content, 0));
	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(t, rc, err, "write the pin at NV index 0x%08x", index);
	return lock(t, index, nv, err);
}

/* An earlier try whose result we never got may have done any of these steps. */
int pin_write(struct tpm *t, TPM2_HANDLE index, const struct tpm_object *session,
	      const uint8_t digest[PIN_SIZE], struct err *err)
{
	struct pin pin;
	ESYS_TR nv;
	int rc = pin_read(t, index, NULL, &pin, err);

	if (rc < 0)
		return rc;
	switch (pin.state) {
	case PIN_ABSENT:
		tpm_session_encrypts(session, TPM_ENCRYPT_NOTHING);
		rc = define(t, index, session, &nv, err);
		return rc < 0 ? rc : write_content(t, index, nv, session, digest, err);
	case PIN_UNWRITTEN:
		rc = find(t, index, &nv, &pin, err);
		return rc < 0 ? rc : write_content(t, index, nv, session, digest, err);
	case PIN_FOREIGN:
		return err_set(err, -EEXIST, "what lies at NV index 0x%08x is no pin", index);
	default:
		if (memcmp(pin.digest, digest, PIN_SIZE) != 0)
			return err_set(err, -EEXIST,
				       "the pin at NV index 0x%08x is written, with another value",
				       index);
		return pin_lock(t, index, err);
	}
}

int pin_lock(struct tpm *t, TPM2_HANDLE index, struct err *err)
{
	struct pin pin;
	ESYS_TR nv;
	int rc = find(t, index, &nv, &pin, err);

	if (rc < 0 || pin.state != PIN_WRITTEN)
		return rc;
	return lock(t, index, nv, err);
}

static int undefine(struct tpm *t, TPM2_HANDLE index, bool written_too, struct err *err)
{
	struct pin pin;
	ESYS_TR nv;
	TSS2_RC tss_rc;
	int rc = find(t, index, &nv, &pin, err);

	if (rc < 0 || pin.state == PIN_ABSENT || pin.state == PIN_FOREIGN)
		return rc;
	if (pin_is_written(pin.state) && !written_too)
		return err_set(err, -EEXIST, "the pin at NV index 0x%08x is written", index);
	tss_rc = TPM_CALL(t, Esys_NV_UndefineSpace(t->esys, ESYS_TR_RH_OWNER, nv, ESYS_TR_PASSWORD,
						   ESYS_TR_NONE, ESYS_TR_NONE));
	if (tss_rc != TSS2_RC_SUCCESS)
		return tpm_fail(t, tss_rc, err, "undefine the pin at NV index 0x%08x", index);
	return 0;
}

int pin_undefine(struct tpm *t, TPM2_HANDLE index, struct err *err)
{
	return undefine(t, index, true, err);
}

int pin_undefine_unwritten(struct tpm *t, TPM2_HANDLE index, struct err *err)
{
	return undefine(t, index, false, err);
}

static int list_indices(struct tpm *t, TPM2_HANDLE from, TPML_HANDLE *ret, bool *ret_more,
			struct err *err)
{
	TPMS_CAPABILITY_DATA *capability = NULL;
	TPMI_YES_NO more = 0;
	TSS2_RC rc = TPM_CALL(t, Esys_GetCapability(t->esys, ESYS_TR_NONE, ESYS_TR_NONE,
						    ESYS_TR_NONE, TPM2_CAP_HANDLES, from,
						    TPM2_MAX_CAP_HANDLES, &more, &capability));

	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(t, rc, err, "list what is in the TPM's NV memory");
	*ret = capability->data.handles;
	*ret_more = more;
	Esys_Free(capability);
	return 0;
}

static bool is_named(TPM2_HANDLE index, const TPM2_HANDLE *named, size_t n_named)
{
	for (size_t i = 0; i < n_named; i++)
		if (named[i] == index)
			return true;
	return false;
}

int pin_find_others(struct tpm *t, const TPM2_HANDLE *named, size_t n_named, TPM2_HANDLE *ret,
		    size_t max, size_t *ret_n, struct err *err)
{
	TPM2_HANDLE from = TPM2_NV_INDEX_FIRST;
	TPML_HANDLE found = {0};
	bool more = true;
	size_t n = 0;

	while (more) {
		int rc = list_indices(t, from, &found, &more, err);

		if (rc < 0)
			return rc;
		/* A TPM that claims to have more handles and returns none would make this loop
		 * endless. */
		if (found.count == 0)
			break;
		for (UINT32 i = 0; i < found.count; i++) {
			struct pin pin;
			ESYS_TR nv;

			if (found.handle[i] < from)
				return err_set(err, -EBADMSG, "the TPM lists its NV indices twice");
			from = found.handle[i] + 1;
			if (is_named(found.handle[i], named, n_named))
				continue;
			rc = find(t, found.handle[i], &nv, &pin, err);
			if (rc < 0)
				return rc;
			if (pin_is_written(pin.state) && n < max)
				ret[n++] = found.handle[i];
		}
	}
	*ret_n = n;
	return 0;
}
