/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/zone.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic_file.h"
#include "base/macros.h"

#define FOLDER        "/usr/share/zoneinfo"
#define FILE_SIZE_MAX (256u << 10) /* the largest of Debian has 4 KiB */
#define HEADER_SIZE   44
#define CHANGES_MAX   4096        /* the most of Debian are 237 */
#define OFFSET_MAX_S  (26 * 3600) /* RFC 9636, 3.2: readers may refuse more */

struct change {
	int64_t at_s;     /* UTC */
	int32_t offset_s; /* from then on */
};

struct zone {
	bool has_rule;
	struct zone_rule rule; /* from the last change on */
	size_t n;
	struct change changes[]; /* rising; the first is at INT64_MIN */
};

/* How many of each there are in a block, in the order of the header. */
struct counts {
	size_t ut, standard, leap, changes, types, names;
};

static uint32_t read32(const uint8_t *bytes)
{
	uint32_t number;

	memcpy(&number, bytes, sizeof(number));
	return be32toh(number);
}

static int64_t read64(const uint8_t *bytes)
{
	uint64_t number;

	memcpy(&number, bytes, sizeof(number));
	return (int64_t)be64toh(number);
}

static struct span without(struct span bytes, size_t size)
{
	return span_of(bytes.bytes + size, bytes.size - size);
}

static int refuse(const char *why, struct err *err)
{
	return err_set(err, -EBADMSG, "not the file of a time zone: %s", why);
}

/* Takes a header from the beginning of bytes. */
static int take_header(struct span *bytes, struct counts *ret, struct err *err)
{
	const uint8_t *at = bytes->bytes + 20;

	if (bytes->size < HEADER_SIZE || memcmp(bytes->bytes, "TZif", 4) != 0)
		return refuse("it does not begin with TZif", err);
	if (bytes->bytes[4] < '2')
		return refuse("it is of version 1, expected 2 or later", err);
	*ret = (struct counts){read32(at),      read32(at + 4),  read32(at + 8),
			       read32(at + 12), read32(at + 16), read32(at + 20)};
	*bytes = without(*bytes, HEADER_SIZE);
	return 0;
}

/* time_size: of a time, 4 in the block for old readers, 8 in the other. Each count has 32 bits, so
 * that nothing overflows. */
static uint64_t block_size(const struct counts *n, uint64_t time_size)
{
	return n->changes * (time_size + 1) + n->types * 6ull + n->names +
	       n->leap * (time_size + 4) + n->standard + (uint64_t)n->ut;
}

static int check_counts(const struct counts *n, struct err *err)
{
	if (n->types == 0 || n->types > 256 || n->changes > CHANGES_MAX)
		return refuse("its counts are out of range", err);
	if (n->leap > 0)
		return refuse("its clocks count leap seconds, which those of Linux do not", err);
	return 0;
}

static int read_changes(struct zone *zone, const struct counts *n, const uint8_t *block,
			struct err *err)
{
	const uint8_t *kinds = block + n->changes * 8;
	const uint8_t *types = kinds + n->changes;

	for (size_t i = 0; i <= n->changes; i++) {
		struct change *change = &zone->changes[i];
		uint8_t kind = i == 0 ? 0 : kinds[i - 1];

		if (kind >= n->types)
			return refuse("a change leads to a type that it does not have", err);
		change->at_s = i == 0 ? INT64_MIN : read64(block + (i - 1) * 8);
		change->offset_s = (int32_t)read32(types + (size_t)kind * 6);
		if (change->offset_s < -OFFSET_MAX_S || change->offset_s > OFFSET_MAX_S)
			return refuse("a clock is more than 26 hours off", err);
		if (i > 0 && change->at_s <= zone->changes[i - 1].at_s)
			return refuse("its changes do not rise", err);
	}
	zone->n = n->changes + 1;
	return 0;
}

/* A line of its own at the end, which may be empty. */
static int read_rule(struct zone *zone, struct span rest, struct err *err)
{
	char text[128] = "";
	const uint8_t *end;

	if (rest.size < 2 || rest.bytes[0] != '\n')
		return refuse("its last line is missing", err);
	rest = without(rest, 1);
	end = memchr(rest.bytes, '\n', rest.size);
	if (!end || (size_t)(end - rest.bytes) >= sizeof(text))
		return refuse("its last line does not end", err);
	memcpy(text, rest.bytes, (size_t)(end - rest.bytes));
	zone->has_rule = text[0];
	return text[0] ? zone_rule_parse(&zone->rule, text, err) : 0;
}

