/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "integrity/nv_counter.h"

#include <endian.h>
#include <errno.h>
#include <openssl/evp.h>
#include <string.h>
#include <tss2/tss2_mu.h>

#include "base/macros.h"

#define COUNT_SIZE 8

#define ATTRIBUTES                                                                                 \
	(TPMA_NV_OWNERWRITE | TPMA_NV_OWNERREAD | TPMA_NV_AUTHREAD | TPMA_NV_NO_DA |               \
	 ((TPMA_NV)TPM2_NT_COUNTER << TPMA_NV_TPM2_NT_SHIFT))
#define ATTRIBUTES_OF_STATE (TPMA_NV_WRITTEN | TPMA_NV_READLOCKED)

static TPMS_NV_PUBLIC public_of(TPM2_HANDLE index, bool lockable, TPMA_NV of_state)
{
	return (TPMS_NV_PUBLIC){
		.nvIndex = index,
		.nameAlg = TPM2_ALG_SHA256,
		.attributes = ATTRIBUTES | (lockable ? TPMA_NV_READ_STCLEAR : 0) | of_state,
		.dataSize = COUNT_SIZE,
	};
}

static enum nv_counter_state state_of(const TPMS_NV_PUBLIC *is, const TPMS_NV_PUBLIC *ours)
{
	if ((is->attributes & ~(TPMA_NV)ATTRIBUTES_OF_STATE) != ours->attributes ||
	    is->nameAlg != ours->nameAlg || is->dataSize != ours->dataSize ||
	    is->authPolicy.size != 0)
		return NV_COUNTER_FOREIGN;
	if (!(is->attributes & TPMA_NV_WRITTEN))
		return NV_COUNTER_UNWRITTEN;
	return is->attributes & TPMA_NV_READLOCKED ? NV_COUNTER_LOCKED : NV_COUNTER_COUNTS;
}

static int read_count(struct tpm *t, struct nv_counter *counter, struct err *err)
{
	TPM2B_MAX_NV_BUFFER *content = NULL;
	uint64_t count;
	TSS2_RC rc = TPM_CALL(t, Esys_NV_Read(t->esys, counter->handle, counter->handle,
					      ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
					      COUNT_SIZE, 0, &content));
	bool whole;

	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(t, rc, err, "read the counter at NV index 0x%08x", counter->index);
	whole = content->size == COUNT_SIZE;
	if (whole) {
		memcpy(&count, content->buffer, sizeof(count));
		counter->count = be64toh(count);
	}
	Esys_Free(content);
	return whole ? 0
		     : err_set(err, -EBADMSG, "read the counter at NV index 0x%08x: too few bytes",
			       counter->index);
}

static int find_once(struct tpm *t, TPM2_HANDLE index, bool lockable, struct nv_counter *ret,
		     struct err *err)
{
	const TPMS_NV_PUBLIC ours = public_of(index, lockable, 0);
	struct nv_counter found = {.index = index, .lockable = lockable};
	TPM2B_NV_PUBLIC *public = NULL;
	TSS2_RC rc = TPM_CALL(t, Esys_TR_FromTPMPublic(t->esys, index, ESYS_TR_NONE, ESYS_TR_NONE,
						       ESYS_TR_NONE, &found.handle));
	int code = 0;

	if (tpm_code(rc) == -ENOENT) {
		*ret = found;
		return 0;
	}
	if (rc == TSS2_RC_SUCCESS)
		rc = TPM_CALL(t, Esys_NV_ReadPublic(t->esys, found.handle, ESYS_TR_NONE,
						    ESYS_TR_NONE, ESYS_TR_NONE, &public, NULL));
	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(t, rc, err, "read what is at NV index 0x%08x", index);
	found.state = state_of(&public->nvPublic, &ours);
	Esys_Free(public);
	if (found.state == NV_COUNTER_COUNTS)
		code = read_count(t, &found, err);
	if (code == 0)
		*ret = found;
	return code;
}

/* That the counter is gone is believed only if the TPM says so twice, because an operator is then
 * told that nothing opens any more.
 */
