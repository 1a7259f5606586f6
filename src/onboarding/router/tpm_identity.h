/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tpm_identity.h - proves by its TPM which router this is: endorsement key, attestation key,
 * quote, and the key of a device-ID certificate.
 *
 * The attestation key (AK) is made for one handshake from the seed of the endorsement hierarchy,
 * and is never persistent. All calls block, for seconds if a key is made: they belong on the
 * thread pool, one at a time.
 *
 * Errors: those of tpm/tpm.h.
 *
 * Calling sequence: tpm_identity_open -> tpm_identity_present -> tpm_identity_activate ->
 * tpm_identity_quote -> tpm_identity_close.
 */
#pragma once

#include "onboarding/message.h"
#include "tpm/tpm.h"

struct tpm_identity {
	struct tpm tpm;
	bool is_open;
	struct tpm_ek ek;
	struct tpm_object ak;
};

int tpm_identity_open(struct tpm_identity *identity, const char *tcti, struct err *err);
void tpm_identity_close(struct tpm_identity *identity); /* takes a zeroed one */

/* Message 3: EK and AK, and if it is asked for, the EK's certificate with what the TPM has of those
 * above it. ret->ek_chain is the caller's, to be freed. */
int tpm_identity_present(struct tpm_identity *identity, TPM2_HANDLE ek_handle,
			 bool with_certificate, struct message_proof *ret, struct err *err);

/* Opens the credential: only the TPM with this EK and this AK can. *ret_secret is its secret. */
int tpm_identity_activate(struct tpm_identity *identity,
			  const struct message_credential *credential,
			  struct message_bytes *ret_secret, struct err *err);

/* A quote of sha256 PCRs 0 to 7 by the AK. */
int tpm_identity_quote(struct tpm_identity *identity, struct span qualifying_data,
		       struct message_attestation *ret, struct err *err);

/* By the key at handle, as tls_signer.sign wants it: RSASSA-PSS or ECDSA; digest of 32, 48 or 64
 * bytes. *size: room, then used. */
int tpm_identity_sign(struct tpm_identity *identity, TPM2_HANDLE handle, struct span digest,
		      uint8_t *ret, size_t *size, struct err *err);

/* The public part of a device-ID key: DER SubjectPublicKeyInfo. -EPROTO: on P-521. */
int tpm_identity_public(struct tpm_identity *identity, TPM2_HANDLE handle,
			struct message_bytes *ret, struct err *err);
