# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets of routers' configurations: the conductor writes them, and cannot read them back."""

import base64
import json
import os
import pathlib
import shutil
import sqlite3
import stat
import tempfile

import pytest

from conductor import Conductor
from conductor_pair import both_connected, host
from registry_before import TO_VERSION_3
from sealed_values import item, keys_of, seal
from secret_search import files_below, holds, read
from steward import Daemon, UnixConnection, ctl, wait_for

SCO = "secure-conductor-onboarding"
PASSWORD = "pa55word-of-the-mirror"
QUERY = "sig=qu3ry-of-the-store"
CONFIGURATION = "/v1/routers/router1/configuration"
PASSWORD_PATH = "software-update/source/mirror/password"
QUERY_PATH = "software-update/source/store/url/http://192.0.2.1/c"


def sources(password=PASSWORD, query=QUERY):
    return {"software-update": {"source": [
        {"name": "mirror", "kind": "artifactory", "url": "http://192.0.2.1/", "username": "u",
         "password": password},
        {"name": "store", "kind": "artifactory", "url": f"http://192.0.2.1/c?{query}"}]}}


def router_json(router):
    with open(os.path.join(router.secrets, "router.json")) as file:
        return file.read()


def has(router, *texts):
    path = os.path.join(router.secrets, "router.json")
    return os.path.exists(path) and all(text in router_json(router) for text in texts)


def states(conductor):
    """path -> node -> state."""
    return {row["path"]: row["nodes"] for row in conductor.get(CONFIGURATION).json["secrets"]}


def assert_hidden(conductor, *secrets):
    """In no file of the conductor, the registry and its log among them, and in no answer."""
    bodies = [conductor.get(path).body for path in
              (CONFIGURATION, "/v1/routers/router1", "/v1/audit", "/v1/status", "/metrics")]
    bodies.append(ctl(conductor, "show", "authority", "router", "router1").stdout.encode())
    for secret in secrets:
        for path in files_below(conductor.directory):
            assert not holds(read(path), secret.encode()), path
        for body in bodies:
            assert not holds(body, secret.encode()), body


def copies(conductor):
    """How many values wait, sealed to conductors."""
    with sqlite3.connect(conductor.config["registry"].removeprefix("sqlite:")) as registry:
        return registry.execute("SELECT COUNT(*) FROM sealed_to_conductors").fetchone()[0]


@pytest.fixture
def pair_of_nodes(onboarding):
    """A conductor with a router of two nodes, of which none is enrolled."""
    conductor = onboarding.conductor()
    conductor.configure()
    conductor.configure(node="node1", asset_id="A1")
    return conductor, onboarding.router(), onboarding.router("A1", node="node1")


def test_a_stolen_registry_has_none(onboarding):
    """Set before the router is there, and again when it is; each by itself."""
    conductor = onboarding.conductor()
    conductor.configure()
    shown = conductor.put(CONFIGURATION, sources())
    assert [s.get("password", s["url"]) for s in
            shown["configuration"]["software-update"]["source"]] == ["set",
                                                                     "http://192.0.2.1/c?..."]
    assert states(conductor) == {PASSWORD_PATH: {"node0": "waiting"},
                                 QUERY_PATH: {"node0": "waiting"}}
    assert copies(conductor) == 2
    assert_hidden(conductor, PASSWORD, QUERY)
    own = os.path.join(conductor.state, "sealing-keys")
    assert stat.S_IMODE(os.stat(own).st_mode) == 0o600
    router = onboarding.router()
    router.onboard(conductor.token()).become_onboarded()
    assert has(router, PASSWORD, QUERY)
    assert states(conductor) == {PASSWORD_PATH: {"node0": "set"}, QUERY_PATH: {"node0": "set"}}
    # From here on nobody but the node can read them.
    assert copies(conductor) == 0
    # What was only shown stays; a new value comes through.
    wait_for(lambda: router.is_connected, 30, "the tunnel")
    conductor.put(CONFIGURATION, sources("an0ther-password", "..."))
    wait_for(lambda: has(router, "an0ther-password", QUERY), 30, "the new password")
    assert copies(conductor) == 0
    assert_hidden(conductor, PASSWORD, QUERY, "an0ther-password")
    for text in (router.log, router.get("/v1/configuration").body.decode()):
        assert "an0ther-password" not in text and "qu3ry" not in text
    shown = router.get("/v1/configuration").json["steward:router"]["software-update"]["source"]
    assert shown[0]["password"] == "set"


