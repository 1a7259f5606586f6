/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/enrolment/known_addresses.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/macros.h"
#include "conductor/enrolment/peer_address.h"

#define S_A_DAY 86400

#define WAYS   8
#define N_SETS (KNOWN_ADDRESSES_MAX / WAYS)

struct known {
	struct peer_address address;
	uint32_t day; /* the day on which it was here last; 0 = the place is free */
};

struct known_addresses {
	uint64_t seed;
	struct known all[KNOWN_ADDRESSES_MAX]; /* sets of WAYS places each */
};

struct known_addresses *known_addresses_new(uint64_t seed)
{
	struct known_addresses *k = calloc(1, sizeof(*k));

	if (k)
		k->seed = seed;
	return k;
}

void known_addresses_free(struct known_addresses *k)
{
	free(k);
}

/* A day in the future counts, too: the clock was set back since. */
static bool is_lately(uint32_t then, uint32_t day)
{
	return then != 0 && then <= day && day - then < KNOWN_ADDRESSES_DAYS;
}

static const struct known *find(const struct known_addresses *k, const struct peer_address *address)
{
	const struct known *set = &k->all[peer_address_hash(address, k->seed) % N_SETS * WAYS];

	for (const struct known *each = set; each < set + WAYS; each++)
		if (each->day != 0 && peer_address_equals(&each->address, address))
			return each;
	return NULL;
}

/* Returns the place of this address, or the place in its set whose address has not been here for
 * longest. */
static struct known *place_for(struct known_addresses *k, const struct peer_address *address)
{
	struct known *set = &k->all[peer_address_hash(address, k->seed) % N_SETS * WAYS];
	struct known *oldest = set;

	for (struct known *each = set; each < set + WAYS; each++) {
		if (each->day != 0 && peer_address_equals(&each->address, address))
			return each;
		if (each->day < oldest->day)
			oldest = each;
	}
	return oldest;
}

static bool add(struct known_addresses *k, const struct peer_address *address, uint32_t day)
{
	struct known *place = place_for(k, address);

	if (place->day == day && peer_address_equals(&place->address, address))
		return false;
	*place = (struct known){.address = *address, .day = day};
	return true;
}

bool known_addresses_add(struct known_addresses *k, const struct sockaddr *peer, uint32_t day)
{
	struct peer_address address;

	return peer_address_read(peer, &address) && add(k, &address, day);
}

bool known_addresses_has(const struct known_addresses *k, const struct sockaddr *peer, uint32_t day)
{
	struct peer_address address;
	const struct known *known;

	if (!peer_address_read(peer, &address))
		return false;
	known = find(k, &address);
	return known && is_lately(known->day, day);
}

char *known_addresses_write(const struct known_addresses *k, uint32_t day)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	for (const struct known *each = k->all; each < k->all + KNOWN_ADDRESSES_MAX; each++) {
		char address[PEER_ADDRESS_TEXT_SIZE];

		if (!is_lately(each->day, day))
			continue;
		peer_address_write(&each->address, address);
		(void)fprintf(out, "%s %" PRIu32 "\n", address, each->day);
	}
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

static bool read_day(const char *text, uint32_t *ret)
{
	unsigned long long day;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	day = strtoull(text, &end, 10);
	if (errno != 0 || *end != '\0' || day == 0 || day > UINT32_MAX)
		return false;
	*ret = (uint32_t)day;
	return true;
}

static void read_line(struct known_addresses *k, char *line, uint32_t day)
{
	struct peer_address address;
	char *blank = strchr(line, ' ');
	uint32_t then;

	if (!blank)
		return;
	*blank = '\0';
	if (peer_address_parse(line, &address) && read_day(blank + 1, &then) &&
	    is_lately(then, day))
		(void)add(k, &address, then);
}

void known_addresses_read(struct known_addresses *k, char *text, uint32_t day)
{
	char *rest;

	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		read_line(k, line, day);
}

uint32_t known_addresses_today(void)
{
	return (uint32_t)(time(NULL) / S_A_DAY);
}
