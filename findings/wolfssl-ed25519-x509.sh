#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# wolfSSL's WOLFSSL_X509 knows no Ed25519 certificate that its TLS and its CertManager take.
#
# Debian 12's libwolfssl 5.5.4: wolfSSL_CertManagerLoadCA() reads an Ed25519 certificate, and a TLS 1.3
# handshake with one succeeds; wolfSSL_X509_load_certificate_file() of the same file gives NULL, and so
# wolfSSL_get_peer_certificate() after such a handshake does. Who takes NULL for "the peer showed none"
# is wrong. Seen:
#
#	p256: CertManager 1, X509 yes
#	ed25519: CertManager 1, X509 no
#
# Exit 1, and "changed", once that is no longer so. Needs gcc and openssl; installs nothing.
set -eu
version=5.5.4-2+deb12u3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get -q -o APT::Sandbox::User=root download "libwolfssl35=$version" "libwolfssl-dev=$version" >&2
for package in ./*.deb; do
	dpkg -x "$package" root
done
for kind in "p256 ec -pkeyopt ec_paramgen_curve:P-256" "ed25519 ed25519"; do
	# shellcheck disable=SC2086 # words
	set -- $kind
	name=$1
	shift
	openssl req -x509 -newkey "$@" -nodes -subj "/CN=$name" -days 30 -keyout "$name.key" \
		-out "$name" 2>/dev/null
done
cat >look.c <<'END'
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	wolfSSL_Init();
	for (int i = 1; i < argc; i++) {
		WOLFSSL_CERT_MANAGER *manager = wolfSSL_CertManagerNew();
		WOLFSSL_X509 *x509 =
			wolfSSL_X509_load_certificate_file(argv[i], WOLFSSL_FILETYPE_PEM);

		printf("%s: CertManager %d, X509 %s\n", argv[i],
		       wolfSSL_CertManagerLoadCA(manager, argv[i], NULL), x509 ? "yes" : "no");
		wolfSSL_X509_free(x509);
		wolfSSL_CertManagerFree(manager);
	}
	return 0;
}
END
library=$(echo root/usr/lib/*/libwolfssl.so.35)
gcc -I root/usr/include look.c "$library" -o look
LD_LIBRARY_PATH=$(dirname "$library") ./look p256 ed25519 | tee seen
printf 'p256: CertManager 1, X509 yes\ned25519: CertManager 1, X509 no\n' >expected
if ! cmp -s seen expected; then
	echo changed
	exit 1
fi
