# SPDX-License-Identifier: GPL-3.0-or-later
"""The Debian packages, and them with a lower number."""

import glob
import os
import shutil

from image import run

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NAMES = ["steward-common", "steward-conductor", "steward-router", "stewardctl"]
PAGE = "cockpit-steward"  # not for the machine, which has no Cockpit


def tree(target):
    """What would be packaged here, in another folder that git does not know."""
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    for name in filter(None, listed.split("\0")):
        os.makedirs(os.path.dirname(os.path.join(target, name)), exist_ok=True)
        shutil.copy(os.path.join(ROOT, name), os.path.join(target, name))
    return target


def build(root, target, scratch):
    """The path of each package, by its name. What lintian has to say fails."""
    os.makedirs(scratch)
    run("nice", os.path.join(root, "script/package"), "--to", target,
        env={**os.environ, "TMPDIR": str(scratch)})
    made = {os.path.basename(path).split("_")[0]: path
            for path in glob.glob(os.path.join(target, "*.deb"))}
    return {name: made[name] for name in [*NAMES, PAGE]}


def lowered(path, target, scratch):
    """The same with the number 0.0.1, as it would have been before."""
    version = run("dpkg-deb", "-f", path, "Version").strip()
    folder = os.path.join(scratch, os.path.basename(path))
    run("dpkg-deb", "-R", path, folder)
    control = os.path.join(folder, "DEBIAN/control")
    with open(control) as file:
        text = file.read()
    with open(control, "w") as file:
        file.write(text.replace(f"Version: {version}", "Version: 0.0.1")
                   .replace(f"(= {version})", "(= 0.0.1)"))
    run("dpkg-deb", "--root-owner-group", "-Zgzip", "-b", folder, target)
