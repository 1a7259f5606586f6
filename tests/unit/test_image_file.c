/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files on disk: atomic ones, the .part of an image, and the repository of images. */
#include "support.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/atomic_file.h"
#include "base/macros.h"
#include "download/image/image_file.h"
#include "download/image/manifest_create.h"
#include "download/image/repository.h"

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

static bool exists(const char *folder, const char *name)
{
	return access(test_path(folder, name), F_OK) == 0;
}

static void test_atomic_file(void **state)
{
	const char *path = test_path(*state, "file");
	struct err err;
	char *text = NULL;
	size_t size;

	test_write(test_path(*state, "file.new"), span_of_string("left over, and longer"));
	assert_int_equal(atomic_file_write(path, span_of_string("one"), 0600, &err), 0);
	assert_false(exists(*state, "file.new"));
	assert_int_equal(atomic_file_write(path, span_of_string("two"), 0600, &err), 0);
	assert_int_equal(file_read(path, 3, &text, &size, &err), 0);
	assert_string_equal(text, "two");
	free(text);
	assert_int_equal(file_read(path, 2, &text, &size, &err), -EFBIG);
	assert_contains(err.text, "longer than the 2 bytes allowed");
	assert_int_equal(file_read("/nowhere/x", 2, &text, &size, &err), -ENOENT);
	assert_int_equal(atomic_file_write("/nowhere/x", span_of_string("x"), 0600, &err), -ENOENT);
	assert_contains(err.text, "create /nowhere/x.new");
}

/* What somebody has put there is not followed. */
static void test_symbolic_links_are_not_followed(void **state)
{
	struct image_file f;
	struct err err;
	bool existed;

	test_write(test_path(*state, "victim"), span_of_string("precious"));
	assert_int_equal(symlink("victim", test_path(*state, "file.new")), 0);
	assert_int_equal(symlink("victim", test_path(*state, "image.part")), 0);
	assert_true(atomic_file_write(test_path(*state, "file"), span_of_string("x"), 0600, &err) <
		    0);
	assert_int_equal(image_file_open(&f, *state, "image", 100, &existed, &err), -ELOOP);
	{
		char *text = test_read(test_path(*state, "victim"), NULL);

		assert_string_equal(text, "precious");
		free(text);
	}
}

static void test_part(void **state)
{
	struct image_file f;
	struct err err;
	struct stat st;
	uint8_t bytes[3];
	bool existed;

	assert_int_equal(image_file_open(&f, *state, "image", 100000, &existed, &err), 0);
	assert_false(existed);
	assert_int_equal(fstat(f.fd, &st), 0);
	assert_int_equal(st.st_size, 100000);
	assert_true(st.st_blocks * 512 >= 100000); /* room for all of it */
	assert_int_equal(pwrite(f.fd, "abc", 3, 99997), 3);
	assert_int_equal(image_file_read(&f, 99997, bytes, 3, &err), 0);
	assert_memory_equal(bytes, "abc", 3);
	assert_int_equal(image_file_read(&f, 99998, bytes, 3, &err), -EIO);
	assert_contains(err.text, "ends at 100000 of 100000 bytes");
	image_file_close(&f);
	assert_int_equal(image_file_open(&f, *state, "image", 100000, &existed, &err), 0);
	assert_true(existed);
	image_file_close(&f);
	/* Of another size, nothing in it is to be believed. */
	assert_int_equal(image_file_open(&f, *state, "image", 100001, &existed, &err), 0);
	assert_false(existed);
	image_file_remove(&f);
	assert_false(exists(*state, "image.part"));
}

/* Two pieces and a short one, of zeros but for what a test puts in. */
#define PIECED (2 * PIECE_SIZE_MIN + 3)

static void open_pieced(struct image_file *f, struct manifest *m, const char *folder)
{
	static uint8_t content[PIECED];
	static uint8_t digests[3][DIGEST_SIZE];
	bool existed;

	memset(content, 0, sizeof(content));
	content[PIECE_SIZE_MIN - 1] = 'x';
	*m = (struct manifest){.size = PIECED, .piece_size = PIECE_SIZE_MIN, .n_pieces = 3};
	m->pieces = digests;
	for (uint32_t i = 0; i < 3; i++)
		(void)EVP_Digest(content + manifest_piece_first(m, i), manifest_piece_length(m, i),
				 digests[i], NULL, EVP_sha256(), NULL);
	assert_int_equal(image_file_open(f, folder, "image", PIECED, &existed, NULL), 0);
}

/* Written in three blocks that do not end where pieces do: each piece is judged once, by its last
 * byte. Another transfer that goes on inside a piece hashes what the file has of it. */
