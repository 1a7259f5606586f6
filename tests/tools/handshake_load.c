/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Routers by the hundred, for tests/bench/handshake: their own pure side and TLS over plain sockets
 * of 127.0.0.0/8, many at once, with TPMs in software.
 *
 *	handshake_load run MODE HOST PORT AT_ONCE FILE
 *	handshake_load wait N HOST PORT
 *
 * FILE has a line for each router: its token, asset-id and PEM file of an RSA key, which is its
 * certificate's in mode "certificate", its EK in mode "ek", and not looked at in mode "none"; and,
 *if it is to be one of whom the private half is known, its SSH key. The first prints "ready", waits
 *for a line on stdin, makes a handshake with each router, and prints "enrolled N failed N seconds S
 *router_ms MS tpm_ms MS": the CPU time of one handshake on the router's side, and what of it would
 *be the TPM's. The second sends so many ClientHellos, prints "waiting" when all were answered, and
 *says no more until stdin ends.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/macros.h"
#include "onboarding/conductor_certificate.h"
#include "onboarding/key_signer.h"
#include "onboarding/router/handshake_router.h"
#include "onboarding/ssh_key.h"
#include "onboarding/tls_channel.h"
#include "pki.h"
#include "soft_tpm.h"

#define AT_ONCE_MAX 4096
#define ROUTERS_MAX 4096
#define ADDRESSES   200 /* that connections come from */

struct router {
	struct token token;
	char asset_id[TOKEN_NAME_SIZE];
	EVP_PKEY *key;
	struct tls_context *tls;
	struct tls_signer signer;
	struct span certificate;
	uint8_t ssh_key[SSH_KEY_ED25519_SIZE];
};

struct attempt {
	const struct router *router; /* NULL = only waits */
	int fd;
	struct tls_channel *channel;
	bool established;
	bool over;
	bool enrolled;
	struct handshake_router handshake;
	struct soft_tpm tpm;
	uint8_t received[FRAME_SIZE_MAX];
	size_t n_received;
};

static struct {
	const char *mode;
	struct sockaddr_in conductor;
	struct tls_context *no_certificate;
	EVP_PKEY *ak;
	struct router routers[ROUTERS_MAX];
	size_t n_routers;
	double tpm_s;
	unsigned n_enrolled;
	unsigned n_failed;
} load;

static void die(const char *why)
{
	(void)fprintf(stderr, "%s\n", why);
	exit(1);
}

static double seconds(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* What there is of routers. */

static void give_certificate(struct router *router)
{
	static const struct pki_subject subject = {.common_name = "router"};
	X509 *made = pki_certificate(&subject, router->key, NULL, NULL);
	BIO *pem = BIO_new(BIO_s_mem());
	struct tls_identity identity = {.signer = &router->signer};
	uint8_t *public_key;
	long pem_size;
	size_t size;
	char *text;
	struct err err;

	router->certificate = pki_der(made);
	(void)PEM_write_bio_X509(pem, made);
	pem_size = BIO_get_mem_data(pem, &text);
	identity.chain = span_of(text, (size_t)pem_size);
	if (key_signer_public(router->key, &public_key, &size) < 0)
		die("no public key");
	router->signer = key_signer(router->key);
	identity.public_key = span_of(public_key, size);
	if (tls_context_new_client(&router->tls, &identity, &err) < 0)
		die(err.text);
	OPENSSL_free(public_key);
	BIO_free(pem);
	X509_free(made);
}

static void give_ssh_key(struct router *router, const char *text)
{
	uint8_t *blob = NULL;
	size_t size = 0;

	memcpy(router->ssh_key, "\0\0\0\x0bssh-ed25519\0\0\0\x20", 19);
	(void)RAND_bytes(router->ssh_key + 19, 32);
	if (!text)
		return;
	if (base64_decode(span_of_string(text), &blob, &size) < 0 ||
	    size != sizeof(router->ssh_key))
		die("not an SSH key");
	memcpy(router->ssh_key, blob, size);
	free(blob);
}

static void read_router(struct router *router, char *line)
{
	const char *token = strtok(line, " \n");
	const char *asset_id = strtok(NULL, " \n");
	const char *key = strtok(NULL, " \n");
	struct err err;
	FILE *file;

	if (!token || !asset_id || !key)
		die("a line has no token, asset-id and key");
	if (token_parse(&router->token, span_of_string(token), &err) < 0)
		die(err.text);
	(void)snprintf(router->asset_id, sizeof(router->asset_id), "%s", asset_id);
	give_ssh_key(router, strtok(NULL, " \n"));
	router->tls = load.no_certificate;
	if (strcmp(load.mode, "none") == 0)
		return;
	file = fopen(key, "re");
	router->key = file ? PEM_read_PrivateKey(file, NULL, NULL, NULL) : NULL;
	if (!router->key)
		die(key);
	(void)fclose(file);
	if (strcmp(load.mode, "certificate") == 0)
		give_certificate(router);
}

static void read_routers(const char *path)
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t size = 0;

	if (!file)
		die(path);
	while (getline(&line, &size, file) > 0) {
		if (load.n_routers == N_ELEMENTS(load.routers))
			die("too many routers");
		read_router(&load.routers[load.n_routers++], line);
	}
	free(line);
	(void)fclose(file);
}

