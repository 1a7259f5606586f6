# SPDX-License-Identifier: GPL-3.0-or-later
"""A conductor and its routers, each in a network of its own, joined by a wire: port 930, swtpm,
OpenSSH, and the programs as they are installed."""

import contextlib
import ctypes
import datetime
import itertools
import json
import os
import shutil
import subprocess
import tempfile
import threading

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certificates import DAY, Authority
from conductor import provide_tunnel_user
from device_tpm import DEVICE_KEY_HANDLE, DeviceTpm
from steward import CONDUCTORD, Daemon, wait_for

CLONE_NEWNET = 0x40000000
numbers = itertools.count()


def run(*words, **options):
    return subprocess.run(words, check=True, capture_output=True, **options).stdout


class Network:
    """Two network namespaces and a wire: .1 is the conductor, .2 the router."""

    def __init__(self):
        label = f"sco{os.getpid()}n{next(numbers)}"
        self.conductor, self.router = label + "c", label + "r"
        net = 4 * ((os.getpid() * 64 + next(numbers)) % (1 << 14))
        subnet = f"10.94.{net >> 8}."
        self.address, self.router_address = (subnet + str((net & 255) + n) for n in (1, 2))
        for name in (self.conductor, self.router):
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
        run("ip", "-n", self.conductor, "link", "add", "wire", "type", "veth", "peer", "wire",
            "netns", self.router)
        for name, address in ((self.conductor, self.address), (self.router, self.router_address)):
            run("ip", "-n", name, "addr", "add", address + "/30", "dev", "wire")
            run("ip", "-n", name, "link", "set", "wire", "up")

    def close(self):
        for name in (self.conductor, self.router):
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


class SecondNetwork:
    """Of another conductor, with a wire of its own to the same router."""

    def __init__(self, first):
        self.router = first.router
        self.conductor = first.conductor + "2"
        subnet = "10.96." + first.address.split(".", 2)[2].rsplit(".", 1)[0]
        self.address, router_address = subnet + ".1", subnet + ".2"
        run("ip", "netns", "add", self.conductor)
        run("ip", "-n", self.conductor, "link", "set", "lo", "up")
        run("ip", "-n", self.conductor, "link", "add", "wire", "type", "veth", "peer", "wire2",
            "netns", self.router)
        for name, link, address in ((self.conductor, "wire", self.address),
                                    (self.router, "wire2", router_address)):
            run("ip", "-n", name, "addr", "add", address + "/30", "dev", link)
            run("ip", "-n", name, "link", "set", link, "up")

    def close(self):
        subprocess.run(["ip", "netns", "del", self.conductor], check=False, capture_output=True)


def inside(network, function, *arguments):
    """function(*arguments) in a network namespace: a socket made there stays there."""
    result = []

    def call():
        fd = os.open(f"/run/netns/{network}", os.O_RDONLY)
        try:
            assert ctypes.CDLL(None, use_errno=True).setns(fd, CLONE_NEWNET) == 0
            result.append(function(*arguments))
        except OSError as error:
            result.append(error)
        finally:
            os.close(fd)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    if isinstance(result[0], OSError):
        raise result[0]
    return result[0]


def device_certificate(public_key, issuer_key, issuer, serial_number, usage=True):
    """Of a device: its subject has a serialNumber, and it may be a TLS client."""
    now = datetime.datetime.utcnow()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "device"),
                         x509.NameAttribute(NameOID.SERIAL_NUMBER, serial_number)])
    builder = (x509.CertificateBuilder().subject_name(subject)
               .issuer_name(issuer or subject).public_key(public_key)
               .serial_number(x509.random_serial_number())
               .not_valid_before(now - DAY).not_valid_after(now + 30 * DAY)
               .add_extension(x509.BasicConstraints(False, None), True))
    if usage:
        builder = builder.add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False)
    return builder.sign(issuer_key, hashes.SHA256())


def der(tag, *parts):
    content = b"".join(parts)
    size = len(content)
    length = bytes([size]) if size < 128 else b"\x82" + size.to_bytes(2, "big")
    return bytes([tag]) + length + content


