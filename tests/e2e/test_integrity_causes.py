# SPDX-License-Identifier: GPL-3.0-or-later
"""Each cause of an integrity event produced for real, and told apart in the message."""

import json
import os
import shutil

import pytest

import seal_record
from integrity_world import (DISK, HANDLER, KEY_HANDLE, MORE, NV_INDEX, RECORD, SECRETS, TEXT,
                             Machine)
from steward import ROOT, SLOW
from wrapped_fek import fek_of

pytestmark = pytest.mark.once

WRAPPING_KEY = ["-C", "0x81000001", "-u", "key.pub", "-r", "key.priv", "-G", "rsa2048:oaep-sha256:null",
                "-a", "fixedtpm|fixedparent|sensitivedataorigin|adminwithpolicy|noda|decrypt"]


def documented_causes():
    """Of docs/integrity.md: what is to be done about each."""
    with open(os.path.join(ROOT, "docs/integrity.md")) as file:
        table = file.read().split("\n## Causes\n")[1].split("\n|---|---|---|\n")[1]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")]
    return {name: advice for name, _, advice in rows}


ADVICE = documented_causes()


def check_message(outcome, cause, step):
    """One entry, and the same on the consoles."""
    assert outcome.code == 1, outcome
    reason = outcome.reason
    assert reason.startswith(cause + ": "), outcome
    entry = outcome.emergencies[0]
    assert entry["event"] == "INTEGRITY_COMPROMISED" and entry["STEWARD_STEP"] == step, outcome
    assert reason in entry["MESSAGE"] and f"({step})" in entry["MESSAGE"]
    assert " ".join(outcome.console.split()) == (
        "*** SYSTEM INTEGRITY COMPROMISED *** Steward could not unlock the encrypted "
        f"directories: {reason} ({step}). Networking stays blocked. {ADVICE[cause]} "
        "See: journalctl -u integrity-handler")
    assert max(map(len, outcome.console.splitlines())) <= 88
    if os.path.exists("/sys/class/tty/tty0/active"):
        assert outcome.terminal == outcome.console
    return entry


def check_event(world, cause, step, **options):
    """The handler's reason; nothing is unlocked, and nothing changed."""
    before = world.state
    assert not before["unlocked"]
    outcome = world.handler(**options)
    entry = check_message(outcome, cause, step)
    assert world.state == before, outcome
    return entry


def no_tpm(world):
    world.tpm.stop()


def blank_tpm(world):
    world.tpm.stop()
    shutil.rmtree(world.tpm.state)
    os.mkdir(world.tpm.state)
    world.tpm.start()


def cleared_tpm(world):
    world.tpm.tool("clear", "-c", "l")


def evicted_key(world):
    world.tpm.tool("evictcontrol", "-C", "o", "-c", hex(KEY_HANDLE))


def other_key(world, *words):
    """At the handle of ours."""
    evicted_key(world)
    world.tpm.tool("create", *(words or WRAPPING_KEY))
    world.tpm.tool("load", "-C", "0x81000001", "-u", "key.pub", "-r", "key.priv", "-c", "key.ctx")
    world.tpm.tool("evictcontrol", "-C", "o", "-c", "key.ctx", hex(KEY_HANDLE))
    world.tpm.flush()


def key_of_our_policy(world):
    world.tpm.tool("startauthsession", "-S", "session.ctx")
    world.tpm.tool("policycommandcode", "-S", "session.ctx", "-L", "policy", "TPM2_CC_RSA_Decrypt")
    world.tpm.flush()
    other_key(world, *WRAPPING_KEY, "-L", "policy")


def key_of_another_kind(world):
    other_key(world, "-C", "0x81000001", "-u", "key.pub", "-r", "key.priv", "-G", "ecc")


def undefined_pin(world):
    world.tpm.tool("nvundefine", "-C", "o", hex(NV_INDEX))


def other_pin(world):
    undefined_pin(world)
    define_pin(world, os.urandom(32))


def define_pin(world, digest):
    with open(os.path.join(os.path.dirname(world.tpm.socket), "pin"), "wb") as file:
        file.write(digest)
    world.tpm.tool("nvdefine", "-C", "o", "-s", "32", "-a",
                   "ownerread|authread|ownerwrite|writedefine|no_da", hex(NV_INDEX))
    world.tpm.tool("nvwrite", "-C", "o", "-i", "pin", hex(NV_INDEX))
    world.tpm.tool("nvwritelock", "-C", "o", hex(NV_INDEX))


