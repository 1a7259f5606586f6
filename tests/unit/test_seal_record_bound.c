/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The seal record: what its label and the pin bind, where it lies, and memory that runs out. */
#include "seal_shapes.h"

#include <openssl/evp.h>
#include <sys/stat.h>

#include "base/macros.h"
#include "faults.h"

static void digest_base64url(const char *text, size_t size, char ret[64])
{
	uint8_t digest[32];

	assert_int_equal(EVP_Digest(text, size, digest, NULL, EVP_sha256(), NULL), 1);
	(void)EVP_EncodeBlock((uint8_t *)ret, digest, 32);
	for (char *at = ret; *at; at++) {
		if (*at == '+')
			*at = '-';
		else if (*at == '/')
			*at = '_';
		else if (*at == '=')
			*at = '\0';
	}
}

/* From the text alone: that member cut out of it, and the newline. */
static void test_label_vector(void **state)
{
	(void)state;
	for (size_t i = 0; i < SEAL_N_SHAPES; i++) {
		char *text = seal_make_text(&seal_shapes[i]);
		char *from = strstr(text, "\"wrapped-fek\"");
		const char *rest = strstr(text, "\"key-handle\"");
		char label[SEAL_RECORD_LABEL_SIZE];
		char expected[64];
		struct seal_record r;

		memmove(from, rest, strlen(rest) + 1);
		digest_base64url(text, strlen(text) - 1, expected);
		seal_make(&r, &seal_shapes[i]);
		assert_int_equal(seal_record_label(&r, label), 0);
		assert_string_equal(label, expected);
		assert_int_equal(strlen(label), 43);
		seal_record_release(&r);
		free(text);
	}
}

static void test_pin_vector(void **state)
{
	/* path ‖ 0x00 ‖ identifier, twice. */
	static const char bytes[] =
		"/etc/steward/secrets\0"
		"\x64\x6b\x72\x79\x80\x87\x8e\x95\x9c\xa3\xaa\xb1\xb8\xbf\xc6\xcd"
		"/var/lib/steward/secrets\0"
		"\x65\x6c\x73\x7a\x81\x88\x8f\x96\x9d\xa4\xab\xb2\xb9\xc0\xc7\xce";
	uint8_t expected[PIN_SIZE];
	uint8_t pin[PIN_SIZE];
	struct seal_record r;

	(void)state;
	assert_int_equal(EVP_Digest(bytes, sizeof(bytes) - 1, expected, NULL, EVP_sha256(), NULL),
			 1);
	seal_make(&r, SEAL_SHAPE_FULL);
	assert_int_equal(seal_record_pin(&r, pin), 0);
	assert_memory_equal(pin, expected, PIN_SIZE);
	seal_record_release(&r);
}

static void change_fek(struct seal_record *r)
{
	r->wrapped_fek[255] ^= 1;
}
static void change_handle(struct seal_record *r)
{
	r->key_handle++;
}
static void change_key_name(struct seal_record *r)
{
	r->key_name.name[33] ^= 1;
}
static void change_previous_name(struct seal_record *r)
{
	r->previous_key_name.name[0] ^= 1;
}
static void drop_previous_name(struct seal_record *r)
{
	r->previous_key_name.size = 0;
}
static void change_ek_name(struct seal_record *r)
{
	r->ek_name.name[2] ^= 1;
}
static void change_srk(struct seal_record *r)
{
	r->srk[r->srk_size - 1] ^= 1;
}
static void shorten_srk(struct seal_record *r)
{
	r->srk_size--;
}
static void change_bank(struct seal_record *r)
{
	r->policy.bank = TPM2_ALG_SHA384;
}
static void drop_pcr(struct seal_record *r)
{
	r->policy.mask &= ~1u;
}
static void change_pcr(struct seal_record *r)
{
	r->policy.values.values[23].buffer[31] ^= 1;
}
static void change_path(struct seal_record *r)
{
	r->directories[1].path[5] ^= 1;
}
static void change_identifier(struct seal_record *r)
{
	r->directories[0].identifier[15] ^= 1;
}
static void swap_directories(struct seal_record *r)
{
	struct seal_directory first = r->directories[0];

	r->directories[0] = r->directories[1];
	r->directories[1] = first;
}
static void drop_directory(struct seal_record *r)
{
	free(r->directories[--r->n_directories].path);
}

