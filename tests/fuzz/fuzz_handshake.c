/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A router's and a conductor's state machine with real TLS between them, in memory; the input says
 * who they are, what the registry holds, and what somebody between them does to a message.
 *
 *	byte 0     mode and identity; 8: the router shows the other device's certificate; 16: it has
 *	           ML-KEM; 32: the conductor has it
 *	byte 1     what the registry holds, and says at the commit: see set_registry()
 *	byte 2     which effect of the router's fails; 8: who answers has not the conductor's key
 *	each       a message's number (1 to 8), what is done to it, two bytes for where, one for
 *what
 *
 * However it goes: what was tampered with enrols nobody, and only who has proved to hold the key of
 * the token's certificate makes a router give up its token.
 */
#include "fuzz.h"

#include <errno.h>
#include <openssl/pem.h>

#include "base/macros.h"
#include "handshake_world.h"
#include "kem_toy.h"
#include "onboarding/conductor_certificate.h"
#include "onboarding/key_signer.h"
#include "onboarding/tls_channel.h"

#define STEP_SIZE  5
#define STEPS_MAX  8
#define ROUNDS_MAX 20

static const struct {
	enum onboarding_mode mode;
	enum message_identity identity;
} kinds[] = {
	{ONBOARDING_PSK_ONLY, IDENTITY_NONE},
	{ONBOARDING_WEAK, IDENTITY_CERTIFICATE},
	{ONBOARDING_STRONG, IDENTITY_CERTIFICATE},
	{ONBOARDING_STRONG, IDENTITY_EK},
};

static const char *const effects[] = {NULL, "verify", "present", "activate", "quote", "store"};

enum party {
	PARTY_CONDUCTOR,
	PARTY_IMPOSTOR, /* another certificate by the conductor's CA */
	PARTY_ANONYMOUS,
	PARTY_SELF_SIGNED,
	PARTY_DEVICE,
	PARTY_OTHER_DEVICE,
	N_PARTIES,
};

static struct world_keys *keys;
static EVP_PKEY *impostor_key;
static struct span impostor;
static struct tls_signer signers[N_PARTIES];
static struct tls_context *contexts[N_PARTIES];

/* The two ends, and what is done between them. */
struct wire {
	struct tls_channel *conductor;
	struct tls_channel *router;
	const uint8_t *steps;
	size_t n_steps;
	unsigned first_changed; /* message; 0 = none */
};

static struct wire wire;

static void make_party(enum party party, struct span certificate, EVP_PKEY *key, bool is_server)
{
	BIO *bio = BIO_new(BIO_s_mem());
	const uint8_t *at = certificate.bytes;
	X509 *x509 = d2i_X509(NULL, &at, (long)certificate.size);
	struct tls_identity identity = {.signer = &signers[party]};
	uint8_t *public_key = NULL;
	char *pem;

	HOLDS(x509 && PEM_write_bio_X509(bio, x509) == 1);
	signers[party] = key_signer(key);
	HOLDS(key_signer_public(key, &public_key, &identity.public_key.size) == 0);
	identity.public_key.bytes = public_key;
	identity.chain.size = (size_t)BIO_get_mem_data(bio, &pem);
	identity.chain.bytes = (const uint8_t *)pem;
	HOLDS((is_server ? tls_context_new_server(&contexts[party], &identity, NULL)
			 : tls_context_new_client(&contexts[party], &identity, NULL)) == 0);
	OPENSSL_free(public_key);
	X509_free(x509);
	BIO_free(bio);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const struct pki_subject other = {.common_name = "other",
						 .extended_usage = "serverAuth"};
	void *state = NULL;
	X509 *made;

	(void)argc;
	(void)argv;
	HOLDS(world_keys_make(&state) == 0);
	keys = state;
	impostor_key = pki_key(2048);
	made = pki_certificate(&other, impostor_key, keys->pki->ca, keys->pki->ca_key);
	impostor = pki_der(made);
	X509_free(made);
	make_party(PARTY_CONDUCTOR, keys->pki->der, keys->pki->key, true);
	make_party(PARTY_IMPOSTOR, impostor, impostor_key, true);
	make_party(PARTY_SELF_SIGNED, keys->self_signed, keys->device_key, false);
	make_party(PARTY_DEVICE, keys->device, keys->device_key, false);
	make_party(PARTY_OTHER_DEVICE, keys->other_device, keys->device_key, false);
	HOLDS(tls_context_new_client(&contexts[PARTY_ANONYMOUS], NULL, NULL) == 0);
	return 0;
}

static void carry(struct tls_channel *from, struct tls_channel *to)
{
	struct span pending = tls_channel_pending(from);

	HOLDS(tls_channel_receive(to, pending) == 0);
	tls_channel_sent(from, pending.size);
}

