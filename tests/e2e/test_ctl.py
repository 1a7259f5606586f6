# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: grammar, abbreviations, output, watching, exit statuses, completion."""

import itertools
import json
import os
import re
import signal
import subprocess

import pytest

from fault_server import Fault
from repository import MIB
from steward import ROOT, SLOW, STEWARDCTL, ctl, on_terminal, wait_for

DOWNLOAD = ("request", "system", "software", "download")


def run(*words, **options):
    return subprocess.run([STEWARDCTL, *words], text=True, capture_output=True, **options)


@pytest.mark.parametrize("words, message", [
    ((), "not complete"),
    (("show",), "not complete"),
    (("shwo",), "unknown word 'shwo', expected one of: show, request, create, import"),
    (("show", "system", "softly"), "nothing that this command takes"),
    (("show", "system", "software", "d", "vers"), "'version' needs a value"),
    (("show", "system", "software", "download", "verse", "V1"), "nothing that this command takes"),
    (("request", "system", "software", "d", "version", "V1"), "ambiguous word 'd'"),
    ((*DOWNLOAD,), "'version V' is missing"),
    ((*DOWNLOAD, "version", "V1", "version", "V2"), "'version' stands twice"),
    ((*DOWNLOAD, "version", "V1", "watch", "x"), "'x' is nothing"),
    (("show", "system", "software", "download", "watch"), "'watch' needs 'version V'"),
    (("--sock", "x"), "an option that is not known"),
    (("--socket",), "an option that is not known"),
])
def test_usage_errors(words, message):
    result = run(*words)
    assert result.returncode == 64 and message in result.stderr, result.stderr


def test_no_daemon(tmp_path):
    missing = run("--socket", tmp_path / "none.sock", "show", "system")
    assert missing.returncode == 69
    assert f"no daemon answers on {tmp_path}/none.sock: No such file" in missing.stderr
    import socket

    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(tmp_path / "stale.sock"))
    refused = run("--socket", tmp_path / "stale.sock", "show", "system")
    assert refused.returncode == 69 and "Connection refused" in refused.stderr


def test_help_and_version():
    result = run("--help")
    assert result.returncode == 0
    for line in ("show system software download [version V] [node N] [watch]",
                 "request system software download [router R] [node N] version V [sequenced]"
                 " [force] [watch]",
                 "create software manifest image FILE version V key KEY.pem [piece-size BYTES]"
                 " output DIR", "request system reload"):
        assert "stewardctl " + line in result.stdout
    assert run("--version").stdout == "stewardctl 0.1.0\n"


class Command:
    """A line of --help or of the man page: words that must be there, and groups that may."""

    def __init__(self, line):
        groups = re.findall(r"\[([^]]*)\]|(\S+)", line)
        self.line = line
        self.must = {must for _, must in groups if must}
        self.may = {may for may, _ in groups if may}
        self.words = self.must | {word for group in self.may for word in group.split()}

    def describes(self, other):
        """A tag with [node N] describes two commands, one of which must have "node N"."""
        return self.must <= other.must <= self.words and other.may <= self.may


def each_choice(lines):
    """"pause|resume" stands for two commands."""
    for line in lines:
        for words in itertools.product(*[word.split("|") for word in line.split(" ")]):
            yield Command(" ".join(words))


def test_the_man_page_has_each_command_of_help():
    with open(os.path.join(ROOT, "packaging/man/stewardctl.1")) as file:
        page = re.sub(r"\\f[BRI]", "", file.read().split(".SH COMMANDS")[1].split(".SH")[0])
    tags = list(each_choice(re.findall(r"^\.T[PQ]\n(?:\.B )?(.*)$", page, re.M)))
    commands = list(each_choice(re.findall(r"^  stewardctl (.*)$", run("--help").stdout, re.M)))
    assert len(commands) > 40
    for command in commands:
        assert any(tag.describes(command) for tag in tags), f"stewardctl(1) lacks: {command.line}"
    for tag in tags:
        described = [command for command in commands if tag.describes(command)]
        words = set().union(*(command.words for command in described))
        assert tag.words == words, f"--help lacks: {tag.line}: {tag.words - words}"


def test_abbreviations_and_tables(servers, daemons, images):
    daemon = daemons(servers())
    result = ctl(daemon, "r", "sy", "so", "do", "v", "V1", check=0)
    assert result.stdout.startswith("V1 is ")
    daemon.wait_state("V1", "complete")
    table = ctl(daemon, "sh", "sy", "so", "d", check=0).stdout.splitlines()
    assert table[0].split() == ["VERSION", "STATE", "DONE", "RATE", "LEFT", "SOURCE"]
    assert table[1].split()[:4] == ["V1", "complete", "100", "%"]
    detail = ctl(daemon, "sh", "sy", "so", "d", "v", "V1", check=0).stdout
    assert "16.0 MiB of 16.0 MiB (100 %)" in detail and "0 B wasted" in detail, detail
    assert "s0" in detail and "artifactory" in detail
    assert images(16).sha256 in ctl(daemon, "show", "system", "software", "images").stdout
    available = ctl(daemon, "show", "system", "software", "available", "refresh", check=0).stdout
    assert available.splitlines()[1].split() == ["V1", "s0"]
    status = ctl(daemon, "show", "system", check=0).stdout
    assert "router1 node0" in status and "0.1.0" in status


