# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's web servers, proxies and caches, as operators set them up: each on a free port of
loopback, in a folder of its own.

    SERVERS  serve a repository's folder
    LIMITED  do too, for one client little at once
    PROXIES  ask an origin for each request
    CACHES   ask an origin, and keep what it sends
    STORES   have a repository in a private bucket; from npm
"""

import json
import os
import re
import shutil
import socket
import subprocess

import nginx
from nginx import Nginx
from steward import free_port, wait_for

HAS_H2O = shutil.which("h2o")  # Debian 12 has it (script/setup)
SERVERS = ("nginx", "apache", "lighttpd", "caddy", *(["h2o"] if HAS_H2O else []))
LIMITED = (*(f"nginx {limit}" for limit in nginx.LIMITS), "apache one-worker")
PROXIES = ("nginx proxy", "apache proxy", "lighttpd proxy", "caddy proxy", "haproxy proxy",
           *(["h2o proxy"] if HAS_H2O else []))
CACHES = ("nginx cache", "nginx cache-lock", "nginx cache-lock-timeout", "nginx cache-slice",
          "squid cache", "squid cache-no-ranges", "varnish cache", "apache cache", "haproxy cache",
          "traffic_server cache")
STORES = ("s3rver",)

S3_KEY = S3_SECRET = "S3RVER"  # what it knows
S3_PACKAGE = "s3rver@3.7.1"
SIGNED = ("--user", f"{S3_KEY}:{S3_SECRET}", "--aws-sigv4", "aws:amz:us-east-1:s3",
          "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD")

SQUID = """
http_port 127.0.0.1:{port} accel defaultsite=localhost no-vhost
cache_peer 127.0.0.1 parent {behind} 0 no-query originserver
acl everyone src all
http_access allow everyone
cache_mem 256 MB
maximum_object_size 200 MB
maximum_object_size_in_memory 200 MB
{more}
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
LoadModule mpm_{mpm}_module {modules}/mod_mpm_{mpm}.so
LoadModule authz_core_module {modules}/mod_authz_core.so
User www-data
Listen 127.0.0.1:{port}
ServerName localhost
LogFormat "%h %l %u %t \\"%r\\" %>s %B" replies
CustomLog {directory}/log replies
"""

APACHE_MORE = {
    "": "DocumentRoot {behind}",
    "one-worker": """
DocumentRoot {behind}
LoadModule ratelimit_module {modules}/mod_ratelimit.so
LoadModule env_module {modules}/mod_env.so
ServerLimit 1
MaxRequestWorkers 1
StartServers 1
SetOutputFilter RATE_LIMIT
SetEnv rate-limit 4096
""",
    "proxy": """
LoadModule proxy_module {modules}/mod_proxy.so
LoadModule proxy_http_module {modules}/mod_proxy_http.so
ProxyPass / http://127.0.0.1:{behind}/
""",
    "cache": """
LoadModule proxy_module {modules}/mod_proxy.so
LoadModule proxy_http_module {modules}/mod_proxy_http.so
LoadModule cache_module {modules}/mod_cache.so
LoadModule cache_disk_module {modules}/mod_cache_disk.so
CacheEnable disk /
CacheRoot {directory}/cache
CacheMaxFileSize 200000000
ProxyPass / http://127.0.0.1:{behind}/
"""}

LIGHTTPD = """
server.modules = ("mod_accesslog", "mod_proxy")
server.bind = "127.0.0.1"
server.port = {port}
server.document-root = "{root}"
server.errorlog = "{directory}/error"
server.upload-dirs = ("{directory}")
accesslog.filename = "{directory}/log"
"""
LIGHTTPD_PROXY = 'proxy.server = ("" => (("host" => "127.0.0.1", "port" => {behind})))\n'

CADDY = """
{{
 admin off
 auto_https off
}}
http://127.0.0.1:{port} {{
 bind 127.0.0.1
 log {{
  output file {directory}/log
  format json
 }}
 {more}
}}
"""

H2O = """
user: root
num-threads: 2
listen: {{host: 127.0.0.1, port: {port}}}
pid-file: {directory}/pid
error-log: {directory}/error
access-log: {directory}/log
hosts:
  default:
    paths:
      /:
        {more}
"""

HAPROXY = """
defaults
 mode http
 timeout client 300s
 timeout server 300s
 timeout connect 5s
{more}
frontend routers
 bind 127.0.0.1:{port}
 {use}
 default_backend origin
