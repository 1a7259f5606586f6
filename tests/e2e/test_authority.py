# SPDX-License-Identifier: GPL-3.0-or-later
"""The authority from the command line: conductord's registry, tokens and answers through
stewardctl."""

import base64
import contextlib
import json
import os
import pwd
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import threading

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from certificates import Authority, pem_key
from conductor import SCO, Conductor
from postgres import Postgres
from steward import ROOT, STEWARDCTL, Daemon, ctl, wait_for
from test_control import as_user

pytestmark = pytest.mark.once

ROUTER = "configure authority router router1"
UPDATE = ROUTER + " system software-update"
SECRET = "aB3" * 16


@pytest.fixture
def conductors():
    """conductors(leaf=…): where users that are not root get at the socket."""
    made = []

    def conductor(start=True, **leaves):
        directory = tempfile.mkdtemp(prefix="conductor")
        os.chmod(directory, 0o755)
        made.append(Conductor(directory, **leaves))
        return made[-1].start() if start else made[-1]

    yield conductor
    for each in made:
        each.stop()
        shutil.rmtree(each.directory)


@pytest.fixture
def conductor(conductors):
    return conductors()


def endorsement_key():
    key = rsa.generate_private_key(65537, 2048).public_key()
    return base64.b64encode(key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)).decode()


def router_of(conductor, name="router1"):
    return json.loads(conductor.ctl(f"--json show authority router {name}").stdout)


def configuration_of(conductor, name="router1"):
    return conductor.get(f"/v1/routers/{name}/configuration").json


def test_routers_and_nodes(conductor):
    key = endorsement_key()
    assert conductor.ctl(f"{ROUTER} node node0 asset-id ASSET-1").stdout == ""
    conductor.ctl("conf auth r router1 n node1 a ASSET-2")
    conductor.ctl(f"{ROUTER} node node0 {SCO} endorsement-key {key}")
    conductor.ctl(f"{ROUTER} system {SCO} mode strong")
    router = router_of(conductor)
    assert router["mode"] == "strong" and router["has-pre-shared-secret"]
    nodes = {n["name"]: n for n in router["nodes"]}
    assert nodes["node0"]["asset-id"] == "ASSET-1" and nodes["node0"]["endorsement-key"] == key
    assert nodes["node1"]["asset-id"] == "ASSET-2" and nodes["node1"]["endorsement-key"] is None
    table = conductor.ctl("sh auth").stdout.splitlines()
    assert table[0].split() == ["ROUTER", "MODE", "SECRET", "NODES", "ENROLLED"]
    assert table[1].split() == ["router1", "strong", "yes", "2", "0"]
    text = conductor.ctl("show authority router router1").stdout
    assert re.search(r"node0 +ASSET-1 +no +\d+ +configured", text), text
    assert re.search(r"node1 +ASSET-2 +no +\d+ +-", text), text
    conductor.ctl("delete authority router router1 node node1")
    assert [n["name"] for n in router_of(conductor)["nodes"]] == ["node0"]
    conductor.ctl("del auth r router1")
    assert json.loads(conductor.ctl("--json show authority").stdout) == {"routers": []}


@pytest.mark.parametrize("line, reason", [
    (f"{ROUTER} system {SCO} mode some",
     "mode: expected disabled, psk-only, weak or strong, found 'some'"),
    (f"{ROUTER} system {SCO} pre-shared-secret short", "48 characters of A-Za-z0-9"),
    (f"{ROUTER} node node0 {SCO} endorsement-key !", "endorsement-key: expected base64"),
    (f"{ROUTER} node node0 {SCO} endorsement-key AAAA", "no public key in DER"),
    ("configure authority router router2 node node0 asset-id ASSET-1", "ASSET-1"),
    ("configure authority router a/b node node0 asset-id A", "'a/b' is not the name of a router"),
    (f"{ROUTER} node a?b asset-id A", "'a?b' is not the name of a node"),
    (f"{ROUTER} node node0 asset-id a/b", "a/b"),
    ("show authority router router9", "there is no router router9"),
    ("delete authority router router9", "there is no router router9"),
    ("delete authority router router1 node node9", "node9"),
    (f"request {SCO} reset router router1 node node9", "router router1 has no node node9"),
    (f"request {SCO} revoke token {'0' * 32}", f"there is no token {'0' * 32}"),
    (f"request {SCO} revoke token ../../x", "'../../x' is not the name of a token"),
    (f"show {SCO} router router9", "there is no router router9"),
    ("request onboarding file /no/such/file", "/no/such/file: No such file"),
    (f"{UPDATE} nonsense 5", "unknown name 'nonsense', expected one of: access-mode, "),
    (f"{UPDATE} download attempts many", "software-update/download/attempts: found 'many'"),
    (f"{UPDATE} source mirror url http://x/", '"kind" is missing'),
    (f"{ROUTER} system high-availability peer-node n1", "peer-node and peer-url come together"),
    ("delete authority router router1 system software-update access-mode", "it is not set"),
])
def test_refusals(conductor, line, reason):
    conductor.router()
    before = conductor.get("/v1/routers").json
    assert reason in conductor.refuses(line)
    assert conductor.get("/v1/routers").json == before


