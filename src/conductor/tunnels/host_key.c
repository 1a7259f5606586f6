#include "conductor/tunnels/host_key.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/atomic_file.h"
#include "base/base64.h"
#include "base/macros.h"
#include "base/process.h"

#define KEYGEN_TIMEOUT_MS 30000
#define PUBLIC_SIZE_MAX   1024

static void freep(char **text)
{
	free(*text);
}

static void free_bytes(uint8_t **bytes)
{
	free(*bytes);
}

static int generate(const char *path, struct err *err)
{
	const char *const argv[] = {"ssh-keygen", "-q", "-t", "ed25519", "-N", "",
				    "-C",         "",   "-f", path,      NULL};
	const struct process_command command = {
		.argv = argv,
		.fd = -1,
		.timeout_ms = KEYGEN_TIMEOUT_MS,
	};
	struct process_result result;
	int rc = process_run(&command, &result, err);

	if (rc < 0)
		return rc;
	if (result.exit_status != 0)
		return err_set(err, -EIO, "ssh-keygen: exit status %d: %s", result.exit_status,
			       result.last_line);
	return 0;
}

/* The public half first: where the private one is, both are. */
static int make(const char *path, const char *public, struct err *err)
{
	char new[PATH_MAX];
	char new_public[PATH_MAX];
	int rc;

	if ((size_t)snprintf(new, sizeof(new), "%s.new", path) >= sizeof(new) ||
	    (size_t)snprintf(new_public, sizeof(new_public), "%s.pub", new) >= sizeof(new_public))
		return err_set(err, -ENAMETOOLONG, "%s: path too long", path);
	(void)unlink(new);
	(void)unlink(new_public);
	rc = generate(new, err);
	if (rc < 0)
		return rc;
	if (rename(new_public, public) < 0 || rename(new, path) < 0)
		return err_set_errno(err, -errno, "rename %s to %s", new, path);
	return 0;
}

static int read_public(const char *path, uint8_t ret_blob[SSH_KEY_ED25519_SIZE], struct err *err)
{
	static const char type[] = "ssh-ed25519 ";
	_cleanup_(freep) char *text = NULL;
	_cleanup_(free_bytes) uint8_t *blob = NULL;
	const char *base64;
	size_t size;
	int rc = file_read_regular(path, PUBLIC_SIZE_MAX, &text, &size, err);

	if (rc < 0)
		return rc;
	base64 = strncmp(text, type, strlen(type)) == 0 ? text + strlen(type) : "";
	if (base64_decode(span_of(base64, strcspn(base64, " \n")), &blob, &size) < 0 ||
	    !ssh_key_is_ed25519(span_of(blob, size)))
		return err_set(err, -EBADMSG, "%s holds no ssh-ed25519 key", path);
	memcpy(ret_blob, blob, SSH_KEY_ED25519_SIZE);
	return 0;
}

int host_key_ensure(const char *path, uint8_t ret_blob[SSH_KEY_ED25519_SIZE], struct err *err)
{
	char public[PATH_MAX];
	int rc;

	if ((size_t)snprintf(public, sizeof(public), "%s.pub", path) >= sizeof(public))
		return err_set(err, -ENAMETOOLONG, "%s: path too long", path);
	if (access(path, F_OK) < 0 || access(public, F_OK) < 0) {
		rc = make(path, public, err);
		if (rc < 0)
			return rc;
	}
	return read_public(public, ret_blob, err);
}
