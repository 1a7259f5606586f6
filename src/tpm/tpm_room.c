/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>
#include <tss2/tss2_sys.h>

#include "base/macros.h"
#include "tpm/tpm.h"

/* Only loaded sessions are flushed. Those whose context was saved stay, since their owner may
 * load them again. */
static const TPM2_HANDLE firsts[] = {
	0x80000000, /* TPM_HT_TRANSIENT: tss2's macro for it shifts into the sign */
	0x02000000, /* TPM_HT_LOADED_SESSION */
};

bool tpm_is_raw(const char *tcti)
{
	static const char device[] = "device:/dev/tpm";

	if (strncmp(tcti, device, strlen(device)) == 0)
		return tcti[strlen(device)] >= '0' && tcti[strlen(device)] <= '9';
	return strncmp(tcti, "swtpm", strlen("swtpm")) == 0 ||
	       strncmp(tcti, "mssim", strlen("mssim")) == 0;
}

/* Flushes by the TPM's own handle, since ESYS knows only objects that it loaded itself. */
static TSS2_RC flush(struct tpm *t, TPM2_HANDLE handle)
{
	TSS2_SYS_CONTEXT *sys = NULL;
	TSS2_RC rc = Esys_GetSysContext(t->esys, &sys);

	return rc == TSS2_RC_SUCCESS ? TPM_CALL(t, Tss2_Sys_FlushContext(sys, handle)) : rc;
}

static TSS2_RC flush_all(struct tpm *t, TPM2_HANDLE first)
{
	TPMS_CAPABILITY_DATA *loaded = NULL;
	TPMI_YES_NO more;
	TSS2_RC rc = TPM_CALL(t, Esys_GetCapability(t->esys, ESYS_TR_NONE, ESYS_TR_NONE,
						    ESYS_TR_NONE, TPM2_CAP_HANDLES, first,
						    TPM2_MAX_CAP_HANDLES, &more, &loaded));

	if (rc != TSS2_RC_SUCCESS)
		return rc;
	for (UINT32 i = 0; rc == TSS2_RC_SUCCESS && i < loaded->data.handles.count; i++)
		rc = flush(t, loaded->data.handles.handle[i]);
	Esys_Free(loaded);
	return rc;
}

int tpm_make_room(struct tpm *t, struct err *err)
{
	for (size_t i = 0; i < N_ELEMENTS(firsts); i++) {
		TSS2_RC rc = flush_all(t, firsts[i]);

		if (rc != TSS2_RC_SUCCESS)
			return tpm_fail(t, rc, err, "flush what was left in the TPM");
	}
	return 0;
}
