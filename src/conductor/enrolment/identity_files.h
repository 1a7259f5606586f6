/* SPDX-License-Identifier: GPL-3.0-or-later */
/* identity_files.h - the files of the conductor's certificate and of its CA: which certificate in
 * them is whose, in whatever order they are.
 */
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/settings.h"

/* All owned. Zeroed = nothing was read. */
struct identity_files {
	STACK_OF(X509) * certificates; /* of the file of the certificate; once the leaf is known it
					* is the first */
	STACK_OF(X509) * cas;          /* of the file of the CA */
	STACK_OF(X509) * chain;        /* the leaf and what leads from it to ca, without ca */
	X509 *ca;                      /* borrowed from cas: the one that tokens name */
	bool leads;                    /* chain does lead to ca */
};

/* Reads both. Errors: a file's own; -EINVAL: there is no certificate in it. */
int identity_files_read(struct identity_files *ret, const struct config_conductor *config,
			struct err *err);
void identity_files_release(struct identity_files *files);

/* Chooses the CA: the first of its file to which the leaf leads, and the way to it. Where there is
 * no such CA, it is the first, and the chain is what is in the certificate's file: a rehearsal then
 * tells what is wrong with it. -ENOMEM. */
int identity_files_choose(struct identity_files *files, struct err *err);
