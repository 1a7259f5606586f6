/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/peer_chain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "onboarding/key_bounds.h"

int peer_chain_check(const char *what, const struct span *certificates, size_t n, struct err *err)
{
	struct err why;

	if (n == 0)
		return err_set(err, -EBADMSG, "%s: there is none", what);
	if (n > PEER_CHAIN_MAX)
		return err_set(err, -E2BIG, "%s: more than %d certificates in its chain", what,
			       PEER_CHAIN_MAX);
	for (size_t i = 0; i < n; i++) {
		char place[40];

		(void)snprintf(place, sizeof(place), "number %zu of the chain", i + 1);
		if (certificates[i].size > PEER_CHAIN_CERTIFICATE_MAX)
			return err_set(err, -E2BIG, "%s: %s: %zu bytes, at most %d are taken", what,
				       place, certificates[i].size, PEER_CHAIN_CERTIFICATE_MAX);
		if ((i == 0 ? key_bounds_check_certificate
			    : key_bounds_check_ca_certificate)(place, certificates[i], &why) < 0)
			return err_set(err, why.code, "%s: %s", what, why.text);
	}
	return 0;
}

static int copy(struct peer_chain *chain, const struct span *certificates, size_t n)
{
	size_t size = 0;
	uint8_t *at;

	for (size_t i = 0; i < n; i++)
		size += certificates[i].size;
	chain->bytes = malloc(MAX(size, 1));
	if (!chain->bytes)
		return err_set(&chain->err, -ENOMEM, "out of memory");
	at = chain->bytes;
	for (size_t i = 0; i < n; i++) {
		memcpy(at, certificates[i].bytes, certificates[i].size);
		chain->certificates[i] = span_of(at, certificates[i].size);
		at += certificates[i].size;
	}
	chain->n = n;
	return 0;
}

int peer_chain_keep(struct peer_chain *chain, const struct span *certificates, size_t n)
{
	int rc = peer_chain_check("the peer's certificate", certificates, n, &chain->err);

	return rc < 0 ? rc : copy(chain, certificates, n);
}

void peer_chain_release(struct peer_chain *chain)
{
	free(chain->bytes);
	memset(chain, 0, sizeof(*chain));
}