static void test_pieces(void **state)
{
	static uint8_t bytes[PIECED];
	struct image_pieces p = {0};
	struct image_pieces later = {0};
	struct image_file f;
	struct manifest m;

	open_pieced(&f, &m, *state);
	bytes[PIECE_SIZE_MIN - 1] = 'x';
	image_file_write(&f, &m, 0, span_of(bytes, 1000), &p);
	assert_int_equal(p.n_right, 0);
	image_file_write(&f, &m, 1000, span_of(bytes + 1000, PIECE_SIZE_MIN), &p);
	assert_int_equal(p.n_right, 1);
	assert_int_equal(p.right[0], 0);
	image_file_write(&f, &m, PIECE_SIZE_MIN + 1000,
			 span_of(bytes + PIECE_SIZE_MIN + 1000, PIECE_SIZE_MIN - 1000 + 3), &later);
	assert_int_equal(later.n_right, 2);
	assert_int_equal(later.right[0], 1);
	assert_int_equal(later.right[1], 2);
	assert_int_equal(p.err.code, 0);
	assert_int_equal(later.err.code, 0);
	image_pieces_release(&p);
	image_pieces_release(&later);
	image_file_remove(&f);
}

/* The one that is wrong is named, and what comes behind it in the same bytes is not judged. */
static void test_wrong_piece(void **state)
{
	static uint8_t bytes[PIECED];
	struct image_pieces p = {0};
	struct image_file f;
	struct manifest m;

	open_pieced(&f, &m, *state);
	bytes[PIECE_SIZE_MIN - 1] = 'x';
	bytes[PIECE_SIZE_MIN] = 'y';
	image_file_write(&f, &m, 0, span_of(bytes, sizeof(bytes)), &p);
	assert_int_equal(p.n_right, 1);
	assert_true(p.mismatch);
	assert_int_equal(p.wrong, 1);
	assert_true(p.err.code < 0);
	image_pieces_release(&p);
	image_file_close(&f);
	f.fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	f.path = strdup("full");
	p = (struct image_pieces){0};
	image_file_write(&f, &m, 0, span_of(bytes, 10), &p);
	assert_int_equal(p.err.code, -ENOSPC);
	assert_false(p.mismatch);
	image_file_close(&f);
}

/* Writes that belong together tell what is right in all of them; after a wrong piece nothing more
 * is written. */
static void test_writes_together(void **state)
{
	static uint8_t bytes[PIECED];
	struct image_pieces p = {0};
	struct image_file f;
	struct manifest m;
	uint8_t read = 1;

	open_pieced(&f, &m, *state);
	bytes[PIECE_SIZE_MIN - 1] = 'x';
	image_file_write(&f, &m, 0, span_of(bytes, PIECE_SIZE_MIN), &p);
	image_file_write_on(&f, &m, PIECE_SIZE_MIN, span_of(bytes + PIECE_SIZE_MIN, PIECE_SIZE_MIN),
			    &p);
	assert_int_equal(p.n_right, 2);
	assert_int_equal(p.right[1], 1);
	image_file_write(&f, &m, 2 * PIECE_SIZE_MIN, span_of(bytes, 3), &p);
	assert_int_equal(p.n_right, 1);
	assert_int_equal(p.right[0], 2);
	bytes[0] = 'y';
	image_file_write(&f, &m, PIECE_SIZE_MIN, span_of(bytes, PIECE_SIZE_MIN), &p);
	assert_true(p.mismatch);
	image_file_write_on(&f, &m, 0, span_of(bytes, 1), &p);
	assert_int_equal(image_file_read(&f, 0, &read, 1, NULL), 0);
	assert_int_equal(read, 0);
	image_pieces_release(&p);
	image_file_remove(&f);
}

/* Read back: as long as a piece has the bytes that were written, its code says so and no digest is
 * needed (the manifest's is spoiled here, to show it). Where it has others, or there is no code,
 * the digest decides. */
