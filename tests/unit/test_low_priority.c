/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The work is nice, and its caller is as before. */
#include "support.h"

#include <linux/ioprio.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "base/low_priority.h"

struct seen {
	int nice;
	int disk_class;
	pid_t thread;
};

static void look(void *owner)
{
	struct seen *seen = owner;

	seen->thread = gettid();
	seen->nice = getpriority(PRIO_PROCESS, (id_t)seen->thread);
	seen->disk_class = IOPRIO_PRIO_CLASS((int)syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0));
}

static void test_only_the_work(void **state)
{
	struct seen before;
	struct seen during = {0};
	struct seen after;

	(void)state;
	look(&before);
	low_priority_run(look, &during);
	look(&after);
	assert_int_not_equal(during.thread, before.thread);
	assert_int_equal(during.nice, 19);
	assert_int_equal(during.disk_class, IOPRIO_CLASS_IDLE);
	assert_int_equal(after.nice, before.nice);
	assert_int_equal(after.disk_class, before.disk_class);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_the_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
