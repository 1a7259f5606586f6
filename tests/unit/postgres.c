/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "postgres.h"

#include <fcntl.h>
#include <glob.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "support.h"

#define USER "postgres" /* of the package; root may not run a server */

static void find_programs(struct postgres *p)
{
	glob_t found;

	if (glob("/usr/lib/postgresql/*/bin/postgres", 0, NULL, &found) != 0)
		fail_msg("no PostgreSQL server: apt-get install postgresql");
	(void)snprintf(p->programs, sizeof(p->programs), "%s", found.gl_pathv[found.gl_pathc - 1]);
	*strrchr(p->programs, '/') = '\0';
	globfree(&found);
}

/* What it says goes to <folder>/log. It does not outlive the test. */
static pid_t spawn(const struct postgres *p, const char *program, const char *const *arguments)
{
	const char *argv[40] = {"setpriv", "--reuid=" USER, "--regid=" USER, "--clear-groups",
				"--pdeathsig=QUIT"};
	unsigned n = geteuid() == 0 ? 5 : 0;
	char path[256];
	pid_t pid;

	(void)snprintf(path, sizeof(path), "%s/%s", p->programs, program);
	argv[n++] = path;
	while (*arguments)
		argv[n++] = *arguments++;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int log = open(test_path(p->folder, "log"), O_WRONLY | O_CREAT | O_APPEND, 0666);

		(void)dup2(log, STDOUT_FILENO);
		(void)dup2(log, STDERR_FILENO);
		(void)prctl(PR_SET_PDEATHSIG, SIGQUIT);
		(void)!chdir("/");
		(void)execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	return pid;
}

void postgres_uri(const struct postgres *p, const char *name, char *ret, size_t size)
{
	(void)snprintf(ret, size, "postgresql://" USER "@/%s?host=%s&port=%u", name, p->folder,
		       p->port);
}

/* The kernel's choice; nobody keeps it for us, but it does not give it twice in a row. */
static unsigned free_port(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	(void)close(fd);
	return ntohs(address.sin_port);
}

static void wait_until_it_answers(struct postgres *p, const char *uri)
{
	for (unsigned i = 0; i < 600; i++) {
		if (PQping(uri) == PQPING_OK)
			return;
		if (waitpid(p->pid, NULL, WNOHANG) != 0)
			break;
		(void)usleep(100000);
	}
	fail_msg("PostgreSQL does not start: %s", test_read(test_path(p->folder, "log"), NULL));
}

void postgres_run(struct postgres *p)
{
	char data[256];
	char uri[256];
	char port[32];
	char certificate[256];
	char key[256];
	const char *const arguments[] = {
		"-D", data,
		"-k", p->folder,
		"-c", port,
		"-c", p->tcp ? "listen_addresses=127.0.0.1" : "listen_addresses=",
		"-c", p->tls ? "ssl=on" : "ssl=off",
		"-c", certificate,
		"-c", key,
		"-c", "fsync=off",
		NULL};

	(void)snprintf(port, sizeof(port), "port=%u", p->port);
	(void)snprintf(certificate, sizeof(certificate), "ssl_cert_file=%s/server.pem", p->folder);
	(void)snprintf(key, sizeof(key), "ssl_key_file=%s/server.key", p->folder);
	(void)snprintf(data, sizeof(data), "%s/data", p->folder);
	postgres_uri(p, "postgres", uri, sizeof(uri));
	p->pid = spawn(p, "postgres", arguments);
	wait_until_it_answers(p, uri);
}

void postgres_make(struct postgres *p)
{
	char data[256];
	const char *const arguments[] = {
		"-D",        data, "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8",
		"--no-sync", NULL};
	const struct passwd *user = getpwnam(USER);
	int status;

	*p = (struct postgres){.folder = test_folder(), .port = free_port()};
	find_programs(p);
	if (geteuid() == 0) {
		assert_non_null(user);
		assert_int_equal(chown(p->folder, user->pw_uid, user->pw_gid), 0);
	}
	(void)snprintf(data, sizeof(data), "%s/data", p->folder);
	assert_true(waitpid(spawn(p, "initdb", arguments), &status, 0) > 0);
	if (status != 0)
		fail_msg("initdb: %s", test_read(test_path(p->folder, "log"), NULL));
	postgres_run(p);
}

void postgres_end(struct postgres *p, int signal)
{
	assert_int_equal(kill(p->pid, signal), 0);
	assert_int_equal(waitpid(p->pid, NULL, 0), p->pid);
	p->pid = 0;
}

void postgres_remove(struct postgres *p)
{
	if (p->pid > 0)
		postgres_end(p, SIGQUIT);
	test_folder_remove(p->folder);
}

void postgres_execute(const struct postgres *p, const char *name, const char *sql)
{
	char uri[256];
	PGconn *connection;
	PGresult *result;

	postgres_uri(p, name, uri, sizeof(uri));
	connection = PQconnectdb(uri);
	PQclear(PQexec(connection, "SET client_min_messages = warning"));
	result = PQexec(connection, sql);
	if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
		fail_msg("%s: %s", sql, PQerrorMessage(connection));
	PQclear(result);
	PQfinish(connection);
}
