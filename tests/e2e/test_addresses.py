# SPDX-License-Identifier: GPL-3.0-or-later
"""A name with several addresses, of which some are silent, refuse, or answer wrongly: the next one is
tried within a second, and who failed is not the first again."""

import os
import re
import subprocess
import time

import pytest

from certificates import Authority
from netns import run
from nginx import Nginx
from steward import SLOW, wait_for
from test_download import sha256

NAME = "images.test"
PORT = 8080

HOLD = ("import socket, sys, time; s = socket.create_server((sys.argv[1], int(sys.argv[2])));"
        "k = [];\nwhile True: k.append(s.accept())")


class Addresses:
    """A namespace of its own in which NAME has the addresses of a row: what each does."""

    def __init__(self, directory, root):
        self.directory, self.root = directory, root
        self.name = f"stewarda{os.getpid()}"
        self.inside = ("ip", "netns", "exec", self.name)
        self.processes, self.good = [], None
        run("ip", "netns", "add", self.name)
        run(*self.inside, "ip", "link", "set", "lo", "up")
        self.nft("add table inet f; add chain inet f in "
                 "{ type filter hook input priority 0; }; add counter inet f silent")

    def nft(self, text):
        run(*self.inside, "nft", text)

    def add(self, row, tls=""):
        hosts = ["127.0.0.1 localhost"]
        for i, (family, what) in enumerate(row, 1):
            address = f"10.9.9.{i}" if family == 4 else f"2001:db8::{i}"
            run(*self.inside, "ip", "addr", "add", address + ("/32" if family == 4 else "/128"),
                "dev", "lo", *(() if family == 4 else ("nodad",)))
            hosts.append(f"{address} {NAME}")
            getattr(self, what)(address, family, i, tls)
        os.makedirs(f"/etc/netns/{self.name}", exist_ok=True)
        with open(f"/etc/netns/{self.name}/hosts", "w") as file:
            file.write("\n".join(hosts) + "\n")
        return self

    def silent(self, address, family, *_):
        word = "ip" if family == 4 else "ip6"
        self.nft(f"add rule inet f in {word} daddr {address} tcp dport {PORT} "
                 "counter name silent drop")

    def refuses(self, *_):
        pass

    def holds(self, address, *_):
        self.processes.append(subprocess.Popen(
            [*self.inside, "/usr/bin/python3", "-c", HOLD, address, str(PORT)]))

    def web(self, address, family, i, server):
        shown = address if family == 4 else f"[{address}]"
        return Nginx(self.directory / f"nginx{i}", self.root, server=server, address=shown,
                     port=PORT, prefix=self.inside, parameters="ssl" if "ssl_" in server else "")

    def broken(self, address, family, i, tls):
        self.processes.append(self.web(address, family, i, tls + "return 502;"))

    def serves(self, address, family, i, tls):
        self.good = self.web(address, family, i, tls + "keepalive_timeout 0;")
        self.processes.append(self.good)

    @property
    def packets_to_silent(self):
        text = subprocess.run([*self.inside, "nft", "list", "counter", "inet", "f", "silent"],
                              check=True, capture_output=True, text=True).stdout
        return int(re.search(r"packets (\d+)", text)[1])

    def close(self):
        for each in self.processes:
            each.close() if isinstance(each, Nginx) else each.kill()
        subprocess.run(["ip", "netns", "del", self.name], check=False)
        subprocess.run(["rm", "-rf", f"/etc/netns/{self.name}"], check=False)


@pytest.fixture
def addresses(tmp_path, repository):
    made = Addresses(tmp_path, repository.root)
    yield made
    made.close()


ROWS = {
    "second-of-two": [(4, "silent"), (4, "serves")],
    "third-of-three": [(4, "silent"), (4, "silent"), (4, "serves")],
    "fourth-of-four": [(4, "silent"), (4, "silent"), (4, "silent"), (4, "serves")],
    "ipv6-is-silent": [(6, "silent"), (4, "serves")],
    "two-of-ipv6-are-silent": [(6, "silent"), (6, "silent"), (4, "serves")],
    "ipv4-is-silent": [(4, "silent"), (6, "serves")],
    "refuses-and-silent": [(4, "refuses"), (4, "silent"), (4, "serves")],
}


@pytest.mark.xdist_group("network")
@pytest.mark.parametrize("row", ROWS)
def test_next_address(row, addresses, daemons, images):
    addresses.add(ROWS[row])
    daemon = daemons(f"http://{NAME}:{PORT}/", prefix=addresses.inside,
                     download={"connect-timeout": 10})
    began = time.monotonic()
    daemon.request("V1")
    wait_for(lambda: addresses.good.replies, what="the first reply")
    # A quarter of a second for each that is silent; within one in any case.
    assert time.monotonic() - began <= (1 + 0.25 * len(ROWS[row])) * SLOW
    asked = addresses.packets_to_silent
    assert daemon.wait_state("V1", "complete")["attempt"] == 1
    assert sha256(daemon.image_path("V1", os.path.basename(images(16).path))) == images(16).sha256
    source = daemon.source_of("V1", "s0")
    assert source["failures"] == 0
    # Each request had a connection of its own, and went to the address that serves at once. Of those
    # that were asked at first a packet may have been sent again since.
    assert addresses.packets_to_silent < asked + len(ROWS[row])


@pytest.mark.xdist_group("network")
def test_broken_address(addresses, daemons):
    """It answers 502 to everything: the attempt goes on at the other one."""
    addresses.add([(4, "broken"), (4, "serves")])
    daemon = daemons(f"http://{NAME}:{PORT}/", prefix=addresses.inside,
                     download={"attempts": 3, "initial-retry-delay": 0})
    daemon.request("V1")
    assert daemon.wait_state("V1", "complete")["attempt"] <= 2


@pytest.mark.xdist_group("network")
def test_address_without_tls(addresses, daemons, tmp_path):
    """It takes the connection and says nothing."""
    authority = Authority(tmp_path, "ca")
    certificate, key = authority.issue(NAME)
    addresses.add([(4, "holds"), (4, "serves")],
                  f"ssl_certificate {certificate}; ssl_certificate_key {key}; ")
    daemon = daemons({"name": "s0", "kind": "artifactory", "url": f"https://{NAME}:{PORT}/",
                      "ca-certificate": authority.path}, prefix=addresses.inside,
                     download={"connect-timeout": 30})
    began = time.monotonic()
    daemon.request("V1")
    wait_for(lambda: addresses.good.replies, what="the first reply")
    assert time.monotonic() - began <= 3 * SLOW
    assert daemon.wait_state("V1", "complete")["attempt"] == 1


@pytest.mark.xdist_group("network")
def test_none_answers(addresses, daemons):
    """The error names each address, and what became of it."""
    addresses.add([(4, "silent"), (4, "refuses")])
    daemon = daemons(f"http://{NAME}:{PORT}/", prefix=addresses.inside,
                     download={"connect-timeout": 1, "attempts": 1})
    daemon.request("V1")
    error = daemon.wait_state("V1", "failed")["error"]
    assert "10.9.9.1 port 8080: Timeout" in error
    assert "10.9.9.2 port 8080: connection refused" in error
