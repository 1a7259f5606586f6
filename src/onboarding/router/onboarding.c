/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/router/onboarding.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/atomic_file.h"
#include "base/log_events.h"
#include "base/macros.h"
#include "onboarding/router/onboarding_document.h"
#include "onboarding/router/onboarding_private.h"
#include "onboarding/router/onboarding_rules.h"
#include "onboarding/router/ssh_identity.h"

/* Tunnels come and go; flash wears out. */
#define NOTES_MS     600000
#define KEY_FILE     "conductor-key"
#define BOOT_ID_FILE "/proc/sys/kernel/random/boot_id"

const char *onboarding_name(const struct onboarding *o)
{
	return o->records.now.name;
}

enum onboarding_state onboarding_state(const struct onboarding *o)
{
	return o->records.now.state;
}

void onboarding_tell_disk_problem(const struct err *err)
{
	log_event(LOG_DISK_PROBLEM, &(struct log_fields){.reason = err->text},
		  "the state of the onboarding could not be kept: %s", err->text);
}

bool onboarding_keep(const struct onboarding *o, const struct onboarding_record *record)
{
	struct err err;

	if (onboarding_records_save(&o->records, record, &err) == 0)
		return true;
	onboarding_tell_disk_problem(&err);
	return false;
}

static void log_state(const struct onboarding *o, const struct onboarding_record *record)
{
	const char *which =
		record == &o->records.next ? "onboarding by the newer token" : "onboarding";

	if (record->state == ONBOARDING_REFUSED)
		log_event(LOG_ONBOARDING_FAILED, &(struct log_fields){.reason = record->reason},
			  "the %s was refused, a new token is needed: %s", which, record->reason);
	else if (record->state == ONBOARDING_ONBOARDED)
		log_event(LOG_ONBOARDED, NULL, "router %s is onboarded", record->name);
	else
		log_event(LOG_ONBOARDING_STATE,
			  &(struct log_fields){.state = onboarding_state_name(record->state),
					       .reason = record->reason[0] ? record->reason : NULL},
			  "%s: %s%s%s", which, onboarding_state_name(record->state),
			  record->reason[0] ? ": " : "", record->reason);
}

void onboarding_tell_state(const struct onboarding *o, const struct onboarding_record *record)
{
	log_state(o, record);
	o->options.changed(o->options.owner);
}

int onboarding_replace(struct onboarding *o, struct onboarding_record *place,
		       struct onboarding_record *what, struct err *err)
{
	int rc;

	assert(onboarding_may_become(place->state, what->state));
	rc = onboarding_records_replace(&o->records, place, what, err);
	if (rc < 0)
		return rc;
	onboarding_tell_state(o, place);
	return 0;
}

bool onboarding_enter(struct onboarding *o, struct onboarding_record *record,
		      enum onboarding_state state, const char *reason)
{
	assert(onboarding_may_become(record->state, state));
	record->state = state;
	(void)snprintf(record->reason, sizeof(record->reason), "%s", reason);
	return onboarding_keep(o, record);
}

bool onboarding_set_state(struct onboarding *o, struct onboarding_record *record,
			  enum onboarding_state state, const char *reason)
{
	const bool is_kept = onboarding_enter(o, record, state, reason);

	onboarding_tell_state(o, record);
	return is_kept;
}

/* What an operator or a conductor gives to the router. */

static int read_document(const struct onboarding *o, struct span configuration,
			 struct onboarding_record *ret, struct err *err)
{
	enum onboarding_mode least = ONBOARDING_PSK_ONLY;

	(void)onboarding_mode_from_name(o->options.config->minimum_mode, &least);
	return onboarding_document_read(ret, configuration, least, err);
}

/* A token that this router could not show to a conductor is not taken: then nothing changes. */
static int take_token(struct onboarding *o, struct onboarding_record *place,
		      struct onboarding_record *what, struct err *err)
{
	int rc = token_attempt_check(o->options.asset_id, what, err);

	if (rc < 0) {
		onboarding_record_release(what);
		return rc == -ENODATA ? err_set(err, -EINVAL, "%s", err->text) : rc;
	}
	rc = onboarding_replace(o, place, what, err);
	if (rc == 0)
		onboarding_try(o);
	return rc;
}

static int take_back(struct onboarding *o, struct err *err)
{
	int rc = onboarding_records_drop_next(&o->records, err);

	if (rc < 0)
		return err_wrap(err, "the newer token is not taken back");
	onboarding_end_attempt(o);
	o->options.changed(o->options.owner);
	return 0;
}