static void test_read_back(void **state)
{
	static uint8_t bytes[PIECED];
	struct image_pieces p = {0};
	struct image_file f;
	struct manifest m;
	bool right[3] = {false};

	open_pieced(&f, &m, *state);
	image_file_keep_codes(&f, &m);
	bytes[PIECE_SIZE_MIN - 1] = 'x';
	image_file_write(&f, &m, 0, span_of(bytes, PIECED - 3), &p);
	assert_int_equal(p.n_right, 2);
	m.pieces[0][0] ^= 1;
	assert_int_equal(pwrite(f.fd, "y", 1, PIECE_SIZE_MIN + 9), 1);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(image_file_check(&f, &m, i, &p, &right[i], NULL), 0);
	assert_true(right[0]);
	assert_false(right[1]);
	assert_true(right[2]);
	assert_int_equal(pwrite(f.fd, "y", 1, PIECED - 1), 1);
	assert_int_equal(image_file_check(&f, &m, 2, &p, &right[2], NULL), 0);
	assert_false(right[2]);
	assert_int_equal(pwrite(f.fd, "\0", 1, PIECE_SIZE_MIN + 9), 1);
	assert_int_equal(image_file_check(&f, &m, 1, &p, &right[1], NULL), 0);
	assert_true(right[1]);
	assert_int_equal(ftruncate(f.fd, PIECE_SIZE_MIN), 0);
	assert_int_equal(image_file_check(&f, &m, 1, &p, &right[1], NULL), -EIO);
	image_pieces_release(&p);
	image_file_remove(&f);
}

/* The code is of the whole piece, also where two transfers brought it, and one wrote before the
 * other. Another file's codes are others: what is in the journal from before is hashed. */
static void test_read_back_of_parts(void **state)
{
	static uint8_t bytes[PIECED];
	struct image_pieces p = {0};
	struct image_pieces later = {0};
	struct image_file f;
	struct manifest m;
	bool right = false;

	open_pieced(&f, &m, *state);
	image_file_keep_codes(&f, &m);
	bytes[PIECE_SIZE_MIN - 1] = 'x';
	image_file_write(&f, &m, 0, span_of(bytes, 1000), &p);
	image_file_write(&f, &m, 1000, span_of(bytes + 1000, PIECE_SIZE_MIN - 1000), &later);
	assert_int_equal(later.n_right, 1);
	m.pieces[0][0] ^= 1;
	assert_int_equal(image_file_check(&f, &m, 0, &p, &right, NULL), 0);
	assert_true(right);
	piece_codes_close(&f.codes);
	image_file_keep_codes(&f, &m);
	assert_int_equal(image_file_check(&f, &m, 0, &p, &right, NULL), 0);
	assert_false(right);
	piece_codes_close(&f.codes);
	piece_codes_open(&f.codes, PIECE_CODES_MAX);
	assert_int_equal(f.codes.n, PIECE_CODES_MAX);
	piece_codes_close(&f.codes);
	piece_codes_open(&f.codes, PIECE_CODES_MAX + 1); /* too many: memory is to stay small */
	assert_null(f.codes.codes);
	m.pieces[0][0] ^= 1;
	assert_int_equal(image_file_check(&f, &m, 0, &p, &right, NULL), 0);
	assert_true(right);
	image_pieces_release(&p);
	image_pieces_release(&later);
	image_file_remove(&f);
}

/* The last hole of a piece: what is before and behind it is in the file already. */
static void test_hole(void **state)
{
	static uint8_t bytes[PIECED];
	const uint64_t piece = PIECE_SIZE_MIN;
	struct image_pieces p = {.held_from = piece + 3000};
	struct image_pieces wrong = {.held_from = piece + 3000};
	struct image_file f;
	struct manifest m;

	open_pieced(&f, &m, *state);
	assert_int_equal(pwrite(f.fd, bytes, sizeof(bytes), 0), sizeof(bytes));
	image_file_write(&f, &m, piece + 1000, span_of(bytes, 1000), &p);
	assert_int_equal(p.n_right, 0);
	image_file_write(&f, &m, piece + 2000, span_of(bytes, 1000), &p);
	assert_int_equal(p.err.code, 0);
	assert_int_equal(p.n_right, 1);
	assert_int_equal(p.right[0], 1);
	image_pieces_release(&p);
	/* Behind it there is something else than there should be. */
	assert_int_equal(pwrite(f.fd, "x", 1, (off_t)piece + 5000), 1);
	image_file_write(&f, &m, piece, span_of(bytes, 3000), &wrong);
	assert_true(wrong.mismatch);
	assert_int_equal(wrong.wrong, 1);
	image_pieces_release(&wrong);
	image_file_remove(&f);
}

static void test_no_room(void **state)
{
	struct image_file f;
	struct err err;
	bool existed;

	assert_int_equal(image_file_open(&f, *state, "image", UINT64_C(1) << 50, &existed, &err),
			 -ENOSPC);
	assert_contains(err.text, "needs 1125899906842624 bytes more");
	assert_false(exists(*state, "image.part"));
}

