/* SPDX-License-Identifier: GPL-3.0-or-later */
/* message.h - the messages of the handshake, as JSON and as structs.
 *
 * Until the last message both sides are strangers to each other. So a message that is read must
 * have exactly the members of its type, each once and within its bounds, or it is refused as a
 * whole. The table of messages: docs/onboarding.md, "The handshake, on port 930".
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/kem.h"
#include "base/span.h"
#include "onboarding/mode.h"
#include "onboarding/ssh_key.h"
#include "onboarding/token.h"

#define MESSAGE_JSON_MAX        16384u /* bytes of JSON */
#define MESSAGE_VERSION         2u     /* of what we say to each other; 1 had no ML-KEM */
#define MESSAGE_VERSION_MIN     1u
#define MESSAGE_NONCE_SIZE      32
#define MESSAGE_KEM_MEMBER      "ml-kem-768"
#define MESSAGE_BYTES_MAX       ((size_t)1024) /* of a TPM structure or a key: those of RSA-4096 fit */
#define MESSAGE_CERTIFICATE_MAX ((size_t)2047) /* as in TLS: peer_chain.h */
#define MESSAGE_EK_CHAIN_MAX    7u             /* certificates above that of an EK, and bytes */
#define MESSAGE_EK_CHAIN_SIZE   ((size_t)6144) /* of all of them: the message must hold them */
#define MESSAGE_HEADER_SIZE     128
#define MESSAGE_SIGNATURE_SIZE  1367 /* RSA-8192, base64url, and a zero */
#define MESSAGE_PCRS            8    /* sha256 PCRs 0 to 7 */
#define MESSAGE_PCR_SIZE        32
#define MESSAGE_HOST_SIZE       254
#define MESSAGE_CONDUCTORS_MAX  8u
#define MESSAGE_HOST_KEYS_MAX   3u

enum message_type {
	MESSAGE_HELLO,
	MESSAGE_CHALLENGE,
	MESSAGE_PROOF,
	MESSAGE_CREDENTIAL,
	MESSAGE_ATTESTATION,
	MESSAGE_ACCEPT,
	MESSAGE_KEYS,
	MESSAGE_DONE,
	MESSAGE_ERROR, /* instead of any other */
};

/* What the router must show besides the secret. */
enum message_identity {
	IDENTITY_NONE,
	IDENTITY_CERTIFICATE,
	IDENTITY_EK,
	IDENTITY_EK_CERTIFICATE, /* the EK, with the certificate that its maker gave it */
};

enum message_reason {
	REASON_REFUSED,     /* the reason is only in the conductor's journal and audit */
	REASON_RETRY_LATER, /* it could not decide */
	/* Since version 2: it asks for ML-KEM, which the router does not offer. */
	REASON_POST_QUANTUM,
};

struct message_bytes {
	uint8_t bytes[MESSAGE_BYTES_MAX];
	size_t size;
};

struct message_certificate {
	uint8_t bytes[MESSAGE_CERTIFICATE_MAX]; /* DER */
	size_t size;
};

/* What a TPM has between the certificate of its EK and its maker's root. */
struct message_ek_chain {
	unsigned n;
	struct message_certificate certificates[MESSAGE_EK_CHAIN_MAX];
};

struct message_hello {
	unsigned version; /* MESSAGE_VERSION_MIN to MESSAGE_VERSION */
	char router[TOKEN_NAME_SIZE];
	char asset_id[TOKEN_NAME_SIZE];
	uint8_t nonce[MESSAGE_NONCE_SIZE];
	char header[MESSAGE_HEADER_SIZE]; /* of the token, as it stands there */
	char jti[TOKEN_JTI_SIZE];
	uint64_t iat;
	uint64_t exp;
	char signature[MESSAGE_SIGNATURE_SIZE]; /* likewise */
	bool has_kem_key;                       /* since version 2 */
	uint8_t kem_key[KEM_PUBLIC_SIZE];       /* made for this handshake */
};

struct message_challenge {
	uint8_t nonce[MESSAGE_NONCE_SIZE];
	enum onboarding_mode mode; /* not disabled */
	enum message_identity identity;
	bool has_kem_ciphertext; /* only for who has shown a kem_key */
	uint8_t kem_ciphertext[KEM_CIPHERTEXT_SIZE];
};

struct message_proof {
	bool with_ek;
	struct message_bytes ek; /* DER SubjectPublicKeyInfo */
	struct message_bytes ak; /* TPM2B_PUBLIC */
	/* Likewise, of an EK that is not RSA-2048 with SHA-256 and AES-128; size 0 = of one that
	 * is: a conductor that knows no other EK refuses this member. */
	struct message_bytes ek_public;
	struct message_certificate ek_certificate; /* of size 0 = none */
	struct message_ek_chain *ek_chain;         /* owned; NULL = none */
};

struct message_credential {
	struct message_bytes blob;   /* TPM2B_ID_OBJECT */
	struct message_bytes secret; /* TPM2B_ENCRYPTED_SECRET */
};

struct message_attestation {
	struct message_bytes quote;     /* TPMS_ATTEST */
	struct message_bytes signature; /* TPMT_SIGNATURE */
	uint8_t pcrs[MESSAGE_PCRS][MESSAGE_PCR_SIZE];
};

struct message_host_key {
	uint8_t bytes[SSH_KEY_SIZE_MAX];
	size_t size;
};

/* A conductor: its address, and the ports that are forwarded. */
struct message_conductor {
	char host[MESSAGE_HOST_SIZE];
	uint16_t port; /* of SCO and SSH */
	struct message_host_key ssh_host_keys[MESSAGE_HOST_KEYS_MAX];
	unsigned n_ssh_host_keys;
	uint16_t listen_port;     /* this router's: ssh -R */
	uint16_t repository_port; /* ssh -L */
};

struct message_accept {
	struct message_conductor *conductors; /* owned */
	unsigned n_conductors;
};

struct message_keys {
	uint8_t ssh_key[SSH_KEY_ED25519_SIZE];
};

struct message {
	enum message_type type;
	union {
		struct message_hello hello;
		struct message_challenge challenge;
		struct message_proof proof;
		struct message_credential credential;
		struct message_attestation attestation;
		struct message_accept accept;
		struct message_keys keys;
		enum message_reason reason; /* of an error */
	};
};

/* JSON without white space, to be freed by the caller. -E2BIG, -ENOMEM. */
int message_encode(const struct message *message, char **ret_json, struct err *err);

/* Errors: -EBADMSG, -E2BIG, -ENOMEM; *ret is then untouched. */
int message_decode(struct message *ret, struct span json, struct err *err);

void message_release(struct message *message); /* takes a zeroed one */

const char *message_type_name(enum message_type type);
const char *message_identity_name(enum message_identity identity);
const char *message_reason_name(enum message_reason reason);

/* false: there is none of this name, and *ret is untouched. */
bool message_type_from_name(const char *name, enum message_type *ret);
bool message_identity_from_name(const char *name, enum message_identity *ret);
bool message_reason_from_name(const char *name, enum message_reason *ret);

/* May this text stand in a command line and in a known_hosts file? Only a name or an address may.
 */
bool message_host_is_valid(const char *host);
