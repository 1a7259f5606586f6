/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every response code that TPM 2.0 part 2 (6.6.3) names, to every command of an unlock, an
 * enablement, a reseal and a zeroization: nothing is lost by it, and the cause is never a wrong
 * one.
 *
 * By default each command meets a part of the codes, and each code a part of the commands, where a
 * key has to be made for it; with STEWARD_CODES=all each meets each.
 */
#include "swtpm.h"
#include "tcti_lies.h"

#include <sys/stat.h>

#include "base/macros.h"
#include "integrity/enable_keys.h"
#include "integrity/fek.h"
#include "integrity/reseal.h"
#include "integrity/tpm_child.h"
#include "integrity/unseal.h"
#include "integrity/zeroize.h"

#define KEY_HANDLE 0x81010128
#define NV_INDEX   0x01800128

/* 6.6.3, tables 17 to 19: format zero, version 2; then warnings. */
static const uint16_t format_zero[] = {
	0x01e, /* BAD_TAG, as a TPM 1.2 says it */
	0x100, 0x101, 0x103, 0x10b, 0x119, 0x120, 0x121, 0x124, 0x125, 0x126, 0x127, 0x128, 0x12d,
	0x12e, 0x12f, 0x130, 0x131, 0x142, 0x143, 0x144, 0x145, 0x146, 0x147, 0x148, 0x149, 0x14a,
	0x14b, 0x14c, 0x150, 0x151, 0x152, 0x153, 0x154, 0x155, 0x901, 0x902, 0x903, 0x904, 0x905,
	0x906, 0x907, 0x908, 0x909, 0x90a, 0x910, 0x911, 0x912, 0x913, 0x914, 0x915, 0x916, 0x918,
	0x919, 0x91a, 0x91b, 0x91c, 0x91d, 0x91e, 0x920, 0x921, 0x922, 0x923, 0x97f};
/* Format one: the error; who it is of stands beside it. */
static const uint16_t format_one[] = {0x081, 0x082, 0x083, 0x084, 0x085, 0x087, 0x088, 0x089, 0x08a,
				      0x08b, 0x08c, 0x08d, 0x08e, 0x08f, 0x090, 0x092, 0x095, 0x096,
				      0x097, 0x098, 0x09a, 0x09b, 0x09c, 0x09d, 0x09f, 0x0a0, 0x0a1,
				      0x0a2, 0x0a3, 0x0a4, 0x0a5, 0x0a6, 0x0a7, 0x0a8, 0x0a9};
static const uint16_t whose[] = {
	0x000, /* of nothing */
	0x100, /* handle 1 */
	0x140, /* parameter 1 */
	0x900, /* session 1 */
};

#define CODES_MAX (N_ELEMENTS(format_zero) + N_ELEMENTS(format_one) * N_ELEMENTS(whose))
static uint32_t codes[CODES_MAX];
static size_t n_codes;

static void list_codes(void)
{
	for (size_t i = 0; i < N_ELEMENTS(format_zero); i++)
		codes[n_codes++] = format_zero[i];
	for (size_t i = 0; i < N_ELEMENTS(format_one); i++)
		for (size_t n = 0; n < N_ELEMENTS(whose); n++)
			codes[n_codes++] = (uint32_t)format_one[i] | whose[n];
}

/* A machine: its TPM, what is sealed in it, and the record's folder. */
struct machine {
	struct swtpm swtpm;
	struct config_integrity config;
	char *folder;
	struct enabling *enabling;
	struct seal_record record;
	struct unsealing *unsealing;
	struct failure f;
};

/* The directories are closed, so that a reseal asks the TPM alone. */
int __wrap_fscrypt_check(const char *path, const uint8_t *identifier, bool *ret_unlocked,
			 struct failure *f);
int __wrap_fscrypt_check(const char *path, const uint8_t *identifier, bool *ret_unlocked,
			 struct failure *f)
{
	(void)path;
	(void)identifier;
	(void)f;
	*ret_unlocked = false;
	return 0;
}

static void must(const struct machine *m, int rc, const char *what)
{
	if (rc < 0)
		fail_msg("%s: command 0x%03x of %u was answered by 0x%03x: %s", what,
			 lies->n ? lies->commands[lies->n - 1] : 0, lies->n_commands, lies->code,
			 m->f.err.text);
}

