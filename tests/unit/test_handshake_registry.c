/* What a handshake asks the registry, and what it writes: on both databases. */
#include "registry_world.h"

#include "base/macros.h"
#include "conductor/enrolment/handshake_registry.h"
#include "conductor/registry/registry_clock.h"
#include "conductor/registry/registry_nodes.h"
#include "conductor/registry/registry_routers.h"

static struct message_hello hello_of(const char *router, const char *asset_id, const char *jti)
{
	struct message_hello hello = {0};

	(void)snprintf(hello.router, sizeof(hello.router), "%s", router);
	(void)snprintf(hello.asset_id, sizeof(hello.asset_id), "%s", asset_id);
	(void)snprintf(hello.jti, sizeof(hello.jti), "%s", jti);
	return hello;
}

static void look_up(struct registry *r, const char *router, const char *jti,
		    struct handshake_record *ret)
{
	struct message_hello hello = hello_of(router, "A0", jti);
	struct err err;

	assert_ok(handshake_registry_look_up(r, &hello, span_of_string(WORLD_CERTIFICATE),
					     WORLD_NOW_S, ret, &err),
		  &err);
}

static void test_record(struct registry_world *w)
{
	struct handshake_record record;
	struct err err;

	look_up(w->r, "r0", WORLD_JTI, &record);
	assert_false(record.known);
	world_configure(w->r, ONBOARDING_STRONG);
	assert_ok(registry_node_set_endorsement_key(w->r, "r0", "n0", world_endorsement_key(0),
						    &world_origin, &err),
		  &err);
	look_up(w->r, "r0", WORLD_JTI, &record);
	assert_true(record.known);
	assert_string_equal(record.router, "r0");
	assert_string_equal(record.node, "n0");
	assert_int_equal(record.mode, ONBOARDING_STRONG);
	assert_memory_equal(record.secret, WORLD_SECRET, sizeof(record.secret));
	assert_int_equal(record.n_asset_ids, 1);
	assert_string_equal(record.asset_ids[0], "A0");
	assert_int_equal(record.ek.size, world_endorsement_key(0).size);
	assert_memory_equal(record.ek.bytes, world_endorsement_key(0).bytes, record.ek.size);
	assert_int_equal(record.pin.kind, REGISTRY_PIN_NONE);
	assert_false(record.revoked);
	assert_false(record.clock_set_back);
	assert_string_equal(record.changed, "");
	handshake_record_release(&record);
	look_up(w->r, "r1", WORLD_JTI, &record); /* another's: whose, and nothing else */
	assert_true(record.known);
	assert_string_equal(record.router, "r0");
	assert_int_equal(record.n_asset_ids, 0);
	look_up(w->r, "r0", "ffffffffffffffffffffffffffffffff", &record);
	assert_true(record.revoked);
	assert_ok(registry_clock_check(w->r, WORLD_NOW_S + 301, &err), &err);
	look_up(w->r, "r0", WORLD_JTI, &record);
	assert_true(record.clock_set_back);
}

static void test_commit(struct registry_world *w)
{
	struct handshake_conductor h = {.hello = hello_of("r0", "A0", WORLD_JTI)};
	struct handshake_enrolment *enrolment = &h.enrolment;
	struct registry_enrolment *rows;
	struct registry_decision decision;
	struct handshake_record record;
	struct registry_proof proof;
	struct err err;
	size_t n;

	world_configure(w->r, ONBOARDING_WEAK);
	look_up(w->r, "r0", WORLD_JTI, &h.record);
	enrolment->pin.kind = REGISTRY_PIN_CERTIFICATE;
	memset(enrolment->pin.digest, 0x77, sizeof(enrolment->pin.digest));
	memcpy(enrolment->ssh_key, world_ssh_key(0).bytes, sizeof(enrolment->ssh_key));
	enrolment->has_pcrs = true;
	memset(enrolment->pcrs, 0x11, sizeof(enrolment->pcrs));
	proof = handshake_registry_proof(&h);
	assert_ok(registry_enrol(w->r, &proof, &world_origin, &decision, &err), &err);
	assert_int_equal(decision.verdict, REGISTRY_VERDICT_NEW);
	look_up(w->r, "r0", WORLD_JTI, &record);
	assert_int_equal(record.pin.kind, REGISTRY_PIN_CERTIFICATE);
	assert_memory_equal(record.pin.digest, enrolment->pin.digest, sizeof(record.pin.digest));
	assert_ok(registry_enrolments_list(w->r, NULL, &rows, &n, &err), &err);
	assert_int_equal(n, 1);
	assert_memory_equal(rows[0].ssh_key, enrolment->ssh_key, sizeof(rows[0].ssh_key));
	assert_memory_equal(rows[0].pcrs, enrolment->pcrs, sizeof(rows[0].pcrs));
	free(rows);
	enrolment->pin.digest[0] ^= 1;
	proof = handshake_registry_proof(&h);
	assert_ok(registry_enrol(w->r, &proof, &world_origin, &decision, &err), &err);
	assert_int_equal(decision.verdict, REGISTRY_VERDICT_OTHER_DEVICE);
}

int main(void)
{
	static const struct registry_test tests[] = {
		REGISTRY_TEST(test_record),
		REGISTRY_TEST(test_commit),
	};

	return registry_world_main(tests, N_ELEMENTS(tests));
}
