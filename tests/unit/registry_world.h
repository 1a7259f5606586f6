/* SPDX-License-Identifier: GPL-3.0-or-later */
/* registry_world.h - an empty registry for each test, and each test for both databases.
 */
#pragma once

#include "postgres.h"
#include "registry_calls.h"
#include "support.h"

#include "conductor/registry/registry_driver.h"
#include "conductor/registry/registry_enrolment.h"
#include "conductor/registry/registry_lookup.h"
#include "conductor/registry/registry_tokens.h"
#include "conductor/registry/registry_transaction.h"

#define WORLD_SECRET "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUV"
#define WORLD_NOW_S  INT64_C(1800000000)

struct registry_world {
	const struct registry_driver *driver;
	char *folder;
	char uri[256];
	char database[32];
	struct registry *r; /* of conductor "c0"; its tables are made */
};

struct registry_test {
	const char *name;
	void (*run)(struct registry_world *w);
};
#define REGISTRY_TEST(function)                                                                    \
	{                                                                                          \
#function, function                                                                \
	}

/* Run all of them on both: what main() returns. */
int registry_world_main(const struct registry_test *tests, size_t n);

/* The server of this program. */
struct postgres *registry_world_server(void);

/* One more way into the same database; registry_close() by the caller. */
struct registry *registry_world_open(const struct registry_world *w, const char *conductor);

/* No tables are left, and w->r is closed. */
void world_empty(struct registry_world *w);

/* "192.0.2.1" at WORLD_NOW_S; and a given number of seconds later. */
extern const struct registry_origin world_origin;
struct registry_origin world_later(int64_t seconds);

/* A key for each number below 16: the valid form with nothing behind it. */
struct span world_ssh_key(unsigned number);
/* DER of a real RSA key, as an endorsement key must be one; numbers 0 to 2. */
struct span world_endorsement_key(unsigned number);

/* Router "r0" in that mode with WORLD_SECRET, its node "n0" with asset-id "A0", and a token. */
#define WORLD_JTI "000102030405060708090a0b0c0d0e0f"
void world_configure(struct registry *r, enum onboarding_mode mode);
/* The same, of any router. */
void world_configure_router(struct registry *r, const char *router, const char *asset_id,
			    const char *jti, enum onboarding_mode mode);

/* The conductor's certificate, as far as the registry cares. */
#define WORLD_CERTIFICATE "a certificate"
struct registry_token_order world_order(const char *jti, int64_t expires_s);
struct registry_question world_question(const char *router, const char *asset_id, const char *jti);

/* What r0's n0 has shown in that mode, with SSH key and pin of that number. */
struct registry_proof world_proof(enum onboarding_mode mode, unsigned number);

/* Enrol, and be told what of it. */
enum registry_verdict world_enrol(struct registry *r, const struct registry_proof *proof,
				  struct registry_decision *ret);

/* Of a connection that a test makes itself: a minute from now. */
const struct registry_patience *world_patience(void);

size_t world_count_enrolments(struct registry *r);
size_t world_count_audit(struct registry *r, enum registry_outcome outcome);

#define assert_ok(call, err)                                                                       \
	do {                                                                                       \
		(err)->text[0] = '\0';                                                             \
		if ((call) < 0)                                                                    \
			fail_msg("%s: %s", #call, (err)->text);                                    \
	} while (0)