backend origin
 server origin 127.0.0.1:{behind}
"""
HAPROXY_CACHE = """cache images
 total-max-size 256
 max-object-size 100000000
 max-age 3600
"""

TRAFFIC_SERVER = """
CONFIG proxy.config.http.server_ports STRING {port}:ip-in=127.0.0.1
CONFIG proxy.config.reverse_proxy.enabled INT 1
CONFIG proxy.config.url_remap.remap_required INT 1
CONFIG proxy.config.http.cache.required_headers INT 0
CONFIG proxy.config.admin.user_id STRING #-1
"""

NGINX_CACHE = "proxy_cache z; proxy_cache_valid 200 206 1h; "
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


def install_s3rver(folder):
    """By npm, into a folder of its own. Returns the program."""
    subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix",
                    folder, S3_PACKAGE], check=True, stdout=subprocess.DEVNULL, timeout=240)
    return os.path.join(folder, "node_modules", ".bin", "s3rver")


def s3_source(url, directory, key=S3_KEY, secret=S3_SECRET):
    """A source's configuration, with files for its keys in that directory."""
    entry = {"name": "s0", "kind": "artifactory", "url": url, "s3-region": "us-east-1"}
    for name, text in (("access", key), ("secret", secret)):
        path = os.path.join(directory, f"s3-{name}")
        with open(path, "w") as file:
            file.write(text + "\n")
        entry[f"s3-{name}-key-file"] = path
    return entry


def fill_bucket(url, root):
    for directory, _, files in os.walk(root):
        for name in files:
            path = os.path.join(directory, name)
            subprocess.run(["curl", "-sf", *SIGNED, "-T", path, url + os.path.relpath(path, root)],
                           check=True)


