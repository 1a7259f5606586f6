# SPDX-License-Identifier: GPL-3.0-or-later
"""A private bucket of a real S3 server (s3rver, of npm): requests are signed."""

import hashlib
import hmac
import os

import pytest

import real_servers
from test_download import sha256
from test_source_access import says_nothing_of

KEY, SECRET = real_servers.S3_KEY, real_servers.S3_SECRET


@pytest.fixture
def bucket(tmp_path, repository):
    store = real_servers.RealServer("s3rver", tmp_path / "s3", repository.root)
    yield store.url
    store.close()


def entry(url, tmp_path, secret=SECRET, key=KEY):
    return real_servers.s3_source(url, tmp_path, key, secret)


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
    assert ("HTTP 403, InvalidAccessKeyId: check s3-access-key-file"
            in daemon.wait_state("V1", "failed")["error"])
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


def test_what_the_store_says_of_its_refusal(servers, daemons, tmp_path):
    """Its code, and what to check; of a body however long only the beginning is read."""
    server = servers()

    def reply(connection, request, _):
        server.short(connection, request, 400, b"<?xml version=\"1.0\"?><Error>"
                     b"<Code>AuthorizationHeaderMalformed</Code>" + b"x" * 100_000)

    server.reply = reply
    daemon = daemons(entry(server.url, tmp_path), download={"attempts": 1})
    daemon.request("V1")
    assert ("index.json: HTTP 400, AuthorizationHeaderMalformed: check s3-region"
            in daemon.wait_state("V1", "failed")["error"])