def test_json_is_what_the_socket_says(servers, daemons):
    daemon = daemons(servers())
    daemon.fetch("V1")
    for words, path in ((("show", "system", "software", "download"), "/v1/downloads"),
                        (("show", "system", "software", "images"), "/v1/images"),
                        (("show", "system", "software", "available"), "/v1/versions"),
                        (("show", "system", "software", "download", "version", "V1"),
                         "/v1/downloads/V1")):
        assert json.loads(ctl(daemon, "--json", *words, check=0).stdout) == daemon.get(path).json


def test_pause_resume_cancel_delete(servers, daemons):
    server = servers(rate=MIB)
    daemon = daemons(server)
    assert "no download of V1" in ctl(daemon, *DOWNLOAD, "pause", "version", "V1", check=1).stderr
    ctl(daemon, *DOWNLOAD, "version", "V1", check=0)
    conflict = ctl(daemon, *DOWNLOAD, "version", "V1", check=1)
    assert "unfinished" in conflict.stderr and conflict.stdout == ""
    assert ctl(daemon, *DOWNLOAD, "pause", "version", "V1", check=0).stdout == "V1 is paused\n"
    ctl(daemon, *DOWNLOAD, "resume", "version", "V1", check=0)
    assert ctl(daemon, *DOWNLOAD, "cancel", "version", "V1", "force",
               check=0).stdout == "V1 is cancelled\n"
    ctl(daemon, "request", "system", "software", "delete", "version", "V1", check=1)
    assert "'../x' is not the name of a version" in ctl(
        daemon, *DOWNLOAD, "pause", "version", "../x", check=1).stderr


def test_router_and_node(servers, daemons):
    daemon = daemons(servers())
    result = ctl(daemon, *DOWNLOAD, "router", "router2", "version", "V1", check=1)
    assert result.stderr == "stewardctl: this is router router1, node node0\n"
    ctl(daemon, *DOWNLOAD, "node", "node1", "version", "V1", check=1)
    assert daemon.get("/v1/downloads").json == {"downloads": []}
    ctl(daemon, *DOWNLOAD, "router", "router1", "node", "node0", "version", "V1", check=0)
    ctl(daemon, "show", "system", "software", "download", "version", "V1", "node", "node1", check=1)
    daemon.wait_state("V1", "complete")


def test_sequenced_needs_a_peer(servers, daemons):
    daemon = daemons(servers())
    result = ctl(daemon, *DOWNLOAD, "version", "V1", "sequenced", check=1)
    assert "sequenced" in result.stderr
    assert daemon.get("/v1/downloads").json == {"downloads": []}


def test_reload(servers, daemons):
    daemon = daemons(servers())
    assert ctl(daemon, "request", "system", "reload", check=0).stdout == \
        "the configuration is loaded\n"
    daemon.config["software-update"]["access-mode"] = "never"
    daemon.write_config()
    assert 'access-mode is "never"' in ctl(daemon, "request", "system", "reload", check=1).stderr


def test_watch_prints_a_line_per_change(servers, daemons):
    daemon = daemons(servers(rate=2 * MIB))
    result = ctl(daemon, *DOWNLOAD, "version", "V1", "watch", check=0)
    lines = result.stdout.splitlines()
    assert lines[-1] == "V1 complete 100 % from s0"
    assert any(line.startswith("V1 downloading ") and line.endswith("% from s0") for line in lines)
    assert len(lines) == len(set(lines)) <= 20 and result.stderr == ""
    assert ctl(daemon, "show", "system", "software", "download", "version", "V1", "watch",
               check=0).stdout == "V1 complete 100 % from s0\n"


def test_watch_as_json(servers, daemons):
    daemon = daemons(servers(rate=4 * MIB))
    result = ctl(daemon, "--json", *DOWNLOAD, "version", "V1", "watch", check=0)
    objects = [json.loads(line) for line in result.stdout.splitlines()]
    assert objects[-1]["state"] == "complete" and all(o["version"] == "V1" for o in objects)


