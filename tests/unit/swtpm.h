/* SPDX-License-Identifier: GPL-3.0-or-later */
/* swtpm.h - a TPM of one's own: swtpm in a folder of its own, which ends with the test.
 *
 * It serves one client at a time: what else is to open it must wait until the world's is closed.
 */
#pragma once

#include "support.h"

#include <sys/types.h>

#include "tpm/tpm.h"

struct swtpm {
	char *folder;
	char tcti[256];
	pid_t pid;
};

void swtpm_start(struct swtpm *s);
/* With the same state: the power was off. */
void swtpm_power_cycle(struct swtpm *s);
void swtpm_end(struct swtpm *s);

/* For cmocka: *state is one. A group makes and ends it; each test begins with a TPM that is open
 * and cleared, and ends with nothing of it left loaded. */
struct tpm_world {
	struct swtpm swtpm;
	struct tpm t;
	struct err err;
};
int tpm_world_make(void **state);
int tpm_world_end(void **state);
int tpm_world_open(void **state);
int tpm_world_close(void **state);

/* Opens w->t again, with the power off between. */
void tpm_world_power_cycle(struct tpm_world *w);

/* rc is 0, or the test fails with what w->err says. */
void tpm_must(const struct tpm_world *w, int rc);
/* rc is code, and w->err says part. */
void tpm_refused(const struct tpm_world *w, int rc, int code, const char *part);

/* What is loaded. */
unsigned tpm_count_objects(struct tpm *t);
unsigned tpm_count_sessions(struct tpm *t);
/* TPM2_Clear: what the owner made is gone. */
void tpm_clear(struct tpm *t);
/* Extend PCR index, in all banks, by a digest of value only. */
void tpm_extend(struct tpm *t, unsigned index, uint8_t value);
/* Load a storage key on P-256 under the owner, which is quick to make. */
ESYS_TR tpm_make_quick_key(struct tpm *t);
void tpm_persist(struct tpm *t, ESYS_TR key, TPM2_HANDLE handle);
