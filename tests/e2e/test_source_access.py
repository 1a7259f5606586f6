# SPDX-License-Identifier: GPL-3.0-or-later
"""Images that lie behind a proxy with a password, and sources with a limit of their own."""

import os
import shutil
import subprocess

import pytest

from certificates import Authority
from fault_server import Fault
from real_servers import folder, open_the_way_to
from steward import STEWARDD, free_port, wait_for
from test_download import sha256

PASSWORD = "pr0xy-s3cret"
SQUID = """
http_port 127.0.0.1:{port}
auth_param basic program /usr/lib/squid/basic_ncsa_auth {directory}/passwords
auth_param basic children 1
acl known proxy_auth REQUIRED
acl CONNECT method CONNECT
http_access allow known
http_access deny all
cache deny all
pid_filename {directory}/pid
access_log none
cache_log {directory}/log
coredump_dir {directory}
visible_hostname proxy.test
shutdown_lifetime 1 seconds
"""


@pytest.fixture
def proxy(tmp_path):
    """Squid, which lets nobody through but router with PASSWORD."""
    directory, port = folder(tmp_path / "squid"), free_port()
    open_the_way_to(directory)
    shutil.chown(directory, "proxy")
    hashed = subprocess.run(["openssl", "passwd", "-apr1", PASSWORD], check=True,
                            capture_output=True, text=True).stdout
    with open(os.path.join(directory, "passwords"), "w") as file:
        file.write("router:" + hashed)
    with open(os.path.join(directory, "conf"), "w") as file:
        file.write(SQUID.format(port=port, directory=directory))
    with open(os.path.join(directory, "output"), "wb") as output:
        process = subprocess.Popen(["squid", "-N", "-f", os.path.join(directory, "conf")],
                                   stdout=output, stderr=output)
    wait_for(lambda: os.path.exists(os.path.join(directory, "pid")), what="squid")
    yield f"http://127.0.0.1:{port}/"
    process.terminate()
    process.wait(20)


def entry(server, tmp_path, proxy, password=PASSWORD, **members):
    secret = tmp_path / "password"
    secret.write_text(password + "\n")
    return {"name": "s0", "kind": "artifactory", "url": server.url, "proxy": proxy,
            "proxy-username": "router", "proxy-password-file": str(secret), **members}


def says_nothing_of(daemon, secret):
    for path in ("/v1/configuration", "/v1/status", "/v1/downloads", "/v1/downloads/V1"):
        assert secret not in daemon.get(path).body.decode(), path
    assert secret not in daemon.log
    for directory, _, files in os.walk(daemon.state):
        for name in files:
            if not name.endswith((".iso", ".part")):
                with open(os.path.join(directory, name), "rb") as file:
                    assert secret.encode() not in file.read(), name


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tunnel"])
def test_proxy_with_a_password(tls, servers, daemons, proxy, tmp_path, images):
    image = images(16)
    authority = Authority(tmp_path, "ca")
    server = servers(tls=authority.server_context() if tls else None)
    more = {"ca-certificate": authority.path} if tls else {}
    daemon = daemons(entry(server, tmp_path, proxy, **more))
    daemon.fetch("V1")
    assert sha256(daemon.image_path("V1", os.path.basename(image.path))) == image.sha256
    assert server.requests
    for request in server.requests:
        assert "proxy-authorization" not in request.headers
        assert "authorization" not in request.headers
    says_nothing_of(daemon, PASSWORD)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tunnel"])
def test_proxy_that_refuses_us(tls, servers, daemons, proxy, tmp_path):
    authority = Authority(tmp_path, "ca")
    server = servers(tls=authority.server_context() if tls else None)
    unnamed = {"name": "s1", "kind": "artifactory", "url": server.url, "proxy": proxy}
    daemon = daemons(entry(server, tmp_path, proxy, "wr0ng-s3cret"), unnamed,
                     download={"attempts": 1})
    daemon.request("V1")
    error = daemon.wait_state("V1", "failed")["error"]
    refused, not_named = error.split("s1: ")
    assert "407" in refused and "proxy-username" in refused, error
    assert "407" in not_named and "proxy-username" in not_named, error
    assert not server.requests
    says_nothing_of(daemon, "wr0ng-s3cret")


