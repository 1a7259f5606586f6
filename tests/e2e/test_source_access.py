"""Images that lie behind a proxy with a password, and sources with a limit of their own."""

import os
import shutil
import subprocess

import pytest

from caches import folder, open_the_way_to
from certificates import Authority
from steward import free_port, wait_for
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
