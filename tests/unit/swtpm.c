/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "swtpm.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define START_MS 20000
#define PAUSE_MS 20

/* Runs in the child. */
static void run(const char *folder)
{
	char server[300];
	char control[300];
	char state[300];
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)snprintf(server, sizeof(server), "type=unixio,path=%s/tpm", folder);
	(void)snprintf(control, sizeof(control), "type=unixio,path=%s/tpm.ctrl", folder);
	(void)snprintf(state, sizeof(state), "dir=%s", folder);
	for (int fd = 0; fd < 3; fd++)
		(void)dup2(null, fd);
	(void)execlp("swtpm", "swtpm", "socket", "--tpm2", "--server", server, "--ctrl", control,
		     "--tpmstate", state, "--flags", "not-need-init,startup-clear", (char *)NULL);
	_exit(127);
}

static void launch(struct swtpm *s)
{
	struct err err = {0};
	struct tpm t;

	s->pid = fork();
	assert_true(s->pid >= 0);
	if (s->pid == 0)
		run(s->folder);
	for (unsigned waited = 0; waited < START_MS; waited += PAUSE_MS) {
		if (tpm_open(&t, s->tcti, 0, &err) == 0) {
			tpm_close(&t);
			return;
		}
		(void)usleep(PAUSE_MS * 1000);
	}
	fail_msg("swtpm: %s", err.text);
}

static void stop(struct swtpm *s)
{
	assert_int_equal(kill(s->pid, SIGTERM), 0);
	assert_int_equal(waitpid(s->pid, NULL, 0), s->pid);
}

void swtpm_start(struct swtpm *s)
{
	s->folder = test_folder();
	(void)snprintf(s->tcti, sizeof(s->tcti), "swtpm:path=%s/tpm", s->folder);
	launch(s);
}

void swtpm_power_cycle(struct swtpm *s)
{
	stop(s);
	launch(s);
}

void swtpm_end(struct swtpm *s)
{
	stop(s);
	test_folder_remove(s->folder);
}

int tpm_world_make(void **state)
{
	struct tpm_world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	swtpm_start(&w->swtpm);
	*state = w;
	return 0;
}

int tpm_world_end(void **state)
{
	struct tpm_world *w = *state;

	swtpm_end(&w->swtpm);
	free(w);
	return 0;
}

int tpm_world_open(void **state)
{
	struct tpm_world *w = *state;

	memset(&w->err, 0, sizeof(w->err));
	tpm_must(w, tpm_open(&w->t, w->swtpm.tcti, 0, &w->err));
	tpm_clear(&w->t);
	return 0;
}

int tpm_world_close(void **state)
{
	struct tpm_world *w = *state;
	unsigned n_objects = tpm_count_objects(&w->t);
	unsigned n_sessions = tpm_count_sessions(&w->t);

	tpm_close(&w->t);
	assert_int_equal(n_objects, 0);
	assert_int_equal(n_sessions, 0);
	return 0;
}

void tpm_world_power_cycle(struct tpm_world *w)
{
	tpm_close(&w->t);
	swtpm_power_cycle(&w->swtpm);
	tpm_must(w, tpm_open(&w->t, w->swtpm.tcti, 0, &w->err));
}

void tpm_must(const struct tpm_world *w, int rc)
{
	if (rc < 0)
		fail_msg("%d: %s", rc, w->err.text);
	assert_int_equal(rc, 0);
}

void tpm_refused(const struct tpm_world *w, int rc, int code, const char *part)
{
	if (rc != code)
		fail_msg("%d, expected %d: %s", rc, code, w->err.text);
	assert_int_equal(w->err.code, code);
	assert_contains(w->err.text, part);
}

static unsigned count_handles(struct tpm *t, TPM2_HANDLE first)
{
	TPMS_CAPABILITY_DATA *found = NULL;
	TPMI_YES_NO more;
	unsigned n;

	assert_int_equal(Esys_GetCapability(t->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
					    TPM2_CAP_HANDLES, first, TPM2_MAX_CAP_HANDLES, &more,
					    &found),
			 TSS2_RC_SUCCESS);
	n = found->data.handles.count;
	Esys_Free(found);
	return n;
}

/* tss2's macros for these shift into the sign. */

unsigned tpm_count_objects(struct tpm *t)
{
	return count_handles(t, 0x80000000);
}

unsigned tpm_count_sessions(struct tpm *t)
{
	return count_handles(t, 0x02000000);
}

void tpm_clear(struct tpm *t)
{
	assert_int_equal(Esys_Clear(t->esys, ESYS_TR_RH_LOCKOUT, ESYS_TR_PASSWORD, ESYS_TR_NONE,
				    ESYS_TR_NONE),
			 TSS2_RC_SUCCESS);
}

void tpm_extend(struct tpm *t, unsigned index, uint8_t value)
{
	static const TPM2_ALG_ID banks[] = {TPM2_ALG_SHA1, TPM2_ALG_SHA256, TPM2_ALG_SHA384,
					    TPM2_ALG_SHA512};
	TPML_DIGEST_VALUES digests = {.count = 4};

	for (unsigned i = 0; i < digests.count; i++) {
		digests.digests[i].hashAlg = banks[i];
		memset(&digests.digests[i].digest, value, sizeof(digests.digests[i].digest));
	}
	assert_int_equal(Esys_PCR_Extend(t->esys, ESYS_TR_PCR0 + index, ESYS_TR_PASSWORD,
					 ESYS_TR_NONE, ESYS_TR_NONE, &digests),
			 TSS2_RC_SUCCESS);
}

static const TPM2B_PUBLIC quick_template = {
	.publicArea = {
		.type = TPM2_ALG_ECC,
		.nameAlg = TPM2_ALG_SHA256,
		.objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
				    TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH |
				    TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT,
		.parameters = {.eccDetail = {.symmetric = {.algorithm = TPM2_ALG_AES,
							   .keyBits = {.aes = 128},
							   .mode = {.aes = TPM2_ALG_CFB}},
					     .scheme = {.scheme = TPM2_ALG_NULL},
					     .curveID = TPM2_ECC_NIST_P256,
					     .kdf = {.scheme = TPM2_ALG_NULL}}},
	}};

ESYS_TR tpm_make_quick_key(struct tpm *t)
{
	static const TPM2B_SENSITIVE_CREATE no_secret = {0};
	static const TPM2B_DATA no_data = {0};
	static const TPML_PCR_SELECTION no_pcr = {0};
	ESYS_TR key;

	assert_int_equal(Esys_CreatePrimary(t->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD,
					    ESYS_TR_NONE, ESYS_TR_NONE, &no_secret, &quick_template,
					    &no_data, &no_pcr, &key, NULL, NULL, NULL, NULL),
			 TSS2_RC_SUCCESS);
	return key;
}

void tpm_persist(struct tpm *t, ESYS_TR key, TPM2_HANDLE handle)
{
	ESYS_TR persistent;

	assert_int_equal(Esys_EvictControl(t->esys, ESYS_TR_RH_OWNER, key, ESYS_TR_PASSWORD,
					   ESYS_TR_NONE, ESYS_TR_NONE, handle, &persistent),
			 TSS2_RC_SUCCESS);
}
