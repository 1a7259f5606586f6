/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/enrolment/identity_files.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic_file.h"
#include "base/macros.h"
#include "onboarding/certificate_list.h"
#include "onboarding/conductor_certificate.h"

#define FILE_SIZE_MAX (256u << 10)

static void free_stack(STACK_OF(X509) * *stack)
{
	sk_X509_free(*stack); /* what is on it is somebody else's */
}

static int read_file(STACK_OF(X509) * *ret, const char *leaf, const char *path, struct err *err)
{
	char *pem = NULL;
	size_t size = 0;
	int rc = file_read(path, FILE_SIZE_MAX, &pem, &size, err);

	if (rc < 0)
		return err_wrap(err, "%s", leaf);
	rc = certificate_list_read(ret, span_of(pem, size), err);
	free(pem);
	return rc < 0 ? err_wrap(err, "%s %s", leaf, path) : 0;
}

int identity_files_read(struct identity_files *ret, const struct config_conductor *config,
			struct err *err)
{
	struct identity_files files = {0};
	int rc = read_file(&files.certificates, "certificate", config->certificate, err);

	if (rc == 0)
		rc = read_file(&files.cas, "ca-certificate", config->ca_certificate, err);
	if (rc < 0)
		identity_files_release(&files);
	else
		*ret = files;
	return rc;
}

void identity_files_release(struct identity_files *files)
{
	sk_X509_pop_free(files->certificates, X509_free);
	sk_X509_pop_free(files->cas, X509_free);
	sk_X509_pop_free(files->chain, X509_free);
	memset(files, 0, sizeof(*files));
}

static bool push_all(STACK_OF(X509) * to, const STACK_OF(X509) * from)
{
	for (int i = 0; i < sk_X509_num(from); i++)
		if (sk_X509_push(to, sk_X509_value(from, i)) == 0)
			return false;
	return true;
}

/* -EKEYREJECTED: the leaf does not lead to this CA. */
static int lead_to(struct identity_files *files, X509 *ca, STACK_OF(X509) * others)
{
	_cleanup_(free_stack) STACK_OF(X509) *trusted = sk_X509_new_null();
	STACK_OF(X509) *chain = NULL;
	int rc;

	if (!trusted || sk_X509_push(trusted, ca) == 0)
		return -ENOMEM;
	rc = conductor_certificate_find_chain(trusted, sk_X509_value(files->certificates, 0),
					      others, &chain, NULL);
	if (rc < 0)
		return rc;
	if (sk_X509_num(chain) > 1)
		X509_free(sk_X509_pop(chain)); /* the CA itself: routers have it */
	files->chain = chain;
	files->ca = ca;
	files->leads = true;
	return 0;
}

int identity_files_choose(struct identity_files *files, struct err *err)
{
	_cleanup_(free_stack) STACK_OF(X509) *others = sk_X509_dup(files->certificates);
	int rc = others && push_all(others, files->cas) ? -EKEYREJECTED : -ENOMEM;

	for (int i = 0; rc == -EKEYREJECTED && i < sk_X509_num(files->cas); i++)
		rc = lead_to(files, sk_X509_value(files->cas, i), others);
	if (rc == -EKEYREJECTED) {
		files->ca = sk_X509_value(files->cas, 0);
		files->chain = X509_chain_up_ref(files->certificates);
		rc = files->chain ? 0 : -ENOMEM;
	}
	return rc < 0 ? err_set(err, rc, "out of memory") : 0;
}
