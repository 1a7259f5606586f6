# SPDX-License-Identifier: GPL-3.0-or-later
"""Who shows a certificate must hold its key: the conductor pins routers by it. As any chain is
taken in TLS, nothing but CertificateVerify stands between a thief of a certificate and a router's
place."""

import secrets
import struct

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, rsa

from certificates import self_signed, signed_by

from steward import SLOW
from test_tls import Party, our_server
from tls_adversary import Adversary, sized

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def parties(tmp_path_factory):
    directory = tmp_path_factory.mktemp("parties")
    ca = Party(directory, "ca")
    return {name: Party(directory, name, ca) for name in ("conductor", "victim", "thief")}


def der(party):
    with open(party.certificate, "rb") as file:
        return x509.load_pem_x509_certificate(file.read()).public_bytes(
            serialization.Encoding.DER)


def key(party):
    with open(party.key, "rb") as file:
        return serialization.load_pem_private_key(file.read(), None)


def honest(adversary, victim, thief):
    adversary.show(der(thief))
    adversary.prove(key(thief))


def shows_nothing(adversary, victim, thief):
    adversary.show()


def no_proof(adversary, victim, thief):
    adversary.show(der(victim))


def proof_by_own_key(adversary, victim, thief):
    adversary.show(der(victim))
    adversary.prove(key(thief))


def own_certificate_beside(adversary, victim, thief):
    adversary.show(der(victim), der(thief))
    adversary.prove(key(thief))


def own_certificate_after(adversary, victim, thief):
    adversary.show(der(thief))
    adversary.prove(key(thief))
    adversary.show(der(victim))


def own_certificate_before(adversary, victim, thief):
    adversary.show(der(thief))
    adversary.show(der(victim))
    adversary.prove(key(thief))


def proof_before_certificate(adversary, victim, thief):
    adversary.prove(key(thief))
    adversary.show(der(victim))


def proof_of_a_server(adversary, victim, thief):
    adversary.show(der(thief))
    adversary.prove(key(thief), context=b"TLS 1.3, server CertificateVerify")


def old_scheme(adversary, victim, thief):
    adversary.show(der(thief))
    adversary.prove(key(thief), scheme=0x0401)


def garbage_certificate(adversary, victim, thief):
    adversary.show(b"\x30\x03\x02\x01\x00")
    adversary.prove(key(thief))


def garbage_and_no_proof(adversary, victim, thief):
    adversary.show(b"\x30\x03\x02\x01\x00")


def cut_certificate_and_no_proof(adversary, victim, thief):
    adversary.show(der(victim)[:-1])


def nothing_at_all(adversary, victim, thief):
    pass


def run(processes, parties, how):
    process, port = our_server(processes, parties["conductor"])
    adversary = Adversary(port)
    try:
        how(adversary, parties["victim"], parties["thief"])
        heard = adversary.finish()
    except OSError:
        heard = None
    finally:
        adversary.close()
    out, err = process.communicate(timeout=30 * SLOW)
    return heard, process.returncode, out, err


@pytest.mark.parametrize("how, peers", [(honest, 1), (shows_nothing, 0)])
def test_adversary_speaks_tls(processes, parties, how, peers):
    """Else what follows would be refused for another reason."""
    heard, code, out, err = run(processes, parties, how)
    assert heard == b"hello\n" and code == 0, err
    assert out.count("peer ") == peers
    assert parties["victim"].digest not in out


@pytest.mark.parametrize("how", [
    no_proof, proof_by_own_key, own_certificate_beside, own_certificate_after,
    own_certificate_before, proof_before_certificate, proof_of_a_server, old_scheme,
    garbage_certificate, garbage_and_no_proof, cut_certificate_and_no_proof, nothing_at_all])
def test_thief(processes, parties, how):
    heard, code, out, err = run(processes, parties, how)
    assert heard is None and code == 1
    assert "exporter" not in out
    assert "TLS handshake: " in err


def large(thief, size):
    return self_signed(key(thief), "thief", size)


def large_leaf_before(adversary, victim, thief):
    """What wolfSSL keeps in its session begins with the victim's, and the proof is good."""
    adversary.show(large(thief, 3000), der(victim))
    adversary.prove(key(thief))


def leaf_of_two_kibibytes_before(adversary, victim, thief):
    adversary.show(large(thief, 2048), der(victim))
    adversary.prove(key(thief))


def large_one_between(adversary, victim, thief):
    adversary.show(der(thief), large(thief, 3000), der(victim))
    adversary.prove(key(thief))


def too_many(adversary, victim, thief):
    adversary.show(*[der(thief)] * 9)
    adversary.prove(key(thief))


def more_than_are_read(adversary, victim, thief):
    adversary.show(*[der(thief)] * 10, der(victim))
    adversary.prove(key(thief))


def an_empty_one(adversary, victim, thief):
    adversary.show(der(thief), b"", der(victim))
    adversary.prove(key(thief))


def bytes_after_the_leaf(adversary, victim, thief):
    adversary.show(der(thief) + b"\0", der(victim))
    adversary.prove(key(thief))


def shows_key(public, scheme=0x0804, size=512):
    """A certificate with it, and for a proof what is none."""
    def show(adversary, victim, thief):
        adversary.show(signed_by(key(thief), "thief", public()))
        adversary.say(15, struct.pack(">H", scheme) + sized(b"\1" * size, 2))
    return show


def rsa_key(bits, exponent):
    modulus = secrets.randbits(bits) | 1 << bits - 1 | 1
    return lambda: rsa.RSAPublicNumbers(exponent, modulus).public_key()


def curve(kind):
    return lambda: ec.generate_private_key(kind).public_key()


@pytest.mark.parametrize("how, reason", [
    (large_leaf_before, "number 1 of the chain: 3000 bytes, at most 2047"),
    (leaf_of_two_kibibytes_before, "number 1 of the chain: 2048 bytes, at most 2047"),
    (large_one_between, "number 2 of the chain: 3000 bytes, at most 2047"),
    (too_many, "more than 8 certificates in its chain"),
    (more_than_are_read, "more than 8 certificates in its chain"),
    (an_empty_one, "TLS handshake: "),
    (bytes_after_the_leaf, "the peer's certificate: number 1 of the chain: no certificate in DER"),
    (shows_key(rsa_key(2048, secrets.randbits(2000) | 1 << 1999 | 1)),
     "an RSA exponent of 2000 bits"),
    (shows_key(rsa_key(4096, 2 ** 64 - 1)), "an RSA exponent of 64 bits"),
    (shows_key(rsa_key(2048, 2 ** 32 + 1)), "an RSA exponent of 33 bits"),
    (shows_key(rsa_key(4104, 65537)), "TLS handshake: "),
    (shows_key(rsa_key(1024, 65537)), "TLS handshake: "),
    (shows_key(curve(ec.BrainpoolP512R1), 0x0603, 137), "on a curve that is not taken"),
    (shows_key(lambda: ed448.Ed448PrivateKey.generate().public_key(), 0x0808, 114),
     "a kind of key that is not taken"),
    (shows_key(lambda: dsa.generate_private_key(1024).public_key(), 0x0402, 46),
     "TLS handshake: "),
])
def test_beyond_the_bounds(processes, parties, how, reason):
    """Of a chain that is not kept whole nothing is, and a dear key is not computed with."""
    heard, code, out, err = run(processes, parties, how)
    assert heard is None and code == 1
    assert "exporter" not in out
    assert reason in err, err
