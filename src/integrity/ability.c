/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "integrity/ability.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log_events.h"
#include "base/macros.h"
#include "integrity/recovery.h"
#include "integrity/seal_record.h"

static int not_able(struct failure *f, const char *why)
{
	f->cause = CAUSE_NONE;
	return err_set(&f->err, -EOPNOTSUPP, "%s", why);
}

static int not_able_because(struct failure *f)
{
	f->cause = CAUSE_NONE;
	f->err.code = -EOPNOTSUPP;
	return -EOPNOTSUPP;
}

int ability_of_directory(const char *path, struct failure *f)
{
	struct fscrypt_directory found;
	char why[ERR_TEXT_SIZE];
	int rc = fscrypt_inspect(path, &found, f);

	if (rc < 0)
		return not_able_because(f);
	if (found.state != FSCRYPT_ABSENT && !found.empty) {
		if (found.state != FSCRYPT_PLAIN)
			return failure_set(f, CAUSE_RECORD_LOST, -ENODATA,
					   "%s is encrypted and has files in it, but there is "
					   "neither a record nor a pin of it",
					   path);
		(void)snprintf(why, sizeof(why),
			       "%s has files in it, which would stay readable on the disk: move "
			       "them away, and back once it is encrypted",
			       path);
		return not_able(f, why);
	}
	if (fscrypt_possible(path, f) < 0)
		return not_able_because(f);
	log_event(LOG_INTEGRITY_FINDING, NULL, "%s is %s, on a filesystem that encrypts", path,
		  found.state == FSCRYPT_ABSENT ? "absent" : "empty");
	return 0;
}

int ability_of_directories(const struct config_integrity *config, struct failure *f)
{
	int reason_rc = 0;
	struct failure reason;

	if (recovery_check(config, &f->err) < 0)
		return not_able_because(f);
	if (config->n_directories > SEAL_DIRECTORIES_MAX)
		return not_able(f, "too many directories");
	/* All directories are inspected, since an integrity event in one matters more than what
	 * another one lacks. */
	for (size_t i = 0; i < config->n_directories; i++) {
		struct failure of_this = *f;
		int rc = ability_of_directory(config->directories[i], &of_this);

		if (rc < 0 && (reason_rc == 0 || rc != -EOPNOTSUPP)) {
			reason = of_this;
			reason_rc = rc;
		}
		if (rc < 0 && rc != -EOPNOTSUPP)
			break;
	}
	if (reason_rc < 0)
		*f = reason;
	return reason_rc;
}

static int read_property(struct tpm *t, TPM2_PT property, uint32_t *ret, struct err *err)
{
	TPMS_CAPABILITY_DATA *capability = NULL;
	TPMI_YES_NO more;
	const TPML_TAGGED_TPM_PROPERTY *properties;
	TSS2_RC rc = TPM_CALL(t, Esys_GetCapability(t->esys, ESYS_TR_NONE, ESYS_TR_NONE,
						    ESYS_TR_NONE, TPM2_CAP_TPM_PROPERTIES, property,
						    1, &more, &capability));
	bool found;

	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(t, rc, err, "properties of the TPM");
	properties = &capability->data.tpmProperties;
	found = capability->capability == TPM2_CAP_TPM_PROPERTIES && properties->count > 0 &&
		properties->tpmProperty[0].property == property;
	if (found)
		*ret = properties->tpmProperty[0].value;
	Esys_Free(capability);
	return found ? 0
		     : err_set(err, -EBADMSG, "the TPM does not tell its property %u", property);
}

/* Big endian characters: "IBM ", "2.0". */
static const char *text_of_property(uint32_t value, char ret[5])
{
	for (unsigned i = 0; i < 4; i++)
		ret[i] = (char)(value >> (24 - 8 * i));
	ret[4] = '\0';
	return ret;
}

static int check_state(struct tpm *t, struct failure *f)
{
	char family[5];
	char maker[5];
	uint32_t permanent = 0;
	uint32_t value = 0;
	int rc = read_property(t, TPM2_PT_FAMILY_INDICATOR, &value, &f->err);

	if (rc == 0)
		(void)text_of_property(value, family);
	if (rc == 0)
		rc = read_property(t, TPM2_PT_MANUFACTURER, &value, &f->err);
	if (rc == 0)
		rc = read_property(t, TPM2_PT_PERMANENT, &permanent, &f->err);
	if (rc < 0)
		return not_able_because(f);
	log_event(LOG_INTEGRITY_FINDING, NULL, "a TPM %s answers, made by %s", family,
		  text_of_property(value, maker));
	if (permanent & TPMA_PERMANENT_OWNERAUTHSET)
		return not_able(f, "the TPM's owner authorization is set, expected an empty one");
	return 0;
}

