/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "integrity/findings.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/macros.h"
#include "config/config.h"
#include "integrity/fscrypt.h"
#include "integrity/mounts.h"
#include "integrity/seal_record.h"
#include "integrity/tpm_child_retry.h"

/* What the child that speaks to the TPM gets and gives back. */
struct probe {
	const struct config_integrity *config;
	const struct seal_record *record_new; /* NULL = none that can be read */
	TPM2_HANDLE named[NAMED_INDICES_MAX];
	size_t n_named;
	unsigned patience_ms;
	bool opened;
	enum pin_state pin;
	bool pin_matches;
	TPM2_HANDLE unnamed[PINS_MAX];
	size_t n_unnamed;
};

bool findings_enabled(const struct config_integrity *config)
{
	return config->enabled && config->n_directories > 0;
}

static size_t name_indices(const struct config_integrity *config, TPM2_HANDLE *ret)
{
	for (unsigned i = 0; i < PIN_CHAIN_MAX; i++)
		ret[i] = pin_index(config->nv_index, i);
	return PIN_CHAIN_MAX;
}

size_t findings_named_indices(const struct config_integrity *config,
			      TPM2_HANDLE ret[NAMED_INDICES_MAX])
{
	static const char *const files[] = {"/etc/steward/steward.json",
					    "/etc/steward/conductor.json"};
	size_t n = name_indices(config, ret);

	for (size_t i = 0; i < N_ELEMENTS(files); i++) {
		_cleanup_(config_freep) struct config *other = NULL;
		struct err err;

		if (access(files[i], F_OK) == 0 &&
		    config_load_early(&other, files[i], CONFIG_ANY, &err) == 0 &&
		    findings_enabled(&other->integrity))
			n += name_indices(&other->integrity, ret + n);
	}
	return n;
}

unsigned findings_patience_ms(bool has_something)
{
	static const char *const signs[] = {"/sys/firmware/acpi/tables/TPM2",
					    "/sys/class/tpm/tpm0"};

	for (size_t i = 0; i < N_ELEMENTS(signs) && !has_something; i++)
		has_something = access(signs[i], F_OK) == 0;
	return has_something ? TPM_DEVICE_WAIT_MS : 0;
}

static int read_pins(struct tpm *t, struct probe *p, struct err *err)
{
	uint8_t expected[PIN_SIZE];
	struct pin pin;
	int rc = pin_read(t, p->config->nv_index, NULL, &pin, err);

	if (rc < 0)
		return rc;
	p->pin = pin.state;
	p->pin_matches = p->record_new && pin_is_written(pin.state) &&
			 seal_record_pin(p->record_new, expected) == 0 &&
			 memcmp(pin.digest, expected, PIN_SIZE) == 0;
	return pin_find_others(t, p->named, p->n_named, p->unnamed, PINS_MAX, &p->n_unnamed, err);
}

static int probe_in_child(struct tpm *t, void *shared, struct failure *f)
{
	struct probe *p = shared;
	int rc;

	p->opened = true;
	rc = read_pins(t, p, &f->err);
	return rc < 0 ? failure_because(f, failure_tpm_cause(rc)) : 0;
}

/* A TPM that could be opened counts as present, even if it then stopped answering. */
static enum boot_tpm probe_tpm(struct probe *p, struct findings *ret)
{
	int rc = tpm_child_ask(p->config->tcti, p->patience_ms, probe_in_child, p, &ret->of_tpm);

	if (rc < 0) {
		log_debug("no pin is read: %s", ret->of_tpm.err.text);
		return rc == -ENODEV && !p->opened ? BOOT_TPM_ABSENT : BOOT_TPM_FAILS;
	}
	ret->boot.pin = p->pin;
	ret->boot.pin_matches = p->pin_matches;
	ret->boot.pin_unnamed = p->n_unnamed > 0;
	memcpy(ret->unnamed, p->unnamed, sizeof(ret->unnamed));
	ret->n_unnamed = p->n_unnamed;
	return BOOT_TPM_ANSWERS;
}

static enum boot_record find_record(const struct config_integrity *config)
{
	if (seal_record_exists(config->record_directory, SEAL_RECORD_FILE))
		return RECORD_WHOLE;
	if (seal_record_exists(config->record_directory, SEAL_RECORD_NEW_FILE))
		return RECORD_NEW;
	return RECORD_NONE;
}

static bool find_mounts(const struct config_integrity *config, struct failure *f)
{
	if (mount_check(config->record_directory, f) < 0)
		return true;
	for (size_t i = 0; i < config->n_directories; i++)
		if (mount_check(config->directories[i], f) < 0)
			return true;
	return false;
}

static bool has_encrypted(const struct config_integrity *config)
{
	for (size_t i = 0; i < config->n_directories; i++) {
		struct fscrypt_directory found;
		struct failure ignored;

		if (fscrypt_inspect(config->directories[i], &found, &ignored) == 0 &&
		    found.state != FSCRYPT_ABSENT && found.state != FSCRYPT_PLAIN)
			return true;
	}
	return false;
}

static void find_in_tpm(const struct config_integrity *config, struct probe *p,
			struct findings *ret)
{
	const bool has_something = ret->boot.record == RECORD_NEW || ret->boot.not_mounted ||
				   (ret->boot.enabled && has_encrypted(config));
	struct seal_record record_new = {0};

	p->config = config;
	p->n_named = findings_named_indices(config, p->named);
	/* If nothing is to be encrypted, we do not wait for the TPM. */
	p->patience_ms =
		has_something || ret->boot.enabled ? findings_patience_ms(has_something) : 0;
	if (ret->boot.record == RECORD_NEW &&
	    seal_record_load(&record_new, config->record_directory, SEAL_RECORD_NEW_FILE, NULL) ==
		    0)
		p->record_new = &record_new;
	ret->boot.tpm = probe_tpm(p, ret);
	seal_record_release(&record_new);
}

int findings_gather(const struct config_integrity *config, struct findings *ret, struct failure *f)
{
	struct probe *p;

	memset(ret, 0, sizeof(*ret));
	ret->boot.enabled = findings_enabled(config);
	ret->boot.record = find_record(config);
	if (ret->boot.record == RECORD_WHOLE)
		return 0;
	ret->boot.not_mounted = ret->boot.enabled && find_mounts(config, &ret->of_mount);
	p = tpm_child_alloc(sizeof(*p), f);
	if (!p)
		return f->err.code;
	find_in_tpm(config, p, ret);
	tpm_child_free(p, sizeof(*p));
	return 0;
}

bool findings_are_outdated(const struct config_integrity *config, const struct findings *found)
{
	struct failure ignored;

	return find_record(config) != found->boot.record ||
	       (found->boot.not_mounted && !find_mounts(config, &ignored));
}

int findings_unnamed_pins(const struct config_integrity *config, TPM2_HANDLE ret[PINS_MAX],
			  size_t *ret_n, struct failure *f)
{
	struct probe *p = tpm_child_alloc(sizeof(*p), f);
	int rc;

	if (!p)
		return f->err.code;
	p->config = config;
	p->n_named = findings_named_indices(config, p->named);
	rc = tpm_child_ask(config->tcti, p->patience_ms, probe_in_child, p, f);
	if (rc == 0) {
		memcpy(ret, p->unnamed, sizeof(p->unnamed));
		*ret_n = p->n_unnamed;
	}
	tpm_child_free(p, sizeof(*p));
	return rc;
}
