/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Messages with descriptors between conductord and its helper. */
#include "support.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/macros.h"
#include "conductor/tunnels/tunnel_channel.h"
#include "faults.h"

/* More than a helper is behind by at any time: many a kernel's queue, and none of ours. */
#define MANY 20000

struct side {
	struct tunnel_channel channel;
	unsigned n;
	uint32_t last_id;
	int fd; /* the last that came; -1 = none */
	int broken;
	bool changed;
	bool closed;
};

static void on_received(struct tunnel_channel *channel, const struct tunnel_message *m, int fd)
{
	struct side *s = container_of(channel, struct side, channel);

	assert_true(m->id == s->last_id + 1); /* in order */
	s->last_id = m->id;
	s->n++;
	if (s->fd >= 0)
		(void)close(s->fd);
	s->fd = fd;
	s->changed = true;
}

static void on_broken(struct tunnel_channel *channel, int code)
{
	struct side *s = container_of(channel, struct side, channel);

	assert_int_equal(s->broken, 0);
	s->broken = code;
	s->changed = true;
}

static void on_closed(struct tunnel_channel *channel)
{
	struct side *s = container_of(channel, struct side, channel);

	s->closed = true;
	if (s->fd >= 0)
		(void)close(s->fd);
}

static void make_ends(int ends[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
}

static void open_side(struct side *s, uv_loop_t *loop, int fd)
{
	memset(s, 0, sizeof(*s));
	s->fd = -1;
	assert_int_equal(tunnel_channel_open(&s->channel, loop, fd, on_received, on_broken), 0);
}

static void wait_for(uv_loop_t *loop, struct side *s)
{
	s->changed = false;
	test_run_until(loop, &s->changed);
}

static unsigned count_descriptors(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 4096; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void test_descriptor(void **state)
{
	const struct tunnel_message first = {.type = TUNNEL_SESSION, .id = 1, .port = 4711};
	const struct tunnel_message second = {.type = TUNNEL_ENDED, .id = 2};
	struct side left;
	struct side right;
	uv_loop_t loop;
	int ends[2];
	int pipe_ends[2];
	char got[8];

	(void)state;
	assert_int_equal(uv_loop_init(&loop), 0);
	make_ends(ends);
	open_side(&left, &loop, ends[0]);
	open_side(&right, &loop, ends[1]);
	assert_int_equal(pipe(pipe_ends), 0);
	tunnel_channel_send(&left.channel, &first, pipe_ends[1]);
	wait_for(&loop, &right);
	assert_int_equal(fcntl(right.fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(write(right.fd, "through", 7), 7);
	assert_int_equal(read(pipe_ends[0], got, sizeof(got)), 7);
	tunnel_channel_send(&left.channel, &second, -1);
	wait_for(&loop, &right);
	assert_int_equal(right.fd, -1);
	assert_int_equal(read(pipe_ends[0], got, sizeof(got)), 0); /* ours was taken */
	(void)close(pipe_ends[0]);
	tunnel_channel_close(&left.channel, on_closed);
	wait_for(&loop, &right);
	assert_int_equal(right.broken, -EPIPE);
	tunnel_channel_close(&right.channel, on_closed);
	test_close_loop(&loop);
	assert_true(left.closed && right.closed);
}

/* A helper that is slow gets all of them, in order. */
static void test_queue(void **state)
{
	struct tunnel_message message = {.type = TUNNEL_END_SESSION};
	struct side left;
	struct side right;
	uv_loop_t loop;
	int ends[2];

	(void)state;
	assert_int_equal(uv_loop_init(&loop), 0);
	make_ends(ends);
	open_side(&left, &loop, ends[0]);
	assert_true(tunnel_channel_has_room(&left.channel));
	for (message.id = 1; message.id <= MANY; message.id++)
		assert_int_equal(tunnel_channel_send(&left.channel, &message, -1), 0);
	assert_int_equal(left.channel.code, 0);
	assert_true(left.channel.n_queued > MANY / 2);
	assert_false(tunnel_channel_has_room(&left.channel));
	open_side(&right, &loop, ends[1]);
	while (right.last_id < MANY)
		wait_for(&loop, &right);
	assert_true(tunnel_channel_has_room(&left.channel));
	tunnel_channel_close(&right.channel, on_closed);
	wait_for(&loop, &left);
	assert_int_equal(left.broken, -EPIPE);
	tunnel_channel_close(&left.channel, on_closed);
	test_close_loop(&loop);
}

/* Of descriptors that are queued when it ends none is left. */
static void test_an_end_with_a_queue(void **state)
{
	const struct tunnel_message message = {.type = TUNNEL_SESSION};
	unsigned before = count_descriptors();
	struct side left;
	uv_loop_t loop;
	int ends[2];

	(void)state;
	assert_int_equal(uv_loop_init(&loop), 0);
	make_ends(ends);
	open_side(&left, &loop, ends[0]);
	for (unsigned i = 0; tunnel_channel_has_room(&left.channel); i++) {
		int fd = dup(STDERR_FILENO);

		assert_true(i < MANY && fd >= 0);
		assert_int_equal(tunnel_channel_send(&left.channel, &message, fd), 0);
	}
	assert_int_equal(left.channel.code, 0);
	(void)close(ends[1]); /* with all that was under way */
	wait_for(&loop, &left);
	assert_int_equal(left.broken, -EPIPE);
	assert_int_equal(tunnel_channel_send(&left.channel, &message, dup(STDERR_FILENO)), 0);
	tunnel_channel_close(&left.channel, on_closed);
	test_close_loop(&loop);
	assert_int_equal(count_descriptors(), before);
}

/* The receiver has no descriptor left: the message is there, and so is the channel. */
static void test_a_descriptor_is_lost(void **state)
{
	struct tunnel_message message = {.type = TUNNEL_SESSION, .id = 1};
	struct side left;
	struct side right;
	struct rlimit before;
	struct rlimit few;
	uv_loop_t loop;
	int ends[2];

	(void)state;
	assert_int_equal(uv_loop_init(&loop), 0);
	make_ends(ends);
	open_side(&left, &loop, ends[0]);
	open_side(&right, &loop, ends[1]);
	assert_int_equal(tunnel_channel_send(&left.channel, &message, dup(STDERR_FILENO)), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = before;
	few.rlim_cur = 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	wait_for(&loop, &right);
	assert_int_equal(right.fd, -1);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	message.id = 2;
	assert_int_equal(tunnel_channel_send(&left.channel, &message, dup(STDERR_FILENO)), 0);
	wait_for(&loop, &right);
	assert_true(right.fd >= 0);
	tunnel_channel_close(&left.channel, on_closed);
	tunnel_channel_close(&right.channel, on_closed);
	test_close_loop(&loop);
}

/* What is reserved is there when there is no memory any more; all else fails, and breaks nothing.
 */
static void test_reserve(void **state)
{
	struct tunnel_message message = {.type = TUNNEL_ENDED, .id = 1};
	struct side left;
	struct side right;
	uv_loop_t loop;
	int ends[2];

	(void)state;
	assert_int_equal(uv_loop_init(&loop), 0);
	make_ends(ends);
	open_side(&left, &loop, ends[0]);
	assert_int_equal(tunnel_channel_reserve(&left.channel, MANY), 0);
	for (; message.id <= MANY; message.id++) {
		tunnel_channel_unreserve(&left.channel, 1);
		faults_fail_allocation(1);
		assert_int_equal(tunnel_channel_send(&left.channel, &message, -1), 0);
		assert_false(faults_had_effect());
	}
	while (left.channel.n_queued < left.channel.size)
		assert_int_equal(tunnel_channel_send(&left.channel, &message, -1), 0), message.id++;
	faults_fail_allocation(1);
	assert_int_equal(tunnel_channel_send(&left.channel, &message, -1), -ENOMEM);
	assert_true(faults_had_effect());
	faults_fail_allocation(1);
	assert_int_equal(tunnel_channel_reserve(&left.channel, 1), -ENOMEM);
	open_side(&right, &loop, ends[1]);
	while (right.last_id < message.id - 1)
		wait_for(&loop, &right);
	tunnel_channel_close(&left.channel, on_closed);
	tunnel_channel_close(&right.channel, on_closed);
	test_close_loop(&loop);
}

static void test_other_messages_break_it(void **state)
{
	static const char bytes[sizeof(struct tunnel_message) + 1];
	static const size_t sizes[] = {1, sizeof(struct tunnel_message) - 1,
				       sizeof(struct tunnel_message) + 1};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(sizes); i++) {
		struct side side;
		uv_loop_t loop;
		int ends[2];

		assert_int_equal(uv_loop_init(&loop), 0);
		make_ends(ends);
		open_side(&side, &loop, ends[0]);
		assert_int_equal(write(ends[1], bytes, sizes[i]), sizes[i]);
		wait_for(&loop, &side);
		assert_int_equal(side.broken, -EBADMSG);
		assert_int_equal(side.n, 0);
		tunnel_channel_close(&side.channel, on_closed);
		test_close_loop(&loop);
		(void)close(ends[1]);
	}
}

static void test_no_memory(void **state)
{
	struct side side = {.fd = -1};
	uv_loop_t loop;
	int ends[2];

	(void)state;
	assert_int_equal(uv_loop_init(&loop), 0);
	make_ends(ends);
	faults_fail_allocation(1);
	assert_int_equal(tunnel_channel_open(&side.channel, &loop, ends[0], on_received, on_broken),
			 -ENOMEM);
	assert_true(faults_had_effect());
	assert_int_equal(fcntl(ends[0], F_GETFD), -1);
	(void)close(ends[1]);
	test_close_loop(&loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_descriptor),
		cmocka_unit_test(test_queue),
		cmocka_unit_test(test_an_end_with_a_queue),
		cmocka_unit_test(test_a_descriptor_is_lost),
		cmocka_unit_test(test_reserve),
		cmocka_unit_test(test_other_messages_break_it),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
