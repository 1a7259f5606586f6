/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tcti_lies.h"

#include "support.h"

#include <sys/mman.h>
#include <tss2/tss2_tcti.h>
#include <tss2/tss2_tctildr.h>
#include <tss2/tss2_tpm2_types.h>

#define HEADER_SIZE 10

struct lies *lies;

struct context {
	TSS2_TCTI_CONTEXT_COMMON_V2 common;
	TSS2_TCTI_CONTEXT *real;
	bool answers; /* itself */
};

void lies_make(void)
{
	lies = mmap(NULL, sizeof(*lies), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(lies != MAP_FAILED);
}

void lies_tell(unsigned n, uint32_t code, bool for_ever)
{
	memset(lies, 0, sizeof(*lies));
	lies->n = n;
	lies->code = code;
	lies->for_ever = for_ever;
}

uint32_t lies_end(void)
{
	unsigned n = lies->n;
	uint32_t command = n > 0 && lies->n_commands >= n ? lies->commands[n - 1] : 0;

	memset(lies, 0, sizeof(*lies));
	return command;
}

static uint32_t number_at(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

static bool is_lied_about(uint32_t command)
{
	if (lies->n_commands < LIES_COMMANDS_MAX)
		lies->commands[lies->n_commands] = command;
	lies->n_commands++;
	if (lies->n == 0 || lies->n_commands < lies->n)
		return false;
	return lies->n_commands == lies->n ||
	       (lies->for_ever && command == lies->commands[lies->n - 1]);
}

static bool memory_is_locked(void)
{
	FILE *status = fopen("/proc/self/status", "r");
	unsigned long kib = 0;
	char line[256];

	while (status && fgets(line, sizeof(line), status))
		(void)sscanf(line, "VmLck: %lu", &kib);
	if (status)
		(void)fclose(status);
	return kib > 1024;
}

static TSS2_RC transmit(TSS2_TCTI_CONTEXT *tcti, size_t size, const uint8_t *command)
{
	struct context *c = (struct context *)tcti;

	if (lies && size >= HEADER_SIZE &&
	    (number_at(command + 6) == TPM2_CC_RSA_Decrypt ||
	     number_at(command + 6) == TPM2_CC_GetRandom) &&
	    !memory_is_locked())
		lies->n_unlocked++;
	c->answers = lies && size >= HEADER_SIZE && is_lied_about(number_at(command + 6));
	return c->answers ? TSS2_RC_SUCCESS : Tss2_Tcti_Transmit(c->real, size, command);
}

static TSS2_RC receive(TSS2_TCTI_CONTEXT *tcti, size_t *size, uint8_t *response, int32_t timeout)
{
	struct context *c = (struct context *)tcti;
	const uint8_t answer[HEADER_SIZE] = {
		0x80,
		0x01,
		0,
		0,
		0,
		HEADER_SIZE,
		(uint8_t)(lies->code >> 24),
		(uint8_t)(lies->code >> 16),
		(uint8_t)(lies->code >> 8),
		(uint8_t)lies->code,
	};

	if (!c->answers)
		return Tss2_Tcti_Receive(c->real, size, response, timeout);
	*size = sizeof(answer);
	if (response)
		memcpy(response, answer, sizeof(answer));
	return TSS2_RC_SUCCESS;
}

TSS2_RC __real_Tss2_TctiLdr_Initialize(const char *conf, TSS2_TCTI_CONTEXT **ret);
void __real_Tss2_TctiLdr_Finalize(TSS2_TCTI_CONTEXT **tcti);
TSS2_RC __wrap_Tss2_TctiLdr_Initialize(const char *conf, TSS2_TCTI_CONTEXT **ret);
void __wrap_Tss2_TctiLdr_Finalize(TSS2_TCTI_CONTEXT **tcti);

TSS2_RC __wrap_Tss2_TctiLdr_Initialize(const char *conf, TSS2_TCTI_CONTEXT **ret)
{
	struct context *c = calloc(1, sizeof(*c));
	TSS2_RC rc;

	assert_non_null(c);
	rc = __real_Tss2_TctiLdr_Initialize(conf, &c->real);
	if (rc != TSS2_RC_SUCCESS) {
		free(c);
		return rc;
	}
	c->common.v1.magic = 0x4c494553;
	c->common.v1.version = 2;
	c->common.v1.transmit = transmit;
	c->common.v1.receive = receive;
	*ret = (TSS2_TCTI_CONTEXT *)c;
	return TSS2_RC_SUCCESS;
}

void __wrap_Tss2_TctiLdr_Finalize(TSS2_TCTI_CONTEXT **tcti)
{
	struct context *c = *tcti ? (struct context *)*tcti : NULL;

	if (c) {
		__real_Tss2_TctiLdr_Finalize(&c->real);
		free(c);
	}
	*tcti = NULL;
}
