# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels of routers: set, shown, found by, deleted; over the control socket and by commands."""

import json
import sqlite3

import pytest

from conductor import Conductor


@pytest.fixture
def conductor(tmp_path):
    made = Conductor(tmp_path).start()
    yield made
    made.stop()


def names(conductor, query=""):
    return [r["name"] for r in conductor.get("/v1/routers" + query).json["routers"]]


def label(conductor, router, name, value):
    return conductor.call("PUT", f"/v1/routers/{router}/labels/{name}", {"value": value})


def next_of(reply):
    link = reply.headers["Link"]
    return link and link.split(">")[0][1:]


def test_labels_find_routers(conductor):
    for router, site, ring in (("a", "emea", "1"), ("b", "apac", "1"), ("c", "emea", "2")):
        assert label(conductor, router, "site", site).status == 200
        assert label(conductor, router, "ring", ring).json["labels"] == {"ring": ring, "site": site}
    label(conductor, "d", "ring", "2")
    assert names(conductor) == ["a", "b", "c", "d"]
    assert names(conductor, "?label=site=emea") == ["a", "c"]
    assert names(conductor, "?label=site=emea,ring=2") == ["c"]
    assert names(conductor, "?label=site=none") == []
    page = conductor.get("/v1/routers?label=site=emea&limit=1")
    assert [r["name"] for r in page.json["routers"]] == ["a"]
    following = next_of(page)
    assert "label=site=emea&" in following and names(conductor, following[len("/v1/routers"):]) == ["c"]
    many = ",".join(f"n{i}=v" for i in range(9))
    for wrong in ("", "site", "site=", "=emea", "site=a b", "site=emea,", "a=" + 64 * "b", many):
        reply = conductor.get("/v1/routers?label=" + wrong.replace(" ", "%20"))
        assert reply.status == 400 and "label" in reply.json["detail"], wrong
    assert names(conductor, "?label=" + many[:-5]) == []
    for body in ({"value": "a b"}, {"value": ""}, {"value": 7}, {}, {"value": "x", "more": 1}):
        assert conductor.call("PUT", "/v1/routers/a/labels/site", body).status == 400, body
    assert conductor.get("/v1/routers/a").json["labels"]["site"] == "emea"
    path = "/v1/routers/a/labels/site"
    assert [conductor.call("DELETE", path).status for _ in range(2)] == [204, 404]
    assert names(conductor, "?label=site=emea") == ["c"]
    told = [row["reason"] for row in conductor.get("/v1/audit?router=a").json["audit"]]
    assert told == ["label site=emea", "label ring=1", "label site deleted"]


@pytest.mark.once
def test_commands(conductor):
    """One word after "router" is a name, whatever it is."""
    conductor.router("label")
    conductor.router("lab", asset_id="ASSET-2")
    for line in ("label label site emea", "label label ring 1", "lab label site emea"):
        conductor.ctl("configure authority router " + line)
    for name in ("label", "lab"):
        shown = conductor.ctl(f"show authority router {name}").stdout
        assert shown.startswith(f"Router             {name}\n")
    assert "\nLabels             ring 1\n                   site emea\n" in \
        conductor.ctl("show authority router label").stdout
    for line, found in (("label site emea", ["lab", "label"]), ("label ring 1", ["label"]),
                        ("label site emea label ring 1", ["label"]), ("label ring 2", [])):
        answer = conductor.ctl("--json show authority router " + line).stdout
        assert [r["name"] for r in json.loads(answer)["routers"]] == found
        table = conductor.ctl("show authority router " + line).stdout.splitlines()
        assert [row.split()[0] for row in table[1:]] == found
    for line in ("label site", "lab site emea", "label site emea ring 1", "a b",
                 "label site emea label", 9 * "label a b "):
        assert "label NAME VALUE" in conductor.ctl("show authority router " + line, check=64).stderr
    conductor.ctl("show authority router label site", "e m", check=1)
    conductor.ctl("delete authority router label label ring")
    assert "router label has no label ring" in conductor.refuses("delete authority router label label ring")
    for number in range(31):
        label(conductor, "lab", f"n{number}", "v")
    assert "32 labels" in conductor.refuses("configure authority router lab label one more")
    assert label(conductor, "lab", "one", "more").status == 409


@pytest.mark.release_only
def test_few_of_many(conductor):
    """More routers than are read at a time, most of which have no label."""
    conductor.stop()
    with sqlite3.connect(conductor.config["registry"][len("sqlite:"):]) as registry:
        registry.executemany("INSERT INTO routers (name, mode, configuration, revision)"
                             " VALUES (?, 'disabled', '{}', 0)",
                             ((f"r{i:05}",) for i in range(12000)))
        registry.executemany("INSERT INTO labels (router, name, value) VALUES (?, 'site', 'x')",
                             ((f"r{i:05}",) for i in (3, 4999, 5000, 11998)))
    conductor.start()
    expected = ["r00003", "r04999", "r05000", "r11998"]
    assert names(conductor, "?label=site=x") == expected
    for limit in (1, 2, 3, 4, 5):
        found, path = [], f"/v1/routers?label=site=x&limit={limit}"
        while path:
            page = conductor.get(path)
            found += [r["name"] for r in page.json["routers"]]
            assert len(page.json["routers"]) <= limit
            path = next_of(page)
        assert found == expected, limit
