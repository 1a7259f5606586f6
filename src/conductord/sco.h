/* sco.h - onboarding on port 930: who comes, their handshakes, and what became of them.
 *
 * SSH on the same port is handed to the tunnels.
 *
 * Calling sequence: sco_start -> sco_close.
 */
#pragma once

#include "conductord/sco_handshake.h"
#include "onboarding/conductor/port_mux.h"
#include "onboarding/tls_session.h"

struct sco;

struct sco_options {
	uv_loop_t *loop;
	struct work_pool *pool; /* that asks the registry */
	struct registry *registry;
	const struct config_conductor *config;
	uint16_t repository_port;      /* in the tunnels */
	struct known_addresses *known; /* who comes before strangers */
	/* Somebody who speaks SSH has its turn; fd is taken. The ticket goes back with
	 * sco_ssh_finished() or sco_ssh_authenticated(). */
	void (*ssh)(void *owner, int fd, const struct sockaddr *peer, turns_ticket ticket);
	void (*ssh_show_out)(void *owner, turns_ticket ticket);
	bool (*ssh_has_room)(void *owner); /* for one more; else they wait */
	/* On a worker: keys that may log in have changed. */
	int (*sync_keys)(void *owner, struct err *err);
	void *owner;
};

struct sco_counts {
	uint64_t enrolled;
	uint64_t refused;
	uint64_t strangers;
	uint64_t retry_later;
	uint32_t under_way;
};

int sco_start(struct sco **ret, const struct sco_options *options, struct err *err);
void sco_close(struct sco *s, void (*closed)(void *owner), void *owner);

void sco_ssh_finished(struct sco *s, turns_ticket ticket);
/* Returns whether known has changed. */
bool sco_ssh_authenticated(struct sco *s, turns_ticket ticket);
/* No session of all that were handed on goes on. */
void sco_ssh_lost(struct sco *s);
/* There is room again. */
void sco_ssh_ready(struct sco *s);
const struct sco_counts *sco_counts(const struct sco *s);
const struct port_mux *sco_port(const struct sco *s);
