/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a TPM shows: the first byte says what it is meant to be. */
#include "fuzz.h"

#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "conductor/enrolment/credential.h"

static struct credential_ak ak;

/* A quote over nothing and eight PCRs of zeros, so that the signature is looked at. */
static const uint8_t head[] = {0xff, 0x54, 0x43, 0x47, 0x80, 0x18, 0, 0, 0, 0};
static const uint8_t selection[] = {0, 0, 0, 1, 0, 0x0b, 3, 0xff, 0, 0, 0, 32};
static struct message_bytes quote;

/* One whose public area is looked at: its DER SubjectPublicKeyInfo. */
static uint8_t ek_bytes[128];
static struct span ek_on_curve;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const uint8_t pcrs[MESSAGE_PCRS * MESSAGE_PCR_SIZE];
	EVP_PKEY *ek = EVP_EC_gen("P-256");
	uint8_t *at = ek_bytes;

	(void)argc;
	(void)argv;
	ak.key = EVP_RSA_gen(2048);
	ek_on_curve = span_of(ek_bytes, (size_t)i2d_PUBKEY(ek, &at));
	EVP_PKEY_free(ek);
	memcpy(quote.bytes, head, sizeof(head));
	memcpy(quote.bytes + 35, selection, sizeof(selection));
	HOLDS(EVP_Digest(pcrs, sizeof(pcrs), quote.bytes + 47, NULL, EVP_sha256(), NULL) == 1);
	quote.size = 47 + 32;
	return 0;
}

static void read_ak(struct span bytes)
{
	struct credential_ak read = {0};
	struct err err;

	if (credential_read_ak(&read, bytes, &err) == 0)
		HOLDS(read.key && EVP_PKEY_get_bits(read.key) >= 2048);
	else
		HOLDS(!read.key);
	credential_ak_release(&read);
}

static void check_quote(struct span bytes, bool is_signature)
{
	struct message_attestation attestation = {.quote = quote};
	struct message_bytes *part = is_signature ? &attestation.signature : &attestation.quote;
	struct err err;

	if (bytes.size > sizeof(part->bytes))
		return;
	memcpy(part->bytes, bytes.bytes, bytes.size);
	part->size = bytes.size;
	HOLDS(credential_check_quote(&ak, &attestation, span_of(bytes.bytes, 0), &err) < 0);
}

static void make(struct span ek, struct span public)
{
	static const uint8_t secret[CREDENTIAL_SECRET_SIZE];
	struct message_credential credential;
	struct message_proof proof = {.ek.size = ek.size, .ek_public.size = public.size};
	struct err err;

	if (ek.size > MESSAGE_BYTES_MAX || public.size > MESSAGE_BYTES_MAX)
		return;
	memcpy(proof.ek.bytes, ek.bytes, ek.size);
	memcpy(proof.ek_public.bytes, public.bytes, public.size);
	if (credential_make(&credential, &proof, ak.name, span_of(secret, sizeof(secret)), &err) ==
	    0)
		HOLDS(credential.blob.size >= 70 && credential.secret.size >= 2 + 2 * 34);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct span rest = span_of(bytes + (size > 0), size - (size > 0));

	switch (size > 0 ? bytes[0] % 5 : 0) {
	case 0:
		read_ak(rest);
		break;
	case 1:
		check_quote(rest, false);
		break;
	case 2:
		check_quote(rest, true);
		break;
	case 3:
		make(rest, span_of(NULL, 0));
		break;
	default:
		make(ek_on_curve, rest);
		break;
	}
	return 0;
}
