# SPDX-License-Identifier: GPL-3.0-or-later
"""The daemons of Debian's other release, in its chroot, but with our network and our temporary files."""

import subprocess
import tempfile

from onboarding_world import Conductor, Router
from steward import ROOT

# Debian 13 has OpenSSL 3.5 and OpenSSH 10; 12 has neither ML-KEM nor mlkem768x25519-sha256.
HAS_KEM = {"bookworm": False, "trixie": True}


def shell(line, *words):
    """With the other release as the first word."""
    return ["bash", "-c", f'. {ROOT}/script/lib/chroot.sh && set -- "$(chroot_other)" "$@" && {line}',
            "bash", *words]


def run(line, *words):
    result = subprocess.run(shell(line, *words), cwd=ROOT, text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT)
    assert result.returncode == 0, result.stdout[-5000:]
    return result.stdout


THERE = run('echo "$1"').strip()
(HERE,) = HAS_KEM.keys() - {THERE}


def folder():
    return run('echo "$(chroot_root "$1").source"').strip()


def build():
    """And whom the tunnels' sshd runs as, as the package makes it."""
    run('chroot_build "$1"')
    run('chroot_run "$1" "$2" sh -c "id steward-tunnel ||'
        ' useradd --system --shell /usr/sbin/nologin steward-tunnel"', folder())


def program(name):
    return f"/src/steward/build/release/src/{name}"


def prefix():
    return shell('chroot_exec "$@"', folder(), tempfile.gettempdir())


class ConductorThere(Conductor):
    program = program("conductord")

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.prefix += prefix()


class RouterThere(Router):
    program = program("stewardd")

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.prefix += prefix()
