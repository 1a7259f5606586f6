/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The summary, as the control socket and the metrics show it. */
#include <inttypes.h>
#include <stdarg.h>
#include <time.h>

#include "base/kem.h"
#include "base/macros.h"
#include "conductord/conductor.h"
#include "conductord/old_ports.h"
#include "conductord/summary.h"

static const char *const tunnels_names[] = {
	[TUNNELS_IDLE] = "starting", [TUNNELS_STARTING] = "starting", [TUNNELS_READY] = "ready",
	[TUNNELS_LOST] = "lost",     [TUNNELS_CLOSING] = "stopping",
};

static void add_number(cJSON *json, const char *name, uint64_t number)
{
	(void)cJSON_AddNumberToObject(json, name, (double)number);
}

static void add_text_or_null(cJSON *json, const char *name, const char *text)
{
	if (text[0])
		(void)cJSON_AddStringToObject(json, name, text);
	else
		(void)cJSON_AddNullToObject(json, name);
}

static void add_registry(cJSON *json, const struct summary *s)
{
	cJSON *registry = cJSON_AddObjectToObject(json, "registry");
	cJSON *item;

	(void)cJSON_AddBoolToObject(registry, "reachable", s->at_s != 0 && !s->problem[0]);
	add_text_or_null(registry, "problem", s->at_s != 0 ? s->problem : "not asked yet");
	item = cJSON_AddObjectToObject(registry, "routers");
	for (int mode = ONBOARDING_DISABLED; mode <= ONBOARDING_STRONG; mode++)
		add_number(item, onboarding_mode_name((enum onboarding_mode)mode),
			   s->counts.routers[mode]);
	add_number(registry, "nodes", s->counts.nodes);
	add_number(registry, "enrolments", s->counts.enrolments);
	item = cJSON_AddObjectToObject(registry, "tokens");
	add_number(item, "valid", s->counts.tokens_valid);
	add_number(item, "expired", s->counts.tokens_expired);
	add_number(item, "revoked", s->counts.tokens_revoked);
}

static void add_handshakes(cJSON *json, const struct conductor *c)
{
	const struct enrolment_counts *counts = enrolment_counts(c->enrolment);
	cJSON *handshakes = cJSON_AddObjectToObject(json, "handshakes");

	add_number(handshakes, "enrolled", counts->enrolled);
	add_number(handshakes, "refused", counts->refused);
	add_number(handshakes, "strangers", counts->strangers);
	add_number(handshakes, "retry-later", counts->retry_later);
	add_number(handshakes, "under-way", counts->under_way);
}

/* Adds what an auditor asks for: which algorithms are used where, and that no secret can be
 * recovered from recorded traffic. */
static void add_algorithms(cJSON *json)
{
	cJSON *algorithms = cJSON_AddObjectToObject(json, "algorithms");

	(void)cJSON_AddStringToObject(
		algorithms, "handshake",
		kem_is_there() ? "TLS 1.3, key exchange P-256 or X25519, and " KEM_NAME
				 " beside it where the router has that (hybrid post-quantum); it "
				 "carries no secret"
			       : "TLS 1.3, key exchange P-256 or X25519, and not " KEM_NAME
				 ", which this system's libcrypto has not; it carries no secret");
	(void)cJSON_AddStringToObject(algorithms, "handshake-proof",
				      "HMAC-SHA256, keys by HKDF-SHA256 from the TLS exporter");
	(void)cJSON_AddStringToObject(algorithms, "token", "RS256");
	(void)cJSON_AddStringToObject(algorithms, "tpm", "EK activation, RSASSA-SHA256 quote");
	(void)cJSON_AddStringToObject(
		algorithms, "tunnel",
		"SSH, ssh-ed25519, key exchange mlkem768x25519-sha256 or sntrup761x25519-sha512"
		" (hybrid post-quantum)");
}