def test_proxy_password_goes_to_the_proxy_alone(servers, daemons, tmp_path):
    """Without a proxy's 407, and with a server that wants a password of its own."""
    seen = []
    forwards = servers(user="us:0urs")  # takes an absolute URL as its own
    target = "http://image-server.invalid/"
    original = forwards.reply

    def reply(connection, request, fault):
        seen.append(dict(request.headers))
        request.path = request.path.replace(target, "/")
        original(connection, request, fault)

    forwards.reply = reply
    ours = tmp_path / "ours"
    ours.write_text("0urs\n")
    daemons(entry(forwards, tmp_path, forwards.url, url=target, username="us",
                  **{"password-file": str(ours)})).fetch("V1")
    assert seen and all(h["proxy-authorization"] != h["authorization"] for h in seen)


def test_missing_proxy_password(servers, daemons, proxy, tmp_path):
    server = servers()
    daemon = daemons(entry(server, tmp_path, proxy,
                           **{"proxy-password-file": str(tmp_path / "missing")}),
                     download={"attempts": 1})
    daemon.request("V1")
    assert "missing: No such file" in daemon.wait_state("V1", "failed")["error"]


@pytest.mark.parametrize("concurrency,allowed", [(1, 1), (3, 3), (32, 6), (None, 6)])
def test_concurrency_of_a_source(concurrency, allowed, servers, daemons):
    server = servers(rate=2 << 20)
    own = {} if concurrency is None else {"concurrency": concurrency}
    daemon = daemons({"name": "s0", "kind": "artifactory", "url": server.url, **own},
                     download={"concurrency": 6})
    daemon.fetch("V1")
    assert server.in_flight_max <= allowed
    assert allowed == 1 or server.in_flight_max >= 2


QUERY = "sv=2024-08-04&sr=c&se=2027-01-01T00%3A00%3A00Z&sig=qu3ry%2Bs3cret%3D"


def signed(server, query=QUERY):
    """A store that serves who brings the query, behind whatever path."""
    original = server.reply

    def reply(connection, request, fault):
        path, _, brought = request.path.partition("?")
        if brought != query:
            server.short(connection, request, 403, b"AuthenticationFailed")
            return
        request.path = path
        original(connection, request, fault)

    server.reply = reply
    return server


@pytest.mark.parametrize("slash", ["", "/"], ids=["no-slash", "slash"])
def test_signed_prefix(slash, servers, daemons, images):
    image = images(16)
    server = signed(servers())
    url = server.url.rstrip("/") + slash + "?" + QUERY
    daemon = daemons({"name": "s0", "kind": "artifactory", "url": url})
    daemon.fetch("V1")
    assert sha256(daemon.image_path("V1", os.path.basename(image.path))) == image.sha256
    assert {r.document for r in server.requests} == {"index", "manifest", "image"}
    shown = daemon.get("/v1/configuration").json["steward:router"]["software-update"]["source"][0]
    assert shown["url"] == server.url.rstrip("/") + slash + "?..."
    says_nothing_of(daemon, "qu3ry")
    says_nothing_of(daemon, "sr=c")


def test_signature_that_is_refused(servers, daemons):
    server = signed(servers(), "another")
    daemon = daemons({"name": "s0", "kind": "artifactory", "url": server.url + "?" + QUERY},
                     download={"attempts": 1})
    daemon.request("V1")
    assert "HTTP 403" in daemon.wait_state("V1", "failed")["error"]
    says_nothing_of(daemon, "qu3ry")


def test_signature_stays_with_the_configured_host(servers, daemons):
    elsewhere = servers()
    server = signed(servers(Fault("redirect", elsewhere.url + "V1/image-16-1.iso")))
    daemons({"name": "s0", "kind": "artifactory", "url": server.url + "?" + QUERY}).fetch("V1")
    assert elsewhere.of("image")
    for request in elsewhere.requests:
        assert "?" not in request.path and "qu3ry" not in str(dict(request.headers))


@pytest.mark.parametrize("url", ["http://h/a?sig=qu3ry#x", "http://u:p@h/?sig=qu3ry",
                                 "http://h/?sig=qu3ry another", "http://h:99999/?sig=qu3ry",
                                 "ftp://h/?sig=qu3ry", 'http://h/?a"sig=qu3ry', "h?sig=qu3ry",
                                 "http://h/?" + "q" * 4096 + "qu3ry"])
def test_a_refused_url_is_not_told(url, daemons):
    daemon = daemons(url, start=False)
    result = subprocess.run([STEWARDD, "--config", daemon.config_path, "--check"], text=True,
                            capture_output=True)
    assert result.returncode == 78 and "source[name='s0']/url" in result.stderr
    assert "qu3ry" not in result.stderr and "qqq" not in result.stderr, result.stderr
