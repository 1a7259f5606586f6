# SPDX-License-Identifier: GPL-3.0-or-later
"""The node's images: imported, verified, served, deleted; and made into repositories."""

import base64
import hashlib
import json
import os
import subprocess
import urllib.error
import urllib.request

import pytest

from repository import MIB, Repository
from steward import STEWARDCTL, Events, ctl, free_port, wait_for
from test_download import sha256


@pytest.fixture
def medium(repository, images):
    """Paths of image and manifest, as on a USB stick."""
    return images(16).path, os.path.join(repository.root, "V1", "manifest.jws")


def put(daemon, manifest, content, version="V1"):
    reply = daemon.call("PUT", f"/v1/images/{version}/manifest", manifest)
    if reply.status != 201:
        return reply
    return daemon.call("PUT", f"/v1/images/{version}/file", content)


def nothing_left(daemon):
    return (os.listdir(daemon.state + "/downloads") == []
            and os.listdir(daemon.state + "/images") == ["index.json"]
            and daemon.get("/v1/images").json == {"images": []})


def test_import(daemons, medium, images):
    daemon = daemons()
    result = ctl(daemon, "import", "system", "software", "image", medium[0], "manifest", medium[1],
                 check=0)
    assert result.stdout.endswith("V1 is imported\n")
    assert sha256(daemon.image_path("V1", "image-16-1.iso")) == images(16).sha256
    assert daemon.get("/v1/images").json["images"][0]["version"] == "V1"
    assert '"V1/manifest.jws"' in open(daemon.state + "/images/index.json").read()
    assert os.listdir(daemon.state + "/downloads") == []
    result = ctl(daemon, "import", "system", "software", "image", medium[0], "manifest", medium[1],
                 check=1)
    assert "the image V1 is present" in result.stderr
    daemon.stop()
    daemon.start()
    assert daemon.get("/v1/images").json["images"][0]["sha256"] == images(16).sha256


def test_import_refused(daemons, medium, images, key, other_key):
    daemon = daemons()
    content = open(medium[0], "rb").read()
    manifest = open(medium[1], "rb").read()
    bad = bytearray(content)
    bad[5 * MIB + 17] ^= 1
    for what, (jws, body, status, word) in {
        "one bit": (manifest, bytes(bad), 422, "piece 5 does not match"),
        "too short": (manifest, content[:-1], 422, "16777215 bytes came"),
        "short by a piece": (manifest, content[:-MIB], 422, "bytes came"),
        "too long": (manifest, content + b"x", 422, "more bytes"),
        "nothing": (manifest, b"", 422, "0 bytes came"),
        "another key": (other_key.jws(images(16).payload("V1")), content, 400, "unknown key"),
        "another version": (key.jws(images(16).payload("V2")), content, 400, "V2"),
        "no manifest": (b"x", content, 400, "three parts"),
        "a manifest of 5 MB": (b"x" * 5_000_000, content, 413, "bytes"),
    }.items():
        reply = put(daemon, jws, body)
        assert reply.status == status, (what, reply.body)
        assert word in reply.detail, (what, reply.detail)
        wait_for(lambda: nothing_left(daemon), what=what)
    assert daemon.call("PUT", "/v1/images/V1/file", content).status == 409
    assert daemon.call("PUT", "/v1/images/..%2fx/manifest", manifest).status in (400, 404)
    assert put(daemon, manifest, content).status == 201


def test_import_that_breaks_off(daemons, medium):
    import socket

    daemon = daemons()
    manifest = open(medium[1], "rb").read()
    assert daemon.call("PUT", "/v1/images/V1/manifest", manifest).status == 201
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(daemon.socket)
    connection.sendall(b"PUT /v1/images/V1/file HTTP/1.1\r\nHost: x\r\nContent-Length: 16777216"
                       b"\r\n\r\n" + b"x" * 1000)
    wait_for(lambda: os.listdir(daemon.state + "/downloads") != [])
    connection.close()
    wait_for(lambda: nothing_left(daemon))


def test_verify(daemons, servers, images):
    daemon = daemons(servers())
    daemon.fetch("V1")
    assert "V1 is as it was signed" in ctl(daemon, "request", "system", "software", "verify",
                                           "version", "V1", check=0).stdout
    path = daemon.image_path("V1", "image-16-1.iso")
    with open(path, "r+b") as file:
        file.seek(3 * MIB + 7)
        byte = file.read(1)
        file.seek(3 * MIB + 7)
        file.write(bytes([byte[0] ^ 1]))
    result = ctl(daemon, "request", "system", "software", "verify", "version", "V1", check=1)
    assert "V1 is damaged: piece 3 does not match: expected sha256" in result.stderr
    assert "image V1 is damaged" in daemon.log
    events = list(Events(daemon, "POST", "/v1/images/V1/verify"))
    assert events[0][0] == "progress" and events[0][1]["bytes-total"] == images(16).size
    assert events[-1][0] == "result" and events[-1][1]["result"] == "damaged"
    os.truncate(path, 5)
    assert list(Events(daemon, "POST", "/v1/images/V1/verify"))[-1][1]["result"] == "damaged"
    assert ctl(daemon, "request", "system", "software", "verify", "version", "V9",
               check=1).stderr == "stewardctl: there is no image V9\n"