static void add_warning(cJSON *warnings, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void add_warning(cJSON *warnings, const char *format, ...)
{
	char text[SUMMARY_OWN_ROW_SIZE];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	(void)cJSON_AddItemToArray(warnings, cJSON_CreateString(text));
}

/* Routers that were away while it moved, and that know no other conductor, cannot hear of it. */
static void add_warnings_of_own_row(cJSON *warnings, const struct summary *s,
				    const struct conductor *c)
{
	const uint64_t tunnels = tunnel_book_count(&c->tunnel_book);
	const int64_t moved_s = s->own_row.moved_s;
	char text[SUMMARY_OWN_ROW_SIZE];
	struct tm utc;

	summary_own_row_text(s, c->node.config->name, text);
	if (text[0])
		add_warning(warnings, "%s", text);
	if (!moved_s || tunnels >= s->counts.enrolments || !gmtime_r(&moved_s, &utc))
		return;
	(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
	add_warning(
		warnings,
		"this conductor has another address or SSH host key since %s, and %llu of %u "
		"enrolled nodes have no tunnel to it: one that knows no other conductor needs a "
		"new token",
		text, (unsigned long long)(s->counts.enrolments - tunnels), s->counts.enrolments);
}

static void add_warnings(cJSON *json, const struct summary *s, const struct conductor *c)
{
	const bool requires_post_quantum = c->node.config->conductor.post_quantum.required;
	cJSON *warnings = cJSON_AddArrayToObject(json, "warnings");

	add_warnings_of_own_row(warnings, s, c);

	if (s->certificate_problem[0])
		add_warning(warnings, "no token can be made: %s", s->certificate_problem);
	if (s->clock_problem[0])
		add_warning(warnings, "%s: nobody is enrolled, and no token issued",
			    s->clock_problem);
	if (requires_post_quantum && !kem_is_there())
		add_warning(warnings,
			    "post-quantum required: nobody is enrolled, as this system's libcrypto "
			    "has no " KEM_NAME " (OpenSSL 3.5 and Debian 13 have)");
	if (summary_warns_of_old_ports(s))
		add_warning(warnings,
			    "something listens on port 4505 or 4506, which no router needs any "
			    "more; this closes them: " OLD_PORTS_COMMAND);
}

cJSON *summary_to_json(const struct summary *s, const struct conductor *c)
{
	const struct config *config = c->node.config;
	cJSON *json = cJSON_CreateObject();
	cJSON *certificate;

	(void)cJSON_AddStringToObject(json, "name", config->name);
	(void)cJSON_AddStringToObject(json, "address", config->conductor.address);
	add_number(json, "port", config->conductor.port);
	add_registry(json, s);
	add_handshakes(json, c);
	(void)cJSON_AddStringToObject(json, "tunnels", tunnels_names[c->tunnels.state]);
	certificate = cJSON_AddObjectToObject(json, "certificate");
	if (s->certificate_ends_s)
		add_number(certificate, "expires", (uint64_t)s->certificate_ends_s);
	else
		(void)cJSON_AddNullToObject(certificate, "expires");
	add_text_or_null(certificate, "problem", s->certificate_problem);
	add_algorithms(json);
	add_warnings(json, s, c);
	return json;
}

static void head(FILE *out, const char *name, const char *type, const char *help)
{
	(void)fprintf(out, "# TYPE %s %s\n# HELP %s %s\n", name, type, name, help);
}

static void write_gauge(FILE *out, const char *name, const char *help, int64_t value)
{
	head(out, name, "gauge", help);
	(void)fprintf(out, "%s %" PRId64 "\n", name, value);
}

static void write_registered(const struct summary *s, FILE *out)
{
	write_gauge(out, "steward_registry_reachable", "Does the registry answer?",
		    s->at_s != 0 && !s->problem[0]);
	head(out, "steward_routers", "gauge", "Routers by mode.");
	for (int mode = ONBOARDING_DISABLED; mode <= ONBOARDING_STRONG; mode++)
		(void)fprintf(out, "steward_routers{mode=\"%s\"} %u\n",
			      onboarding_mode_name((enum onboarding_mode)mode),
			      s->counts.routers[mode]);
	write_gauge(out, "steward_nodes", "Nodes of all routers.", s->counts.nodes);
	write_gauge(out, "steward_enrolments", "Nodes that are enrolled.", s->counts.enrolments);
	head(out, "steward_tokens", "gauge", "Onboarding tokens by state.");
	(void)fprintf(out,
		      "steward_tokens{state=\"valid\"} %u\nsteward_tokens{state=\"expired\"} %u\n"
		      "steward_tokens{state=\"revoked\"} %u\n",
		      s->counts.tokens_valid, s->counts.tokens_expired, s->counts.tokens_revoked);
	write_gauge(out, "steward_certificate_expiry_timestamp_seconds",
		    "When the conductor's certificate ends; 0 = it cannot be used.",
		    s->certificate_ends_s);
}

static void write_handshakes(const struct conductor *c, FILE *out)
{
	const struct enrolment_counts *counts = enrolment_counts(c->enrolment);
	const struct {
		const char *outcome;
		uint64_t n;
	} rows[] = {
		{"enrolled", counts->enrolled},
		{"refused", counts->refused},
		{"stranger", counts->strangers},
		{"retry-later", counts->retry_later},
	};

	head(out, "steward_handshakes", "counter", "Handshakes that ended, by outcome.");
	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		(void)fprintf(out, "steward_handshakes_total{outcome=\"%s\"} %" PRIu64 "\n",
			      rows[i].outcome, rows[i].n);
	write_gauge(out, "steward_handshakes_under_way", "Handshakes now.", counts->under_way);
}

static void write_kinds(FILE *out, const char *name, uint64_t tls, uint64_t ssh)
{
	(void)fprintf(out,
		      "%s{kind=\"tls\"} %" PRIu64 "\n"
		      "%s{kind=\"ssh\"} %" PRIu64 "\n",
		      name, tls, name, ssh);
}

static void write_port(const struct conductor *c, FILE *out)
{
	const struct port_mux *port = enrolment_port(c->enrolment);
	const struct port_mux_counts counts = port_mux_counts(port);
	const struct {
		const char *kind;
		uint64_t n;
	} rows[] = {
		{"tls", counts.tls},         {"ssh", counts.ssh},
		{"garbage", counts.garbage}, {"silent", counts.silent},
		{"refused", counts.refused}, {"no-descriptor", counts.accept_failures},
	};

	head(out, "steward_port_connections", "counter",
	     "Connections to the open port, by what they turned out to be.");
	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		(void)fprintf(out, "steward_port_connections_total{kind=\"%s\"} %" PRIu64 "\n",
			      rows[i].kind, rows[i].n);
	head(out, "steward_port_shown_out", "counter",
	     "Of them, those that had their turn and stalled while others waited.");
	write_kinds(out, "steward_port_shown_out_total", counts.tls_shown_out,
		    counts.ssh_shown_out);
	head(out, "steward_port_turned_away", "counter",
	     "Of them, those whose turn did not come in time.");
	write_kinds(out, "steward_port_turned_away_total", counts.tls_turned_away,
		    counts.ssh_turned_away);
	head(out, "steward_port_waiting", "gauge", "Who waits for its turn now.");
	write_kinds(out, "steward_port_waiting", port_mux_waiting(port, PORT_TLS),
		    port_mux_waiting(port, PORT_SSH));
	write_gauge(out, "steward_tunnels_ready", "Can routers build tunnels?",
		    c->tunnels.state == TUNNELS_READY);
}

void summary_write_metrics(const struct summary *s, const struct conductor *c, FILE *out)
{
	write_registered(s, out);
	write_handshakes(c, out);
	write_port(c, out);
}