int nv_counter_find(struct tpm *t, TPM2_HANDLE index, bool lockable, struct nv_counter *ret,
		    struct err *err)
{
	struct nv_counter found = {0};
	int rc = find_once(t, index, lockable, &found, err);

	if (rc == 0 && found.state == NV_COUNTER_ABSENT)
		rc = find_once(t, index, lockable, &found, err);
	if (rc == 0)
		*ret = found;
	return rc;
}

static int define(struct tpm *t, struct nv_counter *counter, struct err *err)
{
	static const TPM2B_AUTH no_auth = {0};
	const TPM2B_NV_PUBLIC public = {.nvPublic =
						public_of(counter->index, counter->lockable, 0)};
	TSS2_RC rc = TPM_CALL(t, Esys_NV_DefineSpace(t->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD,
						     ESYS_TR_NONE, ESYS_TR_NONE, &no_auth, &public,
						     &counter->handle));

	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(t, rc, err, "define the counter at NV index 0x%08x",
				counter->index);
	counter->state = NV_COUNTER_UNWRITTEN;
	return 0;
}

int nv_counter_increment(struct tpm *t, struct nv_counter *counter, struct err *err)
{
	TSS2_RC rc = TPM_CALL(t, Esys_NV_Increment(t->esys, ESYS_TR_RH_OWNER, counter->handle,
						   ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE));

	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(t, rc, err, "increment the counter at NV index 0x%08x",
				counter->index);
	return nv_counter_find(t, counter->index, counter->lockable, counter, err);
}

int nv_counter_provide(struct tpm *t, TPM2_HANDLE index, bool lockable, struct nv_counter *ret,
		       struct err *err)
{
	struct nv_counter counter = {0};
	int rc = nv_counter_find(t, index, lockable, &counter, err);

	if (rc == 0 && counter.state == NV_COUNTER_FOREIGN)
		rc = err_set(err, -EEXIST,
			     "what lies in the TPM at 0x%08x is not ours: expected a counter, or "
			     "nothing",
			     index);
	if (rc == 0 && counter.state == NV_COUNTER_ABSENT)
		rc = define(t, &counter, err);
	if (rc == 0 && counter.state == NV_COUNTER_UNWRITTEN)
		rc = nv_counter_increment(t, &counter, err);
	if (rc == 0)
		*ret = counter;
	return rc;
}

int nv_counter_lock(struct tpm *t, struct nv_counter *counter, struct err *err)
{
	TSS2_RC rc;

	if (counter->state == NV_COUNTER_LOCKED)
		return 0;
	rc = TPM_CALL(t, Esys_NV_ReadLock(t->esys, counter->handle, counter->handle,
					  ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE));
	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(t, rc, err, "lock the counter at NV index 0x%08x", counter->index);
	counter->state = NV_COUNTER_LOCKED;
	return 0;
}

int nv_counter_undefine(struct tpm *t, TPM2_HANDLE index, bool lockable, struct err *err)
{
	struct nv_counter counter = {0};
	TSS2_RC tss_rc;
	int rc = nv_counter_find(t, index, lockable, &counter, err);

	if (rc < 0 || counter.state == NV_COUNTER_ABSENT || counter.state == NV_COUNTER_FOREIGN)
		return rc;
	tss_rc = TPM_CALL(t, Esys_NV_UndefineSpace(t->esys, ESYS_TR_RH_OWNER, counter.handle,
						   ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE));
	if (tss_rc != TSS2_RC_SUCCESS)
		return tpm_fail(t, tss_rc, err, "undefine the counter at NV index 0x%08x", index);
	return 0;
}

static TPM2B_OPERAND operand_of(const struct nv_condition *condition)
{
	const uint64_t value = htobe64(condition->value);
	TPM2B_OPERAND operand = {.size = COUNT_SIZE};

	memcpy(operand.buffer, &value, sizeof(value));
	return operand;
}

