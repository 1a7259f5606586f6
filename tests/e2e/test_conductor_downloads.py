# SPDX-License-Identifier: GPL-3.0-or-later
"""The conductor acts for its routers: what an operator does on a node, for one or for both, through
their tunnels. A node that is not there, or hangs, is told as such and holds up nobody."""

import contextlib
import json
import os
import signal
import subprocess
import time

import pytest

from steward import SLOW, STEWARDCTL, Events, ctl, on_terminal, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.release_only]
MIB = 1 << 20
DOWNLOAD = ("system", "software", "download")
MEANT = ("router", "router1")
SLOWLY = {"max-bandwidth": str(int(16 * MIB / SLOW))}  # bits: 8 MiB take 4 s
NOT_CONNECTED = "it is not connected"
NO_ANSWER = "no answer within 5 s: its line, or its stewardd, hangs"
NO_ANSWER_TO_ORDER = NO_ANSWER.replace("5", "30")


class Fleet:
    """A conductor with an image, and its router's two nodes."""

    def __init__(self, onboarding, key, image, are_peers=False):
        self.image = image
        self.conductor = onboarding.conductor(
            **{"software-update": {"trusted-key": [key.public_path]}})
        for n in (0, 1):
            self.conductor.configure(node=f"node{n}", asset_id=f"A{n}")
        self.configure()
        for path, body in (("manifest", key.jws(image.payload("V1"))), ("file", image.bytes)):
            assert self.conductor.call("PUT", f"/v1/images/V1/{path}", body).status == 201
        token = self.conductor.token()
        self.nodes = [onboarding.router(f"A{n}", node=f"node{n}", key=key, start=False,
                                        update=self.peer(n) if are_peers else None)
                      for n in (0, 1)]
        for n, node in enumerate(self.nodes):
            if are_peers:
                node.config["high-availability"] = {"peer-node": f"node{1 - n}",
                                                    "peer-url": f"http://127.0.0.{3 - n}:8930/"}
                node.write_config()
            node.start().onboard(token)
        for node in self.nodes:
            node.become_onboarded()
        for node in self.nodes:
            wait_for(lambda n=node: n.is_connected, 30, "the tunnel")

    @staticmethod
    def peer(n):
        """Its store is there for the other: 127.0.0.2 and .3 are the link between them."""
        return {"repository": {"listen": [{"address": f"127.0.0.{2 + n}", "port": 8930}]}}

    def configure(self, **update):
        self.conductor.put("/v1/routers/router1/configuration",
                           {"software-update": {"access-mode": "conductor-only",
                                                "download": {"attempts": 0}, **update}})
        return self

    def slow_down(self):
        self.configure(**SLOWLY)
        for node in self.nodes:
            wait_for(lambda n=node: n.get("/v1/configuration").json["steward:router"]
                     ["software-update"]["max-bandwidth"] == SLOWLY["max-bandwidth"],
                     what="the configuration")
        return self

    def request(self, *words, **options):
        return ctl(self.conductor, "request", *DOWNLOAD, *words, **options)

    def show(self, *words, **options):
        return ctl(self.conductor, "show", *DOWNLOAD, *MEANT, *words, **options)

    def states(self, version="V1"):
        """None: it has no such download, or does not answer."""
        found = []
        for node in self.nodes:
            try:
                found.append(node.call("GET", f"/v1/downloads/{version}", timeout=1).json
                             .get("state"))
            except OSError:
                found.append(None)
        return found

    def wait_states(self, *states):
        wait_for(lambda: self.states() == list(states), 60, f"{states}")

    def is_gone(self, n):
        told = self.conductor.get(f"/v1/routers/router1/downloads?node=node{n}").json
        return [node["error"] for node in told["nodes"]] == [NOT_CONNECTED]

    def stop(self, n):
        """Until its conductor knows that its tunnel has ended, too."""
        self.nodes[n].stop()
        wait_for(lambda: self.is_gone(n), 30, "the tunnel's end")

    def popen(self, *words, stdout=subprocess.PIPE):
        return subprocess.Popen([STEWARDCTL, "--socket", self.conductor.socket, *words], text=True,
                                stdout=stdout, stderr=subprocess.PIPE)


