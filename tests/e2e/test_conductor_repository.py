# SPDX-License-Identifier: GPL-3.0-or-later
"""A conductor as a repository: it downloads by itself, serves its routers and its peer, and in
offline-mode offers what was imported and asks nobody but its peer."""

import contextlib
import http.client
import itertools
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading

import pytest

from conductor import Conductor
from conductor_pair import both_connected, host
from fault_server import FaultServer
from onboarding_world import Network, inside
from repository import MIB, Repository
from steward import QUICK, ctl, free_port, wait_for
from test_access_modes import KINDS
from test_download import sha256

pytestmark = [pytest.mark.slow, pytest.mark.release_only]

# docs/download.md, "Sources"; a conductor in offline-mode asks nobody but its peer.
USED = {
    "internet-only": ["ha-peer", "artifactory", "mist-proxy"],
    "prefer-conductor": ["ha-peer", "conductor", "artifactory", "mist-proxy"],
    "conductor-only": ["ha-peer", "conductor"],
    "offline-mode": ["ha-peer"],
}


class Node(Conductor):
    """A conductor with sources, a peer and an address where it listens."""

    def __init__(self, directory, key, sources=(), mode="prefer-conductor", peer=None,
                 address="127.0.0.1", prefix=(), **update):
        self.port = free_port()
        self.url = f"http://{address}:{self.port}/"
        listen = [{"address": address, "port": self.port}]
        leaves = {"software-update": {
            "access-mode": mode, "trusted-key": [key.public_path], "download": QUICK,
            "source": [self.source(i, s) for i, s in enumerate(sources)],
            "repository": {"listen": listen}, **update}}
        if peer:
            leaves["high-availability"] = {"peer-node": "conductor9",
                                           "peer-url": getattr(peer, "url", peer)}
        super().__init__(directory, **leaves)
        self.prefix = list(prefix)

    def set_mode(self, mode):
        self.config["software-update"]["access-mode"] = mode
        self.write_config()
        self.ctl("request system reload")

    def import_image(self, repository, version, image):
        self.ctl("import system software image", image.path, "manifest",
                 os.path.join(repository.root, version, "manifest.jws"))

    def ask(self, path, method="GET"):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            connection.request(method, path)
            reply = connection.getresponse()
            return reply.status, reply.read()

    @property
    def offered(self):
        status, body = self.ask("/index.json")
        assert status == 200
        return {v["version"]: v.get("imported", True) for v in json.loads(body)["versions"]}


@pytest.fixture
def nodes(key):
    """nodes(sources…, mode=…): a conductor's folder is open to sshd's user."""
    with contextlib.ExitStack() as made:
        def node(*sources, start=True, **options):
            directory = tempfile.mkdtemp(prefix="repository")
            made.callback(shutil.rmtree, directory)
            os.chmod(directory, 0o755)
            conductor = Node(directory, key, sources, **options)
            made.callback(conductor.stop)
            return conductor.start() if start else conductor
        yield node


@pytest.fixture
def two(tmp_path, images, key):
    repository = Repository(tmp_path / "two")
    for version, seed in (("V1", 1), ("V2", 2)):
        repository.add(version, images(16, seed), key)
    return repository


def kinds(by_kind, order=("mist-proxy", "artifactory", "conductor")):
    """Sources of a configuration, in an order that is not theirs."""
    return [{"name": kind, "kind": kind, "url": by_kind[kind].url} for kind in order]


def as_conductors(*conductors):
    return [{"name": f"conductor-{i + 1}", "kind": "conductor", "url": c.url}
            for i, c in enumerate(conductors)]


# --- it downloads by itself ---


@pytest.mark.parametrize("mode", USED)
def test_access_mode(mode, servers, nodes, two, images):
    """Each kind of USED is asked, the others not even connected to; then one is as good as the
    other, down to the last."""
    by_kind = {kind: servers(root=two.root) for kind in KINDS}
    conductor = nodes(*kinds(by_kind), mode=mode, peer=by_kind["ha-peer"])
    for kind in USED[mode]:
        conductor.ctl("request system software download version V1 force")
        assert conductor.wait_state("V1", "complete")["active-source"] == kind
        assert sha256(conductor.image_path("V1", "image-16-1.iso")) == images(16).sha256
        by_kind[kind].close()
    offers = conductor.get("/v1/versions?refresh=true").json
    assert [source["name"] for source in offers["sources"]] == USED[mode]
    for kind in KINDS:
        assert (by_kind[kind].accepted > 0) == (kind in USED[mode]), kind