/* One handshake. */

static void open_attempt(struct attempt *a, const struct router *router)
{
	static uint32_t n;
	const struct sockaddr_in source = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + n++ % ADDRESSES),
	};
	struct err err;

	memset(a, 0, offsetof(struct attempt, received));
	a->n_received = 0;
	a->router = router;
	a->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(a->fd, (const struct sockaddr *)&source, sizeof(source)) < 0 ||
	    connect(a->fd, (const struct sockaddr *)&load.conductor, sizeof(load.conductor)) < 0)
		die(strerror(errno));
	(void)fcntl(a->fd, F_SETFL, O_NONBLOCK);
	if (tls_channel_open(&a->channel, router ? router->tls : load.no_certificate, &err) < 0)
		die(err.text);
	if (router && strcmp(load.mode, "ek") == 0) {
		a->tpm.ek = router->key;
		a->tpm.ak = load.ak;
		soft_tpm_make_ak(&a->tpm, &(struct soft_tpm_ak){0});
	}
}

static void close_attempt(struct attempt *a)
{
	load.n_enrolled += a->enrolled;
	load.n_failed += !a->enrolled;
	if (a->established)
		handshake_router_release(&a->handshake);
	tls_channel_free(a->channel);
	(void)close(a->fd);
	a->channel = NULL;
}

static bool check_certificate(struct attempt *a)
{
	const struct token *token = &a->router->token;
	struct span chain[TLS_CHAIN_MAX];
	size_t n = tls_channel_peer_chain(a->channel, chain);
	struct err err;

	return conductor_certificate_check(
		       span_of(token->ca_certificate, token->ca_certificate_size), chain, n,
		       &err) == 0;
}

/* What the router's TPM and disk would do; false = nothing is to be told. */
static bool answer(struct attempt *a, const struct handshake_router_effect *effect,
		   struct handshake_router_event *event)
{
	static struct message_attestation attestation;
	static struct message_proof proof;
	static uint8_t secret[32];
	double began = seconds(CLOCK_PROCESS_CPUTIME_ID);

