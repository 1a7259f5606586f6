# SPDX-License-Identifier: GPL-3.0-or-later
"""SCO's TLS against OpenSSL's: the same channel binding, and nothing but TLS 1.3."""

import hashlib
import os
import re
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from certificates import self_signed
from steward import BUILD, SLOW, wait_for

TOOL = os.path.join(BUILD, "tests", "tools", "tls_tool")
LABEL = "EXPORTER-Channel-Binding"


class Party:
    """A key with a certificate by a CA."""

    def __init__(self, directory, name, ca=None):
        self.key, self.certificate, self.chain = (
            str(directory / f"{name}.{kind}") for kind in ("key", "pem", "chain"))
        by = ["-CA", ca.certificate, "-CAkey", ca.key] if ca else []
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj",
                        f"/CN={name}", "-keyout", self.key, "-out", self.certificate, *by],
                       check=True, capture_output=True)
        with open(self.chain, "w") as chain:
            for path in [self.certificate] + ([ca.certificate] if ca else []):
                with open(path) as file:
                    chain.write(file.read())

    @property
    def digest(self):
        der = subprocess.run(["openssl", "x509", "-in", self.certificate, "-outform", "DER"],
                             check=True, capture_output=True).stdout
        return hashlib.sha256(der).hexdigest()


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    return Party(tmp_path_factory.mktemp("ca"), "ca")


@pytest.fixture(scope="module")
def server(tmp_path_factory, ca):
    return Party(tmp_path_factory.mktemp("server"), "conductor", ca)


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    return Party(tmp_path_factory.mktemp("client"), "router")


def our_server(processes, server):
    process = processes(TOOL, "server", server.chain, server.key)
    return process, process.stdout.readline().split()[1]


def their_client(port, *options):
    """openssl s_client, which says hello; what it printed."""
    return subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-alpn", "steward-sco/1",
         "-keymatexport", LABEL, "-keymatexportlen", "32", "-ign_eof", *options],
        input="hello back\n", text=True, capture_output=True, timeout=30 * SLOW)


def exporter(text):
    return re.search(r"Keying material: ([0-9A-F]{64})", text)[1].lower()


@pytest.mark.parametrize("shows", [False, True])
def test_our_server(processes, server, client, shows):
    process, port = our_server(processes, server)
    theirs = their_client(port, *(["-cert", client.certificate, "-key", client.key] if shows
                                  else []))
    out, err = process.communicate(timeout=30 * SLOW)
    assert process.returncode == 0, err
    assert "hello" in theirs.stdout
    assert "TLSv1.3" in theirs.stdout
    assert re.search("Peer signature type: (RSA-PSS|rsa_pss_rsae_sha256)$", theirs.stdout, re.M)
    assert "New Session Ticket" not in theirs.stdout and "Early data was not sent" in theirs.stdout
    lines = [f"exporter {exporter(theirs.stdout)}", *([f"peer {client.digest}"] if shows else []),
             "heard hello back"]
    assert out.splitlines() == lines


@pytest.mark.parametrize("kind", [
    ["rsa:4096"], ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    ["ec", "-pkeyopt", "ec_paramgen_curve:P-384"], ["ec", "-pkeyopt", "ec_paramgen_curve:P-521"],
    ["ed25519"]])
def test_kinds_of_keys(processes, server, tmp_path, kind):
    """All that are computed with, each with a good signature and a good channel."""
    key, certificate = str(tmp_path / "key"), str(tmp_path / "pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", *kind, "-nodes", "-subj", "/CN=router",
                    "-keyout", key, "-out", certificate], check=True, capture_output=True)
    process, port = our_server(processes, server)
    theirs = their_client(port, "-cert", certificate, "-key", key)
    out, err = process.communicate(timeout=30 * SLOW)
    assert process.returncode == 0, err
    assert f"exporter {exporter(theirs.stdout)}" in out
    assert out.count("peer ") == 1


