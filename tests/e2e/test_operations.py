# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/operations.md: its commands exist, each procedure names a test that goes through it, and those
of a router are gone through here, word by word as the page has them."""

import base64
import glob
import hashlib
import json
import os
import re
import subprocess

import pytest

from certificates import Authority
from onboarding_world import device_certificate
from steward import ROOT, STEWARDCTL, ctl, wait_for

pytestmark = [pytest.mark.once, pytest.mark.release_only]

with open(os.path.join(ROOT, "docs", "operations.md")) as page:
    INTRODUCTION, *SECTIONS = page.read().split("\n## ")
SECTIONS = dict(section.split("\n", 1) for section in SECTIONS)


def one_line(text):
    return " ".join(text.split())


def pattern(form):
    """Of a line of "stewardctl --help": words in capitals are values, [...] may be left out."""
    made = ""
    for part in re.findall(r"\[[^]]*\]|\S+", form):
        if part.startswith("["):
            made += f"(?: {' '.join(value(word) for word in part[1:-1].split())})?"
        else:
            made += f" {value(part)}"
    return made.strip()


def value(word):
    if word.endswith("..."):
        return r"\S+(?: \S+)*"
    return r"\S+" if re.search("[A-Z]", word) else f"(?:{word})"


def test_its_commands_exist():
    said = subprocess.run([STEWARDCTL, "--help"], capture_output=True, text=True, check=True).stdout
    forms = [pattern(line.strip()) for line in said.splitlines() if line.startswith("  stewardctl ")]
    text = one_line("\n".join([INTRODUCTION, *SECTIONS.values()]))
    named = re.findall(r"`(stewardctl [^`#]+?)`", text)
    assert len(named) > 8
    for command in named:
        assert any(re.fullmatch(form, command) for form in forms), command


@pytest.mark.parametrize("heading", SECTIONS)
def test_each_procedure_names_its_test(heading):
    named = re.findall(r"`(\w+)/(\w+\.\w+)::(\w+)`", SECTIONS[heading])
    assert named
    for place, file, name in named:
        with open(os.path.join(ROOT, "tests", place, file)) as source:
            assert re.search(rf"^(?:def|static void) {name}\(", source.read(), re.M), name


class Procedure:
    def __init__(self, heading, **names):
        self.text = one_line(SECTIONS[heading])
        self.names = names

    def run(self, daemon, command):
        """A command of the page, with the names of this test in the place of the page's."""
        assert f"`{command}`" in self.text, f"the page does not say: {command}"
        words = [str(self.names.get(word, word)) for word in command.split()[1:]]
        return ctl(daemon, *words, check=0).stdout


def write(onboarding, name, text):
    path = os.path.join(onboarding.directory, name)
    with open(path, "w") as file:
        file.write(text)
    return path


def give_token(procedure, router, token):
    procedure.names["FILE"] = os.path.join(router.directory, "from-the-operator.json")
    with open(procedure.names["FILE"], "w") as file:
        json.dump(router.document(token), file)
    procedure.run(router, "stewardctl request onboarding file FILE")


def test_a_routers_machine_is_replaced(onboarding):
    conductor = onboarding.conductor()
    old, new = onboarding.tpm(), onboarding.tpm()
    conductor.configure(**{"mode": "strong", "endorsement-key": old.endorsement_key})
    before = onboarding.router(tpm=old)
    before.onboard(conductor.token()).become_onboarded()
    wait_for(lambda: before.is_connected, 30, "the tunnel")

    steps = Procedure("A router's machine is replaced", R="router1", N="node0", A="A1",
                      BASE64=new.endorsement_key)
    steps.run(conductor, "stewardctl request secure-conductor-onboarding reset router R node N")
    wait_for(lambda: conductor.authorized_keys == [], 10, "the end of its key")
    wait_for(lambda: not before.is_connected, 30, "the end of its session")
    steps.run(conductor, "stewardctl configure authority router R node N asset-id A")
    steps.run(conductor, "stewardctl configure authority router R node N"
                         " secure-conductor-onboarding endorsement-key BASE64")
    after = onboarding.router("A1", tpm=new)
    token = steps.run(conductor, "stewardctl create secure-conductor-onboarding token router R")
    give_token(steps, after, token.strip())
    after.become_onboarded()
    assert [(e["node"], e["pin"]) for e in conductor.enrolments] == [
        ("node0", hashlib.sha256(base64.b64decode(new.endorsement_key)).hexdigest())]
    # The machine that was taken away is nobody's any more.
    assert not before.is_connected


