/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What counts as an authenticated session, and how sessions end; sshd is a script here. */
#include "support.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/macros.h"
#include "conductor/tunnels/tunnel_session.h"

#define PRINT "Lz39YdzoLYMoAjw27b3NCEeKqpgBpX9UCtv4xTv5Nbs"
#define OTHER "OijzOkClR1K6qGAxrZ4APyrjLcOpjiDGIJth2GOlEoo"
#define ACCEPTED(user, type, print)                                                                \
	"Accepted publickey for " user " from 192.0.2.1 port 4711 ssh2: " type " SHA256:" print

static const struct ssh_kex_order any_kex;

static void test_read_key(void **state)
{
	static const struct {
		const char *message;
		bool authenticates;
	} rows[] = {
		{ACCEPTED("tunnel", "ED25519", PRINT), true},
		{ACCEPTED("tunnels", "ED25519", PRINT), false}, /* another user */
		{ACCEPTED("tunnel", "RSA", PRINT), false},
		{ACCEPTED("tunnel", "ED25519", PRINT "x"), false},
		{ACCEPTED("tunnel", "ED25519", "short"), false},
		{"Accepted publickey for tunnel from 192.0.2.1", false},
		{" " ACCEPTED("tunnel", "ED25519", PRINT), false},
		{"Invalid user x\n" ACCEPTED("tunnel", "ED25519", PRINT), false},
		{"Failed publickey for tunnel from 192.0.2.1 port 1 ssh2: ED25519 SHA256:" PRINT,
		 false},
		{"Postponed publickey for tunnel from 192.0.2.1 port 1 ssh2", false},
		{"", false},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		char key[AUTHORIZED_KEY_FINGERPRINT_SIZE] = "";
		const char *found = tunnel_session_read_key(rows[i].message, "tunnel", key);

		if ((found != NULL) != rows[i].authenticates)
			fail_msg("row %u", i);
		assert_string_equal(key, rows[i].authenticates ? PRINT : "");
	}
}

/* As sshd of OpenSSH 9.2 and 10.0 writes it, and what a stranger may make it write. */
static void test_unknown_keys(void **state)
{
#define COMMAND "AuthorizedKeysCommand /usr/bin/grep -a -F -m 1 -e AAAA /a/keys"
	static const struct {
		const char *message;
		bool expected;
	} rows[] = {
		{COMMAND " failed, status 1", true},
		{COMMAND " failed, status 2", false}, /* the file cannot be read */
		{COMMAND " failed, status 11", false},
		{COMMAND " exited on signal 9", false},
		{"AuthorizedKeysCommand /bin/other failed, status 1", false},
		{"Invalid user AuthorizedKeysCommand failed, status 1", false},
		{"", false},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++)
		assert_int_equal(tunnel_session_is_unknown_key(rows[i].message), rows[i].expected);
}

static void test_read_kex(void **state)
{
	static const struct {
		const char *message;
		enum ssh_kex kex;
	} rows[] = {
		{"debug1: kex.c:choose_kex():929 (pid=9530): kex: algorithm: "
		 "sntrup761x25519-sha512@openssh.com [preauth]",
		 SSH_KEX_SNTRUP761},
		{"debug1: kex.c:choose_kex():867 (bin=sshd-auth, pid=8631): kex: algorithm: "
		 "mlkem768x25519-sha256 [preauth]",
		 SSH_KEX_MLKEM768},
		{"debug1: kex.c:choose_kex():929 (pid=9530): kex: algorithm: curve25519-sha256",
		 SSH_KEX_NONE},
		{"Invalid user debug1: kex.c:choose_kex(): kex: algorithm: mlkem768x25519-sha256",
		 SSH_KEX_NONE},
		{"kex: algorithm: mlkem768x25519-sha256", SSH_KEX_NONE},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++)
		if (tunnel_session_read_kex(rows[i].message) != rows[i].kex)
			fail_msg("row %u", i);
}

struct world {
	char *folder;
	uv_loop_t loop;
	struct tunnel_sessions sessions;
	unsigned n_authenticated;
	unsigned n_ended;
	uint32_t last_authenticated;
	uint32_t last_ended;
	enum ssh_kex last_kex;
	bool changed;
	char sshd[128];
};

static void on_authenticated(struct tunnel_sessions *all, uint32_t id, const char *fingerprint,
			     enum ssh_kex kex)
{
	struct world *w = container_of(all, struct world, sessions);

	assert_int_equal(strlen(fingerprint), AUTHORIZED_KEY_FINGERPRINT_SIZE - 1);
	w->n_authenticated++;
	w->last_kex = kex;
	w->last_authenticated = id;
	w->changed = true;
}

static void on_ended(struct tunnel_sessions *all, uint32_t id, bool was_authenticated)
{
	struct world *w = container_of(all, struct world, sessions);

	(void)was_authenticated;
	w->n_ended++;
	w->last_ended = id;
	w->changed = true;
}

