/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "registry_faults.h"

#include <signal.h>
#include <sys/wait.h>

struct registry_fault registry_fault;

static const struct registry_driver *real;

static int fault(bool done, bool commits, struct err *err)
{
	struct registry_fault *f = &registry_fault;

	if (done != f->after || f->to_go == 0 || --f->to_go > 0)
		return 0;
	f->in_commit = commits;
	if (f->failure == 0)
		(void)raise(SIGKILL);
	return err_set(err, f->failure, "as the test wants it");
}

static int faulty_execute(struct registry_connection *connection, const char *sql, struct err *err)
{
	bool commits = strcmp(sql, "COMMIT") == 0;
	int rc = fault(false, commits, err);

	if (rc == 0)
		rc = real->execute(connection, sql, err);
	return rc == 0 ? fault(true, commits, err) : rc;
}

static int faulty_step(struct registry_statement *statement, struct err *err)
{
	int rc = fault(false, false, err);
	int lost;

	if (rc == 0)
		rc = real->step(statement, err);
	lost = rc < 0 ? 0 : fault(true, false, err);
	return lost < 0 ? lost : rc;
}

struct registry *registry_faults_open(const struct registry_world *w)
{
	static struct registry_driver faulty;
	struct registry *r;
	struct err err;

	real = w->driver;
	faulty = *w->driver;
	faulty.execute = faulty_execute;
	faulty.step = faulty_step;
	registry_fault = (struct registry_fault){0};
	assert_ok(registry_open_driver(&r, &faulty, w->uri, "c1", &err), &err);
	assert_ok(registry_check(r, &err), &err);
	return r;
}

bool registry_faults_die(const struct registry_world *w, unsigned n, bool after,
			 int (*enrol)(struct registry *r, void *owner), void *owner)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct registry *r = registry_faults_open(w);

		registry_fault = (struct registry_fault){.to_go = n, .after = after};
		_exit(enrol(r, owner) != 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
	return !WIFSIGNALED(status);
}