static void fill_record(struct machine *m)
{
	struct enabling *e = m->enabling;
	char label[SEAL_RECORD_LABEL_SIZE];

	seal_record_release(&m->record);
	m->record = (struct seal_record){.key_handle = KEY_HANDLE,
					 .key_name = e->key.name,
					 .ek_name = e->ek_name,
					 .srk_size = e->srk_size,
					 .policy = e->policy,
					 .n_directories = 1};
	memcpy(m->record.srk, e->srk, e->srk_size);
	m->record.directories[0].path = strdup("/etc/steward/secrets");
	assert_int_equal(seal_record_label(&m->record, label), 0);
	assert_int_equal(fek_wrap(&e->key.public, e->fek, label, m->record.wrapped_fek, NULL), 0);
	e->record = &m->record;
}

static int enable(struct machine *m)
{
	int rc = enable_keys_make(m->enabling, &m->f);

	if (rc < 0)
		return rc;
	fill_record(m);
	rc = enable_keys_commit(m->enabling, &m->f);
	if (rc == 0)
		rc = seal_record_save(&m->record, m->folder, SEAL_RECORD_FILE, &m->f.err);
	return rc;
}

static int open_again(struct machine *m)
{
	memset(m->unsealing->fek, 0, FSCRYPT_FEK_SIZE);
	m->unsealing->record = &m->record;
	return unseal(m->unsealing, &m->f);
}

static void assert_opens(struct machine *m)
{
	must(m, open_again(m), "open");
	assert_memory_equal(m->unsealing->fek, m->enabling->fek, FSCRYPT_FEK_SIZE);
}

static int zeroize_all(struct machine *m)
{
	return zeroize(&m->config, NULL, &m->f);
}

static void read_record(struct machine *m)
{
	seal_record_release(&m->record);
	memset(&m->record, 0, sizeof(m->record));
	must(m, seal_record_load(&m->record, m->folder, SEAL_RECORD_FILE, &m->f.err), "record");
}

static int reseal_once(struct machine *m)
{
	return reseal(&m->config, &m->record, &m->f);
}

static void place_ek(struct machine *m)
{
	struct tpm_ek ek;
	struct tpm t;

	must(m, tpm_open(&t, m->swtpm.tcti, 0, &m->f.err), "open");
	must(m, tpm_ek_provide(&t, TPM_EK_HANDLE, &ek, &m->f.err), "EK");
	tpm_persist(&t, ek.handle, 0x81010001);
	tpm_ek_release(&ek);
	tpm_close(&t);
}

static int make_machine(void **state)
{
	struct machine *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	list_codes();
	lies_make();
	swtpm_start(&m->swtpm);
	m->folder = test_folder();
	m->config = (struct config_integrity){.enabled = true,
					      .pcr_bank = "sha256",
					      .tcti = m->swtpm.tcti,
					      .key_handle = KEY_HANDLE,
					      .nv_index = NV_INDEX,
					      .seal_nv_index = 0x0180012a,
					      .policy_nv_index = 0x01800129,
					      .record_directory = m->folder};
	m->enabling = tpm_child_alloc(sizeof(*m->enabling), &m->f);
	m->unsealing = tpm_child_alloc(sizeof(*m->unsealing), &m->f);
	m->enabling->config = m->unsealing->config = &m->config;
	place_ek(m);
	must(m, enable(m), "enable");
	*state = m;
	return 0;
}

static int end_machine(void **state)
{
	struct machine *m = *state;

	seal_record_release(&m->record);
	tpm_child_free(m->enabling, sizeof(*m->enabling));
	tpm_child_free(m->unsealing, sizeof(*m->unsealing));
	swtpm_end(&m->swtpm);
	test_folder_remove(m->folder);
	free(m);
	return 0;
}

static bool speaks_of_the_record(uint32_t code, uint32_t command)
{
	return command == TPM2_CC_RSA_Decrypt && code != 0x01e && (code & 0x80);
}

/* One of so many: each code meets a command, each command some codes. */
static bool is_due(size_t code, unsigned n, unsigned one_of)
{
	const char *all = getenv("STEWARD_CODES");

	return (all && strcmp(all, "all") == 0) || (code + 7 * n) % one_of == 0;
}

