# SPDX-License-Identifier: GPL-3.0-or-later
"""A peer in a network namespace of its own that never answers."""

import os
import subprocess


def run(*words):
    subprocess.run(words, check=True, capture_output=True)


class Network:
    def __init__(self):
        self.name = f"steward{os.getpid()}"
        self.here, self.there = f"st{os.getpid()}a", f"st{os.getpid()}b"
        # Each has a subnet of its own: others may run at the same time.
        net = 4 * (os.getpid() % (1 << 14))
        us, self.black_hole = (f"10.93.{(net + n) >> 8}.{(net + n) & 255}" for n in (1, 2))
        run("ip", "netns", "add", self.name)
        run("ip", "link", "add", self.here, "type", "veth", "peer", self.there, "netns",
            self.name)
        run("ip", "addr", "add", us + "/30", "dev", self.here)
        run("ip", "link", "set", self.here, "up")
        inside = ("ip", "-n", self.name)
        run(*inside, "addr", "add", self.black_hole + "/30", "dev", self.there)
        run(*inside, "link", "set", self.there, "up")
        run(*inside, "route", "add", "blackhole", us + "/32")

    def close(self):
        subprocess.run(["ip", "netns", "del", self.name], check=False)
        subprocess.run(["ip", "link", "del", self.here], check=False, capture_output=True)
