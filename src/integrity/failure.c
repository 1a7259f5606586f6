/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "integrity/failure.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static const char *const step_names[N_STEPS] = {
	[STEP_START] = "start", [STEP_LOCATE] = "locate", [STEP_UNSEAL] = "unseal",
	[STEP_PASS] = "pass",   [STEP_UNLOCK] = "unlock", [STEP_ENABLE] = "enable",
};

#define REPROVISION                                                                                \
	"This system must be reprovisioned: clean install, or RMA. A factory reset is not "        \
	"possible."
#define OR_REPROVISION                                                                             \
	"Without one this system must be reprovisioned: clean install, or RMA. A factory reset "   \
	"is "                                                                                      \
	"not possible."
#define ZEROIZE "'stewardctl request configuration-integrity zeroize'"
#define RESEAL  "'stewardctl request configuration-integrity reseal'"

static const struct {
	const char *name;
	const char *advice;
} causes[N_CAUSES] = {
	[CAUSE_NONE] = {"none", ""},
	[CAUSE_NO_TPM] = {"no TPM",
			  "Switch the TPM on in the firmware's setup, or see why its driver does "
			  "not find it. Nothing is lost."},
	[CAUSE_TPM_IN_USE] = {"TPM in use",
			      "End the program that holds the TPM's device, or configure the "
			      "kernel's resource manager: device:/dev/tpmrm0. Nothing is lost."},
	[CAUSE_TPM_SILENT] = {"TPM silent",
			      "Switch the machine off and on again: a reset may not reset the TPM. "
			      "Nothing is lost."},
	[CAUSE_TPM_AUTHORIZATION] = {"TPM authorization set",
				     "Make the hierarchy's authorization empty again "
				     "(tpm2_changeauth). Nothing is lost."},
	[CAUSE_ANOTHER_TPM] = {"another TPM", "If this disk belongs to another machine, put it "
					      "back there. If not: " REPROVISION},
	[CAUSE_TPM_CLEARED] = {"TPM cleared", REPROVISION},
	[CAUSE_KEY_REPLACED] = {"wrapping key replaced", REPROVISION},
	[CAUSE_RECORD_CHANGED] =
		{"record changed or forged",
		 "Put record.json back from a copy of after the last reseal. " OR_REPROVISION},
	[CAUSE_RECORD_REMOVED] =
		{"record removed",
		 "Put record.json back from a copy of after the last reseal. If this is a clean "
		 "install and nothing of the old one is wanted: " ZEROIZE "."},
	[CAUSE_RECORD_LOST] = {"record and pin lost", REPROVISION},
	[CAUSE_PIN_UNNAMED] = {"unnamed pin",
			       "Configure the nv-index that it has, since somebody may "
			       "have changed that. If nothing of what it protects is "
			       "wanted: " ZEROIZE "."},
	[CAUSE_NOT_MOUNTED] = {"not mounted",
			       "Mend the filesystem or its disk, and mount it. Nothing is lost."},
	[CAUSE_PCR_MISMATCH] =
		{"PCR mismatch",
		 "Start the firmware and the software that it was sealed for; then " RESEAL
		 " if what was measured now is to hold. Nothing is lost."},
	[CAUSE_PCR_BANK] = {"PCR bank gone",
			    "Switch the bank on again in the firmware's setup, or with "
			    "tpm2_pcrallocate. Nothing is lost."},
	[CAUSE_SEALED] = {"sealed until the next boot",
			  "Restart the system: a reboot, not kexec. To reseal or to add a "
			  "directory, configure seal-after-boot false before. Nothing is lost."},
	[CAUSE_NO_POLICY] = {"no signed policy fits",
			     "Start what was signed; or sign what is measured now, as the journal "
			     "tells it, with 'stewardctl create configuration-integrity policy'. "
			     "Nothing is lost."},
	[CAUSE_DIRECTORY_PLAIN] = {"directory plain",
				   "What is in it was not sealed here. If the sealed "
				   "directory is elsewhere, put it back; if not: " REPROVISION},
	[CAUSE_DIRECTORY_FOREIGN] =
		{"directory foreign",
		 "If the sealed directory is elsewhere, put it back; if not: " REPROVISION},
	[CAUSE_DIRECTORY_SYMLINK] = {"directory a symlink",
				     "Put the directory itself in the place of the link."},
	[CAUSE_DIRECTORY_MISSING] =
		{"directory missing",
		 "If the sealed directory is elsewhere, put it back; if not: " REPROVISION},
	[CAUSE_DIRECTORY_ADDED] =
		{"directory added",
		 "Make it absent or empty, on a filesystem that encrypts, or take it "
		 "out of the configuration. Nothing is lost."},
	[CAUSE_METADATA_MISSING] = {"fscrypt's metadata missing",
				    "Put .fscrypt back from a copy. " OR_REPROVISION},
	[CAUSE_FSCRYPT_NOT_SET_UP] =
		{"fscrypt not set up",
		 "Run 'fscrypt setup'; where /etc is not kept from boot to boot, "
		 "have fscrypt.conf in the image. Nothing is lost."},
	[CAUSE_FSCRYPT_MISSING] = {"fscrypt missing",
				   "Install the package fscrypt. Nothing is lost."},
	[CAUSE_FSCRYPT_REFUSED] =
		{"fscrypt refused",
		 "See what it says. If what it keeps in .fscrypt is damaged, put that back from a "
		 "copy. " OR_REPROVISION},
	[CAUSE_CONFIGURATION] = {"configuration",
				 "Correct it ('integrity-handler --check' says what is read), and "
				 "reboot. Nothing is lost."},
	[CAUSE_REQUIRED] = {"required, but not possible",
			    "Mend what the reason says, or do not require it. Nothing is lost."},
	[CAUSE_TPM_NOT_READY] =
		{"TPM not ready",
		 "It is asked again by itself. If it stays: end programs that use the TPM, or "
		 "switch the machine off and on again. Nothing is lost."},
	[CAUSE_TPM_ERROR] = {"TPM error",
			     "Switch the machine off and on again. If it stays, the TPM is "
			     "broken. " REPROVISION},
	[CAUSE_READ_ONLY] = {"filesystem read-only",
			     "Mount it writable; if the kernel made it read-only, check the disk. "
			     "Nothing is lost."},
	[CAUSE_FULL] = {"filesystem full",
			"Make room: bytes (df) or inodes (df -i). Nothing is lost."},
	[CAUSE_SYSTEM] = {"system error", "Mend what the reason says. Nothing is lost."},
};

