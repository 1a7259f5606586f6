#include "onboarding/router/onboarding.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "core/atomic_file.h"
#include "core/json.h"
#include "core/log_events.h"
#include "core/macros.h"
#include "core/process.h"
#include "onboarding/router/links.h"
#include "onboarding/router/sco_client.h"

#define TOKEN_FILE        "onboarding-token"
#define KEY_FILE          "conductor-key"
#define ROUTER_FILE       "router.json"
#define DOCUMENT_SIZE_MAX (128u << 10)
#define REBOOT_DELAY_MS   500 /* the conductor's answer goes out first */

struct onboarding {
	struct onboarding_options options;
	struct onboarding_record record;
	struct token token;
	struct sco_client *client;
	size_t host; /* that is asked now, or next */
	struct backoff backoff;
	uv_timer_t timer; /* of the next try, or of the reboot */
	char key_file[PATH_MAX];
	struct links links;
	unsigned closing;
	void (*closed)(void *owner);
	void *owner;
};

static void handshake(struct onboarding *o);

enum onboarding_state onboarding_state(const struct onboarding *o)
{
	return o->record.state;
}

static void path_of(const struct onboarding *o, const char *file, char ret[PATH_MAX])
{
	(void)snprintf(ret, PATH_MAX, "%s/%s", o->options.config->secrets_directory, file);
}

/* The one place where the state changes: on disk before anyone acts on it. */
static void set_state(struct onboarding *o, enum onboarding_state state, const char *reason)
{
	const enum onboarding_state before = o->record.state;
	struct err err;

	o->record.state = state;
	(void)snprintf(o->record.reason, sizeof(o->record.reason), "%s", reason);
	if (onboarding_record_save(&o->record, o->options.config->secrets_directory, &err) < 0)
		log_event(LOG_DISK_PROBLEM, &(struct log_fields){.reason = err.text},
			  "the state of the onboarding could not be kept: %s", err.text);
	if (state == ONBOARDING_REFUSED)
		log_event(LOG_ONBOARDING_FAILED, &(struct log_fields){.reason = reason},
			  "the onboarding was refused, a new token is needed: %s", reason);
	else if (state == ONBOARDING_ONBOARDED)
		log_event(LOG_ONBOARDED, NULL, "router %s is onboarded", o->record.name);
	else if (state != before)
		log_event(LOG_ONBOARDING_STATE,
			  &(struct log_fields){.state = onboarding_state_name(state),
					       .reason = reason[0] ? reason : NULL},
			  "onboarding: %s%s%s", onboarding_state_name(state), reason[0] ? ": " : "",
			  reason);
	o->options.changed(o->options.owner);
}

/* The handshake, with each conductor in turn. */

static void forget_client(void *owner)
{
	(void)owner;
}

static void on_timer(uv_timer_t *timer)
{
	handshake(container_of(timer, struct onboarding, timer));
}

static void retry_later(struct onboarding *o, const char *reason)
{
	uint32_t random = 0;

	(void)!getrandom(&random, sizeof(random), 0);
	o->host = (o->host + 1) % o->record.n_hosts;
	if (o->record.state != ONBOARDING_RETRYING || strcmp(o->record.reason, reason) != 0)
		set_state(o, ONBOARDING_RETRYING, reason);
	(void)uv_timer_start(&o->timer, on_timer,
			     o->host > 0 ? 0 : backoff_next_ms(&o->backoff, random), 0);
}

static void start_links(struct onboarding *o)
{
	links_start(&o->links, o->record.conductors, o->record.n_conductors);
}

static void enrol(struct onboarding *o, const struct message_accept *accept)
{
	o->record.n_conductors = accept->n_conductors;
	memcpy(o->record.conductors, accept->conductors,
	       accept->n_conductors * sizeof(accept->conductors[0]));
	backoff_reset(&o->backoff);
	set_state(o, ONBOARDING_ENROLLED, "");
	start_links(o);
}

static void on_handshake(void *owner, enum sco_result result, const struct message_accept *accept,
			 const struct err *err)
{
	struct onboarding *o = owner;

	if (result == SCO_RESULT_ENROLLED)
		enrol(o, accept);
	else if (result == SCO_RESULT_REFUSED)
		set_state(o, ONBOARDING_REFUSED, err->text);
	else
		retry_later(o, err->text);
	sco_client_close(o->client, forget_client);
	o->client = NULL;
}

static const char *asset_id_of(const struct onboarding *o)
{
	if (o->options.asset_id)
		return o->options.asset_id;
	return o->token.n_asset_ids == 1 ? o->token.asset_ids[0] : NULL;
}

static enum onboarding_mode least_mode(const struct onboarding *o)
{
	enum onboarding_mode configured = ONBOARDING_PSK_ONLY;

	(void)onboarding_mode_from_name(o->options.config->minimum_mode, &configured);
	return MAX(configured, o->record.minimum_mode);
}

