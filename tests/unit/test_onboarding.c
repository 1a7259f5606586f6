/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A router's onboarding: what a token does to it, what power cuts leave, and what a boot ends. */
#include "onboarding_world.h"

#include <malloc.h>
#include <sys/stat.h>

#include "base/atomic_file.h"
#include "base/macros.h"
#include "onboarding/router/onboarding_rules.h"

static const struct pki *pki_of(void **state)
{
	return *state;
}

/* The rules. */

static void test_what_a_token_does(void **state)
{
	static const struct {
		const char *now_jti;
		const char *next_jti;
		enum onboarding_state now;
		enum onboarding_state next;
		enum onboarding_verdict verdict;
		bool has_taken; /* a file with it that lies there at a start */
	} rows[] = {
		{"", "", ONBOARDING_UNCONFIGURED, 0, ONBOARDING_STARTS_OVER, false}, /* the first */
		{"other", "", ONBOARDING_REFUSED, 0, ONBOARDING_STARTS_OVER, false},
		{"jti", "", ONBOARDING_REFUSED, 0, ONBOARDING_STARTS_OVER, false}, /* once more */
		{"other", "", ONBOARDING_HANDSHAKING, 0, ONBOARDING_STARTS_OVER, false},
		{"jti", "", ONBOARDING_HANDSHAKING, 0, ONBOARDING_STARTS_OVER, true},
		{"other", "", ONBOARDING_RETRYING, 0, ONBOARDING_STARTS_OVER, false},
		{"jti", "", ONBOARDING_RETRYING, 0, ONBOARDING_STARTS_OVER, true}, /* new hosts */
		{"other", "", ONBOARDING_ENROLLED, 0, ONBOARDING_GOES_BESIDE, false},
		{"jti", "", ONBOARDING_ENROLLED, 0, ONBOARDING_CHANGES_NOTHING, true},
		{"other", "", ONBOARDING_CONNECTED, 0, ONBOARDING_GOES_BESIDE, false},
		{"jti", "", ONBOARDING_CONNECTED, 0, ONBOARDING_CHANGES_NOTHING, true},
		{"other", "", ONBOARDING_INITIALIZING, 0, ONBOARDING_GOES_BESIDE, false},
		{"jti", "", ONBOARDING_INITIALIZING, 0, ONBOARDING_CHANGES_NOTHING, true},
		{"other", "", ONBOARDING_ONBOARDED, 0, ONBOARDING_GOES_BESIDE, false},
		{"jti", "", ONBOARDING_ONBOARDED, 0, ONBOARDING_CHANGES_NOTHING, true},
		/* Kept by one that knew no jti: any token is new. */
		{"", "", ONBOARDING_ONBOARDED, 0, ONBOARDING_GOES_BESIDE, false},
		/* With a newer one under way, or refused. */
		{"jti", "other", ONBOARDING_ONBOARDED, ONBOARDING_RETRYING, ONBOARDING_TAKES_BACK,
		 true},
		{"jti", "other", ONBOARDING_ONBOARDED, ONBOARDING_REFUSED, ONBOARDING_TAKES_BACK,
		 true},
		{"other", "jti", ONBOARDING_ONBOARDED, ONBOARDING_RETRYING, ONBOARDING_GOES_BESIDE,
		 true},
		{"other", "jti", ONBOARDING_ONBOARDED, ONBOARDING_REFUSED, ONBOARDING_GOES_BESIDE,
		 false},
		{"other", "a third", ONBOARDING_ONBOARDED, ONBOARDING_RETRYING,
		 ONBOARDING_GOES_BESIDE, false},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct onboarding_record now = {.state = rows[i].now};
		struct onboarding_record next = {.state = rows[i].next};

		(void)snprintf(now.jti, sizeof(now.jti), "%s", rows[i].now_jti);
		(void)snprintf(next.jti, sizeof(next.jti), "%s", rows[i].next_jti);
		if (onboarding_judge(&now, &next, "jti") != rows[i].verdict)
			fail_msg("row %zu: another verdict", i);
		if (onboarding_has_taken(&now, &next, "jti") != rows[i].has_taken)
			fail_msg("row %zu: taken, or not", i);
	}
}

