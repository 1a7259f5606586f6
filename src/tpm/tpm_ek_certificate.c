/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "tpm/tpm.h"

#define CHAIN_FIRST 0x01c00100u /* NV indices */
#define CHAIN_LAST  0x01c001ffu
#define HEAD_SIZE   4 /* of the DER of a certificate: SEQUENCE, two bytes of length */
#define CHAIN_SAID  "chain of the endorsement key's certificate, NV index 0x%08x: "

#define AT_ONCE 512 /* bytes: each TPM reads so many (TPM2_PT_NV_BUFFER_MAX) */

/* Who may read it: whoever knows the empty password of the index, or of the owner. */
static ESYS_TR reader_of(ESYS_TR nv, TPMA_NV attributes)
{
	return attributes & TPMA_NV_AUTHREAD ? nv : ESYS_TR_RH_OWNER;
}

static int find(struct tpm *t, TPM2_HANDLE index, ESYS_TR *ret, TPMS_NV_PUBLIC *ret_public,
		struct err *err)
{
	TPM2B_NV_PUBLIC *public = NULL;
	TSS2_RC rc = TPM_CALL(t, Esys_TR_FromTPMPublic(t->esys, index, ESYS_TR_NONE, ESYS_TR_NONE,
						       ESYS_TR_NONE, ret));

	if (rc == TSS2_RC_SUCCESS)
		rc = TPM_CALL(t, Esys_NV_ReadPublic(t->esys, *ret, ESYS_TR_NONE, ESYS_TR_NONE,
						    ESYS_TR_NONE, &public, NULL));
	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(t, rc, err, "certificate of the endorsement key, NV index 0x%08x",
				index);
	*ret_public = public->nvPublic;
	Esys_Free(public);
	return 0;
}

static int read_part(struct tpm *t, ESYS_TR nv, const TPMS_NV_PUBLIC *public, uint8_t *to,
		     size_t offset, size_t size, struct err *err)
{
	TPM2B_MAX_NV_BUFFER *part = NULL;
	TSS2_RC rc = TPM_CALL(t, Esys_NV_Read(t->esys, reader_of(nv, public->attributes), nv,
					      ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
					      (UINT16)size, (UINT16)offset, &part));
	int code = 0;

	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(t, rc, err, "read NV index 0x%08x", public->nvIndex);
	if (part->size == size)
		memcpy(to + offset, part->buffer, size);
	else
		code = err_set(err, -EBADMSG, "NV index 0x%08x: %u bytes, expected %zu",
			       public->nvIndex, part->size, size);
	Esys_Free(part);
	return code;
}

/* Makers fill the index up behind the certificate. 0 = no DER of two bytes of length. */
static size_t size_of_der(const uint8_t *bytes, size_t size)
{
	size_t whole = size > 4 ? 4 + ((size_t)bytes[2] << 8) + bytes[3] : 0;

	return whole > 0 && bytes[0] == 0x30 && bytes[1] == 0x82 && whole <= size ? whole : 0;
}

static int read_all(struct tpm *t, ESYS_TR nv, const TPMS_NV_PUBLIC *public, uint8_t *ret,
		    struct err *err)
{
	int rc = 0;

	for (size_t at = 0; rc == 0 && at < public->dataSize; at += AT_ONCE)
		rc = read_part(t, nv, public, ret, at, MIN(AT_ONCE, public->dataSize - at), err);
	return rc;
}

int tpm_ek_certificate(struct tpm *t, const struct tpm_ek *ek, uint8_t *ret, size_t room,
		       size_t *ret_size, struct err *err)
{
	const TPM2_HANDLE index = tpm_ek_certificate_index(ek);
	TPMS_NV_PUBLIC public = {0};
	ESYS_TR nv = ESYS_TR_NONE;
	size_t size = 0;
	int rc = find(t, index, &nv, &public, err);

	if (rc == 0 && public.dataSize > room)
		return err_set(err, -E2BIG,
			       "certificate of the endorsement key, NV index 0x%08x: %u bytes, "
			       "expected at most %zu",
			       index, public.dataSize, room);
	if (rc == 0)
		rc = read_all(t, nv, &public, ret, err);
	if (rc == 0)
		size = size_of_der(ret, public.dataSize);
	if (rc == 0 && size == 0)
		return err_set(err, -EBADMSG, "NV index 0x%08x: expected a certificate in DER",
			       index);
	*ret_size = size;
	return rc;
}

/* The chain. A certificate may begin in one index and end in the next. */

struct chain {
	const struct tpm_ek_chain_room *to;
	size_t size; /* read, of to->bytes */
	size_t at;   /* where the certificate begins that is not cut off yet */
	unsigned n;
};

