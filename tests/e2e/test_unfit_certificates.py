# SPDX-License-Identifier: GPL-3.0-or-later
"""A conductor's certificate that no router would take is refused before a token is made of it: by
--check, by a start, and when a token is asked for; each says why."""

import datetime
import json
import os
import subprocess
import tempfile

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from certificates import DAY, name, pem_key
from pkcs11_token import Token
from steward import CONDUCTORD, wait_for

pytestmark = pytest.mark.once

SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH


def usage(**true):
    words = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
             "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{word: word in true for word in words})


def make(subject, key, issuer, issuer_key, is_ca=False, days=(-1, 30), for_use=(), key_usage=None,
         path_length=None, comment=0, hash_with=hashes.SHA256(), constraints=True):
    now = datetime.datetime.utcnow()
    builder = (x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name(issuer))
               .public_key(key.public_key()).serial_number(x509.random_serial_number())
               .not_valid_before(now + days[0] * DAY).not_valid_after(now + days[1] * DAY))
    if constraints:
        builder = builder.add_extension(x509.BasicConstraints(is_ca, path_length), True)
    if for_use:
        builder = builder.add_extension(x509.ExtendedKeyUsage(list(for_use)), False)
    if key_usage:
        builder = builder.add_extension(key_usage, True)
    if comment:
        builder = builder.add_extension(x509.UnrecognizedExtension(
            x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), bytes(comment)), False)
    if isinstance(issuer_key, ed25519.Ed25519PrivateKey):
        hash_with = None
    return builder.sign(issuer_key, hash_with)


def pem(*certificates):
    return b"".join(c.public_bytes(serialization.Encoding.PEM) for c in certificates)


@pytest.fixture(scope="module")
def keys():
    kinds = {"leaf": 2048, "ca": 2048, "between": 2048, "small": 1024, "large": 4096}
    made = {kind: rsa.generate_private_key(65537, bits) for kind, bits in kinds.items()}
    return {**made, "p256": ec.generate_private_key(ec.SECP256R1()),
            "p384": ec.generate_private_key(ec.SECP384R1()),
            "p521": ec.generate_private_key(ec.SECP521R1()),
            "ed25519": ed25519.Ed25519PrivateKey.generate()}


def authority(keys, key="ca", **how):
    return make("ca", keys[key], "ca", keys[key], **{"is_ca": True, **how})


def leaf(keys, key="leaf", ca_key="ca", **how):
    return [make("conductor1", keys[key], "ca", keys[ca_key], **how)], keys[key]


def leaf_by_sha1(keys):
    """By OpenSSL: what signs in Debian 13's python3-cryptography refuses SHA-1."""
    key = keys["leaf"]
    certificate = make("conductor1", key, "conductor1", key)
    with tempfile.TemporaryDirectory() as directory:
        for label, data in (("certificate", pem(certificate)), ("key", pem_key(keys["ca"])),
                            ("ca", pem(authority(keys)))):
            with open(os.path.join(directory, label), "wb") as file:
                file.write(data)
        signed = subprocess.run(["openssl", "x509", "-in", "certificate", "-CA", "ca", "-CAkey", "key",
                                 "-set_serial", "7", "-days", "30", "-sha1"],
                                cwd=directory, check=True, capture_output=True).stdout
    certificate = x509.load_pem_x509_certificate(signed)
    assert certificate.signature_algorithm_oid == x509.SignatureAlgorithmOID.RSA_WITH_SHA1
    return [certificate], key


def below(keys, **how):
    between = make("between", keys["between"], "ca", keys["ca"], **{"is_ca": True, **how})
    return [make("conductor1", keys["leaf"], "between", keys["between"]), between], keys["leaf"]


def two_below(keys):
    """The leaf, its CA, and the CA of that."""
    second = make("second", keys["p256"], "between", keys["between"], is_ca=True)
    chain, _ = below(keys)
    return [make("conductor1", keys["leaf"], "second", keys["p256"]), second, chain[1]], keys["leaf"]


