/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The endorsement key, which tells one TPM from another. */
#include "swtpm.h"

#include "base/macros.h"

/* The template of tpm2-tools, made by who can be asked: the same key, so the same Name. */
static void read_ek_of_tools(const struct tpm_world *w, const char *kind, TPM2_HANDLE handle,
			     TPM2B_NAME *ret)
{
	const char *name = test_path(w->swtpm.folder, "ek.name");
	const char *context = test_path(w->swtpm.folder, "ek.context");
	char place[16];
	char command[1024];
	size_t size;
	char *bytes;

	(void)snprintf(place, sizeof(place), "0x%08x", handle);
	if (handle)
		context = place;

	(void)snprintf(command, sizeof(command),
		       "exec >/dev/null 2>&1; export TPM2TOOLS_TCTI=%s;"
		       "tpm2_createek -G %s -c %s && tpm2_readpublic -c %s -n %s &&"
		       "tpm2_flushcontext -t",
		       w->swtpm.tcti, kind, context, context, name);
	assert_int_equal(system(command), 0);
	bytes = test_read(name, &size);
	assert_in_range(size, 1, sizeof(ret->name));
	memcpy(ret->name, bytes, size);
	ret->size = (UINT16)size;
	free(bytes);
}

/* handle: where it is to stay; 0 = it is not. */
static void make_by_tools(struct tpm_world *w, const char *kind, TPM2_HANDLE handle,
			  TPM2B_NAME *ret)
{
	tpm_close(&w->t);
	read_ek_of_tools(w, kind, handle, ret);
	tpm_must(w, tpm_open(&w->t, w->swtpm.tcti, 0, &w->err));
}

static void ask_tools(struct tpm_world *w, bool persist_it, TPM2B_NAME *ret)
{
	make_by_tools(w, "rsa", persist_it ? TPM_EK_HANDLE : 0, ret);
}

static void assert_name(struct tpm_world *w, ESYS_TR key, const TPM2B_NAME *expected)
{
	TPM2B_NAME *name = NULL;

	assert_int_equal(Esys_TR_GetName(w->t.esys, key, &name), TSS2_RC_SUCCESS);
	assert_true(tpm_name_equal(name, expected));
	Esys_Free(name);
}

/* Sessions that open what is for the EK, and leave nothing. */
static void check_authorization(struct tpm_world *w, const struct tpm_ek *ek)
{
	_cleanup_(tpm_flush) struct tpm_object session = TPM_OBJECT_NONE(&w->t);

	tpm_must(w, tpm_ek_authorize(&w->t, ek, &session, &w->err));
	assert_int_equal(tpm_count_sessions(&w->t), 1);
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
	assert_int_equal(tpm_count_objects(&w->t), 0);
	/* One that is there already, and what is none. */
	ask_tools(w, true, &expected);
	memset(&name, 0, sizeof(name));
	tpm_must(w, tpm_ek_name(&w->t, &name, &w->err));
	assert_true(tpm_name_equal(&name, &expected));
	tpm_clear(&w->t);
	foreign.handle = tpm_make_quick_key(&w->t);
	tpm_persist(&w->t, foreign.handle, TPM_EK_HANDLE);
	tpm_flush(&foreign);
	memset(&name, 0, sizeof(name));
	tpm_must(w, tpm_ek_name(&w->t, &name, &w->err));
	assert_true(tpm_name_equal(&name, &expected));
	tpm_world_power_cycle(w);
	tpm_must(w, tpm_ek_name(&w->t, &name, &w->err));
	assert_true(tpm_name_equal(&name, &expected));
}

/* What tpm2-tools make of the TCG's templates; where nothing lies at the handle that is its place,
 * and where it lies there, also at another. */
static void test_kinds(void **state)
{
	static const struct {
		const char *kind;
		TPM2_HANDLE handle;
		TPMI_ALG_PUBLIC type;
		bool usual;
	} rows[] = {
		{"rsa2048", 0x81010001, TPM2_ALG_RSA, true},
		{"ecc256", 0x8101000a, TPM2_ALG_ECC, false},
		{"ecc384", 0x81010016, TPM2_ALG_ECC, false},
		{"ecc521", 0x81010018, TPM2_ALG_ECC, false},
		{"rsa3072", 0x8101001c, TPM2_ALG_RSA, false},
	};
	struct tpm_world *w = *state;

	for (unsigned i = 0; i < N_ELEMENTS(rows); i++)
		for (unsigned n = 0; n < 3; n++) {
			const TPM2_HANDLE handle = n == 2 ? 0x81010099 : rows[i].handle;
			_cleanup_(tpm_ek_release) struct tpm_ek ek = {0};
			TPM2B_NAME expected;

			make_by_tools(w, rows[i].kind, n > 0 ? handle : 0, &expected);
			tpm_must(w, tpm_ek_provide(&w->t, handle, &ek, &w->err));
			assert_int_equal(ek.public.publicArea.type, rows[i].type);
			assert_int_equal(tpm_ek_is_usual(&ek), rows[i].usual);
			assert_name(w, ek.handle, &expected);
			assert_int_equal(tpm_count_objects(&w->t), n == 0);
			check_authorization(w, &ek);
			tpm_ek_release(&ek);
			tpm_clear(&w->t);
		}
}

