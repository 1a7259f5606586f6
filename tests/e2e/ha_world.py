# SPDX-License-Identifier: GPL-3.0-or-later
"""Two nodes of one router, each the other's HA peer: on addresses of the loop, or each in a network
namespace of its own, with a fast link between them and a narrow one to the sources."""

import contextlib
import http.client
import os
import re
import subprocess

from steward import SLOW, Daemon, Reply, free_port, wait_for

PATIENCE = 3


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

    def close(self):
        for node in self.nodes:
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


def run(*words, check=True):
    subprocess.run(words, check=check, capture_output=True)


class Wire:
    """Two nodes' namespaces, a link between them, and a bridge to a third one where nginx serves
    root. All that nginx sends passes one token bucket of wan bits/s."""

    addresses = ("10.96.0.1", "10.96.0.2")
    port = 8930
    url = "http://10.97.0.3:8080/"

    def __init__(self, directory, root, wan="20mbit", ha=None):
        self.directory = os.path.join(directory, "nginx")
        self.log_path = os.path.join(self.directory, "access.log")
        mark = f"ha{os.getpid()}"
        self.nodes = [mark + "n0", mark + "n1"]
        self.far = mark + "far"
        self.nginx = None
        self.made = contextlib.ExitStack()
        try:
            for name in (*self.nodes, self.far):
                run("ip", "netns", "add", name)
                self.made.callback(run, "ip", "netns", "del", name, check=False)
                run("ip", "-n", name, "link", "set", "lo", "up")
            self.lay(wan, ha)
            self.serve(root)
        except BaseException:
            self.close()
            raise

    def lay(self, wan, ha):
        n0, n1 = self.nodes
        run("ip", "-n", n0, "link", "add", "ha", "type", "veth", "peer", "ha", "netns", n1)
        run("ip", "-n", self.far, "link", "add", "wan", "type", "bridge")
        run("ip", "-n", self.far, "addr", "add", "10.97.0.3/24", "dev", "wan")
        run("ip", "-n", self.far, "link", "set", "wan", "up")
        for i, node in enumerate(self.nodes):
            run("ip", "-n", node, "addr", "add", f"{self.addresses[i]}/30", "dev", "ha")
            run("ip", "-n", node, "link", "set", "ha", "up")
            if ha:
                self.shape(node, "ha", ha)
            run("ip", "-n", node, "link", "add", "wan", "type", "veth", "peer", f"to{i}", "netns",
                self.far)
            run("ip", "-n", node, "addr", "add", f"10.97.0.{1 + i}/24", "dev", "wan")
            run("ip", "-n", node, "link", "set", "wan", "up")
            run("ip", "-n", self.far, "link", "set", f"to{i}", "master", "wan", "up")
        self.shape(self.far, "wan", wan)

    @staticmethod
    def shape(namespace, device, rate):
        run("tc", "-n", namespace, "qdisc", "add", "dev", device, "root", "tbf", "rate", rate,
            "burst", "64kb", "latency", "50ms")

    def set_ha(self, up):
        """Nobody is told: what is sent over a link that is down is lost."""
        run("ip", "-n", self.nodes[0], "link", "set", "ha", "up" if up else "down")

    def serve(self, root):
        os.makedirs(self.directory)
        configuration = os.path.join(self.directory, "nginx.conf")
        # A small buffer: what nginx calls sent is what went over the wire, but for some KiB.
        with open(configuration, "w") as file:
            file.write(f"""
                daemon off; worker_processes 1; pid {self.directory}/pid; user root;
                events {{ worker_connections 256; }}
                http {{
                    log_format bytes '$remote_addr $status $body_bytes_sent $uri';
                    access_log {self.log_path} bytes;
                    client_body_temp_path {self.directory}/t1; proxy_temp_path {self.directory}/t2;
                    fastcgi_temp_path {self.directory}/t3; uwsgi_temp_path {self.directory}/t4;
                    scgi_temp_path {self.directory}/t5;
                    sendfile on; sendfile_max_chunk 64k;
                    server {{ listen 10.97.0.3:8080 sndbuf=64k; root {root}; }}
                }}""")
        self.nginx = subprocess.Popen(
            ["ip", "netns", "exec", self.far, "nginx", "-p", self.directory, "-e",
             f"{self.directory}/error.log", "-c", configuration])
        wait_for(lambda: os.path.exists(f"{self.directory}/pid"), what="nginx")

    def image_bytes(self, node=None):
        """Body bytes of images that nginx sent, to one of the nodes or to both."""
        wanted = f"10.97.0.{1 + node} " if node is not None else ""
        with open(self.log_path) as file:
            return sum(int(line.split()[2]) for line in file
                       if line.startswith(wanted) and re.search(r"\.iso$", line.rstrip()))

    def pair(self, directory, key, **options):
        prefixes = [["ip", "netns", "exec", node] for node in self.nodes]
        return Pair(directory, key, [self.url], addresses=self.addresses,
                    ports=[self.port, self.port], prefixes=prefixes, **options)

    def close(self):
        if self.nginx:
            self.nginx.terminate()
            self.nginx.wait()
        self.made.close()
