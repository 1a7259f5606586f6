# SPDX-License-Identifier: GPL-3.0-or-later
"""Boots that cannot or may not take part, the unit and the daemon, and what is asked by hand."""

import json
import os

import pytest

import test_integrity_causes as causes
from integrity_world import DISK, HANDLER, KEY_HANDLE, MORE, NV_INDEX, RECORD, SECRETS, TEXT
from steward import wait_for
from test_integrity_causes import check_message
from test_service import Manager


def no_tpm(world):
    world.tpm.stop()


def no_tpm_and_empty_directories(world):
    world.run("mkdir", SECRETS, MORE)
    world.tpm.stop()


def other_filesystem(world):
    world.run("mkdir", "/mnt/plain")
    world.write_config(directory=["/mnt/plain/secrets"])


def non_empty_directory(world):
    world.run("mkdir", MORE)
    world.write(MORE + "/file", TEXT)


def symlink(world):
    os.symlink("lost+found", world.path(SECRETS))


def file_in_the_way(world):
    world.write(SECRETS, TEXT)


def zero_pcrs(world):
    world.write_config(pcr=[16, 23])


def bank_that_is_not_there(world):
    world.write_config(pcr=[16], **{"pcr-bank": "sha512"})
    world.tpm.tool("pcrallocate", "sha512:none+sha256:all")
    world.tpm.restart()


def owner_authorization(world):
    world.tpm.tool("changeauth", "-c", "o", "secret")


def lockout(world):
    world.tpm.tool("dictionarylockout", "-s", "-n", "1", "-t", "1000", "-l", "1000")
    world.tpm.tool("nvdefine", "-C", "o", "-s", "8", "-p", "secret", "-a",
                   "authread|authwrite", "0x01500000")
    # The first use of an unorderly DA object takes a try of its own.
    for _ in range(3):
        world.tpm.attempt("nvread", "-P", "wrong", "-s", "8", "0x01500000")


def foreign_key(world, handle=KEY_HANDLE):
    world.tpm.tool("createprimary", "-C", "o", "-G", "ecc", "-c", "foreign.ctx")
    world.tpm.tool("evictcontrol", "-C", "o", "-c", "foreign.ctx", hex(handle))
    world.tpm.flush()


def foreign_key_beside(world):
    foreign_key(world, KEY_HANDLE + 1)


def foreign_key_of_the_template(world):
    """But of another policy: it is somebody's."""
    world.tpm.tool("createprimary", "-C", "o", "-c", "parent.ctx")
    words = [w if w != "0x81000001" else "parent.ctx" for w in causes.WRAPPING_KEY]
    world.tpm.tool("create", *words)
    world.tpm.flush()
    world.tpm.tool("load", "-C", "parent.ctx", "-u", "key.pub", "-r", "key.priv", "-c", "key.ctx")
    world.tpm.flush()
    world.tpm.tool("evictcontrol", "-C", "o", "-c", "key.ctx", hex(KEY_HANDLE))
    world.tpm.flush()


def foreign_srk(world):
    foreign_key(world, 0x81000001)


def foreign_index(world):
    world.tpm.tool("nvdefine", "-C", "o", "-s", "32", "-a", "ownerread|ownerwrite", hex(NV_INDEX))


def foreign_counter(world):
    world.tpm.tool("nvdefine", "-C", "o", "-a", "ownerread|ownerwrite|nt=counter", hex(NV_INDEX))


REASONS = {
    # what cannot be, and what is said about it
    no_tpm: "no TPM",
    no_tpm_and_empty_directories: "no TPM",
    other_filesystem: "neither ext4 nor f2fs",
    non_empty_directory: f"{MORE} has files in it",
    symlink: SECRETS,
    file_in_the_way: SECRETS,
    zero_pcrs: "PCRs are all zero",
    bank_that_is_not_there: "PCR",
    owner_authorization: "owner authorization",
    lockout: "locked out",
    foreign_key: hex(KEY_HANDLE),
    foreign_key_beside: hex(KEY_HANDLE + 1),
    foreign_key_of_the_template: hex(KEY_HANDLE),
    foreign_srk: "0x81000001",
    foreign_index: "0x01800128",
    foreign_counter: "0x01800128",
}


