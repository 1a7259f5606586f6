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
	struct registry *registry;
	const struct config_conductor *config;
	uint16_t repository_port; /* in the tunnels */
	/* Somebody speaks SSH; fd is taken. The ticket goes back with sco_ssh_finished(). */
	void (*ssh)(void *owner, int fd, const struct sockaddr *peer, admission_ticket ticket);
	void (*ssh_show_out)(void *owner, admission_ticket ticket);
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

void sco_ssh_finished(struct sco *s, admission_ticket ticket);
const struct sco_counts *sco_counts(const struct sco *s);
const struct port_mux_counts *sco_port_counts(const struct sco *s);
