# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates as authorities and makers issue them, on both sides: on curves, and below
intermediates that their files have in any order."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from certificates import pem_key
from device_tpm import DEVICE_KEY_HANDLE
from pkcs11_token import Token
from test_unfit_certificates import make, pem

pytestmark = [pytest.mark.once, pytest.mark.slow]


def conductor_with(onboarding, leaf_key, **more):
    """Its certificate is below an intermediate, which stands before it in the file."""
    root_key, between_key = (rsa.generate_private_key(65537, 2048) for _ in range(2))
    root = make("root", root_key, "root", root_key, is_ca=True)
    between = make("between", between_key, "root", root_key, is_ca=True)
    leaf = make("conductor1", leaf_key, "between", between_key)
    folder = onboarding.folder("leaf")
    for name, content in (("certificate", pem(between, leaf)), ("key", pem_key(leaf_key)),
                          ("ca", pem(root))):
        with open(f"{folder}/{name}", "wb") as file:
            file.write(content)
    return onboarding.conductor(**{"certificate": f"{folder}/certificate",
                                   "private-key": f"{folder}/key",
                                   "ca-certificate": f"{folder}/ca", **more})


def device_below(maker_key, key, serial_number, directory):
    """Path of the file of a device's certificates, the leaf last; and the maker's root."""
    from onboarding_world import device_certificate
    root = make("maker", maker_key, "maker", maker_key, is_ca=True)
    between_key = ec.generate_private_key(ec.SECP384R1())
    between = make("factory", between_key, "maker", maker_key, is_ca=True)
    leaf = device_certificate(key, between_key, between.subject, serial_number)
    path = f"{directory}/device.pem"
    with open(path, "wb") as file:
        file.write(pem(between, leaf))
    with open(f"{directory}/maker.pem", "wb") as file:
        file.write(pem(root))
    return path, f"{directory}/maker.pem"


@pytest.mark.parametrize("conductor_curve, device", [(ec.SECP256R1, "ecc256"),
                                                     (ec.SECP384R1, "ecc384")])
def test_on_curves_below_intermediates(onboarding, conductor_curve, device):
    """Conductor and router: TLS, token, chain, and the device's signature by its TPM."""
    tpm = onboarding.tpm()
    path, maker = device_below(rsa.generate_private_key(65537, 2048), tpm.make_device_key(device),
                               "A0", onboarding.folder("device"))
    conductor = conductor_with(onboarding, ec.generate_private_key(conductor_curve()),
                               **{"device-id-ca": maker})
    conductor.configure(mode="strong")
    router = onboarding.router(tpm=tpm, device_id=path)
    router.onboard(conductor.token(), **{"minimum-mode": "strong"}).become_onboarded()
    assert conductor.enrolments[0]["pinned-by"] == "certificate"


@pytest.mark.release_only
@pytest.mark.parametrize("kind", ["rsa", "p256"])
def test_key_in_a_token(onboarding, kind):
    """Tokens and handshakes are signed in the PKCS #11 token, several at once too, and again after
    a restart."""
    key = (rsa.generate_private_key(65537, 2048) if kind == "rsa"
           else ec.generate_private_key(ec.SECP256R1()))
    token = Token(onboarding.folder("token"))
    uri = token.put(kind, key)
    pin = f"{token.directory}/pin"
    with open(pin, "w") as file:
        file.write(token.PIN)
    conductor = conductor_with(onboarding, key, environment={"SOFTHSM2_CONF": token.configuration},
                               **{"private-key": uri, "private-key-passphrase-file": pin})
    names = [f"router{n}" for n in range(4)]
    for name in names:
        conductor.configure(name, asset_id=name)
    routers = [onboarding.router(asset_id=name, name=name) for name in names]
    for router, name in zip(routers, names):
        router.onboard(conductor.token(name))
    for router in routers:
        router.become_onboarded()
    conductor.stop()
    conductor.start()
    assert conductor.token("router0")


def test_certificate_of_another_key(onboarding, conductor):
    """Of the device's file none is of the key in its TPM: the router says so, and goes on trying."""
    tpm = onboarding.tpm()
    tpm.make_device_key()
    path, _ = device_below(rsa.generate_private_key(65537, 2048),
                           rsa.generate_private_key(65537, 2048).public_key(), "A0",
                           onboarding.folder("device"))
    conductor.configure(mode="weak")
    router = onboarding.router(tpm=tpm, device_id=path)
    router.onboard(conductor.token())
    reason = router.wait_for_state("retrying")["reason"]
    assert f"{path}: it is not of the key at {DEVICE_KEY_HANDLE} in the TPM" in reason