static void world_init(struct world *w, const char *script)
{
	memset(w, 0, sizeof(*w));
	w->folder = test_folder();
	(void)snprintf(w->sshd, sizeof(w->sshd), "%s/sshd", w->folder);
	test_write(w->sshd, span_of_string(script));
	assert_int_equal(chmod(w->sshd, 0755), 0);
	assert_int_equal(uv_loop_init(&w->loop), 0);
	w->sessions = (struct tunnel_sessions){
		.loop = &w->loop,
		.sshd = w->sshd,
		.config = "/nowhere",
		.user = "tunnel",
		.kex_names = ssh_kex_read("sntrup761x25519-sha512"),
		.authenticated = on_authenticated,
		.ended = on_ended,
	};
}

static void world_end(struct world *w)
{
	test_close_loop(&w->loop);
	assert_null(w->sessions.first);
	test_folder_remove(w->folder);
}

/* Returns the client's end. */
static int start(struct world *w, uint32_t id)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	tunnel_session_start(&w->sessions, id, ends[1], 10, &any_kex);
	return ends[0];
}

/* Two that follow one another may be heard of at once. */
static void wait_for(struct world *w, unsigned n_authenticated, unsigned n_ended)
{
	while (w->n_authenticated < n_authenticated || w->n_ended < n_ended) {
		w->changed = false;
		test_run_until(&w->loop, &w->changed);
	}
	assert_int_equal(w->n_authenticated, n_authenticated);
	assert_int_equal(w->n_ended, n_ended);
}

#define KEX                                                                                        \
	"debug1: kex.c:choose_kex():929 (pid=7): kex: algorithm: mlkem768x25519-sha256 [preauth]"
#define ONE    ACCEPTED("tunnel", "ED25519", PRINT)
#define TWO    ACCEPTED("tunnel", "ED25519", OTHER)
#define FORGED "Invalid user x\\r\\n" ONE "\\r\\n from y"

/* The client's words choose what the script says: it writes each at once, as sshd does. */
static const char script[] =
	"#!/bin/sh\n"
	"one() { printf '" KEX "\\r\\n'; sleep 0.05; printf '" ONE "\\r\\n'; }\n"
	"two() { printf '" TWO "\\r\\n'; }\n"
	"forged() { printf '" FORGED "\\r\\n'; exit 1; }\n"
	"read word\n"
	"$word >&2\n"
	"exec sleep 3600\n";

static void say(int client, const char *word)
{
	assert_int_equal(write(client, word, strlen(word)), strlen(word));
}

static void test_sessions(void **state)
{
	struct world w;
	int clients[5];

	(void)state;
	world_init(&w, script);
	for (unsigned i = 0; i < 5; i++)
		clients[i] = start(&w, 100 + i);
	say(clients[0], "one\n");
	wait_for(&w, 1, 0);
	assert_int_equal(w.last_authenticated, 100);
	assert_int_equal(w.last_kex, SSH_KEX_MLKEM768);
	say(clients[1], "two\n");
	wait_for(&w, 2, 0);
	assert_int_equal(w.last_authenticated, 101);
	assert_int_equal(w.last_kex, SSH_KEX_NONE);
	/* A stranger who is called like a line of the log is nobody, and harms nobody. */
	say(clients[2], "forged\n");
	wait_for(&w, 2, 1);
	assert_int_equal(w.last_ended, 102);
	/* A newer session of the key ends the older. */
	say(clients[3], "one\n");
	wait_for(&w, 3, 2);
	assert_int_equal(w.last_authenticated, 103);
	assert_int_equal(w.last_ended, 100);
	tunnel_session_end_key(&w.sessions, OTHER);
	wait_for(&w, 3, 3);
	assert_int_equal(w.last_ended, 101);
	tunnel_session_end(&w.sessions, 4711); /* nobody */
	tunnel_session_end(&w.sessions, 103);  /* it has authenticated */
	tunnel_session_end(&w.sessions, 104);
	wait_for(&w, 3, 4);
	assert_int_equal(w.last_ended, 104);
	tunnel_session_end_all(&w.sessions);
	wait_for(&w, 3, 5);
	assert_int_equal(w.last_ended, 103);
	for (unsigned i = 0; i < 5; i++)
		(void)close(clients[i]);
	world_end(&w);
}

static void test_no_sshd(void **state)
{
	struct world w;
	int client;

	(void)state;
	world_init(&w, script);
	assert_int_equal(unlink(w.sshd), 0);
	client = start(&w, 7);
	wait_for(&w, 0, 1);
	assert_int_equal(w.last_ended, 7);
	(void)close(client);
	world_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read_key),     cmocka_unit_test(test_read_kex),
		cmocka_unit_test(test_unknown_keys), cmocka_unit_test(test_sessions),
		cmocka_unit_test(test_no_sshd),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
