/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/macros.h"
#include "conductor/enrolment/credential.h"
#include "conductor/enrolment/tpm_reader.h"

#define GENERATED       0xff544347u /* TPM_GENERATED_VALUE: "\xffTCG" */
#define ST_ATTEST_QUOTE 0x8018u
#define CLOCK_INFO_SIZE 17 /* clock, resetCount, restartCount, safe */
#define FIRMWARE_SIZE   8

/* TPMS_ATTEST (Part 2, 10.12.8) of a quote. */
struct quote {
	struct span extra;
	uint64_t n_selections;
	uint64_t hash;
	struct span selection;
	struct span digest;
};

static int read_quote(struct quote *quote, struct span attest, struct err *err)
{
	struct tpm_reader reader = {.rest = attest};
	struct tpm_reader *r = &reader;
	uint64_t magic = tpm_read_uint(r, 4);
	uint64_t type = tpm_read_uint(r, 2);

	if (magic != GENERATED)
		return err_set(err, -EKEYREJECTED, "quote: magic 0x%08" PRIx64 ", expected 0x%08x",
			       magic, GENERATED);
	if (type != ST_ATTEST_QUOTE)
		return err_set(err, -EKEYREJECTED,
			       "quote: attests type 0x%04" PRIx64 ", expected a quote (0x%04x)",
			       type, ST_ATTEST_QUOTE);
	(void)tpm_read_sized(
		r); /* qualifiedSigner: of keys above the AK, which nobody here knows */
	quote->extra = tpm_read_sized(r);
	(void)tpm_read_bytes(r, CLOCK_INFO_SIZE + FIRMWARE_SIZE);
	quote->n_selections = tpm_read_uint(r, 4);
	if (quote->n_selections == 1) {
		quote->hash = tpm_read_uint(r, 2);
		quote->selection = tpm_read_bytes(r, (size_t)tpm_read_uint(r, 1));
		quote->digest = tpm_read_sized(r);
	}
	if (r->failed || (quote->n_selections == 1 && !tpm_read_all(r)))
		return err_set(err, -EBADMSG, "quote: not a TPMS_ATTEST");
	return 0;
}

/* PCRs 0 to 7 and no other. */
static bool is_selection(struct span selection)
{
	if (selection.size == 0 || selection.bytes[0] != 0xff)
		return false;
	for (size_t i = 1; i < selection.size; i++)
		if (selection.bytes[i] != 0)
			return false;
	return true;
}

static bool is_digest_of(struct span digest, const uint8_t pcrs[MESSAGE_PCRS][MESSAGE_PCR_SIZE])
{
	uint8_t expected[32];

	return digest.size == sizeof(expected) &&
	       EVP_Digest(pcrs, (size_t)MESSAGE_PCRS * MESSAGE_PCR_SIZE, expected, NULL,
			  EVP_sha256(), NULL) == 1 &&
	       memcmp(digest.bytes, expected, sizeof(expected)) == 0;
}

static int check_quote(const struct quote *quote, const struct message_attestation *attestation,
		       struct span extra, struct err *err)
{
	if (quote->extra.size != extra.size ||
	    memcmp(quote->extra.bytes, extra.bytes, extra.size) != 0)
		return err_set(err, -EKEYREJECTED, "quote: over other data than this handshake");
	if (quote->n_selections != 1)
		return err_set(err, -EKEYREJECTED, "quote: %" PRIu64 " PCR selections, expected 1",
			       quote->n_selections);
	if (quote->hash != TPM_ALG_SHA256 || !is_selection(quote->selection))
		return err_set(err, -EKEYREJECTED,
			       "quote: another PCR selection than sha256 0 to 7");
	if (!is_digest_of(quote->digest, attestation->pcrs))
		return err_set(err, -EKEYREJECTED, "quote: over other PCR values than shown");
	return 0;
}

/* TPMT_SIGNATURE (Part 2, 11.3.4) with RSASSA. */
static int read_signature(struct span signature, struct span *ret, struct err *err)
{
	struct tpm_reader reader = {.rest = signature};
	struct tpm_reader *r = &reader;
	uint64_t scheme = tpm_read_uint(r, 2);
	uint64_t hash = tpm_read_uint(r, 2);

	*ret = tpm_read_sized(r);
	if (scheme != TPM_ALG_RSASSA || hash != TPM_ALG_SHA256)
		return err_set(err, -EKEYREJECTED,
			       "quote's signature: scheme 0x%04" PRIx64 " with hash 0x%04" PRIx64
			       ", expected RSASSA with SHA-256",
			       scheme, hash);
	return tpm_read_all(r) ? 0
			       : err_set(err, -EBADMSG, "quote's signature: not a TPMT_SIGNATURE");
}

static bool is_signed_by(EVP_PKEY *key, struct span text, struct span signature)
{
	EVP_MD_CTX *verification = EVP_MD_CTX_new();
	bool good = verification &&
		    EVP_DigestVerifyInit(verification, NULL, EVP_sha256(), NULL, key) == 1 &&
		    EVP_DigestVerify(verification, signature.bytes, signature.size, text.bytes,
				     text.size) == 1;

	EVP_MD_CTX_free(verification);
	return good;
}

int credential_check_quote(const struct credential_ak *ak,
			   const struct message_attestation *attestation, struct span extra,
			   struct err *err)
{
	struct span attest = span_of(attestation->quote.bytes, attestation->quote.size);
	struct span signature;
	struct quote quote = {0};
	int rc = read_quote(&quote, attest, err);

	if (rc == 0)
		rc = check_quote(&quote, attestation, extra, err);
	if (rc == 0)
		rc = read_signature(
			span_of(attestation->signature.bytes, attestation->signature.size),
			&signature, err);
	if (rc == 0 && !is_signed_by(ak->key, attest, signature))
		rc = err_set(err, -EKEYREJECTED, "quote: not signed by the AK");
	return rc;
}
