#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# nginx proxy_cache (Debian nginx 1.22.1-9+deb12u11): a range of a file that is not cached yet is answered
# at once, but the client's connection then answers nothing more until the whole file is in the cache. A
# second range on the kept connection is silent for as long as the origin needs for all of it; on a new
# connection the whole file is fetched once more.
#
# Unpacks nginx into a temporary folder; needs curl and libpcre2.
set -eu
[ -z "${CI:-}" ] || { echo "not run in CI: it downloads packages"; exit 0; }
folder=$(mktemp -d)
trap 'for p in "$folder"/*/pid; do [ -e "$p" ] && kill "$(cat "$p")"; done; sleep 1; rm -rf "$folder"' EXIT
chmod 755 "$folder"
cd "$folder"
version=1.22.1-9+deb12u11
apt-get -q -o APT::Sandbox::User=root download "nginx=$version" >&2
dpkg-deb -x nginx_*.deb unpacked
nginx=$folder/unpacked/usr/sbin/nginx
mkdir origin cache files store
head -c 8388608 /dev/urandom >files/a
cat >origin/conf <<END
pid $folder/origin/pid; error_log $folder/origin/error; events {}
http { access_log $folder/origin/log; client_body_temp_path $folder/t; proxy_temp_path $folder/t;
 fastcgi_temp_path $folder/t; uwsgi_temp_path $folder/t; scgi_temp_path $folder/t;
 server { listen 127.0.0.1:21581; root $folder/files; limit_rate 2m; } }
END
cat >cache/conf <<END
pid $folder/cache/pid; error_log $folder/cache/error; events {}
http { access_log off; proxy_cache_path $folder/store keys_zone=z:1m; client_body_temp_path $folder/t;
 proxy_temp_path $folder/t; fastcgi_temp_path $folder/t; uwsgi_temp_path $folder/t; scgi_temp_path $folder/t;
 server { listen 127.0.0.1:21582; location / { proxy_pass http://127.0.0.1:21581; proxy_cache z;
 proxy_cache_valid 200 1h; } } }
END
for each in origin cache; do "$nginx" -c "$folder/$each/conf" -e "$folder/$each/error"; done
url=http://127.0.0.1:21582/a
curl -s -o /dev/null -w '%{num_connects} %{time_starttransfer}\n' \
	-r 0-65535 "$url" --next -s -o /dev/null -w '%{num_connects} %{time_starttransfer}\n' \
	-r 65536-131071 "$url" >times
first=$(sed -n '1s/.* //p' times)
second=$(sed -n '2s/.* //p' times)
connects=$(sed -n '2s/ .*//p' times)
"$nginx" -v
echo "first range after $first s, second one (new connections: $connects) after $second s;" \
	"the file takes 4 s at 2 MiB/s; asked at the origin: $(grep -c GET origin/log) time(s)"
# Seen: first range after 0.00 s, second one (new connections: 0) after 3.6 s; ... 1 time(s)
if awk "BEGIN { exit !($first < 1 && $second > 2 && $connects == 0) }"; then
	echo "as described"
else
	echo "changed"
	exit 1
fi
