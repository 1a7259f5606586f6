/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is copied from other images, and that no lie of an index or a seed makes a byte wrong. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/macros.h"
#include "base/piece_bits.h"
#include "download/image/chunk_cut.h"
#include "download/image/chunk_maker.h"
#include "download/image/fill.h"
#include "download/image/manifest_create.h"

#define PIECE (64u << 10)
#define SIZE  (40u * PIECE)

struct world {
	char *folder;
	uint8_t *old;
	uint8_t *new; /* as it should become */
	struct manifest old_manifest;
	struct manifest manifest;
	struct image_file file;
	struct fill fill;
	struct fill_held held;
	uint64_t bytes; /* right ones that were copied */
};

/* Makes <folder>/V/<name> with its index, and its manifest. */
static void make_image(const char *folder, const char *name, const uint8_t *bytes, size_t size,
		       struct manifest *ret)
{
	struct chunk_maker maker;
	struct span index;
	char path[512];
	struct err err;

	(void)snprintf(path, sizeof(path), "%s/V/%s", folder, name);
	test_write(path, span_of(bytes, size));
	assert_int_equal(chunk_maker_init(&maker, &err), 0);
	assert_int_equal(manifest_of_file(ret, path, "V", PIECE, 1, &maker, &err), 0);
	assert_int_equal(chunk_maker_end(&maker, &index, ret->chunks.sha256, &err), 0);
	ret->chunks.size = (uint32_t)index.size;
	(void)snprintf(ret->chunks.file, sizeof(ret->chunks.file), "%s.chunks", name);
	(void)snprintf(path, sizeof(path), "%s/V/%s.chunks", folder, name);
	test_write(path, index);
	chunk_maker_release(&maker);
}

/* The new image is the old one behind 1,000 bytes more, and with other bytes in the middle. */
static int make_world(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	uint64_t seed = 12;
	bool existed;

	w->folder = test_folder();
	w->old = malloc(SIZE);
	w->new = malloc(SIZE);
	for (size_t i = 0; i < SIZE; i++)
		w->old[i] = (uint8_t)test_random(&seed);
	for (size_t i = 0; i < SIZE; i++)
		w->new[i] = i < 1000 || (i > SIZE / 2 && i < SIZE / 2 + 200000)
				    ? (uint8_t)test_random(&seed)
				    : w->old[i - 1000];
	(void)mkdir(test_path(w->folder, "V"), 0755);
	make_image(w->folder, "old", w->old, SIZE, &w->old_manifest);
	make_image(w->folder, "new", w->new, SIZE, &w->manifest);
	assert_int_equal(image_file_open(&w->file, w->folder, "new", SIZE, &existed, NULL), 0);
	*state = w;
	return 0;
}

static int end_world(void **state)
{
	struct world *w = *state;

	fill_release(&w->fill);
	fill_held_release(&w->held);
	image_file_close(&w->file);
	manifest_release(&w->manifest);
	manifest_release(&w->old_manifest);
	free(w->old);
	free(w->new);
	test_folder_remove(w->folder);
	free(w);
	return 0;
}

static int open_fill(struct world *w, struct err *err)
{
	assert_int_equal(
		fill_add_seed(&w->fill, w->folder, "V", "old", SIZE, &w->old_manifest.chunks), 0);
	return fill_open(&w->fill, &w->manifest, test_path(w->folder, "V/new.chunks"), err);
}

/* What is said to be held is right, and in order. Returns how many bytes. */
static uint64_t check_held(struct world *w)
{
	uint8_t found[PIECE];
	uint64_t bytes = 0;
	uint64_t at = 0;

	for (size_t i = 0; i < w->held.n; i++) {
		const struct byte_range *run = &w->held.runs[i];
		size_t n = run->end - run->first;

		assert_true(run->first >= at && run->first < run->end);
		assert_int_equal(run->first / PIECE, (run->end - 1) / PIECE);
		assert_int_equal(image_file_read(&w->file, run->first, found, n, NULL), 0);
		assert_memory_equal(found, w->new + run->first, n);
		bytes += n;
		at = run->end;
	}
	return bytes;
}

/* Copies all that was found. Each piece that is said to be right is, and all that is held. Returns
 * how many pieces; w->bytes has all bytes. */
static unsigned copy_all(struct world *w)
{
	uint8_t found[PIECE];
	unsigned right = 0;

	w->held.n = 0;
	for (uint32_t piece = 0; piece < w->manifest.n_pieces; piece++) {
		if (!piece_bits_has(w->fill.found, piece) ||
		    !fill_piece(&w->fill, &w->manifest, &w->file, piece, &w->held))
			continue;
		assert_int_equal(
			image_file_read(&w->file, (uint64_t)piece * PIECE, found, PIECE, NULL), 0);
		assert_memory_equal(found, w->new + (size_t)piece *PIECE, PIECE);
		right++;
	}
	w->bytes = (uint64_t)right * PIECE + check_held(w);
	return right;
}

