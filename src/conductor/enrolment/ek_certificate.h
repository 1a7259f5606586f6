/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ek_certificate.h - checks the certificate that a TPM's maker gave its endorsement key.
 *
 * It says that a genuine TPM has this key, and nothing of the machine around it: it names no
 * router. That the router has that TPM is proved by the credential which only the key opens.
 */
#pragma once

#include "base/err.h"
#include "base/span.h"
#include "conductor/enrolment/device_certificate.h"

/* chain is DER: the EK's certificate, and what may help to find a way to one of ca, which alone is
 * trusted. ek is the DER SubjectPublicKeyInfo that was shown, which must be that of the
 * certificate's key, byte for byte: it becomes the pin. The certificate must lead to one of ca and
 * be valid at now_s; its extended key usage must have tcg-kp-EKCertificate, its key usage, if it
 * has one, what encrypts to such a key (TCG EK Credential Profile 2.3, 3.2), and it must be no
 * CA's. -EKEYREJECTED, -EBADMSG, -ENOMEM. */
int ek_certificate_check(const struct device_ca *ca, const struct span *chain, size_t n,
			 struct span ek, uint64_t now_s, struct err *err);