@pytest.fixture
def fleet(onboarding, key, images):
    made = images(8)
    with open(made.path, "rb") as file:
        made.bytes = file.read()
    return Fleet(onboarding, key, made)


@pytest.fixture
def peers(onboarding, key, images):
    made = images(8)
    with open(made.path, "rb") as file:
        made.bytes = file.read()
    return Fleet(onboarding, key, made, are_peers=True)


@contextlib.contextmanager
def hanging(node):
    """Its ssh answers keep-alives still: the tunnel looks alive."""
    node.kill(signal.SIGSTOP)
    try:
        yield
    finally:
        node.kill(signal.SIGCONT)


@contextlib.contextmanager
def within(seconds):
    begin = time.monotonic()
    yield
    assert time.monotonic() - begin < seconds * SLOW


def test_both_nodes_start_at_once(fleet):
    told = fleet.request(*MEANT, "version", "V1", check=0)
    assert told.stderr == "" and told.stdout.count("V1 is ") == 2
    assert [line for line in told.stdout.splitlines() if line.startswith("Node ")] == [
        "Node      node0", "Node      node1"]
    fleet.wait_states("complete", "complete")
    shown = fleet.show("version", "V1", check=0).stdout
    assert shown.count("State     complete") == 2 and "node0" in shown and "node1" in shown
    assert fleet.show(check=0).stdout.count("V1 ") == 2
    for node in fleet.nodes:
        with open(node.image_path("V1", os.path.basename(fleet.image.path)), "rb") as file:
            assert file.read() == fleet.image.bytes


def test_as_json(fleet):
    answer = json.loads(ctl(fleet.conductor, "--json", "request", *DOWNLOAD, *MEANT, "version", "V1",
                            check=0).stdout)
    assert [(n["node"], n["connected"], n["status"], n["error"], n["answer"]["version"])
            for n in answer["nodes"]] == [(f"node{n}", True, 201, None, "V1") for n in (0, 1)]
    fleet.wait_states("complete", "complete")
    fleet.stop(1)
    result = ctl(fleet.conductor, "--json", "show", *DOWNLOAD, *MEANT, "version", "V1", check=1)
    nodes = json.loads(result.stdout)["nodes"]
    assert nodes[0]["answer"]["state"] == "complete"
    assert nodes[1]["answer"] is None and nodes[1]["connected"] is False
    assert nodes[1]["status"] == 0 and nodes[1]["error"] == NOT_CONNECTED


def test_one_node_alone(fleet):
    told = fleet.request(*MEANT, "node", "node1", "version", "V1", check=0)
    assert "node0" not in told.stdout
    fleet.nodes[1].wait_state("V1", "complete")
    assert fleet.nodes[0].get("/v1/downloads/V1").status == 404
    assert "State     complete" in fleet.show("node", "node1", "version", "V1", check=0).stdout
    both = fleet.show("version", "V1", check=1)
    assert "State     complete" in both.stdout
    assert both.stderr.startswith("stewardctl: node node0: ")


def test_plots(fleet, tmp_path):
    fleet.request(*MEANT, "node", "node1", "version", "V1", check=0)
    fleet.nodes[1].wait_state("V1", "complete")
    both = fleet.show("version", "V1", "plot", check=1)
    assert both.stderr.startswith("stewardctl: node node0: there is no download of V1")
    assert "Node      node1" in both.stdout and "0 B/s" in both.stdout
    path = str(tmp_path / "night.svg")
    fleet.show("node", "node1", "version", "V1", "plot", path, check=0)
    with open(path) as file:
        assert "<title id=\"title\">Download of V1</title>" in file.read()
    for words, status, message in ((("node", "node0"), 1, "node node0: there is no download of V1"),
                                   ((), 64, "name the node, too")):
        os.unlink(path) if os.path.exists(path) else None
        refused = fleet.show(*words, "version", "V1", "plot", path, check=status)
        assert message in refused.stderr and not os.path.exists(path)


