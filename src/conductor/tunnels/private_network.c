/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/tunnels/private_network.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int write_file(const char *path, const char *text, struct err *err)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int rc = fd < 0 || write(fd, text, strlen(text)) < 0 ? -errno : 0;

	if (fd >= 0)
		(void)close(fd);
	return rc < 0 ? err_set_errno(err, rc, "write %s", path) : 0;
}

/* A process without privileges may map only its own user, and no groups (user_namespaces(7)). */
static int enter_user_namespace(struct err *err)
{
	char uid[32];
	char gid[32];
	int rc;

	(void)snprintf(uid, sizeof(uid), "%u %u 1", geteuid(), geteuid());
	(void)snprintf(gid, sizeof(gid), "%u %u 1", getegid(), getegid());
	if (unshare(CLONE_NEWUSER) < 0)
		return err_set_errno(err, -errno, "make a user namespace");
	rc = write_file("/proc/self/setgroups", "deny", err);
	if (rc == 0)
		rc = write_file("/proc/self/uid_map", uid, err);
	if (rc == 0)
		rc = write_file("/proc/self/gid_map", gid, err);
	return rc;
}

static int bring_loopback_up(struct err *err)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int rc = fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? -errno : 0;

	if (fd >= 0)
		(void)close(fd);
	return rc < 0 ? err_set_errno(err, rc, "bring lo up") : 0;
}

int private_network_enter(struct err *err)
{
	int rc = geteuid() == 0 ? 0 : enter_user_namespace(err);

	if (rc < 0)
		return rc;
	if (unshare(CLONE_NEWNET) < 0)
		return err_set_errno(err, -errno, "make a network namespace");
	return bring_loopback_up(err);
}

int private_network_check(struct err *err)
{
	struct if_nameindex *all = if_nameindex();
	int rc = 0;

	if (!all)
		return err_set_errno(err, -errno, "list the network interfaces");
	for (struct if_nameindex *each = all; each->if_index != 0; each++)
		if (strcmp(each->if_name, "lo") != 0 && rc == 0)
			rc = err_set(err, -ENOTUNIQ,
				     "not in a network of its own: there is the interface %s",
				     each->if_name);
	if_freenameindex(all);
	return rc;
}

static bool is_loopback(const struct sockaddr *address)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;

	if (address->sa_family == AF_INET)
		return ntohl(v4->sin_addr.s_addr) >> IN_CLASSA_NSHIFT == IN_LOOPBACKNET;
	return address->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

int private_network_check_localhost(struct err *err)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found;
	int code = getaddrinfo("localhost", NULL, &hints, &found);
	int rc = 0;

	if (code != 0)
		return err_set(err, -ENOENT, "localhost has no address (%s)", gai_strerror(code));
	if (!is_loopback(found->ai_addr))
		rc = err_set(err, -EXDEV, "localhost leads to another machine");
	freeaddrinfo(found);
	return rc;
}