def test_the_command_line_of_a_conductor(servers, nodes, two, images):
    """What a router's operator does on the router, without a router in the words."""
    server = servers(root=two.root)
    conductor = nodes(server)
    available = conductor.ctl("show system software available").stdout
    assert "V1" in available and "V2" in available and "s0" in available
    result = conductor.ctl("request system software download version V1 watch").stdout
    assert "complete" in result
    assert "complete" in conductor.ctl("show system software download").stdout
    assert "s0" in conductor.ctl("show system software download version V1").stdout
    conductor.import_image(two, "V2", images(16, 2))
    lines = conductor.ctl("show system software images").stdout.splitlines()
    assert [("V1" in line, "not imported" in line) for line in lines[1:]] == [
        (True, True), (False, False)]
    for version in ("V1", "V2"):
        assert version in conductor.ctl(f"request system software verify version {version}").stdout
    conductor.ctl("request system software delete version V1")
    assert list(conductor.offered) == ["V2"]
    assert "V1" in conductor.refuses("request system software delete version V1")
    server.rate = MIB
    conductor.ctl("request system software download version V1")
    for word, states in (("pause", ["paused"]), ("resume", ["queued", "discovering", "downloading"]),
                         ("cancel", ["cancelled"])):
        said = conductor.ctl(f"request system software download {word} version V1").stdout
        assert any(f"V1 is {state}" in said for state in states), said


def test_a_killed_conductor_goes_on_where_it_was(servers, nodes, two):
    server = servers(root=two.root, rate=2 * MIB)
    conductor = nodes(server)
    conductor.request("V1")
    wait_for(lambda: conductor.download("V1")["bytes-verified"] > 8 * MIB, 60, "half of it")
    conductor.kill9()
    server.rate = None
    before = server.image_bytes
    conductor.start()
    conductor.wait_state("V1", "complete")
    assert server.image_bytes - before < 12 * MIB  # 8 MiB and 4 pieces


# --- and serves what it has ---


def test_a_router_gets_it_from_its_conductor(servers, nodes, daemons, two, images):
    vendor = servers(root=two.root)
    conductor = nodes(vendor)
    router = daemons(*as_conductors(conductor), vendor)
    conductor.fetch("V1")
    fetched = vendor.image_bytes
    download = router.fetch("V1")
    assert [(s["kind"], s["bytes"]) for s in download["sources"]] == [
        ("conductor", 16 * MIB), ("artifactory", 0)]
    assert sha256(router.image_path("V1", "image-16-1.iso")) == images(16).sha256
    assert vendor.image_bytes == fetched
    # What it does not have comes from the next.
    assert router.fetch("V2")["active-source"] == "s1"


def test_only_reads_are_served(nodes, two, images):
    conductor = nodes()
    conductor.import_image(two, "V1", images(16))
    for path in ("/index.json", "/V1/manifest.jws", "/V1/image-16-1.iso", "/v1/downloads/V1"):
        for method in ("PUT", "POST", "DELETE", "PATCH"):
            assert conductor.ask(path, method)[0] == 405, (method, path)
    for path in ("/v1/downloads", "/v1/status", "/v1/images", "/v1/routers", "/v1/configuration",
                 "/metrics", "/", "/V1/", "/V1/.downloaded", "/V1/../index.json", "/V9/manifest.jws",
                 "/V1/image-16-1.iso.part", "/downloads/V1/request.json"):
        for method in ("GET", "HEAD"):
            assert conductor.ask(path, method)[0] == 404, (method, path)
    assert conductor.ask("/V1/image-16-1.iso", "HEAD") == (200, b"")


def test_a_file_that_cannot_be_read_is_not_one_that_is_not_there(nodes, two, images):
    """A router leaves a source for the attempt that says 404; what is the conductor's own trouble is
    503."""
    conductor = nodes()
    conductor.import_image(two, "V1", images(16))
    path = conductor.image_path("V1", "image-16-1.iso")
    os.rename(path, path + ".away")
    assert conductor.ask("/V1/image-16-1.iso")[0] == 404
    os.symlink(path + ".away", path)  # is followed by nobody
    status, body = conductor.ask("/V1/image-16-1.iso")
    assert status == 503 and b"cannot be read now" in body