def by(kind):
    def case(keys):
        key = kind()
        ca = make("ca", key, "ca", key, is_ca=True)
        return [make("conductor1", keys["leaf"], "ca", key)], keys["leaf"], ca
    return case


UNFIT = {
    "for clients only": (lambda k: (*leaf(k, for_use=[CLIENT]), authority(k)),
                         "unsuitable certificate purpose"),
    "keyUsage that signs nothing": (
        lambda k: (*leaf(k, key_usage=usage(crl_sign=1)), authority(k)),
        "routers would refuse them: "),
    "a CA without CA:TRUE": (lambda k: (*leaf(k), authority(k, is_ca=False)),
                             "invalid CA certificate"),
    "a CA that may certify nobody": (
        lambda k: (*leaf(k), authority(k, key_usage=usage(crl_sign=1))),
        "routers would refuse them: "),
    "SHA-1": (lambda k: (*leaf_by_sha1(k), authority(k)),
              "routers would refuse them: "),
    "RSA-1024 leaf": (lambda k: (*leaf(k, key="small"), authority(k)), "RSA"),
    "P-521 leaf": (lambda k: (*leaf(k, key="p521"), authority(k)), "RSA, P-256 or P-384"),
    "Ed25519 leaf": (lambda k: (*leaf(k, key="ed25519"), authority(k)), "RSA, P-256 or P-384"),
    "the key of none of the file": (
        lambda k: ([*below(k)[0], authority(k)], k["large"], authority(k)),
        "it is not the key of the certificate"),
    "an intermediate is missing": (lambda k: (two_below(k)[0][:2], k["leaf"], authority(k)),
                                   "routers would refuse them: "),
    "RSA-1024 CA": (lambda k: (*leaf(k, ca_key="small"), authority(k, key="small")),
                    "CA certificate key too weak"),
    "more than 2 KiB": (lambda k: (*leaf(k, comment=2000), authority(k)),
                        "at most 2047 are taken"),
    "an intermediate of more than 2 KiB": (lambda k: (*below(k, comment=2000), authority(k)),
                                           "number 2 of the chain: "),
    "an intermediate that is no CA": (lambda k: (*below(k, is_ca=False), authority(k)),
                                      "routers would refuse them: "),
    "an intermediate below pathlen 0": (lambda k: (*below(k), authority(k, path_length=0)),
                                        "path length constraint exceeded"),
    "of another CA, the CA after it": (
        lambda k: ([leaf(k, ca_key="between")[0][0], authority(k)], k["leaf"], authority(k)),
        "routers would refuse them: "),
    "of another CA": (lambda k: (*leaf(k, ca_key="between"), authority(k)),
                      "it is not signed by the CA"),
    "expired": (lambda k: (*leaf(k, days=(-3, -1)), authority(k)), "it is expired"),
    "another's key": (lambda k: (leaf(k)[0], k["between"], authority(k)),
                      "it is not the key of the certificate"),
}

FIT = {
    "plain": lambda k: (*leaf(k), authority(k)),
    "for servers": lambda k: (*leaf(k, for_use=[SERVER, CLIENT]), authority(k)),
    "RSA-4096": lambda k: (*leaf(k, key="large"), authority(k)),
    "nearly 2 KiB": lambda k: (*leaf(k, comment=1000), authority(k)),
    "pathlen 0": lambda k: (*leaf(k), authority(k, path_length=0)),
    "an expired CA": lambda k: (*leaf(k), authority(k, days=(-3, -1))),  # routers have no clock
    "an intermediate": lambda k: (*below(k), authority(k)),
    "P-256": lambda k: (*leaf(k, key="p256"), authority(k)),
    "P-384": lambda k: (*leaf(k, key="p384"), authority(k)),
    "two intermediates": lambda k: (*two_below(k), authority(k)),
    "two intermediates, backwards": lambda k: (two_below(k)[0][::-1], k["leaf"], authority(k)),
    "the CA before the leaf": lambda k: ([authority(k), *leaf(k)[0]], k["leaf"], authority(k)),
    "an intermediate in the CA's file": lambda k: (
        below(k)[0][:1], k["leaf"], [authority(k), below(k)[0][1]]),
    "two CAs, the second is it": lambda k: (
        *below(k), [authority(k, key="large"), authority(k)]),
    "ten CAs of others in its file": lambda k: (
        below(k)[0] + [make(f"x{i}", k["p256"], f"x{i}", k["p256"], is_ca=True)
                       for i in range(10)], k["leaf"], authority(k)),
    "by an EC CA": by(lambda: ec.generate_private_key(ec.SECP256R1())),
    "by an Ed25519 CA": by(ed25519.Ed25519PrivateKey.generate),
}


