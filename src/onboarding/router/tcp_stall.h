/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tcp_stall.h - does a connection stand still since a path drops full-size packets, and tells
 * nobody?
 *
 * So it is where the MTU of a link on the way is smaller than the ends believe, and somebody drops
 * the ICMP messages that would tell them (RFC 2923, 2.1). Small packets pass: the connection is
 * made, and nothing comes of it.
 */
#pragma once

enum tcp_stall {
	TCP_STALL_NONE,
	TCP_STALL_SILENT, /* what we sent has arrived, and not a byte has come back */
	TCP_STALL_SIZE,   /* ours is sent again and again, or later bytes came while earlier ones
			   * are missing */
};

/* What the kernel knows of the connection fd, which has waited for long. */
enum tcp_stall tcp_stall_of(int fd);
