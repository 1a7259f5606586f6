/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "node/metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/printable.h"
#include "node/node.h"

#define LABEL_SIZE 1024
#define TYPE       "application/openmetrics-text; version=1.0.0; charset=utf-8"

static void head(FILE *out, const char *name, const char *type, const char *help)
{
	(void)fprintf(out, "# TYPE %s %s\n# HELP %s %s\n", name, type, name, help);
}

/* Labels are cut, since no name has several KiB. */
void metrics_label(FILE *out, const char *name, const char *value)
{
	char text[LABEL_SIZE];

	printable_copy(value, text, sizeof(text));
	(void)fprintf(out, "%s=\"", name);
	for (const char *at = text; *at; at++) {
		if (*at == '"' || *at == '\\')
			(void)fputc('\\', out);
		(void)fputc(*at, out);
	}
	(void)fputc('"', out);
}

static void write_daemon(const struct node *n, FILE *out)
{
	head(out, "steward_build", "info", "The daemon.");
	(void)fprintf(out, "steward_build_info{version=\"%s\"} 1\n", STEWARD_VERSION);
	head(out, "steward_uptime_seconds", "gauge", "Since the daemon started.");
	(void)fprintf(out, "steward_uptime_seconds %" PRIu64 "\n",
		      (download_clock_ms() - n->started_ms) / 1000);
	head(out, "steward_max_bandwidth_bytes", "gauge",
	     "Limit of all downloads that is in force, bytes a second; 0 = unlimited.");
	(void)fprintf(out, "steward_max_bandwidth_bytes %" PRIu64 "\n", n->bandwidth.limit_bps / 8);
	head(out, "steward_images", "gauge", "Images on this node.");
	(void)fprintf(out, "steward_images %zu\n", repository_count(n->repository));
}

static void write_states(const struct node *n, FILE *out)
{
	head(out, "steward_downloads", "gauge", "Downloads by state.");
	for (int state = ENGINE_QUEUED; state <= ENGINE_FAILED; state++) {
		unsigned count = 0;

		for (const struct download *at = download_list_first(n->downloads); at;
		     at = at->next)
			count += download_state(at) == (enum engine_state)state;
		(void)fprintf(out, "steward_downloads{state=\"%s\"} %u\n",
			      engine_state_name((enum engine_state)state), count);
	}
}

typedef uint64_t (*download_value)(const struct download *d);

static uint64_t bytes_total(const struct download *d)
{
	return d->manifest.size;
}

static uint64_t bytes_verified(const struct download *d)
{
	return download_bytes_verified(d);
}

static uint64_t bytes_fetched(const struct download *d)
{
	return d->engine.bytes_fetched;
}

static uint64_t bytes_reused(const struct download *d)
{
	return d->engine.bytes_reused;
}

static uint64_t rate(const struct download *d)
{
	return d->rate;
}

static void write_value(const struct node *n, FILE *out, const char *name, const char *suffix,
			download_value value)
{
	for (const struct download *at = download_list_first(n->downloads); at; at = at->next) {
		(void)fprintf(out, "%s%s{", name, suffix);
		metrics_label(out, "version", at->version);
		(void)fprintf(out, "} %" PRIu64 "\n", value(at));
	}
}

static void write_downloads(const struct node *n, FILE *out)
{
	head(out, "steward_download_size_bytes", "gauge", "Of the image.");
	write_value(n, out, "steward_download_size_bytes", "", bytes_total);
	head(out, "steward_download_verified_bytes", "gauge", "Verified and on disk.");
	write_value(n, out, "steward_download_verified_bytes", "", bytes_verified);
	head(out, "steward_download_fetched_bytes", "counter",
	     "Body bytes received since the download began.");
	write_value(n, out, "steward_download_fetched_bytes", "_total", bytes_fetched);
	head(out, "steward_download_reused_bytes", "counter",
	     "Copied from other images of this node, and not fetched.");
	write_value(n, out, "steward_download_reused_bytes", "_total", bytes_reused);
	head(out, "steward_download_rate_bytes", "gauge", "Body bytes a second now.");
	write_value(n, out, "steward_download_rate_bytes", "", rate);
}

static void write_source(FILE *out, const char *name, const struct download *d,
			 const struct source *s, uint64_t value)
{
	(void)fprintf(out, "%s_total{", name);
	metrics_label(out, "version", d->version);
	(void)fputc(',', out);
	metrics_label(out, "source", s->name);
	(void)fprintf(out, ",kind=\"%s\"} %" PRIu64 "\n", source_kind_name(s->kind), value);
}

static void write_sources(const struct node *n, FILE *out, const char *name, const char *help,
			  size_t offset)
{
	head(out, name, "counter", help);
	for (const struct download *at = download_list_first(n->downloads); at; at = at->next)
		for (unsigned i = 0; i < at->engine.n_sources; i++) {
			const struct source *s = &at->engine.sources[i];
			uint64_t value = *(const uint64_t *)((const char *)s + offset);

			write_source(out, name, at, s, value);
		}
}

void metrics_reply(const struct node *n, struct http_exchange *x)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out) {
		http_reply_problem(x, 500, "out of memory");
		return;
	}
	write_daemon(n, out);
	write_states(n, out);
	write_downloads(n, out);
	write_sources(n, out, "steward_source_requests", "Requests made to a source.",
		      offsetof(struct source, requests));
	write_sources(n, out, "steward_source_failures", "Requests that failed.",
		      offsetof(struct source, failures));
	write_sources(n, out, "steward_source_bytes", "Body bytes received from a source.",
		      offsetof(struct source, bytes));
	if (n->program->write_metrics)
		n->program->write_metrics(n, out);
	(void)fputs("# EOF\n", out);
	if (fclose(out) == 0)
		http_reply_text(x, 200, TYPE, text);
	else
		http_reply_problem(x, 500, "out of memory");
	free(text);
}