@pytest.mark.parametrize("shows", [False, True])
def test_our_client(processes, server, client, ca, shows):
    process = processes("openssl", "s_server", "-accept", "127.0.0.1:0", "-cert",
                        server.certificate, "-key", server.key, "-cert_chain", ca.certificate,
                        "-tls1_3", "-alpn", "steward-sco/1", "-verify", "1", "-keymatexport",
                        LABEL, "-keymatexportlen", "32")
    port = next(line for line in process.stdout if line.startswith("ACCEPT")).split(":")[1].strip()
    ours = processes(TOOL, "client", port,
                     *([client.chain, client.key] if shows else []))
    seen = []
    wait_for(lambda: seen.append(process.stdout.readline()) or "Keying material: " in seen[-1], 30,
             "the server's keying material")
    process.stdin.write("hello back\n")
    process.stdin.flush()
    out, err = ours.communicate(timeout=30 * SLOW)
    assert ours.returncode == 0, err
    assert out.splitlines() == [f"exporter {exporter(seen[-1])}", f"peer {server.digest}",
                                f"peer {ca.digest}", "heard hello back"]
    assert any("Client certificate" in line for line in seen) == shows


@pytest.mark.parametrize("options, reason", [
    (["-tls1_2"], "TLS handshake: "),
    (["-tls1_2", "-cipher", "ALL"], "TLS handshake: "),
    (["-alpn", "http/1.1"], "TLS handshake: "),
])
def test_our_server_refuses(processes, server, options, reason):
    process, port = our_server(processes, server)
    theirs = their_client(port, *options)
    _, err = process.communicate(timeout=30 * SLOW)
    assert process.returncode == 1
    assert reason in err
    assert theirs.returncode != 0 or "Keying material" not in theirs.stdout


def test_our_server_refuses_a_client_without_alpn(processes, server):
    process, port = our_server(processes, server)
    subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}"], input="", text=True,
                   capture_output=True, timeout=30 * SLOW)
    _, err = process.communicate(timeout=30 * SLOW)
    assert process.returncode == 1
    assert "no ALPN, expected steward-sco/2 or steward-sco/1" in err


@pytest.mark.parametrize("options, reason", [
    (["-tls1_2", "-alpn", "steward-sco/1"], "TLS handshake: "),
    (["-tls1_3"], "no ALPN, expected steward-sco/2 or steward-sco/1"),
    (["-tls1_3", "-alpn", "http/1.1"], "TLS handshake: "),
])
def test_our_client_refuses(processes, server, options, reason):
    process = processes("openssl", "s_server", "-accept", "127.0.0.1:0", "-cert",
                        server.certificate, "-key", server.key, *options)
    port = next(line for line in process.stdout if line.startswith("ACCEPT")).split(":")[1].strip()
    ours = processes(TOOL, "client", port)
    _, err = ours.communicate(timeout=30 * SLOW)
    assert ours.returncode == 1
    assert reason in err


@pytest.mark.parametrize("size, reason", [
    (3000, "number 1 of the chain: 3000 bytes, at most 2047"),
    (2048, "number 1 of the chain: 2048 bytes, at most 2047"),
])
def test_our_client_and_a_thief(processes, server, client, tmp_path, size, reason):
    """Its own certificate is too large to be kept by wolfSSL; what comes second is another's."""
    with open(client.key, "rb") as file:
        key = serialization.load_pem_private_key(file.read(), None)
    own = tmp_path / "own.pem"
    own.write_bytes(x509.load_der_x509_certificate(self_signed(key, "thief", size)).public_bytes(
        serialization.Encoding.PEM))
    process = processes("openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", str(own), "-key",
                        client.key, "-cert_chain", server.certificate, "-tls1_3", "-alpn",
                        "steward-sco/1")
    port = next(line for line in process.stdout if line.startswith("ACCEPT")).split(":")[1].strip()
    ours = processes(TOOL, "client", port)
    out, err = ours.communicate(timeout=30 * SLOW)
    assert ours.returncode == 1 and out == ""
    assert reason in err


@pytest.mark.parametrize("side", ["server", "client"])
def test_own_chain_that_no_peer_keeps(processes, client, tmp_path, side):
    with open(client.key, "rb") as file:
        key = serialization.load_pem_private_key(file.read(), None)
    own = tmp_path / "own.pem"
    own.write_bytes(x509.load_der_x509_certificate(self_signed(key, "large", 2048)).public_bytes(
        serialization.Encoding.PEM))
    ours = processes(TOOL, side, *(["1"] if side == "client" else []), str(own), client.key)
    _, err = ours.communicate(timeout=30 * SLOW)
    assert ours.returncode == 1
    assert "our own certificate: number 1 of the chain: 2048 bytes, at most 2047" in err


def test_no_resumption(processes, server, tmp_path):
    """What a first connection could keep is worth nothing in a second."""
    session = str(tmp_path / "session")
    process, port = our_server(processes, server)
    their_client(port, "-sess_out", session)
    assert process.wait(30 * SLOW) == 0
    assert not os.path.exists(session)