	*event = (struct handshake_router_event){.reason = "no"};
	switch (effect->type) {
	case ROUTER_VERIFY_CERTIFICATE:
		event->type = check_certificate(a) ? ROUTER_VERIFIED : ROUTER_FAILED;
		return true;
	case ROUTER_STORE_KEY:
		event->type = ROUTER_STORED;
		event->ssh_key = span_of(a->router->ssh_key, sizeof(a->router->ssh_key));
		return true;
	case ROUTER_PRESENT_EK:
		proof = soft_tpm_proof(&a->tpm);
		event->type = ROUTER_PRESENTED;
		event->proof = &proof;
		break;
	case ROUTER_ACTIVATE:
		event->type = soft_tpm_activate(&a->tpm, effect->credential, secret)
				      ? ROUTER_ACTIVATED
				      : ROUTER_FAILED;
		event->secret = span_of(secret, sizeof(secret));
		break;
	case ROUTER_QUOTE:
		soft_tpm_quote(&a->tpm, &(struct soft_tpm_quote){0},
			       span_of(effect->quote_data, sizeof(effect->quote_data)),
			       &attestation);
		event->type = ROUTER_QUOTED;
		event->attestation = &attestation;
		break;
	default:
		return false;
	}
	load.tpm_s += seconds(CLOCK_PROCESS_CPUTIME_ID) - began;
	return true;
}

static void perform(struct attempt *a, struct handshake_router_effect *effect)
{
	struct handshake_router_event event;

	while (answer(a, effect, &event))
		handshake_router_step(&a->handshake, &event, effect);
	if (effect->type == ROUTER_SEND) {
		a->n_received = 0;
		(void)tls_channel_write(a->channel,
					span_of(effect->frame.bytes, effect->frame.size), NULL);
	} else if (effect->type != ROUTER_WAIT) {
		a->over = true;
		a->enrolled = effect->type == ROUTER_ENROL;
		if (!a->enrolled)
			(void)fprintf(stderr, "%s\n", effect->err.text);
	}
	handshake_router_effect_release(effect);
}

static void begin(struct attempt *a)
{
	struct span chain[TLS_CHAIN_MAX] = {{0}};
	struct handshake_router_setup setup = {
		.token = &a->router->token,
		.asset_id = a->router->asset_id,
		.minimum_mode = ONBOARDING_PSK_ONLY,
		.version = tls_channel_version(a->channel),
		.group = tls_channel_group(a->channel),
		.has_kem = kem_is_there(),
		.client_certificate = a->router->certificate,
	};
	struct handshake_router_effect effect = {0};
	struct err err;

	(void)tls_channel_peer_chain(a->channel, chain);
	setup.conductor_certificate = chain[0];
	(void)RAND_bytes(setup.nonce, sizeof(setup.nonce));
	if ((setup.has_kem && kem_generate(setup.kem_seed, setup.kem_key, &err) < 0) ||
	    tls_channel_export(a->channel, setup.exporter, &err) < 0 ||
	    handshake_router_init(&a->handshake, &setup, &err) < 0)
		die(err.text);
	a->established = true;
	handshake_router_begin(&a->handshake, &effect);
	perform(a, &effect);
}

static void go_on(struct attempt *a)
{
	struct err err = {0};
	int rc = a->established ? 0 : tls_channel_advance(a->channel, &err);

	if (rc == 0 && !a->established)
		begin(a);
	while (rc == 0 && !a->over) {
		struct handshake_router_event event = {.type = ROUTER_RECEIVED};
		struct handshake_router_effect effect = {0};
		size_t n = 0;

		rc = tls_channel_read(a->channel, a->received + a->n_received,
				      sizeof(a->received) - a->n_received, &n, &err);
		if (rc < 0)
			break;
		a->n_received += n;
		event.received = span_of(a->received, a->n_received);
		handshake_router_step(&a->handshake, &event, &effect);
		perform(a, &effect);
	}
	if (rc < 0 && rc != -EAGAIN) {
		(void)fprintf(stderr, "%s\n", err.text);
		a->over = true;
	}
}

/* A conductor's socket takes what a router says at once. */
static void flush(struct attempt *a)
{
	struct span bytes = tls_channel_pending(a->channel);
	ssize_t n = bytes.size ? send(a->fd, bytes.bytes, bytes.size, MSG_NOSIGNAL) : 0;

	if (n != (ssize_t)bytes.size) {
		(void)fprintf(stderr, "the conductor takes no more\n");
		a->over = true;
	}
	tls_channel_sent(a->channel, bytes.size);
}

