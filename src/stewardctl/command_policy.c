/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Signed PCR policies: made where the operator's key is, and brought to where they are to open. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/atomic_file.h"
#include "base/macros.h"
#include "config/config.h"
#include "integrity/policy_store.h"
#include "stewardctl/command_place.h"
#include "stewardctl/commands.h"
#include "stewardctl/harmless.h"

#define POLICY_NV_INDEX 0x01800129 /* as in steward.json(5) */

static void free_text(char **text)
{
	free(*text);
}

static int wrong(const char *what, const char *value, const char *expected)
{
	(void)fprintf(stderr, "stewardctl: %s '%s': expected %s\n", what, value, expected);
	return EXIT_USAGE;
}

/* Reads a number that consists of digits alone: strtoull() would also take blanks and signs. */
static bool read_number(const char *text, int base, uint64_t max, uint64_t *ret)
{
	char *end = NULL;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	*ret = strtoull(text, &end, base);
	return errno == 0 && *end == '\0' && *ret <= max;
}

static int read_words(const struct invocation *invocation, struct signed_policy *ret)
{
	const char *bank = invocation_value(invocation, "bank");
	const char *generation = invocation_value(invocation, "generation");
	const char *name = invocation_value(invocation, "name");
	const char *index = invocation_value(invocation, "policy-nv-index");
	uint64_t counter = POLICY_NV_INDEX;

	ret->pcrs.bank = tpm_bank(bank ? bank : "sha256");
	if (ret->pcrs.bank == TPM2_ALG_ERROR)
		return wrong("bank", bank, "sha1, sha256, sha384 or sha512");
	ret->generation = 1;
	if (generation &&
	    (!read_number(generation, 10, UINT32_MAX, &ret->generation) || !ret->generation))
		return wrong("generation", generation, "1 to 4294967295");
	if (index && (!read_number(index, 16, UINT32_MAX, &counter) || counter >> 24 != 1))
		return wrong("policy-nv-index", index, "0x01000000 to 0x01ffffff");
	ret->counter = (TPM2_HANDLE)counter;
	if (name && !signed_policy_name_is_valid(name))
		return wrong("name", name, "up to 63 letters, digits, blanks and ._+-");
	if (name)
		(void)snprintf(ret->name, sizeof(ret->name), "%s", name);
	else
		(void)snprintf(ret->name, sizeof(ret->name), "generation %llu",
			       (unsigned long long)ret->generation);
	ret->ends_older = invocation_value(invocation, "ends-older") != NULL;
	return EXIT_DONE;
}

static int sign(struct signed_policy *policy, const char *path, struct err *err)
{
	struct jws_key key = {0};
	int rc = jws_key_load_private(&key, path, err);

	if (rc == 0)
		rc = signed_policy_sign(policy, &key, err);
	jws_key_release(&key);
	return rc;
}

static int write_out(const struct signed_policy *policy, const char *output, struct err *err)
{
	_cleanup_(free_text) char *text = signed_policy_print(policy);

	if (!text)
		return err_set(err, -ENOMEM, "out of memory");
	if (output)
		return atomic_file_write(output, span_of_string(text), 0644, err);
	return fputs(text, stdout) == EOF || fflush(stdout) == EOF
		       ? err_set(err, -EIO, "cannot write to standard output")
		       : 0;
}

int command_create_policy(const struct invocation *invocation)
{
	const char *output = invocation_value(invocation, "output");
	struct signed_policy policy = {0};
	struct err err;
	int rc = read_words(invocation, &policy);

	if (rc != EXIT_DONE)
		return rc;
	if (signed_policy_read_pcrs(&policy, invocation_value(invocation, "pcr"), &err) < 0) {
		harmless_complain(&err);
		return EXIT_USAGE;
	}
	if (sign(&policy, invocation_value(invocation, "key"), &err) < 0 ||
	    write_out(&policy, output, &err) < 0) {
		harmless_complain(&err);
		return EXIT_REFUSED;
	}
	if (output)
		(void)printf("%s is made and signed\n", output);
	return EXIT_DONE;
}

/* If no daemon runs, root puts the policy where the next boot looks for it. */
static int add_here(const struct invocation *invocation, struct span text)
{
	_cleanup_(config_freep) struct config *config = NULL;
	const char *path = invocation->config ? invocation->config : config_default_path();
	struct err err;

	if (config_load_early(&config, path, CONFIG_ANY, &err) < 0 ||
	    policy_store_add(&config->integrity, text, &err) < 0) {
		harmless_complain(&err);
		return EXIT_REFUSED;
	}
	return EXIT_DONE;
}

static int ask_for(const struct invocation *invocation, const char *what, const char *method,
		   const char *text, void (*show)(const cJSON *answer))
{
	const char *router = invocation_value(invocation, "router");
	struct command_place place;
	int rc = command_find_place(invocation, &place);

	if (rc != EXIT_DONE)
		return rc;
	if (place.is_through_conductor)
		(void)snprintf(place.downloads, sizeof(place.downloads),
			       "/v1/routers/%s/integrity/%s", router, what);
	else
		(void)snprintf(place.downloads, sizeof(place.downloads), "/v1/integrity/%s", what);
	return command_ask_place(invocation, &place, method, NULL, "", text, show);
}

static void print_recovery(const cJSON *answer)
{
	char *text = cJSON_PrintUnformatted(answer);

	(void)puts(text ? text : "{}");
	free(text);
}

int command_show_recovery(const struct invocation *invocation)
{
	return ask_for(invocation, "recovery", "GET", NULL, print_recovery);
}

int command_add_policy(const struct invocation *invocation)
{
	_cleanup_(free_text) char *text = NULL;
	struct client client = command_client(invocation);
	const bool elsewhere =
		invocation_value(invocation, "router") || invocation_value(invocation, "node");
	size_t size;
	struct err err;

	if (file_read(invocation_value(invocation, "file"), SIGNED_POLICY_SIZE_MAX, &text, &size,
		      &err) < 0) {
		harmless_complain(&err);
		return EXIT_REFUSED;
	}
	if (!elsewhere && (invocation->config || access(client.socket, F_OK) < 0))
		return add_here(invocation, span_of(text, size));
	return ask_for(invocation, "policy", "PUT", text, NULL);
}