def test_pause_resume_and_cancel(fleet):
    fleet.slow_down()
    fleet.request(*MEANT, "version", "V1", check=0)
    fleet.wait_states("downloading", "downloading")
    told = fleet.request("pause", *MEANT, "version", "V1", check=0)
    assert told.stdout.count("V1 is paused") == 2 and fleet.states() == ["paused", "paused"]
    fleet.request("resume", *MEANT, "node", "node0", "version", "V1", check=0)
    fleet.wait_states("downloading", "paused")
    # One has nothing to pause: told of it, and the other is paused all the same.
    twice = fleet.request("pause", *MEANT, "version", "V1", check=1)
    assert "node node1: " in twice.stderr and fleet.states() == ["paused", "paused"]
    fleet.request("resume", *MEANT, "version", "V1", check=0)
    fleet.wait_states("downloading", "downloading")
    fleet.request("cancel", *MEANT, "node", "node0", "version", "V1", check=0)
    fleet.wait_states("cancelled", "downloading")
    fleet.request("cancel", *MEANT, "version", "V1", "force", check=0)
    fleet.wait_states("cancelled", "cancelled")
    parts = [os.path.join(node.state, "downloads", "V1", os.path.basename(fleet.image.path) + ".part")
             for node in fleet.nodes]
    wait_for(lambda: not any(os.path.exists(part) for part in parts), what="the end of the data")
    # Cancelled is not complete: a new order goes on from what is kept, or from nothing.
    fleet.configure(**{"max-bandwidth": "unlimited"})
    fleet.request(*MEANT, "version", "V1", check=0)
    fleet.wait_states("complete", "complete")
    # What is there is there; force starts over.
    there = fleet.request(*MEANT, "version", "V1", check=1).stderr
    assert "node node0: " in there and "node node1: " in there
    fleet.request(*MEANT, "version", "V1", "force", check=0)
    fleet.wait_states("complete", "complete")


# A node that is not there.

def test_node_that_is_not_connected(fleet):
    fleet.stop(1)
    with within(5):
        told = fleet.request(*MEANT, "version", "V1", check=1)
    assert told.stderr == f"stewardctl: node node1: {NOT_CONNECTED}\n"
    assert told.stdout.startswith("Node      node0\nV1 is ")
    fleet.nodes[0].wait_state("V1", "complete")


def test_node_that_never_onboarded(fleet):
    fleet.conductor.configure(node="node2", asset_id="A2")
    told = fleet.request(*MEANT, "version", "V1", check=1)
    assert told.stderr == f"stewardctl: node node2: {NOT_CONNECTED}\n"
    fleet.wait_states("complete", "complete")


def test_node_that_hangs_holds_up_nobody(fleet):
    with hanging(fleet.nodes[1]):
        order = fleet.popen("request", *DOWNLOAD, *MEANT, "version", "V1")
        wait_for(lambda: fleet.states()[0] == "complete", 30, "the other's download")
        with within(35):
            out, err = order.communicate(timeout=60 * SLOW)
        assert order.returncode == 1 and f"stewardctl: node node1: {NO_ANSWER_TO_ORDER}\n" in err
        assert out.startswith("Node      node0\nV1 is ")
        with within(8):
            shown = fleet.show("version", "V1", check=1)
        assert "State     complete" in shown.stdout and NO_ANSWER in shown.stderr
        with within(3):
            fleet.show("node", "node0", "version", "V1", check=0)


def test_conductor_stops_while_a_node_hangs(fleet):
    with hanging(fleet.nodes[1]):
        asked = fleet.popen("show", *DOWNLOAD, *MEANT)
        watched = fleet.popen("--json", "show", *DOWNLOAD, *MEANT, "version", "V1", "watch")
        assert '"nodes"' in watched.stdout.readline()
        # What is sent to it by itself waits, too: up to 30 s.
        fleet.configure(**SLOWLY)
        wait_for(lambda: fleet.nodes[0].get("/v1/configuration").json["steward:router"]
                 ["software-update"]["max-bandwidth"] == SLOWLY["max-bandwidth"],
                 what="the configuration")
        with within(3):
            fleet.conductor.stop()
        watched.kill()
        for process in (asked, watched):
            process.communicate(timeout=30 * SLOW)