@pytest.mark.parametrize("line, message", [
    ("configure", "not complete, expected: authority"),
    (ROUTER, "not complete, expected: node, system, label"),
    (f"{ROUTER} node", "not complete, expected: N"),
    (f"{ROUTER} node node0", "'asset-id A' is missing"),
    (f"{ROUTER} system s x", "ambiguous word 's'"),
    (UPDATE, "not complete, expected: LEAF..."),
    (f"create {SCO} token", "'router R' is missing"),
    (f"request {SCO} reset router router1", "'node N' is missing"),
    (f"request {SCO} revoke", "'token JTI' is missing"),
])
def test_usage(conductor, line, message):
    assert message in conductor.ctl(line, check=64).stderr


def secret_in(token):
    return base64.b64decode(jwt.decode(token, options={"verify_signature": False})["secret"])


def test_pre_shared_secret(conductor):
    conductor.router()
    made = secret_in(conductor.token())
    assert re.fullmatch(rb"[A-Za-z0-9]{48}", made)
    assert secret_in(conductor.token()) == made
    conductor.ctl(f"{ROUTER} system {SCO} pre-shared-secret")
    again = secret_in(conductor.token())
    assert again != made
    conductor.ctl(f"{ROUTER} system {SCO} pre-shared-secret {SECRET}")
    assert secret_in(conductor.token()) == SECRET.encode()
    conductor.ctl(f"{ROUTER} system {SCO} pre-shared-secret -", input="Z" * 48 + "\n")
    assert secret_in(conductor.token()) == b"Z" * 48
    assert "is empty" in conductor.refuses(f"{ROUTER} system {SCO} pre-shared-secret -", input="")
    for text in (conductor.log, conductor.ctl("--json show authority").stdout,
                 conductor.get("/v1/audit").body.decode()):
        assert not any(s.decode() in text for s in (made, again, SECRET.encode(), b"Z" * 48))


def test_configuration_of_a_router(conductor):
    conductor.router()
    conductor.ctl(f"{UPDATE} access-mode conductor-only")
    conductor.ctl(f"{UPDATE} download attempts 5")
    conductor.ctl(f"{UPDATE} max-bandwidth 5000000000")
    conductor.ctl(f"{UPDATE} source mirror kind artifactory url http://192.0.2.1/")
    conductor.ctl(f"{UPDATE} source mirror url http://192.0.2.2/")
    conductor.ctl("conf auth r router1 sys high peer-node node1 peer-url http://192.0.2.3/")
    wanted = {"software-update": {
        "access-mode": "conductor-only", "download": {"attempts": 5},
        "max-bandwidth": "5000000000",
        "source": [{"name": "mirror", "kind": "artifactory", "url": "http://192.0.2.2/"}]},
        "high-availability": {"peer-node": "node1", "peer-url": "http://192.0.2.3/"}}
    assert configuration_of(conductor) == {"revision": 6, "configuration": wanted, "secrets": []}
    text = conductor.ctl("show authority router router1").stdout
    assert "Configuration, revision 6" in text and "http://192.0.2.2/" in text
    conductor.ctl("delete authority router router1 system software-update source mirror")
    conductor.ctl("delete authority router router1 system software-update download attempts")
    assert configuration_of(conductor)["configuration"]["software-update"] == {
        "access-mode": "conductor-only", "max-bandwidth": "5000000000"}


def sealed_in(conductor):
    with sqlite3.connect(conductor.config["registry"].removeprefix("sqlite:")) as registry:
        registry.row_factory = sqlite3.Row
        return registry.execute("SELECT path, version FROM secrets").fetchall()