def record_removed(world):
    os.unlink(world.path(RECORD))


def record_empty(world):
    world.write(RECORD, b"")


def record_twice(world):
    world.write(RECORD, world.record + world.record)


def record_cut(world):
    world.write(RECORD, world.record[:-2])


def record_with_spaces(world):
    world.write(RECORD, json.dumps(json.loads(world.record)) + "\n")


def record_huge(world):
    world.write(RECORD, b"[" * (1 << 20))


def record_of_one_directory(world):
    record = json.loads(world.record)
    del record["directory"][1]
    world.write(RECORD, seal_record.text(record))


def record_of_another_order(world):
    record = json.loads(world.record)
    record["directory"].reverse()
    world.write(RECORD, seal_record.text(record))


def record_of_random_fek(world):
    record = json.loads(world.record)
    world.write(RECORD, seal_record.text(seal_record.wrap(record, os.urandom(32), pem(world))))


def record_a_symlink_to_nothing(world):
    os.rename(world.path(RECORD), world.path(RECORD + ".old"))
    os.symlink("nothing", world.path(RECORD))


def record_new_of_something_else(world):
    """As if power had failed before the renaming."""
    record = json.loads(world.record)
    record["directory"][0]["key-identifier"] = "00" * 16
    os.unlink(world.path(RECORD))
    world.write(RECORD + ".new", seal_record.text(record))


def record_new_unreadable(world):
    os.unlink(world.path(RECORD))
    world.write(RECORD + ".new", "{")


def plain_directory(world, path=SECRETS):
    world.run("rm", "-r", path)
    world.run("mkdir", path)
    world.write(path + "/file", TEXT)


def second_directory_plain(world):
    plain_directory(world, MORE)


def foreign_directory(world, path=SECRETS):
    seal_record.replace(world, path, os.urandom(32))
    world.remount()


def second_directory_foreign(world):
    foreign_directory(world, MORE)


def directories_swapped(world):
    world.run("mv", SECRETS, DISK + "/aside")
    world.run("mv", MORE, SECRETS)
    world.run("mv", DISK + "/aside", MORE)


def policy_of_other_modes(world):
    """AES-128-CBC for contents."""
    world.run("rm", "-r", SECRETS)
    world.run("mkdir", SECRETS)
    conf = json.loads(world.read("/etc/fscrypt.conf"))
    conf["options"].update(contents="AES_128_CBC", filenames="AES_128_CTS")
    world.write("/run/fek", os.urandom(32))
    kept = world.read("/etc/fscrypt.conf")
    world.write("/etc/fscrypt.conf", json.dumps(conf))
    world.run("fscrypt", "encrypt", SECRETS, "--source=raw_key", "--key=/run/fek", "--quiet",
              "--name=other")
    world.write("/etc/fscrypt.conf", kept)
    world.remount()


def directory_a_symlink(world):
    world.run("mv", SECRETS, DISK + "/elsewhere")
    os.symlink("elsewhere", world.path(SECRETS))


def directory_missing(world):
    world.run("rm", "-r", SECRETS)


def second_directory_missing(world):
    world.run("mv", MORE, DISK + "/aside")


def directory_a_file(world):
    world.run("rm", "-r", SECRETS)
    world.write(SECRETS, TEXT)


def metadata_missing(world):
    world.run("rm", "-r", DISK + "/.fscrypt")


def policy_file_missing(world):
    """Of the second, while the first can be opened."""
    os.unlink(world.path(f"{DISK}/.fscrypt/policies/{world.identifier(MORE)}"))


def protectors_missing(world):
    world.run("bash", "-c", f"rm {DISK}/.fscrypt/protectors/*")


def policy_file_damaged(world):
    world.write(f"{DISK}/.fscrypt/policies/{world.identifier(MORE)}", "nonsense")


def protectors_damaged(world):
    for name in os.listdir(world.path(DISK + "/.fscrypt/protectors")):
        path = f"{DISK}/.fscrypt/protectors/{name}"
        world.write(path, world.read(path)[:-9])


def neither_record_nor_pin(world):
    record_removed(world)
    cleared_tpm(world)


def neither_record_nor_tpm(world):
    record_removed(world)
    blank_tpm(world)


def key_and_pin_removed_by_hand(world):
    evicted_key(world)
    undefined_pin(world)