def place(directory, chain, key, ca):
    for label, data in (("certificate", pem(*chain)), ("key", pem_key(key)), ("ca", pem(*ca) if isinstance(ca, list) else pem(ca))):
        with open(os.path.join(directory, label), "wb") as file:
            file.write(data)
    return {"certificate": f"{directory}/certificate", "private-key": f"{directory}/key",
            "ca-certificate": f"{directory}/ca"}


def check(directory, **leaves):
    path = os.path.join(directory, "conductor.json")
    with open(path, "w") as file:
        json.dump({"steward:conductor": {
            "name": "conductor1", "address": "192.0.2.1", "state-directory": str(directory),
            "registry": f"sqlite:{directory}/registry", **leaves}}, file)
    return subprocess.run([CONDUCTORD, "--config", path, "--check"], text=True,
                          capture_output=True)


@pytest.mark.parametrize("case", UNFIT)
def test_check_refuses(tmp_path, keys, case):
    made, reason = UNFIT[case]
    result = check(tmp_path, **place(tmp_path, *made(keys)))
    assert result.returncode != 0 and "is valid" not in result.stdout
    assert reason in result.stderr
    assert not os.path.exists(tmp_path / "registry")  # nothing was begun


@pytest.mark.parametrize("case", FIT)
def test_check_takes(tmp_path, keys, case):
    result = check(tmp_path, **place(tmp_path, *FIT[case](keys)))
    assert result.returncode == 0 and "is valid" in result.stdout, result.stderr


