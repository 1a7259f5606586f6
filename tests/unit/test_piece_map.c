/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The journal: what it may be believed, torn at every byte, flipped in every bit, moved, copied. */
#include "support.h"

#include "base/macros.h"
#include "download/image/piece_map.h"

#define N_PIECES 20u
#define HEADER   60u
#define RECORD   8u

static const uint8_t digest[32] = {1, 2, 3};
static const uint8_t other_digest[32] = {1, 2, 4};
static const uint8_t boot[16] = {9};
static const uint8_t next_boot[16] = {10};

static int make_folder(void **state)
{
	*state = test_folder();
	return 0;
}

static int remove_folder(void **state)
{
	test_folder_remove(*state);
	return 0;
}

static enum piece_map_found open_as(struct piece_map *map, const char *folder, const uint8_t *image,
				    const uint8_t *boot_id, struct err *notice)
{
	enum piece_map_found found;
	struct err err;

	memset(notice, 0, sizeof(*notice));
	if (piece_map_open(map, folder, image, boot_id, N_PIECES, &found, notice, &err) < 0)
		fail_msg("%s", err.text);
	return found;
}

/* A journal that claims pieces 3, 1 and 19. */
static void write_journal(const char *folder, bool clean)
{
	static const uint32_t pieces[] = {3, 1, 19};
	struct piece_map map;
	struct err err;

	(void)remove(test_path(folder, "pieces"));
	assert_int_equal(open_as(&map, folder, digest, boot, &err), PIECE_MAP_NEW);
	assert_int_equal(piece_map_append(&map, pieces, 2, &err), 0);
	assert_int_equal(piece_map_append(&map, pieces + 2, 1, &err), 0);
	if (clean)
		assert_int_equal(piece_map_mark_clean(&map, &err), 0);
	piece_map_close(&map);
}

static unsigned count(const struct piece_map *map)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < map->n_pieces; i++)
		n += piece_bits_has(map->bits, i);
	return n;
}

static void test_what_is_believed(void **state)
{
	static const struct {
		bool clean;
		const uint8_t *image;
		const uint8_t *boot_id;
		enum piece_map_found found;
		unsigned n_claimed;
		const char *notice;
	} rows[] = {
		{false, digest, boot, PIECE_MAP_BELIEVED, 3, ""},     /* killed */
		{true, digest, boot, PIECE_MAP_BELIEVED, 3, ""},      /* stopped */
		{true, digest, next_boot, PIECE_MAP_BELIEVED, 3, ""}, /* stopped, rebooted */
		{false, digest, next_boot, PIECE_MAP_CHECK, 3, ""},   /* power cut */
		{true, other_digest, boot, PIECE_MAP_DISCARDED, 0, "another manifest"},
	};

	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct piece_map map;
		struct err notice;

		write_journal(*state, rows[i].clean);
		if (open_as(&map, *state, rows[i].image, rows[i].boot_id, &notice) !=
			    rows[i].found ||
		    count(&map) != rows[i].n_claimed)
			fail_msg("row %u", i);
		assert_contains(notice.text, rows[i].notice);
		piece_map_close(&map);
	}
}

/* Opened again and not stopped cleanly: the mark of the time before counts no more. */
static void test_clean_mark_counts_once(void **state)
{
	struct piece_map map;
	struct err notice;
	struct err err;
	const uint32_t piece = 7;

	write_journal(*state, true);
	assert_int_equal(open_as(&map, *state, digest, next_boot, &notice), PIECE_MAP_BELIEVED);
	assert_int_equal(piece_map_append(&map, &piece, 1, &err), 0);
	piece_map_close(&map);
	assert_int_equal(open_as(&map, *state, digest, boot, &notice), PIECE_MAP_CHECK);
	assert_int_equal(count(&map), 4);
	piece_map_close(&map);
}

/* A second power cut during the check is checked again. */
static void test_check_rewrites_only_when_it_is_over(void **state)
{
	uint8_t held[3] = {0x10}; /* just piece 3 */
	struct piece_map map;
	struct err notice;
	struct err err;

	write_journal(*state, false);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(open_as(&map, *state, digest, next_boot, &notice),
				 PIECE_MAP_CHECK);
		piece_map_close(&map);
	}
	assert_int_equal(open_as(&map, *state, digest, next_boot, &notice), PIECE_MAP_CHECK);
	assert_int_equal(piece_map_restart(&map, held, &err), 0);
	piece_map_close(&map);
	assert_int_equal(open_as(&map, *state, digest, next_boot, &notice), PIECE_MAP_BELIEVED);
	assert_int_equal(count(&map), 1);
	assert_true(piece_bits_has(map.bits, 3));
	piece_map_close(&map);
}

static void test_torn_at_every_byte(void **state)
{
	static const uint32_t pieces[] = {3, 1, 19};
	size_t size;
	char *whole;

	write_journal(*state, true);
	whole = test_read(test_path(*state, "pieces"), &size);
	assert_int_equal(size, HEADER + 4 * RECORD);
	for (size_t cut = 0; cut < size; cut++) {
		unsigned expected = cut < HEADER ? 0 : (unsigned)MIN(3, (cut - HEADER) / RECORD);
		struct piece_map map;
		struct err notice;
		enum piece_map_found found;

		test_write(test_path(*state, "pieces"), span_of(whole, cut));
		found = open_as(&map, *state, digest, next_boot, &notice);
		assert_int_equal(found, cut < HEADER ? PIECE_MAP_DISCARDED : PIECE_MAP_CHECK);
		assert_int_equal(count(&map), expected);
		for (unsigned i = 0; i < expected; i++)
			assert_true(piece_bits_has(map.bits, pieces[i]));
		if (cut < HEADER || (cut - HEADER) % RECORD != 0)
			assert_int_equal(notice.code, -EBADMSG);
		piece_map_close(&map);
	}
	free(whole);
}

