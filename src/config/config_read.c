/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config/config_read.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/macros.h"
#include "config/config_memory.h"
#include "config/config_secrets.h"

/* libyang has checked types and ranges by the model, and has filled in the defaults. So a leaf that
 * is missing here has no default, and reading can only fail for want of memory. */
struct reader {
	struct config *config; /* which everything read belongs to */
	const struct lyd_node *parent;
	bool out_of_memory;
};

static const char *text_of(const struct reader *r, const char *path)
{
	struct lyd_node *node = NULL;

	if (lyd_find_path(r->parent, path, 0, &node) != LY_SUCCESS)
		return NULL;
	return lyd_get_value(node);
}

static char *copy(struct reader *r, const char *text)
{
	char *copied = config_take_text(r->config, text);

	r->out_of_memory |= !copied;
	return copied;
}

static void *array(struct reader *r, size_t n, size_t size)
{
	void *taken = config_take(r->config, n * size);

	r->out_of_memory |= !taken;
	return taken;
}

static char *string(struct reader *r, const char *path)
{
	const char *text = text_of(r, path);

	return text ? copy(r, text) : NULL;
}

static uint64_t number(const struct reader *r, const char *path)
{
	const char *text = text_of(r, path);

	return text ? strtoull(text, NULL, 10) : 0;
}

static bool boolean(const struct reader *r, const char *path)
{
	const char *text = text_of(r, path);

	return text && strcmp(text, "true") == 0;
}

/* Returns the URL up to its '?', with a '/' at its end, so that a file's name can follow. The rest,
 * if there is one, is the query. */
static char *split_url(struct reader *r, const char *text, char **ret_query)
{
	size_t length = text ? strcspn(text, "?") : 0;
	char *url;

	if (!text)
		return NULL;
	url = array(r, length + 2, 1);
	if (!url)
		return NULL;
	memcpy(url, text, length);
	if (text[length - 1] != '/')
		url[length] = '/';
	if (text[length] == '?' && text[length + 1])
		*ret_query = copy(r, text + length);
	return url;
}

static struct ly_set *find_all(struct reader *r, const char *path)
{
	struct ly_set *set = NULL;

	if (lyd_find_xpath(r->parent, path, &set) != LY_SUCCESS)
		r->out_of_memory = true;
	return set;
}

static size_t count(const struct ly_set *set)
{
	return set ? set->count : 0;
}

static void read_strings(struct reader *r, const char *path, char ***ret, size_t *ret_n)
{
	struct ly_set *set = find_all(r, path);
	char **strings = array(r, count(set) + 1, sizeof(char *));

	*ret = strings;
	for (uint32_t i = 0; strings && i < count(set); i++) {
		strings[i] = copy(r, lyd_get_value(set->dnodes[i]));
		*ret_n += 1;
	}
	ly_set_free(set, NULL);
}

static uint32_t handle(const struct reader *r, const char *path)
{
	const char *text = text_of(r, path);

	return text ? (uint32_t)strtoul(text, NULL, 16) : 0;
}

static uint32_t read_pcrs(struct reader *r)
{
	struct ly_set *set = find_all(r, "configuration-integrity/pcr");
	uint32_t pcrs = 0;

	for (uint32_t i = 0; set && i < set->count; i++)
		pcrs |= 1u << strtoul(lyd_get_value(set->dnodes[i]), NULL, 10);
	ly_set_free(set, NULL);
	return pcrs;
}

static void read_post_quantum(struct reader *r, struct config_post_quantum *post_quantum)
{
	post_quantum->required = boolean(r, "post-quantum/required");
	read_strings(r, "post-quantum/key-exchange", &post_quantum->key_exchange,
		     &post_quantum->n_key_exchange);
}

static void read_onboarding(struct reader *r, struct config_onboarding *onboarding)
{
	const char *const container = "secure-conductor-onboarding";
	const struct lyd_node *const whole = r->parent;
	struct lyd_node *inner = NULL;

	if (lyd_find_path(whole, container, 0, &inner) != LY_SUCCESS)
		return;
	r->parent = inner;
	onboarding->secrets_directory = string(r, "secrets-directory");
	onboarding->onboarding_file = string(r, "onboarding-file");
	onboarding->port = (uint16_t)number(r, "port");
	onboarding->tcti = string(r, "tcti");
	onboarding->ek_handle = handle(r, "ek-handle");
	onboarding->device_id_certificate = string(r, "device-id/certificate");
	onboarding->device_id_key_handle = handle(r, "device-id/key-handle");
	onboarding->minimum_mode = string(r, "minimum-mode");
	read_strings(r, "reboot-command", &onboarding->reboot_command,
		     &onboarding->n_reboot_command);
	r->parent = whole;
	read_post_quantum(r, &onboarding->post_quantum);
}