static int list_chain(struct tpm *t, TPM2_HANDLE ret[TPM_EK_CHAIN_INDICES_MAX], unsigned *ret_n,
		      struct err *err)
{
	TPMS_CAPABILITY_DATA *found = NULL;
	TPMI_YES_NO more;
	TSS2_RC rc = TPM_CALL(t, Esys_GetCapability(t->esys, ESYS_TR_NONE, ESYS_TR_NONE,
						    ESYS_TR_NONE, TPM2_CAP_HANDLES, CHAIN_FIRST,
						    TPM_EK_CHAIN_INDICES_MAX + 1, &more, &found));
	unsigned n = 0;
	int code = 0;

	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(t, rc, err, "list the TPM's NV indices");
	for (UINT32 i = 0; code == 0 && i < found->data.handles.count; i++) {
		const TPM2_HANDLE index = found->data.handles.handle[i];

		if (index < CHAIN_FIRST || index > CHAIN_LAST)
			continue;
		if (n == TPM_EK_CHAIN_INDICES_MAX)
			code = err_set(err, -E2BIG,
				       "chain of the endorsement key's certificate: more than %u "
				       "NV indices from 0x%08x on",
				       TPM_EK_CHAIN_INDICES_MAX, CHAIN_FIRST);
		else
			ret[n++] = index;
	}
	Esys_Free(found);
	*ret_n = n;
	return code;
}

/* Makers fill an index up behind its last certificate, with zeros or ones. */
static bool is_filler(const uint8_t *bytes, size_t size)
{
	bool same = size > 0 && (bytes[0] == 0x00 || bytes[0] == 0xff);

	for (size_t i = 1; same && i < size; i++)
		same = bytes[i] == bytes[0];
	return same;
}

/* 0 = where it ends is not read yet. */
static size_t size_at(const struct chain *c)
{
	const uint8_t *head = c->to->bytes + c->at;

	return c->size - c->at < HEAD_SIZE ? 0 : HEAD_SIZE + ((size_t)head[2] << 8) + head[3];
}

static bool begins_well(const uint8_t *bytes, size_t size)
{
	return bytes[0] == 0x30 && (size < 2 || bytes[1] == 0x82);
}

static int check_next(const struct chain *c, TPM2_HANDLE index, struct err *err)
{
	const uint8_t *bytes = c->to->bytes + c->at;
	const size_t size = size_at(c);

	if (!begins_well(bytes, c->size - c->at))
		return err_set(err, -EBADMSG,
			       CHAIN_SAID "expected certificates in DER, found a byte 0x%02x that "
					  "begins none",
			       index, bytes[0]);
	if (size > c->to->each_max)
		return err_set(err, -E2BIG, CHAIN_SAID "%zu bytes, expected at most %zu", index,
			       size, c->to->each_max);
	if (c->n == c->to->max)
		return err_set(err, -E2BIG, CHAIN_SAID "expected at most %u certificates", index,
			       c->to->max);
	return 0;
}

/* Cuts off what is complete of that index and the ones before. */
static int cut(struct chain *c, TPM2_HANDLE index, struct err *err)
{
	while (c->at < c->size) {
		size_t size;
		int rc;

		if (is_filler(c->to->bytes + c->at, c->size - c->at)) {
			c->size = c->at;
			return 0;
		}
		rc = check_next(c, index, err);
		if (rc < 0)
			return rc;
		size = size_at(c);
		if (size == 0 || size > c->size - c->at)
			return 0;
		c->to->sizes[c->n++] = size;
		c->at += size;
	}
	return 0;
}

static int append(struct tpm *t, struct chain *c, TPM2_HANDLE index, struct err *err)
{
	TPMS_NV_PUBLIC public = {0};
	ESYS_TR nv = ESYS_TR_NONE;
	int rc = find(t, index, &nv, &public, err);

	if (rc == 0 && public.dataSize > c->to->room - c->size)
		return err_set(err, -E2BIG, CHAIN_SAID "%u bytes, expected at most %zu in all",
			       index, public.dataSize, c->to->room);
	if (rc == 0)
		rc = read_all(t, nv, &public, c->to->bytes + c->size, err);
	if (rc < 0)
		return rc;
	c->size += public.dataSize;
	return cut(c, index, err);
}

int tpm_ek_chain(struct tpm *t, const struct tpm_ek_chain_room *ret, unsigned *ret_n,
		 struct err *err)
{
	TPM2_HANDLE indices[TPM_EK_CHAIN_INDICES_MAX];
	struct chain c = {.to = ret};
	unsigned n = 0;
	int rc = list_chain(t, indices, &n, err);

	for (unsigned i = 0; rc == 0 && i < n; i++)
		rc = append(t, &c, indices[i], err);
	if (rc == 0 && c.at < c.size)
		rc = err_set(err, -EBADMSG, CHAIN_SAID "ends in the middle of a certificate",
			     indices[n - 1]);
	*ret_n = c.n;
	return rc;
}
