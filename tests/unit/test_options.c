/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The command line of a daemon. */
#include "support.h"

#include <fcntl.h>
#include <getopt.h>
#include <sysexits.h>

#include "base/macros.h"
#include "base/options.h"

struct parsed {
	struct options options;
	bool once;
	char config[64];
	char request[64]; /* "" = none */
	int rc;
	char *out;
	char *err;
};

static int redirect(int fd, const char *path)
{
	int was = dup(fd);
	int to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(was >= 0 && to >= 0);
	assert_int_equal(dup2(to, fd), fd);
	(void)close(to);
	return was;
}

static void restore(int fd, int was)
{
	assert_int_equal(dup2(was, fd), fd);
	(void)close(was);
}

static void parse(struct parsed *ret, const char *words)
{
	const char *request = "";
	const struct options_more more[] = {
		{.name = "once", .flag = &ret->once, .help = "--once         one try, then exit"},
		{.name = "request", .value = &request, .help = "--request R    what to do"},
	};
	const struct options_program program = {
		.name = "tested", .config = "/etc/tested.json", .more = more, .n_more = 2};
	char *folder = test_folder();
	char copy[256];
	char *argv[16] = {copy};
	int argc = 1;
	int out;
	int err;

	memset(ret, 0, sizeof(*ret));
	(void)snprintf(copy, sizeof(copy), "tested %s", words);
	for (char *at = strchr(copy, ' '); at && at[1]; at = strchr(argv[argc++], ' ')) {
		*at = '\0';
		argv[argc] = at + 1;
	}
	(void)fflush(NULL);
	out = redirect(STDOUT_FILENO, test_path(folder, "out"));
	err = redirect(STDERR_FILENO, test_path(folder, "err"));
	optind = 0; /* getopt(3): begin anew */
	ret->rc = options_parse(&ret->options, &program, argc, argv);
	(void)fflush(NULL);
	restore(STDOUT_FILENO, out);
	restore(STDERR_FILENO, err);
	ret->out = test_read(test_path(folder, "out"), NULL);
	ret->err = test_read(test_path(folder, "err"), NULL);
	if (ret->rc == -1)
		(void)snprintf(ret->config, sizeof(ret->config), "%s", ret->options.config);
	(void)snprintf(ret->request, sizeof(ret->request), "%s", request);
	test_folder_remove(folder);
}

static void release(struct parsed *p)
{
	free(p->out);
	free(p->err);
}

static void test_taken(void **state)
{
	static const struct {
		const char *words;
		const char *config;
		bool foreground, check, once;
		const char *request;
	} rows[] = {
		{"", "/etc/tested.json", false, false, false, ""},
		{"--config /x", "/x", false, false, false, ""},
		{"--config=/x", "/x", false, false, false, ""},
		{"--config /x --config /y", "/y", false, false, false, ""}, /* the last */
		{"--foreground", "/etc/tested.json", true, false, false, ""},
		{"--check --foreground", "/etc/tested.json", true, true, false, ""},
		{"--once", "/etc/tested.json", false, false, true, ""},
		{"--request zeroize", "/etc/tested.json", false, false, false, "zeroize"},
		{"--request=show --once --config /x", "/x", false, false, true, "show"},
		{"--request --once", "/etc/tested.json", false, false, false, "--once"},
		{"--", "/etc/tested.json", false, false, false, ""},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct parsed p;

		parse(&p, rows[i].words);
		if (p.rc != -1)
			fail_msg("%s: %d, %s", rows[i].words, p.rc, p.err);
		assert_string_equal(p.config, rows[i].config);
		assert_int_equal(p.options.foreground, rows[i].foreground);
		assert_int_equal(p.options.check, rows[i].check);
		assert_int_equal(p.once, rows[i].once);
		assert_string_equal(p.request, rows[i].request);
		assert_string_equal(p.out, "");
		assert_string_equal(p.err, "");
		release(&p);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *words;
		const char *part;
	} rows[] = {
		{"--nonsense", "nonsense"},
		{"-c", "invalid option"},
		{"-x", "invalid option"},
		{"--config", "requires an argument"},
		{"--request", "requires an argument"},
		{"--once=yes", "doesn't allow an argument"},
		{"--check=yes", "doesn't allow an argument"},
		{"--c", "ambiguous"}, /* config, check */
		{"word", "tested: what is 'word'?"},
		{"--foreground word", "what is 'word'?"},
		{"-- --check", "what is '--check'?"},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct parsed p;

		parse(&p, rows[i].words);
		if (p.rc != EX_USAGE)
			fail_msg("%s: %d", rows[i].words, p.rc);
		assert_contains(p.err, rows[i].part);
		assert_contains(p.err, "usage: tested [option...]");
		assert_string_equal(p.out, "");
		assert_null(p.options.config); /* untouched */
		release(&p);
	}
}

static void test_help_and_version(void **state)
{
	struct parsed p;

	(void)state;
	parse(&p, "--help");
	assert_int_equal(p.rc, EX_OK);
	assert_string_equal(p.out, "usage: tested [option...]\n"
				   "\n"
				   "  --config FILE  the configuration (default /etc/tested.json)\n"
				   "  --foreground   log to stderr\n"
				   "  --check        validate the configuration and exit\n"
				   "  --once         one try, then exit\n"
				   "  --request R    what to do\n"
				   "  --version      print the version and exit\n"
				   "  --help         print this and exit\n");
	assert_string_equal(p.err, "");
	release(&p);
	parse(&p, "--version");
	assert_int_equal(p.rc, EX_OK);
	assert_string_equal(p.out, "tested " STEWARD_VERSION "\n");
	release(&p);
}

/* A program without options of its own. */
static void test_common_only(void **state)
{
	static const struct options_program program = {.name = "tested", .config = "/c"};
	char name[] = "tested";
	char word[] = "--check";
	char *argv[] = {name, word, NULL};
	struct options options;

	(void)state;
	optind = 0;
	assert_int_equal(options_parse(&options, &program, 2, argv), -1);
	assert_string_equal(options.config, "/c");
	assert_true(options.check);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_taken),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_help_and_version),
		cmocka_unit_test(test_common_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