CHANGED = "record changed or forged"
CAUSES = {
    # what was done, how it is called, at which step
    no_tpm: ("no TPM", "locate"),
    blank_tpm: ("another TPM", "unseal"),
    cleared_tpm: ("TPM cleared", "locate"),
    key_and_pin_removed_by_hand: ("TPM cleared", "locate"),
    undefined_pin: ("TPM cleared", "locate"),
    evicted_key: ("wrapping key replaced", "unseal"),
    other_key: ("wrapping key replaced", "unseal"),
    key_of_our_policy: ("wrapping key replaced", "unseal"),
    key_of_another_kind: ("wrapping key replaced", "unseal"),
    other_pin: (CHANGED, "locate"),
    record_removed: ("record removed", "locate"),
    record_empty: (CHANGED, "locate"),
    record_twice: (CHANGED, "locate"),
    record_cut: (CHANGED, "locate"),
    record_with_spaces: (CHANGED, "locate"),
    record_huge: (CHANGED, "locate"),
    record_of_one_directory: (CHANGED, "locate"),
    record_of_another_order: (CHANGED, "locate"),
    record_a_symlink_to_nothing: (CHANGED, "locate"),
    record_new_of_something_else: (CHANGED, "locate"),
    record_new_unreadable: (CHANGED, "locate"),
    neither_record_nor_pin: ("record and pin lost", "enable"),
    neither_record_nor_tpm: ("record and pin lost", "enable"),
    plain_directory: ("directory plain", "unlock"),
    second_directory_plain: ("directory plain", "unlock"),
    foreign_directory: ("directory foreign", "unlock"),
    second_directory_foreign: ("directory foreign", "unlock"),
    directories_swapped: ("directory foreign", "unlock"),
    policy_of_other_modes: ("directory foreign", "unlock"),
    directory_a_symlink: ("directory a symlink", "unlock"),
    directory_missing: ("directory missing", "unlock"),
    second_directory_missing: ("directory missing", "unlock"),
    directory_a_file: ("directory missing", "unlock"),
    metadata_missing: ("fscrypt's metadata missing", "pass"),
    policy_file_missing: ("fscrypt's metadata missing", "pass"),
    protectors_missing: ("fscrypt's metadata missing", "pass"),
    policy_file_damaged: ("fscrypt's metadata missing", "pass"),
    protectors_damaged: ("fscrypt refused", "pass"),
    record_of_random_fek: ("fscrypt refused", "pass"),
}


@pytest.mark.parametrize("produce", CAUSES, ids=lambda f: f.__name__)
def test_cause(world, produce):
    produce(world)
    check_event(world, *CAUSES[produce])


def test_record_directory_removed(world):
    """It is made anew for the lock, and stays empty."""
    shutil.rmtree(world.path(os.path.dirname(RECORD)))
    check_message(world.handler(), "record removed", "locate")
    assert world.unlocked == set() and os.listdir(world.path(os.path.dirname(RECORD))) == []


def test_another_tpm_enabled_itself(world, other_machine):
    """With a key and a pin of its own at the same handles."""
    ours = json.loads(world.record)["ek-name"][4:12]
    world.tpm.stop()
    world.tpm.put_state(other_machine.tpm)
    world.tpm.start()
    reason = check_event(world, "another TPM", "unseal")["STEWARD_REASON"]
    assert f"EK {ours}…" in reason and "the one found is " in reason
    # The disk of the other one opens.
    shutil.copyfile(other_machine.disk, world.image + ".other")
    world.unmount()
    os.rename(world.image + ".other", world.image)
    world.mount()
    assert world.handler().code == 0


def test_back_with_its_own_tpm_it_opens(world, machine):
    blank_tpm(world)
    check_event(world, "another TPM", "unseal")
    world.tpm.stop()
    world.tpm.put_state(machine.tpm)
    world.tpm.start()
    assert world.handler().code == 0 and world.unlocked == {SECRETS, MORE}


def left_to_the_tool(world):
    """What the tool reads, but does not write like this: a tag of two bytes where one would do."""
    for name in os.listdir(world.path(DISK + "/.fscrypt/protectors")):
        path = f"{DISK}/.fscrypt/protectors/{name}"
        text = world.read(path)
        assert text[0] == 0x0a
        world.write(path, b"\x8a\x00" + text[1:])