static void test_every_flipped_bit(void **state)
{
	uint8_t claimed[3] = {0x50, 0, 0x10};
	size_t size;
	char *whole;

	write_journal(*state, false);
	whole = test_read(test_path(*state, "pieces"), &size);
	for (size_t bit = 0; bit < 8 * size; bit++) {
		uint8_t bits[3] = {0};
		struct err why = {0};
		size_t valid;

		whole[bit / 8] = (char)(whole[bit / 8] ^ 1 << bit % 8);
		(void)piece_map_parse(span_of(whole, size), digest, boot, N_PIECES, bits, &valid,
				      &why);
		whole[bit / 8] = (char)(whole[bit / 8] ^ 1 << bit % 8);
		assert_int_equal(why.code, -EBADMSG);
		assert_true(valid <= bit / 8);
		for (unsigned i = 0; i < sizeof(bits); i++)
			assert_int_equal(bits[i] & ~claimed[i], 0);
	}
	free(whole);
}

/* Records stay bound to their place and their journal. */
static void test_moved_and_foreign_records(void **state)
{
	char *mine;
	char *other;
	size_t size;
	struct piece_map map;
	struct err notice;
	char swapped[RECORD];

	write_journal(*state, false);
	mine = test_read(test_path(*state, "pieces"), &size);
	memcpy(swapped, mine + HEADER, RECORD);
	memmove(mine + HEADER, mine + HEADER + RECORD, RECORD);
	memcpy(mine + HEADER + RECORD, swapped, RECORD);
	test_write(test_path(*state, "pieces"), span_of(mine, size));
	assert_int_equal(open_as(&map, *state, digest, boot, &notice), PIECE_MAP_BELIEVED);
	assert_int_equal(count(&map), 0);
	piece_map_close(&map);

	write_journal(*state, false);
	other = test_read(test_path(*state, "pieces"), NULL);
	(void)remove(test_path(*state, "pieces"));
	assert_int_equal(open_as(&map, *state, other_digest, boot, &notice), PIECE_MAP_NEW);
	piece_map_close(&map);
	free(mine);
	mine = test_read(test_path(*state, "pieces"), &size);
	memcpy(other, mine, HEADER);
	test_write(test_path(*state, "pieces"), span_of(other, HEADER + 3 * RECORD));
	assert_int_equal(open_as(&map, *state, other_digest, boot, &notice), PIECE_MAP_BELIEVED);
	assert_int_equal(count(&map), 0);
	piece_map_close(&map);
	free(mine);
	free(other);
}

static void test_piece_out_of_range(void **state)
{
	struct piece_map map;
	struct err notice;
	struct err err;
	enum piece_map_found found;

	write_journal(*state, false);
	assert_int_equal(piece_map_open(&map, *state, digest, boot, 19, &found, &notice, &err), 0);
	assert_int_equal(found, PIECE_MAP_BELIEVED);
	assert_int_equal(count(&map), 2); /* 19 is none of 0..18 */
	piece_map_close(&map);
}

static void test_too_long_is_discarded(void **state)
{
	size_t size = HEADER + RECORD * (2 * N_PIECES + 4097);
	char *bytes = calloc(size, 1);
	struct piece_map map;
	struct err notice;

	assert_non_null(bytes);
	test_write(test_path(*state, "pieces"), span_of(bytes, size));
	assert_int_equal(open_as(&map, *state, digest, boot, &notice), PIECE_MAP_DISCARDED);
	assert_contains(notice.text, "too long");
	piece_map_close(&map);
	free(bytes);
}

static void test_boot_id(void **state)
{
	static const struct {
		const char *text;
		int rc;
	} rows[] = {
		{"01234567-89ab-cdef-0123-456789abcdef\n", 0},
		{"0123456789abcdef0123456789abcdef", 0},
		{"01234567-89ab-cdef-0123-456789abcde\n", -EBADMSG}, /* one short */
		{"", -EBADMSG},
	};
	uint8_t id[16];
	struct err err;

	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		const char *path = test_path(*state, "boot_id");

		test_write(path, span_of_string(rows[i].text));
		(void)setenv("STEWARD_BOOT_ID_FILE", path, 1);
		assert_int_equal(piece_map_read_boot_id(id, &err), rows[i].rc);
		if (rows[i].rc == 0)
			assert_int_equal(id[15], 0xef);
	}
	(void)unsetenv("STEWARD_BOOT_ID_FILE");
	assert_int_equal(piece_map_read_boot_id(id, &err), 0); /* this kernel's */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_what_is_believed, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_clean_mark_counts_once, make_folder,
						remove_folder),
		cmocka_unit_test_setup_teardown(test_check_rewrites_only_when_it_is_over,
						make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_torn_at_every_byte, make_folder,
						remove_folder),
		cmocka_unit_test_setup_teardown(test_every_flipped_bit, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_moved_and_foreign_records, make_folder,
						remove_folder),
		cmocka_unit_test_setup_teardown(test_piece_out_of_range, make_folder,
						remove_folder),
		cmocka_unit_test_setup_teardown(test_too_long_is_discarded, make_folder,
						remove_folder),
		cmocka_unit_test_setup_teardown(test_boot_id, make_folder, remove_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
