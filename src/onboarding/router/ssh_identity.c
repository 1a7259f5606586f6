#include "onboarding/router/ssh_identity.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/atomic_file.h"
#include "base/base64.h"
#include "base/kept_file.h"
#include "base/macros.h"
#include "base/process.h"

#define PUBLIC_SIZE_MAX   4096
#define PRIVATE_SIZE_MAX  4096
#define KEYGEN_TIMEOUT_MS 30000

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

/* Where the key is. */
struct place {
	char directory[PATH_MAX];
	char name[NAME_MAX + 1];
	char public[NAME_MAX + 1];
};

static int place_of(const char *path, struct place *ret, struct err *err)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	const int length = slash == path ? 1 : slash ? (int)(slash - path) : 1;

	if (strlen(path) >= PATH_MAX || strlen(name) + strlen(".pub") > NAME_MAX)
		return err_set(err, -ENAMETOOLONG, "%s: path too long", path);
	(void)snprintf(ret->directory, sizeof(ret->directory), "%.*s", length, slash ? path : ".");
	(void)snprintf(ret->name, sizeof(ret->name), "%s", name);
	(void)snprintf(ret->public, sizeof(ret->public), "%s.pub", name);
	return 0;
}

static int keep(const char *directory, const char *name, const char *from, struct err *err)
{
	char *text = NULL;
	size_t size = 0;
	int rc = file_read_regular(from, PRIVATE_SIZE_MAX, &text, &size, err);

	if (rc == 0)
		rc = kept_file_write(directory, name, span_of(text, size), err);
	if (text)
		explicit_bzero(text, size);
	free(text);
	return rc;
}

/* The private key is there only once it is whole, and its public half before it. */
static int make(const char *path, const struct place *place, struct err *err)
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
		rc = keep(place->directory, place->public, beside_public, err);
	if (rc == 0)
		rc = keep(place->directory, place->name, beside, err);
	(void)unlink(beside);
	(void)unlink(beside_public);
	return rc;
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

int ssh_identity_check(const char *path, struct err *err)
{
	struct place place;
	int rc = place_of(path, &place, err);

	if (rc == 0)
		rc = kept_file_check(place.directory, place.name, err);
	return rc == -ENOENT || rc == -ENOTDIR ? 0 : rc;
}

int ssh_identity_provide(const char *path, uint8_t ret[SSH_KEY_ED25519_SIZE], struct err *err)
{
	struct place place;
	char *text = NULL;
	size_t size;
	int rc = place_of(path, &place, err);

	if (rc < 0)
		return rc;
	rc = kept_file_check(place.directory, place.name, err);
	if (rc == -ENOENT)
		rc = make(path, &place, err);
	if (rc == 0)
		rc = directory_sync(place.directory, err);
	if (rc == 0)
		rc = kept_file_read(place.directory, place.public, PUBLIC_SIZE_MAX, &text, &size,
				    err);
	if (rc == 0 && parse(text, ret) < 0)
		rc = err_set(err, -EINVAL, "%s.pub: expected an ssh-ed25519 key", path);
	free(text);
	return rc;
}
