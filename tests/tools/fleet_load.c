/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Routers by the hundred that take an image from a conductor, for tests/bench/fleet:
 *fleet_router.h. What comes is compared with the image, and not kept.
 *
 *	fleet_load VERSION IMAGE CONNECTIONS FILE [orders]
 *
 * FILE has a line for each router: the address and port of its conductor's repository, and perhaps
 * of another one that it goes to when the first fails it. Prints "ready", waits for a line on
 *stdin, and then prints for each router "SECONDS REQUESTS FAILURES LONGEST", the last being the
 *longest that it waited for a reply to begin.
 *
 * With "orders" each line on stdin is the number of a router, from 0, which then begins; when it
 *has the image, its number and the same are printed at once. It ends when stdin does.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macros.h"
#include "fleet_router.h"

#define ROUTERS_MAX 1024
#define LOOK_MS     1000

static struct {
	struct fleet_router routers[ROUTERS_MAX];
	unsigned n_routers;
	unsigned n_finished;
	bool takes_orders;
	char line[4096]; /* of stdin, so far */
	size_t n_line;
} load;

static void print_router(const struct fleet_router *r)
{
	(void)printf("%.3f %u %u %.3f\n", (double)(r->finished_ms - r->begun_ms) / 1000,
		     r->requests, r->failures, (double)r->longest_ms / 1000);
}

static void on_finished(struct fleet_router *r)
{
	load.n_finished++;
	if (!load.takes_orders)
		return;
	(void)printf("%td ", r - load.routers);
	print_router(r);
	(void)fflush(stdout);
}

static void read_place(struct fleet_router *r, const char *address, const char *port)
{
	struct sockaddr_in *place = &r->places[r->n_places++];

	if (!address || !port || inet_pton(AF_INET, address, &place->sin_addr) != 1)
		fleet_die("a line", "it has no address and port");
	place->sin_family = AF_INET;
	place->sin_port = htons((uint16_t)strtoul(port, NULL, 10));
}

static void read_router(struct fleet_router *r, char *line)
{
	char *rest = NULL;
	const char *address = strtok_r(line, " \n", &rest);

	do {
		const char *port = strtok_r(NULL, " \n", &rest);

		read_place(r, address, port);
		address = strtok_r(NULL, " \n", &rest);
	} while (address && r->n_places < FLEET_PLACES);
}

static void read_routers(const char *path)
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t size = 0;

	if (!file)
		fleet_die(path, strerror(errno));
	while (getline(&line, &size, file) > 0) {
		if (load.n_routers == ROUTERS_MAX)
			fleet_die(path, "too many routers");
		read_router(&load.routers[load.n_routers++], line);
	}
	free(line);
	(void)fclose(file);
}

static void map_image(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *mapped;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		fleet_die(path, strerror(errno));
	fleet.size = (uint64_t)st.st_size;
	mapped = mmap(NULL, fleet.size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (mapped == MAP_FAILED)
		fleet_die(path, strerror(errno));
	fleet.image = mapped;
	fleet.file = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	(void)close(fd);
}

static void take_order(const char *line)
{
	unsigned long number = strtoul(line, NULL, 10);

	if (number >= load.n_routers)
		fleet_die("an order", "there is no such router");
	if (!fleet_router_runs(&load.routers[number]))
		fleet_router_begin(&load.routers[number]);
}

/* Returns whether there may be more. */
static bool take_orders(void)
{
	ssize_t n =
		read(STDIN_FILENO, load.line + load.n_line, sizeof(load.line) - 1 - load.n_line);
	char *begin = load.line;
	char *end;

	if (n <= 0)
		return false;
	load.n_line += (size_t)n;
	load.line[load.n_line] = '\0';
	while ((end = strchr(begin, '\n'))) {
		take_order(begin);
		begin = end + 1;
	}
	load.n_line -= (size_t)(begin - load.line);
	memmove(load.line, begin, load.n_line);
	return true;
}

static bool run_once(void)
{
	struct epoll_event events[64];
	bool goes_on = true;
	int n = epoll_wait(fleet.epoll, events, N_ELEMENTS(events), LOOK_MS);

	for (int i = 0; i < n; i++) {
		if (events[i].data.ptr)
			fleet_router_on_event(events[i].data.ptr, events[i].events);
		else
			goes_on = take_orders();
	}
	return goes_on;
}

static void run(void)
{
	uint64_t looked_ms = fleet_now_ms();

	while ((load.takes_orders || load.n_finished < load.n_routers) && run_once()) {
		if (fleet_now_ms() - looked_ms < LOOK_MS)
			continue;
		looked_ms = fleet_now_ms();
		for (unsigned i = 0; i < load.n_routers; i++)
			fleet_router_look(&load.routers[i]);
	}
}

/* All at the same time. */
static void begin_all(void)
{
	(void)getchar();
	for (unsigned i = 0; i < load.n_routers; i++)
		fleet_router_begin(&load.routers[i]);
}

static void listen_to_orders(void)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};

	if (epoll_ctl(fleet.epoll, EPOLL_CTL_ADD, STDIN_FILENO, &event) < 0)
		fleet_die("stdin", strerror(errno));
}

int main(int argc, char **argv)
{
	load.takes_orders = argc == 6 && strcmp(argv[5], "orders") == 0;
	fleet.n_links = argc == 5 || load.takes_orders ? (unsigned)strtoul(argv[3], NULL, 10) : 0;
	if (fleet.n_links < 1 || fleet.n_links > FLEET_CONNECTIONS)
		fleet_die("usage", "fleet_load VERSION IMAGE CONNECTIONS FILE [orders]");
	fleet.version = argv[1];
	fleet.finished = on_finished;
	map_image(argv[2]);
	read_routers(argv[4]);
	fleet.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (load.takes_orders)
		listen_to_orders();
	(void)puts("ready");
	(void)fflush(stdout);
	if (!load.takes_orders)
		begin_all();
	run();
	for (unsigned i = 0; i < load.n_routers && !load.takes_orders; i++)
		print_router(&load.routers[i]);
	return 0;
}