@pytest.fixture(scope="module")
def rsa_8192(keys, tmp_path_factory):
    """A folder with such a key, and its certificates: a root's (root), an intermediate CA's below
    authority(keys) (between), a leaf's below that (large); and leaf and under, of keys["leaf"],
    below root and between. Of five primes, since two take a minute to find."""
    folder = tmp_path_factory.mktemp("rsa-8192")

    def run(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    def certify(subject, key, issuer, issuer_key, *words):
        run("req", "-new", "-key", key, "-subj", f"/CN={subject}", "-out", "request")
        run("x509", "-req", "-in", "request", "-CA", issuer, "-CAkey", issuer_key, "-set_serial", "7",
            "-days", "30", "-out", {"conductor1": {"root": "leaf", "between": "under"}.get(
                issuer, "large")}.get(subject, subject), *words)

    (folder / "ca").write_bytes(pem(authority(keys)))
    (folder / "ca-key").write_bytes(pem_key(keys["ca"]))
    (folder / "leaf-key").write_bytes(pem_key(keys["leaf"]))
    (folder / "is-ca").write_text("basicConstraints=critical,CA:TRUE\n")
    run("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:8192", "-pkeyopt",
        "rsa_keygen_primes:5", "-out", "key")
    run("req", "-x509", "-key", "key", "-subj", "/CN=root", "-days", "30", "-out", "root")
    certify("between", "key", "ca", "ca-key", "-extfile", "is-ca")
    certify("conductor1", "key", "ca", "ca-key")
    certify("conductor1", "leaf-key", "root", "key")
    certify("conductor1", "leaf-key", "between", "key")
    return folder


@pytest.mark.parametrize("chain, ca", [(["leaf"], "root"), (["under", "between"], "ca")])
def test_authority_of_rsa_8192(tmp_path, rsa_8192, chain, ca):
    (tmp_path / "chain").write_bytes(b"".join((rsa_8192 / c).read_bytes() for c in chain))
    result = check(tmp_path, **{"certificate": f"{tmp_path}/chain",
                                "private-key": f"{rsa_8192}/leaf-key",
                                "ca-certificate": f"{rsa_8192}/{ca}"})
    assert result.returncode == 0 and "is valid" in result.stdout, result.stderr


def test_leaf_of_rsa_8192(tmp_path, rsa_8192):
    """wolfSSL's server has no room for its signature: it is told at once, with the limit."""
    result = check(tmp_path, **{"certificate": f"{rsa_8192}/large",
                                "private-key": f"{rsa_8192}/key",
                                "ca-certificate": f"{rsa_8192}/ca"})
    assert result.returncode == 78
    assert (f"private-key: {rsa_8192}/key: it is an RSA key of 8192 bits, and wolfSSL signs with at "
            "most 4096: expected RSA of 2048 to 4096 bits, P-256 or P-384") in result.stderr


def test_check_says_what_is_not_there(tmp_path, keys):
    """It may be in a directory that only a start unlocks."""
    leaves = place(tmp_path, *FIT["plain"](keys))
    os.unlink(tmp_path / "key")
    result = check(tmp_path, **leaves)
    assert result.returncode == 0
    assert f"not checked, as it is not there: private-key: open {tmp_path}/key" in result.stderr


def test_check_reads_the_makers_of_devices(tmp_path, keys):
    leaves = place(tmp_path, *FIT["plain"](keys))
    (tmp_path / "crl").write_text("-----BEGIN X509 CRL-----\nMIIB\n-----END X509 CRL-----\n")
    result = check(tmp_path, **leaves, **{"device-id-ca": leaves["ca-certificate"],
                                          "device-id-crl": f"{tmp_path}/crl"})
    assert result.returncode != 0
    assert "crl: expected CRLs in PEM" in result.stderr


def test_check_reads_the_makers_of_tpms(tmp_path, keys):
    leaves = place(tmp_path, *FIT["plain"](keys))
    (tmp_path / "makers").write_text("nothing\n")
    result = check(tmp_path, **leaves, **{"endorsement-ca": f"{tmp_path}/makers"})
    assert result.returncode != 0
    assert "makers: expected certificates in PEM" in result.stderr


def encrypt(key, passphrase, form=serialization.PrivateFormat.PKCS8):
    return key.private_bytes(serialization.Encoding.PEM, form,
                             serialization.BestAvailableEncryption(passphrase))


@pytest.mark.parametrize("line", [b"open sesame", b"open sesame\n", b"open sesame\r\nmore\n"])
@pytest.mark.parametrize("kind", ["leaf", "p256"])
def test_encrypted_key(tmp_path, keys, kind, line):
    leaves = place(tmp_path, *leaf(keys, key=kind), authority(keys))
    forms = serialization.PrivateFormat
    form = forms.TraditionalOpenSSL if line.endswith(b"more\n") else forms.PKCS8
    (tmp_path / "key").write_bytes(encrypt(keys[kind], b"open sesame", form))
    (tmp_path / "passphrase").write_bytes(line)
    leaves["private-key-passphrase-file"] = f"{tmp_path}/passphrase"
    result = check(tmp_path, **leaves)
    assert result.returncode == 0 and "is valid" in result.stdout, result.stderr


@pytest.mark.parametrize("passphrase, reason", [
    (None, "/key: it is encrypted, expected its passphrase in a private-key-passphrase-file"),
    (b"open sesame ", "does not open it"), (b"open", "does not open it"),
    (b"", "expected a line of 1 to 1024 bytes"), (b"\nopen sesame", "expected a line of 1 to 1024"),
    (b"open sesame\0", "expected a line of 1 to 1024"), (b"x" * 1025, "expected a line of 1 to 1024"),
    (b"x" * 2000, "passphrase"),
])
def test_encrypted_key_is_refused(tmp_path, keys, passphrase, reason):
    leaves = place(tmp_path, *FIT["plain"](keys))
    (tmp_path / "key").write_bytes(encrypt(keys["leaf"], b"open sesame"))
    if passphrase is not None:
        (tmp_path / "passphrase").write_bytes(passphrase)
        leaves["private-key-passphrase-file"] = f"{tmp_path}/passphrase"
    result = check(tmp_path, **leaves)
    assert result.returncode == 78 and reason in result.stderr
    assert "sesame" not in result.stderr and "xxxx" not in result.stderr


@pytest.fixture
def token(tmp_path_factory, monkeypatch):
    made = Token(tmp_path_factory.mktemp("token"))
    monkeypatch.setenv("SOFTHSM2_CONF", made.configuration)
    return made


@pytest.mark.release_only
@pytest.mark.parametrize("kind", ["leaf", "p256"])
def test_key_in_a_token(tmp_path, keys, token, kind):
    """It signs tokens and handshakes there: the check shows the certificate to a router's TLS."""
    leaves = place(tmp_path, *leaf(keys, key=kind), authority(keys))
    (tmp_path / "pin").write_text(token.PIN + "\n")
    os.unlink(tmp_path / "key")
    leaves["private-key"] = token.put(kind, keys[kind])
    leaves["private-key-passphrase-file"] = f"{tmp_path}/pin"
    result = check(tmp_path, **leaves)
    assert result.returncode == 0 and "is valid" in result.stdout, result.stderr


@pytest.mark.release_only
@pytest.mark.parametrize("uri, pin, reason", [
    ("{uri}", "11111", "expected a private key there: PIN incorrect"),
    ("{uri}", None, "expected a private key there: "),
    ("pkcs11:token=steward;object=other;type=private", Token.PIN, "expected a private key there"),
    ("pkcs11:token=none;object=leaf;type=private", Token.PIN, "expected a private key there"),
    ("{uri}?pin-value=24680", None, "the URI has a PIN in it"),
    ("file:{folder}/nothing.pem", None, "expected a private key there"),
    ("nonsense:key", None, "expected a private key there: "),
    ("key.pem", None, "must be an absolute path or a URI"),
])
def test_key_in_a_token_is_refused(tmp_path, keys, token, uri, pin, reason):
    leaves = place(tmp_path, *FIT["plain"](keys))
    leaves["private-key"] = uri.format(uri=token.put("leaf", keys["leaf"]), folder=tmp_path)
    if pin:
        (tmp_path / "pin").write_text(pin)
        leaves["private-key-passphrase-file"] = f"{tmp_path}/pin"
    result = check(tmp_path, **leaves)
    assert result.returncode == 78 and reason in result.stderr, result.stderr
    assert Token.PIN not in result.stderr


def test_key_by_the_uri_of_its_file(tmp_path, keys):
    leaves = place(tmp_path, *FIT["plain"](keys))
    (tmp_path / "key").write_bytes(encrypt(keys["leaf"], b"open sesame"))
    (tmp_path / "passphrase").write_bytes(b"open sesame\n")
    leaves.update({"private-key": f"file:{tmp_path}/key",
                   "private-key-passphrase-file": f"{tmp_path}/passphrase"})
    result = check(tmp_path, **leaves)
    assert result.returncode == 0 and "is valid" in result.stdout, result.stderr


@pytest.mark.slow
def test_no_token_of_an_unfit_certificate(onboarding, conductor, keys):
    """It was exchanged for another while the conductor runs; and then that does not start."""
    leaves = place(onboarding.folder("unfit"), *FIT["plain"](keys))
    for leaf_name in leaves:
        conductor.config[leaf_name] = leaves[leaf_name]
    conductor.stop()
    conductor.write_config()
    conductor.start()
    conductor.configure()
    assert conductor.token()
    for case, (made, reason) in UNFIT.items():
        place(os.path.dirname(leaves["certificate"]), *made(keys))
        reply = conductor.post("/v1/routers/router1/tokens", {})
        assert reply.status == 400 and reason in reply.json["detail"], case
    assert len(conductor.get("/v1/routers/router1/tokens").json["tokens"]) == 1
    place(os.path.dirname(leaves["certificate"]), *UNFIT["for clients only"][0](keys))
    conductor.stop()
    conductor.start(wait=False)
    wait_for(lambda: conductor.process.poll() is not None, 20, "its end")
    assert UNFIT["for clients only"][1] in conductor.log
    conductor.process = None
