# SPDX-License-Identifier: GPL-3.0-or-later
"""/v1/openapi.json is true: what it describes is sent, and what comes back is what it says. No
route is missing in it, and each one is called."""

import json
import re
import urllib.parse

import pytest
from jsonschema import Draft202012Validator

from steward import ROOT, UnixConnection, wait_for
from test_conductor_downloads import Fleet

pytestmark = pytest.mark.release_only

TABLES = {"stewardd": (("node/routes.c", "control_routes"), ("stewardd/router.c", "router_routes")),
          "conductord": (("node/routes.c", "control_routes"),
                         ("conductord/routes.c", "conductor_routes"))}
R, N, V1 = {"router": "router1"}, {"router": "router1", "node": "node9"}, {"version": "V1"}
RV = {**R, **V1}


def routes_of(program):
    found = {}
    for path, table in TABLES[program]:
        with open(f"{ROOT}/src/{path}") as file:
            rows = re.search(rf"struct http_route {table}\[[^]]*\] = {{(.*?)\n}};", file.read(), re.S)
        for method, route, right in re.findall(r'{"(\w+)",\s*"([^"]+)",\s*HTTP_(\w+)', rows[1]):
            found[method, route] = right.lower().rstrip("s")
    return found


class Document:
    def __init__(self, daemon, program):
        self.daemon = daemon
        self.json = daemon.get("/v1/openapi.json").json
        self.operations = {operation["operationId"]: (method.upper(), path, operation)
                           for path, methods in self.json["paths"].items()
                           for method, operation in methods.items()}
        self.program = program
        self.succeeded = set()

    def at(self, item):
        while "$ref" in item:
            place = self.json
            for name in item["$ref"][2:].split("/"):
                place = place[name]
            item = place
        return item

    def check(self, schema, value):
        whole = {**schema, "components": self.json["components"]}
        Draft202012Validator.check_schema(whole)
        errors = [f"{list(e.absolute_path)}: {e.message}"
                  for e in Draft202012Validator(whole).iter_errors(value)]
        assert not errors, errors

    def check_itself(self):
        rights = {(method, path): operation["x-steward-right"]
                  for method, path, operation in self.operations.values()}
        assert rights == routes_of(self.program)
        assert len(self.operations) == len(rights), "an operationId stands twice"
        for method, path, operation in self.operations.values():
            declared = {p["name"] for p in map(self.at, operation.get("parameters", []))
                        if p["in"] == "path"}
            assert declared == set(re.findall(r"{(.*?)}", path)), path
        for match in re.findall(r'"\$ref": "([^"]+)"', json.dumps(self.json)):
            self.at({"$ref": match})

    def url(self, operation, path, parameters):
        left = dict(parameters)
        for parameter in map(self.at, operation.get("parameters", [])):
            name = parameter["name"]
            if name not in left:
                assert parameter["in"] == "query", f"{path} without {name}"
                continue
            self.check(parameter["schema"], left[name])
            if parameter["in"] == "path":
                path = path.replace("{" + name + "}", urllib.parse.quote(left.pop(name)))
        query = urllib.parse.urlencode({k: json.dumps(v) if isinstance(v, bool) else v
                                        for k, v in left.items()})
        return path + ("?" + query if query else "")

    def call(self, name, parameters=(), body=None, status=None, valid=True):
        """What comes back, checked; status None: the one good one that is described."""
        method, path, operation = self.operations[name]
        url = self.url(operation, path, dict(parameters))
        described = operation["responses"]
        good = next(int(s) for s in described if s.startswith("2"))
        if body is not None and valid:
            kind, = operation["requestBody"]["content"]
            if kind != "application/octet-stream":
                self.check(operation["requestBody"]["content"][kind]["schema"], body)
        connection = UnixConnection(self.daemon.socket)
        try:
            sent = json.dumps(body) if isinstance(body, (dict, list)) else body
            connection.request(method, url, sent)
            reply = connection.getresponse()
            assert reply.status == (status or good), (name, reply.status, reply.read(2000))
            response = self.at(described.get(str(reply.status)) or described[f"{reply.status // 100}XX"])
            value = self.read(reply, response)
        finally:
            connection.close()
        if reply.status == good:
            self.succeeded.add(name)
        return value

    def read(self, reply, response):
        """And checks it. Of a stream: its first event."""
        if "content" not in response:
            assert reply.read() == b""
            return None
        (kind, content), = response["content"].items()
        assert reply.headers["Content-Type"] == kind
        assert set(response.get("headers", {})) - {"Link"} <= set(reply.headers)
        if kind == "text/event-stream":
            return reply.readline().decode()
        value = reply.read().decode()
        if kind.endswith("json"):
            value = json.loads(value)
        self.check(content["schema"], value)
        return value

    def check_all_were_called(self, refused):
        assert set(self.operations) - self.succeeded == set(refused)


