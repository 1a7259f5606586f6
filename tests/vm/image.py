# SPDX-License-Identifier: GPL-3.0-or-later
"""The Debian that the tests boot: built by debootstrap from where apt gets its packages, kept for
the next run.

    /usr/bin/python3 tests/vm/image.py       builds it, if it is not there, and says where it is

The cache ($STEWARD_VM_CACHE, /var/cache/steward-vm) has one folder for each recipe, named by the
digest of all that goes into it: this file and the release that apt knows. It is made under another
name and renamed when whole. Each may be removed at any time when no test runs.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys

CACHE = os.environ.get("STEWARD_VM_CACHE", "/var/cache/steward-vm")
RELEASE = "bookworm"
SIZE = 2 << 30
PASSWORD = "router"  # root's, on the serial console

PACKAGES = """
    systemd-sysv udev kmod linux-image-cloud-amd64 busybox-static
    openssh-server iproute2 procps fscrypt
    libtss2-esys-3.0.2-0 libtss2-tctildr0 libtss2-tcti-device0 libtss2-mu0 libtss2-rc0
    libuv1 libcurl4 libmicrohttpd12 libyang2 libcjson1 libsystemd0 libssl3 libwolfssl35
    libsqlite3-0 libpq5
""".split()

# What only makes a boot longer here: half a second each, and a module of 1.4 MB.
MASKED = """
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer
    e2scrub_reap.service fstrim.timer systemd-tmpfiles-clean.timer
    getty@tty1.service getty-static.service
    dev-hugepages.mount dev-mqueue.mount sys-fs-fuse-connections.mount sys-kernel-config.mount
    sys-kernel-debug.mount sys-kernel-tracing.mount proc-sys-fs-binfmt_misc.automount
    modprobe@configfs.service modprobe@dm_mod.service modprobe@drm.service
    modprobe@efi_pstore.service modprobe@fuse.service modprobe@loop.service
    systemd-logind.service systemd-network-generator.service systemd-pstore.service
    systemd-random-seed.service systemd-sysusers.service systemd-update-utmp.service
    systemd-update-utmp-runlevel.service systemd-networkd-wait-online.service