def test_opens_without_fscrypt(world):
    """And what fscrypt has to say and to do afterwards is as if it had done it."""
    outcome = world.handler(environment={"PATH": "/mnt"})
    assert outcome.code == 0 and len(outcome.events("INTEGRITY_UNLOCKED")) == 2, outcome
    assert world.read(SECRETS + "/file").decode() == TEXT
    for path in (SECRETS, MORE):
        assert "Unlocked: Yes" in world.run("fscrypt", "status", path).stdout
        world.run("fscrypt", "lock", path)
    assert not world.unlocked
    fek = fek_of(world)
    world.write("/run/fek", fek)
    world.run("fscrypt", "unlock", SECRETS, "--key=/run/fek", "--quiet")
    assert world.unlocked == {SECRETS}
    assert world.handler().code == 0 and world.unlocked == {SECRETS, MORE}


def test_what_only_fscrypt_reads(world):
    left_to_the_tool(world)
    assert world.handler().code == 0 and world.unlocked == {SECRETS, MORE}


def test_fscrypt_missing(world):
    left_to_the_tool(world)
    check_event(world, "fscrypt missing", "pass", environment={"PATH": "/mnt"})


def script(world, body):
    """A directory with an fscrypt that is none."""
    world.write("/mnt/fscrypt", "#!/bin/sh\n" + body)
    os.chmod(world.path("/mnt/fscrypt"), 0o755)
    return {"PATH": "/mnt:" + os.environ["PATH"]}


def test_fscrypt_is_not_believed(world):
    """It says that all is well, and has done nothing."""
    left_to_the_tool(world)
    check_event(world, "fscrypt refused", "pass", environment=script(world, "exit 0\n"))


def test_fscrypt_refuses(world):
    left_to_the_tool(world)
    environment = script(world, "echo one >&2; echo the last word >&2; exit 3\n")
    reason = check_event(world, "fscrypt refused", "pass", environment=environment)
    assert "3" in reason["STEWARD_REASON"] and "the last word" in reason["STEWARD_REASON"]


def test_fscrypt_refuses_the_second(world):
    """The first was opened already: it is closed again."""
    left_to_the_tool(world)
    environment = script(world, f'case "$*" in *unlock*{MORE}*) exit 1;; esac\n'
                                'PATH=${PATH#*:} exec fscrypt "$@"\n')
    check_event(world, "fscrypt refused", "pass", environment=environment)


def test_without_once_by_hand(world):
    """Not in a unit: no loop."""
    record_removed(world)
    outcome = world.handler("--config", world.config_path)
    check_message(outcome, "record removed", "locate")


def test_files_of_a_locked_directory_with_an_open_one(world):
    """One of two is open, and the other gone: what was open is left to who opened it."""
    assert world.handler().code == 0
    world.run("fscrypt", "lock", MORE)
    world.run("mv", MORE, DISK + "/aside")
    check_message(world.handler(), "directory missing", "unlock")
    assert world.unlocked == {SECRETS}


def test_unlocked_already_but_replaced(world):
    """A directory that is open, but not the pinned one, is no excuse."""
    seal_record.replace(world, SECRETS, os.urandom(32))
    assert world.unlocked == {SECRETS}
    check_message(world.handler(), "directory foreign", "unlock")


def pem(world):
    world.tpm.tool("readpublic", "-c", hex(KEY_HANDLE), "-f", "pem", "-o", "key.pem")
    with open(os.path.join(os.path.dirname(world.tpm.socket), "key.pem"), "rb") as file:
        return file.read()


def test_record_forged(world):
    """Anybody can encrypt to a public key: only the pin tells that these are not our directories."""
    forged = seal_record.forge(world, pem(world))
    check_event(world, CHANGED, "locate")
    # It is as good as forgeries get: with its own pin it would open.
    undefined_pin(world)
    define_pin(world, seal_record.pin(forged))
    world.handler()
    assert world.read(SECRETS + "/file") == b"the thief's\n"


def test_record_forged_while_open(world):
    """The thief's directories, open already: nor are these believed."""
    seal_record.forge(world, pem(world))
    for path in (SECRETS, MORE):
        world.run("fscrypt", "unlock", path, "--key=/run/fek", "--quiet")
    check_message(world.handler(), CHANGED, "locate")


MEASURED = "11" * 32


def measure(world):
    world.tpm.tool("pcrextend", f"16:sha256={MEASURED}")


@pytest.fixture(scope="module")
def measured_machine(tmp_path_factory):
    return Machine(tmp_path_factory.mktemp("measured"), before=measure, pcr=[16])


@pytest.fixture
def measured(worlds, measured_machine):
    """Its PCR 16 is what it was at enablement."""
    world = worlds(measured_machine)
    measure(world)
    return world


