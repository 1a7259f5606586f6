/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What Steward keeps is read as it was written, under its own name, or not at all. */
#include "support.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/atomic_file.h"
#include "base/kept_contents.h"
#include "base/kept_file.h"
#include "base/macros.h"
#include "onboarding/router/onboarding_record.h"

#define OTHER "onboarding.json"
#define NAME  "router.json"

static const uint8_t key[KEPT_KEY_SIZE] = "of an encrypted directory's key";

static const char *text_of(const char *folder, const char *name, struct err *err)
{
	static char text[256];
	char *bytes = NULL;
	size_t size = 0;
	int rc = kept_file_read(folder, name, sizeof(text) - 1, &bytes, &size, err);

	if (rc < 0) {
		err->code = rc;
		return NULL;
	}
	(void)snprintf(text, sizeof(text), "%s", bytes);
	free(bytes);
	return text;
}

static int write_text(const char *folder, const char *name, const char *text)
{
	struct err err = {0};

	return kept_file_write(folder, name, span_of_string(text), &err);
}

static void is_refused(const char *folder, const char *name, const char *said)
{
	struct err err = {0};

	assert_null(text_of(folder, name, &err));
	assert_int_equal(err.code, -EBADMSG);
	assert_contains(err.text, said);
	assert_contains(err.text, "configuration-integrity reseal");
	assert_int_equal(kept_file_check(folder, name, &err), -EBADMSG);
}

/* A folder with a key, and two files in it. */
static char *make_folder(void)
{
	char *folder = test_folder();
	struct err err = {0};

	if (geteuid() != 0)
		skip();
	assert_int_equal(kept_key_put(folder, key, &err), 0);
	assert_int_equal(write_text(folder, NAME, "one"), 0);
	assert_int_equal(write_text(folder, OTHER, "other"), 0);
	assert_string_equal(text_of(folder, NAME, &err), "one");
	assert_string_equal(text_of(folder, OTHER, &err), "other");
	return folder;
}

static void end(char *folder)
{
	kept_key_forget(folder);
	assert_false(kept_key_is_put(folder));
	test_folder_remove(folder);
}

static char *at(const char *folder, const char *name)
{
	char *path;

	assert_true(asprintf(&path, "%s/%s", folder, name) > 0);
	return path;
}

static void move(const char *folder, const char *from, const char *to)
{
	char *a = at(folder, from);
	char *b = at(folder, to);

	assert_int_equal(rename(a, b), 0);
	free(a);
	free(b);
}

static void put(const char *folder, const char *name, const char *text)
{
	char *path = at(folder, name);

	test_write(path, span_of_string(text));
	free(path);
}

static void test_without_a_key(void **state)
{
	char *folder = test_folder();
	struct err err = {0};
	struct stat st;
	char *mac = at(folder, KEPT_CONTENTS_FILE);

	(void)state;
	assert_null(text_of(folder, NAME, &err));
	assert_int_equal(err.code, -ENOENT);
	put(folder, NAME, "anybody's");
	assert_string_equal(text_of(folder, NAME, &err), "anybody's");
	assert_int_equal(write_text(folder, NAME, "ours"), 0);
	assert_int_equal(stat(mac, &st), -1);
	assert_int_equal(kept_file_remove(folder, NAME, &err), 0);
	assert_int_equal(kept_file_remove(folder, NAME, &err), -ENOENT);
	free(mac);
	test_folder_remove(folder);
}

static void test_exchanged(void **state)
{
	char *folder = make_folder();
	struct err err = {0};

	(void)state;
	move(folder, NAME, "x");
	move(folder, OTHER, NAME);
	is_refused(folder, NAME, "exchanged with another");
	is_refused(folder, OTHER, "was removed while the directory was closed");
	move(folder, "x", OTHER);
	is_refused(folder, OTHER, "exchanged with another");
	/* Their list in the place of one of them, and none at all. */
	move(folder, KEPT_CONTENTS_FILE, NAME);
	is_refused(folder, NAME, "is not what Steward wrote there");
	put(folder, KEPT_CONTENTS_FILE, "steward-contents 1 \n");
	is_refused(folder, "conductor-key", KEPT_CONTENTS_FILE " is not what Steward wrote");
	(void)err;
	end(folder);
}

static void test_changed_and_removed(void **state)
{
	char *folder = make_folder();
	struct err err = {0};

	(void)state;
	put(folder, NAME, "onf");
	is_refused(folder, NAME, "is not what Steward wrote there");
	assert_int_equal(write_text(folder, NAME, "two"), 0);
	assert_string_equal(text_of(folder, NAME, &err), "two");
	assert_int_equal(kept_file_remove(folder, NAME, &err), 0);
	assert_null(text_of(folder, NAME, &err));
	assert_int_equal(err.code, -ENOENT);
	put(folder, NAME, "two");
	is_refused(folder, NAME, "is not what Steward wrote there");
	end(folder);
}

/* Both before and after are right while it is written, and one of them afterwards. */
static void test_power_cut(void **state)
{
	char *folder = make_folder();
	char *mac = at(folder, KEPT_CONTENTS_FILE);
	char *name = at(folder, NAME);
	char *blocked = at(folder, NAME ".new");
	struct err err = {0};

	(void)state;
	/* The lines are written, the file is not. */
	assert_int_equal(mkdir(blocked, 0700), 0);
	assert_true(write_text(folder, NAME, "two") < 0);
	assert_string_equal(text_of(folder, NAME, &err), "one");
	assert_int_equal(rmdir(blocked), 0);
	/* The file is written, the line of after is not. */
	put(folder, NAME, "two");
	assert_string_equal(text_of(folder, NAME, &err), "two");
	/* The next one goes on from what is there, and ends both. */
	assert_int_equal(write_text(folder, NAME, "three"), 0);
	assert_string_equal(text_of(folder, NAME, &err), "three");
	put(folder, NAME, "two");
	is_refused(folder, NAME, "is not what Steward wrote there");
	put(folder, NAME, "one");
	is_refused(folder, NAME, "is not what Steward wrote there");
	free(blocked);
	free(name);
	free(mac);
	end(folder);
}

