/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The storage root key: made, used if it is there, kept; a foreign one is left alone. */
#include "swtpm.h"

#include "base/macros.h"
#include "integrity/wrapping_key.h"

static void test_srk(void **state)
{
	struct tpm_world *w = *state;
	uint8_t saved[SRK_SIZE_MAX];
	uint8_t again[SRK_SIZE_MAX];
	struct tpm_object session;
	TPM2B_PUBLIC public;
	TPM2B_NAME made;
	TPM2B_NAME found;
	size_t n_saved;
	size_t n_again;
	ESYS_TR srk;

	tpm_must(w, srk_provide(&w->t, &srk, &w->err));
	tpm_must(w, srk_save(&w->t, srk, saved, &n_saved, &w->err));
	tpm_must(w, tpm_find(&w->t, SRK_HANDLE, NULL, &public, &made, &w->err));
	assert_true(public.publicArea.objectAttributes & TPMA_OBJECT_NODA);
	assert_true(public.publicArea.objectAttributes & TPMA_OBJECT_RESTRICTED);
	tpm_must(w, srk_provide(&w->t, &srk, &w->err)); /* used, as it is there */
	tpm_must(w, tpm_find(&w->t, SRK_HANDLE, NULL, NULL, &found, &w->err));
	assert_true(tpm_name_equal(&made, &found));
	tpm_must(w, srk_save(&w->t, srk, again, &n_again, &w->err));
	assert_int_equal(n_again, n_saved);
	assert_memory_equal(again, saved, n_saved);
	/* Restored without a word to the TPM; sessions can be salted to it. */
	tpm_world_power_cycle(w);
	tpm_must(w, srk_restore(&w->t, span_of(saved, n_saved), &srk, &w->err));
	tpm_must(w, tpm_session_start(&w->t, srk, TPM2_SE_HMAC, &session, &w->err));
	tpm_flush(&session);
}

/* What was kept of another SRK, as an interposer would offer it, does not open a session. */
static void test_srk_of_another_tpm(void **state)
{
	struct tpm_world *w = *state;
	struct tpm_object session;
	uint8_t saved[SRK_SIZE_MAX];
	size_t n_saved;
	ESYS_TR srk;

	tpm_must(w, srk_provide(&w->t, &srk, &w->err));
	tpm_must(w, srk_save(&w->t, srk, saved, &n_saved, &w->err));
	tpm_clear(&w->t);
	tpm_must(w, srk_provide(&w->t, &srk, &w->err));
	tpm_must(w, srk_restore(&w->t, span_of(saved, n_saved), &srk, &w->err));
	assert_true(tpm_session_start(&w->t, srk, TPM2_SE_HMAC, &session, &w->err) < 0);
	assert_int_equal(session.handle, ESYS_TR_NONE);
}

static void test_srk_restored_from_rubbish(void **state)
{
	struct tpm_world *w = *state;
	uint8_t saved[SRK_SIZE_MAX] = {0};
	uint8_t rubbish[64];
	size_t n_saved;
	ESYS_TR srk;

	tpm_must(w, srk_provide(&w->t, &srk, &w->err));
	tpm_must(w, srk_save(&w->t, srk, saved, &n_saved, &w->err));
	for (size_t n = 0; n < n_saved; n++)
		tpm_refused(w, srk_restore(&w->t, span_of(saved, n), &srk, &w->err), -EBADMSG,
			    "the serialized storage root key");
	memset(rubbish, 0xff, sizeof(rubbish));
	tpm_refused(w, srk_restore(&w->t, span_of(rubbish, sizeof(rubbish)), &srk, &w->err),
		    -EBADMSG, "the serialized storage root key");
}

/* The standard template without noDA is what the tools of others make. */
static void test_srk_foreign(void **state)
{
	static const char *const rows[] = {
		"-G rsa2048", /* without noDA */
		"-G ecc",     /* likewise */
		"-G ecc384 -a 'restricted|decrypt|fixedtpm|fixedparent|sensitivedataorigin|"
		"userwithauth|noda'",
		"-G rsa3072 -a 'restricted|decrypt|fixedtpm|fixedparent|sensitivedataorigin|"
		"userwithauth|noda'",
		"-G rsa2048:aes256cfb -a 'restricted|decrypt|fixedtpm|fixedparent|"
		"sensitivedataorigin|userwithauth|noda'",
		"-G rsa2048 -a 'decrypt|sign|fixedtpm|fixedparent|sensitivedataorigin|"
		"userwithauth|noda'",
	};
	struct tpm_world *w = *state;

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		char command[1024];
		TPM2B_NAME before;
		TPM2B_NAME after;
		ESYS_TR srk;

		tpm_close(&w->t);
		(void)snprintf(command, sizeof(command),
			       "exec >/dev/null 2>&1; export TPM2TOOLS_TCTI=%s; cd %s;"
			       "tpm2_createprimary -C o %s -c c &&"
			       "tpm2_evictcontrol -C o -c c 0x81000001 && tpm2_flushcontext -t",
			       w->swtpm.tcti, w->swtpm.folder, rows[i]);
		assert_int_equal(system(command), 0);
		tpm_must(w, tpm_open(&w->t, w->swtpm.tcti, 0, &w->err));
		tpm_must(w, tpm_find(&w->t, SRK_HANDLE, NULL, NULL, &before, &w->err));
		tpm_refused(w, srk_provide(&w->t, &srk, &w->err), -EEXIST,
			    "the key at 0x81000001 is foreign");
		tpm_must(w, tpm_find(&w->t, SRK_HANDLE, NULL, NULL, &after, &w->err));
		assert_true(tpm_name_equal(&before, &after));
		tpm_clear(&w->t);
	}
}

