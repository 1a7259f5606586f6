/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The seal record: one text for any record, and none that says something else goes unseen. */
#include "seal_shapes.h"

#include <cjson/cJSON.h>

#include "base/macros.h"

static void test_round_trip(void **state)
{
	(void)state;
	for (size_t i = 0; i < SEAL_N_SHAPES; i++) {
		struct seal_record r;
		struct seal_record again;
		struct err err;
		char *text;

		seal_make(&r, &seal_shapes[i]);
		text = seal_record_print(&r);
		assert_non_null(text);
		if (seal_record_parse(&again, span_of_string(text), &err) < 0)
			fail_msg("%s: %s", text, err.text);
		seal_assert_same(&r, &again);
		seal_record_release(&r);
		seal_record_release(&again);
		assert_int_equal(again.n_directories, 0);
		seal_record_release(&again); /* takes zeroed ones */
		free(text);
	}
}

/* The text as it is promised to those who read it. */
static void test_text(void **state)
{
	static const struct seal_shape shape = {
		true, 1u << 16 | 1u << 7, {SEAL_PLAIN_PATH, "/s\xc3\xb8"}};
	struct seal_record r;
	char *text;

	(void)state;
	seal_make(&r, &shape);
	memset(r.wrapped_fek, 0, sizeof(r.wrapped_fek));
	r.srk_size = 4;
	text = seal_record_print(&r);
	assert_non_null(text);
	assert_int_equal(strncmp(text, "{\"version\":1,\"wrapped-fek\":\"AAAA", 32), 0);
	assert_string_equal(
		strstr(text, ",\"key-handle\""),
		",\"key-handle\":\"0x81010128\","
		"\"key-name\":\"0a11181f262d343b424950575e656c737a81888f969da4abb2b9c0c7ced5dce3ea"
		"f1\",\"previous-key-name\":\"141b222930373e454c535a61686f767d848b9299a0a7aeb5bcc3"
		"cad1d8dfe6edf4fb\","
		"\"ek-name\":\"1e252c333a41484f565d646b727980878e959ca3aab1b8bfc6cdd4dbe2e9f0f7fe0"
		"5\",\"srk\":\"KC82PQ==\",\"pcr-bank\":\"sha256\",\"pcr\":["
		"{\"index\":7,\"value\":\"3940474e555c636a71787f868d949ba2a9b0b7bec5ccd3dae1e8eff6"
		"fd040b12\"},{\"index\":16,\"value\":\"424950575e656c737a81888f969da4abb2b9c0c7ced"
		"5dce3eaf1f8ff060d141b\"}],\"directory\":["
		"{\"path\":\"/etc/steward/secrets\",\"key-identifier\":\"646b727980878e959ca3aab1b"
		"8bfc6cd\"},{\"path\":\"/s\xc3\xb8\",\"key-identifier\":\"656c737a81888f969da4abb2"
		"b9c0c7ce\"}]}\n");
	seal_record_release(&r);
	free(text);
}

static void assert_refused(struct span text, const char *what)
{
	struct seal_record r;
	struct seal_record before;
	struct err err = {0};
	int rc;

	memset(&r, 0xaa, sizeof(r));
	before = r;
	rc = seal_record_parse(&r, text, &err);
	if (rc == 0)
		fail_msg("%s was taken: %.*s", what, (int)text.size, (const char *)text.bytes);
	assert_true(rc == -EBADMSG || rc == -E2BIG);
	assert_int_equal(err.code, rc);
	assert_string_not_equal(err.text, "");
	assert_memory_equal(&r, &before, sizeof(r));
}

/* Print what json is now, the way a record is, and have it refused. */
static void assert_json_refused(const cJSON *json, const char *what)
{
	char *text = cJSON_PrintUnformatted(json);
	char *line = NULL;

	assert_non_null(text);
	assert_true(asprintf(&line, "%s\n", text) > 0);
	assert_refused(span_of_string(line), what);
	free(text);
	free(line);
}

/* Call visit for each object and member of a whole record, each time with a tree of its own; name
 * is "" once for each object. */
typedef void (*visit_cb)(cJSON *root, cJSON *object, cJSON *member);

static void visit_members(const char *text, const char *array, visit_cb visit)
{
	for (int i = 0;; i++) {
		cJSON *root = cJSON_Parse(text);
		cJSON *object = root;
		cJSON *member;

		if (array)
			object = cJSON_GetArrayItem(cJSON_GetObjectItem(root, array), 1);
		assert_non_null(object);
		member = cJSON_GetArrayItem(object, i);
		if (member)
			visit(root, object, member);
		cJSON_Delete(root);
		if (!member)
			return;
	}
}

