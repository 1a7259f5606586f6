/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Routers, tokens, enrolments, and how onboarding stands, as tables for people. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/macros.h"
#include "stewardctl/format.h"
#include "stewardctl/member.h"
#include "stewardctl/show.h"

static const char *yes_or_no(const cJSON *object, const char *name)
{
	return cJSON_IsTrue(cJSON_GetObjectItem(object, name)) ? "yes" : "no";
}

static const char *or_dash(const char *text)
{
	return text[0] ? text : "-";
}

void show_routers_head(void)
{
	(void)printf("%-24s %-10s %-8s %6s %9s\n", "ROUTER", "MODE", "SECRET", "NODES", "ENROLLED");
}

void show_routers_row(const cJSON *router)
{
	const cJSON *nodes = cJSON_GetObjectItem(router, "nodes");
	unsigned enrolled = 0;
	const cJSON *node;

	cJSON_ArrayForEach (node, nodes)
		if (cJSON_IsTrue(cJSON_GetObjectItem(node, "enrolled")))
			enrolled++;
	(void)printf("%-24s %-10s %-8s %6d %9u\n", member_text(router, "name"),
		     member_text(router, "mode"), yes_or_no(router, "has-pre-shared-secret"),
		     cJSON_GetArraySize(nodes), enrolled);
}

static void show_labels(const cJSON *labels)
{
	const cJSON *label;

	cJSON_ArrayForEach (label, labels)
		(void)printf("%-18s %s %s\n", label == labels->child ? "Labels" : "", label->string,
			     cJSON_IsString(label) ? label->valuestring : "");
}

void show_router(const cJSON *router)
{
	const cJSON *item;

	(void)printf("Router             %s\n", member_text(router, "name"));
	(void)printf("Mode               %s\n", member_text(router, "mode"));
	(void)printf("Pre-shared secret  %s\n", yes_or_no(router, "has-pre-shared-secret"));
	show_labels(cJSON_GetObjectItem(router, "labels"));
	(void)printf("\n%-16s %-24s %-9s %6s  %s\n", "NODE", "ASSET-ID", "ENROLLED", "PORT",
		     "ENDORSEMENT KEY");
	cJSON_ArrayForEach (item, cJSON_GetObjectItem(router, "nodes"))
		(void)printf("%-16s %-24s %-9s %6.0f  %s\n", member_text(item, "name"),
			     or_dash(member_text(item, "asset-id")), yes_or_no(item, "enrolled"),
			     member_number(item, "listen-port"),
			     member_text(item, "endorsement-key")[0] ? "configured" : "-");
}

static void show_secrets(const cJSON *secrets)
{
	const cJSON *item;
	const cJSON *state;

	if (cJSON_GetArraySize(secrets) > 0)
		(void)printf("\n%-16s %-16s %s\n", "NODE", "STATE", "SECRET");
	cJSON_ArrayForEach (item, secrets)
		cJSON_ArrayForEach (state, cJSON_GetObjectItem(item, "nodes"))
			(void)printf("%-16s %-16s %s\n", state->string,
				     cJSON_IsString(state) ? state->valuestring : "",
				     member_text(item, "path"));
}

void show_router_configuration(const cJSON *answer)
{
	char *text;

	if (member_number(answer, "revision") == 0)
		return;
	text = cJSON_Print(cJSON_GetObjectItem(answer, "configuration"));
	(void)printf("\nConfiguration, revision %.0f\n%s\n", member_number(answer, "revision"),
		     text ? text : "");
	free(text);
	show_secrets(cJSON_GetObjectItem(answer, "secrets"));
}

void show_tokens_head(void)
{
	(void)printf("%-32s %-24s %-8s %-20s  %s\n", "TOKEN", "ROUTER", "STATE", "ISSUED",
		     "EXPIRES");
}

