/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/registry/registry_postgresql_uri.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/macros.h"

#define PORT_USUAL "5432"

static const char *value_of(const PQconninfoOption *options, const char *name)
{
	for (; options && options->keyword; options++)
		if (strcmp(options->keyword, name) == 0)
			return options->val;
	return NULL;
}

/* Returns an option as libpq takes it: from the URI, even if it is empty there, else from the
 * environment. "" = none.
 */
static const char *effective(const PQconninfoOption *given, const PQconninfoOption *defaults,
			     const char *name)
{
	const char *value = value_of(given, name);

	if (!value)
		value = value_of(defaults, name);
	return value ? value : "";
}

static bool is_loopback(uint32_t address)
{
	return ntohl(address) >> 24 == IN_LOOPBACKNET;
}

bool postgresql_address_is_local(const struct sockaddr_storage *address)
{
	const struct sockaddr_in *four = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;
	uint32_t mapped;

	if (address->ss_family == AF_UNIX)
		return true;
	if (address->ss_family == AF_INET)
		return is_loopback(four->sin_addr.s_addr);
	if (address->ss_family != AF_INET6)
		return false;
	memcpy(&mapped, &six->sin6_addr.s6_addr[12], sizeof(mapped));
	return IN6_IS_ADDR_LOOPBACK(&six->sin6_addr) ||
	       (IN6_IS_ADDR_V4MAPPED(&six->sin6_addr) && is_loopback(mapped));
}

/* Is this the number of a loopback address? "127.0.0.1.example" is a name for which a resolver
 * would be asked, and so is "127.0.0.1.5". */
static bool is_local_number(const char *text)
{
	struct sockaddr_storage address = {0};

	if (inet_pton(AF_INET, text, &((struct sockaddr_in *)&address)->sin_addr) == 1)
		address.ss_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &((struct sockaddr_in6 *)&address)->sin6_addr) == 1)
		address.ss_family = AF_INET6;
	else
		return false;
	return postgresql_address_is_local(&address);
}

/* Is the host on this machine? Both its address and its name must be: if the name is another
 * machine's, the connection may only begin here and be forwarded, and the certificate is checked.
 */
static bool host_is_local(const struct postgresql_host *host)
{
	const char *name = host->name;

	if (host->address && !is_local_number(host->address))
		return false;
	if (!name || name[0] == '/' || name[0] == '@' || strcmp(name, "localhost") == 0)
		return true;
	return is_local_number(name);
}

static size_t count(const char *list)
{
	size_t n = 1;

	for (; *list; list++)
		n += *list == ',';
	return n;
}

/* Picks the i-th entry of a list. *ret is NULL if there is none. -ENOMEM. */
static int pick(const char *list, size_t i, char **ret)
{
	size_t length;

	for (; i > 0; i--)
		list += strcspn(list, ",") + 1;
	length = strcspn(list, ",");
	*ret = length > 0 ? strndup(list, length) : NULL;
	return length > 0 && !*ret ? -ENOMEM : 0;
}

static int fill_host(struct postgresql_host *host, const char *names, const char *addresses,
		     const char *ports, size_t i)
{
	int rc = names[0] ? pick(names, i, &host->name) : 0;

	if (rc == 0 && addresses[0])
		rc = pick(addresses, i, &host->address);
	/* A single port is used for all hosts. If there are several, an empty one means the default
	 * port, and not that of the environment. */
	if (rc == 0 && ports[0])
		rc = pick(ports, count(ports) > 1 ? i : 0, &host->port);
	if (rc == 0 && ports[0] && !host->port)
		rc = pick(PORT_USUAL, 0, &host->port);
	return rc;
}

static int check_lists(const char *names, const char *addresses, const char *ports, size_t n,
		       struct err *err)
{
	if (n > POSTGRESQL_HOSTS_MAX)
		return err_set(err, -EINVAL, "more than %d hosts", POSTGRESQL_HOSTS_MAX);
	if ((names[0] && count(names) != n) || (addresses[0] && count(addresses) != n))
		return err_set(err, -EINVAL, "%zu names in host, and %zu addresses in hostaddr",
			       count(names), count(addresses));
	if (count(ports) > 1 && count(ports) != n)
		return err_set(err, -EINVAL, "%zu ports for %zu hosts", count(ports), n);
	return 0;
}