static void visit_all(visit_cb visit)
{
	char *text = seal_make_text(SEAL_SHAPE_FULL);

	visit_members(text, NULL, visit);
	visit_members(text, "pcr", visit);
	visit_members(text, "directory", visit);
	free(text);
}

static void without(cJSON *root, cJSON *object, cJSON *member)
{
	if (strcmp(member->string, "previous-key-name") == 0)
		return; /* may be missing: it is another record then */
	cJSON_Delete(cJSON_DetachItemViaPointer(object, member));
	assert_json_refused(root, "without a member");
}

static void twice(cJSON *root, cJSON *object, cJSON *member)
{
	cJSON_AddItemToObject(object, member->string, cJSON_Duplicate(member, true));
	assert_json_refused(root, "a member twice");
}

static void in_other_case(cJSON *root, cJSON *object, cJSON *member)
{
	(void)object;
	member->string[0] = (char)(member->string[0] - 'a' + 'A');
	assert_json_refused(root, "a name in upper case");
}

static void at_the_end(cJSON *root, cJSON *object, cJSON *member)
{
	if (!member->next)
		return;
	cJSON_AddItemToArray(object, cJSON_DetachItemViaPointer(object, member));
	assert_json_refused(root, "another order");
}

static void with_another(cJSON *root, cJSON *object, cJSON *member)
{
	cJSON *more = cJSON_CreateNumber(1);

	more->string = strdup("zzz");
	assert_true(cJSON_InsertItemInArray(object, 0, more));
	assert_json_refused(root, "an unknown member");
	cJSON_AddItemToArray(object, cJSON_DetachItemFromArray(object, 0));
	assert_json_refused(root, "an unknown member at the end");
	(void)member;
}

static void of_other_types(cJSON *root, cJSON *object, cJSON *member)
{
	static const char *const others[] = {
		"null",  "true",   "false", "1",  "0",   "-1",     "123456789012", "\"\"",
		"\"x\"", "\"zz\"", "[]",    "{}", "[1]", "[null]", "[{}]",         "[[]]"};
	char *name = strdup(member->string);

	for (size_t i = 0; i < N_ELEMENTS(others); i++) {
		cJSON *other = cJSON_Parse(others[i]);

		assert_non_null(other);
		/* These would be other records. */
		if ((strcmp(name, "version") == 0 || strcmp(name, "index") == 0) &&
		    strcmp(others[i], "1") == 0) {
			cJSON_Delete(other);
			continue;
		}
		if (strcmp(name, "pcr") == 0 && strcmp(others[i], "[]") == 0) {
			cJSON_Delete(other);
			continue;
		}
		if (strcmp(name, "path") == 0 && cJSON_IsString(other) && *other->valuestring) {
			cJSON_Delete(other);
			continue;
		}
		assert_true(cJSON_ReplaceItemInObjectCaseSensitive(object, name, other));
		assert_json_refused(root, name);
	}
	free(name);
}

static void test_members(void **state)
{
	(void)state;
	visit_all(without);
	visit_all(twice);
	visit_all(in_other_case);
	visit_all(at_the_end);
	visit_all(with_another);
	visit_all(of_other_types);
}

static void test_order_of_lists(void **state)
{
	char *text = seal_make_text(SEAL_SHAPE_FULL);
	cJSON *root = cJSON_Parse(text);
	cJSON *pcrs = cJSON_GetObjectItem(root, "pcr");

	(void)state;
	cJSON_AddItemToArray(pcrs, cJSON_DetachItemFromArray(pcrs, 0));
	assert_json_refused(root, "PCRs in another order");
	cJSON_Delete(root);
	root = cJSON_Parse(text);
	pcrs = cJSON_GetObjectItem(root, "pcr");
	cJSON_AddItemToArray(pcrs, cJSON_Duplicate(cJSON_GetArrayItem(pcrs, 0), true));
	assert_json_refused(root, "a PCR twice");
	cJSON_Delete(root);
	free(text);
}

/* text with what stands for the first part replaced. */
static char *replaced(const char *text, const char *part, const char *by)
{
	const char *at = strstr(text, part);
	char *ret = NULL;

	assert_non_null(at);
	assert_true(asprintf(&ret, "%.*s%s%s", (int)(at - text), text, by, at + strlen(part)) > 0);
	return ret;
}

