/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sample_message.h"
#include "support.h"

static struct message_bytes fill(uint8_t byte, size_t size)
{
	struct message_bytes made = {.size = size};

	memset(made.bytes, byte, size);
	return made;
}

void sample_ssh_key(uint8_t ret[SSH_KEY_ED25519_SIZE], uint8_t byte)
{
	memcpy(ret, "\0\0\0\x0bssh-ed25519\0\0\0\x20", 19);
	memset(ret + 19, byte, 32);
}

static void fill_hello(struct message_hello *hello)
{
	hello->version = 1;
	(void)strcpy(hello->router, "router1");
	(void)strcpy(hello->asset_id, "A0");
	memset(hello->nonce, 1, sizeof(hello->nonce));
	(void)strcpy(hello->header, "eyJhbGciOiJSUzI1NiIsInR5cCI6InN0ZXdhcmQtc2NvK2p3dCJ9");
	(void)strcpy(hello->jti, "0123456789abcdef0123456789abcdef");
	hello->iat = 1700000000;
	hello->exp = 1700086400;
	(void)strcpy(hello->signature, "c2lnbmF0dXJl");
}

static void fill_accept(struct message_accept *accept)
{
	static const char *const hosts[] = {"192.0.2.1", "conductor-2.example"};

	accept->n_conductors = 2;
	accept->conductors = calloc(2, sizeof(accept->conductors[0]));
	assert_non_null(accept->conductors);
	for (unsigned i = 0; i < 2; i++) {
		struct message_conductor *conductor = &accept->conductors[i];

		(void)strcpy(conductor->host, hosts[i]);
		conductor->port = 930;
		conductor->n_ssh_host_keys = 1;
		sample_ssh_key(conductor->ssh_host_keys[0].bytes, (uint8_t)(10 + i));
		conductor->ssh_host_keys[0].size = SSH_KEY_ED25519_SIZE;
		conductor->listen_port = (uint16_t)(20000 + i);
		conductor->repository_port = 8930;
	}
}

struct message sample_message(enum message_type type)
{
	struct message m = {.type = type};

	switch (type) {
	case MESSAGE_HELLO:
		fill_hello(&m.hello);
		break;
	case MESSAGE_CHALLENGE:
		memset(m.challenge.nonce, 2, sizeof(m.challenge.nonce));
		m.challenge.mode = ONBOARDING_STRONG;
		m.challenge.identity = IDENTITY_EK;
		break;
	case MESSAGE_PROOF:
		m.proof.with_ek = true;
		m.proof.ek = fill(3, 294);
		m.proof.ak = fill(4, MESSAGE_BYTES_MAX);
		break;
	case MESSAGE_CREDENTIAL:
		m.credential.blob = fill(5, 1);
		m.credential.secret = fill(6, 258);
		break;
	case MESSAGE_ATTESTATION:
		m.attestation.quote = fill(7, 145);
		m.attestation.signature = fill(8, 262);
		memset(m.attestation.pcrs, 9, sizeof(m.attestation.pcrs));
		m.attestation.pcrs[7][31] = 0xff;
		break;
	case MESSAGE_ACCEPT:
		fill_accept(&m.accept);
		break;
	case MESSAGE_KEYS:
		sample_ssh_key(m.keys.ssh_key, 12);
		break;
	case MESSAGE_DONE:
		break;
	case MESSAGE_ERROR:
		m.reason = REASON_RETRY_LATER;
		break;
	}
	return m;
}

void assert_message_refused(const char *json, size_t size, const char *reason)
{
	struct message m = {.type = MESSAGE_DONE};
	struct err err = {0};

	if (message_decode(&m, span_of(json, size), &err) == 0)
		fail_msg("%.*s was taken", (int)size, json);
	assert_contains(err.text, reason);
	assert_int_equal(m.type, MESSAGE_DONE);
}
