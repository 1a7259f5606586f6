# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sources are used at all, in which order, and that none delays another."""

import json
import subprocess
import time

import pytest

from fault_server import Fault
from repository import MIB
from steward import SLOW, STEWARDCTL, wait_for

pytestmark = pytest.mark.once

KINDS = ["ha-peer", "conductor", "artifactory", "mist-proxy"]
# docs/download.md, "Sources"
USED = {
    "internet-only": {"ha-peer", "artifactory", "mist-proxy"},
    "prefer-conductor": {"ha-peer", "conductor", "artifactory", "mist-proxy"},
    "conductor-only": {"ha-peer", "conductor"},
    "offline-mode": {"ha-peer", "conductor"},
}


def start(daemons, by_kind, mode="prefer-conductor", order=None, **options):
    """One source a kind; the HA peer is configured elsewhere."""
    sources = [{"name": kind, "kind": kind, "url": by_kind[kind].url}
               for kind in order or by_kind if kind != "ha-peer"]
    router = {}
    if "ha-peer" in by_kind:
        router = {"high-availability": {"peer-node": "node1", "peer-url": by_kind["ha-peer"].url}}
    return daemons(*sources, update={"access-mode": mode}, router=router, **options)


@pytest.mark.parametrize("mode", USED)
@pytest.mark.parametrize("kind", KINDS)
def test_cell(mode, kind, servers, daemons):
    server = servers()
    daemon = start(daemons, {kind: server}, mode)
    daemon.request("V1")
    if kind in USED[mode]:
        assert daemon.wait_state("V1", "complete")["active-source"] == kind
    else:
        failed = daemon.wait_state("V1", "failed")
        assert "no source" in failed["error"]
        assert server.requests == []
        assert daemon.get("/v1/versions?refresh=true").json == {"versions": [], "sources": []}


def test_order_of_kinds_is_not_the_files(servers, daemons):
    """Each kind is used only when those before it are unavailable."""
    by_kind = {kind: servers() for kind in KINDS}
    order = ["mist-proxy", "artifactory", "conductor"]
    daemon = start(daemons, by_kind, order=order)
    for i, kind in enumerate(KINDS):
        assert daemon.fetch("V1", force=True)["active-source"] == kind
        for other in KINDS[i + 1:]:
            assert by_kind[other].image_requests == 0
        by_kind[kind].faults.append(Fault("status", 403))
    assert [s["name"] for s in daemon.download("V1")["sources"]] == KINDS


def test_within_a_kind_the_files_order_counts(servers, daemons):
    first, second = servers(), servers()
    sources = [{"name": "conductor-1", "kind": "conductor", "url": first.url},
               {"name": "conductor-2", "kind": "conductor", "url": second.url}]
    daemon = daemons(*sources)
    assert daemon.fetch("V1")["active-source"] == "conductor-1"
    first.faults.append(Fault("status", 404, on="all"))
    assert daemon.fetch("V1", force=True)["active-source"] == "conductor-2"


def test_all_are_asked_at_once(servers, daemons):
    """A slow one delays nobody: the others are asked meanwhile, and the best of them is used."""
    slow = servers(Fault("late", 8, on="index"))
    others = [servers() for _ in range(3)]
    daemon = daemons(slow, *others, download={"stall-timeout": 20})
    daemon.request("V1")
    wait_for(lambda: all(s.of("index") for s in [slow, *others]), 3)
    begin = min(s.of("index")[0].at for s in [slow, *others])
    assert all(s.of("index")[0].at - begin < 1 for s in others)
    download = daemon.wait_state("V1", "complete", timeout=7)
    assert download["active-source"] == "s1"


def test_worse_and_slow_is_not_waited_for(servers, daemons):
    fast, slow = servers(), servers(Fault("late", 8, on="index"))
    daemon = daemons(fast, slow, download={"stall-timeout": 20})
    begin = None
    daemon.request("V1")
    daemon.wait_state("V1", "complete")
    begin = fast.of("index")[0].at
    assert fast.of("image")[0].at - begin < 2, "so long a better one would be waited for"