static void establish(void)
{
	int router = -EAGAIN;
	int conductor = -EAGAIN;

	for (unsigned i = 0; i < ROUNDS_MAX && (router < 0 || conductor < 0); i++) {
		if (router < 0)
			router = tls_channel_advance(wire.router, NULL);
		carry(wire.router, wire.conductor);
		if (conductor < 0)
			conductor = tls_channel_advance(wire.conductor, NULL);
		carry(wire.conductor, wire.router);
	}
	HOLDS(router == 0 && conductor == 0);
}

/* Over the wire it goes as TLS records; whatever comes out takes its place. Byte after byte, or as
 * one: the state machines do not see which. */
static void send_frame(struct tls_channel *from, struct tls_channel *to, struct frame *frame,
		       bool flips)
{
	struct span pending;
	uint8_t *copy;
	size_t n = 0;

	HOLDS(tls_channel_write(from, span_of(frame->bytes, frame->size), NULL) == 0);
	pending = tls_channel_pending(from);
	copy = malloc(pending.size);
	HOLDS(copy);
	memcpy(copy, pending.bytes, pending.size);
	if (flips)
		copy[pending.size / 2] ^= 1;
	HOLDS(tls_channel_receive(to, span_of(copy, pending.size)) == 0);
	tls_channel_sent(from, pending.size);
	free(copy);
	frame->bytes = realloc(frame->bytes, frame->size + 1);
	HOLDS(frame->bytes);
	while (n < frame->size) {
		size_t got = 0;

		if (tls_channel_read(to, frame->bytes + n, frame->size - n, &got, NULL) < 0)
			break;
		n += got;
	}
	HOLDS(flips ? n == 0 : n == frame->size);
	frame->size = n;
}

/* Another message of ours in its place: of this one, or of the other direction. */
static void replay(const struct world *w, unsigned number, struct frame *frame)
{
	const struct frame *earlier = &w->sent[1 + number % w->n_sent];

	frame->bytes = realloc(frame->bytes, earlier->size + 1);
	HOLDS(frame->bytes);
	memcpy(frame->bytes, earlier->bytes, earlier->size);
	frame->size = earlier->size;
}

/* Returns whether it is the wire that is tampered with. */
static bool change(const struct world *w, const uint8_t *step, struct frame *frame)
{
	static const char *const errors[] = {"{\"type\":\"error\",\"reason\":\"refused\"}",
					     "{\"type\":\"error\",\"reason\":\"retry-later\"}"};
	size_t at = ((size_t)step[2] << 8 | step[3]) % frame->size;

	switch (step[1] % 6) {
	case 0:
		frame->bytes[at] ^= step[4];
		break;
	case 1:
		frame->size = at;
		break;
	case 2:
		frame->bytes = realloc(frame->bytes, frame->size + 1);
		HOLDS(frame->bytes);
		frame->bytes[frame->size++] = step[4];
		break;
	case 3:
		replay(w, step[4], frame);
		break;
	case 4:
		world_set_frame(frame, errors[step[4] % 2], strlen(errors[step[4] % 2]), NULL);
		break;
	default:
		return true;
	}
	return false;
}

static void tamper(struct world *w, unsigned number, struct frame *frame)
{
	bool to_conductor = number % 2 == 1;
	bool flips = false;

	for (size_t i = 0; i < wire.n_steps && frame->size > 0; i++)
		if (wire.steps[STEP_SIZE * i] % 9 == number)
			flips |= change(w, wire.steps + STEP_SIZE * i, frame);
	if (frame->size > 0)
		send_frame(to_conductor ? wire.router : wire.conductor,
			   to_conductor ? wire.conductor : wire.router, frame, flips);
	if (wire.first_changed == 0 &&
	    (frame->size != w->sent[number].size ||
	     memcmp(frame->bytes, w->sent[number].bytes, frame->size) != 0))
		wire.first_changed = number;
}

/* Returns whether all is as it should be. */
static bool set_registry(struct world *w, uint8_t flags)
{
	if (flags & 1)
		w->candidate.claims.router[0] = '\0';
	w->candidate.token_is_revoked = flags & 2;
	w->clock_set_back = flags & 4;
	w->candidate.claims.secret[0] ^= flags & 8 ? 1 : 0;
	if (flags & 16)
		w->candidate.pin = (struct registry_pin){.kind = REGISTRY_PIN_CERTIFICATE};
	w->now_s += flags & 32 ? 90000 : 0;
	w->ends_in_commit = flags & 64;
	w->denied = flags & 128 ? "changed meanwhile" : NULL;
	return flags == 0;
}