def test_what_is_only_shown_must_be_known(onboarding):
    """Nobody gets a secret to another place, and a refusal shows none and changes nothing."""
    conductor = onboarding.conductor()
    conductor.configure()
    conductor.put(CONFIGURATION, sources())
    before = conductor.get(CONFIGURATION).body
    elsewhere = sources("set", "...")
    elsewhere["software-update"]["source"][1]["url"] = "http://192.0.2.2/c?..."
    other_name = sources("set", "...")
    other_name["software-update"]["source"][0]["name"] = "other"
    twice = sources("set", "a=1")
    twice["software-update"]["source"][1]["mirror"] = ["http://192.0.2.1/c?a=2"]
    no_name = sources(PASSWORD + "2", "...")
    del no_name["software-update"]["source"][0]["username"]
    for body, said in ((elsewhere, "give the whole URL"), (other_name, "give the value"),
                       (twice, "two URLs of one source that differ in their query alone"),
                       (no_name, "needs a username"),
                       (sources(PASSWORD + "2\n", "..."), "without a line break")):
        reply = conductor.call("PUT", CONFIGURATION, body)
        assert reply.status == 400 and said in reply.detail, reply.body
        assert PASSWORD not in reply.detail and "a=" not in reply.detail
        assert conductor.get(CONFIGURATION).body == before
    assert_hidden(conductor, PASSWORD, QUERY)
    # Taken away, it is gone: also when somebody sends again what was shown.
    conductor.put(CONFIGURATION, {"software-update": {}})
    assert conductor.get(CONFIGURATION).json["secrets"] == [] and copies(conductor) == 0
    assert conductor.call("PUT", CONFIGURATION, sources("set", "...")).status == 400


def test_the_second_node_comes_later(pair_of_nodes):
    """Until both have it, it waits for the second; then for nobody."""
    conductor, first, second = pair_of_nodes
    conductor.put(CONFIGURATION, sources())
    first.onboard(conductor.token()).become_onboarded()
    assert has(first, PASSWORD, QUERY)
    assert states(conductor)[PASSWORD_PATH] == {"node0": "set", "node1": "waiting"}
    assert copies(conductor) == 2
    assert_hidden(conductor, PASSWORD, QUERY)
    second.onboard(conductor.token()).become_onboarded()
    assert has(second, PASSWORD, QUERY)
    assert states(conductor) == {path: {"node0": "set", "node1": "set"}
                                 for path in (PASSWORD_PATH, QUERY_PATH)}
    assert copies(conductor) == 0


def test_a_node_that_was_replaced(onboarding):
    """It comes with other keys: its operator is told which secrets to set again, and how."""
    conductor = onboarding.conductor()
    conductor.configure()
    conductor.put(CONFIGURATION, sources())
    onboarding.router().onboard(conductor.token()).become_onboarded()
    assert conductor.post("/v1/routers/router1/nodes/node0/reset").status == 200
    other = onboarding.router()
    other.onboard(conductor.token())
    wait_for(lambda: f"{PASSWORD_PATH} is to be set again ('configure authority router router1 "
             in conductor.log, 60, "the word")
    assert states(conductor)[PASSWORD_PATH] == {"node0": "to be set again"}
    shown = ctl(conductor, "show", "authority", "router", "router1", check=0).stdout
    assert f"node0            to be set again  {PASSWORD_PATH}" in shown
    assert other.onboarding["state"] == "connected"
    conductor.put(CONFIGURATION, sources("set", "new=1"))
    ctl(conductor, "configure", "authority", "router", "router1", "system", "software-update",
        "source", "mirror", "password", "-", check=0, input="n3w-password\n")
    other.become_onboarded()
    assert has(other, "n3w-password", "new=1")
    assert states(conductor)[PASSWORD_PATH] == {"node0": "set"}
    assert_hidden(conductor, PASSWORD, "n3w-password")