static void test_has_it_rebooted(void **state)
{
	static const struct {
		const char *boot_id;
		bool commanded;
		bool rebooted;
	} rows[] = {
		{"this", false, false}, /* killed before the command */
		{"this", true, true},   /* the command restarts only us */
		{"other", true, true},
		{"other", false, true}, /* power was cut before the command */
		{"", false, true},      /* kept by one that knew no boot */
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct onboarding_record record = {.is_reboot_commanded = rows[i].commanded};

		(void)snprintf(record.boot_id, sizeof(record.boot_id), "%s", rows[i].boot_id);
		if (onboarding_has_rebooted(&record, "this") != rows[i].rebooted)
			fail_msg("row %zu", i);
	}
}

/* One letter a state, in its order: + = allowed. */
static void test_which_state_follows(void **state)
{
	static const char *const rows[] = {
		/* unconfigured, handshaking, retrying, refused, enrolled, connected, initializing,
		 * onboarded */
		[ONBOARDING_UNCONFIGURED] = "-+------", [ONBOARDING_HANDSHAKING] = "-++++---",
		[ONBOARDING_RETRYING] = "-++++---",     [ONBOARDING_REFUSED] = "-+------",
		[ONBOARDING_ENROLLED] = "-----+--",     [ONBOARDING_CONNECTED] = "------+-",
		[ONBOARDING_INITIALIZING] = "------++", [ONBOARDING_ONBOARDED] = "--------",
	};

	(void)state;
	for (unsigned from = 0; from < N_ELEMENTS(rows); from++)
		for (unsigned to = 0; to < N_ELEMENTS(rows); to++)
			if (onboarding_may_become(from, to) != (rows[from][to] == '+'))
				fail_msg("from %s to %s", onboarding_state_name(from),
					 onboarding_state_name(to));
}

/* On disk. */

static void test_record_comes_back_with_its_token(void **state)
{
	char *folder = test_folder();
	struct onboarding_record record = router_record(pki_of(state), ONBOARDING_RETRYING, FIRST);
	struct onboarding_record back;
	cJSON *shown = onboarding_record_to_json(&record);
	struct err err;

	(void)strcpy(record.reason, "nobody is there");
	(void)strcpy(record.boot_id, "8a1e");
	record.is_reboot_commanded = true;
	assert_int_equal(onboarding_record_save(&record, folder, ONBOARDING_FILE, &err), 0);
	assert_int_equal(onboarding_record_load(&back, folder, ONBOARDING_FILE, &err), 0);
	assert_string_equal(back.token->text, record.token->text);
	assert_string_equal(back.jti, FIRST);
	assert_string_equal(back.reason, record.reason);
	assert_string_equal(back.boot_id, record.boot_id);
	assert_true(back.is_reboot_commanded);
	assert_string_equal(back.hosts[0], "127.0.0.1");
	/* Nobody is shown it. */
	assert_null(cJSON_GetObjectItem(shown, "token"));
	cJSON_Delete(shown);
	onboarding_record_release(&record);
	onboarding_record_release(&back);
	test_folder_remove(folder);
}

/* The attempt shows what the record has read; it may hold it longer than the record does. */
static void test_token_is_read_once_and_shared(void **state)
{
	struct onboarding_record record = router_record(pki_of(state), ONBOARDING_RETRYING, FIRST);
	struct onboarding_token *token = onboarding_token_hold(record.token);
	struct onboarding_token *of_disk = NULL;
	struct err err;

	assert_true(token->is_read);
	assert_string_equal(token->says.jti, FIRST);
	assert_int_equal(onboarding_token_new(&of_disk, token->text, &err), 0);
	assert_false(of_disk->is_read);
	of_disk->text[0] = '!';
	assert_int_equal(onboarding_token_read(of_disk, &err), -EBADMSG);
	assert_false(of_disk->is_read);
	of_disk->text[0] = token->text[0];
	assert_int_equal(onboarding_token_read(of_disk, &err), 0);
	assert_string_equal(of_disk->says.jti, FIRST);
	/* Not once more. */
	of_disk->text[0] = '!';
	assert_int_equal(onboarding_token_read(of_disk, &err), 0);
	onboarding_token_release(of_disk);

	onboarding_record_release(&record);
	assert_string_equal(token->says.router, "router1");
	onboarding_token_release(token);
}

/* Of what cJSON frees: blocks that have a part of the token in them still. */
static char needle[24];
static unsigned blocks_with_token;

static void free_and_look(void *block)
{
	if (block && memmem(block, malloc_usable_size(block), needle, strlen(needle)))
		blocks_with_token++;
	free(block);
}

