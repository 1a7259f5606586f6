# SPDX-License-Identifier: GPL-3.0-or-later
"""The fault table of docs/download.md, and whatever else a source can do wrong.

Each row runs beside a good source and, where one source can still succeed, alone: the content is
right, the bytes counted at the servers are what was promised, and there is no storm.
"""

import dataclasses
import os
import re
import time

import pytest

from certificates import Authority
from fault_server import Fault
from repository import MIB, Repository
from steward import wait_for
from test_download import sha256

PIECES = 16


def check(daemon, image, servers, waste=0.02, extra=0):
    """Right, at most 1.02x the bytes, no more requests than pieces plus ten."""
    path = daemon.image_path("V1", os.path.basename(image.path))
    assert sha256(path) == image.sha256
    sent = sum(server.image_bytes for server in servers)
    assert sent <= image.size * (1 + waste) + extra, f"{sent / image.size:.3f}x the bytes"
    requests = sum(server.image_requests for server in servers)
    assert requests <= PIECES + 10, f"{requests} requests"


# A fault; whether a source that always has it can still succeed alone; bytes it may waste.
ROWS = {
    "whole-file": ([Fault("whole")], True, 1 << 20),
    "shift": ([Fault("shift")], False, 1 << 20),
    "shift-lie": ([Fault("shift-lie", times=1, after=1)], True, 4 * MIB),
    "cut-3-mib": ([Fault("cut", 3 * MIB)], True, 0),
    "stall-first-4": ([Fault("stall", times=4)], True, 0),
    "html": ([Fault("html")], False, 0),
    # Right without a range: the next attempt asks so, if there is nobody else.
    "shift-ranges": ([Fault("shift", ranged=True)], True, 1 << 20),
    "html-ranges": ([Fault("html", ranged=True)], True, 1 << 20),
    "gzip-ranges": ([Fault("gzip", ranged=True)], True, 1 << 20),
    "403": ([Fault("status", 403)], False, 0),
    "404": ([Fault("status", 404)], False, 0),
    "416": ([Fault("status", 416)], False, 0),
    "401": ([Fault("status", 401)], False, 0),
    "500": ([Fault("status", 500)], False, 0),
    "500-once": ([Fault("status", 500, times=1, after=2)], True, 0),
    "429": ([Fault("status", (429, {"Retry-After": "1"}), times=1)], True, 0),
    "503": ([Fault("status", (503, {"Retry-After": "1"}), times=1, after=1)], True, 0),
    "gzip": ([Fault("gzip")], False, 1 << 20),
    "wrong-total": ([Fault("total")], False, 1 << 20),
    "longer": ([Fault("longer")], False, 1 << 20),
    "empty": ([Fault("empty")], False, 0),
    "empty-once": ([Fault("empty", times=1)], True, 0),
    "garbage": ([Fault("garbage")], False, 0),
    "slow-loris": ([Fault("slow", 0.1)], False, 0),
    "cut-300-kib": ([Fault("cut", 300 << 10)], True, 0),
}


def fresh(faults):
    return [dataclasses.replace(f) for f in faults]


@pytest.mark.parametrize("row", ROWS)
def test_beside_a_good_source(row, servers, daemons, images):
    faults, _, extra = ROWS[row]
    bad, good = servers(*fresh(faults), rate=30 * MIB), servers(rate=30 * MIB)
    daemon = daemons(bad, good)
    daemon.fetch("V1")
    if row == "cut-300-kib":  # each reply is short by design: more of them
        assert bad.image_bytes + good.image_bytes <= images(16).size * 1.02
        return
    check(daemon, images(16), (bad, good), extra=extra)


@pytest.mark.parametrize("row", [row for row in ROWS if ROWS[row][1]])
def test_alone(row, servers, daemons, images):
    faults, _, extra = ROWS[row]
    server = servers(*fresh(faults), rate=30 * MIB)
    is_busy = row in ("429", "503")
    daemon = daemons(server, download={"concurrency": 1 if is_busy else 4})
    daemon.fetch("V1")
    if is_busy:  # Retry-After: 1
        requests = server.of("image")
        busy = next(i for i, r in enumerate(requests) if r.status == int(row))
        assert requests[busy + 1].at - requests[busy].at >= 1
    if row == "cut-300-kib":
        assert server.image_bytes <= images(16).size * 1.02
        return
    check(daemon, images(16), (server,), extra=extra)