/* What is bound by what: the label by all but the wrapped FEK, the pin by the directories alone. */
static void test_bound(void **state)
{
	static const struct {
		void (*change)(struct seal_record *r);
		bool label, pin;
	} rows[] = {
		{change_fek, false, false},        {change_handle, true, false},
		{change_key_name, true, false},    {change_previous_name, true, false},
		{drop_previous_name, true, false}, {change_ek_name, true, false},
		{change_srk, true, false},         {shorten_srk, true, false},
		{change_bank, true, false},        {drop_pcr, true, false},
		{change_pcr, true, false},         {change_path, true, true},
		{change_identifier, true, true},   {swap_directories, true, true},
		{drop_directory, true, true},
	};
	char label[SEAL_RECORD_LABEL_SIZE];
	uint8_t pin[PIN_SIZE];
	struct seal_record r;

	(void)state;
	seal_make(&r, SEAL_SHAPE_FULL);
	assert_int_equal(seal_record_label(&r, label), 0);
	assert_int_equal(seal_record_pin(&r, pin), 0);
	seal_record_release(&r);
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		char its_label[SEAL_RECORD_LABEL_SIZE];
		uint8_t its_pin[PIN_SIZE];

		seal_make(&r, SEAL_SHAPE_FULL);
		rows[i].change(&r);
		assert_int_equal(seal_record_label(&r, its_label), 0);
		assert_int_equal(seal_record_pin(&r, its_pin), 0);
		if ((strcmp(label, its_label) != 0) != rows[i].label ||
		    (memcmp(pin, its_pin, PIN_SIZE) != 0) != rows[i].pin)
			fail_msg("row %zu", i);
		seal_record_release(&r);
	}
}

/* The end of a path is told from the beginning of its identifier, and one path from the next. */
static void test_pin_is_unambiguous(void **state)
{
	uint8_t pins[2][PIN_SIZE];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const struct seal_shape shape = {false, 0, {i ? "/ab" : "/a", i ? "/c" : "/bc"}};
		struct seal_record r;

		seal_make(&r, &shape);
		memset(r.directories[0].identifier, 'b', FSCRYPT_IDENTIFIER_SIZE);
		memset(r.directories[1].identifier, 'b', FSCRYPT_IDENTIFIER_SIZE);
		assert_int_equal(seal_record_pin(&r, pins[i]), 0);
		seal_record_release(&r);
	}
	assert_memory_not_equal(pins[0], pins[1], PIN_SIZE);
}

/* Never a text with something left out. */
static void test_memory_printing(void **state)
{
	char *text = seal_make_text(SEAL_SHAPE_FULL);
	struct seal_record r;
	char *again;

	(void)state;
	seal_make(&r, SEAL_SHAPE_FULL);
	for (unsigned n = 1;; n++) {
		bool had_effect;

		faults_fail_allocation(n);
		again = seal_record_print(&r);
		had_effect = faults_had_effect();
		if (!had_effect) {
			assert_string_equal(again, text);
			break;
		}
		if (again)
			fail_msg("allocation %u: %s", n, again);
	}
	free(again);
	free(text);
	seal_record_release(&r);
}

static void test_memory_label(void **state)
{
	char expected[SEAL_RECORD_LABEL_SIZE];
	char label[SEAL_RECORD_LABEL_SIZE];
	struct seal_record r;
	unsigned n = 0;

	(void)state;
	seal_make(&r, SEAL_SHAPE_FULL);
	assert_int_equal(seal_record_label(&r, expected), 0);
	for (;;) {
		int rc;

		faults_fail_allocation(++n);
		rc = seal_record_label(&r, label);
		if (!faults_had_effect())
			break;
		assert_int_equal(rc, -ENOMEM);
	}
	assert_true(n > 20);
	assert_string_equal(label, expected);
	seal_record_release(&r);
}

static void test_memory_parsing(void **state)
{
	char *text = seal_make_text(SEAL_SHAPE_FULL);
	struct seal_record r;
	unsigned n = 0;

	(void)state;
	for (;;) {
		struct err err = {0};
		int rc;

		memset(&r, 0, sizeof(r));
		faults_fail_allocation(++n);
		rc = seal_record_parse(&r, span_of_string(text), &err);
		if (!faults_had_effect())
			break;
		assert_true(rc < 0);
		assert_int_equal(err.code, rc);
		assert_int_equal(r.n_directories, 0);
	}
	assert_true(n > 40);
	assert_int_equal(r.n_directories, 2);
	seal_record_release(&r);
	free(text);
}