static void test_token_is_wiped(void **state)
{
	cJSON_Hooks hooks = {.malloc_fn = malloc, .free_fn = free_and_look};
	struct onboarding_record record = router_record(pki_of(state), ONBOARDING_RETRYING, FIRST);
	struct onboarding_record back;
	char *folder = test_folder();
	char *document = router_document(pki_of(state), FIRST);
	char *text;
	size_t size;
	struct err err;

	(void)snprintf(needle, sizeof(needle), "%s", record.token->text + 100);
	cJSON_InitHooks(&hooks);
	assert_int_equal(onboarding_record_save(&record, folder, ONBOARDING_FILE, &err), 0);
	assert_int_equal(onboarding_record_load(&back, folder, ONBOARDING_FILE, &err), 0);
	onboarding_record_release(&back);
	/* And when it makes no sense. */
	text = test_read(test_path(folder, ONBOARDING_FILE), &size);
	memcpy(strstr(text, "psk-only"), "psk-onyl", 8);
	test_write(test_path(folder, ONBOARDING_FILE), span_of_string(text));
	assert_int_equal(onboarding_record_load(&back, folder, ONBOARDING_FILE, &err), -EBADMSG);
	memcpy(strstr(document, "127.0.0.1"), "127.0,0.1", 9);
	assert_int_equal(onboarding_document_read(&back, span_of_string(document),
						  ONBOARDING_PSK_ONLY, &err),
			 -EINVAL);
	cJSON_InitHooks(NULL);
	assert_int_equal(blocks_with_token, 0);
	onboarding_record_release(&record);
	free(text);
	free(document);
	test_folder_remove(folder);
}

/* What boards without a serial number say instead is no name. */
static void test_name_of_a_serial_number(void **state)
{
	static const struct {
		const char *content;
		const char *name; /* "" = none */
	} rows[] = {
		{"CZ1234567\n", "CZ1234567"},
		{"CZ1234567 \t\r\n", "CZ1234567"},
		{"Default string\n", ""},
		{"To be filled by O.E.M.\n", ""},
		{" CZ1234567\n", ""},
		{"\n", ""},
		{"", ""},
	};
	char *folder = test_folder();

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		char name[TOKEN_NAME_SIZE] = "";

		test_write(test_path(folder, "serial"), span_of_string(rows[i].content));
		assert_int_equal(
			onboarding_document_name_from_file(test_path(folder, "serial"), name),
			rows[i].name[0] != '\0');
		assert_string_equal(name, rows[i].name);
	}
	test_folder_remove(folder);
}

/* Whatever of the two files power left: one of them holds, and nothing is tried twice. */
static void test_what_power_left(void **state)
{
	static const struct {
		enum onboarding_state now; /* UNCONFIGURED = no file */
		enum onboarding_state next;
		const char *next_jti;
		enum onboarding_state loaded_now;
		enum onboarding_state loaded_next;
		const char *now_jti;
	} rows[] = {
		{ONBOARDING_UNCONFIGURED, ONBOARDING_UNCONFIGURED, "", ONBOARDING_UNCONFIGURED,
		 ONBOARDING_UNCONFIGURED, ""},
		{ONBOARDING_ONBOARDED, ONBOARDING_UNCONFIGURED, "", ONBOARDING_ONBOARDED,
		 ONBOARDING_UNCONFIGURED, FIRST},
		{ONBOARDING_ONBOARDED, ONBOARDING_HANDSHAKING, SECOND, ONBOARDING_ONBOARDED,
		 ONBOARDING_HANDSHAKING, FIRST},
		/* Enrolled by the newer; its file was not removed yet. */
		{ONBOARDING_ENROLLED, ONBOARDING_RETRYING, FIRST, ONBOARDING_ENROLLED,
		 ONBOARDING_UNCONFIGURED, FIRST},
		{ONBOARDING_ONBOARDED, ONBOARDING_RETRYING, FIRST, ONBOARDING_ONBOARDED,
		 ONBOARDING_UNCONFIGURED, FIRST},
		/* Somebody removed what holds, by hand. */
		{ONBOARDING_UNCONFIGURED, ONBOARDING_RETRYING, SECOND, ONBOARDING_RETRYING,
		 ONBOARDING_UNCONFIGURED, SECOND},
		{ONBOARDING_REFUSED, ONBOARDING_RETRYING, SECOND, ONBOARDING_RETRYING,
		 ONBOARDING_UNCONFIGURED, SECOND},
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		char *folder = test_folder();
		struct onboarding_records records;
		struct err problem;
		struct err err;

		if (rows[i].now != ONBOARDING_UNCONFIGURED)
			router_save(pki_of(state), folder, ONBOARDING_FILE, rows[i].now, FIRST);
		if (rows[i].next != ONBOARDING_UNCONFIGURED)
			router_save(pki_of(state), folder, ONBOARDING_NEXT_FILE, rows[i].next,
				    rows[i].next_jti);
		/* Twice: what was settled stays so. */
		for (unsigned n = 0; n < 2; n++) {
			assert_int_equal(onboarding_records_load(&records, folder, &problem, &err),
					 0);
			assert_int_equal(problem.code, 0);
			assert_int_equal(records.now.state, rows[i].loaded_now);
			assert_int_equal(records.next.state, rows[i].loaded_next);
			assert_string_equal(records.now.jti, rows[i].now_jti);
			assert_int_equal(router_has(folder, ONBOARDING_NEXT_FILE),
					 rows[i].loaded_next != ONBOARDING_UNCONFIGURED);
			onboarding_records_release(&records);
		}
		test_folder_remove(folder);
	}
}

