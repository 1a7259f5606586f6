# SPDX-License-Identifier: GPL-3.0-or-later
"""A conductor and a router on one machine, each as its unit has it, who meet on 127.0.0.1."""

import json
import os
import shutil

from certificates import Authority  # of tests/e2e
from image import run, write
from router import BUILD, check_libraries

CONDUCTOR_UNITS = ["steward-tunnels.socket", "steward-tunnels.service", "conductord.service"]
UNITS = ["integrity-handler.service", "stewardd.service", *CONDUCTOR_UNITS]
ROUTER_SOCKET = "/run/steward-router/control.sock"
SECRETS = "/etc/steward/secrets"

CONDUCTOR = {"steward:conductor": {
    "name": "conductor1", "address": "127.0.0.1",
    "certificate": "/etc/steward/conductor.pem",
    "private-key": SECRETS + "/conductor.key",
    "ca-certificate": "/etc/steward/ca.pem",
    "configuration-integrity": {"directory": [SECRETS], "pcr": [1]},
    "registry": "sqlite:/var/lib/steward-conductor/registry.d/registry"}}
ROUTER = {"steward:router": {
    "name": "router1", "node": "node0", "asset-id": "A0",
    "control": {"socket": ROUTER_SOCKET},
    "configuration-integrity": {"directory": [SECRETS], "pcr": [1]}}}

# Nobody has both on one machine, and their sockets' folder is one.
DROP_IN = """[Service]
RuntimeDirectory=
RuntimeDirectory=steward-router
ExecReload=
ExecReload=/usr/local/bin/stewardctl --socket %s request system reload
""" % ROUTER_SOCKET


def endorse(tpm):
    """An EK as its maker leaves it; its public half in base64, as an operator configures it."""
    run("swtpm_setup", "--tpm2", "--tpmstate", tpm.state, "--createek", "--pcr-banks", "sha256",
        "--overwrite")
    path = os.path.join(tpm.state, "bench")
    with tpm.on_the_bench(path):
        run("tpm2_readpublic", "-T", f"swtpm:path={path}", "-c", "0x81010001", "-f", "der", "-o",
            path + ".der")
    return run("base64", "-w0", path + ".der")


def install(root, scratch):
    """Without packages, and started by hand once they have their keys."""
    run("cmake", "--install", BUILD, env={**os.environ, "DESTDIR": root})
    check_libraries(root)
    run("systemd-sysusers", "--root", root)
    run("systemd-tmpfiles", "--root", root, "--create", "steward.conf", "steward-router.conf",
        "steward-conductor.conf")
    configure(root, scratch)
    run("systemctl", "--root", root, "enable", "integrity-handler.service", "stewardd.service",
        "steward-tunnels.socket", "conductord.service")
    # Not before they have their keys; they start by hand then, and by themselves at the next boot.
    run("systemctl", "--root", root, "mask", "stewardd.service", "conductord.service")


def configure(root, scratch):
    """The conductor's key waits in root's home until there is an encrypted place for it."""
    authority = Authority(scratch, "authority")
    certificate, key = authority.issue("conductor1")
    write(os.path.join(root, "etc/steward/conductor.json"), json.dumps(CONDUCTOR))
    write(os.path.join(root, "etc/steward/steward.json"), json.dumps(ROUTER))
    write(os.path.join(root, "etc/systemd/system/stewardd.service.d/apart.conf"), DROP_IN)
    for source, target in ((authority.path, "etc/steward/ca.pem"),
                           (certificate, "etc/steward/conductor.pem"), (key, "root/conductor.key")):
        shutil.copy(source, os.path.join(root, target))


def let_in(machine):
    """The conductor knows the router by its TPM, and the router has a token."""
    console = machine.console
    console.run("stewardctl configure authority router router1 node node0 asset-id A0")
    console.run("stewardctl configure authority router router1 node node0"
                f" secure-conductor-onboarding endorsement-key {machine.endorsement_key}")
    console.run("stewardctl configure authority router router1 system secure-conductor-onboarding"
                " mode strong")
    document = json.dumps({"mode": "conductor-managed", "name": "router1",
                           "conductor-hosts": ["127.0.0.1"],
                           "secure-conductor-onboarding-token": "%s"})
    console.run(f"printf '{document}' $(stewardctl create secure-conductor-onboarding token router"
                " router1) >/etc/steward/onboarding-config.json")
