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

/* Reads the chain; -errno, or the sizes of its certificates. */
static int read_chain(struct tpm_world *w, size_t sizes[3], unsigned *n)
{
	uint8_t bytes[2600];
	const struct tpm_ek_chain_room room = {
		.bytes = bytes, .room = sizeof(bytes), .each_max = 1400, .sizes = sizes, .max = 3};

	return tpm_ek_chain(&w->t, &room, n, &w->err);
}

/* DER of size bytes with its head, and filled up to all. */
static void put_der(uint8_t *to, size_t size, size_t all, uint8_t filler)
{
	memset(to, filler, all);
	memset(to, 0x55, size);
	memcpy(to, (uint8_t[]){0x30, 0x82, (uint8_t)((size - 4) >> 8), (uint8_t)(size - 4)}, 4);
}

static void test_chain(void **state)
{
	struct tpm_world *w = *state;
	uint8_t three[2500];
	size_t sizes[3];
	unsigned n = 9;

	tpm_must(w, read_chain(w, sizes, &n));
	assert_int_equal(n, 0);
	/* Two in one index with filler behind them, one begins in the next and ends behind that. */
	put_der(three, 600, 1300, 0xff);
	put_der(three + 600, 500, 700, 0xff);
	write_certificate(w, 0x01c00100, "authread", three, 1300);
	put_der(three, 1100, 1200, 0x00);
	write_certificate(w, 0x01c00101, "ownerread", three, 3);
	write_certificate(w, 0x01c001ff, "authread", three + 3, 1197);
	tpm_must(w, read_chain(w, sizes, &n));
	assert_int_equal(n, 3);
	assert_int_equal(sizes[0], 600);
	assert_int_equal(sizes[1], 500);
	assert_int_equal(sizes[2], 1100);
	/* The index behind the range is none of it. */
	write_certificate(w, 0x01c00200, "authread", (const uint8_t *)"garbage", 7);
	tpm_must(w, read_chain(w, sizes, &n));
	assert_int_equal(n, 3);
}

static void test_chains_that_are_refused(void **state)
{
	static const struct {
		uint8_t head[6];
		size_t size;
		int rc;
		const char *reason;
	} rows[] = {
		{"hello", 40, -EBADMSG,
		 "0x01c00100: expected certificates in DER, found a byte 0x68"},
		{{0x30, 0x80, 0, 0}, 40, -EBADMSG, "found a byte 0x30 that begins none"},
		{{0x30, 0x82, 0x01, 0x00}, 40, -EBADMSG, "ends in the middle of a certificate"},
		{{0x30}, 1, -EBADMSG, "ends in the middle of a certificate"},
		{{0x30, 0x82, 0x05, 0x75}, 40, -E2BIG, "1401 bytes, expected at most 1400"},
		{{0x30, 0x82, 0xff, 0xff}, 40, -E2BIG, "65539 bytes, expected at most 1400"},
		{{0x00, 0xff}, 40, -EBADMSG, "found a byte 0x00 that begins none"},
	};
	struct tpm_world *w = *state;
	uint8_t bytes[1300] = {0};
	size_t sizes[3];
	unsigned n;

	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		memset(bytes, 0x11, sizeof(bytes));
		memcpy(bytes, rows[i].head, sizeof(rows[i].head));
		write_certificate(w, 0x01c00100, "authread", bytes, rows[i].size);
		tpm_refused(w, read_chain(w, sizes, &n), rows[i].rc, rows[i].reason);
	}
	for (unsigned i = 0; i < 4; i++)
		put_der(bytes + (size_t)i * 300, 300, 300, 0);
	write_certificate(w, 0x01c00100, "authread", bytes, 1200);
	tpm_refused(w, read_chain(w, sizes, &n), -E2BIG, "expected at most 3 certificates");
	put_der(bytes, 1300, 1300, 0);
	for (unsigned i = 0; i < 3; i++)
		write_certificate(w, 0x01c00100 + i, "authread", bytes, 1300);
	tpm_refused(w, read_chain(w, sizes, &n), -E2BIG,
		    "0x01c00102: 1300 bytes, expected at most 2600");
}

/* Not all of them are read. */
static void test_a_chain_in_many_indices(void **state)
{
	struct tpm_world *w = *state;
	uint8_t filler = 0xff;
	size_t sizes[3];
	unsigned n;

	for (unsigned i = 0; i < TPM_EK_CHAIN_INDICES_MAX; i++)
		write_certificate(w, 0x01c00100 + 2 * i, "authread", &filler, 1);
	tpm_must(w, read_chain(w, sizes, &n));
	assert_int_equal(n, 0);
	write_certificate(w, 0x01c00101, "authread", &filler, 1);
	tpm_refused(w, read_chain(w, sizes, &n), -E2BIG, "more than 16 NV indices from 0x01c00100");
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
		with_tpm(test_chain),
		with_tpm(test_chains_that_are_refused),
		with_tpm(test_a_chain_in_many_indices),
		with_tpm(test_ek_of_another),
		with_tpm(test_ek_refused),
	};

	return cmocka_run_group_tests(tests, tpm_world_make, tpm_world_end);
}
