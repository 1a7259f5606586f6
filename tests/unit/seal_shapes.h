/* SPDX-License-Identifier: GPL-3.0-or-later */
/* seal_shapes.h - seal records of each shape there is, filled with what is no secret.
 */
#pragma once

#include "support.h"

#include "integrity/seal_record.h"

#define SEAL_PLAIN_PATH "/etc/steward/secrets"
#define SEAL_ODD_PATH                                                                              \
	"/srv/\"quoted\" \\ sm\xc3\xb8rrebr\xc3\xb8"                                               \
	"d \xe2\x82\xac"

/* What a record may have or not. */
struct seal_shape {
	bool previous;
	unsigned pcrs;
	const char *paths[3];
};

#define SEAL_N_SHAPES 6
extern const struct seal_shape seal_shapes[SEAL_N_SHAPES];
#define SEAL_SHAPE_FULL (&seal_shapes[3]) /* has all there can be */

void seal_make(struct seal_record *r, const struct seal_shape *shape);
/* The text of it; the caller frees it. */
char *seal_make_text(const struct seal_shape *shape);

void seal_assert_same(const struct seal_record *a, const struct seal_record *b);
