# SPDX-License-Identifier: GPL-3.0-or-later
"""How a download went: counted, kept beside it over restarts, and drawn."""

import json
import os
import xml.etree.ElementTree as ElementTree

import pytest

from repository import MIB
from steward import STEWARDCTL, ctl, on_terminal, wait_for

PLOT = ("show", "system", "software", "download", "version", "V1", "plot")
SVG = "{http://www.w3.org/2000/svg}"


def history_of(daemon, version="V1"):
    reply = daemon.get(f"/v1/downloads/{version}/history")
    assert reply.status == 200, reply.body
    return reply.json


def bytes_of(history, source):
    i = history["sources"].index(source)
    return sum(point["bytes"][i] for point in history["points"])


def kinds_of(history):
    return [mark["kind"] for mark in history["marks"]]


@pytest.fixture
def failed_over(daemons, servers, images):
    """Two sources, of which the first one dies."""
    first, second = servers(rate=MIB), servers()
    daemon = daemons(first, second, download={"concurrency": 1})
    daemon.request("V1")
    wait_for(lambda: len(history_of(daemon)["points"]) > 1, what="two points")
    first.close()
    daemon.wait_state("V1", "complete")
    return daemon


def test_a_source_that_dies(failed_over, images, tmp_path):
    daemon = failed_over
    history = history_of(daemon)
    assert history["version"] == "V1" and history["state"] == "complete"
    assert history["resolution"] == 1 and history["sources"] == ["s0", "s1"]
    for name in ("s0", "s1"):
        assert bytes_of(history, name) == daemon.source_of("V1", name)["bytes"] > 0
    assert sum(point["failures"] for point in history["points"]) == \
        sum(source["failures"] for source in daemon.download("V1")["sources"]) > 0
    times = [point["at"] for point in history["points"]]
    assert times == sorted(set(times)) and times[-1] - times[0] < 60
    assert kinds_of(history) == ["source-left", "failover", "complete"], history["marks"]
    left, failover, _ = history["marks"]
    assert left["source"] == "s0" and left["reason"]
    assert failover["source"] == "s1" and failover["reason"] == "instead of s0"

    check_terminal(daemon)
    check_file(daemon, tmp_path)

    daemon.stop()
    daemon.start()
    assert history_of(daemon) == history

    daemon.request("V1", force=True)
    daemon.wait_state("V1", "complete")
    assert kinds_of(history_of(daemon)) == ["source-left", "complete"]  # of the new one
    assert bytes_of(history_of(daemon), "s1") == images(16).size


def check_terminal(daemon):
    plain = ctl(daemon, *PLOT, check=0, env={**os.environ, "LC_ALL": "C"}).stdout
    assert plain.isascii() and "#  s0 " in plain and "+  s1 " in plain
    assert "another source is asked: s1: instead of s0" in plain
    assert "MiB/s |" in plain and "requests that failed: " in plain
    drawn, status = on_terminal([STEWARDCTL, "--socket", daemon.socket, *PLOT], 60,
                                {"LC_ALL": "C.UTF-8"})
    assert status == 0 and "▒" in drawn and "│" in drawn
    picture = drawn.replace("\r", "").split("\n\n")[1]
    assert max(len(line) for line in picture.splitlines()) == 60
    raw = ctl(daemon, "--json", *PLOT, check=0).stdout
    assert json.loads(raw) == history_of(daemon)

    unknown = ctl(daemon, "show", "system", "software", "download", "version", "V9", "plot")
    assert unknown.returncode == 1 and "there is no download of V9" in unknown.stderr
    for words, message in ((("watch",), "cannot stand together"), (("x.png",), "'x.png' is nothing")):
        wrong = ctl(daemon, *PLOT, *words)
        assert wrong.returncode == 64 and message in wrong.stderr


def check_file(daemon, tmp_path):
    path = tmp_path / "night.svg"
    assert ctl(daemon, *PLOT, str(path), check=0).stdout == ""
    root = ElementTree.parse(path).getroot()
    assert root.tag == SVG + "svg" and root.get("role") == "img"
    titles = [title.text for title in root.iter(SVG + "title")]
    assert titles[0] == "Download of V1"
    assert any(t.startswith("s0: ") for t in titles) and any(t.startswith("s1: ") for t in titles)
    assert any("another source is asked: s1" in t for t in titles)
    assert "prefers-color-scheme:dark" in path.read_text()
    refused = ctl(daemon, *PLOT, str(tmp_path / "none" / "night.svg"))
    assert refused.returncode == 1 and "No such file" in refused.stderr


def test_pauses_and_failures(daemons, servers):
    server = servers(rate=MIB)
    daemon = daemons(server, download={"attempts": 1, "concurrency": 1})
    assert daemon.get("/v1/downloads/V1/history").status == 404
    daemon.request("V1")
    wait_for(lambda: history_of(daemon)["points"])
    daemon.post("/v1/downloads/V1/pause")
    daemon.wait_state("V1", "paused")
    wait_for(lambda: os.path.exists(daemon.state + "/downloads/V1/history.json"))
    daemon.kill9()
    daemon.start()
    assert kinds_of(history_of(daemon)) == ["paused"] and bytes_of(history_of(daemon), "s0") > 0
    server.close()
    daemon.post("/v1/downloads/V1/resume")
    daemon.wait_state("V1", "failed")
    assert kinds_of(history_of(daemon))[0] == "paused"
    assert kinds_of(history_of(daemon))[-1] == "failed"
    assert history_of(daemon)["marks"][-1]["reason"] in daemon.download("V1")["error"]


def test_a_file_that_makes_no_sense(daemons, servers):
    daemon = daemons(servers())
    daemon.fetch("V1")
    path = daemon.state + "/downloads/V1/history.json"
    daemon.stop()

    def garbage():
        with open(path, "wb") as file:
            file.write(b'{"resolution":1,"points":[' + b"[" * 100000)

    for make in (garbage, lambda: os.mkfifo(path), lambda: os.symlink("/dev/zero", path)):
        if os.path.lexists(path):
            os.unlink(path)
        make()
        daemon.start()
        assert "its history begins anew" in daemon.log and path in daemon.log
        assert daemon.download("V1")["state"] == "complete"
        assert history_of(daemon)["points"] == [] and history_of(daemon)["marks"] == []
        daemon.stop()
        os.unlink(daemon.log_path)