@pytest.fixture
def fresh(worlds):
    world = worlds()
    world.run("mkdir", os.path.dirname(RECORD))
    return world


def check_unsupported(world, reason, **options):
    before = world.state
    outcome = world.handler(**options)
    said = outcome.events("INTEGRITY_UNSUPPORTED")
    assert outcome.code == 0 and len(said) == 1 and not outcome.emergencies, outcome
    assert said[0]["PRIORITY"] == "5" and reason in said[0]["STEWARD_REASON"], outcome
    assert outcome.console == "" and world.state == before, outcome


def check_required(world, reason, **options):
    world.write_config(required=True)
    before = world.state
    outcome = world.handler(**options)
    check_message(outcome, "required, but not possible", "enable")
    assert reason in outcome.reason and world.state == before


@pytest.mark.parametrize("cannot", REASONS, ids=lambda f: f.__name__)
def test_cannot_take_part(fresh, cannot):
    """Boot goes on and nothing is changed, not even what is foreign; unless it is required."""
    cannot(fresh)
    check_unsupported(fresh, REASONS[cannot])
    check_required(fresh, REASONS[cannot])


def test_filesystem_without_the_feature(worlds):
    world = worlds(features="^encrypt")
    world.run("mkdir", os.path.dirname(RECORD))
    check_unsupported(world, 'its feature "encrypt" is off')
    check_required(world, 'its feature "encrypt" is off')


def test_fscrypt_is_not_installed(fresh):
    check_unsupported(fresh, "fscrypt", environment={"PATH": "/mnt"})


def test_files_are_moved_by_the_operator(fresh):
    """Aside, then it is encrypted, then back."""
    non_empty_directory(fresh)
    check_unsupported(fresh, "move them away, and back once it is encrypted")
    fresh.run("mv", MORE + "/file", DISK + "/file")
    assert fresh.handler().code == 0 and fresh.unlocked == {SECRETS, MORE}
    fresh.run("mv", DISK + "/file", MORE)
    fresh.remount()
    assert fresh.handler().code == 0 and fresh.read(MORE + "/file").decode() == TEXT


def test_enable_by_request_that_cannot(fresh):
    non_empty_directory(fresh)
    before = fresh.state
    outcome = fresh.request("enable")
    assert outcome.code == 1 and MORE in outcome.stderr and not outcome.emergencies, outcome
    assert fresh.state == before


def test_off(fresh):
    before = fresh.state
    for config in ({"enabled": False}, {"enabled": True, "directory": []}):
        fresh.write_config(**config)
        outcome = fresh.handler()
        assert outcome.code == 0 and outcome.console == "", outcome
        assert not outcome.events("INTEGRITY_UNSUPPORTED") and not outcome.emergencies
    assert fresh.state["tpm"] == before["tpm"] and fresh.state["tree"] == before["tree"]
    fresh.tpm.stop()
    assert fresh.handler().code == 0, "nobody needs a TPM then"


@pytest.mark.parametrize("config", [{"enabled": False}, {"directory": []}], ids=str)
@pytest.mark.parametrize("left", ["record and pin", "record", "pin"])
def test_switched_off_by_somebody(world, config, left):
    """The configuration is in the clear: that it says nothing is to be unlocked proves nothing."""
    if left == "record":
        causes.undefined_pin(world)
    if left == "pin":
        causes.record_removed(world)
    world.write_config(**config)
    before = world.state
    check_message(world.handler(), "configuration", "start")
    assert world.state == before


def test_configuration_refused(world):
    """By hand that is no integrity event."""
    world.write_config(pcr=[24])
    outcome = world.handler()
    assert outcome.code == 78 and not outcome.emergencies and "0..23" in outcome.stderr
    assert not world.unlocked


# In its unit.


@pytest.fixture
def manager(tmp_path):
    made = Manager(tmp_path / "notify")
    yield made
    made.socket.close()


