# SPDX-License-Identifier: GPL-3.0-or-later
"""Which key exchanges handshake and tunnel use, what shows it, and who insists on one."""

import ctypes
import sqlite3
import subprocess

import pytest

from onboarding_world import check_refused
from registry_before import TO_VERSION_3
from steward import CONDUCTORD, ctl, wait_for
from test_sealed_secrets import CONFIGURATION, PASSWORD, QUERY, has, sources

HYBRID = "p-256+ml-kem-768"
NAMES = ["mlkem768x25519-sha256", "sntrup761x25519-sha512"]


def has_kem():
    return ctypes.CDLL("libcrypto.so.3").OpenSSL_version_num() >= 0x30500000


def ssh_names():
    found = subprocess.run(["ssh", "-Q", "kex"], check=True, capture_output=True,
                           text=True).stdout.split()
    return [name for name in NAMES if name in found or name + "@openssh.com" in found]


def connected(router):
    wait_for(lambda: router.is_connected, 30, "the tunnel")
    return router.onboarding


def test_what_was_used_is_shown(onboarding):
    conductor = onboarding.conductor()
    conductor.configure()
    router = onboarding.router()
    router.onboard(conductor.token()).become_onboarded()
    state = connected(router)
    used = HYBRID if has_kem() else "p-256"
    best = ssh_names()[0]
    assert state["handshake-key-exchange"] == used
    assert [c["key-exchange"] for c in state["conductors"]] == [best]
    wait_for(lambda: conductor.enrolments[0]["tunnel-key-exchange"], 10, "the tunnel, there")
    enrolment = conductor.enrolments[0]
    assert (enrolment["key-exchange"], enrolment["tunnel-key-exchange"]) == (used, best)
    shown = ctl(conductor, "show", "secure-conductor-onboarding", "enrolments", check=0).stdout
    assert shown.splitlines()[1].split()[-2:] == [used, best]
    shown = ctl(router, "show", "secure-conductor-onboarding", check=0).stdout
    assert f"Handshake  {used}\n" in shown and shown.rstrip().endswith(best)
    # sshd's lines about it are for us, and not for the journal.
    assert "choose_kex" not in conductor.log
    router.stop()
    wait_for(lambda: conductor.enrolments[0]["tunnel-key-exchange"] is None, 10, "its end")


def test_the_order_is_the_operators(onboarding):
    conductor = onboarding.conductor(**{"post-quantum": {"key-exchange": NAMES[1:]}})
    conductor.configure()
    router = onboarding.router()
    router.onboard(conductor.token()).become_onboarded()
    assert [c["key-exchange"] for c in connected(router)["conductors"]] == NAMES[1:]


def test_required(onboarding):
    """By either side. Where nobody has it, both say so, in words and by name."""
    conductor = onboarding.conductor(**{"post-quantum": {"required": True}})
    conductor.configure()
    router = onboarding.router()
    router.onboard(conductor.token())
    if has_kem():
        router.become_onboarded()
        assert conductor.enrolments[0]["key-exchange"] == HYBRID
        return
    assert "its audit says why" in router.wait_for_state("refused")["reason"]
    check_refused(conductor, "post-quantum key exchange is required, and this conductor itself")
    shown = ctl(conductor, "show", "secure-conductor-onboarding", check=0).stdout
    assert "WARNING      post-quantum required: nobody is enrolled" in shown


def test_required_by_the_router(onboarding):
    conductor = onboarding.conductor()
    conductor.configure()
    router = onboarding.router(start=False)
    router.config["post-quantum"] = {"required": True}
    router.write_config()
    router.start()
    router.onboard(conductor.token())
    if has_kem():
        router.become_onboarded()
        return
    reason = router.wait_for_state("refused")["reason"]
    assert "post-quantum key exchange is required, and this router itself has only p-256" in reason
    assert "set post-quantum required to false here" in reason
    assert conductor.enrolments == []


@pytest.mark.release_only
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_registry_of_before(onboarding, request, kind):
    """The router comes back by itself, is shown as what is known of it, and gets secrets sealed."""
    database = request.getfixturevalue("database") if kind == "postgresql" else None
    conductor = onboarding.conductor(**({"registry": database.uri} if database else {}))
    conductor.configure()
    router = onboarding.router()
    router.onboard(conductor.token()).become_onboarded()
    connected(router)
    conductor.stop()
    if database:
        database.sql(TO_VERSION_3)
    else:
        with sqlite3.connect(conductor.config["registry"].removeprefix("sqlite:")) as registry:
            registry.executescript(TO_VERSION_3)
    wait_for(lambda: not router.is_connected, 30, "the tunnel's end")
    conductor.start()
    wait_for(lambda: router.is_connected, 60, "the tunnel again")
    wait_for(lambda: conductor.enrolments[0]["tunnel-key-exchange"], 10, "the tunnel, there")
    shown = ctl(conductor, "show", "secure-conductor-onboarding", "enrolments", check=0).stdout
    assert shown.splitlines()[1].split()[-2:] == ["classical", ssh_names()[0]]
    # What the router itself has noted is not lost.
    assert router.onboarding["handshake-key-exchange"] == (HYBRID if has_kem() else "p-256")
    conductor.put(CONFIGURATION, sources())
    wait_for(lambda: has(router, PASSWORD, QUERY), 30, "the secrets")
    assert router.reboots == 1


def test_what_the_system_has_not(onboarding):
    """Here a router goes on without a tunnel; a conductor would be there for nobody."""
    if ssh_names() == NAMES:
        return  # nothing is missing (OpenSSH 10), and the tests above use it
    words = "this system's OpenSSH has no mlkem768x25519-sha256"
    conductor = onboarding.conductor()
    conductor.configure()
    router = onboarding.router(start=False)
    router.config["post-quantum"] = {"key-exchange": NAMES[:1]}
    router.write_config()
    router.start()
    router.onboard(conductor.token()).wait_for_state("enrolled")
    problem = wait_for(lambda: router.onboarding["conductors"][0]["problem"], 10, "the reason")
    assert words in problem and "change post-quantum key-exchange" in problem
    conductor.stop()
    conductor.config["post-quantum"] = {"key-exchange": NAMES[:1]}
    conductor.write_config()
    ended = subprocess.run([CONDUCTORD, "--config", conductor.config_path, "--foreground"],
                           text=True, capture_output=True, timeout=60)
    assert ended.returncode != 0 and words in ended.stderr