def test_signed_url_is_kept_and_not_shown(conductor):
    """Who changes something else keeps the query, which nobody is shown; nor has the registry it."""
    conductor.router()
    conductor.ctl(f"{UPDATE} source store kind artifactory url http://192.0.2.1/c?sig=qu3ry")
    conductor.ctl(f"{UPDATE} source other kind artifactory url http://192.0.2.1/c?sig=an0ther")
    conductor.ctl(f"{UPDATE} source other username u password-file /p")

    def kept():
        with sqlite3.connect(conductor.config["registry"].removeprefix("sqlite:")) as registry:
            return "\n".join(registry.iterdump())

    shown = configuration_of(conductor)["configuration"]["software-update"]["source"]
    assert [s["url"] for s in shown] == 2 * ["http://192.0.2.1/c?..."]
    for text in (conductor.ctl("show authority router router1").stdout, conductor.log,
                 conductor.get("/v1/audit").body.decode()):
        assert "qu3ry" not in text and "an0ther" not in text
    store, other = (f"software-update/source/{name}/url/http://192.0.2.1/c"
                    for name in ("store", "other"))
    versions = {row["path"]: row["version"] for row in sealed_in(conductor)}
    assert versions == {store: 1, other: 2}
    assert "qu3ry" not in kept() and "an0ther" not in kept()
    elsewhere = conductor.ctl(f"{UPDATE} source store url http://192.0.2.2/c?...", check=None)
    assert elsewhere.returncode != 0 and "give the whole URL" in elsewhere.stderr
    conductor.ctl(f"{UPDATE} source store url http://192.0.2.1/c?sig=n3w")
    assert "n3w" not in kept()
    assert {row["path"]: row["version"] for row in sealed_in(conductor)} == {store: 4, other: 2}