/* <state>/images/V1 with an image of 150,000 bytes, made as a manifest is made. */
static void publish(const char *folder, const char *version)
{
	struct err without;
	char out[512];
	char key[512];
	struct err err;

	if (!exists(folder, "key.pem"))
		test_make_key(folder, "key");
	(void)mkdir(test_path(folder, "state"), 0755);
	(void)snprintf(out, sizeof(out), "%s/state/images", folder);
	(void)snprintf(key, sizeof(key), "%s/key.pem", folder);
	test_write(test_path(folder, "image.iso"), span_of("", 0));
	assert_int_equal(truncate(test_path(folder, "image.iso"), 150000), 0);
	assert_int_equal(manifest_create(test_path(folder, "image.iso"), version, key, 65536, out,
					 &without, &err),
			 0);
	(void)unlink(test_path(folder, "image.iso"));
}

static struct repository *open_repository(const char *folder, struct err *removed)
{
	struct repository *r;
	struct err trouble;
	struct err err;

	assert_int_equal(repository_open(&r, test_path(folder, "state"), removed, &trouble, &err),
			 0);
	assert_int_equal(trouble.code, 0);
	return r;
}

static bool go_on(void *owner, uint64_t done, uint64_t size)
{
	*(uint64_t *)owner = done;
	return done < size || done == 150000;
}

static bool stop(void *owner, uint64_t done, uint64_t size)
{
	(void)owner;
	(void)done;
	(void)size;
	return false;
}

static void test_repository(void **state)
{
	struct trusted_keys keys = {.n = 1};
	struct jws_key key;
	struct repository *r;
	struct err removed;
	struct err err;
	uint64_t done = 0;
	int fd;

	publish(*state, "V1");
	publish(*state, "V2");
	r = open_repository(*state, &removed);
	assert_int_equal(removed.code, 0);
	assert_int_equal(repository_count(r), 2);
	assert_int_equal(repository_find(r, "V1")->size, 150000);
	assert_int_equal(jws_key_load_public(&key, test_path(*state, "key.pub.pem"), NULL), 0);
	keys.keys = &key;
	assert_int_equal(repository_verify(r, "V1", &keys, go_on, &done, &err), 0);
	assert_int_equal(done, 150000);
	assert_int_equal(repository_verify(r, "V1", &keys, stop, NULL, &err), -ECANCELED);
	assert_int_equal(repository_verify(r, "V3", &keys, go_on, &done, &err), -ENOENT);

	fd = open(test_path(*state, "state/images/V1/image.iso"), O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "x", 1, 70000), 1);
	(void)close(fd);
	assert_int_equal(repository_verify(r, "V1", &keys, go_on, &done, &err), -EBADMSG);
	assert_contains(err.text, "piece 1 does not match: expected sha256");

	assert_int_equal(repository_remove_files(r, "V1", &err), 0);
	assert_int_equal(repository_remove_files(r, "V1", &err), 0); /* not there: nothing to do */
	repository_forget(r, "V1");
	assert_null(repository_find(r, "V1"));
	assert_false(exists(*state, "state/images/V1"));
	{
		char *index = test_read(test_path(*state, "state/images/index.json"), NULL);

		assert_null(strstr(index, "V1"));
		assert_contains(index, "V2");
		free(index);
	}
	jws_key_release(&key);
	repository_close(r);
}

static void test_half_published_is_removed(void **state)
{
	static const struct {
		const char *name;
		int damage; /* what is wrong with it */
	} rows[] = {{"no manifest", 0}, {"no file", 1}, {"a shorter file", 2}, {"no JWS", 3}};

	publish(*state, "V2");
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct repository *r;
		struct err removed;

		publish(*state, "V1");
		if (rows[i].damage == 0)
			(void)unlink(test_path(*state, "state/images/V1/manifest.jws"));
		if (rows[i].damage == 1)
			(void)unlink(test_path(*state, "state/images/V1/image.iso"));
		if (rows[i].damage == 2)
			assert_int_equal(
				truncate(test_path(*state, "state/images/V1/image.iso"), 5), 0);
		if (rows[i].damage == 3)
			test_write(test_path(*state, "state/images/V1/manifest.jws"),
				   span_of_string("no"));
		r = open_repository(*state, &removed);
		if (repository_count(r) != 1 || exists(*state, "state/images/V1"))
			fail_msg("%s", rows[i].name);
		assert_contains(removed.text, "image V1 is not complete, removed");
		repository_close(r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_atomic_file, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_symbolic_links_are_not_followed, make_folder,
						remove_folder),
		cmocka_unit_test_setup_teardown(test_part, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_pieces, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_wrong_piece, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_writes_together, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_read_back, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_read_back_of_parts, make_folder,
						remove_folder),
		cmocka_unit_test_setup_teardown(test_hole, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_no_room, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_repository, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_half_published_is_removed, make_folder,
						remove_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