static void read_conductor(struct reader *r, struct config_conductor *conductor)
{
	struct config_limits *limits = &conductor->limits;

	conductor->address = string(r, "address");
	conductor->port = (uint16_t)number(r, "port");
	conductor->certificate = string(r, "certificate");
	conductor->private_key = string(r, "private-key");
	conductor->private_key_passphrase_file = string(r, "private-key-passphrase-file");
	conductor->ca_certificate = string(r, "ca-certificate");
	conductor->device_id_ca = string(r, "device-id-ca");
	conductor->endorsement_ca = string(r, "endorsement-ca");
	conductor->device_id_crl = string(r, "device-id-crl");
	conductor->registry = string(r, "registry");
	limits->handshakes = (uint32_t)number(r, "limits/handshakes");
	limits->handshake_timeout_s = (uint32_t)number(r, "limits/handshake-timeout");
	limits->connection_rate = (uint32_t)number(r, "limits/connection-rate");
	limits->connection_burst = (uint32_t)number(r, "limits/connection-burst");
	limits->message_size_bytes = (uint32_t)number(r, "limits/message-size");
	limits->first_byte_timeout_s = (uint32_t)number(r, "limits/first-byte-timeout");
	limits->ssh_sessions = (uint32_t)number(r, "limits/ssh-sessions");
	limits->ssh_timeout_s = (uint32_t)number(r, "limits/ssh-timeout");
	read_post_quantum(r, &conductor->post_quantum);
}

static void read_integrity(struct reader *r, struct config_integrity *integrity)
{
	integrity->enabled = boolean(r, "configuration-integrity/enabled");
	integrity->required = boolean(r, "configuration-integrity/required");
	read_strings(r, "configuration-integrity/directory", &integrity->directories,
		     &integrity->n_directories);
	integrity->tcti = string(r, "configuration-integrity/tcti");
	integrity->key_handle = handle(r, "configuration-integrity/key-handle");
	integrity->nv_index = handle(r, "configuration-integrity/nv-index");
	integrity->secrets_directory = string(r, "secure-conductor-onboarding/secrets-directory");
	integrity->record_directory = string(r, "configuration-integrity/record-directory");
	integrity->pcrs = read_pcrs(r);
	integrity->pcr_bank = string(r, "configuration-integrity/pcr-bank");
	integrity->seal_after_boot = boolean(r, "configuration-integrity/seal-after-boot");
	integrity->seal_nv_index = handle(r, "configuration-integrity/seal-nv-index");
	integrity->recovery_key = string(r, "configuration-integrity/recovery-key");
	integrity->policy_key = string(r, "configuration-integrity/policy-key");
	integrity->policy_nv_index = handle(r, "configuration-integrity/policy-nv-index");
	integrity->policy_directory = string(r, "configuration-integrity/policy-directory");
}

static void read_mirrors(struct reader *r, struct config_source *source)
{
	struct ly_set *set = find_all(r, "mirror");

	source->mirrors = array(r, count(set) + 1, sizeof(*source->mirrors));
	for (uint32_t i = 0; source->mirrors && i < count(set); i++) {
		struct config_mirror *mirror = &source->mirrors[source->n_mirrors++];

		mirror->url = split_url(r, lyd_get_value(set->dnodes[i]), &mirror->query);
	}
	ly_set_free(set, NULL);
}

