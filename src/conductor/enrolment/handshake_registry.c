#include "conductor/enrolment/handshake_registry.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/macros.h"
#include "conductor/registry/registry_conductors.h"
#include "conductor/registry/registry_lookup.h"

static void fill_record(const struct registry_candidate *candidate, struct handshake_record *ret)
{
	const struct registry_claims *claims = &candidate->claims;

	(void)snprintf(ret->node, sizeof(ret->node), "%s", candidate->node);
	ret->mode = claims->mode;
	ret->listen_port = candidate->listen_port;
	memcpy(ret->secret, claims->secret, sizeof(ret->secret));
	memcpy(ret->asset_ids, claims->asset_ids, sizeof(ret->asset_ids));
	ret->n_asset_ids = claims->n_asset_ids;
	ret->ek.size = MIN(candidate->endorsement_key_size, sizeof(ret->ek.bytes));
	memcpy(ret->ek.bytes, candidate->endorsement_key, ret->ek.size);
	ret->pin = candidate->pin;
	/* A number that was never given out, or went with its router, is as good as revoked. */
	ret->revoked = candidate->token_is_revoked || !candidate->token_is_known;
	(void)snprintf(ret->changed, sizeof(ret->changed), "%s", candidate->changed);
}

int handshake_registry_look_up(struct registry *r, const struct message_hello *hello,
			       struct span certificate, int64_t now_s, struct handshake_record *ret,
			       struct err *err)
{
	struct registry_question question = {.router = hello->router,
					     .asset_id = hello->asset_id,
					     .jti = hello->jti,
					     .certificate = certificate};
	struct registry_candidate candidate;
	struct err why;
	int rc;

	*ret = (struct handshake_record){0};
	rc = registry_lookup(r, &question, now_s, &candidate, &why);
	(void)snprintf(ret->router, sizeof(ret->router), "%s", candidate.claims.router);
	ret->known = ret->router[0] != '\0';
	ret->clock_set_back = rc == -ETIME;
	if (rc == 0)
		fill_record(&candidate, ret);
	registry_candidate_release(&candidate);
	/* These two are answers: the handshake says them in its own words. */
	return rc == 0 || rc == -ENOENT || rc == -ETIME ? 0 : err_set(err, rc, "%s", why.text);
}

void handshake_record_release(struct handshake_record *record)
{
	explicit_bzero(record, sizeof(*record));
}

static void free_rows(void *rows)
{
	free(*(void **)rows);
}

/* Blobs in base64, a line each. */
static void read_host_keys(const char *lines, struct message_conductor *ret)
{
	while (*lines && ret->n_ssh_host_keys < MESSAGE_HOST_KEYS_MAX) {
		size_t length = strcspn(lines, "\n");
		struct message_host_key *key = &ret->ssh_host_keys[ret->n_ssh_host_keys];
		uint8_t *blob = NULL;
		size_t size = 0;

		if (base64_decode(span_of(lines, length), &blob, &size) == 0 &&
		    size <= sizeof(key->bytes)) {
			memcpy(key->bytes, blob, size);
			key->size = size;
			ret->n_ssh_host_keys++;
		}
		free(blob);
		lines += length + (lines[length] == '\n');
	}
}

int handshake_registry_list_conductors(struct registry *r, uint16_t listen_port,
				       uint16_t repository_port, struct message_accept *ret,
				       struct err *err)
{
	_cleanup_(free_rows) struct registry_conductor *rows = NULL;
	size_t n;
	int rc = registry_conductors_list(r, &rows, &n, err);

	if (rc < 0)
		return rc;
	/* As this one is not, when its database came later than it: a router that is enrolled then
	 * would have nowhere to go. */
	if (n == 0)
		return err_set(err, -EAGAIN, "no conductor is registered yet");
	ret->conductors = calloc(MESSAGE_CONDUCTORS_MAX, sizeof(*ret->conductors));
	if (!ret->conductors)
		return err_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < n && ret->n_conductors < MESSAGE_CONDUCTORS_MAX; i++) {
		struct message_conductor *c = &ret->conductors[ret->n_conductors++];

		(void)snprintf(c->host, sizeof(c->host), "%s", rows[i].host);
		c->port = rows[i].port;
		c->listen_port = listen_port;
		c->repository_port = repository_port;
		read_host_keys(rows[i].ssh_host_keys, c);
	}
	return 0;
}

struct registry_proof handshake_registry_proof(const struct handshake_conductor *h)
{
	const struct handshake_enrolment *enrolment = &h->enrolment;
	struct registry_proof proof = {
		.router = h->record.router,
		.asset_id = h->hello.asset_id,
		.jti = h->hello.jti,
		.mode = h->record.mode,
		.secret = span_of(h->record.secret, sizeof(h->record.secret)),
		.pin = enrolment->pin,
		.ssh_key = span_of(enrolment->ssh_key, sizeof(enrolment->ssh_key)),
		.pcrs = span_of(enrolment->pcrs, enrolment->has_pcrs ? sizeof(enrolment->pcrs) : 0),
	};

	assert(proof.pin.kind != REGISTRY_PIN_NONE); /* nobody comes to the commit without */
	return proof;
}
