/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "seal_shapes.h"

const struct seal_shape seal_shapes[SEAL_N_SHAPES] = {
	{false, 0, {SEAL_PLAIN_PATH}},
	{true, 0, {SEAL_PLAIN_PATH}},
	{false, 1u << 7, {SEAL_PLAIN_PATH}},
	{true, 1u << 23 | 1u << 8 | 1, {SEAL_PLAIN_PATH, "/var/lib/steward/secrets"}},
	{false, 0, {SEAL_ODD_PATH, "/b", "/a"}},
	{true, 0xffffff, {"/var/lib/steward/secrets", SEAL_ODD_PATH, SEAL_PLAIN_PATH}},
};
static void fill(uint8_t *bytes, size_t size, uint8_t first)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(first + 7 * i);
}

static void set_name(TPM2B_NAME *name, uint8_t first)
{
	name->size = 34;
	fill(name->name, name->size, first);
}

void seal_make(struct seal_record *r, const struct seal_shape *shape)
{
	memset(r, 0, sizeof(*r));
	fill(r->wrapped_fek, sizeof(r->wrapped_fek), 3);
	r->key_handle = 0x81010128;
	set_name(&r->key_name, 10);
	if (shape->previous)
		set_name(&r->previous_key_name, 20);
	set_name(&r->ek_name, 30);
	r->srk_size = 317;
	fill(r->srk, r->srk_size, 40);
	r->policy.bank = TPM2_ALG_SHA256;
	r->policy.mask = shape->pcrs;
	for (unsigned i = 0; i < TPM_PCR_COUNT; i++) {
		if (!(shape->pcrs & (1u << i)))
			continue;
		r->policy.values.values[i].size = 32;
		fill(r->policy.values.values[i].buffer, 32, (uint8_t)(50 + i));
	}
	for (; r->n_directories < 3 && shape->paths[r->n_directories]; r->n_directories++) {
		struct seal_directory *directory = &r->directories[r->n_directories];

		directory->path = strdup(shape->paths[r->n_directories]);
		fill(directory->identifier, FSCRYPT_IDENTIFIER_SIZE,
		     (uint8_t)(100 + r->n_directories));
	}
}

char *seal_make_text(const struct seal_shape *shape)
{
	struct seal_record r;
	char *text;

	seal_make(&r, shape);
	text = seal_record_print(&r);
	assert_non_null(text);
	seal_record_release(&r);
	return text;
}

void seal_assert_same(const struct seal_record *a, const struct seal_record *b)
{
	struct seal_record left = *a;
	struct seal_record right = *b;

	for (size_t i = 0; i < a->n_directories; i++) {
		assert_string_equal(a->directories[i].path, b->directories[i].path);
		left.directories[i].path = NULL;
		right.directories[i].path = NULL;
	}
	assert_memory_equal(&left, &right, sizeof(left));
}
