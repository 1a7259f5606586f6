"""Two nodes of one router, each the other's HA peer: on addresses of the loop, or each in a network
namespace of its own, with a fast link between them and a narrow one to the sources."""

import http.client
import os
import re
import signal
import socket
import subprocess
import time

from steward import Daemon, Reply, SLOW, wait_for

PATIENCE = 3


def free_port(address):
    with socket.socket() as s:
        s.bind((address, 0))
        return s.getsockname()[1]


class Pair:
    """node0, which sorts first and leads a sequence, and node1."""

    def __init__(self, directory, key, sources=(), addresses=("127.0.0.2", "127.0.0.3"), urls=None,
                 ports=None, patience=PATIENCE, download=None, prefixes=((), ()),
                 environments=({}, {})):
        self.addresses = addresses
        self.ports = ports or [free_port(a) for a in addresses]
        self.urls = urls or [f"http://{a}:{p}/" for a, p in zip(addresses, self.ports)]
        self.nodes = []
        for i in (0, 1):
            folder = os.path.join(directory, f"node{i}")
            os.makedirs(folder)
            self.nodes.append(Daemon(
                folder, key, sources, download=download, prefix=prefixes[i],
                environment=environments[i],
                update={"repository": {"listen": [{"address": addresses[i],
                                                   "port": self.ports[i]}]}},
                router={"node": f"node{i}",
                        "high-availability": {"peer-node": f"node{1 - i}",
                                              "peer-url": self.urls[1 - i],
                                              "peer-patience": patience}}))
        self.leader, self.second = self.nodes

    def start(self):
        for node in self.nodes:
            node.start()
        return self

    def stop(self):
        for node in self.nodes:
            if node.process:
                node.stop()

    def shared(self, i, method, path, headers=None):
        """What node i's repository answers."""
        connection = http.client.HTTPConnection(self.addresses[i], self.ports[i],
                                                timeout=30 * SLOW)
        try:
            connection.request(method, path, headers=headers or {})
            return Reply(connection.getresponse())
        finally:
            connection.close()


def verified(node, version):
    return node.download(version)["bytes-verified"]


def wait_verified(node, version, share, timeout=60):
    """Until that share of the image is there; not complete."""
    def reached():
        download = node.download(version)
        assert download["state"] in ("queued", "discovering", "downloading"), download
        total = download["bytes-total"]
        return download if total and download["bytes-verified"] >= share * total else None
    return wait_for(reached, timeout, f"{share:.0%} of {version}")
