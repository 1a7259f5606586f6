"""A private bucket of a real S3 server (s3rver, of npm): requests are signed."""

import hashlib
import hmac
import os
import subprocess

import pytest

from steward import free_port, wait_for
from test_download import sha256
from test_source_access import says_nothing_of

PACKAGE = "s3rver@3.7.1"
KEY = SECRET = "S3RVER"  # what it knows


@pytest.fixture(scope="session")
def s3rver(tmp_path_factory):
    """Installed once by npm, into a folder of its own."""
    folder = tmp_path_factory.mktemp("s3rver")
    done = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts",
                           "--prefix", folder, PACKAGE], capture_output=True, timeout=240)
    assert done.returncode == 0, done.stderr.decode()
    return folder / "node_modules" / ".bin" / "s3rver"


@pytest.fixture
def bucket(s3rver, tmp_path, repository):
    port = free_port()
    process = subprocess.Popen([s3rver, "-d", tmp_path / "s3", "-p", str(port), "-a", "127.0.0.1",
                                "--configure-bucket", "images"], stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}/images/"
    signed = ["curl", "-sf", "--user", f"{KEY}:{SECRET}", "--aws-sigv4", "aws:amz:us-east-1:s3",
              "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD"]
    wait_for(lambda: subprocess.run(signed + [url]).returncode == 0, what="s3rver")
    for directory, _, files in os.walk(repository.root):
        for name in files:
            path = os.path.join(directory, name)
            subprocess.run(signed + ["-T", path, url + os.path.relpath(path, repository.root)],
                           check=True)
    yield url
    process.terminate()
    process.wait(20)


def entry(url, tmp_path, secret=SECRET, key=KEY):
    for name, text in (("id", key), ("secret", secret)):
        (tmp_path / name).write_text(text + "\n")
    return {"name": "s0", "kind": "artifactory", "url": url, "s3-region": "us-east-1",
            "s3-access-key-file": str(tmp_path / "id"),
            "s3-secret-key-file": str(tmp_path / "secret")}


@pytest.mark.release_only
def test_private_bucket(bucket, daemons, images, tmp_path):
    daemon = daemons(entry(bucket, tmp_path))
    daemon.fetch("V1")
    image = images(16)
    assert sha256(daemon.image_path("V1", os.path.basename(image.path))) == image.sha256


@pytest.mark.release_only
def test_unknown_key(bucket, daemons, tmp_path):
    daemon = daemons(entry(bucket, tmp_path, "wr0ng-s3cret", "NOBODY"), download={"attempts": 1})
    daemon.request("V1")
    assert "HTTP 403" in daemon.wait_state("V1", "failed")["error"]
    says_nothing_of(daemon, "wr0ng-s3cret")


def signature(request, secret):
    """As the store computes it (s3rver looks at the key's id alone)."""
    fields = dict(f.strip().split("=", 1) for f in
                  request.headers["authorization"].partition(" ")[2].split(","))
    scope = fields["Credential"].split("/")[1:]
    names = fields["SignedHeaders"].split(";")
    canonical = "\n".join([request.method, request.path, "",
                           *(f"{n}:{request.headers[n]}" for n in names), "",
                           fields["SignedHeaders"], request.headers["x-amz-content-sha256"]])
    key = b"AWS4" + secret.encode()
    for part in scope:
        key = hmac.digest(key, part.encode(), "sha256")
    text = "\n".join(["AWS4-HMAC-SHA256", request.headers["x-amz-date"], "/".join(scope),
                      hashlib.sha256(canonical.encode()).hexdigest()])
    return fields["Signature"], hmac.new(key, text.encode(), "sha256").hexdigest()


def test_signature_goes_to_the_store_alone(servers, daemons, tmp_path):
    """By a redirect to another host neither it nor the key's id."""
    elsewhere = servers()
    server = servers()
    original = server.reply

    def reply(connection, request, fault):
        if request.document == "image":
            server.short(connection, request, 307, b"", {
                "Location": elsewhere.url.replace("127.0.0.1", "localhost") + "V1/image-16-1.iso"})
        else:
            original(connection, request, fault)

    server.reply = reply
    daemons(entry(server.url, tmp_path)).fetch("V1")
    assert all(r.headers["authorization"].startswith("AWS4-HMAC-SHA256 ") for r in server.requests)
    for request in server.requests:
        given, expected = signature(request, SECRET)
        assert given == expected
    assert elsewhere.of("image")
    assert all("authorization" not in r.headers for r in elsewhere.requests)