def call_what_every_node_has(document, image, jws):
    """The node has V1, and no TPM."""
    call = document.call
    for name in ("openapi", "status", "versions", "downloads", "images", "integrity",
                 "configuration", "events", "metrics", "reload"):
        call(name)
    call("versions", {"refresh": True})
    call("verify-image", V1)
    wait_for(lambda: document.daemon.call("DELETE", "/v1/images/V1").status == 204)
    document.succeeded.add("delete-image")
    call("delete-image", V1, status=404)
    call("import-manifest", V1, jws)
    call("import-file", V1, image)
    assert call("images")["images"][0]["version"] == "V1"
    call("request-download", body={"version": "V9", "force": False})
    call("pause-download", {"version": "V9"})
    call("resume-download", {"version": "V9"})
    call("download", {"version": "V9"})
    call("download-history", {"version": "V9"})
    call("download-pieces", {"version": "V9"})
    call("cancel-download", {"version": "V9"}, body={"force": True})
    assert len(call("downloads")["downloads"]) > 0
    call("recovery", status=404)
    for name, parameters, body, status in (
            ("add-policy", (), "no.policy.x", 400), ("request-download", (), {"version": 7}, 400),
            ("request-download", (), {"version": "V1", "x": 1}, 400),
            ("download", {"version": "V8"}, None, 404), ("verify-image", {"version": "V8"}, None, 404),
            ("download-history", {"version": "V8"}, None, 404),
            ("download-pieces", {"version": "V8"}, None, 404),
            ("pause-download", {"version": "V9"}, None, 409)):
        call(name, parameters, body, status, valid=False)


def test_router(daemons, servers, key, images):
    daemon = daemons(servers())
    daemon.fetch("V1")
    document = Document(daemon, "stewardd")
    document.check_itself()
    assert document.call("download", V1)["sources"]
    assert document.call("download-history", V1)["points"]
    assert document.call("download-pieces", V1)["version"] == "V1"
    with open(images(16).path, "rb") as file:
        call_what_every_node_has(document, file.read(), key.jws(images(16).payload("V1")))
    document.call("onboarding")
    document.call("onboarding", {"router": "another"}, status=404)
    document.call("onboard", body={"name": "x", "secureConductorOnboarding": "x"}, status=400)
    document.check_all_were_called({"recovery", "add-policy", "onboard"})


@pytest.mark.slow
def test_conductor_and_its_routers(onboarding, key, images):
    image = images(8)
    with open(image.path, "rb") as file:
        image.bytes = file.read()
    fleet = Fleet(onboarding, key, image)
    Document(fleet.nodes[0], "stewardd").call("onboarding")
    document = Document(fleet.conductor, "conductord")
    document.check_itself()
    call = document.call
    call_what_every_node_has(document, image.bytes, key.jws(image.payload("V1")))
    call_the_nodes(document, fleet)
    call_the_registry(document)
    document.check_all_were_called({"recovery", "add-policy", "delete-conductor", "approve-rollout"})


