"""Caches as operators put them before an origin: each fetches from it, and is asked by the router."""

import os
import shutil
import socket
import subprocess

from nginx import Nginx
from steward import free_port, wait_for

SQUID = """
http_port 127.0.0.1:{port} accel defaultsite=localhost no-vhost
cache_peer 127.0.0.1 parent {origin} 0 no-query originserver
acl everyone src all
http_access allow everyone
cache_mem 256 MB
maximum_object_size 200 MB
maximum_object_size_in_memory 200 MB
range_offset_limit none
pid_filename {directory}/pid
access_log none
cache_log {directory}/log
coredump_dir {directory}
visible_hostname cache.test
shutdown_lifetime 1 seconds
"""

APACHE = """
ServerRoot {directory}
PidFile {directory}/pid
ErrorLog {directory}/error
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule proxy_module {modules}/mod_proxy.so
LoadModule proxy_http_module {modules}/mod_proxy_http.so
LoadModule cache_module {modules}/mod_cache.so
LoadModule cache_disk_module {modules}/mod_cache_disk.so
User www-data
Listen 127.0.0.1:{port}
ServerName localhost
CacheEnable disk /
CacheRoot {directory}/cache
CacheMaxFileSize 200000000
ProxyPass / http://127.0.0.1:{origin}/
"""

HAPROXY = """
defaults
 mode http
 timeout client 300s
 timeout server 300s
 timeout connect 5s
cache images
 total-max-size 256
 max-object-size 100000000
 max-age 3600
frontend routers
 bind 127.0.0.1:{port}
 http-request cache-use images
 http-response cache-store images
 default_backend origin
backend origin
 server origin 127.0.0.1:{origin}
"""

TRAFFIC_SERVER = """
CONFIG proxy.config.http.server_ports STRING {port}:ip-in=127.0.0.1
CONFIG proxy.config.reverse_proxy.enabled INT 1
CONFIG proxy.config.url_remap.remap_required INT 1
CONFIG proxy.config.http.cache.required_headers INT 0
CONFIG proxy.config.admin.user_id STRING #-1
"""

NGINX = "proxy_pass http://127.0.0.1:{origin}; proxy_cache z; proxy_cache_valid 200 206 1h; "
SLICE = ("slice 1m; proxy_cache_key $uri$slice_range; proxy_set_header Range $slice_range; "
         "proxy_http_version 1.1; ")


def folder(path, owner=None):
    os.makedirs(path, exist_ok=True)
    if owner:
        shutil.chown(path, owner)
    os.chmod(path, 0o755)
    return str(path)


def open_the_way_to(path):
    """pytest's folders are root's alone, and these programs are not root."""
    while path != "/tmp" and len(path) > 1:
        os.chmod(path, os.stat(path).st_mode | 0o055)
        path = os.path.dirname(path)


class Cache:
    """One of KINDS, before the nginx whose port is origin."""

    def __init__(self, kind, directory, origin):
        self.directory = folder(directory)
        open_the_way_to(self.directory)
        self.origin, self.port = origin, free_port()
        self.words = {"directory": self.directory, "origin": origin, "port": self.port,
                      "modules": "/usr/lib/apache2/modules"}
        name, _, how = kind.partition(" ")
        self.process = getattr(self, name)(how)
        wait_for(self.answers, 30, f"the cache {kind}")

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/"

    def answers(self):
        assert isinstance(self.process, Nginx) or self.process.poll() is None, "it has ended"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def write(self, name, text):
        path = os.path.join(self.directory, name)
        with open(path, "w") as file:
            file.write(text.format(**self.words))
        return path

    def run(self, *words):
        with open(os.path.join(self.directory, "output"), "wb") as output:
            return subprocess.Popen(words, stdout=output, stderr=output)

    def nginx(self, how):
        more = {"": "", "lock": "proxy_cache_lock on;", "slice": SLICE,
                "lock-timeout": "proxy_cache_lock on; proxy_cache_lock_timeout 1s;"}[how]
        location = "location / { " + NGINX.format(**self.words) + more + " }"
        return Nginx(self.directory, "/nowhere",
                     f"proxy_cache_path {self.directory}/cache keys_zone=z:1m;", location,
                     port=self.port)

    def squid(self, _):
        shutil.chown(self.directory, "proxy")
        return self.run("squid", "-N", "-f", self.write("conf", SQUID))

    def varnish(self, _):
        return self.run("varnishd", "-F", "-a", f"127.0.0.1:{self.port}", "-b",
                        f"127.0.0.1:{self.origin}", "-n", self.directory + "/work", "-s",
                        "malloc,256m")

    def apache(self, _):
        folder(self.directory + "/cache", "www-data")
        return self.run("apache2", "-f", self.write("conf", APACHE), "-DFOREGROUND")

    def haproxy(self, _):
        return self.run("haproxy", "-f", self.write("conf", HAPROXY), "-db")

    def traffic_server(self, _):
        etc = os.path.join(self.directory, "etc")
        shutil.copytree("/etc/trafficserver", etc)
        for name in ("log", "run", "cache"):
            folder(os.path.join(self.directory, name))
        self.write("etc/records.config", TRAFFIC_SERVER)
        self.write("etc/remap.config", "map / http://127.0.0.1:{origin}/\n")
        self.write("etc/storage.config", "{directory}/cache 256M\n")
        root = self.write("runroot.yaml", "".join(f"{key}: {path}\n" for key, path in {
            "prefix": "{directory}", "exec_prefix": "{directory}", "bindir": "/usr/bin",
            "sbindir": "/usr/sbin", "sysconfdir": "{directory}/etc",
            "datadir": "{directory}/cache", "libexecdir": "/usr/lib/trafficserver/modules",
            "localstatedir": "{directory}/run", "runtimedir": "{directory}/run",
            "logdir": "{directory}/log", "cachedir": "{directory}/cache"}.items()))
        return self.run("traffic_server", f"--run-root={root}")

    def close(self):
        if isinstance(self.process, Nginx):
            self.process.close()
            return
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
