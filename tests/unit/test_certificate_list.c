/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Our own certificates, in whatever order their file has them. */
#include "pki.h"
#include "support.h"

#include <openssl/pem.h>

#include "base/macros.h"
#include "onboarding/certificate_list.h"

static char *text_of(X509 *const *certificates, size_t n)
{
	STACK_OF(X509) *stack = sk_X509_new_null();
	char *text;

	for (size_t i = 0; i < n; i++)
		assert_true(sk_X509_push(stack, certificates[i]) > 0);
	text = certificate_list_write(stack);
	sk_X509_free(stack);
	assert_non_null(text);
	return text;
}

/* The certificate of the key comes to the front from each place; the others stay as they were. */
static void test_leaf_first(void **state)
{
	struct pki *pki = *state;
	EVP_PKEY *other_key = pki_curve_key("P-256");
	static const struct pki_subject subject = {.common_name = "other"};
	X509 *other = pki_certificate(&subject, other_key, NULL, NULL);

	for (unsigned place = 0; place < 3; place++) {
		X509 *file[3] = {pki->ca, other, NULL};
		STACK_OF(X509) *read = NULL;
		char *text;

		for (unsigned i = 2; i > place; i--)
			file[i] = file[i - 1];
		file[place] = pki->certificate;
		text = text_of(file, 3);
		assert_int_equal(certificate_list_read(&read, span_of_string(text), NULL), 0);
		assert_true(certificate_list_put_first(read, pki->key));
		assert_int_equal(sk_X509_num(read), 3);
		assert_int_equal(X509_cmp(sk_X509_value(read, 0), pki->certificate), 0);
		assert_int_equal(X509_cmp(sk_X509_value(read, 1), pki->ca), 0);
		assert_int_equal(X509_cmp(sk_X509_value(read, 2), other), 0);
		sk_X509_pop_free(read, X509_free);
		free(text);
	}
	X509_free(other);
	EVP_PKEY_free(other_key);
}

static void test_key_of_none(void **state)
{
	struct pki *pki = *state;
	EVP_PKEY *stranger = pki_key(2048);
	X509 *file[] = {pki->certificate, pki->ca};
	STACK_OF(X509) *read = NULL;
	char *text = text_of(file, 2);

	assert_int_equal(certificate_list_read(&read, span_of_string(text), NULL), 0);
	assert_false(certificate_list_put_first(read, stranger));
	assert_int_equal(X509_cmp(sk_X509_value(read, 0), pki->certificate), 0);
	sk_X509_pop_free(read, X509_free);
	free(text);
	EVP_PKEY_free(stranger);
}

static void test_refused(void **state)
{
	struct pki *pki = *state;
	X509 *file[] = {pki->certificate, pki->ca};
	STACK_OF(X509) *read = NULL;
	char *text = text_of(file, 2);
	char *second = strstr(text + 1, "-----BEGIN");
	struct err err = {0};

	assert_int_equal(certificate_list_read(&read, span_of_string("nothing"), &err), -EINVAL);
	assert_string_equal(err.text, "it holds no certificate in PEM");
	memset(second + 40, '!', 10);
	assert_int_equal(certificate_list_read(&read, span_of_string(text), &err), -EINVAL);
	assert_string_equal(err.text, "certificate number 2 in it is malformed");
	assert_null(read);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_leaf_first),
		cmocka_unit_test(test_key_of_none),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, pki_make, pki_end);
}
