/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which files a conductor may name for a router's sources. */
#include "support.h"

#include <errno.h>
#include <stdio.h>

#include "base/macros.h"
#include "config/config.h"

#define SOURCE(members)                                                                            \
	"\"software-update\":{\"source\":[{\"name\":\"a\",\"kind\":\"artifactory\","               \
	"\"url\":\"https://h.example/\"" members "}]}"
#define BASIC(path)  SOURCE(",\"username\":\"u\",\"password-file\":\"" path "\"")
#define BEARER(path) SOURCE(",\"bearer-token-file\":\"" path "\"")
#define PROXY(path)                                                                                \
	SOURCE(",\"proxy\":\"http://p.example\",\"proxy-username\":\"u\","                         \
	       "\"proxy-password-file\":\"" path "\"")
#define S3(id, secret)                                                                             \
	SOURCE(",\"s3-region\":\"us-east-1\",\"s3-access-key-file\":\"" id                         \
	       "\",\"s3-secret-key-file\":\"" secret "\"")
#define KEY(path) SOURCE(",\"client-certificate\":\"/c.pem\",\"client-key\":\"" path "\"")

#define OWN(members) "{\"steward:router\":{\"name\":\"r\",\"node\":\"n\"" members "}}"
#define ELSEWHERE    ",\"secure-conductor-onboarding\":{\"secrets-directory\":\"/srv/s/\"}"
#define NAMED                                                                                      \
	",\"software-update\":{\"source\":[{\"name\":\"own\",\"kind\":\"artifactory\","            \
	"\"url\":\"https://o.example/\",\"bearer-token-file\":\"/srv/token\"}]}"

static int check(const char *folder, const char *own, const char *sent, struct err *err)
{
	char path[512];
	char text[2048];

	(void)snprintf(path, sizeof(path), "%s/steward.json", folder);
	(void)snprintf(text, sizeof(text), "{%s}", sent);
	test_write(path, span_of_string(own));
	return config_check_router_over(path, text, err);
}

static void test_taken(void **state)
{
	static const struct {
		const char *own;
		const char *sent;
	} rows[] = {
		{OWN(""), SOURCE("")},
		{OWN(""), ""},
		{OWN(""), BASIC("/etc/steward/secrets/credentials/p")},
		{OWN(""), BEARER("/etc/steward/secrets/credentials/..p")},
		{OWN(""), PROXY("/etc/steward/secrets/credentials/p")},
		{OWN(""), KEY("/etc/steward/secrets/credentials/p")},
		{OWN(ELSEWHERE), BASIC("/srv/s/credentials/p")},
		{OWN(""),
		 S3("/etc/steward/secrets/credentials/i", "/etc/steward/secrets/credentials/s")},
		{OWN(NAMED), BEARER("/srv/token")},
		{OWN(NAMED), BASIC("/srv/token")},
		/* Of these only what is public is read. */
		{OWN(""), SOURCE(",\"ca-certificate\":\"/etc/ssl/ca.pem\"")},
		{OWN(""), "\"software-update\":{\"trusted-key\":[\"/etc/vendor.pem\"]}"},
	};
	char *folder = test_folder();

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct err err = {0};

		if (check(folder, rows[i].own, rows[i].sent, &err) < 0)
			fail_msg("row %zu: %s", i, err.text);
	}
	test_folder_remove(folder);
}

static void test_refused(void **state)
{
	static const struct {
		const char *own;
		const char *sent;
		const char *part;
	} rows[] = {
		{OWN(""), BASIC("/etc/shadow"), "source[name='a']/password-file is /etc/shadow: "},
		{OWN(""), BEARER("/etc/shadow"), "/bearer-token-file is /etc/shadow: "},
		{OWN(""), PROXY("/etc/shadow"), "/proxy-password-file is /etc/shadow: "},
		{OWN(""), KEY("/etc/ssh/ssh_host_rsa_key"), "/client-key is /etc/ssh/"},
		/* The key's id is sent as it is. */
		{OWN(""), S3("/etc/shadow", "/etc/steward/secrets/credentials/s"),
		 "/s3-access-key-file is /etc/shadow: "},
		{OWN(""), S3("/etc/steward/secrets/credentials/i", "/etc/shadow"),
		 "/s3-secret-key-file is /etc/shadow: "},
		/* Keys, token and router.json lie there. */
		{OWN(""), BASIC("/etc/steward/secrets/router.json"),
		 "a file in /etc/steward/secrets/credentials"},
		{OWN(""), BASIC("/etc/steward/secrets/credentials"), "password-file"},
		{OWN(""), BASIC("/etc/steward/secrets/credentials/"), "password-file"},
		{OWN(""), BASIC("/etc/steward/secrets/credentials/.."), "password-file"},
		{OWN(""), BASIC("/etc/steward/secrets/credentials/../router.json"),
		 "password-file"},
		{OWN(""), BASIC("/etc/steward/secrets/credentials/a/b"), "password-file"},
		{OWN(""), BASIC("/etc/steward/secrets/credentialsx"), "password-file"},
		{OWN(""), BASIC("/etc/steward/secretsx/credentials/p"), "password-file"},
		{OWN(""), BASIC("//etc/steward/secrets/credentials/p"), "password-file"},
		{OWN(ELSEWHERE), BASIC("/etc/steward/secrets/credentials/p"),
		 "a file in /srv/s/credentials"},
		{OWN(NAMED), BEARER("/srv/token/../../etc/shadow"), "bearer-token-file"},
		/* What is sent does not allow itself anything: it may not say where that is. */
		{OWN(""),
		 BASIC("/srv/s/credentials/p") ",\"secure-conductor-onboarding\":"
					       "{\"secrets-directory\":\"/srv/s\"}",
		 "a file in /etc/steward/secrets/credentials"},
	};
	char *folder = test_folder();

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct err err = {0};

		assert_int_equal(check(folder, rows[i].own, rows[i].sent, &err), -EINVAL);
		if (!strstr(err.text, rows[i].part))
			fail_msg("row %zu: %s", i, err.text);
	}
	test_folder_remove(folder);
}

/* It may stand behind one that is taken. */
static void test_each_source(void **state)
{
	static const char sent[] =
		"\"software-update\":{\"source\":["
		"{\"name\":\"a\",\"kind\":\"artifactory\",\"url\":\"https://h.example/\","
		"\"bearer-token-file\":\"/etc/steward/secrets/credentials/p\"},"
		"{\"name\":\"b\",\"kind\":\"artifactory\",\"url\":\"https://h.example/\","
		"\"bearer-token-file\":\"/etc/shadow\"}]}";
	char *folder = test_folder();
	struct err err = {0};

	(void)state;
	assert_int_equal(check(folder, OWN(""), sent, &err), -EINVAL);
	assert_non_null(strstr(err.text, "source[name='b']/bearer-token-file is /etc/shadow"));
	test_folder_remove(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_taken),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_each_source),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
