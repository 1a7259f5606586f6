# SPDX-License-Identifier: GPL-3.0-or-later
"""The FEK is where it has to be, in the TPM and in locked memory, and nowhere else.

The tests know it: they decrypt the record themselves.
"""

import base64
import os
import re
import struct
import subprocess

import pytest

from integrity_world import HANDLER, RECORD
from steward import BUILD, SLOW, wait_for
from test_integrity_causes import left_to_the_tool
from wrapped_fek import fek_of

RSA_DECRYPT, GET_RANDOM, NV_WRITE, START_AUTH_SESSION = 0x159, 0x17b, 0x137, 0x176


BUILT = os.path.realpath(BUILD)

# What is built may lie below /tmp: then it is seen there still.
OWN_TMP = r"""
set -e
mkdir /mnt/tmp
mount -t tmpfs tmpfs /mnt/tmp
case "$1" in /tmp/*) mkdir -p "/mnt$1" && mount --bind "$1" "/mnt$1" ;; esac
mount --move /mnt/tmp /tmp
"""


@pytest.fixture
def world(worlds):
    """Not enabled yet."""
    made = worlds()
    # Of its own, as /run is, so that all that is found there is the handler's.
    made.run("sh", "-c", OWN_TMP, "sh", BUILT)
    return made


def enable(world, **options):
    outcome = world.handler(**options)
    assert outcome.code == 0 and outcome.events("INTEGRITY_ENABLED"), outcome


def reboot(world):
    world.remount()
    world.tpm.restart()


def traces(fek):
    """What would give it away: it, half of it, or it as text."""
    return [fek[:16], fek[16:], fek.hex().encode(), fek.hex().upper().encode(),
            base64.b64encode(fek), base64.urlsafe_b64encode(fek).rstrip(b"=")]


def is_in(fek, text):
    return any(trace in text for trace in traces(fek))


def assert_without(fek, path):
    """Says where, not what."""
    found = is_in(fek, read(path))
    assert not found, f"the FEK is in {path}"


def read(path):
    with open(path, "rb") as file:
        return file.read()


def packets(pcap):
    """Of a pcapng file: the contents of its enhanced packet blocks."""
    text = read(pcap)
    at = 0
    while at < len(text):
        kind, size = struct.unpack_from("=II", text, at)
        if kind == 6:
            captured = struct.unpack_from("=I", text, at + 20)[0]
            yield text[at + 28:at + 28 + captured]
        at += size


def commands(pcap):
    """The codes of the TPM commands in it: a header whose size ends with the packet."""
    for packet in packets(pcap):
        for match in re.finditer(rb"\x80[\x01\x02](....)(\x00\x00\x01..)", packet, re.DOTALL):
            if int.from_bytes(match[1], "big") == len(packet) - match.start():
                yield int.from_bytes(match[2][:4], "big")


# A sanitizer's shadow memory would be in a core, too.
of_a_release = pytest.mark.release_only


@pytest.fixture
def recorded(world, monkeypatch):
    """recorded(name, work): the file that has the TPM's bus meanwhile."""
    tcti = "pcap:" + world.tpm.tcti

    def record(name, work):
        path = os.path.join(world.directory, name + ".pcap")
        monkeypatch.setenv("TCTI_PCAP_FILE", path)
        world.write_config(tcti=tcti)
        work()
        return path

    return record


def test_bus(world, recorded):
    enabled = recorded("enable", lambda: enable(world))
    fek = fek_of(world)
    reboot(world)
    unlocked = recorded("unlock", world.handler)
    assert world.unlocked == set(world.integrity["directory"])
    before = world.record
    resealed = recorded("reseal", lambda: world.request("reseal"))
    assert world.record != before and fek_of(world) == fek

    assert {START_AUTH_SESSION, GET_RANDOM, RSA_DECRYPT, NV_WRITE} <= {*commands(enabled)}
    assert {START_AUTH_SESSION, RSA_DECRYPT} <= {*commands(unlocked)}
    assert {START_AUTH_SESSION, RSA_DECRYPT} <= {*commands(resealed)}
    for pcap in (enabled, unlocked, resealed):
        assert_without(fek, pcap)


def test_bus_of_one_who_speaks_in_the_clear(world, recorded, monkeypatch):
    """The same search finds the FEK where it is not encrypted."""
    enable(world)
    monkeypatch.setattr(type(world.tpm), "tcti", "pcap:" + world.tpm.tcti)
    keys = []
    pcap = recorded("clear", lambda: keys.append(fek_of(world)))
    assert RSA_DECRYPT in commands(pcap)
    assert is_in(keys[0], read(pcap))


WRAPPER = """#!/bin/sh
if [ "$1" = {verb} ]; then
	echo $$ >{directory}/started.new
	mv {directory}/started.new {directory}/started
	read -r line <{directory}/go
fi
exec /usr/bin/fscrypt "$@"
"""


