/* A TPM, opened and asked: against swtpm, and against what is none. */
#include "swtpm.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include "core/macros.h"

/* Sorts of what tss2 returns: the error, whose it is, and which layer says so. */
static void test_codes(void **state)
{
	static const struct {
		TSS2_RC rc;
		int code;
	} rows[] = {
		{TSS2_RC_SUCCESS, 0},
		{0x18b, -ENOENT},       /* handle 1 */
		{0x28b, -ENOENT},       /* handle 2 */
		{0x1cb, -ENOENT},       /* parameter 1 */
		{0x98b, -ENOENT},       /* session 1 */
		{0x08b, -ENOENT},       /* of nothing */
		{0x99d, -EKEYREJECTED}, /* a policy that does not hold, session 1 */
		{0x09d, -EKEYREJECTED},
		{0xa9d, -EKEYREJECTED}, /* session 2 */
		{0x128, -EAGAIN},       /* a PCR moved */
		{0x921, -EACCES},       /* lockout */
		{0x98e, -EPERM},        /* authorization, counted */
		{0x9a2, -EPERM},        /* authorization, not counted */
		{0x12f, -EPROTO},       /* authorization not available for this use */
		{0x1df, -EPROTO},       /* integrity of parameter 1 */
		{0x184, -EPROTO},       /* value of handle 1 */
		{0x101, -EPROTO},       /* failure mode */
		{0x100, -EPROTO},       /* not started */
		{0x14a, -EPROTO},       /* NV not written */
		{0x922, -EPROTO},       /* retry */
		{TSS2_RESMGR_TPM_RC_LAYER | 0x18b, -ENOENT},
		{TSS2_RESMGR_TPM_RC_LAYER | 0x99d, -EKEYREJECTED},
		{TSS2_RESMGR_TPM_RC_LAYER | 0x921, -EACCES},
		{TSS2_TCTI_RC_IO_ERROR, -ENODEV},
		{TSS2_TCTI_RC_NO_CONNECTION, -ENODEV},
		{TSS2_TCTI_RC_MALFORMED_RESPONSE, -ENODEV},
		{TSS2_ESYS_RC_RSP_AUTH_FAILED, -EBADMSG}, /* changed on its way */
		{TSS2_ESYS_RC_MALFORMED_RESPONSE, -EBADMSG},
		{TSS2_ESYS_RC_BAD_TR, -EBADMSG},
		{TSS2_SYS_RC_MALFORMED_RESPONSE, -EBADMSG},
		{TSS2_MU_RC_BAD_SIZE, -EBADMSG},
		{TSS2_RESMGR_RC_LAYER | 1, -EBADMSG},
		{0xffffffff, -EBADMSG},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		if (tpm_code(rows[i].rc) != rows[i].code)
			fail_msg("0x%08x: %d, expected %d", rows[i].rc, tpm_code(rows[i].rc),
				 rows[i].code);
}

static void test_fail(void **state)
{
	struct tpm t = {0};
	struct err err;

	(void)state;
	assert_int_equal(tpm_fail(&t, 0x99d, &err, "unwrap %s", "a key"), -EKEYREJECTED);
	assert_int_equal(t.last_rc, 0x99d);
	assert_int_equal(err.code, -EKEYREJECTED);
	assert_int_equal(strncmp(err.text, "unwrap a key: ", 14), 0);
	assert_contains(err.text, "a policy check failed (0x0000099d)");
	assert_int_equal(tpm_fail(&t, 0x921, NULL, "lock"), -EACCES);
	assert_int_equal(t.last_rc, 0x921);
}

static void test_calls(void **state)
{
	struct tpm t = {0};

	(void)state;
	assert_int_equal(TPM_CALL(&t, 0x18b), 0x18b);
	assert_int_equal(t.last_rc, 0x18b);
	assert_int_equal(TPM_CALL(&t, (usleep(2000), TSS2_RC_SUCCESS)), TSS2_RC_SUCCESS);
	assert_int_equal(t.last_rc, 0x18b); /* the last that failed */
	assert_true(t.spent_ns >= 2000000);
}

static void test_open_what_is_not_there(void **state)
{
	static const char *const rows[] = {
		"swtpm:path=/nonexistent/socket",
		"device:/nonexistent",
		"device:/dev/null",
		"device:/tmp",
		"device:",
		"nonsense:path=/tmp",
		"nonsense",
		"swtpm:host=127.0.0.1,port=notanumber",
		"/nonexistent/library.so:x",
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct err err = {0};
		struct tpm t;
		int rc = tpm_open(&t, rows[i], 0, &err);

		if (rc != -ENODEV || err.code != -ENODEV)
			fail_msg("%s: %d, %s", rows[i], rc, err.text);
		assert_contains(err.text, "open the TPM at ");
		assert_contains(err.text, rows[i]);
		assert_int_not_equal(t.last_rc, 0);
		tpm_close(&t);
		assert_int_equal(tpm_open(&t, rows[i], 0, NULL), -ENODEV);
	}
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

/* Runs in a child: each thing that is said on a connection has the same answer, and the end. */
static void answer(int listener, struct span words)
{
	char question[4096];

	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0)
			_exit(1);
		if (read(fd, question, sizeof(question)) > 0)
			(void)!write(fd, words.bytes, words.size);
		(void)close(fd);
	}
}

