# SPDX-License-Identifier: GPL-3.0-or-later
"""A router to be unlocked: its TPM, its disk, its journal and its console.

Everything is mounted in a mount namespace of the world's own, so that nothing is shared with
other tests and all of it is gone, loop device included, once its processes have ended. The disk
is at /mnt/disk there. /etc and /run are the world's own too; files lie over the consoles.
"""

import errno
import fcntl
import json
import os
import re
import shutil
import struct
import subprocess
import tempfile

from steward import BUILD, ROOT, SLOW, STEWARDCTL, STEWARDD, UnixConnection, Reply, wait_for
from tpm_emulator import Tpm

HANDLER = os.path.join(BUILD, "src", "integrity-handler")
DISK = "/mnt/disk"
SECRETS, MORE = DISK + "/secrets", DISK + "/more"
RECORD = DISK + "/integrity/record.json"
SRK_HANDLE, KEY_HANDLE, NV_INDEX = 0x81000001, 0x81010128, 0x01800128
TEXT = "the private key of this router\n"
FSCRYPT_CONF = {"source": "custom_passphrase",
                "hash_costs": {"time": "1", "memory": "8", "parallelism": "1"},
                "options": {"padding": "32", "contents": "AES_256_XTS",
                            "filenames": "AES_256_CTS", "policy_version": "2"},
                "use_fs_keyring_for_v1_policies": False, "allow_cross_user_metadata": False}
SET_UP = r"""
set -e
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /mnt
mkdir -p /run/etc /run/work /run/log/journal /run/systemd/journald.conf.d /mnt/disk
mount -t overlay overlay -o lowerdir=/etc,upperdir=/run/etc,workdir=/run/work /etc
printf '[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=no\nForwardToWall=no\nRateLimitBurst=0\n' \
    >/run/systemd/journald.conf.d/world.conf
mount --bind "$1/console" /dev/console
if [ -e /sys/class/tty/tty0/active ]; then
    echo "tty0 ttyS0" >/run/consoles
    echo tty3 >/run/front
    mount --bind /run/consoles /sys/class/tty/console/active
    mount --bind /run/front /sys/class/tty/tty0/active
    mount --bind "$1/terminal" /dev/tty3
fi
echo
exec cat
"""


def event_ids():
    with open(os.path.join(ROOT, "src/base/log_events.h")) as file:
        return {i: name for name, i in re.findall(r'X\((\w+),\s*"([0-9a-f]{32})"', file.read())}


class Outcome:
    """One run of a program, and what it had to say to whom."""

    def __init__(self, world, result):
        self.code, self.stdout, self.stderr = result.returncode, result.stdout, result.stderr
        self.console = world.take("console")
        self.terminal = world.take("terminal")
        self.entries = world.entries()
        assert "Sanitizer" not in self.stderr and "runtime error" not in self.stderr, self.stderr
        assert self.code >= 0, f"killed by signal {-self.code}: {self.stderr}"

    def events(self, name):
        return [e for e in self.entries if e["event"] == name]

    @property
    def emergencies(self):
        return [e for e in self.entries if e["PRIORITY"] == "0"]

    @property
    def reason(self):
        """Why nothing was unlocked: of the one message that said so."""
        assert len(self.emergencies) == 1, self
        return self.emergencies[0]["STEWARD_REASON"]

    def __repr__(self):
        said = "\n".join(f"<{e['PRIORITY']}> {e['event']}: {e['MESSAGE']}" for e in self.entries)
        return f"exit status {self.code}\n{said}\n{self.stderr}{self.console}"


