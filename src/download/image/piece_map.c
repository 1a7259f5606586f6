/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The journal, all numbers big-endian:
 *
 *	header   "STWDPM01", digest of the image (32), boot-id (16), CRC-32 of these (4)
 *	record   piece (4), CRC-32 of header CRC, record's position and piece (4)
 *	         piece 0xffffffff: stopped in good order; counts only as the last record
 *
 * The CRC of a record holds its place and its journal, so that neither a record left over from
 * another journal nor one that moved is believed.
 */
#include "download/image/piece_map.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/atomic_file.h"
#include "base/hex.h"
#include "base/macros.h"

#define MAGIC       "STWDPM01"
#define MAGIC_SIZE  8
#define HEADER_SIZE (MAGIC_SIZE + 32 + 16 + 4)
#define RECORD_SIZE 8
#define CLEAN       UINT32_MAX
#define BOOT_ID     "/proc/sys/kernel/random/boot_id"

/* CRC-32 (IEEE 802.3, reflected), four bits at a time. */
static uint32_t crc32_add(uint32_t crc, const void *bytes, size_t n)
{
	static const uint32_t table[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
		0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
		0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};
	const uint8_t *at = bytes;

	crc = ~crc;
	while (n-- > 0) {
		crc ^= *at++;
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return ~crc;
}

static void put_u32(uint8_t *at, uint32_t value)
{
	for (unsigned i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static uint32_t get_u32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint32_t make_header(uint8_t header[HEADER_SIZE], const uint8_t digest[32],
			    const uint8_t boot_id[16])
{
	uint32_t crc;

	memcpy(header, MAGIC, MAGIC_SIZE);
	memcpy(header + MAGIC_SIZE, digest, 32);
	memcpy(header + MAGIC_SIZE + 32, boot_id, 16);
	crc = crc32_add(0, header, HEADER_SIZE - 4);
	put_u32(header + HEADER_SIZE - 4, crc);
	return crc;
}

static void make_record(uint8_t record[RECORD_SIZE], uint32_t header_crc, size_t position,
			uint32_t piece)
{
	uint8_t bound[12];

	put_u32(bound, header_crc);
	put_u32(bound + 4, (uint32_t)position);
	put_u32(bound + 8, piece);
	put_u32(record, piece);
	put_u32(record + 4, crc32_add(0, bound, sizeof(bound)));
}

static bool is_record(const uint8_t record[RECORD_SIZE], uint32_t header_crc, size_t position)
{
	uint8_t expected[RECORD_SIZE];

	make_record(expected, header_crc, position, get_u32(record));
	return memcmp(expected, record, RECORD_SIZE) == 0;
}

static int check_header(struct span journal, const uint8_t digest[32], struct err *why)
{
	if (journal.size < HEADER_SIZE || memcmp(journal.bytes, MAGIC, MAGIC_SIZE) != 0 ||
	    get_u32(journal.bytes + HEADER_SIZE - 4) !=
		    crc32_add(0, journal.bytes, HEADER_SIZE - 4))
		return err_set(why, -EBADMSG, "the journal has no readable header: discarded");
	if (memcmp(journal.bytes + MAGIC_SIZE, digest, 32) != 0)
		return err_set(why, -EBADMSG, "the journal is of another manifest: discarded");
	return 0;
}

enum piece_map_found piece_map_parse(struct span journal, const uint8_t digest[32],
				     const uint8_t boot_id[16], uint32_t n_pieces, uint8_t *bits,
				     size_t *ret_valid_bytes, struct err *why)
{
	size_t at = HEADER_SIZE;
	bool clean = false;
	uint32_t crc;

	*ret_valid_bytes = 0;
	if (check_header(journal, digest, why) < 0)
		return PIECE_MAP_DISCARDED;
	crc = get_u32(journal.bytes + HEADER_SIZE - 4);
	for (; journal.size - at >= RECORD_SIZE; at += RECORD_SIZE) {
		const uint8_t *record = journal.bytes + at;
		uint32_t piece = get_u32(record);

		if (!is_record(record, crc, at) || (piece >= n_pieces && piece != CLEAN))
			break;
		clean = piece == CLEAN;
		if (!clean)
			piece_bits_set(bits, piece);
	}
	if (at < journal.size) {
		clean = false;
		(void)err_set(why, -EBADMSG, "the journal is torn: its last %zu bytes are cut off",
			      journal.size - at);
	}
	*ret_valid_bytes = at;
	if (clean || memcmp(journal.bytes + MAGIC_SIZE + 32, boot_id, 16) == 0)
		return PIECE_MAP_BELIEVED;
	return PIECE_MAP_CHECK;
}

static size_t journal_size_max(uint32_t n_pieces)
{
	/* A longer journal is not read: this is room for each piece twice, and for 4,096 stops in
	 * good order. */
	return HEADER_SIZE + (size_t)RECORD_SIZE * (2 * (size_t)n_pieces + 4096);
}

static int read_journal(struct piece_map *map, enum piece_map_found *ret_found, struct err *notice,
			struct err *err)
{
	char *bytes = NULL;
	size_t size = 0;
	size_t valid;
	int rc = file_read_regular(map->path, journal_size_max(map->n_pieces), &bytes, &size, err);

	if (rc == -ENOENT) {
		*ret_found = PIECE_MAP_NEW;
		return 0;
	}
	if (rc == -EFBIG) {
		*ret_found = PIECE_MAP_DISCARDED;
		(void)err_set(notice, rc, "the journal is too long: discarded");
		return 0;
	}
	if (rc < 0)
		return rc;
	*ret_found = piece_map_parse(span_of(bytes, size), map->digest, map->boot_id, map->n_pieces,
				     map->bits, &valid, notice);
	free(bytes);
	return 0;
}

/* Writes the journal anew, with one record for each claimed piece, in ascending order. */
static int rewrite(struct piece_map *map, struct err *err)
{
	size_t size = HEADER_SIZE;
	uint8_t *bytes = malloc(HEADER_SIZE + RECORD_SIZE * (size_t)map->n_pieces);
	uint32_t crc;
	int rc;

	if (!bytes)
		return err_set(err, -ENOMEM, "%s: out of memory", map->path);
	crc = make_header(bytes, map->digest, map->boot_id);
	for (uint32_t piece = 0; piece < map->n_pieces; piece++) {
		if (!piece_bits_has(map->bits, piece))
			continue;
		make_record(bytes + size, crc, size, piece);
		size += RECORD_SIZE;
	}
	rc = atomic_file_write(map->path, span_of(bytes, size), 0644, err);
	free(bytes);
	return rc;
}

static int open_for_append(struct piece_map *map, struct err *err)
{
	if (map->fd >= 0)
		(void)close(map->fd);
	map->fd = open(map->path, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
	if (map->fd < 0)
		return err_set_errno(err, -errno, "open %s", map->path);
	return 0;
}

int piece_map_restart(struct piece_map *map, const uint8_t *bits, struct err *err)
{
	int rc;

	if (bits != map->bits)
		memcpy(map->bits, bits, piece_bits_size(map->n_pieces));
	rc = rewrite(map, err);
	return rc < 0 ? rc : open_for_append(map, err);
}

int piece_map_open(struct piece_map *ret, const char *directory, const uint8_t digest[32],
		   const uint8_t boot_id[16], uint32_t n_pieces, enum piece_map_found *ret_found,
		   struct err *notice, struct err *err)
{
	struct piece_map map = {.fd = -1, .n_pieces = n_pieces};
	enum piece_map_found found;
	int rc;

	memcpy(map.digest, digest, sizeof(map.digest));
	memcpy(map.boot_id, boot_id, sizeof(map.boot_id));
	map.bits = calloc(piece_bits_size(n_pieces), 1);
	if (!map.bits || asprintf(&map.path, "%s/pieces", directory) < 0) {
		free(map.bits);
		return err_set(err, -ENOMEM, "%s/pieces: out of memory", directory);
	}
	rc = read_journal(&map, &found, notice, err);
	if (notice && notice->code < 0)
		(void)err_wrap(notice, "%s", map.path);
	if (rc == 0)
		rc = found == PIECE_MAP_CHECK ? open_for_append(&map, err)
					      : piece_map_restart(&map, map.bits, err);
	if (rc < 0) {
		piece_map_close(&map);
		return rc;
	}
	*ret = map;
	*ret_found = found;
	return 0;
}

/* Appends records at the end of the file. If that fails, what was half written is cut off again. */
static int append(struct piece_map *map, const uint32_t *pieces, size_t n, struct err *err)
{
	uint8_t header[HEADER_SIZE];
	uint32_t crc = make_header(header, map->digest, map->boot_id);
	off_t end = lseek(map->fd, 0, SEEK_END);
	size_t size = n * RECORD_SIZE;
	uint8_t *bytes = malloc(size ? size : 1);
	ssize_t written = -1;
	int rc = 0;

	if (!bytes || end < 0) {
		free(bytes);
		return err_set(err, -ENOMEM, "append to %s: out of memory", map->path);
	}
	for (size_t i = 0; i < n; i++)
		make_record(bytes + i * RECORD_SIZE, crc, (size_t)end + i * RECORD_SIZE, pieces[i]);
	do {
		written = write(map->fd, bytes, size);
	} while (written < 0 && errno == EINTR);
	if (written < 0)
		rc = err_set_errno(err, -errno, "append to %s", map->path);
	else if ((size_t)written < size)
		rc = err_set(err, -ENOSPC, "append to %s: no space", map->path);
	else if (fdatasync(map->fd) < 0)
		rc = err_set_errno(err, -errno, "sync %s", map->path);
	if (rc < 0)
		(void)!ftruncate(map->fd, end);
	free(bytes);
	return rc;
}

int piece_map_append(struct piece_map *map, const uint32_t *pieces, size_t n, struct err *err)
{
	int rc = append(map, pieces, n, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n; i++)
		piece_bits_set(map->bits, pieces[i]);
	return 0;
}

int piece_map_mark_clean(struct piece_map *map, struct err *err)
{
	const uint32_t clean = CLEAN;

	return append(map, &clean, 1, err);
}

void piece_map_close(struct piece_map *map)
{
	if (map->fd >= 0)
		(void)close(map->fd);
	free(map->path);
	free(map->bits);
	*map = (struct piece_map){.fd = -1};
}

int piece_map_read_boot_id(uint8_t ret[16], struct err *err)
{
	const char *path = getenv("STEWARD_BOOT_ID_FILE");
	char *text = NULL;
	size_t size;
	unsigned digits = 0;
	int rc;

	path = path ? path : BOOT_ID;
	rc = file_read(path, 128, &text, &size, err);
	if (rc < 0)
		return rc;
	memset(ret, 0, 16);
	for (size_t i = 0; i < size && digits < 32; i++) {
		int value = hex_value(text[i]);

		if (value < 0)
			continue;
		ret[digits / 2] = (uint8_t)(ret[digits / 2] << 4 | value);
		digits++;
	}
	free(text);
	if (digits < 32)
		return err_set(err, -EBADMSG, "%s: expected a UUID", path);
	return 0;
}