static int fill_hosts(struct postgresql_uri *ret, const PQconninfoOption *defaults, struct err *err)
{
	const char *names = effective(ret->options, defaults, "host");
	const char *addresses = effective(ret->options, defaults, "hostaddr");
	const char *ports = effective(ret->options, defaults, "port");
	const size_t n = count(addresses[0] ? addresses : names);
	int rc = check_lists(names, addresses, ports, n, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n; i++) {
		struct postgresql_host *host = &ret->hosts[ret->n_hosts++];

		if (fill_host(host, names, addresses, ports, i) < 0)
			return err_set(err, -ENOMEM, "out of memory");
		if (n > 1 && !host->name && !host->address)
			return err_set(err, -EINVAL, "host %zu of %zu is empty", i + 1, n);
		ret->needs_tls = ret->needs_tls || !host_is_local(host);
	}
	return 0;
}

static const char *first_elsewhere(const struct postgresql_uri *uri)
{
	for (size_t i = 0; i < uri->n_hosts; i++)
		if (!host_is_local(&uri->hosts[i]))
			return uri->hosts[i].address ? uri->hosts[i].address : uri->hosts[i].name;
	return "";
}

/* A conductor writes. Of several servers only one takes that, and which one changes when a standby
 * is promoted. */
static int judge_server(struct postgresql_uri *ret, const PQconninfoOption *defaults,
			struct err *err)
{
	static const char *const refused[] = {"read-only", "standby", "prefer-standby"};
	const char *wanted = effective(ret->options, defaults, "target_session_attrs");

	for (size_t i = 0; i < N_ELEMENTS(refused); i++)
		if (strcmp(wanted, refused[i]) == 0)
			return err_set(err, -EINVAL,
				       "target_session_attrs=%s: a conductor writes, so it must be "
				       "primary or read-write",
				       wanted);
	ret->needs_primary = ret->n_hosts > 1 && !wanted[0];
	return 0;
}

static int judge(struct postgresql_uri *ret, const PQconninfoOption *defaults, struct err *err)
{
	const char *sslmode = value_of(ret->options, "sslmode");
	const char *service = value_of(ret->options, "service");
	int rc;

	if (service && service[0])
		return err_set(err, -EINVAL, "service= is not taken here: write the host itself");
	rc = fill_hosts(ret, defaults, err);
	if (rc == 0 && ret->needs_tls && sslmode && strcmp(sslmode, "verify-full") != 0)
		rc = err_set(err, -EINVAL,
			     "sslmode=%s for %s, which is not on this machine: it must be "
			     "verify-full",
			     sslmode, first_elsewhere(ret));
	return rc == 0 ? judge_server(ret, defaults, err) : rc;
}

int postgresql_uri_parse(struct postgresql_uri *ret, const char *uri, struct err *err)
{
	PQconninfoOption *defaults = PQconndefaults();
	int rc;

	*ret = (struct postgresql_uri){.options = PQconninfoParse(uri, NULL)};
	/* libpq's own message would quote the URI, and with it a password. */
	if (!ret->options)
		rc = err_set(err, -EINVAL,
			     "no URI as libpq takes it: postgresql://[user@]host/database");
	else
		rc = judge(ret, defaults, err);
	PQconninfoFree(defaults);
	if (rc < 0)
		postgresql_uri_release(ret);
	return rc < 0 ? err_wrap(err, "registry postgresql:") : 0;
}

const char *postgresql_uri_value(const struct postgresql_uri *uri, const char *name)
{
	return value_of(uri->options, name);
}

void postgresql_uri_release(struct postgresql_uri *uri)
{
	PQconninfoFree(uri->options);
	for (size_t i = 0; i < uri->n_hosts; i++) {
		free(uri->hosts[i].name);
		free(uri->hosts[i].address);
		free(uri->hosts[i].port);
	}
	*uri = (struct postgresql_uri){0};
}