def test_a_routers_keys_are_replaced(onboarding):
    conductor = onboarding.conductor()
    conductor.configure()
    router = onboarding.router()
    router.onboard(conductor.token()).become_onboarded()
    stolen = router.ssh_key

    steps = Procedure("A router's keys are replaced", R="router1", N="node0")
    steps.run(conductor, "stewardctl request secure-conductor-onboarding reset router R node N")
    steps.run(conductor, "stewardctl configure authority router R system"
                         " secure-conductor-onboarding pre-shared-secret")
    router.stop()
    for names in ("conductor-key*", "sealing-keys"):
        assert f"`{names}`" in steps.text
        for path in glob.glob(os.path.join(router.secrets, names)):
            os.remove(path)
    router.start()
    token = steps.run(conductor, "stewardctl create secure-conductor-onboarding token router R")
    give_token(steps, router, token.strip())
    wait_for(lambda: conductor.enrolments, 60, "the enrolment with the new key")
    assert router.ssh_key != stolen
    assert [stolen in key for key in conductor.authorized_keys] == [False]


def test_a_device_certificate_is_renewed(onboarding):
    """By another CA, for the same key: the device stays who it is."""
    older, newer = (Authority(onboarding.directory, name) for name in ("older", "newer"))
    trusted = write(onboarding, "makers.pem", open(older.path).read())
    conductor = onboarding.conductor(**{"device-id-ca": trusted})
    conductor.configure(mode="strong")
    tpm = onboarding.tpm()
    key = tpm.make_device_key()

    def certificate(maker):
        return onboarding.write("device.pem", device_certificate(
            key, maker.key, maker.certificate.subject, "A0"))

    router = onboarding.router(tpm=tpm, device_id=certificate(older))
    router.onboard(conductor.token()).become_onboarded()
    pin = conductor.enrolments[0]["pin"]

    steps = Procedure("A device's certificate, or its maker's CA, is replaced", R="router1")
    write(onboarding, "makers.pem", open(older.path).read() + open(newer.path).read())
    conductor.stop()
    conductor.start()
    certificate(newer)
    router.reboot()
    token = steps.run(conductor, "stewardctl create secure-conductor-onboarding token router R")
    give_token(steps, router, token.strip())
    wait_for(lambda: len([1 for outcome, _ in conductor.audit("router1")
                          if outcome == "enrolled"]) == 2, 60, "the second enrolment")
    assert [e["pin"] for e in conductor.enrolments] == [pin]


def registry_files(conductor):
    return glob.glob(os.path.join(conductor.directory, "registry*"))


def test_a_registry_is_restored_from_a_backup(onboarding):
    """Who was enrolled after the backup is a stranger again, and is let in by a new token."""
    conductor = onboarding.conductor()
    conductor.configure()
    conductor.stop()
    kept = {path: open(path, "rb").read() for path in registry_files(conductor)}
    conductor.start()
    router = onboarding.router()
    router.onboard(conductor.token()).become_onboarded()
    wait_for(lambda: router.is_connected, 30, "the tunnel")
    conductor.stop()
    for path in registry_files(conductor):
        os.remove(path)
    for path, content in kept.items():
        with open(path, "wb") as file:
            file.write(content)
    conductor.start()
    assert conductor.enrolments == [] and conductor.authorized_keys == []
    wait_for(lambda: not router.is_connected, 60, "the end of the tunnel")
    router.onboard(conductor.token())
    wait_for(lambda: conductor.enrolments and router.is_connected, 60, "the router")