static void handshake(struct onboarding *o)
{
	const struct config_onboarding *config = o->options.config;
	const struct sco_client_options options = {
		.loop = o->options.loop,
		.host = o->record.hosts[o->host],
		.port = config->port,
		.token = &o->token,
		.asset_id = asset_id_of(o),
		.minimum_mode = least_mode(o),
		.tcti = config->tcti,
		.ek_handle = config->ek_handle,
		.device_id_certificate = config->device_id_certificate,
		.device_id_key_handle = config->device_id_key_handle,
		.ssh_key_file = o->key_file,
	};
	struct err err;

	if (!options.asset_id)
		set_state(o, ONBOARDING_REFUSED,
			  "the token is for several nodes: configure this one's asset-id");
	else if (sco_client_start(&o->client, &options, on_handshake, o, &err) < 0)
		retry_later(o, err.text);
}

uint16_t onboarding_repository_port(const struct onboarding *o, size_t i)
{
	return links_repository_port(&o->links, i);
}

/* What an operator, or a conductor, gives it. */

static int write_secret(struct onboarding *o, const char *file, const char *text, struct err *err)
{
	char path[PATH_MAX];

	path_of(o, file, path);
	return atomic_file_write(path, span_of_string(text), 0600, err);
}

static void remove_token(struct onboarding *o)
{
	char path[PATH_MAX];

	path_of(o, TOKEN_FILE, path);
	(void)unlink(path);
	token_release(&o->token);
	memset(&o->token, 0, sizeof(o->token));
}

int onboarding_apply(struct onboarding *o, struct span configuration, struct err *err)
{
	enum onboarding_mode least = ONBOARDING_PSK_ONLY;
	struct onboarding_record record;
	char *token = NULL;
	int rc;

	if (o->record.state != ONBOARDING_UNCONFIGURED && o->record.state != ONBOARDING_REFUSED)
		return err_set(err, -EBUSY, "this router is %s already",
			       onboarding_state_name(o->record.state));
	(void)onboarding_mode_from_name(o->options.config->minimum_mode, &least);
	rc = onboarding_record_configure(&record, configuration, least, &token, err);
	if (rc == 0)
		rc = write_secret(o, TOKEN_FILE, token, err);
	if (rc == 0) {
		token_release(&o->token);
		memset(&o->token, 0, sizeof(o->token));
		rc = token_parse(&o->token, span_of_string(token), err);
	}
	token_text_free(&token);
	if (rc < 0)
		return rc;
	o->record = record;
	o->host = 0;
	set_state(o, ONBOARDING_HANDSHAKING, "");
	handshake(o);
	return 0;
}

static int write_configuration(struct onboarding *o, const char *configuration, struct err *err)
{
	char *text = NULL;
	int rc = config_check_router_over(o->options.config_path, configuration, err);

	if (rc == 0 && asprintf(&text, "{\"steward:router\":%s}\n", configuration) < 0)
		rc = err_set(err, -ENOMEM, "out of memory");
	if (rc == 0)
		rc = write_secret(o, ROUTER_FILE, text, err);
	free(text);
	return rc;
}

static void on_reboot(uv_timer_t *timer)
{
	struct onboarding *o = container_of(timer, struct onboarding, timer);
	const struct config_onboarding *config = o->options.config;
	static const char *const by_default[] = {"systemctl", "reboot", NULL};
	const struct process_command command = {
		.argv = config->n_reboot_command > 0 ? (const char *const *)config->reboot_command
						     : by_default,
		.fd = -1,
		.timeout_ms = 30000,
	};
	struct process_result result = {0};
	struct err err = {0};

	set_state(o, ONBOARDING_ONBOARDED, "");
	if (process_run(&command, &result, &err) == 0 && result.exit_status != 0)
		(void)err_set(&err, -EIO, "exit status %d: %s", result.exit_status,
			      result.last_line);
	if (err.code < 0)
		log_event(LOG_ONBOARDING_FAILED, &(struct log_fields){.reason = err.text},
			  "the router could not be rebooted: %s", err.text);
}

int onboarding_initialize(struct onboarding *o, const char *configuration, struct err *err)
{
	int rc;

	if (o->record.state == ONBOARDING_ONBOARDED || o->record.state == ONBOARDING_INITIALIZING)
		return onboarding_configure(o, configuration, err);
	if (o->record.state != ONBOARDING_CONNECTED)
		return err_set(err, -EBUSY, "this router is %s",
			       onboarding_state_name(o->record.state));
	rc = write_configuration(o, configuration, err);
	if (rc < 0)
		return rc;
	remove_token(o);
	set_state(o, ONBOARDING_INITIALIZING, "");
	(void)uv_timer_start(&o->timer, on_reboot, REBOOT_DELAY_MS, 0);
	return 0;
}

