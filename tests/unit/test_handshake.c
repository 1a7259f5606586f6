/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Router and conductor against each other, in every mode, through encoder and decoder; and those
 * who come between them.
 */
#include "handshake_world.h"
#include "support.h"

#include "base/macros.h"

static const struct {
	enum onboarding_mode mode;
	enum message_identity identity;
	unsigned n_messages;
	enum registry_pin_kind pin;
} modes[] = {
	{ONBOARDING_PSK_ONLY, IDENTITY_NONE, 6, REGISTRY_PIN_SSH_KEY},
	{ONBOARDING_WEAK, IDENTITY_CERTIFICATE, 6, REGISTRY_PIN_CERTIFICATE},
	{ONBOARDING_STRONG, IDENTITY_CERTIFICATE, 6, REGISTRY_PIN_CERTIFICATE},
	{ONBOARDING_STRONG, IDENTITY_EK, 8, REGISTRY_PIN_ENDORSEMENT_KEY},
	{ONBOARDING_STRONG, IDENTITY_EK_CERTIFICATE, 8, REGISTRY_PIN_ENDORSEMENT_KEY},
};

static void init(struct world *w, void **state, unsigned mode)
{
	world_init(w, *state, modes[mode].mode, modes[mode].identity);
}

static void assert_enrolled(const struct world *w)
{
	if (w->conductor_end != CONDUCTOR_ENROLLED)
		fail_msg("conductor: %s", w->conductor_err.text);
	if (w->router_end != ROUTER_ENROL)
		fail_msg("router: %s", w->router_err.text);
	assert_int_equal(w->n_enrolled, 1);
	assert_int_equal(w->n_conductors, 2);
	assert_memory_equal(w->enrolment.ssh_key, w->ssh_key, sizeof(w->ssh_key));
}

static void test_every_mode(void **state)
{
	for (unsigned i = 0; i < N_ELEMENTS(modes); i++) {
		struct world w;

		init(&w, state, i);
		world_run(&w);
		assert_enrolled(&w);
		assert_int_equal(w.n_sent, modes[i].n_messages);
		assert_int_equal(w.enrolment.pin.kind, modes[i].pin);
		assert_int_equal(w.enrolment.has_pcrs, modes[i].n_messages == 8);
		if (w.enrolment.has_pcrs)
			assert_memory_equal(w.enrolment.pcrs, w.tpm.pcrs, sizeof(w.tpm.pcrs));
		world_release(&w);
	}
}

/* Where there are CAs of devices and of TPMs, the router decides by what it shows in TLS. */
static void test_both_kinds_of_ca(void **state)
{
	for (unsigned shows_certificate = 0; shows_certificate < 2; shows_certificate++) {
		struct world w;

		init(&w, state, 2);
		w.conductor_setup.endorsement_ca = &w.keys->device_ca;
		if (!shows_certificate) {
			w.conductor_setup.n_client_chain = 0;
			w.router_setup.client_certificate = span_of(NULL, 0);
		}
		world_run(&w);
		assert_enrolled(&w);
		assert_int_equal(w.enrolment.pin.kind, shows_certificate
							       ? REGISTRY_PIN_CERTIFICATE
							       : REGISTRY_PIN_ENDORSEMENT_KEY);
		assert_int_equal(w.enrolment.certified_ek.size > 0, !shows_certificate);
		world_release(&w);
	}
}

/* Where the mode asks for none, a certificate is bound into the transcript and else ignored. */
static void test_certificate_nobody_asked_for(void **state)
{
	static const unsigned rows[] = {0, 3};

	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct world w;

		init(&w, state, rows[i]);
		w.client_chain[0] = w.keys->self_signed;
		w.router_setup.client_certificate = w.client_chain[0];
		w.conductor_setup.n_client_chain = 1;
		world_run(&w);
		assert_enrolled(&w);
		world_release(&w);
		init(&w, state, rows[i]);
		w.router_setup.client_certificate = w.keys->self_signed; /* but not seen there */
		world_run(&w);
		assert_contains(w.conductor_err.text, "wrong MAC r1");
		world_release(&w);
	}
}

/* The last message was lost: the same node with the same keys, enrolled already, once more. */
static void test_again(void **state)
{
	for (unsigned i = 0; i < N_ELEMENTS(modes); i++) {
		struct world w;
		struct world again;

		init(&w, state, i);
		world_run(&w);
		assert_enrolled(&w);
		init(&again, state, i);
		again.candidate.pin = w.enrolment.pin;
		world_run(&again);
		assert_enrolled(&again);
		assert_memory_equal(&again.enrolment.pin, &w.enrolment.pin,
				    sizeof(w.enrolment.pin));
		world_release(&again);
		world_release(&w);
	}
}