def self_signed(tpm, serial_number):
    """By the TPM's own key: the signature of another is exchanged for it."""
    draft = device_certificate(tpm.make_device_key(), rsa.generate_private_key(65537, 2048), None,
                               serial_number)
    algorithm = der(0x30, bytes.fromhex("06092a864886f70d01010b0500"))
    signature = der(0x03, b"\0", tpm.sign(draft.tbs_certificate_bytes))
    return x509.load_der_x509_certificate(
        der(0x30, draft.tbs_certificate_bytes, algorithm, signature))


class Conductor(Daemon):
    program, role = CONDUCTORD, "steward:conductor"

    def __init__(self, directory, network, ca, name="conductor1", environment=None, **conductor):
        super().__init__(directory, prefix=["ip", "netns", "exec", network.conductor],
                         environment=environment)
        self.certificate, self.private_key = ca.issue(name)
        self.config = {
            "name": name, "address": network.address, "certificate": self.certificate,
            "private-key": self.private_key, "ca-certificate": ca.path,
            "registry": f"sqlite:{self.directory}/registry", "state-directory": self.state,
            "control": {"socket": self.socket},
            "limits": {"connection-rate": 1000, "connection-burst": 1000}, **conductor}
        self.write_config()

    @property
    def is_ready(self):
        """Routers are told of it, and can build their tunnels."""
        return "routers can build their tunnels" in self.log

    def start(self, wait=True):
        open(self.log_path, "w").close()
        super().start(wait)
        if wait:
            wait_for(lambda: self.is_ready, 30, "the tunnels")
        return self

    def put(self, path, body):
        reply = self.call("PUT", path, body)
        assert reply.status == 200, reply.body
        return reply.json

    def delete(self, path):
        assert self.call("DELETE", path).status == 204

    def configure(self, router="router1", mode="psk-only", node="node0", asset_id="A0", **more):
        self.put(f"/v1/routers/{router}/nodes/{node}", {"asset-id": asset_id, **more})
        self.put(f"/v1/routers/{router}", {"mode": mode})

    def token(self, router="router1", **body):
        reply = self.post(f"/v1/routers/{router}/tokens", body)
        assert reply.status == 201, reply.body
        return reply.json["token"]

    def audit(self, router=None):
        """(outcome, reason) of each, oldest first."""
        rows = self.get("/v1/audit" + (f"?router={router}" if router else "")).json["audit"]
        return [(row["outcome"], row["reason"]) for row in rows]

    def refusals(self):
        return [reason for outcome, reason in self.audit() if outcome in ("refused", "other-device")]

    def strangers(self):
        """Counted; they are written now and then, and when it stops."""
        return sum(row["count"] for row in self.get("/v1/audit").json["failures"])

    @property
    def enrolments(self):
        return self.get("/v1/enrolments").json["enrolments"]

    @property
    def authorized_keys(self):
        with open(os.path.join(self.state, "authorized_keys")) as file:
            return [line.rstrip() for line in file if line.strip()]


