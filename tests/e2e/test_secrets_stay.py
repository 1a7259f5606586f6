# SPDX-License-Identifier: GPL-3.0-or-later
"""What is secret stays where it belongs: not in a log, not in ps, not in an environment, and of the
registry in the clear only the pre-shared secret, whose file is its owner's alone."""

import glob
import os
import stat
import struct

import pytest

from secret_search import Secrets, files_below, read
from steward import wait_for
from test_integrity_quiet import packets
from watching import Watching

ACTIVATE_CREDENTIAL = 0x147
OF_32_BYTES = b"\0\0\0\x22\0\x20"  # a response's parameters: one TPM2B of 32 bytes


def shown():
    """What every process shows in ps and has in its environment."""
    return {read(path) for what in ("cmdline", "environ")
            for path in glob.glob("/proc/[0-9]*/" + what)}


def activated_secret(recorded):
    """S, as the TPM gave it: the answer to ActivateCredential, on a bus that is the test's."""
    messages = list(packets(recorded))
    asked = next(i for i, message in enumerate(messages)
                 if struct.pack(">I", ACTIVATE_CREDENTIAL) in message[:80])
    answer = next(message for message in messages[asked + 1:] if OF_32_BYTES in message)
    at = answer.index(OF_32_BYTES) + len(OF_32_BYTES)
    return answer[at:at + 32]


@pytest.mark.parametrize("mode", ["psk-only", "strong"])
def test_nothing_secret_is_shown(onboarding, mode):
    environment = {"STEWARD_DEBUG": "1"}
    conductor = onboarding.conductor(environment=environment)
    tpm = onboarding.tpm() if mode == "strong" else None
    more = {"endorsement-key": tpm.endorsement_key} if tpm else {}
    conductor.configure(mode=mode, **more)
    recorded = os.path.join(onboarding.directory, "recorded")
    bus = {"tcti": "pcap:" + tpm.tcti} if tpm else {}
    router = onboarding.router(tpm=tpm, onboarding=bus,
                               environment={**environment, "TCTI_PCAP_FILE": recorded})
    seen = set()
    with Watching(lambda: seen.update(shown()), 0.02):
        token = conductor.token()
        router.onboard(token)
        router.become_onboarded()
        wait_for(lambda: router.is_connected, 30, "the tunnel")
        # Refusals and failures say more than what goes well.
        conductor.call("DELETE", "/v1/routers/router1")
        wait_for(lambda: not router.is_connected, 30, "the tunnel's end")
    secrets = Secrets(conductor, router, token)
    if tpm:
        secrets.all["S"] = activated_secret(recorded)

    for daemon in (conductor, router):
        log = read(daemon.log_path)
        assert b" debug " in log
        assert not secrets.found_in(log), daemon.log
    for text in seen:
        assert not secrets.found_in(text), text
    assert any(b"conductord" in text for text in seen)
    assert any(b"ssh\0" in text for text in seen)


def test_of_the_registry_only_the_shared_secret_is_in_the_clear(onboarding):
    conductor = onboarding.conductor()
    conductor.configure()
    router = onboarding.router()
    token = conductor.token()
    router.onboard(token).become_onboarded()
    secrets = Secrets(conductor, router, token)
    found = glob.glob(os.path.join(conductor.directory, "registry*"))
    assert found
    for path in found:
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600, path
        assert not secrets.found_in(read(path), "pre-shared secret")
    assert any(secrets.shared in read(path) for path in found)
    # Nor does the conductor keep it elsewhere, or say it on its socket.
    for path in files_below(conductor.state):
        assert not secrets.found_in(read(path)), path
    for path in ("/v1/routers", "/v1/routers/router1", "/v1/routers/router1/tokens", "/v1/enrolments",
                 "/v1/audit", "/v1/status", "/metrics"):
        assert not secrets.found_in(conductor.get(path).body), path


def test_the_router_keeps_only_its_key(onboarding):
    conductor = onboarding.conductor()
    conductor.configure()
    router = onboarding.router()
    token = conductor.token()
    router.onboard(token).become_onboarded()
    secrets = Secrets(conductor, router, token)
    for path in files_below(router.directory):
        kept = secrets.found_in(read(path))
        assert not kept or (path, kept) == (os.path.join(router.secrets, "conductor-key"),
                                            ["router's key"]), (path, kept)
        assert not kept or stat.S_IMODE(os.stat(path).st_mode) == 0o600
    for path in ("/v1/onboarding", "/v1/status", "/metrics", "/v1/configuration"):
        assert not secrets.found_in(router.get(path).body), path