/* A relay that ends TLS on both sides has two channels, and passes on what it cannot change. */
static void test_relay(void **state)
{
	for (unsigned i = 0; i < N_ELEMENTS(modes); i++) {
		struct world w;

		init(&w, state, i);
		w.conductor_setup.exporter[31] ^= 1;
		world_run(&w);
		assert_int_equal(w.conductor_end, CONDUCTOR_REFUSED);
		assert_contains(w.conductor_err.text, "wrong MAC r1");
		assert_int_equal(w.router_end, ROUTER_REFUSE);
		assert_contains(w.router_err.text, "the conductor refused while the router was");
		assert_int_equal(w.n_enrolled, 0);
		world_release(&w);
	}
}

static struct frame recorded[9];

static void play_recorded(struct world *w, unsigned number, struct frame *frame)
{
	(void)w;
	if (number % 2 == 1 && recorded[number].bytes)
		world_set_frame(frame, recorded[number].bytes + 4, recorded[number].size - 4, NULL);
	if (number % 2 == 1 && recorded[number].bytes)
		memcpy(frame->bytes, recorded[number].bytes, 4); /* the length is of the JSON */
}

/* All that a router said once, played to the conductor on a new channel. */
static void test_replay(void **state)
{
	for (unsigned i = 0; i < N_ELEMENTS(modes); i++) {
		struct world w;
		struct world later;

		init(&w, state, i);
		world_run(&w);
		assert_enrolled(&w);
		memcpy(recorded, w.sent, sizeof(recorded));
		init(&later, state, i);
		later.router_setup.exporter[0]++;
		later.conductor_setup.exporter[0]++;
		later.tamper = play_recorded;
		world_run(&later);
		assert_int_equal(later.conductor_end, CONDUCTOR_REFUSED);
		assert_contains(later.conductor_err.text, "wrong MAC r1");
		assert_int_equal(later.n_sent, 4); /* the token alone is nothing new */
		assert_int_equal(later.n_enrolled, 0);
		world_release(&later);
		world_release(&w);
	}
	memset(recorded, 0, sizeof(recorded));
}

static void flip(struct world *w, unsigned number, struct frame *frame)
{
	if (number == w->tamper_at / 100000)
		frame->bytes[w->tamper_at % 100000] ^= 1;
}

/* A bit changed all over every message: nobody is enrolled with anything else than was said. */
static void test_changed_on_the_way(void **state)
{
	struct world whole;

	init(&whole, state, 3);
	world_run(&whole);
	assert_enrolled(&whole);
	for (unsigned number = 1; number <= 8; number++)
		for (size_t at = 0; at < whole.sent[number].size; at += 1 + at / 40) {
			struct world w;

			init(&w, state, 3);
			w.tamper = flip;
			w.tamper_at = number * 100000 + (unsigned)at;
			world_run(&w);
			if (w.router_end == ROUTER_ENROL)
				fail_msg("byte %zu of message %u makes no difference", at, number);
			/* What the router said last was whole: it only has not heard of it. */
			assert_int_equal(w.n_enrolled, number == 8);
			world_release(&w);
		}
	world_release(&whole);
}

static void cut(struct world *w, unsigned number, struct frame *frame)
{
	if (number == w->tamper_at / 100000)
		frame->size = w->tamper_at % 100000;
}

/* A message that does not come whole is waited for, and nothing is done meanwhile. */
static void test_cut(void **state)
{
	struct world whole;

	init(&whole, state, 3);
	world_run(&whole);
	for (unsigned number = 1; number <= 8; number++) {
		const size_t size = whole.sent[number].size;
		const size_t cuts[] = {0, 1, 3, 4, 5, size / 2, size - 33, size - 32, size - 1};

		for (unsigned i = 0; i < N_ELEMENTS(cuts); i++) {
			struct world w;

			init(&w, state, 3);
			w.tamper = cut;
			w.tamper_at = number * 100000 + (unsigned)cuts[i];
			world_run(&w);
			assert_int_equal(w.n_sent, number);
			if (number % 2 == 1)
				assert_int_equal(w.conductor_end, CONDUCTOR_WAIT);
			else
				assert_int_equal(w.router_end, ROUTER_WAIT);
			assert_int_equal(w.n_enrolled, number == 8);
			world_release(&w);
		}
	}
	world_release(&whole);
}

static void reflect(struct world *w, unsigned number, struct frame *frame)
{
	const struct frame *from = &w->sent[w->tamper_at % 10];

	if (number == w->tamper_at / 10)
		memcpy(frame->bytes + frame->size - 32, from->bytes + from->size - 32, 32);
}

