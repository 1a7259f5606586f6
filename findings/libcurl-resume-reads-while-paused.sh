#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# libcurl 8.14 (Debian 13): a transfer that is resumed and pauses again at once reads another buffer from
# its connection, and keeps it, at each resume. So a receiver that has no room after all, and says so by
# CURL_WRITEFUNC_PAUSE, has its memory filled by the very data that it paused.
#
# curl_easy_pause(CURLPAUSE_CONT) marks the transfer as ready to receive and to send; the callback's pause
# takes back only the first, and for the second the transfer is run, which reads without asking. Who calls
# curl_easy_pause(CURLPAUSE_ALL) after a resume that was in vain is not concerned. libcurl 7.88 (Debian
# 12) is not either. Seen, with a buffer of 64 KiB:
#
#	200 resumes in vain, then CURLPAUSE_ALL: 0 MiB kept
#	200 resumes in vain: 9 MiB kept
#
# Exit 1, and "changed", once that is no longer so. Runs on Debian 13; needs gcc; installs nothing.
set -eu
[ -z "${CI:-}" ] || { echo "not run in CI: it downloads packages"; exit 0; }
grep -q '^VERSION_CODENAME=trixie' /etc/os-release || { echo "not run: this is not Debian 13"; exit 0; }
version=8.14.1-2+deb13u7
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get -q -o APT::Sandbox::User=root download "libcurl4t64=$version" "libcurl4-openssl-dev=$version" >&2
for package in ./*.deb; do
	dpkg -x "$package" root
done
cat >look.c <<'END'
#include <arpa/inet.h>
#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static int offers;

static size_t no_room(char *bytes, size_t size, size_t n, void *user)
{
	offers++;
	return CURL_WRITEFUNC_PAUSE;
}

static void serve(int listening)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n";
	static char bytes[1 << 16];
	int fd = accept(listening, NULL, NULL);

	write(fd, head, strlen(head));
	while (write(fd, bytes, sizeof(bytes)) > 0)
		continue;
}

static long kept_mib(const char *url, int pause_all)
{
	struct rusage before, after;
	CURLM *multi = curl_multi_init();
	CURL *easy = curl_easy_init();
	int running;

	offers = 0;
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 65536L);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, no_room);
	curl_multi_add_handle(multi, easy);
	while (!offers) {
		curl_multi_perform(multi, &running);
		curl_multi_poll(multi, NULL, 0, 100, NULL);
	}
	getrusage(RUSAGE_SELF, &before);
	for (int i = 0; i < 200; i++) {
		curl_easy_pause(easy, CURLPAUSE_CONT);
		if (pause_all)
			curl_easy_pause(easy, CURLPAUSE_ALL);
		curl_multi_perform(multi, &running);
		usleep(1000); /* the server sends again */
	}
	getrusage(RUSAGE_SELF, &after);
	return (after.ru_maxrss - before.ru_maxrss) >> 10;
}

int main(void)
{
	for (int pause_all = 1; pause_all >= 0; pause_all--) {
		struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
		socklen_t size = sizeof(at);
		int listening = socket(AF_INET, SOCK_STREAM, 0);
		char url[64];
		long mib;
		pid_t server;

		bind(listening, (void *)&at, size);
		listen(listening, 1);
		getsockname(listening, (void *)&at, &size);
		snprintf(url, sizeof(url), "http://127.0.0.1:%u/", ntohs(at.sin_port));
		server = fork();
		if (server == 0) {
			serve(listening);
			_exit(0);
		}
		mib = kept_mib(url, pause_all);
		kill(server, SIGKILL);
		printf("200 resumes in vain%s: %ld MiB kept\n", pause_all ? ", then CURLPAUSE_ALL" : "", mib);
		if (pause_all ? mib > 2 : mib < 5)
			return 1;
	}
	return 0;
}
END
library=$(echo root/usr/lib/*/libcurl.so.4)
headers=$(dirname "$(dirname "$(find root/usr/include -name curl.h)")")
gcc -w -I "$headers" look.c "$library" -o look
if ! LD_LIBRARY_PATH=$(dirname "$library") ./look; then
	echo changed
	exit 1
fi
