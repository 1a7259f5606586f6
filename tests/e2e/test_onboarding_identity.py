# SPDX-License-Identifier: GPL-3.0-or-later
"""Strong: a token and its secret, stolen, are of no use without the device."""

import struct

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certificates import DAY, Authority, pem_key
from onboarding_world import check_refused
from steward import wait_for
from wire_router import WireRouter, b64

pytestmark = pytest.mark.slow
GOOD_AK = 0x00050072  # fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, restricted, sign


@pytest.fixture(scope="module")
def tpm_key():
    return rsa.generate_private_key(65537, 2048)


def software_ak(attributes=GOOD_AK, bits=2048, scheme=0x14):
    """TPM2B_PUBLIC of a key that no TPM has."""
    n = rsa.generate_private_key(65537, bits).public_key().public_numbers().n
    area = struct.pack(">HHIHHHHHIH", 1, 0xb, attributes, 0, 0x10, scheme, 0xb, bits, 0, bits // 8)
    area += n.to_bytes(bits // 8, "big")
    return struct.pack(">H", len(area)) + area


def spki(key):
    return key.public_key().public_bytes(serialization.Encoding.DER,
                                         serialization.PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture
def strong(onboarding, tpm_key):
    """A conductor that expects this EK."""
    conductor = onboarding.conductor()
    conductor.configure(**{"mode": "strong", "endorsement-key": b64(spki(tpm_key))})
    return conductor


def ek_proof(key, ak):
    return {"type": "proof", "ek": b64(spki(key)), "ak": b64(ak)}


def test_without_the_tpm(onboarding, strong, tpm_key):
    """The EK is public, and a key looks as one of a TPM's; but the credential opens nothing."""
    router = WireRouter(onboarding, strong.token()).go_to(1)
    assert router.ask(ek_proof(tpm_key, software_ak()), "r1")["type"] == "credential"
    router.channel.set_tpm_secret(bytes(32))
    router.tell({"type": "attestation", "quote": b64(b"quote"), "signature": b64(b"signature"),
                 "pcrs": [b64(bytes(32))] * 8}, "t1")
    assert router.is_refused()
    check_refused(strong, "wrong MAC t1")


def test_without_an_ek(onboarding, strong):
    router = WireRouter(onboarding, strong.token()).go_to(1)
    router.tell({"type": "proof"}, "r1")
    assert router.is_refused()
    check_refused(strong, "proof without EK where ek was asked for")


def test_swapped_ek(onboarding, strong):
    router = WireRouter(onboarding, strong.token()).go_to(1)
    own = rsa.generate_private_key(65537, 2048)
    router.tell(ek_proof(own, software_ak()), "r1")
    assert router.is_refused()
    check_refused(strong, "EK: not the endorsement-key that is configured for node node0")


@pytest.mark.parametrize("ak, reason", [
    ({"attributes": GOOD_AK & ~0x10000}, "AK: is not restricted"),
    ({"attributes": GOOD_AK & ~0x2}, "AK: is not fixedTPM"),
    ({"attributes": GOOD_AK | 0x20000}, "AK: may decrypt"),
    ({"bits": 1024}, "AK: 1024 bits"),
    ({"scheme": 0x16}, "AK: scheme 0x0016"),
])
def test_unfit_ak(onboarding, strong, tpm_key, ak, reason):
    router = WireRouter(onboarding, strong.token()).go_to(1)
    router.tell(ek_proof(tpm_key, software_ak(**ak)), "r1")
    assert router.is_refused()
    check_refused(strong, reason)


def test_another_tpm(onboarding):
    """A real router, a real token, and a TPM that is not the configured one."""
    conductor = onboarding.conductor()
    configured, stolen = onboarding.tpm(), onboarding.tpm()
    conductor.configure(**{"mode": "strong", "endorsement-key": configured.endorsement_key})
    router = onboarding.router(tpm=stolen)
    router.onboard(conductor.token())
    state = router.wait_for_state("refused")
    assert "refused" in state["reason"] and "endorsement" not in state["reason"]
    check_refused(conductor, "EK: not the endorsement-key")
    assert not stolen.leftovers
    # The same operator, the right device: a new token starts over.
    router.stop()
    router.config["secure-conductor-onboarding"]["tcti"] = configured.tcti
    router.write_config()
    router.start()
    assert router.onboarding["state"] == "refused"
    router.onboard(conductor.token()).become_onboarded()


def test_conductor_that_asks_for_less(onboarding, conductor):
    """As if somebody had edited the registry: the router does not settle for it."""
    router = onboarding.router()
    router.onboard(conductor.token(), **{"minimum-mode": "strong"})
    state = router.wait_for_state("refused")
    assert "the conductor asks for mode psk-only, minimum-mode is strong" in state["reason"]
    assert conductor.enrolments == []


# Device-ID certificates.

class Maker(Authority):
    """Of devices: subjects with one serialNumber, or otherwise."""

    def device(self, *serial_numbers, issuer=None, issuer_key=None, is_ca=False, usage=True,
               days=30):
        key = rsa.generate_private_key(65537, 2048)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "device")]
                            + [x509.NameAttribute(NameOID.SERIAL_NUMBER, s)
                               for s in serial_numbers])
        now = self.certificate.not_valid_before + DAY
        builder = (x509.CertificateBuilder().subject_name(subject)
                   .issuer_name(issuer.subject if issuer else self.certificate.subject)
                   .public_key(key.public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(now - 2 * DAY).not_valid_after(now + days * DAY)
                   .add_extension(x509.BasicConstraints(is_ca, None), True))
        if usage and not is_ca:
            builder = builder.add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False)
        return builder.sign(issuer_key or self.key, hashes.SHA256()), key

    def revoke(self, certificate):
        now = self.certificate.not_valid_before
        revoked = (x509.RevokedCertificateBuilder().serial_number(certificate.serial_number)
                   .revocation_date(now).build())
        crl = (x509.CertificateRevocationListBuilder().issuer_name(self.certificate.subject)
               .last_update(now).next_update(now + 30 * DAY).add_revoked_certificate(revoked)
               .sign(self.key, hashes.SHA256()))
        return self.write("crl", crl.public_bytes(serialization.Encoding.PEM))


