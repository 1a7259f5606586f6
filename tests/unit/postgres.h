/* SPDX-License-Identifier: GPL-3.0-or-later */
/* postgres.h - a PostgreSQL server of Debian's, on a unix socket in a folder of its own, as an
 * unprivileged user. Where there is none to start, the test fails.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct postgres {
	char *folder;
	char programs[128]; /* folder of initdb and postgres */
	pid_t pid;          /* 0 = not running */
	unsigned port;      /* of 127.0.0.1, and in the socket's name */
	bool tcp;           /* is 127.0.0.1 listened on */
	bool tls;           /* with <folder>/server.pem and server.key */
};

void postgres_make(struct postgres *p); /* and run */
void postgres_remove(struct postgres *p);

/* Returns when it takes connections. */
void postgres_run(struct postgres *p);
/* SIGINT: in good order, SIGQUIT: as after a crash. Returns when it is gone. */
void postgres_end(struct postgres *p, int signal);

/* The URI of a database; name: "postgres" is there from the beginning. */
void postgres_uri(const struct postgres *p, const char *name, char *ret, size_t size);

/* As its superuser, in that database. */
void postgres_execute(const struct postgres *p, const char *name, const char *sql);
