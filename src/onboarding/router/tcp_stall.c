/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/router/tcp_stall.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define SENT_AGAIN 3u /* times: 0.2 + 0.4 + 0.8 s at the least */

enum tcp_stall tcp_stall_of(int fd)
{
	struct tcp_info info = {0};
	socklen_t size = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
		return TCP_STALL_NONE;
	if ((info.tcpi_unacked > 0 && info.tcpi_backoff >= SENT_AGAIN) || info.tcpi_rcv_ooopack > 0)
		return TCP_STALL_SIZE;
	return info.tcpi_bytes_received == 0 ? TCP_STALL_SILENT : TCP_STALL_NONE;
}