def test_two_operators(conductor):
    """Each change is there, or its operator was told."""
    conductor.router()
    stale = configuration_of(conductor)["revision"]
    conductor.ctl(f"{UPDATE} access-mode conductor-only")
    late = conductor.call("PUT", f"/v1/routers/router1/configuration?revision={stale}", {})
    assert late.status == 409 and "revision" in late.detail
    results = {}

    def configure(i):
        results[i] = conductor.ctl(f"{UPDATE} source s{i} kind artifactory url http://x/",
                                   check=None)

    threads = [threading.Thread(target=configure, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done = {f"s{i}" for i, result in results.items() if result.returncode == 0}
    assert done and all("revision" in r.stderr for r in results.values() if r.returncode != 0)
    update = configuration_of(conductor)["configuration"]["software-update"]
    assert {s["name"] for s in update["source"]} == done
    assert update["access-mode"] == "conductor-only"


def test_token(conductor, tmp_path):
    conductor.router()
    conductor.ctl(f"{ROUTER} node node1 asset-id ASSET-0")
    token = conductor.token()
    certificate = x509.load_pem_x509_certificate(
        open(conductor.config["certificate"], "rb").read())
    public = certificate.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    claims = jwt.decode(token, public, algorithms=["RS256"])
    assert list(claims) == ["jti", "router", "asset-id", "iat", "exp", "conductor-public-cert",
                            "conductor-ca-cert", "secret"]
    assert jwt.get_unverified_header(token) == {"alg": "RS256", "typ": "steward-sco+jwt"}
    assert claims["router"] == "router1" and claims["asset-id"] == ["ASSET-0", "ASSET-1"]
    assert claims["exp"] - claims["iat"] == 86400
    assert base64.b64decode(claims["conductor-public-cert"]) == \
        certificate.public_bytes(serialization.Encoding.DER)
    header, payload, signature = token.split(".")
    (tmp_path / "signed").write_text(f"{header}.{payload}")
    (tmp_path / "signature").write_bytes(base64.urlsafe_b64decode(signature + "=="))
    (tmp_path / "key.pem").write_bytes(public)
    verified = subprocess.run(
        ["openssl", "dgst", "-sha256", "-verify", "key.pem", "-signature", "signature", "signed"],
        cwd=tmp_path, capture_output=True, text=True)
    assert verified.stdout == "Verified OK\n"
    listed = json.loads(conductor.ctl(f"--json show {SCO} tokens router router1").stdout)["tokens"]
    assert [(t["jti"], t["state"]) for t in listed] == [(claims["jti"], "valid")]
    conductor.ctl(f"request {SCO} revoke token {claims['jti']}")
    assert re.search(claims["jti"] + " +router1 +revoked", conductor.ctl(f"sh {SCO} tok").stdout)
    answer = json.loads(conductor.ctl(f"--json create {SCO} token router router1").stdout)
    assert set(answer) == {"token", "jti", "exp"}


@pytest.mark.parametrize("text, seconds", [
    ("1m", 60), ("30m", 1800), ("12h", 43200), ("7d", 604800), ("1y", 31536000)])
def test_expiration(conductor, text, seconds):
    conductor.router()
    claims = jwt.decode(conductor.token(more=f"expiration-timeout {text}"),
                        options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == seconds


@pytest.mark.parametrize("text", ["0d", "59s", "366d", "2y", "1", "d", "-1d", "1.5d", "1d1d", "1w",
                                  "999999999999999y"])
def test_expirations_that_are_refused(conductor, text):
    conductor.router()
    reason = conductor.refuses(f"create {SCO} token router router1 expiration-timeout", text)
    assert reason.startswith("expiration-timeout: ") and text in reason
    assert conductor.get("/v1/tokens").json == {"tokens": []}


def foreign(conductor):
    other = Authority(tempfile.mkdtemp(dir=conductor.directory), "conductors")
    return other.issue("conductor1")


def of_a_kind_that_is_not_taken(conductor):
    key = ec.generate_private_key(ec.SECP521R1())
    certificate = conductor.authority.make("conductor1", key, "conductors", False)
    return (conductor.authority.write("ec", certificate.public_bytes(serialization.Encoding.PEM)),
            conductor.authority.write("ec-key", pem_key(key)))


def another_key(conductor):
    return (conductor.authority.issue("first")[0], conductor.authority.issue("second")[1])


def garbage(conductor):
    return conductor.authority.write("garbage", b"no certificate"), None


@pytest.mark.parametrize("make, reason", [
    (lambda c: c.authority.issue("late", expired=True), "it is expired"),
    (foreign, "it is not signed by the CA"),
    (of_a_kind_that_is_not_taken, "its key is not RSA, P-256 or P-384"),
    (another_key, "it is not the key of the certificate"),
    (garbage, "it holds no certificate in PEM"),
    (lambda c: ("/no/such/file", None), "No such file or directory"),
])
def test_certificates_that_make_no_token(conductor, make, reason):
    """It was good at the start, and is not any more."""
    conductor.router()
    paths = make(conductor)
    for leaf, path in zip(("certificate", "private-key"), paths):
        os.unlink(conductor.config[leaf]) if path == "/no/such/file" else \
            path and shutil.copy(path, conductor.config[leaf])
    assert reason in conductor.refuses(f"create {SCO} token router router1")
    assert conductor.get("/v1/tokens").json == {"tokens": []}
    warnings = json.loads(conductor.ctl(f"--json show {SCO}").stdout)["warnings"]
    assert len(warnings) == 1 and reason in warnings[0] and "no token" in warnings[0]


def test_routers_that_get_no_token(conductor):
    create = f"create {SCO} token router router1"
    assert "there is no router router1: configure it first" in conductor.refuses(create)
    conductor.ctl(f"{ROUTER} node node0 asset-id ASSET-1")
    assert "disabled" in conductor.refuses(create)
    conductor.ctl(f"{ROUTER} system {SCO} mode weak")
    conductor.token()
    conductor.ctl("delete authority router router1 node node0")
    assert "asset-id" in conductor.refuses(create)


def test_how_it_stands(conductor):
    for name, mode in (("router1", "psk-only"), ("router2", "strong"), ("router3", "disabled")):
        conductor.router(name, mode, "ASSET-" + name)
    conductor.token()
    answer = json.loads(conductor.ctl(f"--json show {SCO}").stdout)
    assert answer["registry"]["reachable"] and answer["registry"]["problem"] is None
    assert answer["registry"]["routers"] == {"disabled": 1, "psk-only": 1, "weak": 0, "strong": 1}
    assert answer["registry"]["nodes"] == 3 and answer["registry"]["tokens"]["valid"] == 1
    assert "it carries no secret" in answer["algorithms"]["handshake"]
    assert "sntrup761x25519-sha512" in answer["algorithms"]["tunnel"]
    assert answer["certificate"]["problem"] is None and answer["warnings"] == []
    wait_for(lambda: conductor.get("/v1/onboarding").json["tunnels"] == "ready")
    text = conductor.ctl(f"show {SCO}").stdout
    assert "Routers      1 disabled, 1 psk-only, 0 weak, 1 strong\n" in text
    assert "Tokens       1 valid, 0 expired, 0 revoked\n" in text and "WARNING" not in text
    one = json.loads(conductor.ctl(f"--json show {SCO} router router2").stdout)["registry"]
    assert one["nodes"] == 1 and one["tokens"]["valid"] == 0
    assert conductor.ctl(f"show {SCO} enrolments").stdout.startswith("ROUTER ")
    assert "conductor1" in conductor.ctl("show system").stdout
    status = conductor.get("/v1/status").json[SCO]
    assert set(status) == set(answer)


def test_a_clock_that_was_set_back(conductor):
    conductor.router()
    conductor.stop()
    with contextlib.closing(sqlite3.connect(os.path.join(conductor.directory, "registry"))) as db:
        assert db.execute("UPDATE clocks SET latest = latest + 299").rowcount == 1
        db.commit()
    conductor.start()
    conductor.token()  # so far is no matter
    conductor.stop()
    with contextlib.closing(sqlite3.connect(os.path.join(conductor.directory, "registry"))) as db:
        db.execute("UPDATE clocks SET latest = latest + 3600")
        db.commit()
    conductor.start()
    assert "was set back" in conductor.refuses(f"create {SCO} token router router1")
    assert "WARNING      " in conductor.ctl(f"show {SCO}").stdout
    wait_for(lambda: "nobody is enrolled, and no token issued" in conductor.log)
    conductor.ctl(f"request {SCO} reset clock")
    conductor.token()
    assert "WARNING" not in conductor.ctl(f"show {SCO}").stdout
    assert conductor.get("/v1/audit").json["audit"][-2]["reason"].startswith("the clock is right")


@pytest.fixture(scope="module")
def postgres():
    with tempfile.TemporaryDirectory(prefix="postgres") as folder:
        made = Postgres(folder)
        yield made
        made.stop(signal.SIGQUIT)


def test_a_registry_that_goes_away(conductors, postgres):
    """Nobody is let in meanwhile, each is told why, and then it goes on."""
    postgres.start()
    conductor = conductors(registry=postgres.uri)
    conductor.router()
    conductor.token()
    postgres.stop(signal.SIGQUIT)
    conductor.refuses(f"create {SCO} token router router1")
    conductor.refuses(f"{ROUTER} node node0 asset-id ASSET-2")
    answer = json.loads(conductor.ctl(f"--json show {SCO}").stdout)["registry"]
    assert not answer["reachable"] and answer["problem"]
    text = conductor.ctl(f"show {SCO}").stdout
    assert f"Registry     cannot be asked: {answer['problem']}\n" in text and "Routers" not in text
    assert conductor.get("/v1/status").status == 200 and conductor.get("/metrics").status == 200
    postgres.start()
    wait_for(lambda: conductor.get("/v1/onboarding").json["registry"]["reachable"])
    assert router_of(conductor)["nodes"][0]["asset-id"] == "ASSET-1"
    conductor.token()


def test_metrics(conductors):
    from prometheus_client.openmetrics.parser import text_string_to_metric_families

    conductor = conductors()
    conductor.router()
    conductor.stop()
    conductor.start()
    wait_for(lambda: conductor.get("/v1/status").json[SCO]["registry"]["reachable"])
    with socket.create_connection(("127.0.0.1", conductor.config["port"])) as stranger:
        stranger.sendall(b"G")
        wait_for(lambda: 'kind="garbage"} 1' in conductor.get("/metrics").body.decode())
    text = conductor.get("/metrics").body.decode()
    families = {f.name: f for f in text_string_to_metric_families(text)}
    values = {(s.name, *sorted(s.labels.items())): s.value
              for f in families.values() for s in f.samples}
    assert values["steward_routers", ("mode", "psk-only")] == 1
    assert values[("steward_registry_reachable",)] == 1
    assert values["steward_port_connections_total", ("kind", "garbage")] == 1
    assert values["steward_handshakes_total", ("outcome", "enrolled")] == 0
    assert values[("steward_certificate_expiry_timestamp_seconds",)] == \
        conductor.get("/v1/onboarding").json["certificate"]["expires"]


# In a network of its own, where something listens on 4505 already.
WITH_OLD_PORT = ("unshare", "--net", "/usr/bin/python3", "-c", """
import os, socket, sys
old = socket.socket()
old.bind(("0.0.0.0", 4505))
old.listen()
os.set_inheritable(old.fileno(), True)
os.execv(sys.argv[1], sys.argv[1:])
""")


def test_old_ports(conductors):
    conductor = conductors(start=False)
    conductor.prefix = list(WITH_OLD_PORT)
    conductor.start()
    conductor.router()
    conductor.router("router2", "disabled", "ASSET-2")
    assert "4505" not in conductor.ctl(f"show {SCO}").stdout
    conductor.ctl("delete authority router router2")
    text = conductor.ctl(f"show {SCO}").stdout
    assert "WARNING      something listens on port 4505 or 4506" in text
    assert "this closes them: nft 'table inet old_ports " in text
    conductor.stop()
    before = len(conductor.log)
    conductor.start()
    wait_for(lambda: "this closes them: nft 'table" in conductor.log[before:])
    conductor.stop()
    conductor.prefix = ["unshare", "--net"]
    conductor.start()
    assert "4505" not in conductor.ctl(f"show {SCO}").stdout


def test_reload(conductor):
    good = dict(conductor.config)
    conductor.router()
    for _ in range(3):
        assert conductor.ctl("request system reload").stdout == "the configuration is loaded\n"
    for leaf, value in (("port", 1), ("name", "conductor2"), ("address", "192.0.2.1"),
                        ("registry", "sqlite:/tmp/x"), ("certificate", "/tmp/x"),
                        ("device-id-ca", "/tmp/x"), ("endorsement-ca", "/tmp/x"),
                        ("private-key-passphrase-file", "/tmp/x")):
        conductor.config = {**good, leaf: value}
        conductor.write_config()
        assert f"{leaf} cannot change without a restart" in \
            conductor.refuses("request system reload")
    conductor.token()


CHANGES = (f"{ROUTER} node node0 asset-id A", f"{ROUTER} system {SCO} mode weak",
           f"{ROUTER} system {SCO} pre-shared-secret", f"{UPDATE} access-mode conductor-only",
           f"{ROUTER} label site emea", "delete authority router router1 label site",
           "request software rollout create night version V1 all", "request software rollout cancel night",
           "delete authority router router1", "delete authority router router1 node node0",
           f"create {SCO} token router router1", f"request {SCO} revoke token {'0' * 32}",
           f"request {SCO} reset router router1 node node0", f"request {SCO} reset clock")
LOOKS = ("show software rollout", "show authority", "show authority router label site emea", "show authority router router1", f"show {SCO}", f"show {SCO} tokens",
         f"show {SCO} enrolments")


def ctl_as_user(conductor, groups, line):
    words = ["setpriv", "--reuid", "nobody", "--regid", "nogroup"]
    words += ["--groups", groups] if groups else ["--clear-groups"]
    program = os.path.join(conductor.directory, "stewardctl")
    return subprocess.run([*words, program, "--socket", conductor.socket, *line.split()],
                          text=True, capture_output=True, timeout=60)


def test_rights(conductors):
    conductor = conductors(start=False)
    conductor.config["control"].update({"group": "games", "read-group": "users"})
    conductor.write_config()
    conductor.start()
    conductor.router()
    shutil.copy(STEWARDCTL, conductor.directory)  # the tree may be root's alone
    before = conductor.get("/v1/routers").body
    for line in CHANGES:
        for groups in (None, "users"):
            result = ctl_as_user(conductor, groups, line)
            assert result.returncode == 1 and "not allowed" in result.stderr, (line, result)
    assert conductor.get("/v1/routers").body == before
    for line in LOOKS:
        assert ctl_as_user(conductor, None, line).returncode == 1, line
        for groups in ("users", "games"):
            assert ctl_as_user(conductor, groups, line).returncode == 0, line
    assert ctl_as_user(conductor, "games", f"{ROUTER} system {SCO} mode weak").returncode == 0
    assert router_of(conductor)["mode"] == "weak"
    assert f"user {pwd.getpwnam('nobody').pw_uid} may not DELETE" in conductor.log
    audit = conductor.get("/v1/audit?router=router1").json["audit"]
    assert audit[-1]["address"] == f"uid {pwd.getpwnam('nobody').pw_uid}"


def routes_of_conductord():
    with open(os.path.join(ROOT, "src/conductord/routes.c")) as file:
        return re.findall(r'{"(\w+)", "([^"]+)", HTTP_(\w+),', file.read())


def test_every_route_asks_who(conductors):
    conductor = conductors(start=False)
    conductor.config["control"].update({"group": "games", "read-group": "users"})
    conductor.write_config()
    conductor.start()
    conductor.router()
    before = conductor.get("/v1/routers").body
    routes = routes_of_conductord()
    assert len(routes) > 10
    for method, path, change in routes:
        path = path.format(router="router1", node="node0", jti="0" * 32, version="V1",
                           conductor="conductor2", label="site",
                           rollout="night")
        body = None if method == "GET" else "{}"
        assert (method == "GET") == (change == "READS")
        assert as_user(conductor, None, method, path, body) == 403, path
        expected = 403 if method != "GET" else 404 if path.endswith("/night") else 200
        assert as_user(conductor, "users", method, path, body) == expected, path
    assert conductor.get("/v1/routers").body == before


def test_a_router_tells_its_story(daemons, tmp_path):
    daemon = daemons()
    text = ctl(daemon, "show", SCO, check=0).stdout
    assert text.splitlines()[0].split() == ["State", "unconfigured"]
    assert "sntrup761x25519-sha512" in text
    assert "this is router router1" in ctl(daemon, "show", SCO, "router", "router2",
                                           check=1).stderr
    bad = tmp_path / "onboarding-config.json"
    bad.write_text("{}")
    assert ctl(daemon, "request", "onboarding", "file", str(bad), check=1).stderr
    assert ctl(daemon, "show", "authority", check=1).stderr


def test_a_story_on_both_sides(conductor, tmp_path):
    """From the first command to a configuration that is changed: each side tells where it stands."""
    directory = os.path.join(conductor.directory, "router")
    os.makedirs(os.path.join(directory, "secrets"), 0o700)
    router = Daemon(directory)
    router.config["asset-id"] = "ASSET-1"
    router.config["software-update"] = {}
    router.config[SCO].update({"port": conductor.config["port"], "reboot-command": ["touch", directory + "/rebooted"],
                               "onboarding-file": os.path.join(directory, "none")})
    router.write_config()
    router.start()
    try:
        conductor.router()
        conductor.ctl(f"{UPDATE} download attempts 7")
        token = conductor.token()
        document = tmp_path / "onboarding-config.json"
        document.write_text(json.dumps({
            "mode": "conductor-managed", "name": "router1", "conductor-hosts": ["127.0.0.1"],
            SCO + "-token": token}))
        ctl(router, "request", "onboarding", "file", str(document), check=0)
        wait_for(lambda: os.path.exists(directory + "/rebooted"), 60)
        assert router.get("/v1/onboarding").json["state"] == "initializing"
        router.stop()
        router.start()
        wait_for(lambda: re.search(r"127.0.0.1 +\d+ +connected",
                                   ctl(router, "show", SCO, check=0).stdout), 60)
        assert ctl(router, "show", SCO).stdout.startswith("State      onboarded\n")
        download = router.get("/v1/configuration").json["steward:router"]["software-update"]
        assert download["download"]["attempts"] == 7
        assert "Nodes        1, 1 enrolled" in conductor.ctl(f"show {SCO}").stdout
        assert "1 enrolled, 0 refused" in conductor.ctl(f"show {SCO}").stdout
        assert re.search(r"router1 +node0 +127.0.0.1 .* ssh-key",
                         conductor.ctl(f"show {SCO} enrolments").stdout)
        conductor.ctl(f"{UPDATE} download attempts 9")
        wait_for(lambda: router.get("/v1/configuration").json["steward:router"]
                 ["software-update"]["download"]["attempts"] == 9, 60)
        again = ctl(router, "request", "onboarding", "file", str(document), check=1)
        assert again.stderr.startswith("stewardctl: ")
        conductor.ctl(f"request {SCO} reset router router1 node node0")
        assert "revoked" in conductor.ctl(f"show {SCO} tokens").stdout
        wait_for(lambda: not re.search(r"127.0.0.1 +\d+ +connected",
                                       ctl(router, "show", SCO, check=0).stdout), 60)
        assert token not in router.log + conductor.log
    finally:
        router.stop()
