/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tpm.h - a TPM 2.0 over any TCTI, by ESAPI: opened, asked in salted sessions, left as it was.
 *
 * Objects and sessions that are loaded belong to a struct tpm_object, which flushes them on every
 * way out: _cleanup_(tpm_flush). There is no resource manager below us in early boot on some
 * TCTIs, and a TPM has room for three.
 *
 * Every ESAPI call is made inside TPM_CALL(), which keeps the last return code for those who
 * report it, and how long the TPM took.
 *
 * Errors: -ENODEV (the TCTI cannot open, or breaks), -ETXTBSY (its device is
 * another program's), -ENOENT (nothing at this handle),
 * -EKEYREJECTED (a policy that does not hold), -EAGAIN (a PCR moved meanwhile), -EACCES (lockout),
 * -EPERM (authorization), -EPROTO (it refuses what it was told: any other code of format one, TPM
 * 2.0 part 2, 6.6.3), -ENOSPC (what others left loaded fills it), -EBUSY (it cannot now, or fails:
 * any other code of format zero), -EBADMSG (what it answers makes no sense, or was changed on its
 * way).
 *
 * Calling sequence: tpm_open -> tpm_session_start, TPM_CALL(Esys_...) -> tpm_close.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <tss2/tss2_esys.h>

#include "base/err.h"
#include "base/span.h"

#define TPM_DEVICE_WAIT_MS 10000 /* for a device that is not there yet */
#define TPM_NAME_TEXT_SIZE (2 * sizeof(TPMU_NAME) + 1)
#define TPM_EK_HANDLE      0x81010001 /* TCG EK Credential Profile 2.3, 2.2.1 */
#define TPM_PCR_COUNT      24         /* TCG PC Client Platform TPM Profile, 4.6.1 */

struct tpm {
	ESYS_CONTEXT *esys;
	TSS2_TCTI_CONTEXT *tcti;
	uint64_t began_ns; /* the call under way */
	uint64_t spent_ns; /* in all calls so far */
	TSS2_RC last_rc;   /* of the last call that failed; 0 = none did */
};

/* tcti as tss2's loader takes it ("device:/dev/tpmrm0"). wait_ms: for a device that is not there.
 */
int tpm_open(struct tpm *t, const char *tcti, unsigned wait_ms, struct err *err);
void tpm_close(struct tpm *t);

/* Whether tcti is the TPM itself, with no resource manager between: then nobody else has it open
 * (the kernel lets one in), and what is loaded in it was left behind. */
bool tpm_is_raw(const char *tcti);
/* Flush what is loaded, objects and sessions: of a raw one, right after tpm_open(). */
int tpm_make_room(struct tpm *t, struct err *err);

#define TPM_CALL(t, call) (tpm_call_begins(t), tpm_call_ended((t), (call)))
void tpm_call_begins(struct tpm *t);
/* From now on *at is when this process began the call that is under way (CLOCK_MONOTONIC, ns), and
 * 0 between calls: for who watches it from another process. */
void tpm_watch(_Atomic uint64_t *at);
TSS2_RC tpm_call_ended(struct tpm *t, TSS2_RC rc);

/* rc as err: "<format>: <what tss2 says> (0x0000099d)". Returns the negative errno; rc is not 0. */
int tpm_fail(struct tpm *t, TSS2_RC rc, struct err *err, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* The negative errno alone. */
int tpm_code(TSS2_RC rc);

/* A loaded object or session; ESYS_TR_NONE = none. */
struct tpm_object {
	struct tpm *tpm;
	ESYS_TR handle;
};
#define TPM_OBJECT_NONE(t) ((struct tpm_object){.tpm = (t), .handle = ESYS_TR_NONE})
void tpm_flush(struct tpm_object *object);

/* A session of type (TPM2_SE_HMAC, TPM2_SE_POLICY) salted to salt_key, with AES-128-CFB for
 * parameters, that continues until it is flushed. */
int tpm_session_start(struct tpm *t, ESYS_TR salt_key, TPM2_SE type, struct tpm_object *ret,
		      struct err *err);

/* Which parameters the next commands encrypt: a TPM refuses a direction that a command does not
 * have (its first parameter must be sized, TPM 2.0 part 1, 21). */
#define TPM_ENCRYPT_NOTHING  0
#define TPM_ENCRYPT_RESPONSE TPMA_SESSION_ENCRYPT
#define TPM_ENCRYPT_BOTH     (TPMA_SESSION_ENCRYPT | TPMA_SESSION_DECRYPT)
void tpm_session_encrypts(const struct tpm_object *session, TPMA_SESSION directions);

/* What lies at a persistent handle: its public area and Name as the TPM tells them. -ENOENT.
 * ret_public and ret_name may be NULL. */
int tpm_find(struct tpm *t, TPM2_HANDLE handle, ESYS_TR *ret, TPM2B_PUBLIC *ret_public,
	     TPM2B_NAME *ret_name, struct err *err);

/* Name of the endorsement key of RSA-2048: at TPM_EK_HANDLE, else made anew from the TCG's template
 * L-1, which gives the same key as long as the TPM is the same (its seed outlives TPM2_Clear). */
int tpm_ek_name(struct tpm *t, TPM2B_NAME *ret, struct err *err);

/* An endorsement key itself: what lies at handle if that is one of any kind (RSA-2048, RSA-3072,
 * P-256, P-384, P-521), else made anew likewise: of the kind whose place that handle is by the
 * TCG's EK profile, and of RSA-2048 at any other. */
struct tpm_ek {
	struct tpm_object made; /* to be flushed; none where it is persistent */
	ESYS_TR handle;
	TPM2B_PUBLIC public;
};
int tpm_ek_provide(struct tpm *t, TPM2_HANDLE handle, struct tpm_ek *ret, struct err *err);
void tpm_ek_release(struct tpm_ek *ek); /* takes a zeroed one */

/* RSA with SHA-256 and AES-128, as nearly all are. */
bool tpm_ek_is_usual(const struct tpm_ek *ek);

/* What the TPM's maker wrote about the EK into its NV index: DER. ret has room bytes, all of which
 * may be written. -ENOENT, -E2BIG, -EBADMSG (no certificate). */
int tpm_ek_certificate(struct tpm *t, const struct tpm_ek *ek, uint8_t *ret, size_t room,
		       size_t *ret_size, struct err *err);
TPM2_HANDLE tpm_ek_certificate_index(const struct tpm_ek *ek);

/* What its maker wrote beside that: the certificates between those of EKs and the maker's root, at
 * NV indices 0x01c00100 to 0x01c001ff (TCG EK Credential Profile 2.3, 2.2.1.5.2). *ret_n: how many
 * there are; 0 = none. -E2BIG (more, or larger, or in too many indices), -EBADMSG (what is there
 * are no certificates). */
#define TPM_EK_CHAIN_INDICES_MAX 16u
struct tpm_ek_chain_room {
	uint8_t *bytes;  /* DER, one behind the other */
	size_t room;     /* of bytes; what fills an index up needs room, too */
	size_t *sizes;   /* of each certificate */
	size_t each_max; /* so large may one be */
	unsigned max;    /* so many may there be, and sizes */
};
int tpm_ek_chain(struct tpm *t, const struct tpm_ek_chain_room *ret, unsigned *ret_n,
		 struct err *err);

/* A session, to be flushed, that authorizes the use of the EK and is salted to it. */
int tpm_ek_authorize(struct tpm *t, const struct tpm_ek *ek, struct tpm_object *ret,
		     struct err *err);

/* Lower-case hex. */
void tpm_name_text(const TPM2B_NAME *name, char ret[TPM_NAME_TEXT_SIZE]);
bool tpm_name_equal(const TPM2B_NAME *a, const TPM2B_NAME *b);

/* A bank's hash algorithm by the name the configuration gives it; TPM2_ALG_ERROR = unknown. */
TPM2_ALG_ID tpm_bank(const char *name);
const char *tpm_bank_name(TPM2_ALG_ID bank);

/* The values of the PCRs in mask, one bit each. A PCR that the bank does not have: -EPROTO. */
struct tpm_pcr_values {
	TPM2B_DIGEST values[TPM_PCR_COUNT]; /* by index; size 0 = not selected */
};
int tpm_pcr_read(struct tpm *t, TPM2_ALG_ID bank, uint32_t mask, struct tpm_pcr_values *ret,
		 struct err *err);
TPML_PCR_SELECTION tpm_pcr_selection(TPM2_ALG_ID bank, uint32_t mask);