/* What holds goes on, and is not taken for tried. */
static void test_newer_one_that_makes_no_sense(void **state)
{
	char *folder = test_folder();
	struct onboarding_records records;
	struct err problem;
	struct err err;

	router_save(pki_of(state), folder, ONBOARDING_FILE, ONBOARDING_ONBOARDED, FIRST);
	router_save(pki_of(state), folder, ONBOARDING_NEXT_FILE, ONBOARDING_CONNECTED, SECOND);
	assert_int_equal(onboarding_records_load(&records, folder, &problem, &err), 0);
	assert_int_equal(problem.code, -EBADMSG);
	assert_contains(problem.text, "onboarding-next.json: state: found connected");
	assert_int_equal(records.now.state, ONBOARDING_ONBOARDED);
	assert_int_equal(records.next.state, ONBOARDING_UNCONFIGURED);
	onboarding_records_release(&records);
	test_folder_remove(folder);
}

static void test_disk_that_takes_nothing(void **state)
{
	char *folder = test_folder();
	struct onboarding_records records;
	struct onboarding_record what =
		router_record(pki_of(state), ONBOARDING_HANDSHAKING, SECOND);
	struct err problem;
	struct err err;

	router_save(pki_of(state), folder, ONBOARDING_FILE, ONBOARDING_RETRYING, FIRST);
	assert_int_equal(onboarding_records_load(&records, folder, &problem, &err), 0);
	records.directory = "/nowhere/at/all";
	assert_true(onboarding_records_replace(&records, &records.now, &what, &err) < 0);
	assert_string_equal(records.now.jti, FIRST);
	assert_non_null(records.now.token);
	onboarding_records_release(&records);
	test_folder_remove(folder);
}

/* On a loop. */

static void test_a_waiting_router_starts_over(void **state)
{
	struct onboarding_world r;
	struct err err;

	router_make(&r, pki_of(state));
	router_start(&r);
	router_expect(&r, "unconfigured", "", "");
	assert_int_equal(router_apply(&r, FIRST, &err), 0);
	router_expect(&r, "handshaking", FIRST, "");
	router_turn(&r, ONBOARDING_RETRYING);
	/* Before its handshake is over, and after. */
	assert_int_equal(router_apply(&r, SECOND, &err), 0);
	assert_int_equal(router_apply(&r, FIRST, &err), 0);
	router_expect(&r, "handshaking", FIRST, "");
	router_turn(&r, ONBOARDING_RETRYING);
	router_stop(&r);
	router_start(&r);
	router_expect(&r, "retrying", FIRST, "");
	router_stop(&r);
	test_folder_remove(r.folder);
}