static void test_files(void **state)
{
	char *folder = test_folder();
	struct seal_record r;
	struct seal_record again;
	struct err err;
	struct stat st;

	(void)state;
	seal_make(&r, SEAL_SHAPE_FULL);
	assert_false(seal_record_exists(folder, SEAL_RECORD_FILE));
	assert_int_equal(seal_record_load(&again, folder, SEAL_RECORD_FILE, &err), -ENOENT);
	assert_int_equal(seal_record_save(&r, folder, SEAL_RECORD_FILE, &err), 0);
	assert_true(seal_record_exists(folder, SEAL_RECORD_FILE));
	assert_false(seal_record_exists(folder, SEAL_RECORD_NEW_FILE));
	assert_int_equal(stat(test_path(folder, "record.json"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(seal_record_load(&again, folder, SEAL_RECORD_FILE, &err), 0);
	seal_assert_same(&r, &again);
	seal_record_release(&again);
	test_write(test_path(folder, "record.json"), span_of_string("{}\n"));
	assert_int_equal(seal_record_load(&again, folder, SEAL_RECORD_FILE, &err), -EBADMSG);
	assert_contains(err.text, "/record.json: ");
	/* One that leads nowhere is there too: it is not a first boot. */
	assert_int_equal(symlink("/nonexistent", test_path(folder, "record.json.new")), 0);
	assert_true(seal_record_exists(folder, SEAL_RECORD_NEW_FILE));
	assert_int_equal(seal_record_save(&r, "/nonexistent", SEAL_RECORD_FILE, &err), -ENOENT);
	seal_record_release(&r);
	test_folder_remove(folder);
}

static void test_long_paths(void **state)
{
	struct seal_record r;
	struct err err;
	char folder[5000];

	(void)state;
	seal_make(&r, SEAL_SHAPE_FULL);
	memset(folder, 'x', sizeof(folder) - 1);
	folder[0] = '/';
	folder[sizeof(folder) - 1] = '\0';
	assert_false(seal_record_exists(folder, SEAL_RECORD_FILE));
	assert_int_equal(seal_record_save(&r, folder, SEAL_RECORD_FILE, &err), -ENAMETOOLONG);
	seal_record_release(&r);
	assert_int_equal(seal_record_load(&r, folder, SEAL_RECORD_FILE, &err), -ENAMETOOLONG);
}

static void test_known_names(void **state)
{
	char *folder = test_folder();
	TPM2B_NAME names[SEAL_KNOWN_NAMES] = {{0}};
	struct seal_record r;

	(void)state;
	seal_record_known_names(folder, names);
	for (size_t i = 0; i < SEAL_KNOWN_NAMES; i++)
		assert_int_equal(names[i].size, 0);
	seal_make(&r, SEAL_SHAPE_FULL);
	assert_int_equal(seal_record_save(&r, folder, SEAL_RECORD_FILE, NULL), 0);
	r.key_name.name[5] ^= 1;
	r.previous_key_name.size = 0;
	assert_int_equal(seal_record_save(&r, folder, SEAL_RECORD_NEW_FILE, NULL), 0);
	seal_record_known_names(folder, names);
	assert_true(tpm_name_equal(&names[2], &r.key_name));
	assert_int_equal(names[3].size, 0);
	r.key_name.name[5] ^= 1;
	assert_true(tpm_name_equal(&names[0], &r.key_name));
	assert_int_equal(names[1].size, 34);
	/* One that cannot be read hides none of the other's. */
	memset(names, 0, sizeof(names));
	test_write(test_path(folder, "record.json"), span_of_string("rubbish"));
	seal_record_known_names(folder, names);
	assert_int_equal(names[0].size, 0);
	assert_int_equal(names[2].size, 34);
	seal_record_release(&r);
	test_folder_remove(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_label_vector),    cmocka_unit_test(test_pin_vector),
		cmocka_unit_test(test_bound),           cmocka_unit_test(test_pin_is_unambiguous),
		cmocka_unit_test(test_memory_printing), cmocka_unit_test(test_memory_label),
		cmocka_unit_test(test_memory_parsing),  cmocka_unit_test(test_files),
		cmocka_unit_test(test_long_paths),      cmocka_unit_test(test_known_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