/* Answered once: what is momentary is over, and only the sealed key speaks of the record. */
static void unlock_by(struct machine *m, unsigned n, uint32_t code)
{
	uint32_t command;
	int rc;

	lies_tell(n, code, false);
	rc = open_again(m);
	command = lies->commands[n - 1];
	if (!speaks_of_the_record(code, command)) {
		must(m, rc, "unlock");
		assert_memory_equal(m->unsealing->fek, m->enabling->fek, FSCRYPT_FEK_SIZE);
	} else if (rc == 0 || m->f.cause != CAUSE_RECORD_CHANGED) {
		fail_msg("0x%03x to 0x%03x: %d, %s", code, command, rc, m->f.err.text);
	}
	(void)lies_end();
}

static unsigned count_commands(struct machine *m, int (*work)(struct machine *m))
{
	unsigned n;

	lies_tell(0, 0, false);
	must(m, work(m), "the truth");
	n = lies->n_commands;
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	/* Not a byte of a secret is asked for before. */
	assert_int_equal(lies->n_unlocked, 0);
#endif
	(void)lies_end();
	return n;
}

static void test_unlock(void **state)
{
	struct machine *m = *state;
	const unsigned n_commands = count_commands(m, open_again);

	assert_true(n_commands >= 7);
	for (size_t i = 0; i < n_codes; i++)
		for (unsigned n = 1; n <= n_commands; n++)
			if (is_due(i, n, 11))
				unlock_by(m, n, codes[i]);
	assert_opens(m);
}

static int refuse(void *owner)
{
	*(unsigned *)owner += 1;
	return -EINVAL;
}

static int pass(void *owner)
{
	*(unsigned *)owner += 1;
	return 0;
}

static bool was_sent(uint32_t command)
{
	for (unsigned i = 0; i < lies->n_commands; i++)
		if (lies->commands[i] == command)
			return true;
	return false;
}

static int open_checked(struct machine *m, int (*passes)(void *owner), unsigned *asked)
{
	const struct unlock_check check = {.passes = passes, .owner = asked};
	int rc;

	m->unsealing->check = &check;
	m->unsealing->verdict = UNSEAL_UNDECIDED;
	lies_tell(0, 0, false);
	rc = open_again(m);
	m->unsealing->check = NULL;
	return rc;
}

/* What is checked beside the TPM: nothing is decrypted before it has passed, and it is asked once,
 * however often the TPM is. */
static void test_unlock_checked(void **state)
{
	static const uint8_t nothing[FSCRYPT_FEK_SIZE];
	struct machine *m = *state;
	unsigned asked = 0;

	assert_int_equal(open_checked(m, refuse, &asked), -ECANCELED);
	assert_int_equal(asked, 1);
	assert_true(lies->n_commands > 0);
	assert_false(was_sent(TPM2_CC_RSA_Decrypt));
	assert_memory_equal(m->unsealing->fek, nothing, sizeof(nothing));
	(void)lies_end();
	must(m, open_checked(m, pass, &asked), "unlock");
	assert_int_equal(asked, 2);
	assert_true(was_sent(TPM2_CC_RSA_Decrypt));
	assert_memory_equal(m->unsealing->fek, m->enabling->fek, FSCRYPT_FEK_SIZE);
	(void)lies_end();
	assert_opens(m);
}

/* For ever: then it says so, in words. */
static void test_unlock_never(void **state)
{
	static const struct {
		uint32_t code;
		const char *words;
	} rows[] = {
		{0x101, "commands not being accepted because of a TPM failure (0x00000101)"},
		{0x902, "another program left objects or sessions loaded in the TPM"},
		{0x903, "another program left objects or sessions loaded in the TPM"},
		{0x922, "(0x00000922)"},
		{0x1c4, "(0x000001c4)"},
	};
	struct machine *m = *state;

	/* The first is that which opens a session, the third reads the pin's attributes. */
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		lies_tell(i % 2 ? 1 : 3, rows[i].code, true);
		assert_true(open_again(m) < 0);
		if (m->f.cause != CAUSE_TPM_NOT_READY)
			fail_msg("0x%03x: %s", rows[i].code, m->f.err.text);
		assert_contains(m->f.err.text, rows[i].words);
		assert_int_equal(m->f.tpm_rc, rows[i].code);
		(void)lies_end();
	}
	assert_opens(m);
}

/* An old or a new key opens whatever became of the reseal, and it is the one that the record names.
 */