static void test_an_onboarded_router_keeps_what_it_has(void **state)
{
	struct onboarding_world r;
	struct err err;

	router_make(&r, pki_of(state));
	router_save(pki_of(state), r.folder, ONBOARDING_FILE, ONBOARDING_ONBOARDED, FIRST);
	router_start(&r);
	assert_int_equal(router_apply(&r, FIRST, &err), -EBUSY);
	assert_contains(err.text, "onboarded by this very token already");
	assert_contains(err.text, FIRST);
	assert_int_equal(router_apply(&r, SECOND, &err), 0);
	router_expect(&r, "onboarded", FIRST, SECOND);
	/* A conductor's word on how it begins is for the newer one, once that is enrolled. */
	assert_int_equal(onboarding_initialize(r.onboarding, "{}", &err), -EBUSY);
	router_stop(&r);
	router_start(&r);
	router_expect(&r, "onboarded", FIRST, SECOND);
	assert_int_equal(router_apply(&r, FIRST, &err), 0);
	router_expect(&r, "onboarded", FIRST, "");
	assert_false(router_has(r.folder, ONBOARDING_NEXT_FILE));
	router_stop(&r);
	test_folder_remove(r.folder);
}

static void test_file_at_the_start(void **state)
{
	static const struct {
		enum onboarding_state now;
		const char *file_jti;
		const char *next; /* that is tried then */
		const char *name;
	} rows[] = {
		{ONBOARDING_RETRYING, FIRST, "", "retrying"},
		{ONBOARDING_RETRYING, SECOND, "", "handshaking"},
		{ONBOARDING_REFUSED, FIRST, "", "handshaking"},
		{ONBOARDING_ONBOARDED, FIRST, "", "onboarded"},
		{ONBOARDING_ONBOARDED, SECOND, SECOND, "onboarded"},
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		char *document = router_document(pki_of(state), rows[i].file_jti);
		struct onboarding_world r;

		router_make(&r, pki_of(state));
		router_save(pki_of(state), r.folder, ONBOARDING_FILE, rows[i].now, FIRST);
		test_write(r.file, span_of_string(document));
		router_start(&r);
		router_expect(&r, rows[i].name, rows[i].next[0] ? FIRST : rows[i].file_jti,
			      rows[i].next);
		assert_false(router_has(r.folder, "onboarding-config.json"));
		router_stop(&r);
		free(document);
		test_folder_remove(r.folder);
	}
}

/* Killed after the configuration was written and before the reboot's command: that comes at the
 * start. What it starts anew is onboarded then. */
static void test_reboot_is_due_until_it_was_commanded(void **state)
{
	struct onboarding_world r;
	struct onboarding_record record;
	char *boot_id;
	size_t size;
	struct err err;

	router_make(&r, pki_of(state));
	record = router_record(pki_of(state), ONBOARDING_INITIALIZING, FIRST);
	onboarding_record_forget_token(&record);
	assert_int_equal(file_read("/proc/sys/kernel/random/boot_id", 64, &boot_id, &size, &err),
			 0);
	(void)snprintf(record.boot_id, sizeof(record.boot_id), "%.36s", boot_id);
	free(boot_id);
	assert_int_equal(onboarding_record_save(&record, r.folder, ONBOARDING_FILE, &err), 0);
	router_start(&r);
	router_stop(&r); /* in time */
	assert_int_equal(router_reboots(&r), 0);
	router_start(&r);
	router_expect(&r, "initializing", FIRST, "");
	for (unsigned i = 0; i < 1000 && router_reboots(&r) == 0; i++) {
		(void)uv_run(&r.loop, UV_RUN_NOWAIT);
		(void)usleep(10000);
	}
	assert_int_equal(router_reboots(&r), 1);
	router_expect(&r, "initializing", FIRST, "");
	router_stop(&r);
	router_start(&r);
	router_expect(&r, "onboarded", FIRST, "");
	router_stop(&r);
	assert_int_equal(router_reboots(&r), 1);
	onboarding_record_release(&record);
	test_folder_remove(r.folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_a_token_does),
		cmocka_unit_test(test_has_it_rebooted),
		cmocka_unit_test(test_which_state_follows),
		cmocka_unit_test(test_record_comes_back_with_its_token),
		cmocka_unit_test(test_token_is_read_once_and_shared),
		cmocka_unit_test(test_token_is_wiped),
		cmocka_unit_test(test_name_of_a_serial_number),
		cmocka_unit_test(test_what_power_left),
		cmocka_unit_test(test_newer_one_that_makes_no_sense),
		cmocka_unit_test(test_disk_that_takes_nothing),
		cmocka_unit_test(test_a_waiting_router_starts_over),
		cmocka_unit_test(test_an_onboarded_router_keeps_what_it_has),
		cmocka_unit_test(test_file_at_the_start),
		cmocka_unit_test(test_reboot_is_due_until_it_was_commanded),
	};

	return cmocka_run_group_tests(tests, pki_make, pki_end);
}
