/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/key_bounds.h"

#include <errno.h>
#include <openssl/asn1.h>
#include <openssl/err.h>

#include "base/macros.h"

/* What ASN1_get_object() returns beside V_ASN1_CONSTRUCTED. */
#define FAILED     0x80
#define INDEFINITE 1

#define SEQUENCE (V_ASN1_SEQUENCE | V_ASN1_CONSTRUCTED)
#define VERSION  (0 | V_ASN1_CONTEXT_SPECIFIC | V_ASN1_CONSTRUCTED)

/* OBJECT IDENTIFIERs, their content. */
#define RSA_OID     "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01" /* rsaEncryption */
#define EC_OID      "\x2a\x86\x48\xce\x3d\x02\x01"         /* id-ecPublicKey */
#define ED25519_OID "\x2b\x65\x70"

static const struct {
	const char *bytes;
	size_t size;
} curves[] = {
	{"\x2a\x86\x48\xce\x3d\x03\x01\x07", 8}, /* P-256 */
	{"\x2b\x81\x04\x00\x22", 5},             /* P-384 */
	{"\x2b\x81\x04\x00\x23", 5},             /* P-521 */
};

static bool is(struct span span, const char *bytes, size_t size)
{
	return span.size == size && memcmp(span.bytes, bytes, size) == 0;
}

/* Takes the element at the front, which must have a definite length, and returns its content.
 * *ret_tag is its first byte: class, whether it is constructed, and number. */
static bool take_any(struct span *rest, int *ret_tag, struct span *ret)
{
	const unsigned char *at = rest->bytes;
	long size = 0;
	int class = 0;
	int flags = ASN1_get_object(&at, &size, ret_tag, &class, (long)rest->size);

	if (flags & FAILED || flags & INDEFINITE) {
		ERR_clear_error();
		return false;
	}
	*ret_tag |= class | (flags & V_ASN1_CONSTRUCTED);
	*ret = span_of(at, (size_t)size);
	*rest = span_of(at + size, rest->size - (size_t)(at + size - rest->bytes));
	return true;
}

static bool take(struct span *rest, int tag, struct span *ret)
{
	int found = 0;

	return take_any(rest, &found, ret) && found == tag;
}

/* A number without its leading zeros. */
static struct span number(struct span bytes)
{
	while (bytes.size > 0 && bytes.bytes[0] == 0)
		bytes = span_of(bytes.bytes + 1, bytes.size - 1);
	return bytes;
}

static size_t bits_of(struct span n)
{
	size_t bits = n.size * 8;

	if (n.size == 0)
		return 0;
	for (unsigned mask = 0x80; !(n.bytes[0] & mask); mask >>= 1)
		bits--;
	return bits;
}

int key_bounds_check_rsa(const char *what, struct span modulus, struct span exponent,
			 size_t bits_max, struct err *err)
{
	struct span n = number(modulus);
	struct span e = number(exponent);

	if (bits_of(n) < KEY_BOUNDS_RSA_MIN || bits_of(n) > bits_max || !(n.bytes[n.size - 1] & 1))
		return err_set(err, -EKEYREJECTED,
			       "%s: an RSA modulus of %zu bits, expected an odd one of %d to %zu",
			       what, bits_of(n), KEY_BOUNDS_RSA_MIN, bits_max);
	if (e.size > KEY_BOUNDS_EXPONENT_SIZE_MAX || bits_of(e) < 2 || !(e.bytes[e.size - 1] & 1))
		return err_set(err, -EKEYREJECTED,
			       "%s: an RSA exponent of %zu bits, expected an odd one of 2 to %d",
			       what, bits_of(e), KEY_BOUNDS_EXPONENT_SIZE_MAX * 8);
	return 0;
}

