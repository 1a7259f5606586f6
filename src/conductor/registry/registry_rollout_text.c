/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/registry/registry_rollout_text.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/macros.h"

void rollout_text_numbers(const uint32_t *numbers, size_t n, char ret[ROLLOUT_TEXT_SIZE])
{
	size_t used = 0;

	ret[0] = '\0';
	for (size_t i = 0; i < n && used < ROLLOUT_TEXT_SIZE - 12; i++)
		used += (size_t)snprintf(ret + used, ROLLOUT_TEXT_SIZE - used, "%s%u", i ? " " : "",
					 numbers[i]);
}

size_t rollout_text_read_numbers(const char *text, uint32_t *ret, size_t max)
{
	size_t n = 0;

	while (*text && n < max) {
		char *end;

		ret[n] = (uint32_t)strtoul(text, &end, 10);
		if (end == text)
			return n;
		n++;
		text = end + (*end == ' ');
	}
	return n;
}

void rollout_text_read_phases(const char *text, struct rollout_plan *ret)
{
	size_t n = rollout_text_read_numbers(text, ret->phase_ends, ROLLOUT_PHASES_MAX);
	bool rises = n > 0 && ret->phase_ends[n - 1] == ret->n;

	for (size_t i = 1; i < n; i++)
		rises = rises && ret->phase_ends[i - 1] < ret->phase_ends[i];
	ret->n_phases = rises ? (unsigned)n : 1;
	if (!rises)
		ret->phase_ends[0] = ret->n;
}

void rollout_text_window(const struct rollout_plan *plan, char ret[ROLLOUT_TEXT_SIZE])
{
	uint32_t numbers[3 * ROLLOUT_WINDOW_MAX];

	for (size_t i = 0; i < plan->n_window; i++) {
		numbers[3 * i] = plan->window[i].days;
		numbers[3 * i + 1] = plan->window[i].from_m;
		numbers[3 * i + 2] = plan->window[i].to_m;
	}
	rollout_text_numbers(numbers, 3 * plan->n_window, ret);
}

void rollout_text_read_window(const char *text, struct rollout_plan *ret)
{
	uint32_t numbers[3 * ROLLOUT_WINDOW_MAX];
	size_t n = rollout_text_read_numbers(text, numbers, N_ELEMENTS(numbers));

	ret->n_window = n / 3;
	for (size_t i = 0; i < ret->n_window; i++)
		ret->window[i] = (struct hours){.days = (uint8_t)numbers[3 * i],
						.from_m = (uint16_t)numbers[3 * i + 1],
						.to_m = (uint16_t)numbers[3 * i + 2]};
}

char rollout_text_letter(uint8_t member)
{
	uint8_t held = rollout_member_pack(ROLLOUT_WAITING, true);

	return (char)((member & held ? 'A' : 'a') + (member & ~held));
}

bool rollout_text_member(char letter, uint8_t *ret)
{
	bool is_held = letter >= 'A' && letter <= 'Z';
	int state = letter - (is_held ? 'A' : 'a');

	if (state < 0 || state >= N_ROLLOUT_MEMBER_STATES)
		return false;
	*ret = rollout_member_pack((enum rollout_member_state)state, is_held);
	return true;
}
