/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fleet.h - all routers in one row each: how many of their nodes are enrolled, and how many have a
 * tunnel on this conductor. What a table of 50,000 routers, or a map of them, is made of.
 */
#pragma once

#include "conductord/fleet_view.h"
#include "conductord/registry_job.h"

#define FLEET_LIMIT_DEFAULT 50

/* On a worker. The job's labels and view decide what is shown, its first and its limit which part
 * of that; fills its text. */
int fleet_answer(struct registry_job *job, struct err *err);
