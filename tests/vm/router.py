# SPDX-License-Identifier: GPL-3.0-or-later
"""Steward on the machine's disk, as an administrator would install it."""

import json
import os

from image import run, write

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("STEWARD_BUILD", "build/release"))
SECRETS = ["/etc/steward/secrets", "/var/lib/steward/secrets"]

# The firmware measures its tables into PCR 1.
CONFIGURATION = {"steward:router": {
    "name": "router1", "node": "node0",
    "configuration-integrity": {"enabled": True, "directory": SECRETS, "pcr": [1]}}}


def check_libraries(root):
    """What is missing would look like an integrity event of its own."""
    for folder in ("/usr/local/sbin", "/usr/local/bin"):
        for program in os.listdir(root + folder):
            listed = run("chroot", root, "ldd", os.path.join(folder, program))
            assert "not found" not in listed, f"{program}: the image lacks a library:\n{listed}"


def install(root):
    run("cmake", "--install", BUILD, env={**os.environ, "DESTDIR": root})
    check_libraries(root)
    run("systemd-sysusers", "--root", root)
    write(os.path.join(root, "etc/steward/steward.json"), json.dumps(CONFIGURATION))
    run("systemctl", "--root", root, "enable", "integrity-handler.service", "stewardd.service")
