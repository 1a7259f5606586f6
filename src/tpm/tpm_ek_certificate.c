/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "tpm/tpm.h"

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
	for (size_t at = 0; rc == 0 && at < public.dataSize; at += AT_ONCE)
		rc = read_part(t, nv, &public, ret, at, MIN(AT_ONCE, public.dataSize - at), err);
	if (rc == 0)
		size = size_of_der(ret, public.dataSize);
	if (rc == 0 && size == 0)
		return err_set(err, -EBADMSG, "NV index 0x%08x: expected a certificate in DER",
			       index);
	*ret_size = size;
	return rc;
}
