#include "conductor/enrolment/enrolment_registry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/base64.h"
#include "base/macros.h"
#include "conductor/enrolment/handshake_registry.h"
#include "conductor/registry/registry_audit.h"
#include "conductor/registry/registry_conductors.h"
#include "conductor/registry/registry_enrolment.h"
#include "conductor/registry/registry_tokens.h"

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

static int list_conductors(const struct enrolment_context *context, uint16_t listen_port,
			   struct message_accept *ret, struct err *err)
{
	_cleanup_(free_rows) struct registry_conductor *rows = NULL;
	size_t n;
	int rc = registry_conductors_list(context->registry, &rows, &n, err);

	if (rc < 0)
		return rc;
	/* As this one, when its database came later than it: a router that is enrolled with nobody
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
		c->repository_port = context->repository_port;
		read_host_keys(rows[i].ssh_host_keys, c);
	}
	return 0;
}

int enrolment_registry_look_up(const struct enrolment_context *context,
			       const struct message_hello *hello, struct handshake_record *ret,
			       struct message_accept *ret_conductors, struct err *err)
{
	const struct span certificate =
		span_of(context->identity.certificate, context->identity.certificate_size);
	int rc = handshake_registry_look_up(context->registry, hello, certificate, time(NULL), ret,
					    err);

	if (rc < 0 || !ret->known)
		return rc;
	return list_conductors(context, ret->listen_port, ret_conductors, err);
}

/* Is the token one that was issued here? Its number is a secret to strangers. */
static bool token_is_ours(const struct enrolment_handshake *h, struct registry_token *ret)
{
	return h->steps && token_jti_is_valid(h->steps->hello.jti) &&
	       registry_token_find(h->context->registry, h->steps->hello.jti, ret, NULL) == 0;
}

int enrolment_registry_audit(const struct enrolment_handshake *h, bool *ret_counts, struct err *err)
{
	const struct registry_origin origin = {.address = h->address, .time_s = time(NULL)};
	struct registry_token token = {0};
	struct registry_event event = {
		.outcome = h->alert ? REGISTRY_OTHER_DEVICE : REGISTRY_REFUSED,
		.reason = h->err.text,
	};

	*ret_counts = false;
	if (h->verified) {
		event.router = h->steps->hello.router;
		event.node = h->steps->record.node;
	} else if (token_is_ours(h, &token)) {
		event.router = token.router;
	} else {
		*ret_counts = true;
		return 0;
	}
	return registry_audit_append(h->context->registry, &origin, &event, err);
}
