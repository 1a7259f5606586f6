/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/ssh_kex.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "base/process.h"

#define ASK_TIMEOUT_MS 10000

/* Best first; the name that stands first for each is the one that is configured and shown. */
static const struct {
	enum ssh_kex kex;
	const char *name;
} spellings[] = {
	{SSH_KEX_MLKEM768, "mlkem768x25519-sha256"},
	{SSH_KEX_SNTRUP761, "sntrup761x25519-sha512"},
	{SSH_KEX_SNTRUP761, "sntrup761x25519-sha512@openssh.com"},
};

static const struct ssh_kex_order best_first = {{SSH_KEX_MLKEM768, SSH_KEX_SNTRUP761}};

const char *ssh_kex_name(enum ssh_kex kex)
{
	for (unsigned i = 0; i < N_ELEMENTS(spellings); i++)
		if (spellings[i].kex == kex)
			return spellings[i].name;
	return NULL;
}

static enum ssh_kex find(const char *name, size_t length, unsigned *ret_spelling)
{
	for (unsigned i = 0; i < N_ELEMENTS(spellings); i++)
		if (strlen(spellings[i].name) == length &&
		    strncmp(spellings[i].name, name, length) == 0) {
			*ret_spelling = i;
			return spellings[i].kex;
		}
	return SSH_KEX_NONE;
}

struct ssh_kex_order ssh_kex_order_of(char *const *names, size_t n)
{
	struct ssh_kex_order order = {{0}};
	unsigned spelling;
	size_t at = 0;

	for (size_t i = 0; i < n && at < N_ELEMENTS(order.wanted); i++) {
		enum ssh_kex kex = find(names[i], strlen(names[i]), &spelling);

		if (kex != SSH_KEX_NONE)
			order.wanted[at++] = (uint8_t)kex;
	}
	return order;
}

ssh_kex_names ssh_kex_read(const char *text)
{
	static const char blanks[] = " \t\r\n";
	ssh_kex_names names = 0;

	for (text += strspn(text, blanks); *text; text += strspn(text, blanks)) {
		size_t length = strcspn(text, blanks);
		unsigned spelling;

		if (find(text, length, &spelling) != SSH_KEX_NONE)
			names |= (ssh_kex_names)(1u << spelling);
		text += length;
	}
	return names;
}

/* process_run() listens to stderr. */
int ssh_kex_ask(ssh_kex_names *ret, struct err *err)
{
	static const char *const argv[] = {"sh", "-c", "exec ssh -Q kex >&2", NULL};
	const struct process_command command = {
		.argv = argv,
		.fd = -1,
		.timeout_ms = ASK_TIMEOUT_MS,
	};
	struct process_result result;
	int rc = process_run(&command, &result, err);

	if (rc == 0 && result.exit_status != 0)
		rc = err_set(err, -EIO, "exit status %d: %s", result.exit_status, result.last_line);
	if (rc < 0)
		return err_wrap(err, "ssh -Q kex");
	*ret = ssh_kex_read(result.said);
	return 0;
}

static void append(char ret[SSH_KEX_ALGORITHMS_SIZE], const char *name, const char *separator)
{
	size_t used = strlen(ret);

	(void)snprintf(ret + used, SSH_KEX_ALGORITHMS_SIZE - used, "%s%s", used ? separator : "",
		       name);
}

int ssh_kex_algorithms(const struct ssh_kex_order *order, ssh_kex_names names,
		       char ret[SSH_KEX_ALGORITHMS_SIZE], struct err *err)
{
	char found[SSH_KEX_ALGORITHMS_SIZE] = "";
	char wanted[SSH_KEX_ALGORITHMS_SIZE] = "";
	bool is_default = order->wanted[0] == SSH_KEX_NONE;

	if (is_default)
		order = &best_first;
	for (unsigned k = 0; k < N_ELEMENTS(order->wanted); k++) {
		if (order->wanted[k] == SSH_KEX_NONE || order->wanted[k] >= SSH_KEX_END)
			break;
		append(wanted, ssh_kex_name(order->wanted[k]), " or ");
		for (unsigned i = 0; i < N_ELEMENTS(spellings); i++)
			if (spellings[i].kex == order->wanted[k] && names & 1u << i)
				append(found, spellings[i].name, ",");
	}
	if (!found[0])
		return err_set(
			err, -ENOENT,
			"this system's OpenSSH has no %s (`ssh -Q kex` lists what it has): %s",
			wanted,
			is_default ? "upgrade it"
				   : "upgrade it, or change post-quantum key-exchange");
	memcpy(ret, found, sizeof(found));
	return 0;
}

enum ssh_kex ssh_kex_of_line(const char *line)
{
	static const char label[] = "kex: algorithm: ";
	const char *at = strstr(line, label);
	unsigned spelling;

	if (!at)
		return SSH_KEX_NONE;
	at += strlen(label);
	return find(at, strcspn(at, " \t\r\n"), &spelling);
}