/* The same in other words. */
static void test_other_words(void **state)
{
	static const struct {
		const char *part, *by;
	} rows[] = {
		{"{\"version\"", "{\"v\\u0065rsion\""},
		{"\"version\":1", "\"version\":01"},
		{"\"version\":1", "\"version\":1.0"},
		{"\"version\":1", "\"version\":1e0"},
		{"\"version\":1", "\"version\":+1"},
		{"\"version\":1", "\"version\":2"},
		{"\"version\":1", "\"version\":0"},
		{"\"index\":0", "\"index\":-0"},
		{"\"index\":0", "\"index\":00"},
		{"\"index\":23", "\"index\":24"},
		{"0x81010128", "0x8101012"},
		{"0x81010128", "0x081010128"},
		{"0x81010128", "0X81010128"},
		{"0x81010128", "81010128"},
		{"0x81010128", "2164326696"},
		{"\"key-name\":\"0a", "\"key-name\":\"0A"},
		{"\"key-name\":\"0a", "\"key-name\":\"0a0"},
		{"\"key-name\":\"0a", "\"key-name\":\" a"},
		{"\"key-name\":\"0a", "\"key-name\":\""}, /* 33 bytes */
		{"\"ek-name\":\"1e", "\"ek-name\":\"1E"},
		{"\"previous-key-name\":\"14", "\"previous-key-name\":\""},
		{"\"srk\":\"", "\"srk\":\" "},
		{"\"srk\":\"", "\"srk\":\"\\n"},
		{"\"srk\":\"", "\"srk\":\"="},
		{"\"srk\":\"", "\"srk\":\"A"},
		{"\"wrapped-fek\":\"", "\"wrapped-fek\":\"AAAA"},
		{"\"wrapped-fek\":\"Awo", "\"wrapped-fek\":\"-_o"},
		{"sha256", "SHA256"},
		{"sha256", "sha3-256"},
		{"sha256", ""},
		{"\"value\":\"", "\"value\":\"zz"},
		{"\"path\":\"/", "\"path\":\"\\/"},
		{"\"path\":\"/", "\"path\":\"\\u002f"},
		{"\"key-identifier\":\"64", "\"key-identifier\":\"6464"},
		{"\"key-identifier\":\"64", "\"key-identifier\":\""},
		{"\"directory\":[{", "\"directory\":[null,{"},
		{"\"directory\":[{", "\"directory\":[{},{"},
		{"]}\n", "]}"},
		{"]}\n", "]}\n\n"},
		{"]}\n", "]}\r\n"},
		{"]}\n", "]} \n"},
		{"]}\n", ",]}\n"},
		{"]}\n", "]}{}\n"},
		{"{\"version", "\xef\xbb\xbf{\"version"}, /* a byte order mark */
		{"{\"version", "[{\"version"},
	};
	char *text = seal_make_text(SEAL_SHAPE_FULL);

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		char *other = replaced(text, rows[i].part, rows[i].by);

		assert_refused(span_of_string(other), rows[i].by);
		free(other);
	}
	free(text);
}

static void test_white_space(void **state)
{
	char *text = seal_make_text(SEAL_SHAPE_FULL);
	size_t size = strlen(text);
	bool in_string = false;

	(void)state;
	for (size_t i = 0; i < size; i++) {
		char *other = malloc(size + 1);

		in_string ^= text[i] == '"';
		assert_non_null(other);
		memcpy(other, text, i + 1);
		other[i + 1] = ' ';
		memcpy(other + i + 2, text + i + 1, size - i - 1);
		/* Within a string it is another one; in a path that is another record. */
		if (!in_string)
			assert_refused(span_of(other, size + 1), "white space");
		free(other);
	}
	free(text);
}

/* Taken, and says something else: never the same record. */
static void assert_differs(const struct seal_record *other, const struct seal_record *r,
			   struct span text)
{
	char label[SEAL_RECORD_LABEL_SIZE];
	char its_label[SEAL_RECORD_LABEL_SIZE];
	char *again = seal_record_print(other);

	assert_non_null(again);
	assert_int_equal(strlen(again), text.size);
	assert_memory_equal(again, text.bytes, text.size);
	free(again);
	assert_int_equal(seal_record_label(r, label), 0);
	assert_int_equal(seal_record_label(other, its_label), 0);
	assert_int_equal(strcmp(label, its_label) == 0,
			 memcmp(other->wrapped_fek, r->wrapped_fek, WRAPPED_SIZE) != 0);
}