/* The MAC of one message on another: the peer's own sent back, an earlier one again. */
static void test_macs_of_other_messages(void **state)
{
	static const struct {
		unsigned number;
		unsigned from;
		const char *reason;
	} rows[] = {
		{5, 3, "wrong MAC t1"}, {6, 3, "wrong MAC c1"}, {6, 5, "wrong MAC c1"},
		{7, 6, "wrong MAC r2"}, {7, 3, "wrong MAC r2"}, {8, 7, "wrong MAC c2"},
		{8, 6, "wrong MAC c2"},
	};

	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct world w;

		init(&w, state, 3);
		w.tamper = reflect;
		w.tamper_at = rows[i].number * 10 + rows[i].from;
		world_run(&w);
		assert_contains(rows[i].number % 2 ? w.conductor_err.text : w.router_err.text,
				rows[i].reason);
		assert_int_equal(w.n_enrolled, rows[i].number == 8);
		world_release(&w);
	}
}

static void swap(struct world *w, unsigned number, struct frame *frame)
{
	const struct frame *from = &recorded[w->tamper_at % 10];

	if (number != w->tamper_at / 10)
		return;
	world_set_frame(frame, from->bytes + 4, from->size - 4, NULL);
	memcpy(frame->bytes, from->bytes, 4);
}

/* Each message in the place of each other. */
static void test_out_of_order(void **state)
{
	struct world whole;

	init(&whole, state, 3);
	world_run(&whole);
	memcpy(recorded, whole.sent, sizeof(recorded));
	for (unsigned number = 1; number <= 8; number++)
		for (unsigned from = 1; from <= 8; from++) {
			struct world w;
			const struct err *err;

			if (from == number)
				continue;
			init(&w, state, 3);
			w.tamper = swap;
			w.tamper_at = number * 10 + from;
			world_run(&w);
			err = number % 2 ? &w.conductor_err : &w.router_err;
			assert_contains(err->text, "out of turn, expected ");
			assert_int_equal(w.n_enrolled, number == 8);
			world_release(&w);
		}
	memset(recorded, 0, sizeof(recorded));
	world_release(&whole);
}

static void enlarge(struct world *w, unsigned number, struct frame *frame)
{
	uint8_t *doubled;

	if (number != w->tamper_at / 10)
		return;
	if (w->tamper_at % 10 == 0) { /* oversized */
		memcpy(frame->bytes, "\x00\x00\x40\x01", 4);
		return;
	}
	doubled = malloc(2 * frame->size);
	assert_non_null(doubled);
	memcpy(doubled, frame->bytes, frame->size);
	memcpy(doubled + frame->size, frame->bytes, frame->size);
	free(frame->bytes);
	frame->bytes = doubled;
	frame->size *= 2;
}

static void test_oversized_and_doubled(void **state)
{
	for (unsigned number = 1; number <= 8; number++)
		for (unsigned doubled = 0; doubled < 2; doubled++) {
			struct world w;
			const struct err *err;

			init(&w, state, 3);
			w.tamper = enlarge;
			w.tamper_at = number * 10 + doubled;
			world_run(&w);
			err = number % 2 ? &w.conductor_err : &w.router_err;
			assert_contains(err->text, doubled ? "bytes after the message"
							   : "message of 16385 bytes, expected");
			assert_int_equal(w.n_enrolled, number == 8);
			world_release(&w);
		}
}

/* Memory that runs out, on either side and at any point, is nobody's fault: it is tried again. */
static void test_memory_runs_out(void **state)
{
	struct world whole;
	unsigned n_faults = 0;

	init(&whole, state, 3);
	world_run(&whole);
	for (unsigned step = 1; step <= whole.n_steps; step++)
		for (unsigned n = 1;; n++) {
			struct world w;
			bool failed;

			init(&w, state, 3);
			w.fault_step = step;
			w.fault_n = n;
			world_run(&w);
			failed = w.fault_had_effect;
			if (!failed)
				assert_enrolled(&w);
			else
				assert_int_not_equal(w.router_end, ROUTER_ENROL);
			/* But cJSON says the same where memory runs out and where it is no JSON. */
			if (w.router_end == ROUTER_REFUSE || w.conductor_end == CONDUCTOR_REFUSED)
				assert_contains(w.conductor_err.text, "message: not JSON: error");
			world_release(&w);
			n_faults += failed;
			if (!failed)
				break;
		}
	assert_true(n_faults > 100);
	world_release(&whole);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_mode),
		cmocka_unit_test(test_both_kinds_of_ca),
		cmocka_unit_test(test_certificate_nobody_asked_for),
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_relay),
		cmocka_unit_test(test_replay),
		cmocka_unit_test(test_changed_on_the_way),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_macs_of_other_messages),
		cmocka_unit_test(test_out_of_order),
		cmocka_unit_test(test_oversized_and_doubled),
		cmocka_unit_test(test_memory_runs_out),
	};

	return cmocka_run_group_tests(tests, world_keys_make, world_keys_end);
}