""".split()
BLACKLIST = "kvm kvm_amd kvm_intel ata_piix ata_generic".split()

# The kernel has all but virtio built in: a second is enough to get to the disk.
INIT = """#!/bin/busybox sh
for module in /modules/*; do /bin/busybox insmod $module; done
/bin/busybox mount -t devtmpfs dev /dev
until [ -b /dev/vda ]; do /bin/busybox sleep 0.1; done
/bin/busybox mount -t ext4 /dev/vda /root
/bin/busybox mount --move /dev /root/dev
exec /bin/busybox switch_root /root /sbin/init
"""

FILES = {
    "etc/hostname": "router1\n",
    "etc/hosts": "127.0.0.1 localhost router1\n",
    # Without one systemd takes the boot for the first, and enables what presets say.
    "etc/machine-id": "1e57ab1e0000400080005e7ea4d0c0de\n",
    "etc/fstab": "",
    "etc/modprobe.d/lean.conf": "".join(f"blacklist {module}\n" for module in BLACKLIST),
    "etc/systemd/network/lan.network":
        "[Match]\nName=en*\n"
        "[Network]\nAddress=10.0.2.15/24\nGateway=10.0.2.2\nLinkLocalAddressing=no\n",
    "etc/systemd/journald.conf.d/persistent.conf": "[Journal]\nStorage=persistent\n",
}


def run(*words, **options):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, **options)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, words))}: exit {done.returncode}\n"
                           f"{done.stdout[-4000:]}")
    return done.stdout


class Mirror:
    """Where apt gets the release from, and what it trusts there, as apt itself says."""

    def __init__(self):
        line = self.target() or (run("apt-get", "update", "-q") and self.target())
        if not line:
            raise RuntimeError(f"apt has no source for Debian's {RELEASE}, main")
        self.url, self.version, sources = line
        entry = self.entry(*sources.rsplit(":", 1))
        keyring = re.search(r"signed-by[=:]\s*(/[^\s\]]+)", entry, re.I)
        self.keyring = keyring and keyring.group(1)
        self.unsigned = bool(re.search(r"\btrusted[=:]\s*yes\b", entry, re.I))

    @staticmethod
    def target():
        form = "$(CODENAME) $(LABEL) $(COMPONENT) $(REPO_URI) $(VERSION) $(SOURCESENTRY)"
        for line in run("apt-get", "indextargets", "--format", form,
                        "Created-By: Packages").splitlines():
            if line.startswith(f"{RELEASE} Debian main "):
                return line.split(maxsplit=5)[3:]
        return None

    @staticmethod
    def entry(path, number):
        """One entry of a source list: by its line, or of the newer format by its paragraph."""
        with open(path) as file:
            text = file.read()
        parts = re.split(r"\n\s*\n", text) if path.endswith(".sources") else text.splitlines()
        return parts[int(number) - 1]

    @staticmethod
    def proxies():
        """debootstrap fetches with wget, which looks into its environment."""
        environment = {}
        for scheme in ("http", "https"):
            said = run("apt-config", "shell", "proxy", f"Acquire::{scheme}::Proxy")
            match = re.search(r"proxy='([^']*)'", said)
            if match and match.group(1) not in ("", "DIRECT"):
                environment[f"{scheme}_proxy"] = match.group(1)
        return environment

    def debootstrap(self, root):
        trust = ["--no-check-gpg"] if self.unsigned else []
        if self.keyring and not self.unsigned:
            trust = [f"--keyring={self.keyring}"]
        run("debootstrap", "--variant=minbase", "--include=" + ",".join(PACKAGES), *trust, RELEASE,
            root, self.url, env={**os.environ, **self.proxies()})


@contextlib.contextmanager
def mounted(disk, mountpoint):
    """The disk of a machine that is off."""
    os.makedirs(mountpoint, exist_ok=True)
    run("mount", "-o", "loop", disk, mountpoint)
    try:
        yield mountpoint
    finally:
        run("umount", mountpoint)
        os.rmdir(mountpoint)


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, mode)


def configure(root):
    for name, text in FILES.items():
        write(os.path.join(root, name), text)
    run("chroot", root, "chpasswd", input=f"root:{PASSWORD}\n")
    run("systemctl", "--root", root, "mask", *MASKED)
    run("systemctl", "--root", root, "enable", "systemd-networkd.service", "ssh.service")
    for leftover in ("var/cache/apt/archives", "var/lib/apt/lists"):
        shutil.rmtree(os.path.join(root, leftover))
        os.makedirs(os.path.join(root, leftover, "partial"))


def kernel_version(root):
    (version,) = os.listdir(os.path.join(root, "lib/modules"))
    return version


def virtio_modules(root):
    """In the order in which they have to be loaded."""
    paths = []
    for module in ("virtio_pci", "virtio_blk"):
        shown = run("chroot", root, "modprobe", "--set-version", kernel_version(root),
                    "--show-depends", module)
        paths += re.findall(r"^insmod (\S+)", shown, re.M)
    return list(dict.fromkeys(paths))


def make_initrd(root, target, scratch):
    for folder in ("bin", "dev", "root", "modules"):
        os.makedirs(os.path.join(scratch, folder))
    busybox = os.path.join(root, "bin/busybox")
    shutil.copy(busybox, os.path.join(scratch, "bin/busybox"))
    for number, path in enumerate(virtio_modules(root)):
        shutil.copy(root + path, os.path.join(scratch, f"modules/{number:02}.ko"))
    write(os.path.join(scratch, "init"), INIT, 0o755)
    run("sh", "-c", f"find . | '{busybox}' cpio -o -H newc >'{target}'", cwd=scratch)
    shutil.rmtree(scratch)


def build(directory, mirror):
    """The disk, and beside it what qemu loads by itself: kernel and initrd."""
    disk = os.path.join(directory, "disk")
    with open(disk, "wb") as file:
        file.truncate(SIZE)
    run("mkfs.ext4", "-q", "-O", "encrypt", "-m", "0", "-E",
        "lazy_itable_init=0,lazy_journal_init=0", disk)
    with mounted(disk, os.path.join(directory, "mount")) as root:
        mirror.debootstrap(root)
        configure(root)
        shutil.copy(os.path.join(root, "boot", "vmlinuz-" + kernel_version(root)),
                    os.path.join(directory, "vmlinuz"))
        make_initrd(root, os.path.join(directory, "initrd"), os.path.join(directory, "scratch"))


def recipe(mirror):
    digest = hashlib.sha256(f"{mirror.url} {mirror.version}\n".encode())
    with open(__file__, "rb") as file:
        digest.update(file.read())
    return digest.hexdigest()[:16]


def image():
    """The folder with disk, vmlinuz and initrd. The first to ask for it builds, others wait."""
    mirror = Mirror()
    made = os.path.join(CACHE, recipe(mirror))
    os.makedirs(CACHE, exist_ok=True)
    with open(os.path.join(CACHE, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.isdir(made):
            shutil.rmtree(made + ".new", ignore_errors=True)
            os.mkdir(made + ".new")
            build(made + ".new", mirror)
            os.rename(made + ".new", made)
    return made


if __name__ == "__main__":
    print(image())
    sys.exit(0)