def test_nobody_waits_for_another_to_leave(nodes, two, images):
    """More connections than the control socket takes: all stay, and the last is answered too."""
    conductor = nodes()
    conductor.import_image(two, "V1", images(16))
    with contextlib.ExitStack() as all_of_them:
        for _ in range(600):
            connection = http.client.HTTPConnection("127.0.0.1", conductor.port, timeout=10)
            all_of_them.callback(connection.close)
            connection.request("GET", "/V1/image-16-1.iso", headers={"Range": "bytes=5-14"})
            reply = connection.getresponse()
            assert reply.status == 206 and len(reply.read()) == 10


def test_the_peer_comes_first(servers, nodes, two):
    vendor = servers(root=two.root)
    first = nodes(vendor)
    second = nodes(vendor, peer=first)
    first.fetch("V1")
    before = vendor.image_bytes
    download = second.fetch("V1")
    assert download["active-source"] == "ha-peer" and vendor.image_bytes == before
    # It is taken from a peer that has it, and from others where that has not.
    assert second.fetch("V2")["active-source"] == "s0"


def test_a_peer_that_is_oneself(nodes):
    conductor = nodes(peer="http://127.0.0.1:9/", start=False)
    conductor.config["high-availability"]["peer-node"] = conductor.config["name"]
    conductor.write_config()
    conductor.start(wait=False)
    assert conductor.process.wait(20) == 78
    conductor.process = None
    assert "must be another node than this one" in conductor.log


# --- offline-mode ---


def test_nothing_but_imported_images_is_offered(servers, nodes, daemons, two, images):
    conductor = nodes(servers(root=two.root))
    conductor.fetch("V1")
    conductor.import_image(two, "V2", images(16, 2))
    assert conductor.offered == {"V1": False, "V2": True}
    conductor.set_mode("offline-mode")
    for _ in range(2):
        assert conductor.offered == {"V2": True}
        for path in ("manifest.jws", "image-16-1.iso"):
            assert conductor.ask(f"/V1/{path}")[0] == 404
        assert conductor.ask("/V2/manifest.jws")[0] == 200
        conductor.stop()  # nor after a start, which makes the index anew
        conductor.start()
    router = daemons(*as_conductors(conductor), download={"attempts": 1})
    assert router.fetch("V2")["active-source"] == "conductor-1"
    router.request("V1")
    assert "does not have V1" in router.wait_state("V1", "failed")["error"]
    # It was downloaded: the operator who has it on a medium brings it in by hand.
    image = images(16)
    said = conductor.refuses("import system software image", image.path, "manifest",
                             os.path.join(two.root, "V1", "manifest.jws"))
    assert "delete it to import it" in said
    conductor.ctl("request system software delete version V1")
    conductor.import_image(two, "V1", image)
    assert conductor.offered == {"V1": True, "V2": True}
    router.post("/v1/downloads", {"version": "V1"})
    router.wait_state("V1", "complete")


def test_a_router_in_offline_mode_takes_only_what_was_imported(servers, nodes, daemons, two, images):
    """Whatever mode its conductor is in."""
    conductor = nodes(servers(root=two.root))
    conductor.fetch("V1")
    conductor.import_image(two, "V2", images(16, 2))
    router = daemons(*as_conductors(conductor), update={"access-mode": "offline-mode"},
                     download={"attempts": 1})
    assert router.get("/v1/versions").json["versions"] == [
        {"version": "V2", "sources": ["conductor-1"]}]
    assert router.fetch("V2")["active-source"] == "conductor-1"
    router.request("V1")
    failed = router.wait_state("V1", "failed")
    assert "conductor-1: has V1, but it was not imported there" in failed["error"]
    assert failed["sources"][0]["state"] == "no-version" and failed["bytes-fetched"] == 0


def test_a_pair_imports_once(servers, nodes, daemons, two, images):
    """What came from a peer that has it as imported is imported; what came otherwise is not, and in
    offline-mode not taken."""
    vendor = servers(root=two.root)
    first = nodes(vendor)
    first.fetch("V1")
    first.import_image(two, "V2", images(16, 2))
    second = nodes(vendor, peer=first)
    for version in ("V1", "V2"):
        second.fetch(version)
    assert second.offered == first.offered == {"V1": False, "V2": True}
    third = nodes(vendor, peer=first, mode="offline-mode")
    third.fetch("V2")
    third.request("V1")
    assert "not imported there" in third.wait_state("V1", "failed")["error"]
    for conductor in (first, second, third):
        conductor.set_mode("offline-mode")
        assert conductor.offered == {"V2": True}
        router = daemons(*as_conductors(conductor), update={"access-mode": "offline-mode"})
        router.fetch("V2")


