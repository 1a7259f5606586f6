# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever is run by a daemon has the descriptors that are meant for it, and no other: a router's
session, the registry and the control socket are nothing for sshd, ssh, or a reboot command."""

import glob
import os

from steward import wait_for

SSHD = {"sshd", "sshd-session", "sshd-auth"}  # OpenSSH 10 has three programs of it


def read(path):
    """Of a process that has ended meanwhile, nothing."""
    try:
        with open(path) as file:
            return file.read()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def children(pid):
    return [int(child) for path in glob.glob(f"/proc/{pid}/task/*/children")
            for child in read(path).split()]


def descendants(pid):
    return [each for child in children(pid) for each in (child, *descendants(child))]


def name(pid):
    return read(f"/proc/{pid}/comm").strip()


def descriptors(pid):
    """number -> what it is; those that say nothing of whose they are left out."""
    found = {}
    try:
        numbers = os.listdir(f"/proc/{pid}/fd")
    except (FileNotFoundError, ProcessLookupError):
        return found
    for number in numbers:
        try:
            target = os.readlink(f"/proc/{pid}/fd/{number}")
        except OSError:
            continue
        if target != "/dev/null" and not target.startswith("anon_inode:"):
            found[int(number)] = target
    return found


def in_common(pid):
    """(who, number, what) that this process and one of those it runs both have."""
    own = set(descriptors(pid).values())
    return [(name(child), number, target) for child in children(pid)
            for number, target in descriptors(child).items() if target in own]


def test_children_have_only_what_is_meant_for_them(onboarding, conductor):
    listed = os.path.join(onboarding.directory, "listed")
    router = onboarding.router(onboarding={
        "reboot-command": ["sh", "-c", f"exec 2>/dev/null; readlink /proc/$$/fd/* >{listed}.new;"
                           f" mv {listed}.new {listed}"]})
    router.onboard(conductor.token()).wait_for_state("initializing")
    wait_for(lambda: os.path.exists(listed), 30, "the reboot")
    with open(listed) as file:
        assert set(file.read().split()) - {listed + ".new"} == {"/dev/null"}

    wait_for(lambda: router.is_connected, 30, "the tunnel")
    programs = {name(pid) for daemon in (conductor, router)
                for pid in descendants(daemon.process.pid)}
    assert "ssh" in programs and programs & SSHD and len(programs) >= 3, programs  # and the helper
    for daemon in (conductor, router):
        for pid in (daemon.process.pid, *descendants(daemon.process.pid)):
            # sshd, once it is there, hands its own child what that goes on with.
            assert name(pid) in SSHD or in_common(pid) == []