def test_a_node_that_comes_again_keeps_its_own(onboarding):
    """Reset, and the same device: what is sealed to its keys is still of use."""
    conductor = onboarding.conductor()
    conductor.configure()
    conductor.put(CONFIGURATION, sources())
    router = onboarding.router()
    router.onboard(conductor.token()).become_onboarded()
    assert conductor.post("/v1/routers/router1/nodes/node0/reset").status == 200
    router.onboard(conductor.token())
    wait_for(lambda: states(conductor)[PASSWORD_PATH] == {"node0": "set"} and conductor.enrolments,
             60, "the second enrolment")
    assert copies(conductor) == 0
    wait_for(lambda: [o for o, _ in conductor.audit("router1")].count("initialized") == 2, 60,
             "the second initialization")
    assert has(router, PASSWORD, QUERY)


def ask(router, method, path, body=None):
    link = UnixConnection(os.path.join(router.directory, "conductor.sock"))
    link.request(method, path, None if body is None else json.dumps(body))
    answer = link.getresponse()
    told = json.loads(answer.read())
    link.close()
    return answer.status, told


@pytest.fixture
def onboarded(onboarding):
    conductor = onboarding.conductor()
    conductor.configure()
    router = onboarding.router()
    router.onboard(conductor.token()).become_onboarded()
    return conductor, router


def test_sealed_by_another_hand(onboarded):
    """The page says it byte by byte; and whatever is changed is refused, with words."""
    _, router = onboarded
    status, told = ask(router, "GET", "/v1/sealing-keys")
    assert status == 200
    public = keys_of(base64.b64decode(told["sealing-keys"]))[1]
    sealed = seal(public, "router1", PASSWORD_PATH, 7, PASSWORD)
    query = seal(public, "router1", QUERY_PATH, 8, QUERY)
    body = {**sources("set", "..."), "sealed": [item(PASSWORD_PATH, 7, sealed),
                                               item(QUERY_PATH, 8, query)]}
    before = router_json(router)

    def refused(change, said):
        changed = json.loads(json.dumps(body))
        change(changed)
        status, told = ask(router, "PUT", "/v1/configuration", changed)
        assert status == 400 and said in told["detail"], (said, told)
        assert PASSWORD not in told["detail"] and router_json(router) == before

    def put(index, member, value):
        return lambda changed: changed["sealed"][index].update({member: value})

    # A byte of each field: magic, number, kind, id, encapsulation, key, its tag, value, its tag.
    for at in (0, 4, 5, 6, 14, 46, 78, 94, len(sealed) - 1):
        bent = bytearray(sealed)
        bent[at] ^= 4
        refused(put(0, "value", base64.b64encode(bent).decode()), PASSWORD_PATH)
    changed = "was changed, or is of another router, leaf or version"
    refused(put(0, "version", 8), changed)
    refused(put(0, "value", item("", 0, seal(public, "router2", PASSWORD_PATH, 7, "x"))["value"]),
            changed)
    refused(put(0, "value", item("", 0, query)["value"]), changed)
    refused(put(0, "value", item("", 0, seal(os.urandom(32), "router1", PASSWORD_PATH, 7, "x"))
                ["value"]), "sealed to other keys")
    refused(put(0, "value", "?"), "expected base64")
    refused(put(0, "more", 1), "more")
    refused(put(0, "version", -1), "version")
    refused(lambda c: c["sealed"].pop(0), f"{PASSWORD_PATH}: no value came sealed")
    refused(lambda c: c["software-update"]["source"][0].pop("password"),
            f"{PASSWORD_PATH}: a value came for it, and it has no place")
    refused(lambda c: c.update({"sealed": {}}), "expected an array")
    refused(lambda c: c.pop("sealed"), "is not shown: give the value")
    status, told = ask(router, "PUT", "/v1/configuration", body)
    assert status == 200, told
    assert has(router, PASSWORD, QUERY)
    # An older conductor sends them as they are.
    status, told = ask(router, "PUT", "/v1/configuration", sources("0ld", "old=1"))
    assert status == 200 and has(router, "0ld", "old=1"), told


