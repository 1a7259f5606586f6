/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The conductor's view of a TPM, on the command line, so that real TPMs can be held against it:
 *
 *	credential_tool name AK                        prints the AK's Name in hex
 *	credential_tool make EK AK SECRET OUT [EK-PUBLIC]   a credential for tpm2_activatecredential
 *	credential_tool quote AK QUOTE SIGNATURE PCRS EXTRA
 *
 * All but OUT are files; EK is DER, AK and EK-PUBLIC are TPM2B_PUBLIC. Exit status 1 and why on
 *stderr.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/macros.h"
#include "conductor/enrolment/credential.h"

static struct message_bytes read_file(const char *path)
{
	struct message_bytes bytes = {0};
	FILE *file = fopen(path, "re");

	if (!file) {
		perror(path);
		exit(1);
	}
	bytes.size = fread(bytes.bytes, 1, sizeof(bytes.bytes), file);
	(void)fclose(file);
	return bytes;
}

static struct span span(const struct message_bytes *bytes)
{
	return span_of(bytes->bytes, bytes->size);
}

static int print_name(const struct credential_ak *ak)
{
	char hex[2 * CREDENTIAL_NAME_SIZE + 1];

	hex_encode(span_of(ak->name, sizeof(ak->name)), hex);
	return puts(hex) < 0 ? -1 : 0;
}

/* The file has tpm2-tools' magic and version in front. */
static int make(const struct credential_ak *ak, char **argument, struct err *err)
{
	struct message_proof proof = {.ek = read_file(argument[0])};
	struct message_bytes secret = read_file(argument[2]);
	struct message_credential credential;
	FILE *out = fopen(argument[3], "we");
	int rc;

	if (!out)
		return err_set_errno(err, -1, "%s", argument[3]);
	if (argument[4])
		proof.ek_public = read_file(argument[4]);
	rc = credential_make(&credential, &proof, ak->name, span(&secret), err);
	if (rc == 0) {
		(void)fwrite("\xba\xdc\xc0\xde\0\0\0\1", 1, 8, out);
		(void)fwrite(credential.blob.bytes, 1, credential.blob.size, out);
		(void)fwrite(credential.secret.bytes, 1, credential.secret.size, out);
	}
	(void)fclose(out);
	return rc;
}

static int check_quote(const struct credential_ak *ak, char **argument, struct err *err)
{
	struct message_attestation attestation = {
		.quote = read_file(argument[1]),
		.signature = read_file(argument[2]),
	};
	struct message_bytes pcrs = read_file(argument[3]);
	struct message_bytes extra = read_file(argument[4]);

	memcpy(attestation.pcrs, pcrs.bytes, sizeof(attestation.pcrs));
	return credential_check_quote(ak, &attestation, span(&extra), err);
}

int main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : "";
	bool making = strcmp(command, "make") == 0 && (argc == 6 || argc == 7);
	bool quoting = strcmp(command, "quote") == 0 && argc == 7;
	struct credential_ak ak = {0};
	struct message_bytes public;
	struct err err = {.text = "usage: credential_tool name|make|quote ..."};
	int rc = -1;

	if (making || quoting || (strcmp(command, "name") == 0 && argc == 3)) {
		public = read_file(argv[making ? 3 : 2]);
		rc = credential_read_ak(&ak, span(&public), &err);
	}
	if (rc == 0)
		rc = making    ? make(&ak, argv + 2, &err)
		     : quoting ? check_quote(&ak, argv + 2, &err)
			       : print_name(&ak);
	credential_ak_release(&ak);
	if (rc < 0)
		(void)fprintf(stderr, "%s\n", err.text);
	return rc < 0;
}