@pytest.mark.parametrize("row", [row for row in ROWS if not ROWS[row][1]])
def test_alone_and_hopeless(row, servers, daemons):
    """It fails with the reason, after few requests, and leaves no image."""
    server = servers(*fresh(ROWS[row][0]))
    daemon = daemons(server, download={"attempts": 1})
    daemon.request("V1")
    failed = daemon.wait_state("V1", "failed", timeout=60)
    assert "s0: " in failed["error"]
    # What was in flight when the source was left is among them, and libcurl itself asks once more
    # where a connection that was kept turns out to be dead.
    assert server.image_requests <= (7 if row in ("empty", "garbage") else 6)
    assert not os.path.exists(daemon.state + "/images/V1")


@pytest.mark.release_only
@pytest.mark.slow
@pytest.mark.parametrize("row, beside", [
    (row, beside) for row in ("whole-file", "shift-ranges", "cut-3-mib", "stall-first-4", "html-ranges")
    for beside in (True, False) if beside or ROWS[row][1]])
def test_table_at_full_size(row, beside, tmp_path, images, key, servers, daemons):
    """As the table was measured: 256 MiB, at most 8 MiB/s a reply."""
    image = images(256)
    repository = Repository(tmp_path / "large").add("V1", image, key)
    used = [servers(*fresh(ROWS[row][0]), rate=8 * MIB, root=repository.root)]
    if beside:
        used.append(servers(rate=8 * MIB, root=repository.root))
    daemon = daemons(*used, download={"stall-timeout": 2})
    daemon.fetch("V1", timeout=150)
    assert sha256(daemon.image_path("V1", os.path.basename(image.path))) == image.sha256
    assert sum(s.image_bytes for s in used) <= image.size * 1.02
    assert sum(s.image_requests for s in used) <= 256 + 10


def test_bad_piece_is_asked_elsewhere_and_the_second_leaves_the_source_out(servers, daemons,
                                                                           images):
    bad = servers(Fault("corrupt", (MIB, (3, 9))), rate=4 * MIB)
    good = servers()
    daemon = daemons(bad, good, download={"concurrency": 1})
    daemon.fetch("V1")
    source = daemon.source_of("V1", "s0")
    assert source["state"] == "excluded" and "piece 9" in source["reason"]
    for piece in (3, 9):
        line = next(l for l in daemon.log.splitlines() if f"piece {piece} does not match" in l)
        assert "s0" in line and line.count("sha256") == 1
        assert len(re.findall(r"\b[0-9a-f]{64}\b", line)) == 2
    assert any(r.range[0] == 3 * MIB for r in good.of("image"))
    assert sum(s.image_bytes for s in (bad, good)) <= images(16).size + 8 * MIB


def test_one_bad_piece_of_the_only_source_is_asked_again(servers, daemons, images):
    server = servers(Fault("corrupt-once", (MIB, [3])), rate=4 * MIB)
    daemon = daemons(server, download={"concurrency": 1})
    daemon.fetch("V1")
    assert len([r for r in server.of("image") if r.range[0] == 3 * MIB]) == 1
    # What had arrived behind it is not believed: at most what waits in memory.
    assert server.image_bytes <= images(16).size + (8 + 1) * MIB


def test_swapped_content_is_refused(tmp_path, servers, daemons, images, key):
    """The image was exchanged behind a manifest that stays: nothing of it is believed."""
    repository = Repository(tmp_path / "swapped").add("V1", images(16), key)
    target = os.path.join(repository.root, "V1", os.path.basename(images(16).path))
    os.remove(target)
    os.link(images(16, 2).path, target)
    server = servers(root=repository.root)
    daemon = daemons(server, download={"attempts": 2})
    daemon.request("V1")
    failed = daemon.wait_state("V1", "failed")
    assert "does not match" in failed["error"] and failed["bytes-verified"] == 0
    assert server.image_requests <= 12


def test_redirects(servers, daemons, tmp_path, images):
    plain = servers()
    name = os.path.basename(images(16).path)
    hop = servers(Fault("redirect", plain.url + "V1/" + name))
    daemons(hop).fetch("V1")
    authority = Authority(tmp_path, "ca")
    down = servers(Fault("redirect", plain.url + "V1/" + name), tls=authority.server_context())
    daemon = daemons({"name": "tls", "kind": "artifactory", "url": down.url,
                      "ca-certificate": authority.path}, download={"attempts": 1})
    before = plain.image_requests
    daemon.request("V1")
    failed = daemon.wait_state("V1", "failed")
    assert "redirect" in failed["error"] and plain.image_requests == before


