/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/router/network_route.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/macros.h"

#define ANSWER_SIZE 4096 /* one route; the kernel's own tools take as much */

struct question {
	struct nlmsghdr head;
	struct rtmsg route;
	struct rtattr attribute;
	uint8_t to[16];
};

static size_t address_size(int family)
{
	return family == AF_INET ? 4 : 16;
}

/* Returns false if it is no address. */
static bool compose(const char *address, struct question *ret)
{
	size_t size;

	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, address, ret->to) == 1)
		ret->route.rtm_family = AF_INET;
	else if (inet_pton(AF_INET6, address, ret->to) == 1)
		ret->route.rtm_family = AF_INET6;
	else
		return false;
	size = address_size(ret->route.rtm_family);
	ret->route.rtm_dst_len = (unsigned char)(8 * size);
	ret->attribute.rta_type = RTA_DST;
	ret->attribute.rta_len = (unsigned short)RTA_LENGTH(size);
	ret->head.nlmsg_type = RTM_GETROUTE;
	ret->head.nlmsg_flags = NLM_F_REQUEST;
	ret->head.nlmsg_len = (uint32_t)(NLMSG_LENGTH(sizeof(ret->route)) + RTA_LENGTH(size));
	return true;
}

static void take_attribute(struct network_route *route, const struct rtattr *attribute)
{
	const void *data = RTA_DATA(attribute);
	const size_t size = RTA_PAYLOAD(attribute);

	if (attribute->rta_type == RTA_OIF && size == sizeof(route->interface))
		memcpy(&route->interface, data, size);
	else if (attribute->rta_type == RTA_PREFSRC && size == address_size(route->family))
		memcpy(route->source, data, size);
	else if (attribute->rta_type == RTA_GATEWAY && size == address_size(route->family))
		memcpy(route->gateway, data, size);
}

static void read_answer(const struct nlmsghdr *head, size_t size, struct network_route *ret)
{
	const struct rtmsg *route = NLMSG_DATA(head);
	const struct rtattr *attribute;
	size_t left;

	if (!NLMSG_OK(head, size) || head->nlmsg_type != RTM_NEWROUTE ||
	    head->nlmsg_len < NLMSG_LENGTH(sizeof(*route)))
		return;
	/* Unreachable, prohibited, thrown away: there are routes that say so. */
	if (route->rtm_type != RTN_UNICAST && route->rtm_type != RTN_LOCAL)
		return;
	ret->family = route->rtm_family;
	left = RTM_PAYLOAD(head);
	for (attribute = RTM_RTA(route); RTA_OK(attribute, left);
	     attribute = RTA_NEXT(attribute, left))
		take_attribute(ret, attribute);
}

static void find(const char *address, struct network_route *ret)
{
	const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	_Alignas(struct nlmsghdr) char answer[ANSWER_SIZE];
	struct question question;
	ssize_t size = -1;
	int fd;

	if (!compose(address, &question))
		return;
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0)
		return;
	if (sendto(fd, &question, question.head.nlmsg_len, 0, (const struct sockaddr *)&kernel,
		   sizeof(kernel)) >= 0)
		size = recv(fd, answer, sizeof(answer), MSG_DONTWAIT);
	(void)close(fd);
	if (size > 0)
		read_answer((const struct nlmsghdr *)(const void *)answer, (size_t)size, ret);
}

/* 192.0.2.0/24 and 2001:db8::/32 are for documentation (RFC 5737, RFC 3849). */
void network_route_find(const char *host, struct network_route *ret)
{
	struct question question;
	const bool is_address = compose(host, &question);

	memset(ret, 0, sizeof(*ret));
	find(is_address ? host : "192.0.2.1", ret);
	if (!is_address && ret->family == 0)
		find("2001:db8::1", ret);
}

static bool is_same(const struct network_route *a, const struct network_route *b)
{
	return a->family == b->family && a->interface == b->interface &&
	       memcmp(a->source, b->source, sizeof(a->source)) == 0 &&
	       memcmp(a->gateway, b->gateway, sizeof(a->gateway)) == 0;
}

bool network_route_renew(const char *host, struct network_route *route)
{
	const struct network_route before = *route;

	network_route_find(host, route);
	return !is_same(&before, route);
}

bool network_route_has_lost_its_source(const struct network_route *route)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_scope_id = route->interface};
	bool is_v4 = route->family == AF_INET;
	bool is_lost;
	int fd;

	if (route->family == 0)
		return false;
	fd = socket(route->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	memcpy(&v4.sin_addr, route->source, sizeof(v4.sin_addr));
	memcpy(&v6.sin6_addr, route->source, sizeof(v6.sin6_addr));
	is_lost = bind(fd, is_v4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6,
		       is_v4 ? sizeof(v4) : sizeof(v6)) < 0 &&
		  errno == EADDRNOTAVAIL;
	(void)close(fd);
	return is_lost;
}
