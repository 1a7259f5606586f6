# SPDX-License-Identifier: GPL-3.0-or-later
"""A conductor, and its command line."""

import fcntl
import os
import pwd
import subprocess

from certificates import Authority
from steward import CONDUCTORD, STEWARDCTL, Daemon, free_port

TUNNEL_USER = "steward-tunnel"
SCO = "secure-conductor-onboarding"


def provide_tunnel_user():
    """As the package does: once, whoever comes first."""
    with open("/tmp/steward-tunnel-user.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            pwd.getpwnam(TUNNEL_USER)
        except KeyError:
            subprocess.run(["useradd", "--system", "--shell", "/usr/sbin/nologin", TUNNEL_USER],
                           check=True, capture_output=True)


class Conductor(Daemon):
    program, role = CONDUCTORD, "steward:conductor"

    def __init__(self, directory, **leaves):
        super().__init__(directory)
        provide_tunnel_user()
        self.authority = Authority(directory, "conductors")
        certificate, key = self.authority.issue("conductor1")
        self.config = {"name": "conductor1", "address": "127.0.0.1", "port": free_port(),
                       "certificate": certificate, "private-key": key,
                       "ca-certificate": self.authority.path,
                       "registry": "sqlite:" + os.path.join(str(directory), "registry"),
                       "state-directory": self.state,
                       "control": {"socket": self.socket},
                       "software-update": {"repository": {"listen": [
                           {"address": "127.0.0.1", "port": free_port()}]}}, **leaves}
        os.makedirs(self.state, exist_ok=True)
        self.write_config()

    def ctl(self, line, *more, check=0, **options):
        """A command; what has blanks in it comes behind."""
        result = subprocess.run([STEWARDCTL, "--socket", self.socket, *line.split(), *more],
                                text=True, capture_output=True, timeout=60, **options)
        assert check is None or result.returncode == check, result.stdout + result.stderr
        return result

    def router(self, name="router1", mode="psk-only", asset_id="ASSET-1"):
        self.ctl(f"configure authority router {name} node node0 asset-id {asset_id}")
        self.ctl(f"configure authority router {name} system {SCO} mode {mode}")

    def token(self, router="router1", more=""):
        return self.ctl(f"create {SCO} token router {router} {more}").stdout.strip()

    def refuses(self, line, *more, **options):
        """Its reason."""
        result = self.ctl(line, *more, check=1, **options)
        assert result.stdout == "" and result.stderr.startswith("stewardctl: ")
        return result.stderr[len("stewardctl: "):].rstrip("\n")