def test_redirect_loop_ends(servers, daemons):
    server = servers()
    server.faults.append(Fault("redirect", server.url + "V1/image-16-1.iso"))
    daemon = daemons(server, download={"attempts": 1})
    daemon.request("V1")
    assert "redirect" in daemon.wait_state("V1", "failed")["error"]
    assert server.image_requests <= 6 * 6


def entry(server, name="tls", **members):
    return {"name": name, "kind": "artifactory", "url": server.url, **members}


def test_tls_certificates(servers, daemons, tmp_path):
    ours, foreign = Authority(tmp_path, "ours"), Authority(tmp_path, "foreign")
    good = servers(tls=ours.server_context())
    daemons(entry(good, **{"ca-certificate": ours.path})).fetch("V1")
    for context, word in ((ours.server_context("old", expired=True), "expired"),
                          (foreign.server_context(), "certificate")):
        bad = servers(tls=context)
        daemon = daemons(entry(bad, **{"ca-certificate": ours.path}), download={"attempts": 1})
        daemon.request("V1")
        error = daemon.wait_state("V1", "failed")["error"]
        assert "TLS" in error and word in error
        assert not bad.requests
        beside = daemons(entry(bad, "bad", **{"ca-certificate": ours.path}),
                         entry(good, "good", **{"ca-certificate": ours.path}))
        assert beside.fetch("V1")["active-source"] == "good" and not bad.requests


def test_client_certificate(servers, daemons, tmp_path):
    ours = Authority(tmp_path, "ours")
    server = servers(tls=ours.server_context(client_ca=ours.path))
    certificate, key = ours.issue("router")
    daemons(entry(server, **{"ca-certificate": ours.path, "client-certificate": certificate,
                             "client-key": key})).fetch("V1")
    daemon = daemons(entry(server, **{"ca-certificate": ours.path}), download={"attempts": 1})
    daemon.request("V1")
    daemon.wait_state("V1", "failed")


