/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ssh_kex.h - the key exchanges of the tunnels' SSH: hybrids that a quantum computer does not
 * break, and no others.
 *
 * Which of them there are is the installed OpenSSH's to say, in ssh_kex_ask(). OpenSSH has known
 * some by two names; both are offered, since a peer may know only the older one.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum ssh_kex {
	SSH_KEX_NONE,
	SSH_KEX_MLKEM768,  /* mlkem768x25519-sha256: OpenSSH 9.9 */
	SSH_KEX_SNTRUP761, /* sntrup761x25519-sha512: OpenSSH 8.5 */
	SSH_KEX_END,
};

/* Best first, SSH_KEX_NONE behind the last; none at all = what the system has, best first. */
struct ssh_kex_order {
	uint8_t wanted[SSH_KEX_END - 1];
};

/* Which names the installed OpenSSH knows: one bit each. */
typedef uint8_t ssh_kex_names;

#define SSH_KEX_ALGORITHMS_SIZE 128

/* As it is configured; NULL = none. */
const char *ssh_kex_name(enum ssh_kex kex);

/* names: of the configuration, each a ssh_kex_name(); others are passed over. */
struct ssh_kex_order ssh_kex_order_of(char *const *names, size_t n);

/* Ask `ssh -Q kex`, which blocks for a moment. Errors: those of process_run(); -EIO. */
int ssh_kex_ask(ssh_kex_names *ret, struct err *err);
/* The same from its output: names between white space. */
ssh_kex_names ssh_kex_read(const char *text);

/* The value of KexAlgorithms. -ENOENT: the system has none of those that are wanted. */
int ssh_kex_algorithms(const struct ssh_kex_order *order, ssh_kex_names names,
		       char ret[SSH_KEX_ALGORITHMS_SIZE], struct err *err);

/* What was agreed on, in a line of the debugging output of ssh or sshd; SSH_KEX_NONE = the line is
 * about something else. */
enum ssh_kex ssh_kex_of_line(const char *line);