/* Another kind where integrity's was: that is told by the same key as ever. */
static void test_name_with_another_kind_there(void **state)
{
	struct tpm_world *w = *state;
	TPM2B_NAME expected;
	TPM2B_NAME other;
	TPM2B_NAME name;

	ask_tools(w, false, &expected);
	make_by_tools(w, "ecc384", TPM_EK_HANDLE, &other);
	tpm_must(w, tpm_ek_name(&w->t, &name, &w->err));
	assert_true(tpm_name_equal(&name, &expected));
	assert_false(tpm_name_equal(&name, &other));
}

#define CERTIFICATE_SIZE 1300

/* As makers do: it may be read by the index's password or the owner's, and has more behind it. */
static void write_certificate(struct tpm_world *w, TPM2_HANDLE index, const char *who,
			      const uint8_t *bytes, size_t size)
{
	const char *path = test_path(w->swtpm.folder, "certificate");
	char command[1024];
	FILE *file = fopen(path, "we");

	assert_int_equal(fwrite(bytes, 1, size, file), size);
	(void)fclose(file);
	(void)snprintf(command, sizeof(command),
		       "exec >/dev/null 2>&1; export TPM2TOOLS_TCTI=%s;"
		       "tpm2_nvundefine -C o 0x%08x;"
		       "tpm2_nvdefine -C o -s %zu -a 'ownerwrite|%s' 0x%08x &&"
		       "tpm2_nvwrite -C o -i %s 0x%08x",
		       w->swtpm.tcti, index, size, who, index, path, index);
	tpm_close(&w->t);
	assert_int_equal(system(command), 0);
	tpm_must(w, tpm_open(&w->t, w->swtpm.tcti, 0, &w->err));
}

static void test_certificate(void **state)
{
	static const struct {
		const char *who;
		uint8_t head[4];
		size_t expected; /* 0 = refused */
	} rows[] = {
		{"authread", {0x30, 0x82, 0x04, 0xb0}, 1204},
		{"ownerread", {0x30, 0x82, 0x04, 0xb0}, 1204},
		{"authread|ownerread", {0x30, 0x82, 0x05, 0x10}, CERTIFICATE_SIZE},
		{"authread", {0x30, 0x82, 0x05, 0x11}, 0}, /* more than there is */
		{"authread", {0x10, 0x01, 0x00, 0x04}, 0},
	};
	struct tpm_world *w = *state;
	_cleanup_(tpm_ek_release) struct tpm_ek ek = {0};
	uint8_t written[CERTIFICATE_SIZE];
	uint8_t found[2047];
	size_t size = 0;

	for (unsigned i = 0; i < sizeof(written); i++)
		written[i] = (uint8_t)(i * 7 + i / 256);
	tpm_must(w, tpm_ek_provide(&w->t, TPM_EK_HANDLE, &ek, &w->err));
	tpm_ek_release(&ek); /* it is asked for by its public area alone */
	ek.made = TPM_OBJECT_NONE(&w->t);
	assert_int_equal(tpm_ek_certificate_index(&ek), 0x01c00002);
	tpm_refused(w, tpm_ek_certificate(&w->t, &ek, found, sizeof(found), &size, &w->err),
		    -ENOENT, "NV index 0x01c00002");
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		int rc;

		memcpy(written, rows[i].head, 4);
		write_certificate(w, 0x01c00002, rows[i].who, written, sizeof(written));
		rc = tpm_ek_certificate(&w->t, &ek, found, sizeof(found), &size, &w->err);
		if (rc != (rows[i].expected ? 0 : -EBADMSG))
			fail_msg("row %u: %d %s", i, rc, w->err.text);
		if (rc == 0)
			assert_int_equal(size, rows[i].expected);
		assert_memory_equal(found, written, sizeof(written));
	}
	tpm_refused(w, tpm_ek_certificate(&w->t, &ek, found, CERTIFICATE_SIZE - 1, &size, &w->err),
		    -E2BIG, "1300 bytes, expected at most 1299");
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
	assert_int_equal(tpm_count_objects(&w->t), 0);
}

#define with_tpm(test) cmocka_unit_test_setup_teardown(test, tpm_world_open, tpm_world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_tpm(test_ek),
		with_tpm(test_kinds),
		with_tpm(test_name_with_another_kind_there),
		with_tpm(test_certificate),
		with_tpm(test_ek_of_another),
		with_tpm(test_ek_refused),
	};

	return cmocka_run_group_tests(tests, tpm_world_make, tpm_world_end);
}
