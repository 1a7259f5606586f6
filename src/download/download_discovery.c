/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who has the version: asks all sources, and keeps the manifest of the one that the engine takes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/log_events.h"
#include "base/macros.h"
#include "download/download_private.h"

static void on_answer(struct catalog *catalog, unsigned source, const struct catalog_answer *answer)
{
	struct download *d = container_of(catalog, struct download, catalog);
	const struct catalog_inquiry *inquiry = &catalog->inquiries[source];
	bool fetches = inquiry->on_demand && answer->answer == ANSWER_HAS_VERSION;
	const uint8_t *pieces =
		fetches ? download_fetchers_add(d, source, inquiry->manifest.n_pieces) : NULL;
	bool failed = fetches && !pieces;

	/* An image is imported once for both nodes of a pair: if the peer has it as imported, it
	 * counts as imported here. */
	if (d->sources.places[source].kind == SOURCE_HA_PEER &&
	    answer->answer == ANSWER_HAS_VERSION && inquiry->imported)
		memcpy(d->imported_at_peer, inquiry->manifest.digest, DIGEST_SIZE);
	download_deliver(d, &(struct engine_event){
				    .type = EVENT_ANSWER,
				    .answer.source = source,
				    .answer.what = failed ? ANSWER_FAILED : answer->answer,
				    .answer.digest = inquiry->manifest.digest,
				    .answer.retry_after_ms = answer->retry_after_ms,
				    .answer.pieces = pieces,
				    .reason = failed ? "out of memory" : answer->err.text,
			    });
}

/* Takes sources and keys from the present configuration. */
static int renew_sources(struct download *d, struct err *err)
{
	struct engine_source_spec specs[SOURCES_MAX];
	struct source_list list;
	struct trusted_keys keys;
	struct err warning = {0};
	int rc = source_list_make(&list, d->home->config, err);

	if (rc < 0)
		return rc;
	rc = trusted_keys_load(&keys, d->home->config, &warning, err);
	if (rc < 0) {
		source_list_release(&list);
		return rc;
	}
	if (warning.code < 0)
		log_event(LOG_CONFIGURATION_WARNING, &(struct log_fields){.reason = warning.text},
			  "%s", warning.text);
	source_list_release(&d->sources);
	trusted_keys_release(&d->keys);
	d->sources = list;
	d->keys = keys;
	source_list_specs(&d->sources, specs);
	engine_set_sources(&d->engine, specs, d->sources.n);
	return 0;
}

void download_discover(struct download *d)
{
	const struct config_download *limits = &d->home->config->software_update.download;
	struct err err = {0};
	int rc;

	catalog_release(&d->catalog);
	download_chunks_stop(d);
	download_peer_forget(d);
	memset(d->imported_at_peer, 0, sizeof(d->imported_at_peer));
	rc = renew_sources(d, &err);
	if (rc == 0) {
		d->catalog.client = d->home->client;
		d->catalog.loop = d->home->loop;
		d->catalog.list = &d->sources;
		d->catalog.keys = &d->keys;
		d->catalog.version = d->version;
		d->catalog.timeout_ms =
			1000u * (uint64_t)(limits->connect_timeout_s + limits->stall_timeout_s);
		d->catalog.answered = on_answer;
		rc = catalog_ask(&d->catalog);
		if (rc < 0)
			(void)err_set(&err, rc, "out of memory");
	}
	if (rc < 0)
		download_fail_locally(d, &err, false);
}

void download_prepare(struct download *d, unsigned source)
{
	struct catalog_inquiry *inquiry = &d->catalog.inquiries[source];
	struct image_names going = {0};
	struct err err;

	if (d->home->make_room && d->home->make_room(d, inquiry->manifest.size, &going, &err) < 0) {
		download_fail_locally(d, &err, true);
		return;
	}
	free(d->disk.going.versions);
	d->disk.going = going;
	manifest_release(&d->disk.manifest);
	free(d->disk.manifest_jws);
	d->disk.manifest = inquiry->manifest;
	d->disk.manifest_jws = inquiry->manifest_jws;
	d->disk.manifest_jws_size = inquiry->manifest_jws_size;
	memset(&inquiry->manifest, 0, sizeof(inquiry->manifest));
	inquiry->manifest_jws = NULL;
	download_want(d, DISK_TASK_PREPARE);
}