const char *integrity_step_name(enum integrity_step step)
{
	return step_names[step];
}

const char *integrity_cause_name(enum integrity_cause cause)
{
	return causes[cause].name;
}

const char *integrity_cause_advice(enum integrity_cause cause)
{
	return causes[cause].advice;
}

/* Two of the errors that the system returns are so common that they have causes of their own. */
static enum integrity_cause refine(enum integrity_cause cause, int code)
{
	if (cause != CAUSE_SYSTEM)
		return cause;
	switch (code) {
	case -EROFS:
		return CAUSE_READ_ONLY;
	case -ENOSPC:
	case -EDQUOT:
		return CAUSE_FULL;
	default:
		return CAUSE_SYSTEM;
	}
}

enum integrity_cause failure_tpm_cause(int code)
{
	switch (code) {
	case -ENODEV:
	case -EBADMSG:
		return CAUSE_TPM_ERROR;
	case -ETXTBSY:
		return CAUSE_TPM_IN_USE;
	case -EPERM:
		return CAUSE_TPM_AUTHORIZATION;
	case -ENOMEM:
	case -EIO:
	case -EROFS:
	case -EDQUOT:
		return CAUSE_SYSTEM; /* an error of this system, not of the TPM */
	default:
		return CAUSE_TPM_NOT_READY;
	}
}

int failure_set(struct failure *f, enum integrity_cause cause, int code, const char *format, ...)
{
	char text[ERR_TEXT_SIZE];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	f->cause = refine(cause, code);
	return err_set(&f->err, code, "%s: %s", causes[f->cause].name, text);
}

int failure_because(struct failure *f, enum integrity_cause cause)
{
	f->cause = refine(cause, f->err.code);
	return err_wrap(&f->err, "%s", causes[f->cause].name);
}
