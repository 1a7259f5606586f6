# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be done to a stolen disk, with the TPM within reach: a key of one's own, wrapped to the
public part of the router's, and directories of one's own under it."""

import contextlib
import hashlib
import json
import os
import re
import shutil

import seal_record  # of tests/e2e
from image import run

ASIDE = ".router"  # where the directories of the router are until they are put back
RECORD = "etc/steward/integrity/record.json"


def read_public_key(tpm, handle, scratch):
    """Of the wrapping key, as anyone may who sits in front of the machine."""
    pem, path = os.path.join(scratch, "wrapping.pem"), os.path.join(scratch, "bench.sock")
    with tpm.on_the_bench(path):
        run("tpm2_readpublic", "-T", f"swtpm:path={path}", "-c", handle, "-f", "pem", "-o", pem)
    with open(pem, "rb") as file:
        return file.read()


@contextlib.contextmanager
def chroot_with_proc(root):
    run("mount", "-t", "proc", "proc", os.path.join(root, "proc"))
    try:
        yield
    finally:
        run("umount", os.path.join(root, "proc"))


def own_directory(root, path, fek):
    """In the place of the router's; the identifier of its key."""
    key = os.path.join(root, "tmp/fek")
    os.rename(root + path, root + path + ASIDE)
    os.mkdir(root + path)
    with open(key, "wb") as file:
        file.write(fek)
    name = "thief" + hashlib.sha256(path.encode()).hexdigest()[:8]
    run("chroot", root, "fscrypt", "encrypt", "--quiet", "--source=raw_key", "--name=" + name,
        "--key=/tmp/fek", path)
    with open(os.path.join(root + path, "authorized"), "w") as file:
        file.write("thief\n")
    status = run("chroot", root, "fscrypt", "status", path)
    os.unlink(key)
    return re.search(r"^Policy:\s+([0-9a-f]{32})$", status, re.M).group(1)


def read_record(root):
    with open(os.path.join(root, RECORD)) as file:
        return file.read()


def write_record(root, text):
    with open(os.path.join(root, RECORD), "w") as file:
        file.write(text)


def forge(root, pem):
    """The disk is mounted at root."""
    record = json.loads(read_record(root))
    fek = os.urandom(32)
    with chroot_with_proc(root):
        for directory in record["directory"]:
            directory["key-identifier"] = own_directory(root, directory["path"], fek)
    write_record(root, seal_record.text(seal_record.wrap(record, fek, pem)).decode())


def put_back(root, text):
    """The router's directories, and its record's text."""
    for directory in json.loads(text)["directory"]:
        shutil.rmtree(root + directory["path"])
        os.rename(root + directory["path"] + ASIDE, root + directory["path"])
    write_record(root, text)