def test_what_there_is_not(fleet):
    assert "router router9" in ctl(fleet.conductor, "show", *DOWNLOAD, "router", "router9",
                                   check=1).stderr
    assert "no node node9" in fleet.show("node", "node9", check=1).stderr
    for words in (("version", "V1", "watch"), ("node", "node9", "version", "V1", "watch")):
        result = ctl(fleet.conductor, "show", *DOWNLOAD, "router", "router9", *words, check=1)
        assert "router router9" in result.stderr
    unknown = fleet.show("version", "V9", "watch", check=1)
    assert "node node0: " in unknown.stderr and "node node1: " in unknown.stderr
    assert fleet.conductor.get("/v1/routers/router1/downloads/v1/events").status == 400
    for nobody in ("", "n" * 64):
        for path in ("", "/V1/events"):
            reply = fleet.conductor.get(f"/v1/routers/router1/downloads{path}?node={nobody}")
            assert reply.status == 400 and "is not the name of a node" in reply.detail


# Watching.

def lines_of(out, node):
    return [line for line in out.splitlines() if line.startswith(node + " ")]


def test_watch_prints_a_line_per_change(fleet):
    fleet.slow_down()
    result = fleet.request(*MEANT, "version", "V1", "watch", check=0)
    assert result.stderr == ""
    for node in ("node0", "node1"):
        lines = lines_of(result.stdout, node)
        assert any(line.startswith(f"{node} V1 downloading ") and
                   line.endswith(" from conductor-1") for line in lines), lines
        assert lines[-1].startswith(f"{node} V1 complete 100 %") and len(lines) < 20
        assert len(set(lines)) == len(lines)
    # What is over already is told at once.
    with within(5):
        again = fleet.show("version", "V1", "watch", check=0)
    assert again.stdout.count("V1 complete 100 %") == 2


def test_watch_as_json(fleet):
    out = ctl(fleet.conductor, "--json", "request", *DOWNLOAD, *MEANT, "version", "V1", "watch",
              check=0).stdout
    order, nodes, *told = [json.loads(line) for line in out.splitlines()]
    assert [n["status"] for n in order["nodes"]] == [201, 201]
    assert nodes == {"nodes": ["node0", "node1"]}
    for node in ("node0", "node1"):
        assert [t["answer"]["state"] for t in told if t["node"] == node][-1] == "complete"


def test_watch_draws_both_in_place(fleet):
    fleet.slow_down()
    drawn, status = on_terminal([STEWARDCTL, "--socket", fleet.conductor.socket, "request",
                                 *DOWNLOAD, *MEANT, "version", "V1", "watch"], 100,
                                {"LC_ALL": "C.UTF-8"})
    assert status == 0
    frames = drawn.split("\033[2A")
    assert len(frames) > 3
    for frame in frames[1:]:
        rows = frame.split("\r\033[K")[1:]
        assert [row.split()[0] for row in rows] == ["node0", "node1"]
        assert all(len(row.rstrip("\r\n")) < 100 for row in rows), rows
    assert all("complete" in row for row in frames[-1].split("\r\033[K")[1:])
    assert "█" in drawn and "iB/s" in drawn


@pytest.mark.parametrize("node", ["node0", "node1"])
def test_watch_of_one_node(fleet, node):
    out = fleet.request(*MEANT, "node", node, "version", "V1", "watch", check=0).stdout
    assert lines_of(out, node)[-1].startswith(f"{node} V1 complete")
    assert not lines_of(out, "node1" if node == "node0" else "node0")


def test_watch_of_one_that_does_not_complete(fleet):
    fleet.slow_down()
    watch = fleet.popen("request", *DOWNLOAD, *MEANT, "version", "V1", "watch")
    fleet.wait_states("downloading", "downloading")
    assert fleet.nodes[1].post("/v1/downloads/V1/cancel").status == 200
    out, err = watch.communicate(timeout=60 * SLOW)
    assert watch.returncode == 1
    assert "stewardctl: node node1: the download of V1 is cancelled\n" in err
    assert "node0" not in err and lines_of(out, "node0")[-1].startswith("node0 V1 complete")