def test_credentials(servers, daemons, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    basic = servers(user="router:s3cret")
    daemons(entry(basic, username="router", **{"password-file": str(secret)})).fetch("V1")
    bearer = servers(token="s3cret")
    daemons(entry(bearer, **{"bearer-token-file": str(secret)})).fetch("V1")
    daemon = daemons(basic, entry(basic, username="router",
                                  **{"password-file": str(tmp_path / "missing")}),
                     download={"attempts": 1})
    daemon.request("V1")
    error = daemon.wait_state("V1", "failed")["error"]
    assert "s0: index.json: HTTP 401" in error
    assert "missing: No such file" in error


def test_credentials_stay_with_the_configured_host(servers, daemons, tmp_path, images):
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    elsewhere = servers()
    url = elsewhere.url.replace("127.0.0.1", "localhost")
    server = servers(Fault("redirect", url + "V1/image-16-1.iso"), user="router:s3cret")
    daemons(entry(server, username="router", **{"password-file": str(secret)})).fetch("V1")
    assert all("authorization" not in r.headers for r in elsewhere.of("image"))


def test_proxy_is_used_and_none_of_the_environment(servers, daemons):
    proxy = servers()  # answers absolute URLs like its own
    target = "http://image-server.invalid/"

    original = proxy.reply

    def reply(connection, request, fault):
        request.path = request.path.replace(target, "/")
        original(connection, request, fault)

    proxy.reply = reply
    daemons({"name": "p", "kind": "artifactory", "url": target, "proxy": proxy.url}).fetch("V1")
    assert proxy.image_requests > 0
    server = servers()
    daemons(server, environment={"http_proxy": "http://127.0.0.1:1/",
                                 "no_proxy": ""}).fetch("V1")


def test_connection_refused_and_unknown_name(servers, daemons):
    closed = servers()
    closed.close()
    started = time.monotonic()
    daemon = daemons(closed, "http://no-such-host.invalid/", servers())
    daemon.fetch("V1")
    assert time.monotonic() - started < 15
    reasons = {s["name"]: s["reason"] for s in daemon.download("V1")["sources"]}
    assert "cannot connect" in reasons["s0"] and "cannot resolve" in reasons["s1"]
    alone = daemons(closed, "http://no-such-host.invalid/", download={"attempts": 1})
    alone.request("V1")
    error = alone.wait_state("V1", "failed")["error"]
    assert "s0: " in error and "cannot connect" in error
    assert "s1: " in error and "cannot resolve" in error


@pytest.mark.slow
@pytest.mark.xdist_group("network")
def test_black_hole(servers, daemons, network):
    """Packets go there, and none comes back: the connection times out, the next one delivers."""
    good = servers(rate=4 * MIB)
    daemon = daemons(f"http://{network.black_hole}:8080/", good, download={"connect-timeout": 1})
    download = daemon.fetch("V1")
    assert download["active-source"] == "s1" and good.image_bytes <= 16 * MIB * 1.02
    reason = daemon.source_of("V1", "s0")["reason"]
    assert "cannot connect" in reason and "Timeout" in reason


@pytest.mark.xdist_group("network")
def test_black_hole_alone_says_so(daemons, network):
    daemon = daemons(f"http://{network.black_hole}:8080/", download={"attempts": 1})
    daemon.request("V1")
    error = daemon.wait_state("V1", "failed", timeout=20)["error"]
    assert "cannot connect" in error and "Timeout" in error


def test_discovery_survives_hostile_documents(servers, daemons):
    bad = [servers(Fault("body", b" " * (100 * MIB), on="index")),
           servers(Fault("body", b"[" * 100000, on="index")),
           servers(Fault("body", b'{"versions":[{"version":"V1","manifest":"../x"}]}',
                         on="index")),
           servers(Fault("garbage", on="index")), servers(Fault("html", on="manifest")),
           servers(Fault("body", b"a" * (5 * MIB), on="manifest")),
           servers(Fault("gzip", on="index"))]
    daemon = daemons(*bad, servers())
    download = daemon.fetch("V1")
    reasons = [s["reason"] for s in download["sources"]]
    for reason, word in zip(reasons, ("longer than the 1048576", "nested deeper", "expected",
                                      "index.json", "manifest", "longer than the 4194304",
                                      "content unencoding")):
        assert word in reason, (reason, word)
    assert bad[0].of("index")[0].sent < 20 * MIB


@pytest.mark.slow
@pytest.mark.parametrize("times", [1, 2])
def test_kill_9_then_resume(times, tmp_path, servers, daemons, images, key):
    image = images(256)
    repository = Repository(tmp_path / "large").add("V1", image, key)
    server = servers(root=repository.root, rate=8 * MIB)
    daemon = daemons(server)
    daemon.request("V1")
    for n in range(times):
        wait_for(lambda: server.image_bytes > (n + 1) * 80 * MIB, 60)
        daemon.kill9()
        daemon.start()
    daemon.wait_state("V1", "complete", timeout=120)
    assert sha256(daemon.image_path("V1", os.path.basename(image.path))) == image.sha256
    assert server.image_bytes <= image.size * 1.02 + times * (8 + 4) * MIB
    assert server.image_requests <= 256 + 10


@pytest.mark.slow
@pytest.mark.parametrize("beside", [False, True])
def test_kill_9_content_swapped_resume(beside, tmp_path, servers, daemons, images, key):
    """Alone it is refused; what a good source has beside it makes the image right."""
    image = images(256)
    repository = Repository(tmp_path / "swap").add("V1", image, key)
    server = servers(root=repository.root, rate=8 * MIB)
    used = [server]
    if beside:
        # A folder of its own: only the first source's file is exchanged.
        good = Repository(tmp_path / "good").add("V1", image, key)
        used.append(servers(root=good.root, rate=8 * MIB))
    daemon = daemons(*used, download={"attempts": 1})
    daemon.request("V1")
    wait_for(lambda: server.image_bytes > 80 * MIB, 60)
    daemon.kill9()
    target = os.path.join(repository.root, "V1", os.path.basename(image.path))
    os.remove(target)
    os.link(images(256, 2).path, target)
    daemon.start()
    end = daemon.wait_state("V1", "complete" if beside else "failed", timeout=120)
    assert sum(s.image_bytes for s in used) <= image.size * 1.02 + (8 + 4) * MIB
    assert sum(s.image_requests for s in used) <= 256 + 10
    if beside:
        assert sha256(daemon.image_path("V1", os.path.basename(image.path))) == image.sha256
        assert "does not match" in daemon.source_of("V1", "s0")["reason"]
    else:
        assert "does not match" in end["error"]
        assert not os.path.exists(daemon.state + "/images/V1")