static pid_t start_liar(const char *path, struct span words)
{
	int fd = listen_at(path);
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		answer(fd, words);
	}
	(void)close(fd);
	return pid;
}

static void end_liar(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void ask(const char *folder, struct span on_control, struct span on_commands)
{
	pid_t commands = start_liar(test_path(folder, "tpm"), on_commands);
	pid_t control = start_liar(test_path(folder, "tpm.ctrl"), on_control);
	TPM2B_NAME name = {0};
	struct err err = {0};
	char tcti[300];
	struct tpm t;
	int rc;

	(void)snprintf(tcti, sizeof(tcti), "swtpm:path=%s/tpm", folder);
	rc = tpm_open(&t, tcti, 0, &err);
	if (rc == 0)
		rc = tpm_find(&t, 0x81010128, NULL, NULL, &name, &err);
	assert_true(rc == -ENODEV || rc == -EBADMSG || rc == -EPROTO);
	assert_int_equal(err.code, rc);
	assert_int_equal(name.size, 0);
	tpm_close(&t);
	end_liar(commands);
	end_liar(control);
}

static void test_who_speaks_rubbish(void **state)
{
	/* As control channel of swtpm: all went well. */
	static const uint8_t fine[4] = {0};
	static const uint8_t zeros[64] = {0};
	/* tag, size, response code */
	static const uint8_t huge[] = {0x80, 0x01, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 1, 2, 3};
	static const uint8_t tiny[] = {0x80, 0x01, 0, 0, 0, 2, 0, 0, 0, 0};
	static const uint8_t hollow[] = {0x80, 0x01, 0, 0, 0, 10, 0, 0, 0, 0};
	static const uint8_t cut[] = {0x80, 0x01, 0, 0, 1, 0, 0, 0, 0, 0, 1, 2, 3};
	/* A public area that says it has 65,535 bytes, and brings ten. */
	static const uint8_t liar[] = {0x80, 0x01, 0, 0, 0, 22, 0, 0, 0,    0,    0xff,
				       0xff, 0,    1, 0, 1, 1,  2, 3, 0xff, 0xff, 0xff};
	const struct {
		struct span control, commands;
	} rows[] = {
		{span_of("rubbish\n", 8), span_of("rubbish\n", 8)},
		{span_of(NULL, 0), span_of(NULL, 0)},
		{span_of(fine, sizeof(fine)), span_of(NULL, 0)},
		{span_of(fine, sizeof(fine)), span_of("rubbish\n", 8)},
		{span_of(fine, sizeof(fine)), span_of(zeros, sizeof(zeros))},
		{span_of(fine, sizeof(fine)), span_of(huge, sizeof(huge))},
		{span_of(fine, sizeof(fine)), span_of(tiny, sizeof(tiny))},
		{span_of(fine, sizeof(fine)), span_of(hollow, sizeof(hollow))},
		{span_of(fine, sizeof(fine)), span_of(cut, sizeof(cut))},
		{span_of(fine, sizeof(fine)), span_of(liar, sizeof(liar))},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		char *folder = test_folder();

		ask(folder, rows[i].control, rows[i].commands);
		test_folder_remove(folder);
	}
}

static uint64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* What appears is no TPM, but it is seen. */
static void test_wait_for_device(void **state)
{
	char *folder = test_folder();
	const char *path = test_path(folder, "tpmrm0");
	const uint64_t began = now_ms();
	struct err err = {0};
	char tcti[300];
	struct tpm t;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)usleep(300000);
		_exit(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600) < 0);
	}
	(void)snprintf(tcti, sizeof(tcti), "device:%s", path);
	assert_int_equal(tpm_open(&t, tcti, 120000, &err), -ENODEV);
	assert_int_equal(access(path, F_OK), 0);
	assert_true(now_ms() - began < 100000);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	test_folder_remove(folder);
}