void show_tokens_row(const cJSON *token)
{
	char issued[FORMAT_SIZE];
	char expires[FORMAT_SIZE];

	(void)printf("%-32s %-24s %-8s %-20s  %s\n", member_text(token, "jti"),
		     member_text(token, "router"), member_text(token, "state"),
		     format_date(issued, (int64_t)member_number(token, "iat")),
		     format_date(expires, (int64_t)member_number(token, "exp")));
}

static const char *text_or(const cJSON *item, const char *member, const char *otherwise)
{
	const char *text = member_text(item, member);

	return text[0] ? text : otherwise;
}

void show_enrolments_head(void)
{
	(void)printf("%-24s %-12s %-16s %-20s %6s  %-18s %-16s  %-18s %s\n", "ROUTER", "NODE",
		     "ADDRESS", "ENROLLED", "PORT", "PINNED BY", "DIGEST", "HANDSHAKE BY",
		     "TUNNEL BY");
}

void show_enrolments_row(const cJSON *enrolment)
{
	char date[FORMAT_SIZE];

	(void)printf("%-24s %-12s %-16s %-20s %6.0f  %-18s %-16.16s  %-18s %s\n",
		     member_text(enrolment, "router"), member_text(enrolment, "node"),
		     member_text(enrolment, "address"),
		     format_date(date, (int64_t)member_number(enrolment, "time")),
		     member_number(enrolment, "listen-port"), member_text(enrolment, "pinned-by"),
		     member_text(enrolment, "pin"), member_text(enrolment, "key-exchange"),
		     text_or(enrolment, "tunnel-key-exchange", "-"));
}

void show_conductors(const cJSON *answer)
{
	const cJSON *item;
	char date[FORMAT_SIZE];

	(void)printf("%-24s %-32s %6s  %-20s  %s\n", "CONDUCTOR", "ADDRESS", "PORT", "REGISTERED",
		     "HOST KEYS");
	cJSON_ArrayForEach (item, cJSON_GetObjectItem(answer, "conductors"))
		(void)printf("%-24s %-32s %6.0f  %-20s  %9d\n", member_text(item, "name"),
			     member_text(item, "host"), member_number(item, "port"),
			     format_date(date, (int64_t)member_number(item, "registered")),
			     cJSON_GetArraySize(cJSON_GetObjectItem(item, "ssh-host-keys")));
}

/* Shows a tunnel, and below it why it is down. */
static void show_tunnel(const cJSON *conductor)
{
	const char *problem = member_text(conductor, "problem");
	const double since = member_number(conductor, "since");
	const double next = member_number(conductor, "next-try");
	char date[FORMAT_SIZE] = "-";

	if (since > 0)
		(void)format_date(date, (int64_t)since);
	(void)printf("%-32s %6.0f  %-10s  %-20s  %s\n", member_text(conductor, "host"),
		     member_number(conductor, "port"), member_text(conductor, "tunnel"), date,
		     text_or(conductor, "key-exchange", "-"));
	if (cJSON_IsTrue(cJSON_GetObjectItem(conductor, "leaving")))
		(void)printf("  is listed no more, and kept until a listed one is reached\n");
	if (!problem[0])
		return;
	(void)printf("  %s\n", problem);
	if (next > 0)
		(void)printf("  next try in %.0f s\n", MAX(next - (double)time(NULL), 0));
}

/* Shows a newer token beside the one in force. */
static void show_next(const cJSON *next)
{
	if (!cJSON_IsObject(next))
		return;
	(void)printf("\nNewer token  %s %s\n", member_text(next, "state"),
		     member_text(next, "jti"));
	if (member_text(next, "reason")[0])
		(void)printf("Reason       %s\n", member_text(next, "reason"));
}

