# SPDX-License-Identifier: GPL-3.0-or-later
"""What systemd and the journal get to see."""

import os
import re
import shutil
import signal
import socket
import subprocess

import pytest

from repository import MIB
from steward import ROOT, STEWARDD, Daemon, wait_for


class Manager:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, path):
        self.path = str(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.setblocking(False)
        self.said = []

    def listen(self):
        while True:
            try:
                self.said += self.socket.recv(65536).decode().splitlines()
            except BlockingIOError:
                return self.said

    def wait(self, line):
        return wait_for(lambda: [s for s in self.listen() if re.fullmatch(line, s)], 20, line)


@pytest.fixture
def manager(tmp_path):
    made = Manager(tmp_path / "notify")
    yield made
    made.socket.close()


def test_ready_status_reload_stop(servers, daemons, manager):
    server = servers(rate=2 * MIB)
    daemon = daemons(server, environment={"NOTIFY_SOCKET": manager.path}, start=False)
    daemon.start()
    manager.wait("READY=1")
    manager.wait("STATUS=idle, 0 images")
    daemon.request("V1")
    manager.wait(r"STATUS=downloading V1: \d+ %")
    assert daemon.post("/v1/reload").status == 200
    said = manager.listen()
    assert manager.wait("RELOADING=1") and manager.wait(r"MONOTONIC_USEC=\d+")
    assert said.count("READY=1") == 2 and said.index("RELOADING=1") > said.index("READY=1")
    daemon.wait_state("V1", "complete")
    manager.wait("STATUS=idle, 1 images?")
    daemon.stop()
    manager.wait("STOPPING=1")


def test_watchdog_is_fed(daemons, servers, manager):
    daemon = daemons(servers(), start=False)
    # sd_watchdog_enabled() wants to be meant: the process's own id, set by the manager.
    daemon.prefix = ["bash", "-c", 'WATCHDOG_PID=$$ exec "$@"', "bash"]
    daemon.environment.update(NOTIFY_SOCKET=manager.path, WATCHDOG_USEC="200000")
    daemon.start()
    wait_for(lambda: manager.listen().count("WATCHDOG=1") >= 5)
    daemon.kill(signal.SIGSTOP)
    manager.listen()
    fed = manager.said.count("WATCHDOG=1")
    daemon.kill(signal.SIGCONT)
    wait_for(lambda: manager.listen().count("WATCHDOG=1") > fed)


def events_of_the_header():
    with open(os.path.join(ROOT, "src/base/log_events.h")) as file:
        return re.findall(r'X\((\w+),\s*"([0-9a-f]{32})"', file.read())


def test_every_message_id_is_in_the_catalog(tmp_path):
    with open(os.path.join(ROOT, "packaging/steward.catalog")) as file:
        entries = re.split(r"^-- ", file.read(), flags=re.M)[1:]
    catalog = {entry[:32]: entry for entry in entries}
    header = events_of_the_header()
    assert len(header) >= 26 and {i for _, i in header} == set(catalog)
    for entry in catalog.values():
        lines = entry.splitlines()
        assert lines[1].startswith("Subject: ") and "Defined-By: Steward" in lines
        assert len(entry) > 150, "what it means, and what to do"
    # And journalctl can read it.
    folder = tmp_path / "usr/lib/systemd/catalog"
    folder.mkdir(parents=True)
    shutil.copy(os.path.join(ROOT, "packaging/steward.catalog"), folder)
    (tmp_path / "var/lib/systemd/catalog").mkdir(parents=True)
    subprocess.run(["journalctl", f"--root={tmp_path}", "--update-catalog"], check=True,
                   capture_output=True)
    listed = subprocess.run(["journalctl", f"--root={tmp_path}", "--list-catalog"], check=True,
                            text=True, capture_output=True).stdout
    assert all(i in listed for _, i in header)


def test_every_event_is_used():
    code = subprocess.run(["grep", "-rhoE", r"LOG_[A-Z_]+", os.path.join(ROOT, "src"),
                           "--include=*.c"], text=True, capture_output=True).stdout.split()
    for name, _ in events_of_the_header():
        assert f"LOG_{name}" in code, name


class Journal:
    """/run/systemd/journal/socket, in a mount namespace of the daemon's own."""

    def __init__(self, directory):
        self.path = os.path.join(str(directory), "socket")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.setblocking(False)
        self.entries = []

    def listen(self):
        while True:
            try:
                data = self.socket.recv(1 << 20).decode()
            except BlockingIOError:
                return self.entries
            self.entries.append(dict(line.split("=", 1) for line in data.splitlines()
                                     if "=" in line))


def test_journal_entries(servers, daemons, tmp_path):
    directory = tmp_path / "journal"
    directory.mkdir()
    journal = Journal(directory)
    daemon = daemons(servers(), start=False)
    os.makedirs("/run/systemd/journal", exist_ok=True)
    daemon.prefix = ["unshare", "--mount", "bash", "-c",
                     f'mount --bind {directory} /run/systemd/journal && exec "$@"', "bash"]
    daemon.start()
    daemon.fetch("V1")
    ids = dict((i, name) for name, i in events_of_the_header())
    wait_for(lambda: [e for e in journal.listen()
                      if ids.get(e.get("MESSAGE_ID")) == "DOWNLOAD_COMPLETE"])
    states = [e for e in journal.entries if e.get("STEWARD_VERSION") == "V1"]
    assert [e["STEWARD_STATE"] for e in states] == ["discovering", "downloading", "finishing",
                                                    "complete"]
    for entry in journal.entries:
        assert entry["MESSAGE_ID"] in ids and entry["SYSLOG_IDENTIFIER"] == "stewardd"
        assert entry["PRIORITY"] in "34567"
    assert states[1]["STEWARD_SOURCE"] == "s0"


def run(*words):
    return subprocess.run([STEWARDD, *words], text=True, capture_output=True, timeout=60)


def test_options(tmp_path):
    assert run("--version").stdout == "stewardd 0.1.0\n"
    usage = run("--help")
    assert usage.returncode == 0
    for option in ("--config FILE", "--foreground", "--check", "--version", "--help"):
        assert option in usage.stdout
    for words in (("--nonsense",), ("extra",), ("--config",)):
        assert run(*words).returncode == 64, words
    assert run("--config", tmp_path / "none").returncode == 78


def test_exit_statuses(daemons, servers, tmp_path):
    daemon = daemons(servers())
    second = Daemon(tmp_path, None)
    second.config["control"]["socket"] = daemon.socket
    second.write_config()
    result = run("--config", second.config_path, "--foreground")
    assert result.returncode == 74 and "somebody listens on" in result.stderr
    assert daemon.get("/v1/status").status == 200, "the first one is not disturbed"
    second.config["control"]["socket"] = "/nonexistent/control.sock"
    second.write_config()
    result = run("--config", second.config_path, "--foreground")
    assert result.returncode == 74 and "/nonexistent/control.sock" in result.stderr
    second.config["control"]["socket"] = str(tmp_path / ("x" * 200))
    second.write_config()
    result = run("--config", second.config_path, "--foreground")
    assert result.returncode == 74 and "longer than a socket" in result.stderr
    second.config["control"]["socket"] = str(tmp_path / "control.sock")
    second.config["software-update"]["repository"] = {"listen": [
        {"address": "192.0.2.1", "port": 8930}]}
    second.write_config()
    result = run("--config", second.config_path, "--foreground")
    assert result.returncode == 74 and "192.0.2.1" in result.stderr


UNITS = {
    "stewardd.service": (
        "Type=notify", "WatchdogSec=", "ExecReload=", "ProtectSystem=strict",
        "NoNewPrivileges=yes", "SystemCallFilter=", "Requires=integrity-handler.service",
        "DeviceAllow=/dev/tpmrm0 rw"),
    "conductord.service": (
        "Type=notify", "WatchdogSec=", "ExecReload=", "ProtectSystem=strict",
        "NoNewPrivileges=yes", "SystemCallFilter=", "Requires=integrity-handler.service",
        "Requires=steward-tunnels.socket", "LimitNOFILE=65536",
        "CapabilityBoundingSet=CAP_DAC_READ_SEARCH CAP_NET_BIND_SERVICE"),
    "integrity-handler.service": (
        "Type=notify", "TimeoutStartSec=infinity", "DefaultDependencies=no",
        "Before=network-pre.target", "RequiredBy=network-pre.target", "NoNewPrivileges=yes"),
}


@pytest.mark.parametrize("name", UNITS)
def test_unit_is_sound(tmp_path, name):
    programs = os.path.dirname(STEWARDD)
    # systemd knows all of it: only the programs are not where they will be.
    for each, lines in UNITS.items():
        with open(os.path.join(os.path.dirname(programs), "packaging", each)) as file:
            unit = file.read()
        assert all(line in unit for line in lines)
        unit = re.sub(r"=\S*/(stewardd|conductord|stewardctl|integrity-handler)\b", rf"={programs}/\1", unit)
        unit = re.sub(r"^Documentation=.*\n", "", unit, flags=re.M)
        (tmp_path / each).write_text(unit)
    # test_tunnels has these.
    (tmp_path / "steward-tunnels.socket").write_text("[Socket]\nListenSequentialPacket=/run/none\n")
    (tmp_path / "steward-tunnels.service").write_text(f"[Service]\nExecStart={STEWARDD}\n")
    result = subprocess.run(["systemd-analyze", "verify", tmp_path / name], text=True,
                            capture_output=True)
    assert ".service" not in result.stderr, result.stderr


def test_installed_files(tmp_path):
    build = os.path.dirname(os.path.dirname(STEWARDD))
    subprocess.run(["cmake", "--install", build], check=True, capture_output=True,
                   env={**os.environ, "DESTDIR": str(tmp_path)})
    with open(os.path.join(build, "CMakeCache.txt")) as file:
        prefix = re.search(r"^CMAKE_INSTALL_PREFIX:\w+=/(.*)$", file.read(), re.M).group(1)
    installed = tmp_path / prefix
    for path in ("sbin/stewardd", "sbin/conductord", "sbin/integrity-handler", "bin/stewardctl",
                 "lib/systemd/system/stewardd.service",
                 "lib/systemd/system/conductord.service",
                 "lib/systemd/system/steward-tunnels.service",
                 "lib/systemd/system/steward-tunnels.socket",
                 "lib/systemd/system/integrity-handler.service",
                 "lib/systemd/system/ifup@.service.d/steward.conf",
                 "lib/sysusers.d/steward.conf", "lib/tmpfiles.d/steward.conf",
                 "lib/sysusers.d/steward-conductor.conf", "lib/tmpfiles.d/steward-router.conf",
                 "lib/tmpfiles.d/steward-conductor.conf",
                 "lib/systemd/catalog/steward.catalog", "share/yang/modules/steward.yang",
                 "share/bash-completion/completions/stewardctl", "share/man/man1/stewardctl.1",
                 "share/man/man8/stewardd.8", "share/man/man8/integrity-handler.8", "share/man/man5/steward.json.5",
                 "share/man/man5/conductor.json.5",
                 "share/man/man8/conductord.8",
                 "share/doc/steward/conductor.json.example",
                 "share/doc/steward/steward.json.example"):
        assert (installed / path).is_file(), path
    # The units run what lies beside them.
    for unit in installed.glob("lib/systemd/system/*.service"):
        for program in re.findall(r"^Exec\w+=/(\S+)", unit.read_text(), re.M):
            assert (tmp_path / program).is_file(), (unit, program)
    example = installed / "share/doc/steward/steward.json.example"
    assert run("--config", example, "--check").returncode == 0
    example = installed / "share/doc/steward/conductor.json.example"
    assert subprocess.run([os.path.join(os.path.dirname(STEWARDD), "conductord"), "--config",
                           example, "--check"], capture_output=True).returncode == 0
    for page in ("man1/stewardctl.1", "man8/stewardd.8", "man8/integrity-handler.8",
                 "man8/conductord.8", "man5/steward.json.5", "man5/conductor.json.5"):
        result = subprocess.run(["man", "--warnings", "-l", installed / "share/man" / page],
                                text=True, capture_output=True)
        assert result.returncode == 0 and result.stderr == ""
