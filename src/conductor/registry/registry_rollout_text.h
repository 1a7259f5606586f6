/* SPDX-License-Identifier: GPL-3.0-or-later */
/* registry_rollout_text.h - parts of a rollout as they stand in the registry. Pure. For
 * registry_rollouts.c.
 */
#pragma once

#include "conductor/rollout/rollout.h"

#define ROLLOUT_TEXT_SIZE 256

/* "1 50 1000" */
void rollout_text_numbers(const uint32_t *numbers, size_t n, char ret[ROLLOUT_TEXT_SIZE]);
/* Returns how many there are, at most max. */
size_t rollout_text_read_numbers(const char *text, uint32_t *ret, size_t max);

/* What is damaged becomes one phase of all. */
void rollout_text_read_phases(const char *text, struct rollout_plan *ret);

/* "31 1320 300" for each: days, minutes from and to. */
void rollout_text_window(const struct rollout_plan *plan, char ret[ROLLOUT_TEXT_SIZE]);
void rollout_text_read_window(const char *text, struct rollout_plan *ret);

/* "a" waits ... "g"; capital where it is held. */
char rollout_text_letter(uint8_t member);
bool rollout_text_member(char letter, uint8_t *ret);