int zone_parse(struct zone **ret, struct span bytes, struct err *err)
{
	_cleanup_(zone_freep) struct zone *zone = NULL;
	struct counts n = {0};
	uint64_t size;
	int rc = take_header(&bytes, &n, err);

	if (rc == 0 && block_size(&n, 4) > bytes.size)
		rc = refuse("it is cut", err);
	if (rc < 0)
		return rc;
	bytes = without(bytes, (size_t)block_size(&n, 4));
	rc = take_header(&bytes, &n, err);
	if (rc == 0)
		rc = check_counts(&n, err);
	if (rc < 0)
		return rc;
	size = block_size(&n, 8);
	if (size > bytes.size)
		return refuse("it is cut", err);
	zone = calloc(1, sizeof(*zone) + (n.changes + 1) * sizeof(zone->changes[0]));
	if (!zone)
		return err_set(err, -ENOMEM, "out of memory");
	rc = read_changes(zone, &n, bytes.bytes, err);
	if (rc == 0)
		rc = read_rule(zone, without(bytes, (size_t)size), err);
	if (rc < 0)
		return rc;
	*ret = zone;
	zone = NULL;
	return 0;
}

static int load_file(struct zone **ret, const char *path, struct err *err)
{
	char *bytes = NULL;
	size_t size;
	int rc = file_read(path, FILE_SIZE_MAX, &bytes, &size, err);

	if (rc == 0) {
		struct err why;

		rc = zone_parse(ret, span_of(bytes, size), &why);
		if (rc < 0)
			(void)err_set(err, rc, "%s: %s", path, why.text);
	}
	free(bytes);
	return rc;
}

/* A name comes from a configuration, and leads to no other folder. */
static bool is_name(const char *name)
{
	return name[0] && name[0] != '/' && !strchr(name, '.') && strlen(name) < 128;
}

static int load_name(struct zone **ret, const char *name, struct err *err)
{
	char path[sizeof(FOLDER) + 128];
	struct err why;
	int rc = -ENOENT;

	if (is_name(name)) {
		(void)snprintf(path, sizeof(path), FOLDER "/%s", name);
		rc = load_file(ret, path, &why);
	}
	/* A folder, such as Europe, is no zone either. */
	if (rc == -ENOENT || rc == -EINVAL)
		return err_set(err, -ENOENT,
			       "there is no time zone '%s' in " FOLDER
			       " (package tzdata), expected one such as Europe/Berlin",
			       name);
	if (rc < 0)
		*err = why;
	return rc;
}

static int from_rule(struct zone **ret, const char *text, struct err *err)
{
	struct zone *zone = calloc(1, sizeof(*zone) + sizeof(zone->changes[0]));
	int rc;

	if (!zone)
		return err_set(err, -ENOMEM, "out of memory");
	rc = zone_rule_parse(&zone->rule, text, err);
	if (rc < 0) {
		zone_free(zone);
		return rc;
	}
	zone->has_rule = true;
	zone->n = 1;
	zone->changes[0].at_s = INT64_MIN;
	*ret = zone;
	return 0;
}

static int load_variable(struct zone **ret, const char *text, struct err *err)
{
	int rc;

	text += text[0] == ':' ? 1 : 0;
	if (text[0] == '/')
		return load_file(ret, text, err);
	rc = load_name(ret, text, err);
	return rc == -ENOENT && from_rule(ret, text, &(struct err){0}) == 0 ? 0 : rc;
}

int zone_load(struct zone **ret, const char *name, struct err *err)
{
	const char *variable = getenv("TZ");
	int rc;

	if (name)
		return load_name(ret, name, err);
	if (variable && variable[0])
		return load_variable(ret, variable, err);
	rc = load_file(ret, "/etc/localtime", err);
	return rc == -ENOENT ? from_rule(ret, "UTC0", err) : rc;
}

void zone_free(struct zone *zone)
{
	free(zone);
}

void zone_freep(struct zone **zone)
{
	zone_free(*zone);
}

struct zone_span zone_at(const struct zone *zone, int64_t utc_s)
{
	size_t low = 0;
	size_t high = zone ? zone->n : 0;

	if (!zone)
		return (struct zone_span){0, INT64_MAX};
	while (high - low > 1) {
		size_t middle = (low + high) / 2;

		if (zone->changes[middle].at_s <= utc_s)
			low = middle;
		else
			high = middle;
	}
	if (low + 1 < zone->n)
		return (struct zone_span){zone->changes[low].offset_s, zone->changes[low + 1].at_s};
	if (zone->has_rule)
		return zone_rule_at(&zone->rule, utc_s);
	return (struct zone_span){zone->changes[low].offset_s, INT64_MAX};
}
