# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules for Prometheus and the dashboard for Grafana: they are valid, each alert is seen to
fire, and what they ask for is what the daemons have."""

import json
import os
import re
import subprocess
import urllib.error
import urllib.request

import pytest
import yaml

from conductor import Conductor
from nginx import Nginx
from steward import ROOT

pytestmark = pytest.mark.release_only

RULES = ROOT + "/packaging/prometheus/steward.rules.yml"
TESTS = ROOT + "/tests/e2e/steward.rules.test.yml"
DASHBOARD = ROOT + "/packaging/grafana/steward.json"


def promtool(*words, **options):
    done = subprocess.run(["promtool", *words], capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rules():
    with open(RULES) as file:
        return [rule for group in yaml.safe_load(file)["groups"] for rule in group["rules"]]


def expressions():
    """Of the rules, and of the dashboard with its variables filled in."""
    with open(DASHBOARD) as file:
        dashboard = json.load(file)
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    return [rule["expr"] for rule in rules()] + [e.replace("$instance", "r1") for e in asked]


def test_rules_are_right():
    promtool("check", "rules", RULES)
    promtool("test", "rules", TESTS)
    with open(TESTS) as file:
        cases = [case for test in yaml.safe_load(file)["tests"] for case in test["alert_rule_test"]]
    fired = {case["alertname"] for case in cases if case["exp_alerts"]}
    assert fired == {rule["alert"] for rule in rules() if "alert" in rule}
    for rule in rules():
        if "alert" in rule:
            assert rule["labels"]["severity"] in ("warning", "critical")
            assert rule["annotations"]["summary"] and rule["annotations"]["description"]


def test_dashboard_is_whole(tmp_path):
    with open(DASHBOARD) as file:
        dashboard = json.load(file)
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids)) and "__inputs" not in dashboard
    for panel in dashboard["panels"]:
        if panel["type"] != "row":
            assert panel["title"] and panel["datasource"]["uid"] == "${datasource}"
            assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
    # promtool reads each of its expressions as a rule.
    path = tmp_path / "dashboard.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": [
        {"record": f"dashboard:{n}", "expr": e} for n, e in enumerate(expressions())]}]}))
    promtool("check", "rules", str(path))


@pytest.fixture
def metrics(daemons, servers, tmp_path):
    """Of a router that has downloaded, and of a conductor."""
    daemon = daemons(servers())
    daemon.fetch("V1")
    (tmp_path / "conductor").mkdir()
    conductor = Conductor(tmp_path / "conductor").start()
    texts = [each.get("/metrics").body.decode() for each in (daemon, conductor)]
    conductor.stop()
    return daemon, texts


def test_what_is_asked_for_is_there(metrics, tmp_path):
    _, texts = metrics
    series = re.findall(r"^(\w+)(?:{(.*)})? ", "\n".join(texts), re.M)
    # What nobody has at the moment is declared all the same.
    declared = set(re.findall(r"^# TYPE (\w+) gauge", "\n".join(texts), re.M))
    names = {name for name, _ in series} | declared | {rule["record"] for rule in rules() if "record" in rule}
    for expression in expressions():
        for name, selector in re.findall(r"\b(steward[\w:]+)(?:{([^}]*)})?", expression):
            assert name in names, f"{expression}: there is no {name}"
            for label, value in re.findall(r'(\w+)="([^"]*)"', selector or ""):
                if label != "instance":
                    assert any(n == name and f'{label}="{value}"' in labels
                               for n, labels in series), f"no {name} with {label}={value}"


def test_scraped_through_nginx(metrics, tmp_path):
    """As docs/monitoring.md has it."""
    daemon, _ = metrics
    with open(ROOT + "/docs/monitoring.md") as file:
        location = re.search(r"```nginx\n(.*?)```", file.read(), re.S)[1]
    location = location.replace("/run/steward/control.sock", daemon.socket)
    location = location.replace("192.0.2.10", "127.0.0.1")
    with_nginx = Nginx(tmp_path / "nginx", tmp_path, server=location)
    try:
        with urllib.request.urlopen(with_nginx.url + "metrics") as reply:
            assert "steward_build_info" in reply.read().decode()
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(with_nginx.url + "v1/status")
    finally:
        with_nginx.close()