#define OTHERS "-a 'restricted|decrypt|fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda'"

/* At the SRK's handle: what tpm2_createprimary makes. */
static void place(struct tpm_world *w, const char *words)
{
	char command[1024];

	tpm_close(&w->t);
	(void)snprintf(command, sizeof(command),
		       "exec >/dev/null 2>&1; export TPM2TOOLS_TCTI=%s; cd %s;"
		       "tpm2_evictcontrol -C o -c 0x81000001;"
		       "tpm2_createprimary -C o %s -c c " OTHERS " &&"
		       "tpm2_evictcontrol -C o -c c 0x81000001 && tpm2_flushcontext -t",
		       w->swtpm.tcti, w->swtpm.folder, words);
	assert_int_equal(system(command), 0);
	tpm_must(w, tpm_open(&w->t, w->swtpm.tcti, 0, &w->err));
}

static void evict(struct tpm_world *w)
{
	tpm_must(w, wrapping_key_evict(&w->t, SRK_HANDLE, &w->err));
}

static bool is_at_its_handle(struct tpm_world *w, const TPM2B_NAME *expected)
{
	TPM2B_NAME name;

	return tpm_find(&w->t, SRK_HANDLE, NULL, NULL, &name, &w->err) == 0 &&
	       tpm_name_equal(&name, expected);
}

/* One that somebody else made from a template of ours is used; systemd's is the ECC one. What was
 * kept of it works on when it is evicted, when it is made anew with the other kind, and back. */
static void test_srk_of_others(void **state)
{
	static const char *const rows[] = {"-G rsa2048:aes128cfb", "-G ecc256:aes128cfb"};
	struct tpm_world *w = *state;

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		uint8_t saved[SRK_SIZE_MAX];
		struct tpm_object session;
		struct srk opened;
		TPM2B_NAME name;
		size_t n_saved;
		ESYS_TR srk;

		place(w, rows[i]);
		tpm_must(w, srk_provide(&w->t, &srk, &w->err));
		tpm_must(w, tpm_find(&w->t, SRK_HANDLE, NULL, NULL, &name, &w->err));
		tpm_must(w, srk_save(&w->t, srk, saved, &n_saved, &w->err));
		tpm_must(w, srk_session(&w->t, span_of(saved, n_saved), TPM2_SE_HMAC, &session,
					&w->err));
		tpm_flush(&session);
		place(w, rows[!i]); /* the other kind: that stays, and the kept one is used */
		tpm_must(w, srk_session(&w->t, span_of(saved, n_saved), TPM2_SE_POLICY, &session,
					&w->err));
		tpm_flush(&session);
		assert_false(is_at_its_handle(w, &name));
		tpm_must(w, srk_open(&w->t, span_of(saved, n_saved), &opened, &w->err));
		assert_int_not_equal(opened.made.handle, ESYS_TR_NONE);
		tpm_must(w,
			 tpm_session_start(&w->t, opened.handle, TPM2_SE_HMAC, &session, &w->err));
		tpm_flush(&session);
		srk_release(&opened);
		evict(w); /* then it is there again */
		tpm_must(w, srk_session(&w->t, span_of(saved, n_saved), TPM2_SE_HMAC, &session,
					&w->err));
		tpm_flush(&session);
		assert_true(is_at_its_handle(w, &name));
		/* Another owner's seed makes another: nothing is left loaded of the tries. */
		tpm_clear(&w->t);
		assert_true(srk_session(&w->t, span_of(saved, n_saved), TPM2_SE_HMAC, &session,
					&w->err) < 0);
		assert_int_equal(tpm_count_objects(&w->t), 0);
	}
}

#define with_tpm(test) cmocka_unit_test_setup_teardown(test, tpm_world_open, tpm_world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_tpm(test_srk),
		with_tpm(test_srk_of_another_tpm),
		with_tpm(test_srk_restored_from_rubbish),
		with_tpm(test_srk_foreign),
		with_tpm(test_srk_of_others),
	};

	return cmocka_run_group_tests(tests, tpm_world_make, tpm_world_end);
}