static void read_source(struct reader *r, struct config_source *source)
{
	source->name = string(r, "name");
	/* The model has checked that there is this kind. */
	(void)source_kind_parse(text_of(r, "kind"), &source->kind);
	source->url = split_url(r, text_of(r, "url"), &source->query);
	read_mirrors(r, source);
	source->ca_certificate = string(r, "ca-certificate");
	source->client_certificate = string(r, "client-certificate");
	source->client_key = string(r, "client-key");
	source->username = string(r, "username");
	source->password_file = string(r, "password-file");
	source->password = string(r, "password");
	source->bearer_token_file = string(r, "bearer-token-file");
	source->bearer_token = string(r, "bearer-token");
	source->s3_region = string(r, "s3-region");
	source->s3_access_key_file = string(r, "s3-access-key-file");
	source->s3_access_key = string(r, "s3-access-key");
	source->s3_secret_key_file = string(r, "s3-secret-key-file");
	source->s3_secret_key = string(r, "s3-secret-key");
	source->proxy = string(r, "proxy");
	source->proxy_username = string(r, "proxy-username");
	source->proxy_password_file = string(r, "proxy-password-file");
	source->proxy_password = string(r, "proxy-password");
	source->concurrency = (uint32_t)number(r, "concurrency");
}

static void read_sources(struct reader *r, struct config_software_update *update)
{
	struct ly_set *set = find_all(r, "software-update/source");

	update->sources = array(r, count(set) + 1, sizeof(*update->sources));
	for (uint32_t i = 0; update->sources && i < count(set); i++) {
		struct reader inner = {.config = r->config, .parent = set->dnodes[i]};

		read_source(&inner, &update->sources[update->n_sources++]);
		r->out_of_memory |= inner.out_of_memory;
	}
	ly_set_free(set, NULL);
}

/* The model has checked how days and times are written. */
static void read_scheduled(struct reader *r, struct config_bandwidth_schedule *schedule, size_t i)
{
	const char *days = text_of(r, "days");
	const char *from = text_of(r, "from");
	const char *to = text_of(r, "to");
	struct hours *hours = &schedule->hours[i];
	size_t size = strlen(days) + strlen(from) + strlen(to) + sizeof(" -");

	(void)hours_parse_days(days, &hours->days);
	(void)hours_parse_time(from, &hours->from_m);
	(void)hours_parse_time(to, &hours->to_m);
	schedule->max_bandwidth_bps[i] = number(r, "max-bandwidth");
	schedule->written[i] = array(r, size, 1);
	if (schedule->written[i])
		(void)snprintf(schedule->written[i], size, "%s %s-%s", days, from, to);
}

static void read_schedule(struct reader *r, struct config_bandwidth_schedule *schedule)
{
	struct ly_set *set = find_all(r, "software-update/bandwidth-schedule");
	size_t n = count(set);

	schedule->time_zone = string(r, "software-update/time-zone");
	schedule->hours = array(r, n + 1, sizeof(*schedule->hours));
	schedule->max_bandwidth_bps = array(r, n + 1, sizeof(*schedule->max_bandwidth_bps));
	schedule->written = array(r, n + 1, sizeof(*schedule->written));
	for (uint32_t i = 0; !r->out_of_memory && i < n; i++) {
		struct reader inner = {.config = r->config, .parent = set->dnodes[i]};

		read_scheduled(&inner, schedule, i);
		r->out_of_memory |= inner.out_of_memory;
		schedule->n++;
	}
	ly_set_free(set, NULL);
}

static void read_listen(struct reader *r, struct config_software_update *update)
{
	struct ly_set *set = find_all(r, "software-update/repository/listen");

	update->listen = array(r, count(set) + 1, sizeof(*update->listen));
	for (uint32_t i = 0; update->listen && i < count(set); i++) {
		struct reader inner = {.config = r->config, .parent = set->dnodes[i]};

		update->listen[i].address = string(&inner, "address");
		update->listen[i].port = (uint16_t)number(&inner, "port");
		r->out_of_memory |= inner.out_of_memory;
		update->n_listen++;
	}
	ly_set_free(set, NULL);
}

/* libyang has defaults for leaves, not for lists. read_listen() made room for it. */
static void listen_by_default(struct reader *r, struct config_software_update *update)
{
	if (!update->listen)
		return;
	update->listen[0].address = copy(r, "127.0.0.1");
	update->listen[0].port = 8930;
	update->n_listen = 1;
}

