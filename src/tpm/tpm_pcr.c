/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "tpm/tpm.h"

static const struct {
	const char *name;
	TPM2_ALG_ID algorithm;
} banks[] = {
	{"sha1", TPM2_ALG_SHA1},
	{"sha256", TPM2_ALG_SHA256},
	{"sha384", TPM2_ALG_SHA384},
	{"sha512", TPM2_ALG_SHA512},
};

TPM2_ALG_ID tpm_bank(const char *name)
{
	for (size_t i = 0; i < N_ELEMENTS(banks); i++)
		if (strcmp(banks[i].name, name) == 0)
			return banks[i].algorithm;
	return TPM2_ALG_ERROR;
}

const char *tpm_bank_name(TPM2_ALG_ID bank)
{
	for (size_t i = 0; i < N_ELEMENTS(banks); i++)
		if (banks[i].algorithm == bank)
			return banks[i].name;
	return "";
}

TPML_PCR_SELECTION tpm_pcr_selection(TPM2_ALG_ID bank, uint32_t mask)
{
	return (TPML_PCR_SELECTION){
		.count = 1,
		.pcrSelections = {{
			.hash = bank,
			.sizeofSelect = TPM_PCR_COUNT / 8,
			.pcrSelect = {(uint8_t)mask, (uint8_t)(mask >> 8), (uint8_t)(mask >> 16)},
		}},
	};
}

static uint32_t mask_of(const TPML_PCR_SELECTION *selection)
{
	const TPMS_PCR_SELECTION *first = &selection->pcrSelections[0];
	uint32_t mask = 0;

	for (unsigned i = 0; selection->count > 0 && i < MIN(first->sizeofSelect, 3); i++)
		mask |= (uint32_t)first->pcrSelect[i] << (8 * i);
	return mask;
}

/* One answer holds eight values at most: ret gets them, *mask loses their bits. */
static int take_values(uint32_t *mask, const TPML_PCR_SELECTION *selection,
		       const TPML_DIGEST *digests, struct tpm_pcr_values *ret)
{
	uint32_t got = mask_of(selection) & *mask;
	unsigned n = 0;

	for (unsigned i = 0; i < TPM_PCR_COUNT; i++) {
		if (!(got & (1u << i)))
			continue;
		if (n >= digests->count || digests->digests[n].size == 0)
			return -EPROTO;
		ret->values[i] = digests->digests[n++];
	}
	*mask &= ~got;
	return got ? 0 : -EPROTO;
}

static int read_once(struct tpm *t, TPM2_ALG_ID bank, uint32_t mask, struct tpm_pcr_values *ret,
		     struct err *err)
{
	int code = 0;

	memset(ret, 0, sizeof(*ret));
	while (mask && code == 0) {
		TPML_PCR_SELECTION wanted = tpm_pcr_selection(bank, mask);
		TPML_PCR_SELECTION *got = NULL;
		TPML_DIGEST *digests = NULL;
		TSS2_RC rc =
			TPM_CALL(t, Esys_PCR_Read(t->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
						  &wanted, NULL, &got, &digests));

		if (rc != TSS2_RC_SUCCESS)
			return tpm_fail(t, rc, err, "read the PCRs");
		code = take_values(&mask, got, digests, ret);
		Esys_Free(got);
		Esys_Free(digests);
	}
	if (code < 0)
		return err_set(err, code,
			       "read the PCRs: the TPM does not have PCR %d in this bank",
			       __builtin_ctz(mask));
	return 0;
}

/* That the TPM lacks these PCRs is believed only if it says so twice. */
int tpm_pcr_read(struct tpm *t, TPM2_ALG_ID bank, uint32_t mask, struct tpm_pcr_values *ret,
		 struct err *err)
{
	int rc = read_once(t, bank, mask, ret, err);

	return rc == -EPROTO ? read_once(t, bank, mask, ret, err) : rc;
}
