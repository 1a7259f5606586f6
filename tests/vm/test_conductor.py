# SPDX-License-Identifier: GPL-3.0-or-later
"""A conductor from its first start to a router's tunnel, in the sandboxes that its units give it."""

import contextlib
import json

import pytest

import onboarding
from machine import Tpm, wait_for

# What a sandbox that is too small looks like.
DENIALS = r"Operation not permitted\|Read-only file system\|Permission denied\|SECCOMP\|seccomp\|" \
    "could not be kept\\|status=31/SYS"


@pytest.fixture(scope="module")
def tpm(tmp_path_factory):
    return Tpm(tmp_path_factory.mktemp("endorsed"))


@pytest.fixture(scope="module")
def booted(machine, tpm, tmp_path_factory):
    """Its secrets are enabled, and the conductor has its key in them."""
    machine.endorsement_key = onboarding.endorse(tpm)
    with machine.mounted() as root:
        onboarding.install(root, tmp_path_factory.mktemp("certificates"))
    machine.power_on(tpm)
    machine.wait_up()
    machine.console.login()
    console = machine.console
    assert "Unlocked: Yes" in console.run(f"fscrypt status {onboarding.SECRETS}")
    console.run(f"install -m 600 /root/conductor.key {onboarding.SECRETS}; rm /root/conductor.key;"
                " systemctl unmask stewardd.service conductord.service")
    return machine


def is_clean(machine):
    """Nothing has failed, been killed or restarted by itself, and no sandbox has refused."""
    console = machine.console
    assert console.run("systemctl --failed --no-legend") == ""
    units = " ".join("-u " + unit for unit in onboarding.UNITS)
    assert console.run(f"journalctl -b --no-hostname -o short {units} | grep -e '{DENIALS}'") == ""
    for unit in ("stewardd.service", "conductord.service", "steward-tunnels.service"):
        assert console.run(f"systemctl show --value -p NRestarts {unit}") == "0\n", unit


def active(machine, *units):
    return machine.console.run("systemctl is-active " + " ".join(units)).split()


def exit_status(machine, command):
    said = machine.console.run(f"{command}; echo status $?")
    status = int(said.split()[-1])
    if status:
        print(said)
    return status


def ctl(machine, line, socket=None):
    chosen = f"--socket {socket} " if socket else ""
    return machine.console.run(f"stewardctl {chosen}{line}")


def router(machine):
    said = ctl(machine, "--json show secure-conductor-onboarding", onboarding.ROUTER_SOCKET)
    try:
        return json.loads(said)
    except ValueError:
        return {"state": said, "conductors": []}


def is_connected(machine):
    state = router(machine)
    return state["state"] == "onboarded" and \
        [c["tunnel"] for c in state["conductors"]] == ["connected"]


def story(machine):
    return machine.console.run("journalctl -b -o cat -u stewardd -u conductord -u steward-tunnels"
                               " | tail -60")


@contextlib.contextmanager
def telling(machine):
    """What fails says what the daemons had to say."""
    try:
        yield
    except AssertionError as error:
        raise AssertionError(f"{error}: {router(machine)}\n{story(machine)}") from None


def wait_connected(machine):
    with telling(machine):
        wait_for(lambda: is_connected(machine), 120, "the tunnel")


def test_first_start(booted):
    console = booted.console
    console.run("systemctl start steward-tunnels.socket conductord")
    assert active(booted, *onboarding.CONDUCTOR_UNITS) == ["active"] * 3, story(booted)
    wait_for(lambda: "routers can build their tunnels" in story(booted), 60, "the tunnels")
    # Port 930 is the conductor's, which has hardly any power; sshd's host is another user's.
    assert "conductord" in console.run("ss -Hltnp sport = :930")
    helper = console.run("systemctl show --value -p MainPID steward-tunnels").strip()
    assert console.run(f"ps -o user:32= -p {helper}").split() == ["steward-tunnel"]
    for pid, capabilities in ((helper, "0000000000000000"),
                              (console.run("systemctl show --value -p MainPID conductord").strip(),
                               "0000000000000404")):  # CAP_DAC_READ_SEARCH, CAP_NET_BIND_SERVICE
        status = console.run(f"cat /proc/{pid}/status")
        assert f"CapEff:\t{capabilities}\n" in status and "Seccomp:\t2\n" in status, status
    assert console.run(f"nsenter -n -t {helper} ip -br link").split()[0] == "lo"
    assert console.run(f"nsenter -n -t {helper} ip -br link | wc -l") == "1\n"
    assert console.run("stat -c '%U %a' /var/lib/steward-conductor/registry.d/registry"
                       " /var/lib/steward-tunnel /run/steward-tunnels.sock").splitlines() == [
        "root 600", "steward-tunnel 755", "root 600"]
    is_clean(booted)