def test_offline_mode_ends_what_runs(servers, nodes, two):
    """At once: a download that began before asks the internet for nothing more. In the other mode it
    goes on where it was."""
    vendor = servers(root=two.root, rate=MIB)
    conductor = nodes(vendor)
    conductor.request("V1")
    wait_for(lambda: conductor.download("V1")["bytes-verified"] >= 4 * MIB, 60, "a part of it")
    conductor.set_mode("offline-mode")
    wait_for(lambda: vendor.in_flight == 0, 5, "the end of its requests")
    accepted, asked = vendor.accepted, len(vendor.requests)
    assert "no source" in conductor.wait_state("V1", "failed")["error"]
    assert (vendor.accepted, len(vendor.requests)) == (accepted, asked)
    assert "access-mode offline-mode leaves out source s0" in conductor.log
    before = vendor.image_bytes
    vendor.rate = None
    conductor.set_mode("prefer-conductor")
    conductor.ctl("request system software download version V1")
    conductor.wait_state("V1", "complete")
    assert vendor.image_bytes - before <= 13 * MIB  # what was verified is not fetched again


class Sniffer:
    """Who is talked to in a network namespace: (protocol, address, port) of every packet of IP that
    leaves, loopback's too."""

    def __init__(self, namespace, own):
        self.own = socket.inet_aton(own)
        self.seen = set()
        self.socket = inside(namespace, socket.socket, socket.AF_PACKET, socket.SOCK_DGRAM,
                             socket.htons(3))  # ETH_P_ALL
        self.socket.settimeout(0.2)
        self.is_over = False
        self.thread = threading.Thread(target=self.listen)
        self.thread.start()

    def listen(self):
        while not self.is_over:
            try:
                packet, address = self.socket.recvfrom(256)
            except TimeoutError:
                continue
            self.note(packet, address)

    def note(self, packet, address):
        if address[1] == 0x86DD and packet[24] != 0xFF:  # IPv6, but the kernel's own multicasts
            self.seen.add((packet[6], socket.inet_ntop(socket.AF_INET6, packet[24:40]), 0))
        if address[1] != 0x0800 or packet[12:16] not in (self.own, b"\x7f\0\0\1"):
            return
        head = 4 * (packet[0] & 15)
        self.seen.add((packet[9], socket.inet_ntoa(packet[16:20]),
                       int.from_bytes(packet[head + 2 : head + 4], "big")))

    def close(self):
        self.is_over = True
        self.thread.join()
        self.socket.close()
        return self.seen


@pytest.fixture
def world(two):
    """A conductor's network, with all the world at the wire's other end: the peer there serves, the
    rest is a black hole."""
    network = Network()
    with contextlib.closing(network):
        route = ["ip", "-n", network.conductor, "route", "add", "default", "via",
                 network.router_address]
        subprocess.run(route, check=True)
        subprocess.run(["ip", "-n", network.router, "addr", "add", "198.51.100.1/32", "dev", "lo"],
                       check=True)
        peer = inside(network.router, FaultServerAnywhere, two.root)
        with contextlib.closing(peer):
            peer.at = f"http://{network.router_address}:{peer.port}/"
            yield network, peer


class FaultServerAnywhere(FaultServer):
    """On each address of the namespace that it is made in."""

    def open(self):
        self.socket = socket.socket()
        self.socket.bind(("0.0.0.0", self.port))
        self.socket.listen(128)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.accept, args=(self.socket,), daemon=True).start()


@pytest.mark.parametrize("mode", ["offline-mode", "prefer-conductor"])
def test_who_is_talked_to(mode, nodes, world, two, images):
    """In offline-mode the peer alone: no other address, no name is asked for. In the default mode
    the same trap sees the others, or it would be none."""
    network, peer = world
    names = itertools.count()
    sources = [{"name": f"{kind}{next(names)}", "kind": kind, "url": url}
               for kind in ("conductor", "artifactory", "mist-proxy")
               for url in (f"http://198.51.100.1:{peer.port}/", "http://repository.example/",
                           "http://127.0.0.1:9/")]
    sniffer = Sniffer(network.conductor, network.address)
    try:
        conductor = nodes(*sources, mode=mode, peer=peer.at,
                          prefix=["ip", "netns", "exec", network.conductor])
        conductor.ctl("show system software available refresh")
        conductor.fetch("V1")
        conductor.ctl("request system software download version V9")
        conductor.wait_state("V9", "failed")
        conductor.import_image(two, "V2", images(16, 2))
        assert conductor.post("/v1/images/V2/verify").status == 200
        conductor.stop()
    finally:
        seen = sniffer.close()
    its_peer = (socket.IPPROTO_TCP, network.router_address, peer.port)
    assert its_peer in seen
    if mode == "offline-mode":
        assert seen == {its_peer}
    else:
        assert (socket.IPPROTO_TCP, "198.51.100.1", peer.port) in seen
        assert (socket.IPPROTO_TCP, "127.0.0.1", 9) in seen
        assert any(port == 53 for _, _, port in seen), "a name server"