static void test_moved_bytes(void **state)
{
	struct world *w = *state;
	struct err err;

	assert_int_equal(open_fill(w, &err), 0);
	assert_in_range(copy_all(w), 40 - 14, w->fill.n_found - 1);
	/* 201,000 bytes are new, and their chunks with them. */
	assert_in_range(w->bytes, SIZE - 201000 - 5 * CHUNK_MAX / 2, SIZE - 201000);
	assert_in_range(w->held.n, 1, 6);
}

/* Looks into all files that were added. Returns how often a seed could not be used. */
static unsigned scan_all(struct world *w)
{
	unsigned refused = 0;
	uint64_t bytes = 0;
	struct err err;
	bool more = true;

	assert_int_equal(
		fill_open(&w->fill, &w->manifest, test_path(w->folder, "V/new.chunks"), &err), 0);
	while (more) {
		more = fill_scan(&w->fill, &w->manifest, &err);
		refused += err.code < 0;
		(void)copy_all(w);
		bytes += w->bytes;
	}
	w->bytes = bytes;
	return refused;
}

/* A file without an index: it is cut, and has as much as one with. */
static void test_file(void **state)
{
	struct world *w = *state;
	struct err err;
	uint64_t bytes;

	assert_int_equal(open_fill(w, &err), 0);
	(void)copy_all(w);
	bytes = w->bytes;
	fill_release(&w->fill);
	assert_int_equal(fill_add_file(&w->fill, test_path(w->folder, "V/old")), 0);
	assert_int_equal(scan_all(w), 0);
	assert_int_equal(w->bytes, bytes);
}

/* What is in no file, or was found before, is not found once more: the second is not kept open. */
static void test_several_files(void **state)
{
	struct world *w = *state;
	struct err err;
	uint64_t bytes;

	test_write(test_path(w->folder, "first"), span_of(w->old, SIZE / 4));
	test_write(test_path(w->folder, "empty"), span_of_string(""));
	test_write(test_path(w->folder, "other"), span_of(w->new + SIZE / 2 - 100000, 400000));
	assert_int_equal(open_fill(w, &err), 0);
	(void)copy_all(w);
	bytes = w->bytes;
	assert_int_equal(fill_add_file(&w->fill, test_path(w->folder, "first")), 0);
	assert_int_equal(fill_add_file(&w->fill, test_path(w->folder, "empty")), 0);
	assert_int_equal(fill_add_file(&w->fill, test_path(w->folder, "other")), 0);
	while (fill_scan(&w->fill, &w->manifest, &err))
		assert_int_equal(err.code, 0);
	assert_int_equal(w->fill.n_open, 2);
	assert_int_equal(w->fill.seeds[1].fd, -1);
	assert_int_equal(w->fill.seeds[2].fd, -1);
	/* The last has a chunk or more of what is new. */
	assert_true(w->fill.n_found > 0);
	(void)copy_all(w);
	memset(w->fill.found, 0xff, w->manifest.n_pieces / 8);
	(void)copy_all(w);
	assert_in_range(w->bytes, bytes + CHUNK_MIN, bytes + 400000);
}

static void test_files_that_are_none(void **state)
{
	static const char *const names[] = {"nothing", "V", "fifo"};
	struct world *w = *state;

	assert_int_equal(mkfifo(test_path(w->folder, "fifo"), 0644), 0);
	for (unsigned i = 0; i < N_ELEMENTS(names); i++)
		assert_int_equal(fill_add_file(&w->fill, test_path(w->folder, names[i])), 0);
	assert_int_equal(fill_add_file(&w->fill, "/dev/zero"), 0);
	assert_int_equal(fill_add_file(&w->fill, test_path(w->folder, "V/old")), 0);
	assert_int_equal(scan_all(w), 4);
	assert_in_range(w->bytes, SIZE / 2, SIZE);
}

/* A file of which no byte can be read is given up after a few attempts, and told. */
static void test_file_that_cannot_be_read(void **state)
{
	struct world *w = *state;
	struct err err;

	assert_int_equal(fill_add_file(&w->fill, "/proc/self/mem"), 0);
	assert_int_equal(fill_add_file(&w->fill, test_path(w->folder, "V/old")), 0);
	assert_int_equal(
		fill_open(&w->fill, &w->manifest, test_path(w->folder, "V/new.chunks"), &err), 0);
	assert_true(fill_scan(&w->fill, &w->manifest, &err));
	assert_int_equal(err.code, -EIO);
	assert_contains(err.text, "read /proc/self/mem at 4194304");
	assert_int_equal(w->fill.n_found, 0);
	assert_false(fill_scan(&w->fill, &w->manifest, &err));
	assert_int_equal(err.code, 0);
	assert_true(w->fill.n_found > 0);
}

/* Some of it cannot be read: chunks before and behind that are found. Of our own memory, as a file,
 * nothing can be read where nothing is mapped. */
