# SPDX-License-Identifier: GPL-3.0-or-later
"""From a token to a tunnel, in each mode, over port 930."""

import base64
import hashlib
import json
import os
import socket

import pytest
from cryptography.hazmat.primitives import serialization

from certificates import Authority
from device_tpm import EK_HANDLE, P_256_HANDLE, P_384_HANDLE, RSA_3072_HANDLE
from onboarding_world import device_certificate, inside, self_signed
from steward import UnixConnection, ctl, wait_for


def listening_ports():
    found = set()
    for table in ("tcp", "tcp6"):
        with open(f"/proc/thread-self/net/{table}") as file:
            for line in file.readlines()[1:]:
                fields = line.split()
                if fields[3] == "0A":
                    found.add(int(fields[1].rpartition(":")[2], 16))
    return found


def public_digest(certificate):
    return hashlib.sha256(certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def check_onboarded(conductor, router, pinned_by, pin):
    state = router.wait_for_state("initializing")
    assert state["reason"] is None
    assert '"token"' not in open(os.path.join(router.secrets, "onboarding.json")).read()
    wait_for(lambda: router.reboots == 1, what="the reboot")
    enrolments = conductor.enrolments
    assert [(e["router"], e["node"], e["pinned-by"], e["pin"]) for e in enrolments] == [
        ("router1", "node0", pinned_by, pin)]
    assert len(conductor.authorized_keys) == 1
    assert router.ssh_key in conductor.authorized_keys[0]
    outcomes = [outcome for outcome, _ in conductor.audit("router1")]
    assert outcomes.count("enrolled") == 1 and "refused" not in outcomes
    router.reboot()
    assert router.onboarding["state"] == "onboarded"
    wait_for(lambda: router.is_connected, 30, "the tunnel")
    assert router.reboots == 1 and len(conductor.enrolments) == 1


def ssh_pin(router):
    return hashlib.sha256(base64.b64decode(router.ssh_key)).hexdigest()


def test_psk_only(onboarding):
    conductor = onboarding.conductor()
    conductor.configure(mode="psk-only")
    router = onboarding.router()
    router.onboard(conductor.token()).wait_for_state("initializing")
    check_onboarded(conductor, router, "ssh-key", ssh_pin(router))


def test_weak(onboarding):
    conductor = onboarding.conductor()
    conductor.configure(mode="weak")
    tpm = onboarding.tpm()
    certificate = self_signed(tpm, "anything")
    router = onboarding.router(tpm=tpm, device_id=onboarding.write("device.pem", certificate))
    router.onboard(conductor.token())
    check_onboarded(conductor, router, "certificate", public_digest(certificate))
    assert not tpm.leftovers


def test_strong_by_endorsement_key(onboarding):
    conductor = onboarding.conductor()
    tpm = onboarding.tpm()
    ek = tpm.endorsement_key
    conductor.configure(**{"mode": "strong", "endorsement-key": ek})
    router = onboarding.router(tpm=tpm)
    router.onboard(conductor.token(), **{"minimum-mode": "strong"})
    check_onboarded(conductor, router, "endorsement-key",
                    hashlib.sha256(base64.b64decode(ek)).hexdigest())
    # The values that were attested are those of the TPM.
    pcrs = conductor.enrolments[0]["pcrs"]
    read = tpm.tool("pcrread", "sha256:0,1,2,3,4,5,6,7")
    assert pcrs == [line.split("0x")[1].lower() for line in read.splitlines() if "0x" in line]
    assert not tpm.leftovers


@pytest.mark.once
@pytest.mark.parametrize("handle", [P_256_HANDLE, P_384_HANDLE, RSA_3072_HANDLE])
def test_strong_by_another_kind_of_endorsement_key(onboarding, handle):
    conductor = onboarding.conductor()
    tpm = onboarding.tpm(ek=handle)
    if handle == P_256_HANDLE:
        tpm.make_ek("ecc256", handle)
    ek = tpm.endorsement_key
    conductor.configure(**{"mode": "strong", "endorsement-key": ek})
    router = onboarding.router(tpm=tpm)
    router.onboard(conductor.token(), **{"minimum-mode": "strong"})
    check_onboarded(conductor, router, "endorsement-key",
                    hashlib.sha256(base64.b64decode(ek)).hexdigest())
    assert not tpm.leftovers


@pytest.mark.parametrize("handle", [EK_HANDLE, pytest.param(P_384_HANDLE, marks=pytest.mark.once)])
def test_strong_by_endorsement_key_after_a_clear(onboarding, handle):
    """The EK is gone from its handle, and made again: the same key."""
    conductor = onboarding.conductor()
    tpm = onboarding.tpm(ek=handle)
    ek = tpm.endorsement_key
    tpm.tool("clear", "-c", "p")
    assert tpm.key(int(handle, 16)) is None
    conductor.configure(**{"mode": "strong", "endorsement-key": ek})
    router = onboarding.router(tpm=tpm)
    router.onboard(conductor.token())
    check_onboarded(conductor, router, "endorsement-key",
                    hashlib.sha256(base64.b64decode(ek)).hexdigest())


def test_strong_by_device_certificate(onboarding):
    maker = Authority(onboarding.directory, "maker")
    conductor = onboarding.conductor(**{"device-id-ca": maker.path})
    conductor.configure(mode="strong")
    tpm = onboarding.tpm()
    certificate = device_certificate(tpm.make_device_key(), maker.key,
                                     maker.certificate.subject, "A0")
    router = onboarding.router(tpm=tpm, device_id=onboarding.write("device.pem", certificate))
    router.onboard(conductor.token(), **{"minimum-mode": "strong"})
    check_onboarded(conductor, router, "certificate", public_digest(certificate))
    assert not tpm.leftovers


@pytest.fixture
def pair(onboarding):
    """A conductor, and a router that it has onboarded, booted again."""
    conductor = onboarding.conductor()
    conductor.configure()
    router = onboarding.router()
    router.onboard(conductor.token()).become_onboarded()
    wait_for(lambda: router.is_connected, 30, "the tunnel")
    return conductor, router


def test_both_sides_tell_the_story(pair):
    conductor, router = pair
    story = [(outcome, reason) for outcome, reason in conductor.audit("router1")
             if outcome in ("enrolled", "initialized")]
    assert story == [("enrolled", "enrolled"), ("initialized", "has its configuration")]
    node = conductor.get("/v1/routers/router1").json["nodes"][0]
    assert node["enrolled"] and node["listen-port"] == conductor.enrolments[0]["listen-port"]
    state = router.onboarding
    assert state["conductors"][0]["listen-port"] == node["listen-port"]
    assert state["conductors"][0]["host"] == router.host
    assert router.get("/v1/status").json["secure-conductor-onboarding"] == "onboarded"
    for text in (conductor.log, router.log):
        assert "onboarded" in text or "is initialized" in text


def test_configuration_of_the_conductor_arrives(pair):
    conductor, router = pair
    conductor.put("/v1/routers/router1/configuration",
                  {"software-update": {"max-bandwidth": "123456"}})
    path = os.path.join(router.secrets, "router.json")
    wait_for(lambda: "123456" in open(path).read(), what="the configuration")
    wait_for(lambda: router.log.count("configuration loaded") >= 1, what="the reload")
    router.reboot()
    wait_for(lambda: router.is_connected, 30, "the tunnel")
    assert "123456" in open(path).read()


def test_configuration_arrives_later_where_the_router_was_away(pair):
    conductor, router = pair
    router.stop()
    conductor.put("/v1/routers/router1/configuration",
                  {"software-update": {"max-bandwidth": "123456"}})
    router.start()
    path = os.path.join(router.secrets, "router.json")
    wait_for(lambda: "123456" in open(path).read(), 60, "the configuration")


def test_download_runs_through_the_tunnel(onboarding, key, images):
    conductor = onboarding.conductor(**{"software-update": {"trusted-key": [key.public_path]}})
    conductor.configure()
    conductor.put("/v1/routers/router1/configuration",
                  {"software-update": {"access-mode": "conductor-only"}})
    image = images(4)
    manifest = key.jws(image.payload("V1"))
    assert conductor.call("PUT", "/v1/images/V1/manifest", manifest).status == 201
    with open(image.path, "rb") as file:
        assert conductor.call("PUT", "/v1/images/V1/file", file.read()).status == 201
    router = onboarding.router(key=key)
    router.onboard(conductor.token()).become_onboarded()
    wait_for(lambda: router.is_connected, 30, "the tunnel")
    meant = ["system", "software", "download", "router", "router1"]
    told = ctl(conductor, "request", *meant, "node", "node0", "version", "V1", check=0).stdout
    assert told.startswith("Node      node0\nV1 is ")
    router.wait_state("V1", "complete")
    assert "State     complete" in ctl(conductor, "show", *meant, "version", "V1", check=0).stdout
    refused = ctl(conductor, "request", *meant[:3], "pause", *meant[3:], "version", "V1", check=1)
    assert refused.stderr.startswith("stewardctl: node node0: ")
    assert "has no node node7" in ctl(conductor, "show", *meant, "node", "node7", check=1).stderr
    assert "name the node's 'router R'" in ctl(
        conductor, "show", *meant[:3], "node", "node0", check=64).stderr
    assert ctl(conductor, "show", *meant, "version", "V1", "watch", check=0).stdout.startswith(
        "node0 V1 complete 100 %")
    source = router.source_of("V1", "conductor-1")
    assert source["kind"] == "conductor"
    with open(router.image_path("V1", os.path.basename(image.path)), "rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == image.sha256


def test_configuration_that_does_not_fit_this_router(pair):
    """Valid by itself, and refused: the router could not start with it."""
    conductor, router = pair
    conductor.put("/v1/routers/router1/configuration", {
        "high-availability": {"peer-node": "node0", "peer-url": "http://192.0.2.1/"}})
    wait_for(lambda: "must be another node than this one" in conductor.log, what="the refusal")
    router.reboot()
    wait_for(lambda: router.is_connected, 30, "the tunnel")


def test_which_files_a_conductor_may_name(pair):
    """What is in them goes to the server that it names, too: not what else root can read there."""
    conductor, router = pair
    credentials = os.path.join(router.secrets, "credentials", "mirror")

    def send(path):
        conductor.put("/v1/routers/router1/configuration", {"software-update": {"source": [
            {"name": "mirror", "kind": "artifactory", "url": "http://192.0.2.1/",
             "username": "u", "password-file": path}]}})

    for path in ("/etc/shadow", os.path.join(router.secrets, "router.json"),
                 os.path.join(router.secrets, "credentials", "..", "router.json")):
        send(path)
        wait_for(lambda at=path: f"source[name='mirror']/password-file is {at}"
                 in conductor.log, what="the refusal")
        assert f"a conductor may name a file in {os.path.dirname(credentials)}, or" in conductor.log
    assert "mirror" not in open(os.path.join(router.secrets, "router.json")).read()
    send(credentials)
    wait_for(lambda: credentials in open(os.path.join(router.secrets, "router.json")).read(),
             what="the configuration")


def test_one_port_for_each_router(onboarding, conductor):
    """In a network that nobody else on the conductor is in, and to conductor.sock alone."""
    routers = []
    for n in (1, 2):
        conductor.configure(f"router{n}", asset_id=f"A{n}")
        routers.append(onboarding.router(f"A{n}", f"router{n}"))
        routers[-1].onboard(conductor.token(f"router{n}")).become_onboarded()
    ports = [e["listen-port"] for e in conductor.enrolments]
    assert len(set(ports)) == 2
    # What is sent to one comes to that one.
    conductor.put("/v1/routers/router2/configuration",
                  {"software-update": {"max-bandwidth": "123456"}})
    paths = [os.path.join(router.secrets, "router.json") for router in routers]
    wait_for(lambda: "123456" in open(paths[1]).read(), what="the configuration")
    assert "123456" not in open(paths[0]).read()
    # Port 930 and the images, on loopback, are all there is to connect to, also for those on the
    # conductor itself.
    assert inside(onboarding.network.conductor, listening_ports) == {930, 8930}
    with pytest.raises(ConnectionRefusedError):
        inside(onboarding.network.conductor, socket.create_connection,
               (onboarding.network.address, 8930), 5)
    for port in ports:
        with pytest.raises(ConnectionRefusedError):
            inside(onboarding.network.conductor, socket.create_connection, ("127.0.0.1", port), 5)
    # At the other end there is nothing but what conductors may ask for.
    link = UnixConnection(os.path.join(routers[0].directory, "conductor.sock"))
    for method, path in (("POST", "/v1/onboarding"), ("POST", "/v1/reload"),
                         ("PUT", "/v1/images/V1/manifest")):
        link.request(method, path, "{}")
        answer = link.getresponse()
        assert answer.read() and answer.status in (404, 405)
    link.close()


@pytest.mark.parametrize("member", ["configuration-integrity", "secure-conductor-onboarding",
                                    "control", "state-directory", "name"])
def test_what_no_conductor_may_configure(pair, member):
    conductor, router = pair
    reply = conductor.call("PUT", "/v1/routers/router1/configuration", {member: {}})
    assert reply.status == 400 and member in reply.detail
    # Nor may one that has been taken over.
    link = UnixConnection(os.path.join(router.directory, "conductor.sock"))
    for method, path in (("PUT", "/v1/configuration"), ("POST", "/v1/initialize")):
        link.request(method, path, json.dumps({member: {}}))
        answer = link.getresponse()
        assert member in answer.read().decode() and answer.status == 400
    link.close()
