/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/enrolment/device_serial.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/macros.h"
#include "base/span.h"

#define HARDWARE_MODULE_NAME "1.3.6.1.5.5.7.8.4"
#define SERIAL_SIZE_MAX      63 /* bytes, as text: an asset-id's */
#define TOLD_MAX             100

static void free_names(GENERAL_NAMES **names)
{
	GENERAL_NAMES_free(*names);
}

static void free_sequence(ASN1_SEQUENCE_ANY **sequence)
{
	sk_ASN1_TYPE_pop_free(*sequence, ASN1_TYPE_free);
}

static int compare(const char *what, struct span found, const char *asset_id, struct err *err)
{
	if (found.size == strlen(asset_id) && memcmp(found.bytes, asset_id, found.size) == 0)
		return 0;
	return err_set(err, -EKEYREJECTED, "client certificate: %s is '%.*s', expected asset-id %s",
		       what, (int)MIN(found.size, (size_t)TOLD_MAX), (const char *)found.bytes,
		       asset_id);
}

static int check_subject(const X509_NAME *subject, int place, const char *asset_id, struct err *err)
{
	unsigned char *text = NULL;
	int size = ASN1_STRING_to_UTF8(
		&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, place)));
	int rc;

	if (size < 0)
		return err_set(err, -EKEYREJECTED, "client certificate: serialNumber is no text");
	rc = compare("serialNumber", span_of(text, (size_t)size), asset_id, err);
	OPENSSL_free(text);
	return rc;
}

static bool is_hardware_name(const GENERAL_NAME *name)
{
	char oid[sizeof(HARDWARE_MODULE_NAME) + 1];

	return name->type == GEN_OTHERNAME &&
	       OBJ_obj2txt(oid, sizeof(oid), name->d.otherName->type_id, 1) ==
		       (int)sizeof(HARDWARE_MODULE_NAME) - 1 &&
	       strcmp(oid, HARDWARE_MODULE_NAME) == 0;
}

/* HardwareModuleName ::= SEQUENCE { hwType OBJECT IDENTIFIER, hwSerialNum OCTET STRING }. Returns
 * the first bytes of it, and how many there are; -1 = it is malformed. */
static int read_serial(const GENERAL_NAME *name, uint8_t ret[SERIAL_SIZE_MAX])
{
	const ASN1_TYPE *value = name->d.otherName->value;
	_cleanup_(free_sequence) ASN1_SEQUENCE_ANY *sequence = NULL;
	const ASN1_OCTET_STRING *serial;
	const uint8_t *at;
	int size;

	if (value->type != V_ASN1_SEQUENCE)
		return -1;
	at = value->value.sequence->data;
	sequence = d2i_ASN1_SEQUENCE_ANY(NULL, &at, value->value.sequence->length);
	if (!sequence || sk_ASN1_TYPE_num(sequence) != 2 ||
	    sk_ASN1_TYPE_value(sequence, 0)->type != V_ASN1_OBJECT ||
	    sk_ASN1_TYPE_value(sequence, 1)->type != V_ASN1_OCTET_STRING)
		return -1;
	serial = sk_ASN1_TYPE_value(sequence, 1)->value.octet_string;
	size = ASN1_STRING_length(serial);
	memcpy(ret, ASN1_STRING_get0_data(serial), MIN((size_t)size, (size_t)SERIAL_SIZE_MAX));
	return size;
}

static bool is_text(struct span serial)
{
	for (size_t i = 0; i < serial.size; i++)
		if (!isascii(serial.bytes[i]) ||
		    (!isalnum(serial.bytes[i]) && !memchr("._-", serial.bytes[i], 3)))
			return false;
	return true;
}

static int check_hardware(const GENERAL_NAME *name, const char *asset_id, struct err *err)
{
	uint8_t bytes[SERIAL_SIZE_MAX];
	char hex[2 * SERIAL_SIZE_MAX + 1];
	int size = read_serial(name, bytes);

	ERR_clear_error();
	if (size <= 0 || size > SERIAL_SIZE_MAX)
		return err_set(
			err, -EKEYREJECTED,
			"client certificate: its hwSerialNum is malformed, or not of 1 to %d "
			"bytes",
			SERIAL_SIZE_MAX);
	if (is_text(span_of(bytes, (size_t)size)))
		return compare("hwSerialNum", span_of(bytes, (size_t)size), asset_id, err);
	hex_encode(span_of(bytes, (size_t)size), hex);
	return compare("hwSerialNum in hex", span_of_string(hex), asset_id, err);
}

static int refuse_number(const char *found, struct err *err)
{
	return err_set(err, -EKEYREJECTED,
		       "client certificate: expected one serialNumber in its subject, or without "
		       "it one hwSerialNum in its subjectAltName, found %s",
		       found);
}

static int check_alternative(X509 *leaf, const char *asset_id, struct err *err)
{
	_cleanup_(free_names) GENERAL_NAMES *names =
		X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
	const GENERAL_NAME *found = NULL;

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (!is_hardware_name(name))
			continue;
		if (found)
			return refuse_number("several", err);
		found = name;
	}
	ERR_clear_error();
	return found ? check_hardware(found, asset_id, err) : refuse_number("none", err);
}

int device_serial_check(X509 *leaf, const char *asset_id, struct err *err)
{
	const X509_NAME *subject = X509_get_subject_name(leaf);
	int first = X509_NAME_get_index_by_NID(subject, NID_serialNumber, -1);

	if (first < 0)
		return check_alternative(leaf, asset_id, err);
	if (X509_NAME_get_index_by_NID(subject, NID_serialNumber, first) >= 0)
		return refuse_number("several", err);
	return check_subject(subject, first, asset_id, err);
}
