/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Bytes in at one end and out at the other, in order, and never more than the bound. */
#include "faults.h"
#include "support.h"

#include "onboarding/byte_queue.h"

#define MAX_WAITING ((size_t)5000)

static void test_in_order(void **state)
{
	struct byte_queue queue;
	uint64_t random = 4711;
	uint8_t next_in = 0;
	uint8_t next_out = 0;

	(void)state;
	byte_queue_init(&queue, MAX_WAITING);
	assert_int_equal(byte_queue_peek(&queue).size, 0);
	for (unsigned i = 0; i < 2000; i++) {
		uint8_t bytes[700];
		size_t size = (size_t)(test_random(&random) % sizeof(bytes));
		size_t waiting = queue.size;
		struct span out;
		size_t n;

		for (size_t k = 0; k < size; k++)
			bytes[k] = (uint8_t)(next_in + k);
		if (byte_queue_put(&queue, span_of(bytes, size)) == 0)
			next_in = (uint8_t)(next_in + size);
		else
			assert_true(waiting + size > MAX_WAITING);
		out = byte_queue_peek(&queue);
		assert_true(out.size <= MAX_WAITING);
		n = (size_t)(test_random(&random) % (out.size + 1));
		for (size_t k = 0; k < n; k++)
			assert_int_equal(out.bytes[k], next_out++);
		byte_queue_drop(&queue, n);
	}
	byte_queue_release(&queue);
}

static void test_bound(void **state)
{
	static const uint8_t bytes[MAX_WAITING + 1];
	struct byte_queue queue;

	(void)state;
	byte_queue_init(&queue, MAX_WAITING);
	assert_int_equal(byte_queue_put(&queue, span_of(bytes, MAX_WAITING + 1)), -ENOBUFS);
	assert_int_equal(byte_queue_put(&queue, span_of(bytes, MAX_WAITING)), 0);
	assert_int_equal(byte_queue_put(&queue, span_of(bytes, 1)), -ENOBUFS);
	assert_int_equal(byte_queue_put(&queue, span_of(bytes, 0)), 0);
	byte_queue_drop(&queue, 1);
	assert_int_equal(byte_queue_put(&queue, span_of(bytes, 1)), 0);
	byte_queue_release(&queue);
	byte_queue_init(&queue, MAX_WAITING);
	faults_fail_allocation(1);
	assert_int_equal(byte_queue_put(&queue, span_of(bytes, 1)), -ENOMEM);
	assert_true(faults_had_effect());
	assert_int_equal(byte_queue_peek(&queue).size, 0);
	byte_queue_release(&queue);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_order),
		cmocka_unit_test(test_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
