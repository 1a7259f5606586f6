/* port_mux.h - one port, two protocols: the first byte decides.
 *
 * A connection is looked at without consuming it (MSG_PEEK): 0x16 is TLS, 'S' is SSH, and each is
 * handed on as it came; anything else, and 5 s of silence, is closed. One byte decides: waiting for
 * a second while the first lies unread would spin.
 *
 * Who may come, and who must go for a newcomer, is admission's. A silent peer has no more here than
 * a place in a table made at the start. What is handed on has a ticket and stays counted until
 * port_mux_finished(): the handshake has verified its peer, the session is authenticated, or
 * either is over. Until then show_out() may come for it: close it, there is a newcomer. After that
 * call the ticket is nobody's, and port_mux_finished() for it does nothing.
 *
 * Calling sequence: port_mux_open -> tls, ssh, show_out ... -> port_mux_close. The callbacks come
 * from the loop; the struct sockaddr is theirs for the call, the descriptor for good: non-blocking,
 * close-on-exec.
 */
#pragma once

#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

#include "core/err.h"
#include "onboarding/conductor/admission.h"

struct port_mux;

struct port_mux_options {
	const char *address; /* NULL = all of IPv4 and IPv6 */
	uint16_t port;       /* 0 = any: port_mux_port() */
	uint32_t silence_ms;
	uint32_t silent_max;
	uint32_t tls_max;
	uint32_t ssh_max;
	uint32_t rate_per_s; /* and address; 0 = no limit */
	uint32_t burst;
	void (*tls)(void *owner, int fd, const struct sockaddr *peer, admission_ticket ticket);
	void (*ssh)(void *owner, int fd, const struct sockaddr *peer, admission_ticket ticket);
	void (*show_out)(void *owner, enum admission_line line, admission_ticket ticket);
	void *owner;
};

/* What onboarding.md has, for a copy: all addresses, port 930, no callbacks. */
extern const struct port_mux_options port_mux_defaults;

/* Connections since the start; each is in one of the first five, or still silent. */
struct port_mux_counts {
	uint64_t tls;
	uint64_t ssh;
	uint64_t garbage;         /* another first byte, or none before its end */
	uint64_t silent;          /* too long, or longest when another came */
	uint64_t refused;         /* too many of its address */
	uint64_t tls_shown_out;   /* of tls */
	uint64_t ssh_shown_out;   /* of ssh */
	uint64_t accept_failures; /* no descriptor or memory was left */
};

int port_mux_open(struct port_mux **ret, uv_loop_t *loop, const struct port_mux_options *options,
		  struct err *err);
void port_mux_close(struct port_mux *mux, void (*closed)(void *owner), void *owner);

void port_mux_finished(struct port_mux *mux, enum admission_line line, admission_ticket ticket);

uint16_t port_mux_port(const struct port_mux *mux);
const struct port_mux_counts *port_mux_counts(const struct port_mux *mux);
/* How many are in a line now. */
uint32_t port_mux_count(const struct port_mux *mux, enum admission_line line);
