# SPDX-License-Identifier: GPL-3.0-or-later
"""What is secret stays where it belongs, beyond what test_secrets_stay sees: all tables of PostgreSQL
and what the server itself keeps, the keys of a session, which only the two ends know, and every
program that is run, however short it lives."""

import base64
import os
import re
import shutil

import pytest

from secret_search import Secrets, files_below, private_part, read
from steward import wait_for
from wire_router import read_token
from wire_tpm import TpmRouter

pytestmark = pytest.mark.slow
DEBUG = {"STEWARD_DEBUG": "1"}


def dump(database):
    """All that is in the tables, as text: binary as hex."""
    return database.ask("pg_dump", "--inserts", "--column-inserts").stdout


def keys_of(channel, opened):
    """What both ends have derived, and nobody else may."""
    return {"X": channel.exporter, "S": opened,
            **{f"K of {name}": key for name, key in channel.keys.items()}}


class SessionSecrets(Secrets):
    """Of a handshake that was done by hand, whose router has no key file."""

    def __init__(self, conductor, token, channel, opened):
        self.shared = base64.b64decode(read_token(token)[1]["secret"])
        self.all = {"pre-shared secret": self.shared, "whole token": token.encode(),
                    "token": read_token(token)[2].encode(),
                    "conductor's key": private_part(conductor.private_key),
                    **keys_of(channel, opened)}


def test_postgresql_holds_only_the_shared_secret(onboarding, database):
    tpm = onboarding.tpm()
    conductor = onboarding.conductor(registry=database.uri, environment=DEBUG)
    conductor.configure(**{"mode": "strong", "endorsement-key": tpm.endorsement_key})
    token = conductor.token()
    router = TpmRouter(onboarding, token, tpm).go_to_keys()
    assert router.ask(router.keys, "r2", "c2") == {"type": "done"}
    # A refusal and a failure have their rows and lines, too.
    refused = TpmRouter(onboarding, token, tpm).go_to_attestation()
    tpm.quote(b"")
    refused.tell(refused.attestation, "t1")
    assert refused.is_refused()
    wait_for(lambda: "over other data" in str(conductor.refusals()), 20, "the refusal")
    secrets = SessionSecrets(conductor, token, router.channel, tpm.read("opened"))
    assert len(secrets.all) == 9

    # The look itself sees what is there: the shared secret, once, where the model has it.
    text = dump(database)
    rows = [line for line in text.splitlines() if secrets.shared in line]
    assert len(rows) == 1 and rows[0].startswith(b"INSERT INTO public.routers ")
    assert router.blob.hex().encode() in text and b"over other data" in text
    assert secrets.found_in(text, "pre-shared secret") == []
    # Nor what was there once: its files have old rows, and the log that it writes ahead.
    database.stop()
    wait_for(lambda: conductor.get("/v1/routers").status == 503, 20, "the registry's end")
    kept = files_below(database.folder)
    assert any(secrets.shared in read(path) for path in kept)
    for path in kept:
        assert secrets.found_in(read(path), "pre-shared secret") == [], path
    # The conductor at debug level, and while it cannot reach the database.
    wait_for(lambda: "onnection" in conductor.log, 90, "what the log has of it")
    assert " debug " in conductor.log
    assert secrets.found_in(read(conductor.log_path)) == []
    for path in files_below(conductor.state):
        assert secrets.found_in(read(path)) == [], path
    for path in ("/v1/status", "/v1/routers", "/v1/onboarding", "/metrics"):
        assert secrets.found_in(conductor.get(path).body) == [], path


# Every program that is run.

class Executions:
    """What a daemon and all it runs hand to execve(2), as the kernel gets it: strace."""

    def __init__(self, daemon, path):
        self.path = path
        daemon.prefix += ["strace", "-D", "-f", "-v", "-s", "65536", "-xx", "-A", "-e", "trace=execve",
                          "--seccomp-bpf", "-o", path]

    @property
    def calls(self):
        """As bytes: a path, arguments and environment, unescaped, joined."""
        with open(self.path, "rb") as file:
            lines = [line for line in file if b"execve(" in line]
        return [b"\0".join(bytes.fromhex(word.replace(b"\\x", b"").decode())
                           for word in re.findall(rb'"((?:\\x[0-9a-f]{2})*)"', line))
                for line in lines]

    def programs(self):
        return {os.path.basename(call.split(b"\0")[0]).decode() for call in self.calls}


@pytest.mark.parametrize("mode", ["psk-only", "strong"])
def test_no_program_is_given_a_secret(onboarding, mode, monkeypatch):
    # A tracer keeps the leak detector from its work; it has it in every other test.
    monkeypatch.setenv("ASAN_OPTIONS", "detect_leaks=0:" + os.environ.get("ASAN_OPTIONS", ""))
    assert shutil.which("strace")
    tpm = onboarding.tpm() if mode == "strong" else None
    conductor = onboarding.conductor(start=False, environment=DEBUG)
    router = onboarding.router(start=False, tpm=tpm, environment=DEBUG)
    traces = [Executions(daemon, os.path.join(onboarding.directory, daemon.program[-5:] + "-trace"))
              for daemon in (conductor, router)]
    conductor.start()
    router.start()
    more = {"endorsement-key": tpm.endorsement_key} if tpm else {}
    conductor.configure(mode=mode, **more)
    token = conductor.token()
    router.onboard(token)
    wait_for(lambda: router.reboots == 1, 90, "the reboot")
    router.reboot()
    wait_for(lambda: router.is_connected, 90, "the tunnel")
    conductor.delete("/v1/routers/router1")
    wait_for(lambda: not router.is_connected, 60, "the tunnel's end")
    secrets = Secrets(conductor, router, token)
    secrets.all["whole token"] = token.encode()

    programs = [trace.programs() for trace in traces]
    assert {"exe", "sshd", "setpriv"} <= programs[0], programs  # the helper is /proc/self/exe
    assert {"ssh", "ssh-keygen", "exe", "sh"} <= programs[1], programs  # it ties ssh to itself
    for trace in traces:
        # The look itself sees arguments and environment.
        assert any(b"STEWARD_DEBUG=1" in call for call in trace.calls)
        for call in trace.calls:
            assert secrets.found_in(call) == [], call
