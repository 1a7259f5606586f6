/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Each reader gets all bytes in order, however slow another one is; and each failure ends it. */
#include "support.h"

#include <fcntl.h>

#include "base/macros.h"
#include "download/image/read_once.h"

#define SIZE (9u << 20 | 77u)

struct counter {
	uint64_t taken;
	uint64_t sum; /* depends on the order */
	uint64_t fail_at;
};

static int take(void *owner, struct span bytes, struct err *err)
{
	struct counter *c = owner;

	for (size_t i = 0; i < bytes.size; i += 64)
		c->sum = c->sum * 31 + bytes.bytes[i];
	c->taken += bytes.size;
	if (c->fail_at > 0 && c->taken >= c->fail_at)
		return err_set(err, -EPROTO, "no more");
	return 0;
}

static int read_it(const char *folder, uint64_t size, struct counter counters[3], struct err *err)
{
	const struct reader readers[] = {
		{take, &counters[0]}, {take, &counters[1]}, {take, &counters[2]}};
	int fd = open(test_path(folder, "f"), O_RDONLY | O_CLOEXEC);
	int rc;

	assert_true(fd >= 0);
	rc = read_once(fd, size, readers, 3, err);
	(void)close(fd);
	return rc;
}

static void test_all(void **state)
{
	struct counter c[3] = {{0}};
	uint8_t *bytes = malloc(SIZE);
	uint64_t seed = 8;
	struct err err = {0};
	char *folder = test_folder();

	(void)state;
	for (size_t i = 0; i < SIZE; i++)
		bytes[i] = (uint8_t)test_random(&seed);
	test_write(test_path(folder, "f"), span_of(bytes, SIZE));
	assert_int_equal(read_it(folder, SIZE, c, &err), 0);
	assert_int_equal(c[0].taken, SIZE);
	assert_int_equal(c[1].taken, SIZE);
	assert_true(c[0].sum == c[1].sum && c[1].sum == c[2].sum && c[0].sum != 0);
	assert_int_equal(read_it(folder, SIZE + 1, c, &err), -EIO);
	assert_contains(err.text, "became shorter");
	c[1].fail_at = SIZE + (3u << 20);
	assert_int_equal(read_it(folder, SIZE, c, &err), -EPROTO);
	assert_contains(err.text, "no more");
	free(bytes);
	test_folder_remove(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_all)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