static void test_file_with_unreadable_places(void **state)
{
	struct world *w = *state;
	struct err err;
	uint8_t *at = mmap((void *)(uintptr_t)(1u << 20), SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	assert_int_equal((uintptr_t)at, 1u << 20);
	memcpy(at, w->old, SIZE);
	assert_int_equal(munmap(at + 2 * CHUNK_MAX, 4096), 0);
	assert_int_equal(fill_add_file(&w->fill, "/proc/self/mem"), 0);
	assert_int_equal(
		fill_open(&w->fill, &w->manifest, test_path(w->folder, "V/new.chunks"), &err), 0);
	assert_false(fill_scan(&w->fill, &w->manifest, &err));
	(void)copy_all(w);
	assert_in_range(w->bytes, SIZE / 2, SIZE - 201000 - CHUNK_MIN);
	(void)munmap(at, SIZE);
}

/* It ends in the middle of the work; what was found before is not wrong. */
static void test_file_that_shrinks(void **state)
{
	struct world *w = *state;
	struct err err;

	assert_int_equal(fill_add_file(&w->fill, test_path(w->folder, "V/old")), 0);
	assert_int_equal(
		fill_open(&w->fill, &w->manifest, test_path(w->folder, "V/new.chunks"), &err), 0);
	assert_false(fill_scan(&w->fill, &w->manifest, &err));
	assert_int_equal(truncate(test_path(w->folder, "V/old"), SIZE / 3), 0);
	(void)copy_all(w);
	assert_in_range(w->bytes, SIZE / 3 - 1000 - CHUNK_MAX, SIZE / 3 + 1000);
}

/* Something becomes of the seed between look-up and copy: pieces are wrong, and said to be. */
static void test_seed_that_changes(void **state)
{
	struct world *w = *state;
	const char *old = test_path(w->folder, "V/old");
	uint64_t bytes;
	unsigned all;
	struct err err;
	int fd;

	assert_int_equal(open_fill(w, &err), 0);
	all = copy_all(w);
	bytes = w->bytes;
	fd = open(old, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "no", 2, 5 * PIECE), 2);
	assert_in_range(copy_all(w), all - 4, all - 1);
	/* One chunk is lost, and no more. */
	assert_in_range(w->bytes, bytes - CHUNK_MAX, bytes - CHUNK_MIN);
	assert_int_equal(ftruncate(fd, SIZE / 4), 0);
	assert_in_range(copy_all(w), 5, 12);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(copy_all(w), 0);
	assert_int_equal(w->held.n, 0);
	(void)close(fd);
}

/* An index of the new image that says of other chunks that they are in it. */
static void test_index_that_lies(void **state)
{
	struct world *w = *state;
	struct err err;

	w->manifest.chunks = w->old_manifest.chunks; /* as it was signed, and of the same size */
	assert_int_equal(
		fill_add_seed(&w->fill, w->folder, "V", "old", SIZE, &w->old_manifest.chunks), 0);
	assert_int_equal(
		fill_open(&w->fill, &w->manifest, test_path(w->folder, "V/old.chunks"), &err), 0);
	assert_int_equal(w->fill.n_found, w->manifest.n_pieces);
	assert_int_equal(copy_all(w), 0);
}

/* What cannot be read, or is not what was signed, is no seed; an index that is none is an error. */
static void test_refused(void **state)
{
	struct world *w = *state;
	struct err err;

	(void)unlink(test_path(w->folder, "V/old.chunks"));
	assert_int_equal(open_fill(w, &err), 0);
	assert_int_equal(w->fill.n_found, 0);
	fill_release(&w->fill);
	test_write(test_path(w->folder, "V/old.chunks"), span_of_string("no"));
	assert_int_equal(open_fill(w, &err), 0);
	assert_int_equal(w->fill.n_found, 0);
	fill_release(&w->fill);
	(void)unlink(test_path(w->folder, "V/old"));
	assert_int_equal(open_fill(w, &err), 0);
	assert_int_equal(w->fill.n_found, 0);
	fill_release(&w->fill);
	test_write(test_path(w->folder, "V/new.chunks"), span_of_string("no"));
	assert_int_equal(open_fill(w, &err), -EBADMSG);
	fill_release(&w->fill);
	(void)unlink(test_path(w->folder, "V/new.chunks"));
	assert_int_equal(open_fill(w, &err), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_moved_bytes, make_world, end_world),
		cmocka_unit_test_setup_teardown(test_file, make_world, end_world),
		cmocka_unit_test_setup_teardown(test_several_files, make_world, end_world),
		cmocka_unit_test_setup_teardown(test_files_that_are_none, make_world, end_world),
		cmocka_unit_test_setup_teardown(test_file_that_cannot_be_read, make_world,
						end_world),
		cmocka_unit_test_setup_teardown(test_file_with_unreadable_places, make_world,
						end_world),
		cmocka_unit_test_setup_teardown(test_file_that_shrinks, make_world, end_world),
		cmocka_unit_test_setup_teardown(test_seed_that_changes, make_world, end_world),
		cmocka_unit_test_setup_teardown(test_index_that_lies, make_world, end_world),
		cmocka_unit_test_setup_teardown(test_refused, make_world, end_world),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