def start_unit(world, manager):
    """With a systemctl that writes down what it is asked."""
    world.write("/mnt/systemctl", '#!/bin/sh\necho "$*" >>/mnt/asked\n')
    os.chmod(world.path("/mnt/systemctl"), 0o755)
    return world.start("env", f"NOTIFY_SOCKET={manager.path}", f"PATH=/mnt:{os.environ['PATH']}",
                       HANDLER, "--config", world.config_path)


def test_unit_of_a_good_boot(world, manager):
    process = start_unit(world, manager)
    assert process.wait(30) == 0
    manager.wait("READY=1")
    assert manager.wait("STATUS=2 directories are unlocked")
    assert not world.exists("/mnt/asked") and world.unlocked == {SECRETS, MORE}


@pytest.mark.slow
def test_unit_tries_for_ever(world, manager):
    """The message each ten seconds, a getty on each console after each, no READY; and once the
    cause is mended it goes on without a restart."""
    os.rename(world.path(RECORD), world.path(RECORD + ".aside"))
    process = start_unit(world, manager)
    messages = []
    while len(messages) < 2:
        wait_for(lambda: os.path.getsize(world.directory + "/console") > 300, 30)
        messages.append(world.take("console"))
    assert messages[0] == messages[1]
    assert "SYSTEM INTEGRITY COMPROMISED" in messages[0] and "record removed" in messages[0]
    manager.wait("STATUS=integrity event.*record removed.*")
    assert "READY=1" not in manager.said and process.poll() is None
    os.rename(world.path(RECORD + ".aside"), world.path(RECORD))
    manager.socket.setblocking(False)
    wait_for(lambda: "READY=1" in manager.listen(), 30, "READY")
    assert process.wait(30) == 0 and world.unlocked == {SECRETS, MORE}
    entries = world.entries()
    emergencies = [e for e in entries if e["PRIORITY"] == "0"]
    assert len(emergencies) == 2
    between = int(emergencies[1]["__MONOTONIC_TIMESTAMP"]) - int(
        emergencies[0]["__MONOTONIC_TIMESTAMP"])
    assert between > 9_000_000
    if os.path.exists("/sys/class/tty/tty0/active"):
        asked = world.read("/mnt/asked").decode().splitlines()
        assert [a.split()[-1] for a in asked] == ["getty@tty3.service",
                                                  "serial-getty@ttyS0.service"] * 2


@pytest.mark.parametrize("what", ["refused", "misspelt", "missing"])
def test_unit_with_a_configuration_that_is_refused(world, manager, what):
    """It blocks as well, since by its word anything would be "not enabled"; but it ends, so that who
    starts the unit is told, and what requires it does not start."""
    if what == "refused":
        world.write_config(pcr=[24])
    elif what == "misspelt":
        with open(world.config_path, "a") as file:
            file.write("}")
    else:
        os.unlink(world.config_path)
    process = start_unit(world, manager)
    assert process.wait(30) == 78
    said = " ".join(world.take("console").split())
    assert "configuration: " in said and "Correct it" in said and "clean install" not in said
    assert "READY=1" not in manager.listen() and not world.unlocked


@pytest.mark.parametrize("disk", ["there", "late"])
def test_unit_with_a_late_tpm(world, manager, disk):
    """Waited for with a line on the console, and no emergency."""
    os.rename(world.tpm.socket, world.tpm.socket + ".late")
    if disk == "late":
        world.write("/etc/fstab", f"UUID=0f {DISK} ext4 nofail 0 2\n")
        world.unmount()
    said = "no TPM" if disk == "there" else f"not mounted: {DISK}/integrity"
    process = start_unit(world, manager)
    manager.wait(f"STATUS=waiting, trying again.*{said}.*")
    wait_for(lambda: f"Steward waits for the encrypted directories: {said}" in " ".join(
        world.take("console").split()), 30)
    if disk == "late":
        world.mount()
    os.rename(world.tpm.socket + ".late", world.tpm.socket)
    assert process.wait(30) == 0 and world.unlocked == {SECRETS, MORE}
    entries = world.entries()
    assert not [e for e in entries if e["PRIORITY"] == "0"]
    assert [e["event"] for e in entries].count("INTEGRITY_WAITING") == 1


# The daemon.