def changed_bytes(record):
    """(offset, byte): the case of letters, else the lowest bit; where base64 has bits that mean
    nothing, each of them."""
    for i, byte in enumerate(record):
        yield i, byte ^ (0x20 if chr(byte).isalpha() else 1)
        if record[i + 1:i + 2] == b"=":
            yield from ((i, byte + n) for n in range(1, 4) if chr(byte + n).isalnum())


def is_of_the_key(record, offset):
    """Which key it is says only the record: another one, or another record, is all the same."""
    at = record.index(b'"key-handle"'), record.index(b'"ek-name"')
    return at[0] < offset < at[1]


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_record_changed_by_one_byte(measured, part):
    """At every offset; with a sanitizer at some."""
    world = measured
    record = world.record
    before = world.state
    changes = list(changed_bytes(record))[part::4 if SLOW == 1 else 40]
    for offset, byte in changes:
        changed = record[:offset] + bytes([byte]) + record[offset + 1:]
        world.write(RECORD, changed)
        result = world.run(HANDLER, "--config", world.config_path, "--once", check=False)
        assert result.returncode == 1, f"{record[:offset].decode()}>>>{chr(byte)}"
        assert "Sanitizer" not in result.stderr, result.stderr
        assert world.record == changed and not world.unlocked
    reasons = [e["STEWARD_REASON"] for e in world.entries() if e["PRIORITY"] == "0"]
    assert len(reasons) == len(changes)
    for (offset, byte), reason in zip(changes, reasons):
        causes = (CHANGED, "wrapping key replaced")[:1 + is_of_the_key(record, offset)]
        assert reason.startswith(causes), f"{record[:offset].decode()}>>>{chr(byte)}\n{reason}"
    world.write(RECORD, record)
    assert world.state == before
    assert world.handler().code == 0


def test_pcr_changed(measured):
    record = json.loads(measured.record)
    assert [p["index"] for p in record["pcr"]] == [16]
    measured.tpm.tool("pcrextend", f"16:sha256={MEASURED}")
    entry = check_event(measured, "PCR mismatch", "unseal")
    assert entry["STEWARD_TPM_RC"] == "0x0000099d"
    assert "PCR 16 (sha256)" in entry["STEWARD_REASON"]
    assert record["pcr"][0]["value"][:8] in entry["STEWARD_REASON"]
    # Nothing is lost: it is the measurement that counts.
    measured.tpm.tool("pcrreset", "16")
    measure(measured)
    assert measured.handler().code == 0 and measured.unlocked == {SECRETS, MORE}


def test_pcr_not_named_does_not_matter(measured):
    measured.tpm.tool("pcrextend", f"23:sha256={MEASURED}")
    assert measured.handler().code == 0


def test_resealed_in_time(measured):
    """Before an update to no PCRs, and after it to the new values."""
    world = measured
    assert world.handler().code == 0
    pin = world.tpm.nv(NV_INDEX)
    world.write_config(pcr=[])
    outcome = world.request("reseal")
    assert outcome.code == 0 and len(outcome.events("INTEGRITY_RESEALED")) == 1, outcome
    assert json.loads(world.record)["key-handle"] == hex(KEY_HANDLE + 1)
    world.tpm.tool("pcrextend", f"16:sha256={MEASURED}")
    world.remount()
    assert world.handler().code == 0 and world.unlocked == {SECRETS, MORE}
    world.write_config(pcr=[16])
    assert world.request("reseal").code == 0
    world.remount()
    assert world.handler().code == 0 and world.read(SECRETS + "/file").decode() == TEXT
    assert world.tpm.nv(NV_INDEX) == pin and world.tpm.leftovers == {}
    assert sorted(world.tpm.handles("persistent")) == [0x81000001, KEY_HANDLE]
    world.remount()
    world.tpm.tool("pcrextend", f"16:sha256={MEASURED}")
    check_event(world, "PCR mismatch", "unseal")


def test_reseal_under_changed_pcrs(measured):
    """Too late: the old values are what opens it."""
    assert measured.handler().code == 0
    measured.tpm.tool("pcrextend", f"16:sha256={MEASURED}")
    before = measured.state
    outcome = measured.request("reseal")
    assert outcome.code == 1 and "PCR 16" in outcome.stderr and not outcome.emergencies, outcome
    assert measured.state == before


def test_previous_record_after_a_reseal(world):
    """Its key is evicted: what a thief kept of it opens nothing."""
    old = world.record
    assert world.handler().code == 0
    assert world.request("reseal").code == 0
    world.remount()
    world.write(RECORD, old)
    check_event(world, "wrapping key replaced", "unseal")