class World:
    def __init__(self, disk=None, tpm=None, features="encrypt"):
        """disk, tpm: of another one, to be copied. features: of the filesystem."""
        self.directory = tempfile.mkdtemp(prefix="router", dir="/dev/shm")
        self.processes = []
        self.holder = None
        self.tpm = Tpm(os.path.join(self.directory, "tpm"), tpm)
        self.image = os.path.join(self.directory, "disk")
        self.config_path = os.path.join(self.directory, "steward.json")
        self.socket = os.path.join(self.directory, "control.sock")
        self.integrity = {"directory": [SECRETS, MORE], "tcti": self.tpm.tcti,
                          "record-directory": os.path.dirname(RECORD)}
        try:
            self.open_namespace()
            self.start_journal()
            self.make_disk(disk, features)
            self.mount()
            self.tpm.start()
            self.write_config()
        except BaseException:
            self.close()
            raise

    def open_namespace(self):
        for name in ("console", "terminal"):
            open(os.path.join(self.directory, name), "w").close()
        # Ends when this end of the pipe is closed, by whatever ends the test.
        self.holder = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "bash", "-c", SET_UP, "bash",
             self.directory], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.holder.stdout.readline() == b"\n", "no mount namespace"
        self.write("/etc/fscrypt.conf", json.dumps(FSCRYPT_CONF))

    def start_journal(self):
        self.cursor = None
        self.start("/lib/systemd/systemd-journald", stderr=subprocess.DEVNULL)
        wait_for(lambda: os.path.exists(self.path("/run/systemd/journal/io.systemd.journal")))
        self.entries()

    def make_disk(self, disk, features):
        if disk:
            shutil.copyfile(disk, self.image)
            return
        with open(self.image, "wb") as file:
            file.truncate(16 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-O", features, "-m", "0", "-E",
                        "lazy_itable_init=0,lazy_journal_init=0", self.image], check=True)

    def write_config(self, **changes):
        self.integrity.update(changes)
        with open(self.config_path, "w") as file:
            json.dump({"steward:router": {
                "name": "router1", "node": "node0", "control": {"socket": self.socket},
                "state-directory": os.path.join(self.directory, "state"),
                "secure-conductor-onboarding": {"secrets-directory": SECRETS},
                "configuration-integrity": self.integrity}}, file)

    def close(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        self.tpm.stop()
        if self.holder:
            self.holder.stdin.close()
            self.holder.stdout.close()
            self.holder.wait()
        shutil.rmtree(self.directory)

    # Inside.

    def inside(self, *words):
        return ["nsenter", f"--mount=/proc/{self.holder.pid}/ns/mnt", "--", *words]

    def run(self, *words, check=True, typed="", **options):
        result = subprocess.run(self.inside(*words), text=True, capture_output=True,
                                timeout=120 * SLOW, input=typed, **options)
        assert not check or result.returncode == 0, f"{words}: {result.stdout}{result.stderr}"
        return result

    def start(self, *words, **options):
        self.processes.append(subprocess.Popen(self.inside("setpriv", "--pdeathsig", "KILL", *words),
                                               **options))
        return self.processes[-1]

    def path(self, path):
        """Where a path of the namespace is for those outside."""
        return f"/proc/{self.holder.pid}/root{path}"

    def read(self, path):
        with open(self.path(path), "rb") as file:
            return file.read()

    def write(self, path, content):
        with open(self.path(path), "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())

    def exists(self, path):
        return os.path.lexists(self.path(path))

    def mount(self):
        self.run("mount", "-o", "loop", self.image, DISK)

    def unmount(self):
        self.run("umount", DISK)

    def remount(self):
        """As at a boot: the kernel's keys are gone."""
        self.unmount()
        self.mount()

    # What was said.

    def take(self, name):
        with open(os.path.join(self.directory, name), "r+") as file:
            text = file.read()
            file.truncate(0)
        return text.lstrip("\0")

    def entries(self):
        """Of the journal, since the last time."""
        self.run("journalctl", "--sync")
        after = ["--after-cursor", self.cursor] if self.cursor else []
        said = self.run("journalctl", "-D", "/run/log/journal", "-o", "json", "--all", *after)
        entries = [json.loads(line) for line in said.stdout.splitlines()]
        ids = event_ids()
        for entry in entries:
            self.cursor = entry["__CURSOR"]
            entry["event"] = ids.get(entry.get("MESSAGE_ID"))
        return entries

    # Programs.

    def handler(self, *words, typed="", environment=None, prefix=()):
        """Once, by hand."""
        variables = [f"{name}={value}" for name, value in (environment or {}).items()]
        return Outcome(self, self.run("env", *variables, *prefix, HANDLER, "--config",
                                      self.config_path, *(words or ("--once",)), check=False,
                                      typed=typed))

    def request(self, what, **options):
        return self.handler("--request", what, **options)

    def ctl(self, *words, typed="", config=True):
        """config: that it is told which; otherwise it asks the daemon."""
        where = ("--config", self.config_path) if config else ("--socket", self.socket)
        return Outcome(self, self.run(STEWARDCTL, *where, *words, check=False, typed=typed))

    def daemon(self):
        """stewardd, once it answers or has ended."""
        log = open(os.path.join(self.directory, "log"), "wb")
        process = self.start(STEWARDD, "--config", self.config_path, "--foreground", stderr=log)
        log.close()
        wait_for(lambda: process.poll() is not None or self.answers())
        return process

    def answers(self):
        """Who finds the socket a moment too early is refused: it is there before it is listened at."""
        connection = UnixConnection(self.socket)
        try:
            connection.connect()
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        finally:
            connection.close()
        return True

    @property
    def daemon_log(self):
        with open(os.path.join(self.directory, "log")) as file:
            return file.read()

    def get(self, path):
        connection = UnixConnection(self.socket, 30 * SLOW)
        try:
            connection.request("GET", path)
            return Reply(connection.getresponse())
        finally:
            connection.close()

    # What is.

    @property
    def record(self):
        return self.read(RECORD)

    def policy(self, path):
        """The fscrypt policy, version 2, of a directory; None = plain."""
        argument = bytearray(struct.pack("=Q", 24) + bytes(24))
        fd = os.open(self.path(path), os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(fd, 0xc0096616, argument)  # FS_IOC_GET_ENCRYPTION_POLICY_EX
        except OSError as error:
            assert error.errno == errno.ENODATA
            return None
        finally:
            os.close(fd)
        return bytes(argument[8:])

    def identifier(self, path):
        return self.policy(path)[8:24].hex()

    def key_is_present(self, path):
        argument = bytearray(struct.pack("=II16s", 2, 0, self.policy(path)[8:24]).ljust(128, b"\0"))
        fd = os.open(self.path(path), os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(fd, 0xc080661a, argument)  # FS_IOC_GET_ENCRYPTION_KEY_STATUS
        finally:
            os.close(fd)
        status = struct.unpack("=I", argument[64:68])[0]
        assert status in (1, 2, 3)
        return status == 2

    @property
    def unlocked(self):
        """Those of the directories that are open."""
        found = set()
        for path in self.integrity["directory"]:
            there = self.path(path)
            if os.path.isdir(there) and not os.path.islink(there) and self.policy(path) \
                    and self.key_is_present(path):
                found.add(path)
        return found

    @property
    def tree(self):
        """Of the disk: names, and contents as far as they can be read."""
        found = {}
        for folder, folders, files in os.walk(self.path(DISK)):
            for name in folders + files:
                path = os.path.join(folder, name)
                found[path] = os.readlink(path) if os.path.islink(path) else \
                    self.content(path) if name in files else "directory"
        return found

    @staticmethod
    def content(path):
        try:
            with open(path, "rb") as file:
                return file.read()
        except OSError as error:
            return error.errno

    @property
    def state(self):
        """All that an integrity event must not change."""
        tpm = self.tpm.content if self.tpm.process else None
        return {"tree": self.tree, "unlocked": self.unlocked, "tpm": tpm}


class Machine:
    """The disk and the TPM of a world that has been enabled, switched off."""

    def __init__(self, directory, before=lambda world: None, **integrity):
        """before: what is to be done before it is enabled."""
        self.disk = os.path.join(str(directory), "disk")
        self.tpm = os.path.join(str(directory), "tpm")
        self.integrity = integrity
        world = World()
        try:
            world.write_config(**integrity)
            before(world)
            outcome = world.handler()
            assert outcome.code == 0 and outcome.events("INTEGRITY_ENABLED"), outcome
            for path in world.integrity["directory"]:
                world.write(path + "/file", TEXT)
            world.unmount()
            world.tpm.stop()
            shutil.copyfile(world.image, self.disk)
            shutil.copytree(world.tpm.state, self.tpm, ignore=shutil.ignore_patterns(".lock"))
        finally:
            world.close()

    def world(self):
        """Booted up to where the handler starts."""
        world = World(self.disk, self.tpm)
        world.write_config(**self.integrity)
        return world
