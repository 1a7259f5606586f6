/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A list of keys that a node tells, and a sealed value as a stolen or changed registry may have it:
 * the first byte says which. Nothing that was not sealed to these keys opens. */
#include "fuzz.h"

#include "onboarding/sealed_value.h"

/* Private keys of which no value is in the corpus: but its ids may be. */
static const uint8_t private_list[] = {1,  0,  32, 1,  2,  3,  4,  5,  6,  7,  8,  9,
				       10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
				       22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32};

static void try_list(struct span list)
{
	uint8_t printed[SEALING_LIST_MAX];
	struct sealing_keys keys = {0};
	struct sealing_keys again = {0};
	struct err err = {0};
	size_t size;

	if (sealing_keys_parse(&keys, list, SEALING_PUBLIC, &err) < 0) {
		HOLDS(err.code < 0 && err.text[0] && keys.n == 0);
		return;
	}
	HOLDS(keys.n >= 1 && keys.n <= SEALING_KEYS_MAX);
	size = sealing_keys_print(&keys, SEALING_PUBLIC, printed);
	HOLDS(size <= list.size);
	HOLDS(sealing_keys_parse(&again, span_of(printed, size), SEALING_PUBLIC, &err) == 0);
	HOLDS(again.n == keys.n && memcmp(again.keys[0].id, keys.keys[0].id, SEALING_ID_SIZE) == 0);
}

static void try_sealed(struct span sealed)
{
	static const struct sealed_place place = {.router = "r", .path = "p", .version = 1};
	struct sealing_keys keys;
	struct err err = {0};
	char *value = NULL;
	size_t size = 4711;

	HOLDS(sealing_keys_parse(&keys, span_of(private_list, sizeof(private_list)),
				 SEALING_PRIVATE, &err) == 0);
	HOLDS(sealed_value_open(&keys, &place, sealed, &value, &size, &err) < 0);
	HOLDS(err.text[0] && !value && size == 4711);
	(void)sealed_value_is_for(sealed, &keys);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	if (size == 0)
		return 0;
	if (bytes[0] & 1)
		try_list(span_of(bytes + 1, size - 1));
	else
		try_sealed(span_of(bytes + 1, size - 1));
	return 0;
}
