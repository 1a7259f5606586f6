/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/router/token_attempt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/macros.h"
#include "onboarding/router/backoff.h"
#include "onboarding/router/network_route.h"

struct token_attempt {
	struct token_attempt_options options;
	struct onboarding_token *token; /* held */
	char hosts[ONBOARDING_HOSTS_MAX][MESSAGE_HOST_SIZE];
	char reasons[ONBOARDING_HOSTS_MAX][ONBOARDING_REASON_SIZE]; /* of each: told of last */
	struct network_route routes[ONBOARDING_HOSTS_MAX]; /* that led there at the last try */
	size_t n_hosts;
	size_t host; /* that is asked now, or next */
	enum onboarding_mode minimum_mode;
	const char *asset_id;
	struct sco_client *client; /* that may still tell something */
	struct backoff backoff;
	uv_timer_t timer; /* of the next try */
	unsigned parts;   /* timer and clients that are not closed yet */
	void (*closed)(void *owner);
};

static void handshake(struct token_attempt *a);

static void on_timer(uv_timer_t *timer)
{
	handshake(container_of(timer, struct token_attempt, timer));
}

/* The other conductors at once; all of them again later. */
static void retry_later(struct token_attempt *a, const char *reason)
{
	const bool is_news = strcmp(a->reasons[a->host], reason) != 0;
	uint32_t random = 0;

	(void)snprintf(a->reasons[a->host], sizeof(a->reasons[0]), "%s", reason);
	(void)!getrandom(&random, sizeof(random), 0);
	a->host = (a->host + 1) % a->n_hosts;
	(void)uv_timer_start(&a->timer, on_timer,
			     a->host > 0 ? 0 : backoff_next_ms(&a->backoff, random), 0);
	if (is_news)
		a->options.told(a->options.owner, SCO_RESULT_RETRY, NULL, NULL, reason);
}

static void release(struct token_attempt *a)
{
	onboarding_token_release(a->token);
	free(a);
}

static void part_closed(struct token_attempt *a)
{
	void (*closed)(void *owner) = a->closed;
	void *owner = a->options.owner;

	if (--a->parts > 0)
		return;
	release(a);
	closed(owner);
}

static void on_client_closed(void *owner)
{
	part_closed(owner);
}

static void end_client(struct token_attempt *a)
{
	if (a->client)
		sco_client_close(a->client, on_client_closed);
	a->client = NULL;
}

static void on_handshake(void *owner, enum sco_result result, const struct message_accept *accept,
			 const char *key_exchange, const struct err *err)
{
	struct token_attempt *a = owner;

	if (result == SCO_RESULT_RETRY)
		retry_later(a, err->text);
	else
		a->options.told(a->options.owner, result, accept, key_exchange, err->text);
	end_client(a);
}

static void handshake(struct token_attempt *a)
{
	const struct config_onboarding *config = a->options.config;
	const struct sco_client_options options = {
		.loop = a->options.loop,
		.host = a->hosts[a->host],
		.port = config->port,
		.steps =
			{
				.token = &a->token->says,
				.asset_id = a->asset_id,
				.minimum_mode = a->minimum_mode,
				.requires_post_quantum = config->post_quantum.required,
				.tcti = config->tcti,
				.ek_handle = config->ek_handle,
				.device_id_certificate = config->device_id_certificate,
				.device_id_key_handle = config->device_id_key_handle,
				.ssh_key_file = a->options.key_file,
			},
	};
	struct err err;

	network_route_find(a->hosts[a->host], &a->routes[a->host]);
	if (sco_client_start(&a->client, &options, on_handshake, a, &err) < 0)
		retry_later(a, err.text);
	else
		a->parts++;
}

/* As which of the token's nodes to come: the configured one, else the only one. *ret is borrowed of
 * either. */
static int choose_asset_id(const struct onboarding_record *record, const char *configured,
			   const char **ret, struct err *err)
{
	const struct token *says;
	int rc;

	if (!record->token)
		return err_set(err, -ENOENT, "its token is not on the disk any more");
	rc = onboarding_token_read(record->token, err);
	if (rc < 0)
		return rc;
	says = &record->token->says;
	if (!configured && says->n_asset_ids != 1)
		return err_set(err, -ENODATA,
			       "the token is for %zu nodes: configure this one's asset-id, and "
			       "restart stewardd",
			       says->n_asset_ids);
	*ret = configured ? configured : says->asset_ids[0];
	return 0;
}

int token_attempt_check(const char *asset_id, const struct onboarding_record *record,
			struct err *err)
{
	return choose_asset_id(record, asset_id, &asset_id, err);
}

int token_attempt_start(struct token_attempt **ret, const struct token_attempt_options *options,
			const struct onboarding_record *record, struct err *err)
{
	struct token_attempt *a = calloc(1, sizeof(*a));
	enum onboarding_mode configured = ONBOARDING_PSK_ONLY;
	int rc;

	if (!a)
		return err_set(err, -ENOMEM, "out of memory");
	a->options = *options;
	rc = choose_asset_id(record, options->asset_id, &a->asset_id, err);
	if (rc < 0) {
		release(a);
		return rc;
	}
	a->token = onboarding_token_hold(record->token);
	memcpy(a->hosts, record->hosts, sizeof(a->hosts));
	a->n_hosts = record->n_hosts;
	(void)onboarding_mode_from_name(options->config->minimum_mode, &configured);
	a->minimum_mode = MAX(configured, record->minimum_mode);
	(void)uv_timer_init(options->loop, &a->timer);
	(void)uv_timer_start(&a->timer, on_timer, 0, 0);
	a->parts = 1;
	*ret = a;
	return 0;
}

/* A handshake that is under way goes on: if it comes to nothing, the next one is soon. */
void token_attempt_look(struct token_attempt *a)
{
	bool has_another_way = false;

	for (size_t i = 0; i < a->n_hosts; i++)
		if (network_route_renew(a->hosts[i], &a->routes[i]))
			has_another_way = true;
	if (!has_another_way)
		return;
	backoff_reset(&a->backoff);
	if (uv_is_active((const uv_handle_t *)&a->timer))
		(void)uv_timer_start(&a->timer, on_timer, 0, 0);
}

static void on_timer_closed(uv_handle_t *handle)
{
	part_closed(container_of((uv_timer_t *)handle, struct token_attempt, timer));
}

void token_attempt_close(struct token_attempt *a, void (*closed)(void *owner))
{
	a->closed = closed;
	end_client(a);
	uv_close((uv_handle_t *)&a->timer, on_timer_closed);
}