int ability_not_locked_out(struct tpm *t, struct failure *f)
{
	uint32_t permanent = 0;

	if (read_property(t, TPM2_PT_PERMANENT, &permanent, &f->err) < 0)
		return not_able_because(f);
	if (permanent & TPMA_PERMANENT_INLOCKOUT)
		return not_able(f, "the TPM is locked out: wait, or clear the lockout");
	return 0;
}

static int check_rsa(struct tpm *t, struct failure *f)
{
	static const TPMT_PUBLIC_PARMS rsa_2048 = {
		.type = TPM2_ALG_RSA,
		.parameters = {.rsaDetail = {.symmetric = {.algorithm = TPM2_ALG_NULL},
					     .scheme = {.scheme = TPM2_ALG_OAEP,
							.details = {.oaep = {TPM2_ALG_SHA256}}},
					     .keyBits = 2048}},
	};
	TSS2_RC rc = TPM_CALL(
		t, Esys_TestParms(t->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &rsa_2048));

	if (rc == TSS2_RC_SUCCESS)
		return 0;
	(void)tpm_fail(t, rc, &f->err, "RSA-2048 with OAEP-SHA256");
	return not_able_because(f);
}

/* Are all PCRs of the policy zero? Logs which ones are. */
static bool all_zero(const struct pcr_policy *policy)
{
	static const uint8_t zeros[sizeof(policy->values.values[0].buffer)];
	bool all = true;

	for (unsigned i = 0; i < TPM_PCR_COUNT; i++) {
		const TPM2B_DIGEST *value = &policy->values.values[i];

		if (!(policy->mask & (1u << i)))
			continue;
		if (memcmp(value->buffer, zeros, value->size) != 0)
			all = false;
		else
			log_event(LOG_INTEGRITY_FINDING, NULL,
				  "PCR %u (%s) is zero: nothing measures into it, and it says "
				  "nothing about this system",
				  i, tpm_bank_name(policy->bank));
	}
	return all;
}

/* Warns of PCRs into which nothing was measured: they say nothing about this system. */
static int check_pcrs(struct tpm *t, const struct config_integrity *config, struct pcr_policy *ret,
		      struct failure *f)
{
	memset(ret, 0, sizeof(*ret));
	ret->bank = tpm_bank(config->pcr_bank);
	ret->mask = config->pcrs;
	if (config->policy_key && policy_authority_load(config->policy_key, config->policy_nv_index,
							&ret->authority, &f->err) < 0)
		return not_able_because(f);
	if (!ret->mask)
		return 0;
	if (tpm_pcr_read(t, ret->bank, ret->mask, &ret->values, &f->err) < 0)
		return not_able_because(f);
	if (all_zero(ret))
		return not_able(f, "the selected PCRs are all zero: nothing measures into them");
	log_event(LOG_INTEGRITY_FINDING, NULL, "the bank %s has the selected PCRs",
		  config->pcr_bank);
	return 0;
}

static int foreign(struct failure *f, const char *what, TPM2_HANDLE handle)
{
	f->cause = CAUSE_NONE;
	return err_set(&f->err, -EOPNOTSUPP,
		       "what lies in the TPM at 0x%08x is not ours: expected %s, or nothing",
		       handle, what);
}

static int check_handles(struct tpm *t, const struct config_integrity *config,
			 const TPM2B_NAME *known, size_t n_known, const struct pcr_policy *policy,
			 struct failure *f)
{
	struct pin pin;

	for (unsigned i = 0; i < KEY_HANDLES; i++) {
		enum key_owner owner;

		if (wrapping_key_owner(t, config->key_handle + i, known, n_known, policy, &owner,
				       &f->err) < 0)
			return not_able_because(f);
		if (owner == KEY_FOREIGN)
			return foreign(f, "a wrapping key", config->key_handle + i);
	}
	if (pin_read(t, config->nv_index, NULL, &pin, &f->err) < 0)
		return not_able_because(f);
	if (pin.state == PIN_FOREIGN)
		return foreign(f, "a pin", config->nv_index);
	log_event(LOG_INTEGRITY_FINDING, NULL,
		  "the handles 0x%08x and 0x%08x and the NV index 0x%08x are free or ours",
		  config->key_handle, config->key_handle + 1, config->nv_index);
	return 0;
}

int ability_of_tpm(struct tpm *t, const struct config_integrity *config, const TPM2B_NAME *known,
		   size_t n_known, struct pcr_policy *ret_policy, struct failure *f)
{
	int rc = check_state(t, f);

	if (rc == 0)
		rc = check_rsa(t, f);
	if (rc == 0)
		rc = check_pcrs(t, config, ret_policy, f);
	if (rc == 0)
		rc = check_handles(t, config, known, n_known, ret_policy, f);
	return rc;
}
