/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/tunnels/tunnel_message.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define ERRNO_MAX 4095 /* as the kernel has it */

/* Base64 of a SHA-256 without its padding, as ssh writes it. */
static bool is_fingerprint(const char text[AUTHORIZED_KEY_FINGERPRINT_SIZE])
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				       "0123456789+/";

	return memchr(text, '\0', AUTHORIZED_KEY_FINGERPRINT_SIZE) ==
		       text + AUTHORIZED_KEY_FINGERPRINT_SIZE - 1 &&
	       strspn(text, alphabet) == AUTHORIZED_KEY_FINGERPRINT_SIZE - 1;
}

static bool is_order(const struct ssh_kex_order *order)
{
	for (size_t i = 0; i < sizeof(order->wanted); i++)
		if (order->wanted[i] >= SSH_KEX_END)
			return false;
	return true;
}

bool tunnel_message_is_to_helper(const struct tunnel_message *message)
{
	switch (message->type) {
	case TUNNEL_SESSION:
		return message->seconds > 0 && is_order(&message->kex_order);
	case TUNNEL_END_SESSION:
		return true;
	case TUNNEL_END_KEY:
		return is_fingerprint(message->fingerprint);
	case TUNNEL_CONNECT:
	case TUNNEL_LISTEN:
		return message->port > 0;
	default:
		return false;
	}
}

bool tunnel_message_is_from_helper(const struct tunnel_message *message)
{
	switch (message->type) {
	case TUNNEL_READY:
	case TUNNEL_ENDED:
		return true;
	case TUNNEL_AUTHENTICATED:
		return is_fingerprint(message->fingerprint) && message->kex < SSH_KEX_END;
	case TUNNEL_REPLY:
		return message->code <= 0 && message->code >= -ERRNO_MAX;
	default:
		return false;
	}
}

static bool has_option(int fd, int option, int wanted)
{
	socklen_t size = sizeof(int);
	int value = -1;

	return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 && value == wanted;
}

static int check_socket(int fd, bool listens)
{
	int flags;

	if (!has_option(fd, SO_DOMAIN, AF_INET) || !has_option(fd, SO_TYPE, SOCK_STREAM) ||
	    !has_option(fd, SO_PROTOCOL, IPPROTO_TCP) || !has_option(fd, SO_ACCEPTCONN, listens))
		return -EBADF;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -EBADF;
	return 0;
}

int tunnel_message_check_connection(int fd)
{
	return check_socket(fd, false);
}

int tunnel_message_check_listener(int fd)
{
	return check_socket(fd, true);
}