int onboarding_apply(struct onboarding *o, struct span configuration, struct err *err)
{
	struct onboarding_record new;
	enum onboarding_verdict verdict;
	int rc = read_document(o, configuration, &new, err);

	if (rc < 0)
		return rc;
	verdict = onboarding_judge(&o->records.now, &o->records.next, new.jti);
	if (verdict == ONBOARDING_STARTS_OVER)
		return take_token(o, &o->records.now, &new, err);
	if (verdict == ONBOARDING_GOES_BESIDE)
		return take_token(o, &o->records.next, &new, err);
	onboarding_record_release(&new);
	if (verdict == ONBOARDING_TAKES_BACK)
		return take_back(o, err);
	return err_set(err, -EBUSY,
		       "this router is %s by this very token already (%s); to start over, give it "
		       "a new one",
		       onboarding_state_name(o->records.now.state), o->records.now.jti);
}

cJSON *onboarding_to_json(const struct onboarding *o)
{
	cJSON *json = onboarding_record_to_json(&o->records.now);
	cJSON *conductors = cJSON_GetObjectItemCaseSensitive(json, "conductors");
	size_t i = 0;
	cJSON *item;

	cJSON_ArrayForEach (item, conductors)
		tunnel_set_describe(&o->tunnels, i++, item);
	onboarding_advise(o, json);
	if (o->kex[0])
		(void)cJSON_AddStringToObject(json, "key-exchange", o->kex);
	else
		(void)cJSON_AddNullToObject(json, "key-exchange");
	if (o->records.next.state != ONBOARDING_UNCONFIGURED)
		(void)cJSON_AddItemToObject(json, "next",
					    onboarding_record_to_json(&o->records.next));
	else
		(void)cJSON_AddNullToObject(json, "next");
	return json;
}

uint16_t onboarding_repository_port(const struct onboarding *o, size_t i)
{
	return tunnel_set_repository_port(&o->tunnels, i);
}

/* Start and end. */

void onboarding_part_closed(struct onboarding *o)
{
	assert(o->closing > 0);
	if (--o->closing > 0)
		return;
	onboarding_records_release(&o->records);
	o->closed(o->owner);
	free(o);
}

/* Takes a document that was put on the disk before the boot, and removes it, because its token
 * must not stay unencrypted. */
static int take_document(struct onboarding *o, struct span document, struct err *err)
{
	struct onboarding_record new;
	bool is_taken;
	int rc = read_document(o, document, &new, err);

	if (rc < 0)
		return rc;
	is_taken = onboarding_has_taken(&o->records.now, &o->records.next, new.jti);
	onboarding_record_release(&new);
	return is_taken ? 0 : onboarding_apply(o, document, err);
}

static void take_file(struct onboarding *o)
{
	const char *path = o->options.config->onboarding_file;
	struct err err = {0};
	char *text = NULL;
	size_t size;
	int rc = file_read(path, ONBOARDING_DOCUMENT_MAX, &text, &size, &err);

	if (rc == -ENOENT)
		return;
	if (rc == 0)
		rc = take_document(o, span_of(text, size), &err);
	token_text_free(&text);
	if (rc == 0 && unlink(path) < 0)
		rc = err_set(&err, -errno, "its token is taken, remove it: %s", strerror(errno));
	if (rc < 0)
		log_event(LOG_ONBOARDING_FAILED, &(struct log_fields){.reason = err.text}, "%s: %s",
			  path, err.text);
}

static void go_on(struct onboarding *o)
{
	const struct onboarding_record *now = &o->records.now;

	if (now->state == ONBOARDING_INITIALIZING)
		onboarding_end_initialization(o);
	if (onboarding_is_enrolled(now))
		tunnel_set_start(&o->tunnels, &now->conductors);
	take_file(o);
	if (!o->attempt && onboarding_is_tried(onboarding_records_tried(&o->records)))
		onboarding_try(o);
}

static void on_connected(void *owner)
{
	struct onboarding *o = owner;

	onboarding_settle_conductors(o);
	if (o->records.now.state == ONBOARDING_ENROLLED)
		(void)onboarding_set_state(o, &o->records.now, ONBOARDING_CONNECTED, "");
	else
		o->options.changed(o->options.owner);
}

static void on_tunnel_changed(void *owner)
{
	const struct onboarding *o = owner;

	o->options.changed(o->options.owner);
}

