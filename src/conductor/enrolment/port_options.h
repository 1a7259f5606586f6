/* SPDX-License-Identifier: GPL-3.0-or-later */
/* port_options.h - the settings of the open port, and whom it hands connections on to.
 */
#pragma once

#include <stdint.h>
#include <sys/socket.h>

#include "conductor/enrolment/known_addresses.h"
#include "conductor/enrolment/turns.h"

enum port_line {
	PORT_TLS, /* its handshake is not verified yet */
	PORT_SSH, /* it has not authenticated yet */
};
#define PORT_N_LINES 2

struct port_mux_options {
	const char *address; /* NULL = all of IPv4 and IPv6 */
	uint16_t port;       /* 0 = any: port_mux_port() */
	uint32_t silence_ms;
	uint32_t silent_max;
	uint32_t tls_max;
	uint32_t ssh_max;
	uint64_t ssh_timeout_ms; /* sshd's; a session that has not ended long after it is forgotten
				  */
	uint32_t rate_per_s;     /* and address; 0 = no limit */
	uint32_t burst;
	struct known_addresses *known; /* addresses that come before strangers; NULL = none */
	void (*tls)(void *owner, int fd, const struct sockaddr *peer, turns_ticket ticket);
	void (*ssh)(void *owner, int fd, const struct sockaddr *peer, turns_ticket ticket);
	void (*show_out)(void *owner, enum port_line line, turns_ticket ticket);
	/* Can ssh() be called now? Until then they wait. NULL = always. */
	bool (*ssh_has_room)(void *owner);
	/* Does this handshake wait for us, and not for its peer? NULL = never. */
	bool (*tls_is_busy)(void *owner, turns_ticket ticket);
	void *owner;
};

/* To be copied: the numbers of docs/onboarding.md, "The open port", all addresses, port 930, no
 * callbacks. */
extern const struct port_mux_options port_mux_defaults;