class Router(Daemon):
    def __init__(self, directory, network, asset_id="A0", name="router1", node="node0", tpm=None,
                 device_id=None, onboarding=None, **options):
        self.tpm = tpm
        self.host = network.address
        self.boots_seen = 0
        self.rebooted = os.path.join(str(directory), "rebooted")
        sco = {"secrets-directory": os.path.join(str(directory), "secrets"),
               "onboarding-file": os.path.join(str(directory), "onboarding-config.json"),
               "reboot-command": ["sh", "-c", f"echo reboot >>{self.rebooted}"],
               **({"tcti": tpm.tcti, "ek-handle": tpm.ek} if tpm else {}),
               **({"device-id": {"certificate": device_id, "key-handle": DEVICE_KEY_HANDLE}}
                  if device_id else {}), **(onboarding or {})}
        os.makedirs(sco["secrets-directory"], exist_ok=True)
        router = {"name": name, "node": node, "secure-conductor-onboarding": sco}
        if asset_id:
            router["asset-id"] = asset_id
        super().__init__(directory, router=router,
                         prefix=["ip", "netns", "exec", network.router], **options)

    def onboard(self, token, hosts=None, **more):
        reply = self.post("/v1/onboarding", self.document(token, hosts, **more))
        assert reply.status == 200, reply.body
        return self

    def document(self, token, hosts=None, **more):
        return {"mode": "conductor-managed", "name": self.config["name"],
                "conductor-hosts": hosts or [self.host],
                "secure-conductor-onboarding-token": token, **more}

    def place(self, document):
        """As the file that it begins with at a boot."""
        path = self.config["secure-conductor-onboarding"]["onboarding-file"]
        with open(path, "w") as file:
            file.write(document if isinstance(document, str) else json.dumps(document))
        return path

    @property
    def onboarding(self):
        return self.get("/v1/onboarding").json

    @property
    def is_connected(self):
        return all(c["tunnel"] == "connected" for c in self.onboarding["conductors"])

    def wait_for_state(self, *states, timeout=60):
        def reached():
            state = self.onboarding
            return state if state["state"] in states else None
        try:
            return wait_for(reached, timeout, f"{states}")
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.onboarding}\n{self.log}") from None

    @property
    def reboots(self):
        if not os.path.exists(self.rebooted):
            return 0
        with open(self.rebooted) as file:
            return len(file.readlines())

    @property
    def ssh_key(self):
        with open(os.path.join(self.secrets, "conductor-key.pub")) as file:
            return file.read().split()[1]

    @property
    def secrets(self):
        return self.config["secure-conductor-onboarding"]["secrets-directory"]

    def reboot(self):
        self.stop()
        return self.start()

    def become_onboarded(self, timeout=60):
        """As a router does: with its configuration there it boots, and comes up onboarded."""
        if self.wait_for_state("initializing", "onboarded", timeout=timeout)["state"] == "initializing":
            wait_for(lambda: self.reboots > self.boots_seen, 10, "the reboot's command")
            self.boots_seen = self.reboots
            self.reboot()
        return self.wait_for_state("onboarded", timeout=5)

    def holds(self, text):
        """Files of its own with this in them."""
        found = []
        for folder, _, names in os.walk(self.directory):
            for path in (os.path.join(folder, name) for name in names):
                if os.path.isfile(path):
                    with open(path, "rb") as file:
                        found += [path] if text.encode() in file.read() else []
        return found


def check_refused(conductor, reason, before=0):
    """A line more in the audit than before; None = only counted."""
    if reason is not None:
        lines = wait_for(lambda: conductor.refusals()[before:], 20, "a line in the audit")
        assert len(lines) == 1 and reason in lines[0], lines
    assert conductor.enrolments == [] and conductor.authorized_keys == []


class World:
    """conductor(), router() ... -> close(): in good order, or the test fails."""

    def __init__(self):
        provide_tunnel_user()
        self.directory = tempfile.mkdtemp(prefix="sco")
        os.chmod(self.directory, 0o755)  # sshd reads the keys as its own user
        self.network = Network()
        self.ca = Authority(self.directory, "authority")
        self.stack = contextlib.ExitStack()
        self.names = itertools.count()

    def folder(self, name):
        path = os.path.join(self.directory, f"{name}{next(self.names)}")
        os.mkdir(path)
        return path

    def daemon(self, kind, *arguments, start=True, **options):
        made = kind(self.folder(kind.__name__.lower()), self.network, *arguments, **options)
        self.stack.callback(made.stop)
        return made.start() if start else made

    def conductor(self, **options):
        return self.daemon(Conductor, self.ca, **options)

    def router(self, *arguments, **options):
        return self.daemon(Router, *arguments, **options)

    def tpm(self, **options):
        tpm = DeviceTpm(self.folder("tpm"), **options)
        self.stack.callback(tpm.stop)
        return tpm.start()

    def write(self, name, certificate):
        path = os.path.join(self.directory, name)
        with open(path, "wb") as file:
            file.write(certificate.public_bytes(serialization.Encoding.PEM))
        return path

    def close(self):
        try:
            self.stack.close()
        finally:
            self.network.close()
            shutil.rmtree(self.directory)
