/* SPDX-License-Identifier: GPL-3.0-or-later */
/* settings.h - the configuration as plain data. config/config.h reads it from a file.
 *
 * A struct config is read-only and complete: a reload loads a second one and exchanges the
 * pointer.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hours.h"

enum config_role { CONFIG_ROUTER, CONFIG_CONDUCTOR, CONFIG_ANY };

enum access_mode {
	ACCESS_INTERNET_ONLY,
	ACCESS_PREFER_CONDUCTOR,
	ACCESS_CONDUCTOR_ONLY,
	ACCESS_OFFLINE,
	N_ACCESS_MODES
};

/* Each kind of source, in the order in which they are preferred (docs/download.md, "Sources"): its
 * name in the configuration, and whether a router uses it in internet-only, prefer-conductor,
 * conductor-only and offline-mode. */
#define SOURCE_KINDS(KIND)                                                                         \
	KIND(SOURCE_HA_PEER, "ha-peer", true, true, true, true)                                    \
	KIND(SOURCE_CONDUCTOR, "conductor", false, true, true, true)                               \
	KIND(SOURCE_ARTIFACTORY, "artifactory", true, true, false, false)                          \
	KIND(SOURCE_MIST_PROXY, "mist-proxy", true, true, false, false)

enum source_kind {
#define KIND(kind, ...) kind,
	SOURCE_KINDS(KIND) N_SOURCE_KINDS
#undef KIND
};

struct config_mirror {
	char *url; /* as those of the source */
	char *query;
};

/* Against who records now and has a quantum computer later. */
struct config_post_quantum {
	bool required;       /* of handshakes */
	char **key_exchange; /* of tunnels, best first; none = what the system has */
	size_t n_key_exchange;
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
	char *password; /* itself: of each secret a file or this */
	char *bearer_token_file;
	char *bearer_token;
	char *s3_region; /* NULL = requests are not signed */
	char *s3_access_key_file;
	char *s3_access_key;
	char *s3_secret_key_file;
	char *s3_secret_key;
	char *proxy;
	char *proxy_username;
	char *proxy_password_file;
	char *proxy_password;
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
	struct config_post_quantum post_quantum;
};

/* How much strangers may use of a conductor's open port. */
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
	char *private_key_passphrase_file; /* NULL = the key is not encrypted */
	char *ca_certificate;
	char *device_id_ca;   /* NULL = none */
	char *device_id_crl;  /* likewise */
	char *endorsement_ca; /* likewise */
	char *registry;       /* URI */
	struct config_limits limits;
	struct config_post_quantum post_quantum;
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

/* Limits by the hour, in the file's order. */
struct config_bandwidth_schedule {
	struct hours *hours;         /* when each holds */
	uint64_t *max_bandwidth_bps; /* of each; 0 = unlimited */
	char **written;              /* each as it is written: "mon-fri 22:00-05:00" */
	size_t n;
	char *time_zone; /* NULL = the system's */
};

struct config_software_update {
	enum access_mode access_mode;
	uint64_t max_bandwidth_bps; /* bits a second; 0 = unlimited */
	struct config_bandwidth_schedule schedule;
	char **trusted_keys; /* PEM files */
	size_t n_trusted_keys;
	char **seeds; /* files and block devices that may have bytes of a new image */
	size_t n_seeds;
	struct config_download download;
	struct config_source *sources; /* in the file's order, the HA peer not among them */
	size_t n_sources;
	struct config_listen *listen;
	size_t n_listen;
	bool fetch_on_demand;          /* a conductor's: downloads what its routers ask for */
	uint64_t repository_max_bytes; /* likewise: of its images; 0 = unlimited */
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
	char *text;                  /* the merged configuration as JSON, secrets left out */
	struct config_block *blocks; /* where all of it lies: config/config_memory.h */
};

const char *access_mode_name(enum access_mode mode);
const char *source_kind_name(enum source_kind kind);

/* -EINVAL: nothing is called so. */
int access_mode_parse(const char *name, enum access_mode *ret);
int source_kind_parse(const char *name, enum source_kind *ret);

/* Whether sources of this kind are used at all (docs/download.md, "Sources"), by a node of that
 * role. A conductor in offline-mode asks nobody but its peer. */
bool source_kind_is_used(enum config_role role, enum access_mode mode, enum source_kind kind);

/* Are only imported images taken from this kind of source? In offline-mode: by a router from its
 * conductor, and by a conductor from its peer. A router takes any image from its own peer. */
bool source_offers_only_imported(enum config_role role, enum access_mode mode,
				 enum source_kind kind);
