/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding_world.h"
#include "config/config.h"

#include <sys/stat.h>

#define SECRET "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKL"

char *router_token(const struct pki *pki, const char *jti, size_t n_asset_ids)
{
	static const char *const asset_ids[] = {"A0", "A1"};
	const struct token_claims claims = {
		.jti = jti,
		.router = "router1",
		.asset_ids = asset_ids,
		.n_asset_ids = n_asset_ids,
		.iat = 1767225600,
		.exp = 1767225600 + 86400,
		.conductor_certificate = pki->der,
		.ca_certificate = pki->ca_der,
		.secret = span_of_string(SECRET),
	};
	const struct jws_key key = {.key = pki->key};
	char *text = NULL;
	struct err err;

	if (token_sign(&claims, &key, &text, &err) < 0)
		fail_msg("%s", err.text);
	return text;
}

/* Port 1 of them, by the world's configuration. */
char *router_document_of(const char *token, const char *hosts)
{
	char *text = NULL;

	assert_true(asprintf(&text,
			     "{\"mode\":\"conductor-managed\",\"name\":\"router1\","
			     "\"conductor-hosts\":[%s],"
			     "\"secure-conductor-onboarding-token\":\"%s\"}",
			     hosts, token) > 0);
	return text;
}

char *router_document(const struct pki *pki, const char *jti)
{
	char *token = router_token(pki, jti, 1);
	char *text = router_document_of(token, "\"127.0.0.1\"");

	token_text_free(&token);
	return text;
}

struct onboarding_record router_record(const struct pki *pki, enum onboarding_state state,
				       const char *jti)
{
	char *document = router_document(pki, jti);
	struct onboarding_record record;
	struct err err;

	if (onboarding_document_read(&record, span_of_string(document), ONBOARDING_PSK_ONLY, &err) <
	    0)
		fail_msg("%s", err.text);
	record.state = state;
	free(document);
	return record;
}

void router_save(const struct pki *pki, const char *folder, const char *file,
		 enum onboarding_state state, const char *jti)
{
	struct onboarding_record record = router_record(pki, state, jti);
	struct err err;

	if (state >= ONBOARDING_INITIALIZING)
		onboarding_record_forget_token(&record);
	assert_int_equal(onboarding_record_save(&record, folder, file, &err), 0);
	onboarding_record_release(&record);
}

bool router_has(const char *folder, const char *name)
{
	return access(test_path(folder, name), F_OK) == 0;
}

static void on_changed(void *owner)
{
	((struct onboarding_world *)owner)->changes++;
}

static void on_closed(void *owner)
{
	((struct onboarding_world *)owner)->closed = true;
}

void router_make(struct onboarding_world *w, const struct pki *pki)
{
	static char shell[] = "sh";
	static char option[] = "-c";
	static char mode[] = "psk-only";

	memset(w, 0, sizeof(*w));
	w->pki = pki;
	w->folder = test_folder();
	w->asset_id = "A0";
	(void)snprintf(w->file, sizeof(w->file), "%s/onboarding-config.json", w->folder);
	(void)snprintf(w->config_path, sizeof(w->config_path), "%s/steward.json", w->folder);
	test_write(w->config_path, span_of_string("{\"steward:router\":{\"name\":\"router1\"}}"));
	(void)snprintf(w->script, sizeof(w->script), "echo >>%s/rebooted", w->folder);
	w->command[0] = shell;
	w->command[1] = option;
	w->command[2] = w->script;
	w->config.reboot_command = w->command;
	w->config.n_reboot_command = 3;
	w->config.secrets_directory = w->folder;
	w->config.onboarding_file = w->file;
	w->config.minimum_mode = mode;
	w->config.port = 1;
}

void router_start(struct onboarding_world *w)
{
	const struct onboarding_options options = {
		.loop = &w->loop,
		.config = &w->config,
		.asset_id = w->asset_id,
		.socket = "/nowhere",
		.directory = w->folder,
		.config_path = w->config_path,
		.check_configuration = config_check_router_over,
		.changed = on_changed,
		.owner = w,
	};
	struct err err;

	w->closed = false;
	w->changes = 0;
	assert_int_equal(uv_loop_init(&w->loop), 0);
	if (onboarding_start(&w->onboarding, &options, &err) < 0)
		fail_msg("%s", err.text);
}

void router_stop(struct onboarding_world *w)
{
	onboarding_close(w->onboarding, on_closed, w);
	if (!w->closed)
		test_run_until(&w->loop, &w->closed);
	test_close_loop(&w->loop);
}

int router_apply_document(const struct onboarding_world *w, const char *document, struct err *err)
{
	return onboarding_apply(w->onboarding, span_of_string(document), err);
}

int router_apply(const struct onboarding_world *w, const char *jti, struct err *err)
{
	char *document = router_document(w->pki, jti);
	int rc = router_apply_document(w, document, err);

	free(document);
	return rc;
}

void router_turn(struct onboarding_world *w, enum onboarding_state until)
{
	for (unsigned i = 0; i < 1000 && onboarding_state(w->onboarding) != until; i++)
		router_turn_for(w, 10);
	assert_int_equal(onboarding_state(w->onboarding), until);
}

void router_turn_for(struct onboarding_world *w, unsigned ms)
{
	const uint64_t end_ns = uv_hrtime() + (uint64_t)ms * 1000000;

	do {
		(void)uv_run(&w->loop, UV_RUN_NOWAIT);
		(void)usleep(2000);
	} while (uv_hrtime() < end_ns);
}

const char *router_text_of(const cJSON *json, const char *name)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(json, name));

	return text ? text : "";
}

void router_expect(const struct onboarding_world *w, const char *state, const char *jti,
		   const char *next)
{
	cJSON *json = onboarding_to_json(w->onboarding);

	assert_string_equal(router_text_of(json, "state"), state);
	assert_string_equal(router_text_of(json, "jti"), jti);
	assert_string_equal(router_text_of(cJSON_GetObjectItem(json, "next"), "jti"), next);
	cJSON_Delete(json);
}

unsigned router_reboots(const struct onboarding_world *w)
{
	struct stat st;

	return stat(test_path(w->folder, "rebooted"), &st) == 0 ? (unsigned)st.st_size : 0;
}
