/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductord/answer.h"

#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/hex.h"
#include "base/span.h"
#include "conductor/tunnels/authorized_keys.h"

static void add_text_or_null(cJSON *json, const char *member, const char *text)
{
	if (text[0])
		(void)cJSON_AddStringToObject(json, member, text);
	else
		(void)cJSON_AddNullToObject(json, member);
}

static void add_base64_or_null(cJSON *json, const char *member, const uint8_t *bytes, size_t size)
{
	char *text = size > 0 ? base64_encode(span_of(bytes, size)) : NULL;

	add_text_or_null(json, member, text ? text : "");
	free(text);
}

cJSON *answer_node(const struct registry_node *node)
{
	cJSON *json = cJSON_CreateObject();

	(void)cJSON_AddStringToObject(json, "name", node->name);
	add_text_or_null(json, "asset-id", node->asset_id);
	add_base64_or_null(json, "endorsement-key", node->endorsement_key,
			   node->endorsement_key_size);
	(void)cJSON_AddBoolToObject(json, "enrolled", node->enrolled);
	(void)cJSON_AddNumberToObject(json, "listen-port", node->listen_port);
	return json;
}

static void add_labels(cJSON *json, const struct registry_router *router,
		       const struct registry_label *labels, size_t n)
{
	cJSON *object = cJSON_AddObjectToObject(json, "labels");

	for (size_t i = 0; i < n; i++)
		if (strcmp(labels[i].router, router->name) == 0)
			(void)cJSON_AddStringToObject(object, labels[i].name, labels[i].value);
}

cJSON *answer_router(const struct registry_router *router, const struct registry_node *nodes,
		     size_t n_nodes, const struct registry_label *labels, size_t n_labels)
{
	cJSON *json = cJSON_CreateObject();
	cJSON *array;

	(void)cJSON_AddStringToObject(json, "name", router->name);
	(void)cJSON_AddStringToObject(json, "mode", onboarding_mode_name(router->mode));
	(void)cJSON_AddBoolToObject(json, "has-pre-shared-secret", router->has_secret);
	(void)cJSON_AddNumberToObject(json, "revision", (double)router->revision);
	add_labels(json, router, labels, n_labels);
	array = cJSON_AddArrayToObject(json, "nodes");
	for (size_t i = 0; i < n_nodes; i++)
		if (strcmp(nodes[i].router, router->name) == 0)
			(void)cJSON_AddItemToArray(array, answer_node(&nodes[i]));
	return json;
}

static const char *token_state(const struct registry_token *token, int64_t now_s)
{
	if (token->revoked_s)
		return "revoked";
	return token->expires_s <= now_s ? "expired" : "valid";
}

cJSON *answer_token(const struct registry_token *token, int64_t now_s)
{
	cJSON *json = cJSON_CreateObject();

	(void)cJSON_AddStringToObject(json, "jti", token->jti);
	(void)cJSON_AddStringToObject(json, "router", token->router);
	(void)cJSON_AddNumberToObject(json, "iat", (double)token->issued_s);
	(void)cJSON_AddNumberToObject(json, "exp", (double)token->expires_s);
	(void)cJSON_AddStringToObject(json, "state", token_state(token, now_s));
	return json;
}

cJSON *answer_enrolment(const struct registry_enrolment *enrolment)
{
	char digest[2 * REGISTRY_DIGEST_SIZE + 1];
	char fingerprint[AUTHORIZED_KEY_FINGERPRINT_SIZE];
	cJSON *json = cJSON_CreateObject();
	cJSON *pcrs;

	(void)cJSON_AddStringToObject(json, "router", enrolment->router);
	(void)cJSON_AddStringToObject(json, "node", enrolment->node);
	(void)cJSON_AddStringToObject(json, "pinned-by",
				      registry_pin_kind_name(enrolment->pin.kind));
	hex_encode(span_of(enrolment->pin.digest, REGISTRY_DIGEST_SIZE), digest);
	(void)cJSON_AddStringToObject(json, "pin", digest);
	(void)cJSON_AddStringToObject(json, "jti", enrolment->jti);
	(void)cJSON_AddNumberToObject(json, "time", (double)enrolment->enrolled_s);
	(void)cJSON_AddStringToObject(json, "address", enrolment->address);
	(void)cJSON_AddNumberToObject(json, "listen-port", enrolment->listen_port);
	(void)cJSON_AddStringToObject(json, "key-exchange", enrolment->key_exchange);
	authorized_key_fingerprint(enrolment->ssh_key, fingerprint);
	(void)cJSON_AddStringToObject(json, "ssh-key", fingerprint);
	if (!enrolment->has_pcrs) {
		(void)cJSON_AddNullToObject(json, "pcrs");
		return json;
	}
	pcrs = cJSON_AddArrayToObject(json, "pcrs");
	for (size_t i = 0; i < REGISTRY_N_PCRS; i++) {
		hex_encode(span_of(enrolment->pcrs[i], REGISTRY_DIGEST_SIZE), digest);
		(void)cJSON_AddItemToArray(pcrs, cJSON_CreateString(digest));
	}
	return json;
}

cJSON *answer_audit(const struct registry_audit_row *row)
{
	cJSON *json = cJSON_CreateObject();

	(void)cJSON_AddNumberToObject(json, "time", (double)row->time_s);
	(void)cJSON_AddStringToObject(json, "conductor", row->conductor);
	(void)cJSON_AddStringToObject(json, "address", row->address);
	add_text_or_null(json, "router", row->router);
	add_text_or_null(json, "node", row->node);
	(void)cJSON_AddStringToObject(json, "outcome", registry_outcome_name(row->outcome));
	(void)cJSON_AddStringToObject(json, "reason", row->reason);
	return json;
}
