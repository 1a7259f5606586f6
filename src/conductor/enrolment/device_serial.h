/* SPDX-License-Identifier: GPL-3.0-or-later */
/* device_serial.h - which device a device-ID certificate (IEEE 802.1AR) is of.
 *
 * The one serialNumber of its subject says so. If the subject has none, the one hwSerialNum
 * (HardwareModuleName, RFC 4108, 5) of its subjectAltName does: as text if all of its bytes may
 * stand in an asset-id, else as lower-case hex.
 */
#pragma once

#include <openssl/x509.h>

#include "base/err.h"

/* -EKEYREJECTED: it is not of the device with that asset-id, or not of one alone. */
int device_serial_check(X509 *leaf, const char *asset_id, struct err *err);