/* On a router: which step it is at, and why it does not go on. */
static void show_router_story(const cJSON *answer)
{
	const char *separator = "Asked      ";
	const cJSON *item;

	(void)printf("State      %s\n", member_text(answer, "state"));
	if (member_text(answer, "reason")[0])
		(void)printf("Reason     %s\n", member_text(answer, "reason"));
	if (member_text(answer, "name")[0])
		(void)printf("Router     %s\n", member_text(answer, "name"));
	(void)printf("Mode       at least %s\n", member_text(answer, "minimum-mode"));
	cJSON_ArrayForEach (item, cJSON_GetObjectItem(answer, "conductor-hosts")) {
		(void)printf("%s%s", separator, cJSON_GetStringValue(item));
		separator = ", ";
		if (!item->next)
			(void)printf("\n");
	}
	if (member_text(answer, "handshake-key-exchange")[0])
		(void)printf("Handshake  %s\n", member_text(answer, "handshake-key-exchange"));
	(void)printf("Tunnels    SSH, %s\n", member_text(answer, "key-exchange"));
	if (cJSON_GetArraySize(cJSON_GetObjectItem(answer, "conductors")) > 0)
		(void)printf("\n%-32s %6s  %-10s  %-20s  %s\n", "CONDUCTOR", "PORT", "TUNNEL",
			     "SINCE", "KEY EXCHANGE");
	cJSON_ArrayForEach (item, cJSON_GetObjectItem(answer, "conductors"))
		show_tunnel(item);
	if (member_text(answer, "advice")[0])
		(void)printf("\n%s.\n", member_text(answer, "advice"));
	show_next(cJSON_GetObjectItem(answer, "next"));
}

static void show_registered(const cJSON *registry)
{
	const cJSON *tokens = cJSON_GetObjectItem(registry, "tokens");
	const cJSON *item;

	if (member_text(registry, "problem")[0]) {
		(void)printf("Registry     cannot be asked: %s\n",
			     member_text(registry, "problem"));
		return;
	}
	(void)printf("Routers     ");
	cJSON_ArrayForEach (item, cJSON_GetObjectItem(registry, "routers"))
		(void)printf(" %.0f %s%s", item->valuedouble, item->string,
			     item->next ? "," : "\n");
	(void)printf("Nodes        %.0f, %.0f enrolled\n", member_number(registry, "nodes"),
		     member_number(registry, "enrolments"));
	(void)printf("Tokens       %.0f valid, %.0f expired, %.0f revoked\n",
		     member_number(tokens, "valid"), member_number(tokens, "expired"),
		     member_number(tokens, "revoked"));
}

static void show_conductor(const cJSON *answer)
{
	const cJSON *handshakes = cJSON_GetObjectItem(answer, "handshakes");
	const cJSON *certificate = cJSON_GetObjectItem(answer, "certificate");
	const cJSON *item;
	char date[FORMAT_SIZE];

	(void)printf("Conductor    %s, %s port %.0f\n", member_text(answer, "name"),
		     member_text(answer, "address"), member_number(answer, "port"));
	show_registered(cJSON_GetObjectItem(answer, "registry"));
	(void)printf("Handshakes   %.0f enrolled, %.0f refused, %.0f strangers, %.0f under way\n",
		     member_number(handshakes, "enrolled"), member_number(handshakes, "refused"),
		     member_number(handshakes, "strangers"),
		     member_number(handshakes, "under-way"));
	(void)printf("Tunnels      %s\n", member_text(answer, "tunnels"));
	if (member_number(certificate, "expires") > 0)
		(void)printf("Certificate  until %s\n",
			     format_date(date, (int64_t)member_number(certificate, "expires")));
	cJSON_ArrayForEach (item, cJSON_GetObjectItem(answer, "algorithms"))
		(void)printf("%s%s: %s\n", item->prev->next ? "             " : "Algorithms   ",
			     item->string, cJSON_GetStringValue(item));
	cJSON_ArrayForEach (item, cJSON_GetObjectItem(answer, "warnings"))
		(void)printf("WARNING      %s\n", cJSON_GetStringValue(item));
}

void show_onboarding(const cJSON *answer)
{
	if (cJSON_GetObjectItem(answer, "state"))
		show_router_story(answer);
	else
		show_conductor(answer);
}