@pytest.fixture
def maker(onboarding):
    return Maker(onboarding.directory, "maker")


def pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


def come_with(onboarding, token, maker, device, *chain, asset_id="A0", name="device"):
    certificate, key = device
    path = maker.write(name, b"".join(pem(c) for c in (certificate, *chain)))
    router = WireRouter(onboarding, token, asset_id, certificate=path,
                        key=maker.write(name + "-key", pem_key(key))).go_to(1)
    router.tell({"type": "proof"}, "r1")
    return router


def by_certificate(onboarding, maker, **more):
    conductor = onboarding.conductor(**{"device-id-ca": maker.path, **more})
    conductor.configure(mode="strong")
    return conductor


def test_device_certificate(onboarding, maker):
    conductor = by_certificate(onboarding, maker)
    router = come_with(onboarding, conductor.token(), maker, maker.device("A0"))
    assert router.channel.receive("c1")["type"] == "accept"
    assert router.ask(router.keys, "r2", "c2") == {"type": "done"}
    assert conductor.enrolments[0]["pinned-by"] == "certificate"


@pytest.mark.parametrize("serial_numbers, options, reason", [
    (("A0", "A0"), {}, "found several"),
    (("A0", "A1"), {}, "found several"),
    ((), {}, "found none"),
    (("A1",), {}, "serialNumber is 'A1', expected asset-id A0"),
    (("A0 ",), {}, "serialNumber is 'A0 ', expected asset-id A0"),
    (("a0",), {}, "serialNumber is 'a0', expected asset-id A0"),
    (("\u0410" + "0",), {}, "serialNumber"),  # Cyrillic
    (("A0",), {"days": 0}, "expired"),
])
def test_unfit_certificate(onboarding, maker, serial_numbers, options, reason):
    conductor = by_certificate(onboarding, maker)
    device = maker.device(*serial_numbers, **options)
    assert come_with(onboarding, conductor.token(), maker, device).is_refused()
    check_refused(conductor, reason)