@pytest.mark.parametrize("end", ["failed", "cancelled", "paused"])
def test_watch_of_what_does_not_complete(end, servers, daemons):
    daemon = daemons(servers(Fault("status", 404, after=2 if end == "failed" else 10**6),
                             rate=MIB), download={"attempts": 1})
    watch = subprocess.Popen([STEWARDCTL, "--socket", daemon.socket, *DOWNLOAD, "version", "V1",
                              "watch"], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if end != "failed":
        wait_for(lambda: daemon.get("/v1/downloads/V1").status == 200
                 and daemon.download("V1")["state"] == "downloading")
        daemon.post("/v1/downloads/V1/" + {"cancelled": "cancel", "paused": "pause"}[end])
    out, err = watch.communicate(timeout=60 * SLOW)
    assert watch.returncode == 1
    assert f"the download of V1 is {end}" in err, (out, err)
    if end == "failed":
        assert "404" in err


def test_watch_waits_for_a_daemon_that_is_killed(servers, daemons):
    daemon = daemons(servers(rate=2 * MIB))
    watch = subprocess.Popen([STEWARDCTL, "--socket", daemon.socket, *DOWNLOAD, "version", "V1",
                              "watch"], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for(lambda: daemon.get("/v1/downloads/V1").status == 200
             and daemon.download("V1")["bytes-verified"] > 2 * MIB)
    daemon.kill9()
    daemon.start()
    out, err = watch.communicate(timeout=60 * SLOW)
    assert watch.returncode == 0 and out.splitlines()[-1] == "V1 complete 100 % from s0"
    assert "the daemon is gone, waiting for it" in err


@pytest.mark.parametrize("columns, locale, filled", [(120, "C.UTF-8", "█"), (120, "C", "#"),
                                                     (40, "C", None)])
def test_watch_draws_a_bar_in_place(columns, locale, filled, servers, daemons):
    daemon = daemons(servers(rate=2 * MIB))
    drawn, status = on_terminal([STEWARDCTL, "--socket", daemon.socket, *DOWNLOAD, "version", "V1",
                                 "watch"], columns, {"LC_ALL": locale})
    assert status == 0
    frames = drawn.split("\r\033[K")
    assert len(frames) > 3 and "\n" not in "".join(frames[1:-1])
    assert all(len(frame.rstrip("\r\n")) < columns for frame in frames), frames
    if filled:
        assert any(filled in f and "MiB/s" in f and "left" in f and "s0" in f and "attempt 1" in f
                   for f in frames), frames
    assert "complete" in frames[-1] or "100 %" in frames[-1]


def test_ctrl_c_ends_the_watching_only(servers, daemons):
    daemon = daemons(servers(rate=2 * MIB))
    # Who runs the tests in the background has made all its children ignore the signal.
    watch = subprocess.Popen(["env", "--default-signal=INT", STEWARDCTL, "--socket", daemon.socket,
                              *DOWNLOAD, "version", "V1", "watch"],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for(lambda: daemon.get("/v1/downloads/V1").status == 200
             and daemon.download("V1")["state"] == "downloading")
    watch.send_signal(signal.SIGINT)
    watch.communicate(timeout=20)
    assert watch.returncode != 0
    daemon.wait_state("V1", "complete")


def complete(*typed):
    """What bash offers for a line; the last word is the one being typed."""
    script = os.path.join(ROOT, "packaging/stewardctl.bash-completion")
    words = " ".join(f"'{w}'" for w in ("stewardctl", *typed))
    result = subprocess.run(
        ["bash", "-c", f"compopt() {{ :; }}; . {script}; COMP_WORDS=({words}); "
         f"COMP_CWORD={len(typed)}; _stewardctl; printf '%s\\n' \"${{COMPREPLY[@]}}\""],
        text=True, capture_output=True,
        env={**os.environ, "PATH": os.path.dirname(STEWARDCTL) + ":" + os.environ["PATH"]})
    assert result.stderr == ""
    return set(result.stdout.split())


@pytest.mark.parametrize("typed, offered", [
    (("",), {"show", "request", "create", "import", "configure", "delete"}),
    (("sh",), {"show"}),
    (("show", "system", "software", ""), {"download", "available", "images"}),
    (("show", "system", "software", "download", ""),
     {"version", "watch", "plot", "node", "router"}),
    (("show", "system", "software", "download", "watch", ""),
     {"version", "plot", "node", "router"}),
    (("request", "system", "software", "download", "p"), {"pause"}),
    (("request", "system", "software", "download", "pause", "version", "V1", ""),
     {"router", "node"}),
    (("--socket", "/x", "show", "sy"), {"system"}),
    (("--json", "show", "sy"), {"system"}),
    (("show", "secure-conductor-onboarding", ""), {"tokens", "enrolments", "router"}),
    (("conf", "auth", "r", "router1", ""), {"node", "system", "label"}),
    (("show", "auth", ""), {"router", "conductors"}),
    (("show", "auth", "rou", ""), {"label"}),
    (("show", "authority", "router", "r"), set()),
    (("show", "authority", "router", "label", ""), set()),
    (("show", "authority", "router", "label", "site", "emea", ""), {"label"}),
    (("show", "authority", "router", "router1", ""), set()),
    (("configure", "authority", "router", ""), set()),
    (("configure", "authority", "router", "router1", "node", "n0", ""),
     {"asset-id", "secure-conductor-onboarding"}),
    (("configure", "authority", "router", "router1", "system", "s"),
     {"secure-conductor-onboarding", "software-update"}),
    (("conf", "auth", "r", "router1", "sys", "soft", "d"), {"download"}),
    (("create", "software", "manifest", "image", ""), set()),
    (("nonsense", ""), set()),
])
def test_completion(typed, offered):
    assert complete(*typed) == offered