int onboarding_configure(struct onboarding *o, const char *configuration, struct err *err)
{
	if (o->record.state != ONBOARDING_ONBOARDED && o->record.state != ONBOARDING_INITIALIZING)
		return err_set(err, -EBUSY, "this router is %s",
			       onboarding_state_name(o->record.state));
	return write_configuration(o, configuration, err);
}

cJSON *onboarding_to_json(const struct onboarding *o)
{
	cJSON *json = onboarding_record_to_json(&o->record);
	cJSON *conductors = cJSON_GetObjectItemCaseSensitive(json, "conductors");
	size_t i = 0;
	cJSON *item;

	cJSON_ArrayForEach (item, conductors)
		links_describe(&o->links, i++, item);
	(void)cJSON_AddStringToObject(json, "key-exchange", "sntrup761x25519-sha512@openssh.com");
	return json;
}

/* Start and end. */

static int read_token(struct onboarding *o, struct err *err)
{
	char path[PATH_MAX];
	char *text = NULL;
	size_t size;
	int rc;

	path_of(o, TOKEN_FILE, path);
	rc = file_read(path, TOKEN_SIZE_MAX, &text, &size, err);
	if (rc == 0)
		rc = token_parse(&o->token, span_of(text, size), err);
	token_text_free(&text);
	return rc;
}

/* Placed on disk before the boot. Its token does not stay in the clear. */
static void apply_file(struct onboarding *o)
{
	const char *path = o->options.config->onboarding_file;
	struct err err = {0};
	char *text = NULL;
	size_t size;
	int rc = file_read(path, DOCUMENT_SIZE_MAX, &text, &size, &err);

	if (rc == -ENOENT)
		return;
	if (rc == 0)
		rc = onboarding_apply(o, span_of(text, size), &err);
	token_text_free(&text);
	if (rc < 0)
		log_event(LOG_ONBOARDING_FAILED, &(struct log_fields){.reason = err.text}, "%s: %s",
			  path, err.text);
	else
		(void)unlink(path);
}

static void go_on(struct onboarding *o)
{
	struct err err;

	switch (o->record.state) {
	case ONBOARDING_UNCONFIGURED:
	case ONBOARDING_REFUSED:
		apply_file(o);
		break;
	case ONBOARDING_HANDSHAKING:
	case ONBOARDING_RETRYING:
		if (read_token(o, &err) < 0)
			set_state(o, ONBOARDING_REFUSED, err.text);
		else
			handshake(o);
		break;
	case ONBOARDING_INITIALIZING:
		/* The configuration was written before this state. */
		set_state(o, ONBOARDING_ONBOARDED, "");
		start_links(o);
		break;
	default:
		start_links(o);
	}
}

static void on_connected(void *owner)
{
	struct onboarding *o = owner;

	if (o->record.state == ONBOARDING_ENROLLED)
		set_state(o, ONBOARDING_CONNECTED, "");
	else
		o->options.changed(o->options.owner);
}

static void on_tunnel_changed(void *owner)
{
	const struct onboarding *o = owner;

	o->options.changed(o->options.owner);
}

static void init_links(struct onboarding *o)
{
	const struct links_options options = {
		.loop = o->options.loop,
		.key_file = o->key_file,
		.socket = o->options.socket,
		.directory = o->options.directory,
		.connected = on_connected,
		.changed = on_tunnel_changed,
		.owner = o,
	};

	links_init(&o->links, &options);
}

int onboarding_start(struct onboarding **ret, const struct onboarding_options *options,
		     struct err *err)
{
	struct onboarding *o = calloc(1, sizeof(*o));
	struct err none;
	int rc;

	if (!o)
		return err_set(err, -ENOMEM, "out of memory");
	o->options = *options;
	rc = onboarding_record_load(&o->record, options->config->secrets_directory, &none);
	if (rc < 0 && rc != -ENOENT && rc != -ENOTDIR) {
		free(o);
		return err_set(err, rc, "%s", none.text);
	}
	path_of(o, KEY_FILE, o->key_file);
	(void)uv_timer_init(options->loop, &o->timer);
	init_links(o);
	*ret = o;
	go_on(o);
	return 0;
}

static void part_closed(struct onboarding *o)
{
	assert(o->closing > 0);
	if (--o->closing > 0)
		return;
	token_release(&o->token);
	o->closed(o->owner);
	free(o);
}

static void on_part_closed(void *owner)
{
	part_closed(owner);
}

static void on_timer_closed(uv_handle_t *handle)
{
	part_closed(container_of((uv_timer_t *)handle, struct onboarding, timer));
}

void onboarding_close(struct onboarding *o, void (*closed)(void *owner), void *owner)
{
	o->closed = closed;
	o->owner = owner;
	o->closing = o->client ? 3 : 2;
	uv_close((uv_handle_t *)&o->timer, on_timer_closed);
	links_close(&o->links, on_part_closed, o);
	if (o->client)
		sco_client_close(o->client, on_part_closed);
}