int nv_condition_authorize(struct tpm *t, const struct tpm_object *session,
			   const struct nv_condition *condition, struct err *err)
{
	const TPM2B_OPERAND operand = operand_of(condition);
	ESYS_TR nv;
	TSS2_RC rc = TPM_CALL(t, Esys_TR_FromTPMPublic(t->esys, condition->index, ESYS_TR_NONE,
						       ESYS_TR_NONE, ESYS_TR_NONE, &nv));

	if (rc == TSS2_RC_SUCCESS)
		rc = TPM_CALL(t, Esys_PolicyNV(t->esys, nv, nv, session->handle, ESYS_TR_PASSWORD,
					       ESYS_TR_NONE, ESYS_TR_NONE, &operand, 0,
					       condition->operation));
	if (rc == TSS2_RC_SUCCESS)
		return 0;
	(void)tpm_fail(t, rc, err, "policy on the counter at NV index 0x%08x", condition->index);
	/* TPM_RC_POLICY: the comparison is not true. TPM_RC_NV_LOCKED: nobody may ask. */
	rc &= ~(TSS2_RC)TSS2_RC_LAYER_MASK;
	if (rc == TPM2_RC_POLICY || rc == TPM2_RC_NV_LOCKED)
		return err ? err_set(err, -EKEYREJECTED, "%s", err->text) : -EKEYREJECTED;
	return tpm_code(t->last_rc);
}

static bool hash(struct span first, struct span second, uint8_t ret[EVP_MAX_MD_SIZE])
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	const bool good = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
			  EVP_DigestUpdate(context, first.bytes, first.size) == 1 &&
			  EVP_DigestUpdate(context, second.bytes, second.size) == 1 &&
			  EVP_DigestFinal_ex(context, ret, NULL) == 1;

	EVP_MD_CTX_free(context);
	return good;
}

/* The hash's number, and the hash of the public area (TPM 2.0 part 1, 16). */
static bool name_of(const struct nv_condition *condition, uint8_t ret[34])
{
	const TPMS_NV_PUBLIC public =
		public_of(condition->index, condition->lockable, TPMA_NV_WRITTEN);
	uint8_t marshalled[sizeof(public)];
	uint8_t digest[EVP_MAX_MD_SIZE];
	size_t size = 0;

	if (Tss2_MU_TPMS_NV_PUBLIC_Marshal(&public, marshalled, sizeof(marshalled), &size) !=
		    TSS2_RC_SUCCESS ||
	    !hash(span_of(marshalled, size), span_of(NULL, 0), digest))
		return false;
	ret[0] = TPM2_ALG_SHA256 >> 8;
	ret[1] = TPM2_ALG_SHA256 & 0xff;
	memcpy(ret + 2, digest, TPM2_SHA256_DIGEST_SIZE);
	return true;
}

/* args = H(operandB, offset, operation); digest = H(digest, command code, args, Name) (part 3,
 * 23.9). */
int nv_condition_extend(const struct nv_condition *condition, TPM2B_DIGEST *digest)
{
	const TPM2B_OPERAND operand = operand_of(condition);
	const uint8_t offset_and_operation[] = {0, 0, (uint8_t)(condition->operation >> 8),
						(uint8_t)condition->operation};
	struct __attribute__((packed)) {
		uint32_t command;
		uint8_t args[TPM2_SHA256_DIGEST_SIZE];
		uint8_t name[34];
	} more = {.command = htobe32(TPM2_CC_PolicyNV)};
	uint8_t made[EVP_MAX_MD_SIZE];

	if (!hash(span_of(operand.buffer, operand.size),
		  span_of(offset_and_operation, sizeof(offset_and_operation)), made))
		return -ENOMEM;
	memcpy(more.args, made, sizeof(more.args));
	if (!name_of(condition, more.name) ||
	    !hash(span_of(digest->buffer, digest->size), span_of(&more, sizeof(more)), made))
		return -ENOMEM;
	digest->size = TPM2_SHA256_DIGEST_SIZE;
	memcpy(digest->buffer, made, digest->size);
	return 0;
}
