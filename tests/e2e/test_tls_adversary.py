"""Who shows a certificate must hold its key: the conductor pins routers by it. As any chain is
taken in TLS, nothing but CertificateVerify stands between a thief of a certificate and a router's
place."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from steward import SLOW
from test_tls import Party, our_server
from tls_adversary import Adversary


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