def test_daemon_opens_no_socket_on_an_event(world):
    causes.record_removed(world)
    process = world.daemon()
    assert process.wait(30) == 1 and not os.path.exists(world.socket)
    said = [e for e in world.entries() if e["PRIORITY"] == "0"]
    assert len(said) == 1 and said[0]["STEWARD_REASON"].startswith("record removed")
    assert said[0]["SYSLOG_IDENTIFIER"] == "stewardd"
    assert "SYSTEM INTEGRITY COMPROMISED" in world.take("console")


def test_daemon_alone_unlocks(world):
    process = world.daemon()
    assert process.poll() is None, world.daemon_log
    assert world.unlocked == {SECRETS, MORE}
    record = json.loads(world.record)
    assert world.get("/v1/integrity").json == {
        "state": "unlocked", "reason": None,
        "directories": [{"path": path, "state": "unlocked",
                         "key-identifier": world.identifier(path)} for path in (SECRETS, MORE)],
        "key-handle": hex(KEY_HANDLE), "key-name": record["key-name"],
        "ek-name": record["ek-name"], "nv-index": "0x01800128", "pcr-bank": "sha256", "pcr": [],
        "record": RECORD}
    assert world.get("/v1/status").json["configuration-integrity"] == "unlocked"
    world.run("fscrypt", "lock", MORE)
    answer = world.get("/v1/integrity").json
    assert answer["state"] == "locked"
    assert [d["state"] for d in answer["directories"]] == ["unlocked", "locked"]


def test_daemon_reads_what_was_unlocked(world):
    assert world.handler().code == 0
    world.write(SECRETS + "/router.json", json.dumps({"steward:router": {"high-availability": {
        "peer-node": "node1", "peer-url": "http://192.0.2.1:8930"}}}))
    world.remount()
    assert world.daemon().poll() is None, world.daemon_log
    merged = json.dumps(world.get("/v1/configuration").json)
    assert "http://192.0.2.1:8930" in merged


def test_daemon_of_a_system_that_cannot(fresh):
    non_empty_directory(fresh)
    assert fresh.daemon().poll() is None, fresh.daemon_log
    answer = fresh.get("/v1/integrity").json
    assert answer["state"] == "unsupported" and MORE in answer["reason"]
    assert answer["record"] is None and answer["key-name"] is None
    shown = fresh.ctl("show", "configuration-integrity", config=False)
    assert "unsupported" in shown.stdout and MORE in shown.stdout


# By hand.


def test_show(world):
    shown = world.ctl("show", "configuration-integrity")
    assert shown.code == 0 and "locked" in shown.stdout
    for path in (SECRETS, MORE):
        assert f"{world.identifier(path)}   {path}" in shown.stdout
    assert world.daemon().poll() is None
    asked = world.ctl("--json", "show", "configuration-integrity", config=False)
    unasked = world.ctl("--json", "show", "configuration-integrity")
    by_handler = world.request("show")
    assert json.loads(asked.stdout) == json.loads(unasked.stdout) == \
        json.loads(by_handler.stdout) == world.get("/v1/integrity").json


def test_show_during_an_event(world):
    """There is no daemon then."""
    causes.second_directory_plain(world)
    assert world.handler().code == 1
    shown = json.loads(world.ctl("--json", "show", "configuration-integrity").stdout)
    assert shown["state"] == "locked"
    assert [d["state"] for d in shown["directories"]] == ["locked", "plain"]


def check_gone(world, *kept):
    assert not any(map(world.exists, (SECRETS, MORE, RECORD, RECORD + ".new")))
    assert world.tpm.handles("persistent") == [0x81000001, *kept]
    assert world.tpm.handles("nv") == [] and world.tpm.leftovers == {}
    for folder in ("policies", "protectors"):
        assert os.listdir(world.path(f"{DISK}/.fscrypt/{folder}")) == []


