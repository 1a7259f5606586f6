/* config.h - the configuration: modelled in YANG, checked by libyang, read here as a struct.
 *
 * Types, ranges, defaults and the words of a refusal come from packaging/yang/steward.yang,
 * which is compiled into the program. A struct config is read-only and whole: a reload loads a
 * second one and exchanges the pointer, so that an invalid file changes nothing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

#define CONFIG_ROUTER_PATH    "/etc/steward/steward.json"
#define CONFIG_CONDUCTOR_PATH "/etc/steward/conductor.json"

/* Of this machine: a conductor's if only that is there. */
const char *config_default_path(void);

enum config_role { CONFIG_ROUTER, CONFIG_CONDUCTOR, CONFIG_ANY };

enum access_mode {
	ACCESS_INTERNET_ONLY,
	ACCESS_PREFER_CONDUCTOR,
	ACCESS_CONDUCTOR_ONLY,
	ACCESS_OFFLINE,
};

/* In the order in which sources are preferred (docs/download.md, "Sources"). */
enum source_kind {
	SOURCE_HA_PEER,
	SOURCE_CONDUCTOR,
	SOURCE_ARTIFACTORY,
	SOURCE_MIST_PROXY,
};

struct config_mirror {
	char *url; /* as those of the source */
	char *query;
};

struct config_source {
	char *name;
	enum source_kind kind;
	char *url;   /* ends in '/' */
	char *query; /* behind each document's path, with its '?'; a secret; NULL = none */
	struct config_mirror *mirrors; /* asked in this order, after url */
	size_t n_mirrors;
	char *ca_certificate; /* PEM file; NULL = the system's */
	char *client_certificate;
	char *client_key;
	char *username;
	char *password_file;
	char *bearer_token_file;
	char *s3_region; /* NULL = requests are not signed */
	char *s3_access_key_file;
	char *s3_secret_key_file;
	char *proxy;
	char *proxy_username;
	char *proxy_password_file;
	uint32_t concurrency; /* requests at once; 0 = no limit of its own */
};

struct config_listen {
	char *address;
	uint16_t port;
};

struct config_control {
	char *socket;
	char *group;      /* may change */
	char *read_group; /* may read */
};

/* Configuration Integrity (docs/integrity.md). */
struct config_integrity {
	bool enabled;
	bool required;
	char **directories; /* encrypted ones, in the file's order */
	size_t n_directories;
	char *tcti;
	uint32_t key_handle;
	uint32_t nv_index;
	char *record_directory;
	char *secrets_directory; /* where a router's are kept; NULL = a conductor's */
	uint32_t pcrs;           /* one bit a PCR; 0 = none */
	char *pcr_bank;
	bool seal_after_boot;
	uint32_t seal_nv_index;   /* of the counter that does it */
	char *recovery_key;       /* PEM file; NULL = none */
	char *policy_key;         /* PEM file; NULL = none */
	uint32_t policy_nv_index; /* of the counter of policies */
	char *policy_directory;   /* of those that come with the image */
};

/* A router's side of Secure Conductor Onboarding (docs/onboarding.md). */
struct config_onboarding {
	char *secrets_directory;
	char *onboarding_file;
	uint16_t port;
	char *tcti;
	uint32_t ek_handle;
	char *device_id_certificate; /* NULL = none, and then the handle is 0 */
	uint32_t device_id_key_handle;
	char *minimum_mode; /* psk-only, weak or strong */
	char **reboot_command;
	size_t n_reboot_command;
};

/* What strangers may use of a conductor's open port. */
struct config_limits {
	uint32_t handshakes;
	uint32_t handshake_timeout_s;
	uint32_t connection_rate; /* a second and address */
	uint32_t connection_burst;
	uint32_t message_size_bytes;
	uint32_t first_byte_timeout_s;
	uint32_t ssh_sessions;
	uint32_t ssh_timeout_s;
};

/* The conductor's side. */
struct config_conductor {
	char *address;
	uint16_t port;
	char *certificate;
	char *private_key;
	char *ca_certificate;
	char *device_id_ca;  /* NULL = none */
	char *device_id_crl; /* likewise */
	char *registry;      /* URI */
	struct config_limits limits;
};

struct config_high_availability {
	const char *own_node; /* a router's node, a conductor's name; borrowed; NULL = not said */
	char *peer_node;      /* NULL = no peer */
	char *peer_url;
	uint32_t peer_patience_s;
};

struct config_download {
	bool enable_timeout;
	uint32_t timeout_s;
	uint32_t attempts; /* 0 = no limit */
	uint32_t initial_retry_delay_s;
	uint32_t maximum_retry_delay_s;
	uint32_t concurrency;
	uint32_t connect_timeout_s;
	uint32_t stall_timeout_s;
	uint32_t window;
};

struct config_software_update {
	enum access_mode access_mode;
	uint64_t max_bandwidth_bps; /* bits a second; 0 = unlimited */
	char **trusted_keys;        /* PEM files */
	size_t n_trusted_keys;
	struct config_download download;
	struct config_source *sources; /* in the file's order, the HA peer not among them */
	size_t n_sources;
	struct config_listen *listen;
	size_t n_listen;
};

struct config {
	enum config_role role;
	char *name;
	char *node;
	char *asset_id;
	char *state_directory;
	struct config_control control;
	struct config_integrity integrity;
	struct config_onboarding onboarding; /* of a router */
	struct config_conductor conductor;   /* of a conductor */
	struct config_high_availability high_availability;
	struct config_software_update software_update;
	char *text; /* the merged configuration as JSON, secrets left out */
};

/* Load and check path, a configuration for role; a router's with router.json of its
 * secrets-directory merged over it if that is there. On failure *ret is untouched and err says
 * path, value and constraint. Errors: -ENOENT, -EACCES, -EINVAL (refused by the model), -ENOMEM. */
int config_load(struct config **ret, const char *path, enum config_role role, struct err *err);

/* What is needed before anything is unlocked: path alone, and of it neither software-update nor
 * high-availability, whose other half may lie in router.json. Errors as above. */
int config_load_early(struct config **ret, const char *path, enum config_role role,
		      struct err *err);

/* Could this be (a part of) a router's configuration? json: the members of "steward:router".
 * -EINVAL as above. */
int config_check_router(const char *json, struct err *err);
/* May a conductor send it: could it be merged over the file at path, in place of router.json, and
 * are the files with secrets that it names within config_credentials.h? */
int config_check_router_over(const char *path, const char *json, struct err *err);

/* One more source, behind those that are there. -ENOMEM. */
int config_add_source(struct config *config, const char *name, enum source_kind kind,
		      const char *url, struct err *err);

void config_free(struct config *config);
void config_freep(struct config **config);

const char *access_mode_name(enum access_mode mode);
const char *source_kind_name(enum source_kind kind);