static void hear(struct attempt *a)
{
	uint8_t bytes[8192];
	ssize_t n = recv(a->fd, bytes, sizeof(bytes), 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0 || tls_channel_receive(a->channel, span_of(bytes, (size_t)n)) < 0) {
		(void)fprintf(stderr, "the conductor is gone: %s\n", n ? strerror(errno) : "EOF");
		a->over = true;
		return;
	}
	go_on(a);
	flush(a);
}

static void start_next(struct attempt *a, size_t *next)
{
	if (*next == load.n_routers)
		return;
	open_attempt(a, &load.routers[(*next)++]);
	go_on(a);
	flush(a);
}

static void run_all(struct attempt *attempts, struct pollfd *polled, size_t at_once)
{
	size_t next = 0;

	for (size_t i = 0; i < at_once; i++)
		start_next(&attempts[i], &next);
	while (load.n_enrolled + load.n_failed < load.n_routers) {
		for (size_t i = 0; i < at_once; i++)
			polled[i] = (struct pollfd){attempts[i].channel ? attempts[i].fd : -1,
						    POLLIN, 0};
		(void)poll(polled, at_once, -1);
		for (size_t i = 0; i < at_once; i++) {
			if (polled[i].revents)
				hear(&attempts[i]);
			if (attempts[i].channel && attempts[i].over) {
				close_attempt(&attempts[i]);
				start_next(&attempts[i], &next);
			}
		}
	}
}

static int run(size_t at_once, const char *path)
{
	struct attempt *attempts = calloc(at_once, sizeof(*attempts));
	struct pollfd *polled = calloc(at_once, sizeof(*polled));
	double began;
	double cpu;

	if (!attempts || !polled)
		die("out of memory");
	load.ak = pki_key(2048);
	read_routers(path);
	(void)puts("ready");
	(void)getchar();
	began = seconds(CLOCK_MONOTONIC);
	cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
	run_all(attempts, polled, at_once);
	cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	(void)printf("enrolled %u failed %u seconds %.4f router_ms %.3f tpm_ms %.3f\n",
		     load.n_enrolled, load.n_failed, seconds(CLOCK_MONOTONIC) - began,
		     (cpu - load.tpm_s) / (double)load.n_routers * 1e3,
		     load.tpm_s / (double)load.n_routers * 1e3);
	return 0;
}

static int wait_many(size_t n)
{
	struct attempt *attempts = calloc(n, sizeof(*attempts));
	uint8_t byte;

	if (!attempts)
		die("out of memory");
	for (size_t i = 0; i < n; i++) {
		open_attempt(&attempts[i], NULL);
		go_on(&attempts[i]);
		flush(&attempts[i]);
	}
	for (size_t i = 0; i < n; i++) {
		(void)fcntl(attempts[i].fd, F_SETFL, 0);
		if (recv(attempts[i].fd, &byte, 1, MSG_PEEK) != 1)
			die("a ClientHello was not answered");
	}
	(void)puts("waiting");
	while (getchar() != EOF)
		;
	return 0;
}

int main(int argc, char **argv)
{
	bool runs = argc == 7 && strcmp(argv[1], "run") == 0;
	struct err err;

	if (!runs && !(argc == 5 && strcmp(argv[1], "wait") == 0))
		die("usage: handshake_load run MODE HOST PORT AT_ONCE FILE | wait N HOST PORT");
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	load.mode = argv[2];
	load.conductor.sin_family = AF_INET;
	load.conductor.sin_addr.s_addr = inet_addr(argv[3]);
	load.conductor.sin_port = htons((uint16_t)strtoul(argv[4], NULL, 10));
	if (tls_context_new_client(&load.no_certificate, NULL, &err) < 0)
		die(err.text);
	if (runs)
		return run(MIN((size_t)strtoul(argv[5], NULL, 10), AT_ONCE_MAX), argv[6]);
	return wait_many(MIN((size_t)strtoul(argv[2], NULL, 10), AT_ONCE_MAX));
}