def test_the_registry_of_an_older_version(onboarding):
    """What was readable is sealed at the start, and nowhere in the file any more."""
    conductor = onboarding.conductor()
    conductor.configure()
    conductor.put(CONFIGURATION, {"software-update": {"max-bandwidth": "1000"}})
    conductor.stop()
    old = json.dumps({"software-update": {"source": [sources()["software-update"]["source"][1]]}})
    with sqlite3.connect(conductor.config["registry"].removeprefix("sqlite:")) as registry:
        registry.execute("UPDATE routers SET configuration = ?", (old,))
        registry.executescript(TO_VERSION_3)
    assert any(holds(read(path), QUERY.encode()) for path in files_below(conductor.directory))
    conductor.start()
    wait_for(lambda: "secrets of 1 routers that were readable" in conductor.log, 30, "the word")
    assert states(conductor) == {QUERY_PATH: {"node0": "waiting"}}
    assert_hidden(conductor, QUERY)
    router = onboarding.router()
    router.onboard(conductor.token()).become_onboarded()
    assert has(router, QUERY)


@pytest.mark.slow
def test_two_conductors(onboarding, pair, database):
    """Whichever was told it has a copy for the other; a node gets it from either."""
    one, two = pair
    one.configure()
    one.put(CONFIGURATION, sources())
    assert two.get(CONFIGURATION).json["configuration"] == one.get(CONFIGURATION).json[
        "configuration"]
    router = onboarding.router()
    one.kill9()
    router.onboard(two.token(), [host(two)]).become_onboarded()
    assert has(router, PASSWORD, QUERY)
    assert states(two)[PASSWORD_PATH] == {"node0": "set"}
    one.start()
    wait_for(lambda: both_connected(router), 90, "both tunnels")
    one.put(CONFIGURATION, sources("an0ther-password", "..."))
    wait_for(lambda: has(router, "an0ther-password", QUERY), 60, "the new password")
    dump = database.ask("psql", "-AtXq", "-c",
                        "SELECT * FROM sealed_to_nodes; SELECT * FROM sealed_to_conductors;"
                        "SELECT configuration FROM routers; SELECT reason FROM audit").stdout
    for secret in (PASSWORD, QUERY, "an0ther-password"):
        assert not holds(dump, secret.encode())
        assert not holds(dump, secret.encode().hex().encode())


@pytest.fixture
def folder():
    """Where sshd may go as its own user."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="sealed"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def test_download_with_a_sealed_password(servers, key, folder):
    """From the operator's word to the server that asks for it."""
    (folder / "conductor").mkdir()
    server = servers(user="u:" + PASSWORD)
    conductor = Conductor(folder / "conductor")
    conductor.config["limits"] = {"connection-rate": 1000, "connection-burst": 1000}
    conductor.write_config()
    os.makedirs(folder / "router" / "secrets", 0o700)
    router = Daemon(folder / "router", key=key)
    router.config["asset-id"] = "ASSET-1"
    router.config[SCO].update({"port": conductor.config["port"],
                               "reboot-command": ["touch", str(folder / "rebooted")],
                               "onboarding-file": str(folder / "none")})
    router.write_config()
    conductor.start()
    router.start()
    try:
        conductor.router()
        words = "configure authority router router1 system software-update source s0 "
        conductor.ctl(words + f"kind artifactory url {server.url}")
        both = conductor.ctl(words + "username u password -", input=PASSWORD + "\n")
        assert PASSWORD not in both.stdout
        document = folder / "onboarding-config.json"
        document.write_text(json.dumps({
            "mode": "conductor-managed", "name": "router1", "conductor-hosts": ["127.0.0.1"],
            SCO + "-token": conductor.token()}))
        ctl(router, "request", "onboarding", "file", str(document), check=0)
        wait_for(lambda: os.path.exists(folder / "rebooted"), 60)
        router.stop()
        router.start()
        router.fetch("V1")
        router.wait_state("V1", "complete")
        assert server.image_requests > 0
        assert PASSWORD not in router.log + conductor.log
    finally:
        router.stop()
        conductor.stop()