static int check_rsa(const char *what, struct span key, size_t bits_max, struct err *err)
{
	struct span numbers;
	struct span n;
	struct span e;

	if (!take(&key, SEQUENCE, &numbers) || key.size > 0 ||
	    !take(&numbers, V_ASN1_INTEGER, &n) || !take(&numbers, V_ASN1_INTEGER, &e) ||
	    numbers.size > 0 || n.size == 0 || e.size == 0 || n.bytes[0] & 0x80 ||
	    e.bytes[0] & 0x80)
		return err_set(err, -EBADMSG, "%s: its RSA key is malformed", what);
	return key_bounds_check_rsa(what, n, e, bits_max, err);
}

/* The parameters must be the name of a curve. A curve that is spelled out is refused. */
static int check_curve(const char *what, struct span parameters, struct err *err)
{
	struct span name;

	if (take(&parameters, V_ASN1_OBJECT, &name) && parameters.size == 0)
		for (unsigned i = 0; i < N_ELEMENTS(curves); i++)
			if (is(name, curves[i].bytes, curves[i].size))
				return 0;
	return err_set(err, -EKEYREJECTED,
		       "%s: its key is on a curve that is not taken, expected P-256, P-384 or "
		       "P-521 by name",
		       what);
}

static int check_key(const char *what, struct span info, size_t rsa_max, struct err *err)
{
	struct span algorithm;
	struct span name;
	struct span key;

	if (!take(&info, SEQUENCE, &algorithm) || !take(&algorithm, V_ASN1_OBJECT, &name) ||
	    !take(&info, V_ASN1_BIT_STRING, &key) || info.size > 0 || key.size < 2 ||
	    key.bytes[0] != 0)
		return err_set(err, -EBADMSG, "%s: its public key is malformed", what);
	key = span_of(key.bytes + 1,
		      key.size - 1); /* the first byte says how many bits are unused: none may be */
	if (is(name, RSA_OID, sizeof(RSA_OID) - 1))
		return check_rsa(what, key, rsa_max, err);
	if (is(name, EC_OID, sizeof(EC_OID) - 1))
		return check_curve(what, algorithm, err);
	if (is(name, ED25519_OID, sizeof(ED25519_OID) - 1))
		return 0;
	return err_set(err, -EKEYREJECTED,
		       "%s: a kind of key that is not taken, expected RSA, P-256, P-384, P-521 or "
		       "Ed25519",
		       what);
}

int key_bounds_check(const char *what, struct span der, struct err *err)
{
	struct span info;

	if (!take(&der, SEQUENCE, &info) || der.size > 0)
		return err_set(err, -EBADMSG, "%s: no public key in DER", what);
	return check_key(what, info, KEY_BOUNDS_RSA_MAX, err);
}

/* From the front of a TBSCertificate (RFC 5280, 4.1) to its subjectPublicKeyInfo. */
static bool skip_to_key(struct span *tbs)
{
	struct span skipped;
	struct span rest = *tbs;

	if (take(&rest, VERSION, &skipped)) /* it may be missing */
		*tbs = rest;
	return take(tbs, V_ASN1_INTEGER, &skipped) && /* serialNumber */
	       take(tbs, SEQUENCE, &skipped) &&       /* signature */
	       take(tbs, SEQUENCE, &skipped) &&       /* issuer */
	       take(tbs, SEQUENCE, &skipped) &&       /* validity */
	       take(tbs, SEQUENCE, &skipped);         /* subject */
}

static int check_certificate(const char *what, struct span der, size_t rsa_max, struct err *err)
{
	struct span certificate;
	struct span tbs;
	struct span info;

	if (!take(&der, SEQUENCE, &certificate) || der.size > 0 ||
	    !take(&certificate, SEQUENCE, &tbs) || !skip_to_key(&tbs) ||
	    !take(&tbs, SEQUENCE, &info))
		return err_set(err, -EBADMSG, "%s: no certificate in DER", what);
	return check_key(what, info, rsa_max, err);
}

int key_bounds_check_certificate(const char *what, struct span der, struct err *err)
{
	return check_certificate(what, der, KEY_BOUNDS_RSA_MAX, err);
}

int key_bounds_check_ca_certificate(const char *what, struct span der, struct err *err)
{
	return check_certificate(what, der, KEY_BOUNDS_RSA_CA_MAX, err);
}