static void test_wait_in_vain(void **state)
{
	const uint64_t began = now_ms();
	struct tpm t;

	(void)state;
	assert_int_equal(tpm_open(&t, "device:/nonexistent", 200, NULL), -ENODEV);
	assert_true(now_ms() - began >= 200);
	/* Only a device is made by the kernel. */
	assert_int_equal(tpm_open(&t, "swtpm:path=/nonexistent", 600000, NULL), -ENODEV);
	assert_true(now_ms() - began < 300000);
}

static ESYS_TR make_primary(struct tpm *t, const TPM2B_PUBLIC *template)
{
	static const TPM2B_SENSITIVE_CREATE no_secret = {0};
	static const TPM2B_DATA no_data = {0};
	static const TPML_PCR_SELECTION no_pcr = {0};
	ESYS_TR key;

	assert_int_equal(Esys_CreatePrimary(t->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD,
					    ESYS_TR_NONE, ESYS_TR_NONE, &no_secret, template,
					    &no_data, &no_pcr, &key, NULL, NULL, NULL, NULL),
			 TSS2_RC_SUCCESS);
	return key;
}

/* A storage key on P-256, which is quick to make. */
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

static void persist(struct tpm *t, ESYS_TR key, TPM2_HANDLE handle)
{
	ESYS_TR persistent;

	assert_int_equal(Esys_EvictControl(t->esys, ESYS_TR_RH_OWNER, key, ESYS_TR_PASSWORD,
					   ESYS_TR_NONE, ESYS_TR_NONE, handle, &persistent),
			 TSS2_RC_SUCCESS);
}

static void test_find(void **state)
{
	struct tpm_world *w = *state;
	struct tpm_object key = TPM_OBJECT_NONE(&w->t);
	TPM2B_PUBLIC public;
	TPM2B_NAME name;
	TPM2B_NAME *its_name;
	ESYS_TR found = 4711;
	char text[TPM_NAME_TEXT_SIZE];

	tpm_refused(w, tpm_find(&w->t, 0x81010128, &found, &public, &name, &w->err), -ENOENT,
		    "read what is at 0x81010128");
	assert_int_equal(found, 4711);
	assert_int_equal(w->t.last_rc, 0x18b);
	key.handle = make_primary(&w->t, &quick_template);
	assert_int_equal(tpm_count_handles(&w->t, TPM2_TRANSIENT_FIRST), 1);
	persist(&w->t, key.handle, 0x81010128);
	tpm_must(w, tpm_find(&w->t, 0x81010128, &found, &public, &name, &w->err));
	assert_int_equal(public.publicArea.type, TPM2_ALG_ECC);
	assert_int_equal(Esys_TR_GetName(w->t.esys, key.handle, &its_name), TSS2_RC_SUCCESS);
	assert_true(tpm_name_equal(&name, its_name));
	tpm_name_text(&name, text);
	assert_int_equal(strlen(text), 2 * 34);
	assert_int_equal(strncmp(text, "000b", 4), 0); /* SHA-256 */
	Esys_Free(its_name);
	tpm_must(w, tpm_find(&w->t, 0x81010128, NULL, NULL, NULL, &w->err));
	tpm_flush(&key);
	assert_int_equal(key.handle, ESYS_TR_NONE);
	tpm_flush(&key);
}