static void change_byte(const struct seal_record *r, char *text, size_t size, size_t i, char to)
{
	struct seal_record other;
	char was = text[i];

	if (was == to)
		return;
	text[i] = to;
	if (seal_record_parse(&other, span_of(text, size), NULL) == 0) {
		assert_differs(&other, r, span_of(text, size));
		seal_record_release(&other);
	}
	text[i] = was;
}

static void test_each_byte(void **state)
{
	static const char others[] = "\0 \n\"\\/,:{}[]=+-.09afAFgzZ\x7f\x80\xff";
	char *text = seal_make_text(SEAL_SHAPE_FULL);
	size_t size = strlen(text);
	struct seal_record r;

	(void)state;
	seal_make(&r, SEAL_SHAPE_FULL);
	for (size_t i = 0; i < size; i++) {
		for (unsigned bit = 0; bit < 8; bit++)
			change_byte(&r, text, size, i, (char)(text[i] ^ (1 << bit)));
		for (size_t n = 0; n < sizeof(others) - 1; n++)
			change_byte(&r, text, size, i, others[n]);
	}
	for (size_t n = 0; n < size; n++)
		assert_refused(span_of(text, n), "cut");
	seal_record_release(&r);
	free(text);
}

static void test_sizes(void **state)
{
	struct seal_record r;
	struct seal_record again;
	struct err err;
	char *text;

	(void)state;
	/* The largest of all. */
	seal_make(&r, SEAL_SHAPE_FULL);
	r.srk_size = SRK_SIZE_MAX;
	r.key_name.size = sizeof(r.key_name.name);
	r.policy.values.values[23].size = 64;
	for (; r.n_directories < SEAL_DIRECTORIES_MAX; r.n_directories++)
		assert_true(asprintf(&r.directories[r.n_directories].path, "/%zu",
				     r.n_directories) > 0);
	text = seal_record_print(&r);
	if (seal_record_parse(&again, span_of_string(text), &err) < 0)
		fail_msg("%s", err.text);
	seal_assert_same(&r, &again);
	seal_record_release(&again);
	seal_record_release(&r);
	free(text);
}

static void test_too_many_directories(void **state)
{
	char *text = seal_make_text(SEAL_SHAPE_FULL);
	struct seal_record r;
	struct err err;

	(void)state;
	for (unsigned i = 2; i <= SEAL_DIRECTORIES_MAX; i++) {
		char *more = replaced(text, "\"directory\":[",
				      "\"directory\":[{\"path\":\"/more\",\"key-identifier\":"
				      "\"00000000000000000000000000000000\"},");

		free(text);
		text = more;
	}
	assert_int_equal(seal_record_parse(&r, span_of_string(text), &err), -EBADMSG);
	assert_contains(err.text, "more than 64 directories");
	free(text);
}

static void test_no_directory(void **state)
{
	static const struct seal_shape shape = {false, 0, {NULL}};
	char *text = seal_make_text(&shape);
	struct seal_record r;
	struct err err;

	(void)state;
	assert_int_equal(seal_record_parse(&r, span_of_string(text), &err), -EBADMSG);
	assert_contains(err.text, "no directory");
	free(text);
}

/* The directories in which what Steward keeps is authenticated. */
static void test_contents(void **state)
{
	struct seal_record record;
	struct seal_record again = {0};
	struct err err = {0};
	char *text;
	char *word;

	(void)state;
	seal_make(&record, &seal_shapes[3]);
	record.directories[1].keeps = true;
	text = seal_record_print(&record);
	assert_non_null(text);
	assert_int_equal(seal_record_parse(&again, span_of_string(text), &err), 0);
	assert_false(again.directories[0].keeps);
	assert_true(again.directories[1].keeps);
	seal_record_release(&again);
	word = strstr(text, "\"contents\":\"hmac\"}");
	assert_non_null(word);
	word[strlen("\"contents\":\"")] = 'x';
	assert_int_equal(seal_record_parse(&again, span_of_string(text), &err), -EBADMSG);
	free(text);
	seal_record_release(&record);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_contents),       cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_text),           cmocka_unit_test(test_members),
		cmocka_unit_test(test_order_of_lists), cmocka_unit_test(test_other_words),
		cmocka_unit_test(test_white_space),    cmocka_unit_test(test_each_byte),
		cmocka_unit_test(test_sizes),          cmocka_unit_test(test_too_many_directories),
		cmocka_unit_test(test_no_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
