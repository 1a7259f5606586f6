/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/rollout/rollout_draw.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"

/* FNV-1a, mixed at the end: names differ in their last letters. */
static uint64_t digest(uint64_t state, const char *text)
{
	for (; *text; text++)
		state = (state ^ (uint8_t)*text) * UINT64_C(1099511628211);
	state ^= state >> 33;
	state *= UINT64_C(0xff51afd7ed558ccd);
	return state ^ state >> 33;
}

static int by_lot(const void *a, const void *b)
{
	const struct rollout_candidate *left = a;
	const struct rollout_candidate *right = b;

	if (left->lot != right->lot)
		return left->lot < right->lot ? -1 : 1;
	return strcmp(left->name, right->name);
}

static int by_value(const void *a, const void *b)
{
	const struct rollout_candidate *left = a;
	const struct rollout_candidate *right = b;
	int order = strcmp(left->value, right->value);

	return order ? order : by_lot(a, b);
}

static int by_place(const void *a, const void *b)
{
	const struct rollout_candidate *left = a;
	const struct rollout_candidate *right = b;

	if (left->place < right->place || left->place > right->place)
		return left->place < right->place ? -1 : 1;
	return by_lot(a, b);
}

void rollout_draw(struct rollout_candidate *candidates, size_t n, const char *rollout)
{
	const uint64_t state = digest(UINT64_C(14695981039346656037), rollout);

	for (size_t i = 0; i < n; i++)
		candidates[i].lot = digest(state, candidates[i].name);
	qsort(candidates, n, sizeof(*candidates), by_value);
	for (size_t first = 0, end; first < n; first = end) {
		for (end = first + 1; end < n; end++)
			if (strcmp(candidates[end].value, candidates[first].value) != 0)
				break;
		for (size_t i = first; i < end; i++)
			candidates[i].place = ((double)(i - first) + 0.5) / (double)(end - first);
	}
	qsort(candidates, n, sizeof(*candidates), by_place);
}

static int read_phase(const char *text, uint32_t n, uint32_t *ret, struct err *err)
{
	char *end;
	unsigned long number;

	errno = 0;
	number = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || errno || number < 1 || number > UINT32_MAX ||
	    (*end && strcmp(end, "%") != 0) || (*end && number > 100))
		return err_set(err, -EINVAL,
			       "phases: expected a number of routers, or 1%% to 100%%, found '%s'",
			       text);
	if (*end)
		number = (unsigned long)(((uint64_t)n * number + 99) / 100);
	*ret = (uint32_t)MIN(number, (unsigned long)n);
	return 0;
}

int rollout_phases(struct rollout_plan *plan, const char *const *texts, size_t n_texts,
		   struct err *err)
{
	uint32_t before = 0;
	unsigned n = 0;

	if (n_texts > ROLLOUT_PHASES_MAX - 1)
		return err_set(err, -EINVAL, "phases: at most %d of them", ROLLOUT_PHASES_MAX - 1);
	for (size_t i = 0; i < n_texts; i++) {
		uint32_t phase_end = 0;
		int rc = read_phase(texts[i], plan->n, &phase_end, err);

		if (rc < 0)
			return rc;
		if (phase_end > before)
			plan->phase_ends[n++] = before = phase_end;
	}
	if (before < plan->n)
		plan->phase_ends[n++] = plan->n;
	plan->n_phases = n;
	return 0;
}