static void test_names(void **state)
{
	TPM2B_NAME a = {.size = 34, .name = {0, 11, 1}};
	TPM2B_NAME b = a;
	TPM2B_NAME none = {0};

	(void)state;
	assert_true(tpm_name_equal(&a, &b));
	b.name[33] = 1;
	assert_false(tpm_name_equal(&a, &b));
	b = a;
	b.size = 33;
	assert_false(tpm_name_equal(&a, &b));
	assert_false(tpm_name_equal(&none, &none)); /* none is nobody's */
}

/* A session authorizes nothing here, but it encrypts; and it goes on after a command. */
static void test_sessions(void **state)
{
	static const TPM2_SE types[] = {TPM2_SE_HMAC, TPM2_SE_POLICY};
	struct tpm_world *w = *state;
	struct tpm_object key = TPM_OBJECT_NONE(&w->t);
	struct tpm_object session;
	TPM2B_DIGEST *random;

	key.handle = make_primary(&w->t, &quick_template);
	for (size_t i = 0; i < N_ELEMENTS(types); i++) {
		tpm_must(w, tpm_session_start(&w->t, key.handle, types[i], &session, &w->err));
		for (int n = 0; n < 2; n++) {
			tpm_session_encrypts(&session, TPM_ENCRYPT_RESPONSE);
			assert_int_equal(Esys_GetRandom(w->t.esys, session.handle, ESYS_TR_NONE,
							ESYS_TR_NONE, 8, &random),
					 TSS2_RC_SUCCESS);
			Esys_Free(random);
			assert_int_equal(tpm_count_handles(&w->t, TPM2_LOADED_SESSION_FIRST), 1);
		}
		tpm_flush(&session);
		assert_int_equal(session.handle, ESYS_TR_NONE);
		assert_int_equal(tpm_count_handles(&w->t, TPM2_LOADED_SESSION_FIRST), 0);
	}
	tpm_flush(&key);
}

static void test_no_session(void **state)
{
	struct tpm_world *w = *state;
	struct tpm_object session = {.handle = 4711};
	int rc = tpm_session_start(&w->t, ESYS_TR_RH_OWNER, TPM2_SE_HMAC, &session, &w->err);

	assert_true(rc < 0);
	assert_int_equal(session.handle, ESYS_TR_NONE);
	assert_contains(w->err.text, "start a session");
	tpm_flush(&session);
}

/* SHA-256 of the bank: PCR = H(PCR ‖ digest). */
static void test_pcr_values(void **state)
{
	struct tpm_world *w = *state;
	struct tpm_pcr_values before;
	struct tpm_pcr_values after;
	uint8_t both[64];
	uint8_t expected[32];

	tpm_must(w, tpm_pcr_read(&w->t, TPM2_ALG_SHA256, 0xffffff, &before, &w->err));
	tpm_extend(&w->t, 11, 0x5a);
	tpm_must(w, tpm_pcr_read(&w->t, TPM2_ALG_SHA256, 0xffffff, &after, &w->err));
	for (unsigned i = 0; i < TPM_PCR_COUNT; i++) {
		assert_int_equal(after.values[i].size, 32);
		if (i != 11)
			assert_memory_equal(after.values[i].buffer, before.values[i].buffer, 32);
	}
	memcpy(both, before.values[11].buffer, 32);
	memset(both + 32, 0x5a, 32);
	assert_int_equal(EVP_Digest(both, 64, expected, NULL, EVP_sha256(), NULL), 1);
	assert_memory_equal(after.values[11].buffer, expected, 32);
}