def call_the_nodes(document, fleet):
    call = document.call
    history = document.at({"$ref": "#/components/schemas/History"})
    call("request-router-download", R, {"version": "V1"})
    fleet.wait_states("complete", "complete")
    for name in ("router-download", "router-download-history", "pause-router-download",
                 "resume-router-download", "watch-router-download"):
        call(name, RV)
    for told in call("router-download-history", RV)["nodes"]:
        document.check(history, told["answer"])
    for told in call("router-downloads", {**R, "node": "node1"})["nodes"]:
        document.check(document.at({"$ref": "#/components/schemas/Downloads"}), told["answer"])
    call("cancel-router-download", RV, {"force": False})
    call("router-recovery", R)
    call("router-policy", R, "no.policy.x")
    call("router-downloads", {"router": "nobody"}, status=404)


def call_the_registry(document):
    call = document.call
    call("fleet", {"name": "r", "mode": "strong", "enrolled": "all", "connected": "any",
                   "sort": "-connected", "first": 0, "limit": 5, "label": "site=emea,ring=1"})
    for name in ("routers", "tokens", "enrolments", "audit", "conductors", "conductor-onboarding",
                 "fleet"):
        assert call(name), name
    for name in ("routers", "tokens", "enrolments", "audit"):
        call(name, {"limit": 1})
    for name in ("enrolments", "tokens", "conductor-onboarding", "audit"):
        call(name, R)
    call("routers", {"after": "router1"})
    assert len(call("enrolments")["enrolments"]) == 2 and call("audit")["audit"]
    call("router", R)
    call("router-configuration", R)
    call("configure", R, {"software-update": {"access-mode": "conductor-only"}})
    call("configure", {**R, "revision": 1}, {"high-availability": {}}, status=409)
    call("configure-router", {"router": "router2"}, {"mode": "psk-only", "pre-shared-secret": ""})
    call("configure-router", {"router": "router2"}, {"mode": "lunch"}, status=400, valid=False)
    rollout = {"rollout": "night"}
    plan = {"name": "night", "version": "V9", "selector": {"all": True}, "phases": ["1", "50%"],
            "window": [{"days": "mon-sun", "from": "00:00", "to": "24:00"}], "zone": "UTC", "failures": "100%"}
    assert call("create-rollout", body=plan)["members"] == 1
    call("create-rollout", body=plan, status=409)
    call("create-rollout", body={**plan, "name": "x", "selector": {"routers": ["nobody"]}}, status=404)
    call("create-rollout", body={**plan, "name": "x", "phases": ["0"]}, status=400)
    assert call("rollouts")["rollouts"] and call("rollout", rollout)["zone"] == "UTC"
    call("pause-rollout", rollout)
    call("resume-rollout", rollout)
    call("approve-rollout", rollout, status=409)
    call("cancel-rollout", rollout)
    call("cancel-rollout", rollout, status=409)
    call("rollout", {"rollout": "none"}, status=404)
    label = {"router": "router2", "label": "site"}
    assert call("label-router", label, {"value": "emea"})["labels"] == {"site": "emea"}
    call("label-router", label, {"value": "e m"}, status=400, valid=False)
    assert len(call("routers", {"label": "site=emea"})["routers"]) == 1
    call("routers", {"label": "site"}, status=400)
    call("delete-label", label)
    call("delete-label", label, status=404)
    call("configure-node", N, {"asset-id": "A9"})
    call("node", N)
    call("reset-node", N)
    token = call("make-token", R, {"expiration-timeout": "30m"})
    call("router-tokens", R)
    call("revoke-token", {"jti": token["jti"]})
    call("revoke-token", {"jti": "0" * 32}, status=404)
    call("delete-node", N)
    call("node", N, status=404)
    call("delete-router", {"router": "router2"})
    call("reset-clock")
    own = call("conductors")["conductors"][0]["name"]
    call("delete-conductor", {"conductor": own}, status=409)
    call("delete-conductor", {"conductor": "nobody"}, status=404)