/* Without one there is no tunnel: each says why. The router goes on: it downloads without one. */
static void choose_kex(struct onboarding *o)
{
	const struct config_post_quantum *config = &o->options.config->post_quantum;
	struct ssh_kex_order order = ssh_kex_order_of(config->key_exchange, config->n_key_exchange);
	ssh_kex_names names;
	int rc = ssh_kex_ask(&names, &o->kex_problem);

	if (rc == 0)
		(void)ssh_kex_algorithms(&order, names, o->kex, &o->kex_problem);
}

static void init_tunnels(struct onboarding *o)
{
	const struct tunnel_set_options options = {
		.loop = o->options.loop,
		.key_file = o->key_file,
		.kex = o->kex,
		.kex_problem = o->kex_problem.text,
		.socket = o->options.socket,
		.directory = o->options.directory,
		.connected = on_connected,
		.changed = on_tunnel_changed,
		.owner = o,
	};

	tunnel_set_init(&o->tunnels, &options);
}

static void on_network_changed(void *owner)
{
	struct onboarding *o = owner;

	tunnel_set_look(&o->tunnels);
	if (o->attempt && !o->token_attempt_is_closing)
		token_attempt_look(o->attempt);
}

static void on_notes(uv_timer_t *timer)
{
	onboarding_note_unreachable(container_of(timer, struct onboarding, notes));
}

/* Without it what is broken is found by its silence, which takes a minute. */
static void watch_network(struct onboarding *o)
{
	struct err err;

	if (network_changes_start(&o->network, o->options.loop, on_network_changed, o, &err) < 0)
		log_debug("%s", err.text);
}

static int load(struct onboarding *o, struct err *err)
{
	struct err problem;
	char *boot_id = NULL;
	size_t size;
	int rc = file_read(BOOT_ID_FILE, 64, &boot_id, &size, err);

	if (rc < 0)
		return rc;
	(void)snprintf(o->boot_id, sizeof(o->boot_id), "%.36s", boot_id);
	free(boot_id);
	rc = onboarding_records_load(&o->records, o->options.config->secrets_directory, &problem,
				     err);
	if (rc == 0 && problem.code < 0)
		log_event(LOG_ONBOARDING_FAILED, &(struct log_fields){.reason = problem.text},
			  "the newer token is not tried: %s", problem.text);
	return rc;
}

int onboarding_start(struct onboarding **ret, const struct onboarding_options *options,
		     struct err *err)
{
	struct onboarding *o = calloc(1, sizeof(*o));
	int rc;

	if (!o)
		return err_set(err, -ENOMEM, "out of memory");
	o->options = *options;
	(void)snprintf(o->key_file, sizeof(o->key_file), "%s/" KEY_FILE,
		       options->config->secrets_directory);
	rc = load(o, err);
	if (rc == 0) {
		rc = ssh_identity_check(o->key_file, err);
		if (rc < 0)
			onboarding_records_release(&o->records);
	}
	if (rc < 0) {
		free(o);
		return rc;
	}
	choose_kex(o);
	init_tunnels(o);
	onboarding_init_reboot(o);
	(void)uv_timer_init(options->loop, &o->again);
	(void)uv_timer_init(options->loop, &o->notes);
	(void)uv_timer_start(&o->notes, on_notes, NOTES_MS, NOTES_MS);
	watch_network(o);
	*ret = o;
	go_on(o);
	return 0;
}

static void on_timer_closed(uv_handle_t *handle)
{
	onboarding_part_closed(container_of((uv_timer_t *)handle, struct onboarding, again));
}

static void on_notes_closed(uv_handle_t *handle)
{
	onboarding_part_closed(container_of((uv_timer_t *)handle, struct onboarding, notes));
}

static void on_part_closed(void *owner)
{
	onboarding_part_closed(owner);
}

static void on_reboot_closed(struct reboot *r)
{
	onboarding_part_closed(container_of(r, struct onboarding, reboot));
}

void onboarding_close(struct onboarding *o, void (*closed)(void *owner), void *owner)
{
	o->closed = closed;
	o->owner = owner;
	o->closing = o->attempt ? 6 : 5;
	onboarding_note_unreachable(o);
	uv_close((uv_handle_t *)&o->again, on_timer_closed);
	uv_close((uv_handle_t *)&o->notes, on_notes_closed);
	network_changes_close(&o->network, on_part_closed);
	reboot_close(&o->reboot, on_reboot_closed);
	tunnel_set_close(&o->tunnels, on_part_closed, o);
	onboarding_end_attempt(o);
}