static void test_pcr_selection(void **state)
{
	struct tpm_world *w = *state;
	TPML_PCR_SELECTION selection = tpm_pcr_selection(TPM2_ALG_SHA384, 1u << 23 | 1u << 8 | 1);
	struct tpm_pcr_values values;

	assert_int_equal(selection.count, 1);
	assert_int_equal(selection.pcrSelections[0].hash, TPM2_ALG_SHA384);
	assert_int_equal(selection.pcrSelections[0].sizeofSelect, 3);
	assert_memory_equal(selection.pcrSelections[0].pcrSelect, "\x01\x01\x80", 3);
	tpm_must(w, tpm_pcr_read(&w->t, TPM2_ALG_SHA384, 1u << 23 | 1u << 8 | 1, &values, &w->err));
	for (unsigned i = 0; i < TPM_PCR_COUNT; i++)
		assert_int_equal(values.values[i].size, i == 0 || i == 8 || i == 23 ? 48 : 0);
	tpm_must(w, tpm_pcr_read(&w->t, TPM2_ALG_SHA256, 0, &values, &w->err));
	assert_int_equal(values.values[0].size, 0);
	tpm_refused(w, tpm_pcr_read(&w->t, TPM2_ALG_SM3_256, 1, &values, &w->err), -EPROTO,
		    "read the PCRs");
}

static void test_banks(void **state)
{
	static const struct {
		const char *name;
		TPM2_ALG_ID bank;
	} rows[] = {
		{"sha1", TPM2_ALG_SHA1},
		{"sha256", TPM2_ALG_SHA256},
		{"sha384", TPM2_ALG_SHA384},
		{"sha512", TPM2_ALG_SHA512},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		assert_int_equal(tpm_bank(rows[i].name), rows[i].bank);
		assert_string_equal(tpm_bank_name(rows[i].bank), rows[i].name);
	}
	assert_int_equal(tpm_bank("sha3"), TPM2_ALG_ERROR);
	assert_int_equal(tpm_bank(""), TPM2_ALG_ERROR);
	assert_string_equal(tpm_bank_name(TPM2_ALG_SM3_256), "");
}

/* The template of tpm2-tools, made by who can be asked: the same key, so the same Name. */
static void read_ek_of_tools(const struct tpm_world *w, bool persist_it, TPM2B_NAME *ret)
{
	const char *name = test_path(w->swtpm.folder, "ek.name");
	const char *context = test_path(w->swtpm.folder, "ek.context");
	char command[1024];
	size_t size;
	char *bytes;

	(void)snprintf(command, sizeof(command),
		       "exec >/dev/null 2>&1; export TPM2TOOLS_TCTI=%s;"
		       "tpm2_createek -G rsa -c %s && tpm2_readpublic -c %s -n %s &&"
		       "tpm2_flushcontext -t",
		       w->swtpm.tcti, persist_it ? "0x81010001" : context,
		       persist_it ? "0x81010001" : context, name);
	assert_int_equal(system(command), 0);
	bytes = test_read(name, &size);
	assert_in_range(size, 1, sizeof(ret->name));
	memcpy(ret->name, bytes, size);
	ret->size = (UINT16)size;
	free(bytes);
}

static void ask_tools(struct tpm_world *w, bool persist_it, TPM2B_NAME *ret)
{
	tpm_close(&w->t);
	read_ek_of_tools(w, persist_it, ret);
	tpm_must(w, tpm_open(&w->t, w->swtpm.tcti, 0, &w->err));
}