def test_verify_does_not_believe_a_manifest_that_was_exchanged(daemons, servers, images, other_key):
    daemon = daemons(servers())
    daemon.fetch("V1")
    with open(daemon.image_path("V1", "manifest.jws"), "w") as file:
        file.write(other_key.jws(images(16).payload("V1")))
    result = ctl(daemon, "request", "system", "software", "verify", "version", "V1", check=1)
    assert "signature by an unknown key" in result.stderr


def test_delete(daemons, servers):
    daemon = daemons(servers())
    daemon.fetch("V1")
    ctl(daemon, "request", "system", "software", "delete", "version", "V1", check=0)
    assert nothing_left(daemon) or os.listdir(daemon.state + "/downloads") == ["V1"]
    assert daemon.get("/v1/images").json == {"images": []}
    assert os.listdir(daemon.state + "/images") == ["index.json"]
    assert json.load(open(daemon.state + "/images/index.json")) == {"versions": []}
    assert daemon.call("DELETE", "/v1/images/V1").status == 404
    daemon.fetch("V1")


def create(tmp_path, image, key, *more, version="V1", output="made"):
    return subprocess.run([STEWARDCTL, "create", "software", "manifest", "image", image, "version",
                           version, "key", key.private_path, *more, "output", tmp_path / output],
                          text=True, capture_output=True)