static void reseal_by(struct machine *m, unsigned n, uint32_t code)
{
	uint32_t command;
	int rc;

	lies_tell(n, code, false);
	rc = reseal_once(m);
	command = lies->commands[n - 1];
	if (rc < 0 && m->f.cause != CAUSE_TPM_NOT_READY && m->f.cause != CAUSE_NONE &&
	    !(m->f.cause == CAUSE_RECORD_CHANGED && speaks_of_the_record(code, command)))
		fail_msg("0x%03x to 0x%03x: %s", code, command, m->f.err.text);
	(void)lies_end();
	read_record(m);
	assert_opens(m);
}

static int reseal_and_read(struct machine *m)
{
	int rc = reseal_once(m);

	read_record(m);
	return rc;
}

static void test_reseal(void **state)
{
	struct machine *m = *state;
	const unsigned n_commands = count_commands(m, reseal_and_read);

	assert_true(n_commands > 20);
	for (size_t i = 0; i < n_codes; i++)
		for (unsigned n = 1; n <= n_commands; n++)
			if (is_due(i, n, 203))
				reseal_by(m, n, codes[i]);
}

static enum pin_state read_pin_state(const struct machine *m)
{
	struct pin pin;
	struct err err;
	struct tpm t;

	assert_int_equal(tpm_open(&t, m->swtpm.tcti, 0, &err), 0);
	assert_int_equal(pin_read(&t, NV_INDEX, NULL, &pin, &err), 0);
	tpm_close(&t);
	return pin.state;
}

/* What was half made is made anew, or it was made whole. */
static void enable_by(struct machine *m, unsigned n, uint32_t code)
{
	uint32_t command;
	int rc;

	must(m, zeroize_all(m), "zeroize");
	lies_tell(n, code, false);
	rc = enable(m);
	command = lies->commands[n - 1];
	(void)lies_end();
	if (rc < 0 && (m->f.cause == CAUSE_RECORD_CHANGED || m->f.cause == CAUSE_TPM_CLEARED ||
		       m->f.cause == CAUSE_KEY_REPLACED))
		fail_msg("0x%03x to 0x%03x: %s", code, command, m->f.err.text);
	if (rc < 0) {
		if (read_pin_state(m) == PIN_LOCKED)
			fail_msg("0x%03x to 0x%03x: %s, but the pin is written", code, command,
				 m->f.err.text);
		must(m, enable(m), "enable again");
	}
	assert_int_equal(read_pin_state(m), PIN_LOCKED);
	assert_opens(m);
}

static int zeroize_and_enable(struct machine *m)
{
	int rc = zeroize_all(m);

	lies->n_commands = 0;
	return rc < 0 ? rc : enable(m);
}

static void test_enable(void **state)
{
	struct machine *m = *state;
	const unsigned n_commands = count_commands(m, zeroize_and_enable);

	assert_true(n_commands > 30);
	for (size_t i = 0; i < n_codes; i++)
		for (unsigned n = 1; n <= n_commands; n++)
			if (is_due(i, n, 203))
				enable_by(m, n, codes[i]);
}

/* Once begun, nothing opens any more; what is left is finished by another. */
static void zeroize_by(struct machine *m, unsigned n, uint32_t code)
{
	int rc;

	must(m, enable(m), "enable");
	lies_tell(n, code, false);
	rc = zeroize_all(m);
	(void)lies_end();
	if (rc < 0 && m->f.cause != CAUSE_TPM_NOT_READY)
		fail_msg("0x%03x: %s", code, m->f.err.text);
	if (rc < 0)
		must(m, zeroize_all(m), "zeroize again");
	assert_int_equal(read_pin_state(m), PIN_ABSENT);
	assert_true(open_again(m) < 0);
}

static void test_zeroize(void **state)
{
	struct machine *m = *state;
	const unsigned n_commands = count_commands(m, zeroize_all);

	assert_true(n_commands >= 6);
	for (size_t i = 0; i < n_codes; i++)
		for (unsigned n = 1; n <= n_commands; n++)
			if (is_due(i, n, 101))
				zeroize_by(m, n, codes[i]);
	must(m, enable(m), "enable");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unlock),       cmocka_unit_test(test_unlock_checked),
		cmocka_unit_test(test_unlock_never), cmocka_unit_test(test_reseal),
		cmocka_unit_test(test_enable),       cmocka_unit_test(test_zeroize),
	};

	return cmocka_run_group_tests(tests, make_machine, end_machine);
}
