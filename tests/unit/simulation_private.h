/* SPDX-License-Identifier: GPL-3.0-or-later */
/* simulation_private.h - what simulation.c (time, disk, answers), simulation_requests.c and
 * simulation_fill.c share.
 */
#pragma once

#include "simulation.h"

unsigned sim_percent(struct sim *sim); /* dice: 0..99 */
bool sim_is_verified(const struct sim *sim, uint32_t piece);
/* event happens after delay_ms; id: of the request, or 0. */
void sim_schedule(struct sim *sim, uint64_t delay_ms, const struct engine_event *event,
		  const char *reason, uint64_t id);
void sim_forget_events(struct sim *sim, enum engine_event_type type, uint64_t id);
/* As download_fill.c does after each step: begins to fill, goes on, or ends. */
void sim_follow_fill(struct sim *sim);
/* What was filled is on disk now: which of it is right is for the dice. */
void sim_end_fill(struct sim *sim, struct engine_event *event);
void sim_step(struct sim *sim, const struct engine_event *event);

void sim_begin_request(struct sim *sim, const struct engine_action *action);
void sim_accept_whole(struct sim *sim, unsigned slot);
void sim_cancel_request(struct sim *sim, unsigned slot);
void sim_end_request(struct sim *sim, struct engine_event *event);