static void test_ek(void **state)
{
	struct tpm_world *w = *state;
	struct tpm_object foreign = TPM_OBJECT_NONE(&w->t);
	TPM2B_NAME expected;
	TPM2B_NAME name;

	ask_tools(w, false, &expected);
	tpm_must(w, tpm_ek_name(&w->t, &name, &w->err));
	assert_true(tpm_name_equal(&name, &expected));
	assert_int_equal(tpm_count_handles(&w->t, TPM2_TRANSIENT_FIRST), 0);
	/* One that is there already, and what is none. */
	ask_tools(w, true, &expected);
	memset(&name, 0, sizeof(name));
	tpm_must(w, tpm_ek_name(&w->t, &name, &w->err));
	assert_true(tpm_name_equal(&name, &expected));
	tpm_clear(&w->t);
	foreign.handle = make_primary(&w->t, &quick_template);
	persist(&w->t, foreign.handle, TPM_EK_HANDLE);
	tpm_flush(&foreign);
	memset(&name, 0, sizeof(name));
	tpm_must(w, tpm_ek_name(&w->t, &name, &w->err));
	assert_true(tpm_name_equal(&name, &expected));
	tpm_world_power_cycle(w);
	tpm_must(w, tpm_ek_name(&w->t, &name, &w->err));
	assert_true(tpm_name_equal(&name, &expected));
}

static void test_ek_of_another(void **state)
{
	struct tpm_world *w = *state;
	struct swtpm another;
	struct tpm t;
	TPM2B_NAME name;
	TPM2B_NAME its_name;

	tpm_must(w, tpm_ek_name(&w->t, &name, &w->err));
	swtpm_start(&another);
	tpm_must(w, tpm_open(&t, another.tcti, 0, &w->err));
	tpm_must(w, tpm_ek_name(&t, &its_name, &w->err));
	tpm_close(&t);
	swtpm_end(&another);
	assert_false(tpm_name_equal(&name, &its_name));
}

/* The endorsement hierarchy is somebody's: no EK can be made, and nothing is left behind. */
static void test_ek_refused(void **state)
{
	static const TPM2B_AUTH secret = {.size = 4, .buffer = "word"};
	struct tpm_world *w = *state;
	TPM2B_NAME name;

	assert_int_equal(Esys_HierarchyChangeAuth(w->t.esys, ESYS_TR_RH_ENDORSEMENT,
						  ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
						  &secret),
			 TSS2_RC_SUCCESS);
	assert_int_equal(Esys_TR_SetAuth(w->t.esys, ESYS_TR_RH_ENDORSEMENT, NULL), TSS2_RC_SUCCESS);
	tpm_refused(w, tpm_ek_name(&w->t, &name, &w->err), -EPERM, "make the endorsement key");
	assert_int_equal(tpm_count_handles(&w->t, TPM2_TRANSIENT_FIRST), 0);
}

static void test_tpm_that_is_gone(void **state)
{
	struct tpm_world *w = *state;
	TPM2B_NAME name;

	assert_int_equal(kill(w->swtpm.pid, SIGKILL), 0);
	tpm_refused(w, tpm_find(&w->t, 0x81010128, NULL, NULL, &name, &w->err), -ENODEV,
		    "read what is at");
	tpm_world_power_cycle(w);
}

#define with_tpm(test) cmocka_unit_test_setup_teardown(test, tpm_world_open, tpm_world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_codes),
		cmocka_unit_test(test_fail),
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_open_what_is_not_there),
		cmocka_unit_test(test_who_speaks_rubbish),
		cmocka_unit_test(test_wait_for_device),
		cmocka_unit_test(test_wait_in_vain),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_banks),
		with_tpm(test_find),
		with_tpm(test_sessions),
		with_tpm(test_no_session),
		with_tpm(test_pcr_values),
		with_tpm(test_pcr_selection),
		with_tpm(test_ek),
		with_tpm(test_ek_of_another),
		with_tpm(test_ek_refused),
		with_tpm(test_tpm_that_is_gone),
	};

	return cmocka_run_group_tests(tests, tpm_world_make, tpm_world_end);
}