static enum party router_party(const struct world *w, uint8_t kind)
{
	if (kind & 8)
		return PARTY_OTHER_DEVICE;
	if (w->client_chain[0].size == 0)
		return PARTY_ANONYMOUS;
	return w->candidate.claims.mode == ONBOARDING_WEAK ? PARTY_SELF_SIGNED : PARTY_DEVICE;
}

/* What both sides know of the channel, each from its own end. */
static void bind_to_tls(struct world *w, struct span shown[TLS_CHAIN_MAX],
			struct span proved[TLS_CHAIN_MAX], enum party party)
{
	const struct span own[] = {[PARTY_SELF_SIGNED] = keys->self_signed,
				   [PARTY_DEVICE] = keys->device,
				   [PARTY_OTHER_DEVICE] = keys->other_device};

	HOLDS(tls_channel_export(wire.router, w->router_setup.exporter, NULL) == 0);
	HOLDS(tls_channel_export(wire.conductor, w->conductor_setup.exporter, NULL) == 0);
	HOLDS(tls_channel_peer_chain(wire.router, shown) == 1);
	w->router_setup.conductor_certificate = shown[0];
	w->router_setup.client_certificate = own[party];
	w->conductor_setup.client_chain = proved;
	w->conductor_setup.n_client_chain = tls_channel_peer_chain(wire.conductor, proved);
	if (conductor_certificate_check(keys->pki->ca_der, shown, 1, NULL) < 0)
		w->failed = "verify";
}

static void check(const struct world *w, bool is_impostor, bool is_good)
{
	bool enrols = w->router_end == ROUTER_ENROL;
	bool enrolled = w->conductor_end == CONDUCTOR_ENROLLED;

	HOLDS(w->n_enrolled <= 1);
	HOLDS(!enrols || (enrolled && wire.first_changed == 0));
	HOLDS(!enrolled || w->n_enrolled == 1);
	/* Of what becomes of "done" the conductor hears no more. */
	HOLDS(!enrolled || wire.first_changed == 0 || wire.first_changed == w->n_sent);
	if (is_impostor)
		HOLDS(w->router_end == ROUTER_RETRY && w->n_sent == 0);
	if (is_good && wire.first_changed == 0)
		HOLDS(enrols && enrolled);
	if (w->n_enrolled == 1 && w->enrolment.pin.kind == REGISTRY_PIN_CERTIFICATE)
		HOLDS(w->conductor_setup.n_client_chain == 1);
}

static void offer_kem(struct world *w, uint8_t flags)
{
	kem_toy_set(KEM_THERE);
	w->router_setup.has_kem = flags & 16;
	HOLDS(kem_generate(w->router_setup.kem_seed, w->router_setup.kem_key, NULL) == 0);
	kem_toy_set(flags & 32 ? KEM_THERE : KEM_MISSING);
}

static void shake_hands(struct world *w, const uint8_t *bytes)
{
	bool is_impostor = bytes[2] & 8;
	enum party party = router_party(w, bytes[0]);
	struct span shown[TLS_CHAIN_MAX];
	struct span proved[TLS_CHAIN_MAX];
	bool is_good = set_registry(w, bytes[1]);

	w->failed = effects[bytes[2] % N_ELEMENTS(effects)];
	HOLDS(tls_channel_open(&wire.conductor,
			       contexts[is_impostor ? PARTY_IMPOSTOR : PARTY_CONDUCTOR],
			       NULL) == 0);
	HOLDS(tls_channel_open(&wire.router, contexts[party], NULL) == 0);
	establish();
	w->router_setup.version = tls_channel_version(wire.router);
	w->conductor_setup.version = tls_channel_version(wire.conductor);
	w->router_setup.group = tls_channel_group(wire.router);
	w->conductor_setup.group = tls_channel_group(wire.conductor);
	offer_kem(w, bytes[0]);
	is_good = is_good && !w->failed && !is_impostor && !(bytes[0] & 8);
	bind_to_tls(w, shown, proved, party);
	w->tamper = tamper;
	world_run(w);
	check(w, is_impostor, is_good);
	tls_channel_free(wire.conductor);
	tls_channel_free(wire.router);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct world *w;
	unsigned kind;

	if (size < 3)
		return 0;
	w = calloc(1, sizeof(*w));
	HOLDS(w);
	kind = bytes[0] % N_ELEMENTS(kinds);
	wire = (struct wire){
		.steps = bytes + 3,
		.n_steps = MIN((size - 3) / STEP_SIZE, STEPS_MAX),
	};
	world_init(w, keys, kinds[kind].mode, kinds[kind].identity);
	shake_hands(w, bytes);
	world_release(w);
	free(w);
	return 0;
}