class Waiting:
    """The handler, while a wrapper of fscrypt, first in PATH, waits to become the real one."""

    def __init__(self, world, verb):
        self.world = world
        self.directory = os.path.join(world.directory, "bin")
        os.mkdir(self.directory)
        os.mkfifo(os.path.join(self.directory, "go"))
        fscrypt = os.path.join(self.directory, "fscrypt")
        with open(fscrypt, "w") as file:
            file.write(WRAPPER.format(verb=verb, directory=self.directory))
        os.chmod(fscrypt, 0o755)
        self.log = os.path.join(self.directory, "log")
        with open(self.log, "wb") as log:
            self.handler = subprocess.Popen(
                world.inside(HANDLER, "--config", world.config_path, "--once", "--foreground"),
                stderr=log,
                env={**os.environ, "PATH": f"{self.directory}:{os.environ['PATH']}"})
        self.pid, self.fscrypt = self.handler.pid, self.wait()

    def wait(self):
        started = os.path.join(self.directory, "started")
        wait_for(lambda: os.path.exists(started), 30, "fscrypt")
        pid = int(read(started))
        os.unlink(started)
        return pid

    def release(self):
        with open(os.path.join(self.directory, "go"), "w") as file:
            file.write("\n")

    def end(self):
        """Let it finish: the FEK."""
        self.release()
        for _ in self.world.integrity["directory"][1:]:
            self.wait()
            self.release()
        assert self.handler.wait(60) == 0, read(self.log)
        assert self.world.unlocked == set(self.world.integrity["directory"])
        fek = fek_of(self.world)
        assert_without(fek, self.log)
        return fek

    def core(self, *settings):
        """Of the handler, as gdb takes it."""
        path = os.path.join(self.directory, f"core{len(os.listdir(self.directory))}")
        words = [w for setting in settings for w in ("-ex", f"set {setting}")]
        subprocess.run(["gdb", "--batch", "-nx", "-p", str(self.pid), *words, "-ex",
                        f"generate-core-file {path}"], check=True, capture_output=True,
                       timeout=60 * SLOW)
        return path


@pytest.fixture(params=["encrypt", "unlock"])
def waiting(world, request):
    """At the first boot, and at a later one."""
    if request.param == "unlock":
        enable(world)
        reboot(world)
        left_to_the_tool(world)
    made = Waiting(world, request.param)
    yield made
    if made.handler.poll() is None:
        made.handler.kill()
        made.handler.wait()


def mappings(pid):
    """(first, after, flags) of each."""
    with open(f"/proc/{pid}/smaps") as file:
        for line in file:
            words = line.split()
            if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
                first, after = (int(x, 16) for x in words[0].split("-"))
            elif words[0] == "VmFlags:":
                yield first, after, set(words[1:])


def segments(core):
    """(address, contents) of each PT_LOAD of a 64-bit core file."""
    text = read(core)
    offset, = struct.unpack_from("=Q", text, 32)
    size, number = struct.unpack_from("=HH", text, 54)
    for i in range(number):
        kind, _, at, address, _, length = struct.unpack_from("=IIQQQQ", text, offset + i * size)
        if kind == 1:
            yield address, text[at:at + length]


def addresses(fek, core):
    for address, contents in segments(core):
        for trace in traces(fek):
            yield from (address + m.start() for m in re.finditer(re.escape(trace), contents))


@of_a_release
def test_core(waiting):
    plain = os.path.join(waiting.directory, "gcore")
    subprocess.run(["gcore", "-o", plain, str(waiting.pid)], check=True, capture_output=True,
                   timeout=60 * SLOW)
    whole = waiting.core("use-coredump-filter off")
    fek = waiting.end()
    assert_without(fek, f"{plain}.{waiting.pid}")
    assert_without(fek, whole)


@of_a_release
def test_memory_of_the_handler(waiting):
    """With what no core may have: the FEK is in locked pages, and only there."""
    core = waiting.core("use-coredump-filter off", "dump-excluded-mappings on")
    kept = [(first, after) for first, after, flags in mappings(waiting.pid)
            if {"dd", "lo"} <= flags]
    found = list(addresses(waiting.end(), core))
    assert found, "the search does not find what is there"
    for address in found:
        assert any(first <= address < after for first, after in kept), f"{address:#x}"


@of_a_release
def test_no_core_at_a_crash(waiting):
    """Whatever limit the handler was started with."""
    with open(f"/proc/{waiting.pid}/limits") as file:
        limit = next(line for line in file if line.startswith("Max core file size"))
    assert limit.split()[4:6] == ["0", "0"]
    assert int(read(f"/proc/{waiting.pid}/coredump_filter"), 16) == 0


@of_a_release
def test_processes_and_files(world, waiting):
    public = {}
    for pid in (waiting.pid, waiting.fscrypt):
        for name in ("cmdline", "environ"):
            public[f"{name} of {pid}"] = read(f"/proc/{pid}/{name}")
    for top in ("/tmp", "/run", os.path.dirname(RECORD)):
        for directory, below, files in os.walk(world.path(top)):
            below[:] = [d for d in below if os.path.join(directory, d) != world.path(BUILT)]
            for path in (os.path.join(directory, name) for name in files):
                if os.path.isfile(path):
                    public[path] = read(path)
    fek = waiting.end()
    assert all(public[f"cmdline of {pid}"] for pid in (waiting.pid, waiting.fscrypt))
    assert any("/journal/" in path for path in public)
    assert not [path for path, text in public.items() if is_in(fek, text)]
    assert_without(fek, world.path(RECORD))
