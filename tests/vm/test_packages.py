# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages as script/package builds them, and what becomes of a machine with a conductor and a router
that is given them, gets the next ones, loses them, gets them again and is purged of them."""

import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

import onboarding
import packages
from conductor import provide_tunnel_user  # of tests/e2e
from image import run
from machine import Tpm, wait_for
from test_conductor import active, ctl, telling, wait_connected

UNITS = ["integrity-handler.service", "stewardd.service", "conductord.service",
         "steward-tunnels.socket"]
REQUIRED_BY = "8\n"  # units that network: integrity-handler's RequiredBy=
# What is run, and not linked: in which package of ours, and what brings it.
RUN = {
    "fscrypt": ("steward-common", "fscrypt"),
    "ssh": ("steward-router", "openssh-client"),
    "ssh-keygen": ("steward-router", "openssh-client"),
    "sshd": ("steward-conductor", "openssh-server"),
    "setpriv": ("steward-common", "util-linux"),  # Essential
    "sh": ("steward-common", "dash"),  # Essential
    "systemctl": ("steward-common", "systemd"),
}
ESSENTIAL = ["util-linux", "dash"]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    scratch = tmp_path_factory.mktemp("packages")
    return packages.build(packages.ROOT, scratch / "made", scratch / "work")


@pytest.fixture(scope="module")
def again(built, tmp_path_factory):
    """They are built in another folder while the machine does its part."""
    scratch = tmp_path_factory.mktemp("again")
    other = packages.tree(str(scratch / "quite" / "another"))
    with ThreadPoolExecutor(1) as beside:
        yield beside.submit(packages.build, other, scratch / "made",
                            scratch / "and-its-longer-temporary-folder")


def depends(deb):
    text = run("dpkg-deb", "-f", deb, "Depends")
    return re.findall(r"[a-z0-9][a-z0-9.+-]+(?= *[,|(]|$)", text.strip())


def test_each_installed_file_is_in_one_package(built, tmp_path):
    """What cmake --install brings without a component: nothing is forgotten, nothing is twice."""
    where = {}
    for name, path in built.items():
        for line in run("dpkg-deb", "-c", path).splitlines():
            file = os.path.basename(line.split()[5]).removesuffix(".gz")
            if not line.startswith("d") and file not in ("copyright", "changelog"):
                where.setdefault((file, os.path.basename(os.path.dirname(line.split()[5]))),
                                 []).append(name)
    assert [(file, names) for file, names in where.items() if len(names) != 1] == []
    build = os.path.join(packages.ROOT, os.environ.get("STEWARD_BUILD", "build/release"))
    run("cmake", "--install", build, env={**os.environ, "DESTDIR": str(tmp_path)})
    installed = {(file, os.path.basename(folder)) for folder, _, files in os.walk(tmp_path)
                 for file in files}
    assert len(installed) > 20 and installed == set(where)


def test_what_is_run_is_depended_on(built):
    code = subprocess.run(["grep", "-rhoE",
                           r'argv\[\] = \{"[^"]+"|by_default\[\] = \{"[^"]+"|\.ssh = "[^"]+"|'
                           r'SSHD +"[^"]+"|DIES_WITH_US "[^"]+"',
                           os.path.join(packages.ROOT, "src")], capture_output=True, text=True)
    named = {os.path.basename(line.split('"')[1]) for line in code.stdout.splitlines()}
    assert {"fscrypt", "ssh-keygen", "ssh", "sshd", "systemctl", "setpriv"} <= named <= set(RUN)
    for program, (name, needed) in RUN.items():
        assert needed in depends(built[name]) + ESSENTIAL, (program, name)
    assert "cockpit-bridge" in depends(built[packages.PAGE])
    for name in ("steward-router", "steward-conductor"):
        assert {"steward-common", "stewardctl"} <= set(depends(built[name]))


@pytest.mark.parametrize("name, said", [("smoke", "an image came"),
                                        ("onboarding", "its tunnel stands")])
def test_what_autopkgtest_runs(built, tmp_path, name, said):
    """With the programs of the packages."""
    provide_tunnel_user()
    for path in built.values():
        run("dpkg-deb", "-x", path, tmp_path)
    assert said in run(os.path.join(packages.ROOT, "debian/tests", name), env={
        **os.environ, "PATH": f"{tmp_path}/usr/sbin:{tmp_path}/usr/bin:" + os.environ["PATH"]})


@pytest.fixture(scope="module")
def booted(machine, built, again, tmp_path_factory):
    """Configured, as an operator leaves it, but without a program of ours."""
    tpm = Tpm(tmp_path_factory.mktemp("endorsed"))
    scratch = str(tmp_path_factory.mktemp("lowered"))
    machine.endorsement_key = onboarding.endorse(tpm)
    with machine.mounted() as root:
        onboarding.configure(root, tmp_path_factory.mktemp("certificates"))
        for folder in ("old", "new"):
            os.mkdir(f"{root}/root/{folder}")
        for name in packages.NAMES:
            run("cp", built[name], f"{root}/root/new")
            packages.lowered(built[name], f"{root}/root/old", scratch)
    machine.power_on(tpm)
    machine.wait_up()
    machine.console.login()
    return machine


def dpkg(machine, words):
    """What it says; a busy machine takes its time."""
    console = machine.console
    # Whoever holds the console's pipe is waited for: it does not.
    console.run(f"rm -f /root/rc; (dpkg {words} >/root/said 2>&1; echo $? >/root/rc)"
                " >/dev/null 2>&1 & true")
    wait_for(lambda: console.run("cat /root/rc 2>/dev/null").strip(), 300, f"dpkg {words}")
    said = console.run("cat /root/said")
    assert console.run("cat /root/rc") == "0\n", said
    return said


def show(machine, unit, *properties):
    names = "".join(f" -p {name}" for name in properties)
    return machine.console.run(f"systemctl show --value{names} {unit}").split()


def kept(machine):
    """What must not be lost: the router's identity, its configuration, the registry. The router notes
    since when a conductor is down, and that it is back, whenever it is."""
    said = ctl(machine, "--json show secure-conductor-onboarding enrolments")
    console = machine.console
    return (console.run(f"sha256sum {onboarding.SECRETS}/conductor-key.pub"
                        " /etc/steward/integrity/record.json"),
            re.sub(r',"unreachable-since":\d+', "",
                   re.sub(r"\s", "", console.run(f"cat {onboarding.SECRETS}/onboarding.json"))),
            re.findall(r'"fingerprint":"[^"]+"|"router":"[^"]+"', said.replace(" ", "")))


def test_installing_starts_nothing(booted):
    dpkg(booted, "-i /root/old/*.deb")
    console = booted.console
    assert active(booted, *UNITS) == ["inactive"] * 4
    assert console.run("systemctl is-enabled " + " ".join(UNITS)).split() == ["disabled"] * 4
    assert console.run("systemctl --failed --no-legend") == ""
    assert console.run("getent group steward steward-admin | wc -l") == "2\n"
    assert "/var/lib/steward-tunnel" in console.run("getent passwd steward-tunnel")
    assert console.run("journalctl --list-catalog | grep -ci steward") != "0\n"
    assert console.run("stat -c %a /etc/steward/trusted-keys /var/lib/steward"
                       " /var/lib/steward-conductor/registry.d").split() == ["755", "755", "700"]


def test_a_router_and_a_conductor_begin(booted):
    console = booted.console
    console.run("systemctl enable " + " ".join(UNITS))
    console.run("systemctl start integrity-handler")
    assert "Unlocked: Yes" in console.run(f"fscrypt status {onboarding.SECRETS}")
    console.run(f"install -m 600 /root/conductor.key {onboarding.SECRETS}; rm /root/conductor.key")
    console.run("systemctl start steward-tunnels.socket conductord")
    with telling(booted):
        wait_for(lambda: "routers" in ctl(booted, "--json show authority"), 60, "the registry")
    onboarding.let_in(booted)
    console.run("systemctl start stewardd")
    with telling(booted):
        console.wait("reboot: Restarting system", 120)
    booted.wait_up()
    console.login()
    wait_connected(booted)


def test_upgrade(booted):
    """The daemons are others, the directories stay open, the tunnel comes back by itself."""
    console = booted.console
    daemons = ("stewardd", "conductord", "steward-tunnels")
    before = [show(booted, unit, "MainPID") for unit in daemons]
    stays = [show(booted, unit, "InvocationID") for unit in
             ("integrity-handler", "systemd-networkd", "ssh", "steward-tunnels.socket")]
    had = kept(booted)
    assert len(had[0].splitlines()) == 2 and '"conductors":[{' in had[1] and had[2]
    dpkg(booted, "-i /root/new/*.deb")
    after = [show(booted, unit, "MainPID") for unit in daemons]
    assert all(old != new for old, new in zip(before, after)), (before, after)
    wait_connected(booted)
    assert stays == [show(booted, unit, "InvocationID") for unit in
                     ("integrity-handler", "systemd-networkd", "ssh", "steward-tunnels.socket")]
    assert kept(booted) == had
    assert console.run("systemctl is-enabled " + " ".join(UNITS)).split() == ["enabled"] * 4
    assert console.run("systemctl --failed --no-legend") == ""
    assert show(booted, "stewardd", "NRestarts") == ["0"]
    booted.had = had


def test_without_them_the_machine_networks(booted):
    console = booted.console
    said = dpkg(booted, "-r " + " ".join(packages.NAMES))
    assert "nothing opens the encrypted directories" in said, said
    assert console.run("pgrep -c stewardd; pgrep -c conductord; pgrep -c -u steward-tunnel") == \
        "0\n0\n0\n"
    booted.reboot()
    booted.wait_up()
    console.login()
    assert console.run("systemctl --failed --no-legend") == ""
    assert active(booted, "systemd-networkd", "ssh") == ["active"] * 2
    assert "Unlocked: No" in console.run(f"fscrypt status {onboarding.SECRETS}")


def test_installed_again_nothing_is_lost(booted):
    """What was enabled is enabled, with each link, and a second removal would find them all."""
    console = booted.console
    dpkg(booted, "-i /root/new/*.deb")
    assert console.run("systemctl is-enabled " + " ".join(UNITS)).split() == ["enabled"] * 4
    assert console.run("find /etc/systemd/system -path '*.requires/integrity-handler.service'"
                       " | wc -l") == REQUIRED_BY
    assert console.run("ls -d /var/lib/steward-common 2>/dev/null") == ""
    console.run("systemctl start " + " ".join(UNITS))
    wait_connected(booted)
    assert kept(booted) == booted.had


def test_purge_says_what_it_keeps(booted):
    console = booted.console
    assert console.run("ls -d /var/lib/steward/images /var/lib/steward/known_hosts-1"
                       " /var/lib/steward-conductor/images | wc -l") == "3\n"
    said = dpkg(booted, "--purge " + " ".join(packages.NAMES))
    for folder in ("/etc/steward", "/var/lib/steward-conductor"):
        assert re.search(rf"{folder} is kept", said), said
    assert console.run("ls -d /var/lib/steward /var/lib/steward-common"
                       " /var/lib/steward-conductor/images 2>/dev/null") == ""
    assert console.run("ls /var/lib/steward-conductor/registry.d/registry"
                       " /etc/steward/integrity/record.json | wc -l") == "2\n"
    assert console.run(f"ls {onboarding.SECRETS} | wc -l") != "0\n"
    assert console.run("find /etc/systemd/system /var/lib/systemd -name 'steward*.s*' -type l -o"
                       " -name 'integrity-handler*' -o -name 'conductord*'") == ""
    booted.shut_down()


def test_the_same_bytes_from_another_folder(built, again):
    made = again.result()
    for name, path in built.items():
        with open(path, "rb") as one, open(made[name], "rb") as two:
            assert one.read() == two.read(), name