def test_router_onboards(booted):
    """By its TPM, from a file on its disk; it initializes, reboots by itself, and is there."""
    console = booted.console
    onboarding.let_in(booted)
    console.run("systemctl start stewardd")
    with telling(booted):
        console.wait("reboot: Restarting system", 120)
    booted.wait_up()
    console.login()
    wait_connected(booted)
    assert active(booted, *onboarding.UNITS) == ["active"] * len(onboarding.UNITS)
    assert console.run("ls /etc/steward/onboarding-config.json 2>/dev/null") == ""
    assert sorted(console.run(f"ls {onboarding.SECRETS}").split()) == [
        "conductor-key", "conductor-key.pub", "conductor.key", "contents.mac", "onboarding.json",
        "router.json", "sealing-keys"]
    assert console.run("ps -o user:32=,comm= --ppid $(systemctl show --value -p MainPID"
                       " steward-tunnels) | sort -u").split() == ["steward-tunnel", "sshd"]
    enrolments = ctl(booted, "show secure-conductor-onboarding enrolments")
    assert "router1" in enrolments and "endorsement-key" in enrolments, enrolments
    is_clean(booted)


def test_conductor_reaches_the_router(booted):
    """Through the tunnel, to its conductor.sock: what it configures is on the router's disk."""
    ctl(booted, "configure authority router router1 system software-update max-bandwidth 1234567")
    path = onboarding.SECRETS + "/router.json"
    wait_for(lambda: "1234567" in booted.console.run(f"cat {path}"), 60, "the configuration")
    said = ctl(booted, "show system software download router router1")
    assert "node0" in said or "no download" in said.lower(), said


def test_reload_restart_stop(booted):
    console = booted.console
    assert exit_status(booted, "systemctl reload conductord") == 0
    assert exit_status(booted, "systemctl reload stewardd") == 0
    assert is_connected(booted)
    # It cannot change its configuration, and reads what an editor has put in the file's place.
    path = "/etc/steward/steward.json"
    inside = "nsenter -m -t $(systemctl show --value -p MainPID stewardd)"
    for each in (path, "/etc/steward/trusted-keys/mine"):
        assert "Read-only" in console.run(f"{inside} touch {each}"), each
    console.run(f"cp -p {path} /root; echo '{{' >{path}.new; mv {path}.new {path}")
    assert exit_status(booted, "systemctl reload stewardd") == 1
    console.run(f"mv /root/steward.json {path}")
    assert exit_status(booted, "systemctl reload stewardd") == 0
    for unit in ("conductord", "stewardd", "steward-tunnels"):
        assert exit_status(booted, f"systemctl restart {unit}") == 0
        wait_connected(booted)
    is_clean(booted)
    for unit in ("stewardd", "conductord", "steward-tunnels"):
        assert exit_status(booted, f"systemctl stop {unit}") == 0
        assert console.run(f"systemctl show --value -p Result {unit}") == "success\n"
    assert active(booted, *onboarding.UNITS[3:]) == ["inactive"] * 2
    assert console.run("pgrep -c -u steward-tunnel; pgrep -c conductord") == "0\n0\n"
    # Who comes first, and who takes the socket's first connection, is there again.
    console.run("systemctl start conductord stewardd")
    wait_connected(booted)
    is_clean(booted)
    booted.shut_down()
