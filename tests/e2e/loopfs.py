# SPDX-License-Identifier: GPL-3.0-or-later
"""Small filesystems of their own: full, read-only, or cut off from power."""

import os
import subprocess


def run(*words):
    subprocess.run(words, check=True, capture_output=True)


class LoopFilesystem:
    """ext4, or another kind, on a file."""

    def __init__(self, directory, size=64 << 20, image=None, kind="ext4"):
        self.image = image or os.path.join(str(directory), "disk.img")
        self.path = os.path.join(str(directory), "mount")
        os.makedirs(self.path, exist_ok=True)
        if not image:
            with open(self.image, "wb") as file:
                file.truncate(size)
            run("mkfs." + kind, "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", "-m", "0",
                self.image)
        run("mount", "-o", "loop", self.image, self.path)

    def remount(self, how):
        run("mount", "-o", f"remount,{how}", self.path)

    def copy_as_after_a_power_cut(self, target):
        """What is in the page cache of the mounted filesystem is not in its backing file yet."""
        run("cp", "--sparse=always", self.image, target)

    def close(self):
        subprocess.run(["umount", "-l", self.path], check=False, capture_output=True)
