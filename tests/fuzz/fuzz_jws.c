/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A token that nobody here has signed: whatever it says, it is not believed. */
#include "fuzz.h"

#include <openssl/rsa.h>
#include <stdio.h>

#include "base/jws.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);

static struct jws_key key;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	key.key = EVP_RSA_gen(2048);
	/* Known, so that the signature is looked at. */
	(void)snprintf(key.kid, sizeof(key.kid), "kid");
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	cJSON *payload = NULL;
	struct err err;

	HOLDS(jws_verify(span_of(bytes, size), "t", &key, 1, &payload, &err) < 0);
	HOLDS(!payload);
	if (jws_payload(span_of(bytes, size), &payload, &err) == 0)
		cJSON_Delete(payload);
	return 0;
}