def test_watch_does_not_wait_for_who_refused_the_order(fleet):
    fleet.stop(1)
    with within(15):
        result = fleet.request(*MEANT, "version", "V1", "watch", check=1)
    assert result.stderr == f"stewardctl: node node1: {NOT_CONNECTED}\n"
    assert lines_of(result.stdout, "node0")[-1].startswith("node0 V1 complete")
    assert not lines_of(result.stdout, "node1")


def test_watch_waits_for_a_node_that_comes_back(fleet, tmp_path):
    fleet.slow_down()
    told = tmp_path / "told"
    with told.open("w") as file:
        watch = fleet.popen("request", *DOWNLOAD, *MEANT, "version", "V1", "watch", stdout=file)
    fleet.wait_states("downloading", "downloading")
    fleet.nodes[1].stop()
    wait_for(lambda: any("cannot be asked" in line for line in lines_of(told.read_text(), "node1")),
             what="the line that it is gone")
    fleet.nodes[1].start()
    _, err = watch.communicate(timeout=60 * SLOW)
    assert watch.returncode == 0, err
    for node in ("node0", "node1"):
        assert lines_of(told.read_text(), node)[-1].startswith(f"{node} V1 complete")


def test_watch_of_one_that_hangs(fleet):
    """The other is shown each second all the while, and the one is given up after half a minute."""
    fleet.slow_down()
    watch = fleet.popen("--json", "request", *DOWNLOAD, *MEANT, "version", "V1", "watch")
    fleet.wait_states("downloading", "downloading")
    with hanging(fleet.nodes[1]):
        out, err = watch.communicate(timeout=90 * SLOW)
    told = [json.loads(line) for line in out.splitlines()][2:]
    assert watch.returncode == 1
    assert f"node node1: it did not come back within 30 s: {NO_ANSWER}" in err
    of_first = [t for t in told if t["node"] == "node0"]
    hangs = next(i for i, t in enumerate(told) if t["node"] == "node1" and t["status"] == 0)
    assert told[hangs]["error"] == NO_ANSWER
    # While it was waited for those 5 s, the other was told of.
    before = [t["node"] for t in told[:hangs]]
    assert before[-3:] == ["node0"] * 3
    assert of_first[-1]["answer"]["state"] == "complete"


def test_watch_waits_for_a_conductor_that_is_killed(fleet):
    fleet.slow_down()
    watch = fleet.popen("request", *DOWNLOAD, *MEANT, "version", "V1", "watch")
    fleet.wait_states("downloading", "downloading")
    fleet.conductor.kill9()
    fleet.conductor.start()
    out, err = watch.communicate(timeout=120 * SLOW)
    assert watch.returncode == 0, out + err
    assert "the daemon is gone, waiting for it" in err
    for node in ("node0", "node1"):
        assert lines_of(out, node)[-1].startswith(f"{node} V1 complete")


def delete(fleet, path):
    fleet.conductor.delete("/v1/routers/router1" + path)


def delete_and_give_away(fleet, path):
    """Its port is the lowest that is free, and so the next node's of any router."""
    port = [n["listen-port"] for n in fleet.conductor.get("/v1/routers/router1").json["nodes"]][-1]
    delete(fleet, path)
    fleet.conductor.configure(router="router2", node="node7", asset_id="A7")
    given = fleet.conductor.get("/v1/routers/router2").json["nodes"][0]["listen-port"]
    assert given <= port


def reset(fleet, path):
    assert fleet.conductor.post(f"/v1/routers/router1{path}/reset").status == 200