static void test_other_directory_or_key(void **state)
{
	static const uint8_t another[KEPT_KEY_SIZE] = "of another machine";
	char *folder = make_folder();
	char *second = make_folder();
	char *from = at(folder, KEPT_CONTENTS_FILE);
	char *to = at(second, KEPT_CONTENTS_FILE);
	struct err err = {0};

	(void)state;
	/* The same key and files, in another directory. */
	assert_int_equal(rename(from, to), 0);
	is_refused(second, NAME, KEPT_CONTENTS_FILE " is not what Steward wrote");
	is_refused(folder, NAME, "is not what Steward wrote there");
	assert_int_equal(kept_key_put(second, another, &err), 0);
	is_refused(second, NAME, KEPT_CONTENTS_FILE " is not what Steward wrote");
	free(from);
	free(to);
	end(second);
	end(folder);
}

/* By who says that it is right as it is; also below the directory that is encrypted. */
static void test_take_in(void **state)
{
	char *folder = test_folder();
	char *below = at(folder, "below");
	struct err err = {0};

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(mkdir(below, 0700), 0);
	put(below, NAME, "of before");
	put(below, "a person's", "own");
	assert_int_equal(kept_files_take_in(below, folder, key, &err), 0);
	assert_string_equal(text_of(below, NAME, &err), "of before");
	assert_string_equal(text_of(below, "router.json", &err), "of before");
	put(below, OTHER, "appeared");
	is_refused(below, OTHER, "is not what Steward wrote there");
	assert_int_equal(kept_files_take_in(below, folder, key, &err), 0);
	assert_string_equal(text_of(below, OTHER, &err), "appeared");
	free(below);
	end(folder);
}

static void test_names(void **state)
{
	static const char *const ours[] = {"router.json",        ONBOARDING_FILE,
					   ONBOARDING_NEXT_FILE, "conductor-key",
					   "conductor-key.pub",  "sealing-keys"};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(ours); i++)
		assert_string_equal(kept_file_names[i], ours[i]);
	assert_null(kept_file_names[N_ELEMENTS(ours)]);
}

/* Each byte that is changed is seen. */
static void test_text(void **state)
{
	struct kept_contents c = {0};
	const struct kept_state there = {.is_there = true, .digest = "a digest"};
	const struct kept_state absent = {0};
	char text[KEPT_CONTENTS_SIZE_MAX];
	struct kept_contents again = {0};
	size_t size;

	(void)state;
	assert_int_equal(kept_contents_set(&c, NAME, &there, &absent), 0);
	assert_int_equal(kept_contents_set(&c, OTHER, &there, NULL), 0);
	assert_int_equal(kept_contents_print(&c, "/d", key, text), 0);
	size = strlen(text);
	assert_int_equal(kept_contents_parse(&again, span_of(text, size), "/d", key), 0);
	assert_int_equal(again.n, 3);
	assert_true(kept_contents_allow(&again, NAME, &absent));
	assert_true(kept_contents_allow(&again, NAME, &there));
	assert_false(kept_contents_allow(&again, OTHER, &absent));
	assert_true(kept_contents_allow(&again, "unknown", &absent));
	assert_false(kept_contents_allow(&again, "unknown", &there));
	for (size_t i = 0; i < size; i++) {
		text[i] ^= 1;
		assert_int_equal(kept_contents_parse(&again, span_of(text, size), "/d", key),
				 -EBADMSG);
		text[i] ^= 1;
		assert_int_equal(kept_contents_parse(&again, span_of(text, i), "/d", key),
				 -EBADMSG);
	}
	for (size_t i = 0; i < KEPT_LINES_MAX; i++) {
		char name[16];
		int rc;

		(void)snprintf(name, sizeof(name), "n%zu", i);
		rc = kept_contents_set(&c, name, &there, NULL);
		assert_int_equal(rc, i < KEPT_LINES_MAX - 4 ? 0 : -ENOSPC);
	}
}

/* Written by an operator before Steward keeps anything: read as it is, and theirs no more after. */
static void test_of_a_person(void **state)
{
	char *folder = test_folder();
	char *path = at(folder, NAME);
	struct err err = {0};

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(kept_key_put(folder, key, &err), 0);
	assert_int_equal(atomic_file_write(path, span_of_string("mine"), 0600, &err), 0);
	assert_string_equal(text_of(folder, NAME, &err), "mine");
	assert_int_equal(atomic_file_write(path, span_of_string("still mine"), 0600, &err), 0);
	assert_int_equal(write_text(folder, OTHER, "other"), 0);
	assert_string_equal(text_of(folder, NAME, &err), "still mine");
	assert_int_equal(atomic_file_write(path, span_of_string("changed"), 0600, &err), 0);
	is_refused(folder, NAME, "exchanged with another");
	free(path);
	end(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_of_a_person), cmocka_unit_test(test_without_a_key),
		cmocka_unit_test(test_exchanged),   cmocka_unit_test(test_changed_and_removed),
		cmocka_unit_test(test_power_cut),   cmocka_unit_test(test_other_directory_or_key),
		cmocka_unit_test(test_take_in),     cmocka_unit_test(test_names),
		cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
