#include "integrity/failure.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const step_names[N_STEPS] = {
	[STEP_START] = "start", [STEP_LOCATE] = "locate", [STEP_UNSEAL] = "unseal",
	[STEP_PASS] = "pass",   [STEP_UNLOCK] = "unlock", [STEP_ENABLE] = "enable",
};

static const char *const cause_names[N_CAUSES] = {
	[CAUSE_NONE] = "none",
	[CAUSE_NO_TPM] = "no TPM",
	[CAUSE_ANOTHER_TPM] = "another TPM",
	[CAUSE_TPM_CLEARED] = "TPM cleared",
	[CAUSE_KEY_REPLACED] = "wrapping key replaced",
	[CAUSE_RECORD_CHANGED] = "record changed or forged",
	[CAUSE_RECORD_REMOVED] = "record removed",
	[CAUSE_RECORD_LOST] = "record and pin lost",
	[CAUSE_PCR_MISMATCH] = "PCR mismatch",
	[CAUSE_DIRECTORY_PLAIN] = "directory plain",
	[CAUSE_DIRECTORY_FOREIGN] = "directory foreign",
	[CAUSE_DIRECTORY_SYMLINK] = "directory a symlink",
	[CAUSE_DIRECTORY_MISSING] = "directory missing",
	[CAUSE_METADATA_MISSING] = "fscrypt's metadata missing",
	[CAUSE_FSCRYPT_MISSING] = "fscrypt missing",
	[CAUSE_FSCRYPT_REFUSED] = "fscrypt refused",
	[CAUSE_CONFIGURATION] = "configuration",
	[CAUSE_REQUIRED] = "required, but not possible",
	[CAUSE_TPM_ERROR] = "TPM error",
	[CAUSE_SYSTEM] = "system error",
};

const char *integrity_step_name(enum integrity_step step)
{
	return step_names[step];
}

const char *integrity_cause_name(enum integrity_cause cause)
{
	return cause_names[cause];
}

int failure_set(struct failure *f, enum integrity_cause cause, int code, const char *format, ...)
{
	char text[ERR_TEXT_SIZE];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	f->cause = cause;
	return err_set(&f->err, code, "%s: %s", cause_names[cause], text);
}

int failure_because(struct failure *f, enum integrity_cause cause)
{
	f->cause = cause;
	return err_wrap(&f->err, "%s", cause_names[cause]);
}