@pytest.mark.parametrize("change, path, gone, why", [
    (delete_and_give_away, "", ["node0", "node1"], "it was deleted meanwhile"),
    (delete, "/nodes/node1", ["node1"], "it was deleted meanwhile"),
    (reset, "/nodes/node1", ["node1"], "its enrolment has ended: it was reset"),
], ids=["router", "node", "reset"])
def test_watch_of_one_that_is_deleted(fleet, change, path, gone, why):
    """Nobody is asked at its port any more, whoever has that now, and who reads is told."""
    fleet.slow_down()
    watch = fleet.popen("--json", "request", *DOWNLOAD, *MEANT, "version", "V1", "watch")
    fleet.wait_states("downloading", "downloading")
    change(fleet, path)
    with within(30):
        out, err = watch.communicate(timeout=60 * SLOW)
    assert watch.returncode == 1
    told = [json.loads(line) for line in out.splitlines()][2:]
    for node in gone:
        last = [t for t in told if t["node"] == node][-1]
        assert last["status"] == 404 and last["answer"] is None and why in last["error"]
        assert f"stewardctl: node {node}: {why}" in err
    for node in {"node0", "node1"} - set(gone):
        last = [t for t in told if t["node"] == node][-1]
        assert last["answer"]["state"] == "complete" and node not in err


def test_nothing_is_asked_of_who_was_reset(fleet):
    """Its session may stand for a moment yet: it is no longer who is meant."""
    reset(fleet, "/nodes/node1")
    asked = fleet.conductor.get("/v1/routers/router1/downloads?node=node1").json["nodes"]
    assert [(n["connected"], n["error"]) for n in asked] == [(False, NOT_CONNECTED)]


def test_stream_of_a_reader_that_goes(fleet):
    """Nothing is left of it: the conductor stops at once, and asks nobody any more."""
    for _ in range(20):
        events = Events(fleet.conductor, path="/v1/routers/router1/downloads/V1/events")
        name, told = next(iter(events))
        assert name == "nodes" and told == {"nodes": ["node0", "node1"]}
        events.connection.close()
    with within(5):
        fleet.conductor.stop()


# Nodes that are each other's peer.

def bytes_of(node, name):
    return sum(s["bytes"] for s in node.download("V1")["sources"] if s["name"] == name)


def test_sequenced(peers):
    """The first from the conductor, then the second from the first."""
    peers.slow_down()
    watch = peers.popen("request", *DOWNLOAD, *MEANT, "version", "V1", "sequenced", "watch")
    wait_for(lambda: peers.states() == ["downloading", "waiting-peer"], 30, "the sequence")
    assert all(node.download("V1")["sequenced"] for node in peers.nodes)
    out, err = watch.communicate(timeout=90 * SLOW)
    assert watch.returncode == 0, out + err
    assert any("waiting-peer" in line for line in lines_of(out, "node1"))
    assert lines_of(out, "node0")[-1].startswith("node0 V1 complete")
    assert lines_of(out, "node1")[-1].startswith("node1 V1 complete")
    size = len(peers.image.bytes)
    assert bytes_of(peers.nodes[0], "conductor-1") >= size
    assert bytes_of(peers.nodes[1], "ha-peer") >= size
    assert bytes_of(peers.nodes[1], "conductor-1") == 0


def test_at_once(peers):
    """Both start, neither waits, and they share."""
    peers.slow_down()
    peers.request(*MEANT, "version", "V1", check=0)
    wait_for(lambda: peers.states() == ["downloading", "downloading"], 30, "both")
    peers.wait_states("complete", "complete")
    for node in peers.nodes:
        assert bytes_of(node, "ha-peer") > 0 and bytes_of(node, "conductor-1") > 0


def test_sequenced_for_one_node(peers):
    """The second waits for a peer that has no such download, and takes all from it once that has."""
    told = peers.request(*MEANT, "node", "node1", "version", "V1", "sequenced", check=0)
    assert "node0" not in told.stdout
    wait_for(lambda: peers.states() == [None, "waiting-peer"], 30, "the waiting")
    peers.request(*MEANT, "node", "node0", "version", "V1", "sequenced", check=0)
    peers.wait_states("complete", "complete")
    assert bytes_of(peers.nodes[1], "conductor-1") == 0


def test_sequenced_without_a_peer(fleet):
    told = fleet.request(*MEANT, "version", "V1", "sequenced", check=1)
    assert "node node0: " in told.stderr and "node node1: " in told.stderr
    assert fleet.states() == [None, None]
