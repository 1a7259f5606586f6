#include "onboarding/router/ssh_identity.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/atomic_file.h"
#include "core/base64.h"
#include "core/macros.h"
#include "core/process.h"

#define PUBLIC_SIZE_MAX   4096
#define KEYGEN_TIMEOUT_MS 30000

static int sync_file(const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int rc = fd < 0 || fsync(fd) < 0 ? -errno : 0;

	if (fd >= 0)
		(void)close(fd);
	return rc < 0 ? err_set_errno(err, rc, "sync %s", path) : 0;
}

static int run_keygen(const char *beside, struct err *err)
{
	const char *const argv[] = {"ssh-keygen", "-q",      "-t", "ed25519", "-N", "",
				    "-C",         "steward", "-f", beside,    NULL};
	const struct process_command command = {
		.argv = argv,
		.fd = -1,
		.timeout_ms = KEYGEN_TIMEOUT_MS,
	};
	struct process_result result;
	int rc = process_run(&command, &result, err);

	if (rc == 0 && result.exit_status != 0)
		rc = err_set(err, -EIO, "ssh-keygen: exit status %d: %s", result.exit_status,
			     result.last_line);
	return rc;
}

/* The private key is there only once it is whole, and its public half before it. */
static int make(const char *path, const char *public, struct err *err)
{
	char beside[PATH_MAX];
	char beside_public[PATH_MAX];
	int rc;

	if ((size_t)snprintf(beside, sizeof(beside), "%s.new", path) >= sizeof(beside) ||
	    (size_t)snprintf(beside_public, sizeof(beside_public), "%s.pub", beside) >=
		    sizeof(beside_public))
		return err_set(err, -ENAMETOOLONG, "%s: path too long", path);
	(void)unlink(beside);
	(void)unlink(beside_public);
	rc = run_keygen(beside, err);
	if (rc == 0)
		rc = sync_file(beside, err);
	if (rc == 0)
		rc = sync_file(beside_public, err);
	if (rc == 0 && (rename(beside_public, public) < 0 || rename(beside, path) < 0))
		rc = err_set_errno(err, -errno, "rename %s", beside);
	return rc;
}

static int sync_folder(const char *path, struct err *err)
{
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX];

	(void)snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path) : 1,
		       slash ? path : ".");
	return directory_sync(folder[0] ? folder : "/", err);
}

/* "ssh-ed25519 AAAA… comment" */
static int parse(const char *text, uint8_t ret[SSH_KEY_ED25519_SIZE])
{
	static const char type[] = "ssh-ed25519 ";
	uint8_t *blob = NULL;
	size_t size = 0;
	int rc = -EINVAL;

	if (strncmp(text, type, strlen(type)) != 0)
		return rc;
	text += strlen(type);
	if (base64_decode(span_of(text, strcspn(text, " \n")), &blob, &size) == 0 &&
	    ssh_key_is_ed25519(span_of(blob, size))) {
		memcpy(ret, blob, SSH_KEY_ED25519_SIZE);
		rc = 0;
	}
	free(blob);
	return rc;
}

int ssh_identity_provide(const char *path, uint8_t ret[SSH_KEY_ED25519_SIZE], struct err *err)
{
	char public[PATH_MAX];
	char *text = NULL;
	size_t size;
	int rc = 0;

	if ((size_t)snprintf(public, sizeof(public), "%s.pub", path) >= sizeof(public))
		return err_set(err, -ENAMETOOLONG, "%s: path too long", path);
	if (access(path, F_OK) < 0)
		rc = make(path, public, err);
	if (rc == 0)
		rc = sync_folder(path, err);
	if (rc == 0)
		rc = file_read(public, PUBLIC_SIZE_MAX, &text, &size, err);
	if (rc == 0 && parse(text, ret) < 0)
		rc = err_set(err, -EINVAL, "%s: expected an ssh-ed25519 key", public);
	free(text);
	return rc;
}