def decode(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def test_create_is_believed_by_others(tmp_path, images, key):
    """PyJWT and openssl verify what we sign, and the digests are those of sha256sum."""
    import jwt

    image = images(3.3)
    result = create(tmp_path, image.path, key, "piece-size", "65536")
    assert result.returncode == 0, result.stderr
    folder = tmp_path / "made" / "V1"
    text = (folder / "manifest.jws").read_text()
    with open(key.public_path) as file:
        payload = jwt.decode(text, file.read(), algorithms=["RS256"])
    header = jwt.get_unverified_header(text)
    assert header == {"alg": "RS256", "typ": "steward-manifest+jws", "kid": key.kid}
    signed, _, signature = text.rpartition(".")
    (tmp_path / "signed").write_text(signed)
    (tmp_path / "signature").write_bytes(decode(signature))
    subprocess.run(["openssl", "dgst", "-sha256", "-verify", key.public_path, "-signature",
                    tmp_path / "signature", tmp_path / "signed"], check=True, capture_output=True)
    index = (folder / (os.path.basename(image.path) + ".chunks")).read_bytes()
    expected = image.payload("V1", 65536, override={"chunks": {
        "file": os.path.basename(image.path) + ".chunks", "size": len(index),
        "sha256": hashlib.sha256(index).hexdigest()}})
    assert index[:8] == b"STWDCH01" and sum(
        int.from_bytes(index[at:at + 4], "little") for at in range(20, len(index), 20)) == image.size
    assert {k: v for k, v in payload.items() if k != "created"} == \
        {k: v for k, v in expected.items() if k != "created"}
    name = os.path.basename(image.path)
    assert os.stat(folder / name).st_ino == os.stat(image.path).st_ino, "hard-linked"
    assert json.loads((tmp_path / "made" / "index.json").read_text()) == {
        "versions": [{"version": "V1", "manifest": "V1/manifest.jws"}]}


def test_create_again_and_more(tmp_path, images, key, servers, daemons):
    assert create(tmp_path, images(1).path, key).returncode == 0
    again = create(tmp_path, images(1).path, key)
    assert again.returncode == 1 and "is there already" in again.stderr
    assert create(tmp_path, images(1, 2).path, key, version="V2").returncode == 0
    index = json.loads((tmp_path / "made" / "index.json").read_text())
    assert [v["version"] for v in index["versions"]] == ["V1", "V2"]
    daemon = daemons(servers(root=tmp_path / "made"))
    daemon.fetch("V1")
    daemon.fetch("V2")


def test_create_of_a_link_and_onto_another_filesystem(tmp_path, images, key):
    link = tmp_path / "linked.iso"
    link.symlink_to(images(1).path)
    assert create(tmp_path, link, key).returncode == 0
    made = tmp_path / "made" / "V1" / "linked.iso"
    assert made.is_file() and not made.is_symlink()
    other = f"/dev/shm/steward-{os.getpid()}"
    try:
        result = create(tmp_path, images(1).path, key, output=other)
        assert result.returncode == 0, result.stderr
        assert sha256(f"{other}/V1/image-1-1.iso") == images(1).sha256
    finally:
        subprocess.run(["rm", "-rf", other], check=True)


def test_create_refused(tmp_path, images, key):
    image = images(1).path
    empty = tmp_path / "empty.iso"
    empty.write_bytes(b"")
    large = tmp_path / "large.iso"
    with open(large, "wb") as file:
        file.truncate(8 << 30)
    weak = tmp_path / "weak.pem"
    subprocess.run(["openssl", "genrsa", "-out", weak, "1024"], check=True, capture_output=True)

    class Other:
        def __init__(self, path):
            self.private_path = path

    for result, status, word in (
            (create(tmp_path, tmp_path / "none", key), 1, "No such file"),
            (create(tmp_path, empty, key), 1, "not empty"),
            (create(tmp_path, tmp_path, key), 1, "expected a file"),
            (create(tmp_path, image, key, version="../x"), 1, "not the name of a version"),
            (create(tmp_path, image, key, "piece-size", "1000"), 1, "power of two"),
            (create(tmp_path, image, key, "piece-size", "many"), 64, "expected bytes"),
            (create(tmp_path, large, key, "piece-size", "65536"), 1, "use a larger piece-size"),
            (create(tmp_path, image, Other(key.public_path)), 1, "expected an unencrypted private"),
            (create(tmp_path, image, Other(weak)), 1, "2048 to 8192 bits"),
            (create(tmp_path, image, key, output="none/none"), 1, "No such file")):
        assert result.returncode == status and word in result.stderr, result
    assert not (tmp_path / "made").exists() or os.listdir(tmp_path / "made") == []


def get(url, **headers):
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as reply:
            return reply.status, dict(reply.headers), reply.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


def test_a_node_is_a_source(servers, daemons, images):
    port = free_port()
    first = daemons(servers(), update={"repository": {"listen": [
        {"address": "127.0.0.1", "port": port}]}})
    first.fetch("V1")
    url = f"http://127.0.0.1:{port}"
    content = open(images(16).path, "rb").read()
    assert json.loads(get(url + "/index.json")[2])["versions"][0]["version"] == "V1"
    status, headers, body = get(url + "/V1/image-16-1.iso", Range="bytes=100-299")
    assert status == 206 and headers["Content-Range"] == "bytes 100-299/16777216"
    assert body == content[100:300]
    assert get(url + "/V1/image-16-1.iso")[2] == content
    assert get(url + "/V1/image-16-1.iso", Range="bytes=16777210-")[2] == content[-6:]
    assert get(url + "/V1/image-16-1.iso", Range="bytes=-6")[2] == content[-6:]
    status, headers, _ = get(url + "/V1/image-16-1.iso", Range="bytes=16777216-")
    assert status == 416 and headers["Content-Range"] == "bytes */16777216"
    assert json.loads(get(url + "/v1/downloads/V1")[2])["state"] == "complete"
    second = daemons(url + "/")
    second.fetch("V1")
    assert sha256(second.image_path("V1", "image-16-1.iso")) == images(16).sha256
    # Nothing else, and only reads.
    for path in ("/v1/status", "/v1/downloads", "/metrics", "/V1/", "/V1/other", "/../etc/passwd",
                 "/V1/..%2f..%2fdownloads%2fV1%2frequest.json", "/downloads/V1/request.json"):
        assert get(url + path)[0] == 404, path
    request = urllib.request.Request(url + "/index.json", method="DELETE")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    assert refused.value.code == 405


def test_deleted_while_served(servers, daemons, images):
    """Who reads an image keeps it until the end."""
    import http.client

    port = free_port()
    daemon = daemons(servers(), update={"repository": {"listen": [
        {"address": "127.0.0.1", "port": port}]}})
    daemon.fetch("V1")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", "/V1/image-16-1.iso")
    reply = connection.getresponse()
    first = reply.read(1000)
    assert daemon.call("DELETE", "/v1/images/V1").status == 204
    assert hashlib.sha256(first + reply.read()).hexdigest() == images(16).sha256


def test_import_while_downloading_is_refused(servers, daemons, medium):
    server = servers(rate=MIB)
    daemon = daemons(server)
    daemon.request("V1")
    wait_for(lambda: server.image_bytes > 0)
    reply = daemon.call("PUT", "/v1/images/V1/manifest", open(medium[1], "rb").read())
    assert reply.status == 409 and "unfinished" in reply.detail


def test_two_imports_of_one_version_at_once(daemons, medium):
    import threading

    daemon = daemons()
    manifest, content = open(medium[1], "rb").read(), open(medium[0], "rb").read()
    statuses = []
    threads = [threading.Thread(target=lambda: statuses.append(put(daemon, manifest,
                                                                   content).status))
               for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 201 in statuses and set(statuses) <= {201, 409, 422, 500}, statuses
    assert ctl(daemon, "request", "system", "software", "verify", "version", "V1").returncode == 0


def test_repository_is_whole_after_an_import_and_a_download(servers, daemons, tmp_path, images,
                                                            key):
    Repository(tmp_path / "more")
    daemon = daemons(servers())
    manifest = key.jws(images(1).payload("V2"))
    daemon.request("V1")
    assert put(daemon, manifest, open(images(1).path, "rb").read(), "V2").status == 201
    daemon.wait_state("V1", "complete")
    index = json.load(open(daemon.state + "/images/index.json"))
    assert sorted(v["version"] for v in index["versions"]) == ["V1", "V2"]