@pytest.mark.parametrize("unlocked", [True, False], ids=["unlocked", "locked"])
def test_zeroize(world, unlocked):
    if unlocked:
        assert world.handler().code == 0
    outcome = world.ctl("request", "configuration-integrity", "zeroize", typed="router1\n")
    assert outcome.code == 0 and len(outcome.events("INTEGRITY_ZEROIZED")) == 1, outcome
    assert SECRETS in outcome.stdout and MORE in outcome.stdout
    check_gone(world)
    # The next boot is a first one.
    outcome = world.handler()
    assert outcome.code == 0 and outcome.events("INTEGRITY_ENABLED"), outcome
    assert os.listdir(world.path(SECRETS)) == []


@pytest.mark.parametrize("typed", ["", "\n", "router2\n", "router1 \n", "Router1\n", "y\n",
                                   "router1" + "x" * 200 + "\n"])
def test_zeroize_by_another_name(world, typed):
    assert world.handler().code == 0
    before = world.state
    outcome = world.request("zeroize", typed=typed)
    assert outcome.code == 1 and "expected 'router1'" in outcome.stderr, outcome
    assert not outcome.events("INTEGRITY_ZEROIZED") and world.state == before


def test_zeroize_without_any_name(world):
    """Nothing typed is not the name of a router that has none."""
    with open(world.config_path) as file:
        config = json.load(file)
    del config["steward:router"]["name"]
    with open(world.config_path, "w") as file:
        json.dump(config, file)
    nameless = ["unshare", "--uts", "/usr/bin/python3", "-c",
                "import os, socket, sys; socket.sethostname(''); "
                "os.execv(sys.argv[1], sys.argv[1:])"]
    before = world.state
    outcome = world.request("zeroize", typed="\n", prefix=nameless)
    assert outcome.code == 1 and "has no name" in outcome.stderr, outcome
    assert world.state == before


def test_zeroize_what_is_damaged(world):
    """What cannot be unlocked any more: record and metadata gone."""
    causes.record_removed(world)
    causes.metadata_missing(world)
    assert world.request("zeroize", typed="router1\n").code == 0
    assert not world.exists(SECRETS) and not world.exists(MORE)
    assert world.tpm.handles("nv") == [] and world.tpm.handles("persistent") == [0x81000001]


def test_zeroize_twice(world):
    for _ in range(2):
        assert world.request("zeroize", typed="router1\n").code == 0
        check_gone(world)


def test_zeroize_leaves_what_is_foreign(world):
    foreign_key_beside(world)
    assert world.request("zeroize", typed="router1\n").code == 0
    check_gone(world, KEY_HANDLE + 1)


def test_zeroize_with_an_open_file(world):
    """Nobody reads on in it: it is refused by name, and done once the file is closed."""
    assert world.handler().code == 0
    with open(world.path(SECRETS + "/file")):
        outcome = world.request("zeroize", typed="router1\n")
        assert outcome.code == 1 and SECRETS in outcome.stderr, outcome
    assert world.request("zeroize", typed="router1\n").code == 0
    check_gone(world)


def test_reseal_by_the_command_line(world):
    outcome = world.ctl("request", "configuration-integrity", "reseal")
    assert outcome.code == 0 and outcome.events("INTEGRITY_RESEALED"), outcome
    assert not world.unlocked, "it opens nothing"
    for handle in (KEY_HANDLE, KEY_HANDLE + 1):
        assert world.request("reseal").code == 0
        assert world.tpm.handles("persistent") == [0x81000001, handle]
        assert world.handler().code == 0 and world.unlocked == {SECRETS, MORE}
        world.remount()


def test_reseal_in_a_lockout(world):
    """Nothing of ours is protected by it."""
    lockout(world)
    outcome = world.request("reseal")
    assert outcome.code == 0, outcome
    said = outcome.events("INTEGRITY_RESEALED")[0]["MESSAGE"]
    assert RECORD in said and "opens nothing any more" in said
    assert world.handler().code == 0 and world.unlocked == {SECRETS, MORE}


def test_reseal_of_nothing(fresh):
    before = fresh.state
    outcome = fresh.request("reseal")
    assert outcome.code == 1 and "nothing is encrypted" in outcome.stderr, outcome
    assert fresh.state == before


def test_unknown_request(world):
    assert world.request("nonsense").code == 64
    assert world.handler("--nonsense").code == 64