# --- one of two dies ---

TRICKLE = 1 << 20  # bits a second: 48 MiB take minutes


def set_bandwidth(router, bits):
    router.config["software-update"]["max-bandwidth"] = bits
    router.write_config()
    assert router.post("/v1/reload").status == 200


def takes_over(router, dying, its_name, name):
    """The router downloads V1, 48 MiB, from one that is killed now and comes back."""
    def bytes_of(download, source):
        return next(s["bytes"] for s in download["sources"] if s["name"] == source)

    def from_the_other():
        download = router.download("V1")
        return download if bytes_of(download, name) else None

    dying.kill9()
    at = router.download("V1")["bytes-verified"]
    download = wait_for(from_the_other, 2, "bytes of the other")
    assert download["state"] == "downloading" and download["active-source"] == name
    assert at < 40 * MIB
    set_bandwidth(router, TRICKLE)  # until it would be there again
    dying.start()
    assert router.download("V1")["state"] == "downloading"
    set_bandwidth(router, "unlimited")
    download = router.wait_state("V1", "complete")
    assert download["active-source"] == name and download["attempt"] == 1
    left = next(s for s in download["sources"] if s["name"] == its_name)
    assert left["state"] == "unavailable" and left["bytes"] <= at + 16 * MIB  # and in flight
    assert bytes_of(download, name) >= 48 * MIB - left["bytes"]
    # Of what the first had sent only pieces that were not whole could be fetched again.
    assert download["bytes-fetched"] <= 48 * MIB + 4 * MIB


def test_the_other_takes_over_and_stays(nodes, daemons, tmp_path, images, key):
    """At once, with nothing fetched twice, and also when the first comes back."""
    image = images(48)
    repository = Repository(tmp_path / "large").add("V1", image, key)
    first, second = nodes(), nodes()
    for conductor in (first, second):
        conductor.import_image(repository, "V1", image)
    router = daemons(*as_conductors(first, second), update={"max-bandwidth": 40 << 20})
    router.request("V1")
    wait_for(lambda: router.download("V1")["bytes-verified"] > 12 * MIB, 30, "a quarter of it")
    takes_over(router, first, "conductor-1", "conductor-2")
    assert sha256(router.image_path("V1", os.path.basename(image.path))) == image.sha256


@pytest.mark.slow
def test_the_other_takes_over_through_its_tunnel(onboarding, pair, tmp_path, images, key):
    """The same, of two conductors that onboarded the router: each is reached by its tunnel alone."""
    image = images(48)
    repository = Repository(tmp_path / "large").add("V1", image, key)
    for conductor in pair:
        conductor.config["software-update"] = {"trusted-key": [key.public_path],
                                               "access-mode": "offline-mode"}
        conductor.write_config()
        conductor.stop()
        conductor.start()
        ctl(conductor, "import", "system", "software", "image", image.path, "manifest",
            os.path.join(repository.root, "V1", "manifest.jws"), check=0)
    pair[0].configure()
    router = onboarding.router(key=key, update={"max-bandwidth": 40 << 20})
    router.onboard(pair[0].token(), [host(pair[0])]).become_onboarded()
    wait_for(lambda: both_connected(router), 60, "both tunnels")
    wait_for(lambda: len(router.get("/v1/versions?refresh=true").json["sources"]) == 2, 30,
             "both repositories")
    router.request("V1")
    active = wait_for(lambda: router.download("V1")["active-source"], 30, "a source")
    wait_for(lambda: router.download("V1")["bytes-verified"] > 12 * MIB, 30, "a quarter of it")
    reached = router.onboarding["conductors"][int(active[-1]) - 1]["host"]
    dying = next(conductor for conductor in pair if host(conductor) == reached)
    takes_over(router, dying, active, {"conductor-1": "conductor-2"}.get(active, "conductor-1"))
    assert sha256(router.image_path("V1", os.path.basename(image.path))) == image.sha256
