/* SPDX-License-Identifier: GPL-3.0-or-later */
/* enrolment_service.h - onboarding on port 930: accepts connections, runs their handshakes, and
 * records how each ended.
 *
 * SSH connections on the same port are handed to the tunnels.
 *
 * Calling sequence: enrolment_start -> enrolment_close.
 */
#pragma once

#include "conductor/enrolment/enrolment_handshake.h"
#include "conductor/enrolment/enrolment_result.h"
#include "conductor/enrolment/port_mux.h"
#include "onboarding/tls_session.h"

struct enrolment_service;

struct enrolment_options {
	uv_loop_t *loop;
	struct work_pool *pool; /* the thread that asks the registry */
	struct registry *registry;
	const struct config_conductor *config;
	uint16_t repository_port;      /* in the tunnels */
	struct known_addresses *known; /* addresses that come before strangers */
	/* It is the turn of a client that speaks SSH; it takes fd. Give the ticket back by
	 * enrolment_ssh_finished() or enrolment_ssh_authenticated(). */
	void (*ssh)(void *owner, int fd, const struct sockaddr *peer, turns_ticket ticket);
	void (*ssh_show_out)(void *owner, turns_ticket ticket);
	bool (*ssh_has_room)(void *owner); /* Can one more be handed on? Else they wait. */
	/* On a worker: the keys that may log in have changed. */
	int (*sync_keys)(void *owner, struct err *err);
	void *owner;
};

int enrolment_start(struct enrolment_service **ret, const struct enrolment_options *options,
		    struct err *err);
/* Read the files of certificates, keys and CRLs anew: handshakes that begin from now on go by them.
 * Errors are those of a start; then nothing has changed. */
int enrolment_renew(struct enrolment_service *s, struct err *err);
/* Is this the certificate (DER) that routers are shown? On any thread. */
bool enrolment_shows(struct enrolment_service *s, struct span certificate);

void enrolment_close(struct enrolment_service *s, void (*closed)(void *owner), void *owner);

void enrolment_ssh_finished(struct enrolment_service *s, turns_ticket ticket);
/* Returns whether known has changed. */
bool enrolment_ssh_authenticated(struct enrolment_service *s, turns_ticket ticket);
/* All sessions that were handed on have ended, since the helper is lost. */
void enrolment_ssh_lost(struct enrolment_service *s);
/* ssh_has_room may return true again. */
void enrolment_ssh_ready(struct enrolment_service *s);
const struct enrolment_counts *enrolment_counts(const struct enrolment_service *s);
const struct port_mux *enrolment_port(const struct enrolment_service *s);