static void read_download(const struct reader *r, struct config_download *download)
{
	download->enable_timeout = boolean(r, "software-update/download/enable-timeout");
	download->timeout_s = (uint32_t)number(r, "software-update/download/timeout");
	download->attempts = (uint32_t)number(r, "software-update/download/attempts");
	download->initial_retry_delay_s =
		(uint32_t)number(r, "software-update/download/initial-retry-delay");
	download->maximum_retry_delay_s =
		(uint32_t)number(r, "software-update/download/maximum-retry-delay");
	download->concurrency = (uint32_t)number(r, "software-update/download/concurrency");
	download->connect_timeout_s =
		(uint32_t)number(r, "software-update/download/connect-timeout");
	download->stall_timeout_s = (uint32_t)number(r, "software-update/download/stall-timeout");
	download->window = (uint32_t)number(r, "software-update/download/window");
}

static void read_software_update(struct reader *r, struct config_software_update *update)
{
	(void)access_mode_parse(text_of(r, "software-update/access-mode"), &update->access_mode);
	/* "unlimited" reads as 0. */
	update->max_bandwidth_bps = number(r, "software-update/max-bandwidth");
	read_schedule(r, &update->schedule);
	read_download(r, &update->download);
	read_strings(r, "software-update/trusted-key", &update->trusted_keys,
		     &update->n_trusted_keys);
	read_strings(r, "software-update/seed", &update->seeds, &update->n_seeds);
	update->fetch_on_demand = boolean(r, "software-update/repository/fetch-on-demand");
	update->repository_max_bytes = number(r, "software-update/repository/max-size");
	read_sources(r, update);
	read_listen(r, update);
}

static void read_high_availability(struct reader *r, struct config_high_availability *ha)
{
	char *no_query = NULL; /* by the model */

	ha->peer_node = string(r, "high-availability/peer-node");
	ha->peer_url = split_url(r, text_of(r, "high-availability/peer-url"), &no_query);
	ha->peer_patience_s = (uint32_t)number(r, "high-availability/peer-patience");
}

static void free_text(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

/* As anybody may see it who may read. NULL = out of memory. */
static char *hide_secrets(const char *text)
{
	cJSON *document = cJSON_Parse(text);
	char *hidden = NULL;

	/* Its only member is the container. */
	if (document && config_secrets_hide(document->child, NULL) == 0)
		hidden = cJSON_PrintUnformatted(document);
	json_wipe_free(document);
	return hidden;
}

static char *print(struct reader *r)
{
	char *text = NULL;
	char *hidden;
	char *shown = NULL;

	if (lyd_print_mem(&text, r->parent, LYD_JSON, LYD_PRINT_WD_ALL | LYD_PRINT_SHRINK) !=
	    LY_SUCCESS)
		r->out_of_memory = true;
	hidden = text ? hide_secrets(text) : NULL;
	if (hidden)
		shown = copy(r, hidden);
	r->out_of_memory |= !hidden;
	free(hidden);
	free_text(text);
	return shown;
}

int config_read(struct config **ret, const struct lyd_node *tree, struct err *err)
{
	struct config *config = calloc(1, sizeof(*config));
	struct reader r = {.config = config, .parent = tree};

	if (!config)
		return err_set(err, -ENOMEM, "configuration: out of memory");
	config->role =
		strcmp(tree->schema->name, "conductor") == 0 ? CONFIG_CONDUCTOR : CONFIG_ROUTER;
	config->name = string(&r, "name");
	config->node = string(&r, "node");
	config->asset_id = string(&r, "asset-id");
	config->state_directory = string(&r, "state-directory");
	config->control.socket = string(&r, "control/socket");
	config->control.group = string(&r, "control/group");
	config->control.read_group = string(&r, "control/read-group");
	read_integrity(&r, &config->integrity);
	if (config->role == CONFIG_CONDUCTOR)
		read_conductor(&r, &config->conductor);
	else
		read_onboarding(&r, &config->onboarding);
	read_high_availability(&r, &config->high_availability);
	config->high_availability.own_node =
		config->role == CONFIG_CONDUCTOR ? config->name : config->node;
	read_software_update(&r, &config->software_update);
	if (config->role == CONFIG_CONDUCTOR && config->software_update.n_listen == 0)
		listen_by_default(&r, &config->software_update);
	config->text = print(&r);
	if (r.out_of_memory) {
		config_free(config);
		return err_set(err, -ENOMEM, "configuration: out of memory");
	}
	*ret = config;
	return 0;
}
