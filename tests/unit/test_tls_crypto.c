/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What libcrypto computes for wolfSSL, against what wolfSSL computes itself. */
#include "support.h"

/* First, as its options are what the other headers go by. */
#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/random.h>
#include <wolfssl/wolfcrypt/wc_port.h>

#include "onboarding/tls_crypto.h"

/* One coordinate of 256 has a zero in front: none comes in one run of 10^17. */
#define ROUNDS_MAX 10000

struct world {
	WC_RNG by_libcrypto;
	WC_RNG by_wolfssl;
};

static int set_up(void **state)
{
	static struct world w;

	(void)wolfCrypt_Init();
	assert_int_equal(tls_crypto_register(), 0);
	assert_int_equal(wc_InitRng_ex(&w.by_libcrypto, NULL, TLS_CRYPTO_DEVICE), 0);
	assert_int_equal(wc_InitRng(&w.by_wolfssl), 0);
	*state = &w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	wc_FreeRng(&w->by_libcrypto);
	wc_FreeRng(&w->by_wolfssl);
	return 0;
}

static void make_key(ecc_key *key, WC_RNG *random, int device, int curve)
{
	assert_int_equal(wc_ecc_init_ex(key, NULL, device), 0);
	assert_int_equal(wc_ecc_make_key_ex(random, 0, key, curve), 0);
	assert_int_equal(wc_ecc_check_key(key), 0);
	assert_int_equal(wc_ecc_set_rng(key, random), 0);
}

/* Returns whether the secret begins with a zero. */
static bool agree(ecc_key *a, ecc_key *b, word32 size)
{
	uint8_t of_a[64];
	uint8_t of_b[64];
	word32 size_a = sizeof(of_a);
	word32 size_b = sizeof(of_b);

	assert_int_equal(wc_ecc_shared_secret(a, b, of_a, &size_a), 0);
	assert_int_equal(wc_ecc_shared_secret(b, a, of_b, &size_b), 0);
	assert_int_equal(size_a, size);
	assert_int_equal(size_b, size);
	assert_memory_equal(of_a, of_b, size);
	return of_a[0] == 0;
}

/* Whether a coordinate of our public point, which is made for wolfSSL, begins with a zero. */
static bool point_has_zero(ecc_key *key)
{
	uint8_t point[65];
	word32 size = sizeof(point);

	assert_int_equal(wc_ecc_export_x963(key, point, &size), 0);
	return point[1] == 0 || point[33] == 0;
}

/* Until a zero in front, which must not be left out, has come in the secret and in our point. */
static void test_agrees_with_wolfssl(void **state)
{
	struct world *w = *state;
	bool secret_had_zero = false;
	bool point_had_zero = false;

	for (unsigned i = 0; i < ROUNDS_MAX && !(secret_had_zero && point_had_zero); i++) {
		ecc_key ours;
		ecc_key theirs;

		make_key(&ours, &w->by_libcrypto, TLS_CRYPTO_DEVICE, ECC_SECP256R1);
		make_key(&theirs, &w->by_wolfssl, INVALID_DEVID, ECC_SECP256R1);
		point_had_zero |= point_has_zero(&ours);
		secret_had_zero |= agree(&ours, &theirs, 32);
		wc_ecc_free(&ours);
		wc_ecc_free(&theirs);
	}
	assert_true(secret_had_zero && point_had_zero);
}

static void test_other_curves_are_wolfssls(void **state)
{
	struct world *w = *state;
	ecc_key ours;
	ecc_key theirs;

	make_key(&ours, &w->by_libcrypto, TLS_CRYPTO_DEVICE, ECC_SECP384R1);
	make_key(&theirs, &w->by_wolfssl, INVALID_DEVID, ECC_SECP384R1);
	(void)agree(&ours, &theirs, 48);
	wc_ecc_free(&ours);
	wc_ecc_free(&theirs);
}

/* Such a point would tell a peer of the private key. */
static void test_point_off_the_curve_is_refused(void **state)
{
	struct world *w = *state;
	uint8_t point[65];
	uint8_t secret[64];
	word32 size = sizeof(point);
	ecc_key ours;
	ecc_key theirs;

	make_key(&ours, &w->by_libcrypto, TLS_CRYPTO_DEVICE, ECC_SECP256R1);
	assert_int_equal(wc_ecc_export_x963(&ours, point, &size), 0);
	point[size - 1] ^= 1;
	assert_int_equal(wc_ecc_init(&theirs), 0);
	assert_int_equal(
		wc_ecc_import_unsigned(&theirs, point + 1, point + 33, NULL, ECC_SECP256R1), 0);
	size = sizeof(secret);
	assert_int_not_equal(wc_ecc_shared_secret(&ours, &theirs, secret, &size), 0);
	wc_ecc_free(&ours);
	wc_ecc_free(&theirs);
}

static void test_room_that_is_too_small_is_refused(void **state)
{
	struct world *w = *state;
	uint8_t secret[16];
	word32 size = sizeof(secret);
	ecc_key ours;

	make_key(&ours, &w->by_libcrypto, TLS_CRYPTO_DEVICE, ECC_SECP256R1);
	assert_int_not_equal(wc_ecc_shared_secret(&ours, &ours, secret, &size), 0);
	wc_ecc_free(&ours);
}

static void test_random_is_never_the_same(void **state)
{
	struct world *w = *state;
	uint8_t first[32] = {0};
	uint8_t second[32] = {0};

	assert_int_equal(wc_RNG_GenerateBlock(&w->by_libcrypto, first, sizeof(first)), 0);
	assert_int_equal(wc_RNG_GenerateBlock(&w->by_libcrypto, second, sizeof(second)), 0);
	assert_memory_not_equal(first, second, sizeof(first));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_agrees_with_wolfssl),
		cmocka_unit_test(test_other_curves_are_wolfssls),
		cmocka_unit_test(test_point_off_the_curve_is_refused),
		cmocka_unit_test(test_room_that_is_too_small_is_refused),
		cmocka_unit_test(test_random_is_never_the_same),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