def test_forbidden_while_it_is_asked(servers, daemons):
    """The next source goes on at once, and who watches sees it complete."""
    conductor, vendor = servers(rate=MIB), servers()
    daemon = start(daemons, {"conductor": conductor, "artifactory": vendor})
    watch = subprocess.Popen([STEWARDCTL, "--socket", daemon.socket, "request", "system", "software",
                              "download", "version", "V1", "watch"], stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True)
    wait_for(lambda: daemon.download("V1").get("bytes-verified", 0) >= MIB)
    daemon.config["software-update"]["access-mode"] = "internet-only"
    daemon.write_config()
    assert daemon.post("/v1/reload").status == 200
    said = watch.communicate(timeout=60 * SLOW)[0]
    assert watch.returncode == 0, said
    assert daemon.download("V1")["active-source"] == "artifactory"
    assert "access-mode internet-only leaves out source conductor" in daemon.log
    assert "paused" not in daemon.log
    assert vendor.image_bytes <= 15 * MIB


def test_versions_by_source(servers, daemons, tmp_path, images, key):
    from repository import Repository

    other = Repository(tmp_path / "other").add("V2", images(1), key).add("V1", images(16), key)
    both, one, dead = servers(root=other.root), servers(), servers()
    dead.close()
    daemon = daemons(both, one, dead)
    answer = daemon.get("/v1/versions").json
    assert sorted(answer["versions"], key=lambda v: v["version"]) == [
        {"version": "V1", "sources": ["s0", "s1"]}, {"version": "V2", "sources": ["s0"]}]
    assert [(s["name"], s["kind"], bool(s["error"])) for s in answer["sources"]] == [
        ("s0", "artifactory", False), ("s1", "artifactory", False), ("s2", "artifactory", True)]
    n = len(one.of("index"))
    assert daemon.get("/v1/versions").json == answer
    assert len(one.of("index")) == n, "as last asked"
    daemon.get("/v1/versions?refresh=true")
    assert len(one.of("index")) == n + 1


def test_as_many_versions_as_an_index_holds(servers, daemons):
    """Two strangers offer 18,000 versions each, 8,000 of them the same: the daemon stays awake."""
    def index(first):
        names = [f"V{n}" for n in range(first, first + 18000)]
        return json.dumps({"versions": [{"version": v, "manifest": f"{v}/manifest.jws"}
                                        for v in names]}, separators=(",", ":")).encode()

    assert len(index(10000)) < MIB
    daemon = daemons(servers(Fault("body", index(0), on="index")),
                     servers(Fault("body", index(10000), on="index")))
    started = time.monotonic()
    versions = daemon.get("/v1/versions").json["versions"]
    assert time.monotonic() - started < 3 * SLOW
    assert [v["version"] for v in versions] == [f"V{n}" for n in range(28000)]
    assert versions[5] == {"version": "V5", "sources": ["s0"]}
    assert versions[15000]["sources"] == ["s0", "s1"]


def test_the_error_lists_each_source_and_what_it_said(servers, daemons):
    daemon = daemons(servers(Fault("status", 403, on="index")),
                     servers(Fault("status", 500, on="manifest")),
                     servers(Fault("html", on="index")), download={"attempts": 1})
    daemon.request("V1")
    error = daemon.wait_state("V1", "failed")["error"]
    for word in ("s0", "403", "s1", "500", "s2", "captive portal"):
        assert word in error, error


def test_a_source_without_the_version(servers, daemons, tmp_path, images, key):
    from repository import Repository

    other = Repository(tmp_path / "other").add("V2", images(1), key)
    daemon = daemons(servers(root=other.root), servers())
    daemon.fetch("V1")
    assert daemon.source_of("V1", "s0")["state"] == "no-version"
    daemon.request("V3")
    failed = daemon.wait_state("V3", "failed")
    assert "V3" in failed["error"] or "no source has" in failed["error"]
    assert failed["bytes-total"] in (0, None) and failed["bytes-fetched"] < MIB