def test_certificate_by_a_foreign_authority(onboarding, maker):
    conductor = by_certificate(onboarding, maker)
    foreign = Maker(onboarding.directory, "maker2")
    foreign.certificate = maker.certificate  # by name
    assert come_with(onboarding, conductor.token(), maker, foreign.device("A0")).is_refused()
    check_refused(conductor, "client certificate")


def test_revoked_certificate(onboarding, maker):
    device = maker.device("A0")
    conductor = by_certificate(onboarding, maker, **{"device-id-crl": maker.revoke(device[0])})
    assert come_with(onboarding, conductor.token(), maker, device).is_refused()
    check_refused(conductor, "revoked")


def test_crls_of_two_makers(onboarding, maker):
    """Of one file, each for its own; and who should have one and has not is told."""
    second, third = (Maker(onboarding.directory, name) for name in ("second", "third"))
    good, revoked, unknown = second.device("A0"), second.device("A0"), third.device("A0")
    crls = [maker.revoke(maker.device("A9")[0]), second.revoke(revoked[0])]
    authorities = b"".join(pem(m.certificate) for m in (maker, second, third))
    conductor = onboarding.conductor(**{
        "device-id-ca": maker.write("all", authorities),
        "device-id-crl": maker.write("crls", b"".join(open(c, "rb").read() for c in crls))})
    conductor.configure(mode="strong")
    for device, reason in ((revoked, "certificate revoked"),
                           (unknown, "there is no CRL of CA CN=third, which has certified")):
        before = len(conductor.refusals())
        assert come_with(onboarding, conductor.token(), maker, device).is_refused()
        check_refused(conductor, reason, before)
    assert come_with(onboarding, conductor.token(), maker, good).channel.receive("c1")[
        "type"] == "accept"


def test_intermediate_of_an_earlier_peer(onboarding, maker):
    """Whoever shakes hands first leaves nothing behind that the next can stand on."""
    conductor = by_certificate(onboarding, maker)
    intermediate, intermediate_key = maker.device("CA", is_ca=True)
    leaf = maker.device("A0", issuer=intermediate, issuer_key=intermediate_key)
    conductor.configure("router2", asset_id="A2", mode="weak")
    first = come_with(onboarding, conductor.token("router2"), maker, maker.device("A2"),
                      intermediate, asset_id="A2", name="first")
    assert first.channel.receive("c1")["type"] == "accept"
    first.cut()
    before = len(wait_for(conductor.refusals, what="the end of the first"))
    assert come_with(onboarding, conductor.token(), maker, leaf).is_refused()
    check_refused(conductor, "client certificate", before)
    # With what it needs it is a good one.
    good = come_with(onboarding, conductor.token(), maker, leaf, intermediate)
    assert good.channel.receive("c1")["type"] == "accept"


def test_weak_without_a_certificate(onboarding, conductor):
    conductor.configure(mode="weak")
    router = WireRouter(onboarding, conductor.token()).go_to(1)
    router.tell({"type": "proof"}, "r1")
    assert router.is_refused()
    check_refused(conductor, "mode weak: no client certificate was shown")


def test_strong_without_anything_to_show(onboarding, conductor):
    conductor.configure(mode="strong")
    router = WireRouter(onboarding, conductor.token())
    router.tell(router.hello)
    assert router.is_refused()
    check_refused(conductor, "node node0 has no endorsement-key, and there is no device-id-ca")