class RealServer:
    """One of the kinds above; behind is a repository's folder, or the origin's port."""

    def __init__(self, kind, directory, behind):
        self.directory = folder(directory)
        open_the_way_to(self.directory)
        if isinstance(behind, str):
            open_the_way_to(behind)
        self.behind, self.port = behind, free_port()
        self.words = {"directory": self.directory, "behind": behind, "port": self.port,
                      "modules": "/usr/lib/apache2/modules"}
        self.name, _, how = kind.partition(" ")
        self.process = getattr(self, self.name)(how)
        wait_for(self.answers, 30, kind)

        if self.name == "s3rver":
            fill_bucket(self.url, behind)

    @property
    def url(self):
        bucket = "images/" if self.name == "s3rver" else ""
        return f"http://127.0.0.1:{self.port}/{bucket}"

    @property
    def source(self):
        """As a configuration has it."""
        return s3_source(self.url, self.directory) if self.name == "s3rver" else self.url

    @property
    def signed(self):
        """What curl is to be told, to be let in."""
        return SIGNED if self.name == "s3rver" else ()

    def answers(self):
        assert isinstance(self.process, Nginx) or self.process.poll() is None, self.output
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    @property
    def output(self):
        with open(os.path.join(self.directory, "output")) as file:
            return "it has ended: " + file.read()

    def write(self, name, text, **more):
        path = os.path.join(self.directory, name)
        with open(path, "w") as file:
            file.write(text.format(**{**self.words, **more}))
        return path

    def run(self, *words):
        home = {"HOME": self.directory, "XDG_DATA_HOME": self.directory,
                "XDG_CONFIG_HOME": self.directory}
        with open(os.path.join(self.directory, "output"), "wb") as output:
            # In a process group of its own: Apache's prefork ends all of the one that it is in.
            return subprocess.Popen(words, stdout=output, stderr=output,
                                    env={**os.environ, **home}, start_new_session=True)

    def nginx(self, how):
        if how == "" or how in nginx.LIMITS:
            return Nginx(self.directory, self.behind, *nginx.LIMITS.get(how, ()), port=self.port)
        more = {"proxy": "", "cache": NGINX_CACHE, "cache-slice": NGINX_CACHE + SLICE,
                "cache-lock": NGINX_CACHE + "proxy_cache_lock on;",
                "cache-lock-timeout": NGINX_CACHE +
                "proxy_cache_lock on; proxy_cache_lock_timeout 1s;"}[how]
        location = f"location / {{ proxy_pass http://127.0.0.1:{self.behind}; {more} }}"
        return Nginx(self.directory, "/nowhere",
                     f"proxy_cache_path {self.directory}/cache keys_zone=z:1m;", location,
                     port=self.port)

    def apache(self, how):
        folder(self.directory + "/cache", "www-data")
        path = self.write("conf", APACHE + APACHE_MORE[how],
                          mpm="prefork" if how == "one-worker" else "event")
        return self.run("apache2", "-f", path, "-DFOREGROUND")

    def lighttpd(self, how):
        root = "/nowhere" if how else self.behind
        path = self.write("conf", LIGHTTPD + (LIGHTTPD_PROXY if how else ""), root=root)
        return self.run("lighttpd", "-D", "-f", path)

    def caddy(self, how):
        more = (f"reverse_proxy 127.0.0.1:{self.behind}" if how else
                f"root * {self.behind}\n file_server")
        return self.run("caddy", "run", "--adapter", "caddyfile", "--config",
                        self.write("conf", CADDY, more=more))

    def h2o(self, how):
        more = (f"proxy.reverse.url: http://127.0.0.1:{self.behind}/" if how else
                f"file.dir: {self.behind}")
        return self.run("h2o", "-c", self.write("conf", H2O, more=more))

    def haproxy(self, how):
        use = "http-request cache-use images\n http-response cache-store images"
        more = {"cache": HAPROXY_CACHE, "proxy": ""}[how]
        path = self.write("conf", HAPROXY, more=more, use=use if more else "")
        return self.run("haproxy", "-f", path, "-db")

    def s3rver(self, _):
        return self.run(install_s3rver(folder(self.directory + "/npm")), "-d",
                        folder(self.directory + "/store"), "-p", str(self.port), "-a",
                        "127.0.0.1", "--configure-bucket", "images")

    def squid(self, how):
        shutil.chown(self.directory, "proxy")
        # What it does of itself: a range goes through, and is not kept.
        more = {"cache": "range_offset_limit none", "cache-no-ranges": "range_offset_limit 0",
                "cache-of-errors": "negative_ttl 1 hour"}[how]
        return self.run("squid", "-N", "-f", self.write("conf", SQUID, more=more))

    def varnish(self, _):
        return self.run("varnishd", "-F", "-a", f"127.0.0.1:{self.port}", "-b",
                        f"127.0.0.1:{self.behind}", "-n", self.directory + "/work", "-s",
                        "malloc,256m")

    def traffic_server(self, _):
        etc = os.path.join(self.directory, "etc")
        shutil.copytree("/etc/trafficserver", etc)
        for name in ("log", "run", "cache"):
            folder(os.path.join(self.directory, name))
        self.write("etc/records.config", TRAFFIC_SERVER)
        self.write("etc/remap.config", "map / http://127.0.0.1:{behind}/\n")
        self.write("etc/storage.config", "{directory}/cache 256M\n")
        root = self.write("runroot.yaml", "".join(f"{key}: {path}\n" for key, path in {
            "prefix": "{directory}", "exec_prefix": "{directory}", "bindir": "/usr/bin",
            "sbindir": "/usr/sbin", "sysconfdir": "{directory}/etc",
            "datadir": "{directory}/cache", "libexecdir": "/usr/lib/trafficserver/modules",
            "localstatedir": "{directory}/run", "runtimedir": "{directory}/run",
            "logdir": "{directory}/log", "cachedir": "{directory}/cache"}.items()))
        return self.run("traffic_server", f"--run-root={root}")

    @property
    def replies(self):
        """(path, status, bytes of body) of each, as its log has them: whole once it is closed."""
        if isinstance(self.process, Nginx):
            return self.process.replies
        if self.name == "s3rver":  # "info: s/V1/image.iso 206 32ms 976.56kb", rounded
            with open(os.path.join(self.directory, "output")) as file:
                rows = re.findall(r"(\S+) (\d+) \d+m?s ([\d.]+)(k|m|)b\b", file.read())
            return [(path, int(status), int(float(n) * {"": 1, "k": 1 << 10, "m": 1 << 20}[unit]))
                    for path, status, n, unit in rows if n != "0"]  # that was the upload
        with open(os.path.join(self.directory, "log")) as file:
            lines = file.readlines()
        if self.name == "caddy":
            rows = [json.loads(line) for line in lines]
            return [(row["request"]["uri"], row["status"], row["size"]) for row in rows]
        rows = [line.split() for line in lines]
        return [(row[6], int(row[8]), int(row[9].replace("-", "0"))) for row in rows]

    def image_replies(self):
        return [n for path, _, n in self.replies if path.endswith(".iso")]

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
