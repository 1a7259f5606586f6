# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration: every leaf's range, what is said of what is outside, and reloads."""

import json
import os
import subprocess

import pytest

from fault_server import Fault
from repository import MIB
from steward import STEWARDD, ctl, wait_for

pytestmark = pytest.mark.once

S3 = {"s3-region": "r", "s3-access-key-file": "/a", "s3-secret-key-file": "/s"}
SOURCE = {"name": "a", "kind": "artifactory", "url": "http://127.0.0.1/"}

HOURS = {"days": "mon-fri", "from": "22:00", "to": "05:00", "max-bandwidth": 1000}


def schedule(**leaves):
    return {"software-update": {"bandwidth-schedule": [{**HOURS, **leaves}]}}


# path below software-update, smallest, largest, below, above, default
NUMBERS = {
    "download/timeout": (1800, 604800, 1799, 604801, 10800),
    "download/attempts": (0, 65535, -1, 65536, 10),
    "download/initial-retry-delay": (0, 3600, -1, 3601, 30),
    "download/maximum-retry-delay": (0, 86400, -1, 86401, 3600),
    "download/concurrency": (1, 32, 0, 33, 4),
    "download/connect-timeout": (1, 120, 0, 121, 10),
    "download/stall-timeout": (1, 600, 0, 601, 30),
    "download/window": (2, 64, 1, 65, 10),
    "max-bandwidth": (1, "999999999999", 0, "1000000000000", "unlimited"),
}

# configuration, path that must be named, value, words of the constraint
REFUSED = {
    "attempts is text": ({"software-update": {"download": {"attempts": "x"}}},
                         "download/attempts", '"x"', "must be 0..65535"),
    "a seed of no folder": ({"software-update": {"seed": ["slot-a"]}}, "software-update/seed",
                            '"slot-a"', "must be an absolute path"),
    "9 seeds": ({"software-update": {"seed": [f"/dev/sda{i}" for i in range(9)]}},
                "software-update/seed", "", "may stand 8 times, and stands 9 times"),
    "days of a schedule": (schedule(days="mon-friday"), "bandwidth-schedule", '"mon-friday"',
                           "must be days such as mon-fri"),
    "a time that no clock shows": (schedule(to="24:01"), "/to", '"24:01"', "from 00:00 to 24:00"),
    "hours without a limit": (
        {"software-update": {"bandwidth-schedule": [{k: v for k, v in HOURS.items() if k != "max-bandwidth"}]}},
        "bandwidth-schedule", "", '"max-bandwidth" is missing'),
    "the limit of some hours": (schedule(**{"max-bandwidth": 0}), "max-bandwidth", "0",
                                'must be "unlimited" or 1..999999999999'),
    "the same hours twice": ({"software-update": {"bandwidth-schedule": [HOURS, HOURS]}},
                             "bandwidth-schedule", "", "stands twice"),
    "65 entries": ({"software-update": {"bandwidth-schedule": [
        {**HOURS, "from": f"{i // 60:02}:{i % 60:02}"} for i in range(65)]}},
        "bandwidth-schedule", "", "may stand 64 times, and stands 65 times"),
    "no name of a time zone": ({"software-update": {"time-zone": "../localtime"}}, "time-zone",
                               '"../localtime"', "such as Europe/Berlin"),
    "a time zone that there is not": ({"software-update": {"time-zone": "Europe/Berlln"}},
                                      "software-update/time-zone", "'Europe/Berlln'", "tzdata"),
    "timeout is a fraction": ({"software-update": {"download": {"timeout": 1800.5}}},
                              "download/timeout", "1800.5", "must be 1800..604800 seconds"),
    "bandwidth above 32 bits must be quoted": (
        {"software-update": {"max-bandwidth": 4294967296}}, "max-bandwidth", "4294967296",
        "quoted"),
    "access-mode": ({"software-update": {"access-mode": "any"}}, "access-mode", '"any"',
                    "internet-only, prefer-conductor, conductor-only, offline-mode"),
    "enable-timeout": ({"software-update": {"download": {"enable-timeout": 1}}},
                       "enable-timeout", "1", "true or false"),
    "unknown leaf": ({"software-update": {"donwload": {}}}, "software-update", "donwload",
                     "not found"),
    "url scheme": ({"software-update": {"source": [{**SOURCE, "url": "ftp://x"}]}},
                   "source[name='a']/url", '"ftp://x"', "http or https"),
    "url with a port that there is not": ({"software-update": {"source": [{**SOURCE, "url": "http://c:65536/"}]}},
                                          "source[name='a']/url", "65536", "at most 65535"),
    "the form in which a query is shown": (
        {"software-update": {"source": [{**SOURCE, "url": "http://b/?..."}]}},
        "source[name='a']/url", '"http://...', "give the whole URL"),
    "s3-region alone": ({"software-update": {"source": [{**SOURCE, "s3-region": "eu-west-1"}]}},
                        "s3-region", '"eu-west-1"', "needs an s3-access-key-file"),
    "s3-secret-key-file alone": (
        {"software-update": {"source": [{**SOURCE, "s3-secret-key-file": "/s"}]}},
        "s3-secret-key-file", '"/s"', "needs an s3-region"),
    "s3-region with colons": (
        {"software-update": {"source": [{**SOURCE, **S3, "s3-region": "a:b"}]}},
        "s3-region", '"a:b"', "small letters, digits or dashes"),
    "s3 with a username": (
        {"software-update": {"source": [{**SOURCE, **S3, "username": "u", "password-file": "/p"}]}},
        "s3-region", '"r"', "not for a source that has a username"),
    "s3 with a query": (
        {"software-update": {"source": [{**SOURCE, **S3, "url": "http://h/?x=1"}]}},
        "s3-region", '"r"', "signed already"),
    "mirror scheme": ({"software-update": {"source": [{**SOURCE, "mirror": ["ftp://x"]}]}},
                      "source[name='a']/mirror", "", "http or https"),
    "mirror of itself": ({"software-update": {"source": [{**SOURCE, "mirror": [SOURCE["url"]]}]}},
                         "source[name='a']/mirror", "", "is the url already"),
    "one mirror twice": (
        {"software-update": {"source": [{**SOURCE, "mirror": 2 * ["http://b/?s"]}]}},
        "source[name='a']/mirror", "?...", "stands twice"),
    "eight mirrors": (
        {"software-update": {"source": [{**SOURCE, "mirror": [f"http://{i}/" for i in range(8)]}]}},
        "mirror", "", "may stand 7 times, and stands 8 times"),
    "61 URLs": (
        {"software-update": {"source": [{**SOURCE, "name": f"s{i}"} for i in range(54)] +
                             [{**SOURCE, "mirror": [f"http://{i}/" for i in range(6)]}]}},
        "software-update", "", "at most 60 URLs"),
    "url with credentials": ({"software-update": {"source": [{**SOURCE, "url": "http://a:b@c/"}]}},
                             "source[name='a']/url", 'is "http://...":', "without credentials"),
    "no url": ({"software-update": {"source": [{"name": "a", "kind": "artifactory"}]}},
               "source[name='a']", "", '"url" is missing'),
    "kind": ({"software-update": {"source": [{**SOURCE, "kind": "ha-peer"}]}},
             "source[name='a']/kind", '"ha-peer"', "conductor, artifactory, mist-proxy"),
    "two of one name": ({"software-update": {"source": [SOURCE, SOURCE]}}, "source[name='a']", "",
                        "stands twice"),
    "username alone": ({"software-update": {"source": [{**SOURCE, "username": "u"}]}},
                       "username", '"u"', "needs a password-file"),
    "a secret itself": (
        {"software-update": {"source": [{**SOURCE, "username": "u", "password": "hunter2"}]}},
        "source[name='a']/password", "", "is for router.json in the encrypted secrets-directory"),
    "proxy-username without a proxy": (
        {"software-update": {"source": [{**SOURCE, "proxy-username": "u",
                                         "proxy-password-file": "/p"}]}},
        "proxy-username", '"u"', "needs a proxy"),
    "proxy-username alone": (
        {"software-update": {"source": [{**SOURCE, "proxy": "http://p/", "proxy-username": "u"}]}},
        "proxy-username", '"u"', "needs a proxy-password-file"),
    "proxy-password-file alone": (
        {"software-update": {"source": [{**SOURCE, "proxy": "http://p/",
                                         "proxy-password-file": "/p"}]}},
        "proxy-password-file", '"/p"', "needs a proxy-username"),
    "proxy-password-file is a path": (
        {"software-update": {"source": [{**SOURCE, "proxy": "http://p/", "proxy-username": "u",
                                         "proxy-password-file": "p"}]}},
        "proxy-password-file", '"p"', "must be an absolute path"),
    "no requests at a source": ({"software-update": {"source": [{**SOURCE, "concurrency": 0}]}},
                                "source[name='a']/concurrency", "0", "must be 1..32"),
    "33 requests at a source": ({"software-update": {"source": [{**SOURCE, "concurrency": 33}]}},
                                "source[name='a']/concurrency", "33", "must be 1..32"),
    "certificate alone": ({"software-update": {"source": [{**SOURCE, "client-certificate": "/c"}]}},
                          "client-certificate", '"/c"', "needs a client-key"),
    "policy-key without PCRs": (
        {"configuration-integrity": {"policy-key": "/k.pem"}}, "policy-key", '"/k.pem"',
        "asks for pcr"),
    "seal-after-boot": ({"configuration-integrity": {"seal-after-boot": "yes"}},
                        "seal-after-boot", '"yes"', "true or false"),
    "the pin's index for the counter": (
        {"configuration-integrity": {"nv-index": "0x01800129", "pcr": [7], "policy-key": "/k"}},
        "policy-nv-index", "", "must not be nv-index"),
    "relative path": ({"state-directory": "state"}, "state-directory", '"state"', "absolute path"),
    "peer is this node": ({"node": "node0", "high-availability":
                           {"peer-node": "node0", "peer-url": "http://127.0.0.1/"}},
                          "peer-node", '"node0"', "another node"),
    "peer without url": ({"high-availability": {"peer-node": "node1"}}, "high-availability", "",
                         "peer-url"),
    "peer-patience": ({"high-availability": {"peer-patience": 601}}, "peer-patience", "601",
                      "1..600"),
    "port": ({"software-update": {"repository": {"listen": [{"address": "::1", "port": 0}]}}},
             "port", "0", "1..65535"),
    "onboarding port": ({"secure-conductor-onboarding": {"port": 65536}},
                        "secure-conductor-onboarding/port", "65536", "1..65535"),
    "ek-handle": ({"secure-conductor-onboarding": {"ek-handle": "0x80000001"}}, "ek-handle",
                  '"0x80000001"', "persistent handle"),
    "minimum-mode": ({"secure-conductor-onboarding": {"minimum-mode": "disabled"}},
                     "minimum-mode", '"disabled"', "psk-only, weak, strong"),
    "post-quantum required": ({"post-quantum": {"required": "yes"}}, "post-quantum/required",
                              '"yes"', "true or false"),
    "key-exchange": ({"post-quantum": {"key-exchange": ["curve25519-sha256"]}}, "key-exchange",
                     '"curve25519-sha256"', "mlkem768x25519-sha256, sntrup761x25519-sha512"),
    "device-id without its key": (
        {"secure-conductor-onboarding": {"device-id": {"certificate": "/c"}}}, "device-id", "",
        "certificate and key-handle come together"),
    "tcti": ({"secure-conductor-onboarding": {"tcti": ""}}, "tcti", '""', "1 to 256 characters"),
    "reboot-command": ({"secure-conductor-onboarding": {"reboot-command": [""]}},
                       "reboot-command", '""', "1 to 1024 characters"),
}


def put(path, value):
    config = value
    for name in reversed(path.split("/")):
        config = {name: config}
    return {"software-update": config}


def check(tmp_path, config):
    path = tmp_path / "steward.json"
    path.write_text(config if isinstance(config, str) else json.dumps({"steward:router": config}))
    return subprocess.run([STEWARDD, "--config", path, "--check"], text=True, capture_output=True)


def test_all_refused_values_are_told(tmp_path):
    result = check(tmp_path, {"software-update": {
        "download": {"attempts": 1000000, "window": 1}, "source": [{**SOURCE, "concurrency": 0}]}})
    assert result.returncode != 0
    for words in ("download/attempts is 1000000: ", "; /steward:router/software-update/download/window is 1: ",
                  "source[name='a']/concurrency is 0: must be 1..32"):
        assert words in result.stderr
    assert result.stderr.count("steward.json") == 1


def test_all_that_does_not_fit_together_is_told(tmp_path):
    """Rules between leaves and leaves that are missing, each once, and no value that is a secret."""
    result = check(tmp_path, {
        "software-update": {"source": [
            {"name": "a", "kind": "artifactory"}, {"name": "ha-peer", "kind": "artifactory"},
            {**SOURCE, "name": "c", "client-key": "/key", "username": "me"},
            {**SOURCE, "name": "d", "client-key": "/key",
             "mirror": ["https://images.example/?sig=hidden", SOURCE["url"]]}]},
        "high-availability": {"peer-node": "n1"}})
    assert result.returncode == 78
    for words in ("peer-node and peer-url", "source[name='a']", "source[name='ha-peer']/name is \"ha-peer\"",
                  "source[name='ha-peer']: \"url\" is missing", "source[name='c']/client-key",
                  "source[name='c']/username", "source[name='d']/client-key",
                  "source[name='d']/mirror"):
        assert result.stderr.count(words) == 1, (words, result.stderr)
    assert "hidden" not in result.stderr and result.stderr.count("steward.json") == 1


# The document of one row, what must be said of it, and nothing else.
TOGETHER = {
    "values, and rules between others": (
        {"state-directory": 5, "software-update": {"download": {"attempts": "x"}, "source": [
            {**SOURCE, "username": "u"}, {**SOURCE, "name": "b", "client-key": "/k"}]}},
        ["state-directory is 5", 'attempts is "x"', "[name='a']/username is \"u\": needs a password-file",
         "[name='b']/client-key is \"/k\": needs a client-certificate"]),
    "a value that is refused is there, for the rules": (
        {"software-update": {"source": [
            {**SOURCE, "url": "ftp://x", "username": "u", "password-file": "p"}]}},
        ['url is "ftp://x"', 'password-file is "p"']),
    "and is not there for those of another entry": (
        {"software-update": {"source": [{**SOURCE, "username": "u", "password-file": "p"},
                                        {**SOURCE, "name": "b", "username": "u"}]}},
        ['password-file is "p"', "[name='b']/username is \"u\": needs"]),
    "an unknown member, and what is missing": (
        {"donwload": {}, "software-update": {"source": [{"name": "a", "url": "http://x/", "ulr": 1}]}},
        ['"donwload" not found', '"ulr" not found', "source[name='a']: \"kind\" is missing"]),
    "entries without a key, or with a wrong one": (
        {"software-update": {"source": [{"kind": "any", "url": "http://x/", "username": "u"},
                                        {**SOURCE, "name": "b b", "url": "ftp://x"}],
                             "repository": {"listen": [{"address": "x", "port": 0}, {"port": 80}]}}},
        ["source[1]: \"name\" is missing", 'source[1]/kind is "any"', "source[1]/username is \"u\": needs",
         'source[2]/name is "b b"', 'source[2]/url is "ftp://x"', 'listen[1]/address is "x"',
         "listen[1]/port is 0", "listen[2]: \"address\" is missing"]),
    "hours with a wrong key, each": (
        {"software-update": {"bandwidth-schedule": [
            {**HOURS, "days": "monday"}, {**HOURS, "days": "sonntag"}, {**HOURS, "from": "22.00"},
            {**HOURS, "to": 5, "max-bandwidth": 0}, {"days": "mon"}]}},
        ['bandwidth-schedule[1]/days is "monday"', 'bandwidth-schedule[2]/days is "sonntag"',
         'bandwidth-schedule[3]/from is "22.00"', "bandwidth-schedule[4]/to is 5",
         "bandwidth-schedule[4]/max-bandwidth is 0", 'bandwidth-schedule[5]: "from" is missing',
         'bandwidth-schedule[5]: "to" is missing', 'bandwidth-schedule[5]: "max-bandwidth" is missing']),
    "what stands twice": (
        {"node": 1, "software-update": {"source": [
            SOURCE, SOURCE, SOURCE, {**SOURCE, "name": "b", "mirror": 2 * ["http://m/"] + ["ftp://x"]}]}},
        ["/node is 1", "source[name='a']: stands twice", "mirror[.='http://m/']: stands twice",
         'mirror is "ftp://x"']),
    "too many, one of them refused": (
        {"software-update": {"source": [
            {**SOURCE, "mirror": ["ftp://x"] + [f"http://{i}/" for i in range(7)]}]}},
        ['mirror is "ftp://x"', "mirror: may stand 7 times, and stands 8 times"]),
    "a mirror that is refused does not excuse another": (
        {"software-update": {"source": [{**SOURCE, "mirror": ["ftp://x", SOURCE["url"]]}]}},
        ['mirror is "ftp://x"', "is the url already"]),
    "a fraction": (
        {"software-update": {"download": {"timeout": 1800.5, "window": 1}},
         "high-availability": {"peer-node": "n1"}},
        ["timeout is 1800.5: must be 1800..604800", "window is 1: ", "peer-node and peer-url"]),
    "objects, arrays and values in each other's place": (
        {"control": [], "software-update": {"source": {}, "trusted-key": "/k", "download": None},
         "high-availability": {"peer-node": {}, "peer-url": "http://x/"}, "node": ["n"]},
        ["control is []", "source is {}", 'trusted-key is "/k"', "download is null", "peer-node is {}",
         'node is ["n"]']),
    "a default in the place of what is refused": (
        {"configuration-integrity": {"nv-index": "x", "pcr": [7, 99], "policy-key": "/k",
                                     "policy-nv-index": "0x01800128"}},
        ['nv-index is "x"', "pcr is 99"]),
}


@pytest.mark.parametrize("row", TOGETHER)
def test_all_is_told_at_once(row, tmp_path):
    """Values, members, keys, and rules between leaves as far as they can be judged."""
    config, faults = TOGETHER[row]
    result = check(tmp_path, config)
    assert result.returncode == 78
    told = result.stderr.split("steward.json: ")[1].strip().split("; ")
    assert len(told) == len(faults), told
    for fault in faults:
        assert sum(fault in one for one in told) == 1, (fault, told)


def test_a_name_that_stands_twice_hides_nothing(tmp_path):
    result = check(tmp_path, '{"steward:router":{"name":"r","name":"s","node":5,'
                             '"high-availability":{"peer-node":"n1"}}}')
    assert result.returncode == 78
    for fault in ('"name" stands twice', "/node is 5", "peer-node and peer-url"):
        assert result.stderr.count(fault) == 1


def test_more_faults_than_one_line_has_room_for(tmp_path):
    """A line of the journal names the first ones and counts the others; --check has them all."""
    sources = [{**SOURCE, "name": f"s{i}", "url": "ftp://x", "client-key": "/k"} for i in range(20)]
    result = check(tmp_path, {"software-update": {"source": sources}})
    first, *others = result.stderr.splitlines()
    assert result.returncode == 78 and f"; and {len(others)} more" in first
    for i in range(20):
        for leaf in ("url", "client-key"):
            assert result.stderr.count(f"source[name='s{i}']/{leaf} is") == 1


def test_faults_of_both_files_are_told(tmp_path):
    """router.json is merged over steward.json also where one of them has faults."""
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    router = secrets / "router.json"
    router.write_text(json.dumps({"steward:router": {
        "node": 5, "high-availability": {"peer-url": "http://x/"}}}))
    config = {"secure-conductor-onboarding": {"secrets-directory": str(secrets)},
              "software-update": {"download": {"window": 1}}, "high-availability": {"peer-node": "n1"}}
    told = check(tmp_path, config).stderr
    assert "window is 1: " in told and f"; {router}: /steward:router/node is 5: " in told
    assert "come together" not in told


@pytest.mark.parametrize("path", NUMBERS)
def test_range(path, tmp_path):
    smallest, largest, below, above, _ = NUMBERS[path]
    for value in (smallest, largest):
        result = check(tmp_path, put(path, value))
        assert result.returncode == 0 and "is valid" in result.stdout, result.stderr
    for value in (below, above):
        result = check(tmp_path, put(path, value))
        assert result.returncode == 78
        assert f"/steward:router/software-update/{path} is {json.dumps(value)}: must be" \
            in result.stderr, result.stderr


@pytest.mark.parametrize("row", REFUSED)
def test_refused(row, tmp_path):
    config, path, value, constraint = REFUSED[row]
    result = check(tmp_path, config)
    assert result.returncode == 78
    for word in (path, value, constraint, "steward.json"):
        assert word in result.stderr, result.stderr


@pytest.mark.parametrize("text", ["", "{}", "[]", "{", '{"steward:router":', '{"other:x":{}}',
                                  "[" * 100000, '{"steward:router":{},"steward:router":{}}',
                                  "\x00", '{"steward:router":null}'])
def test_not_a_configuration(text, tmp_path):
    result = check(tmp_path, text)
    assert result.returncode == 78 and "steward.json" in result.stderr


def test_no_file_and_no_permission(tmp_path):
    def run(path, *prefix):
        return subprocess.run([*prefix, STEWARDD, "--config", path, "--check"], text=True,
                              capture_output=True)

    result = run(tmp_path / "none.json")
    assert result.returncode == 78 and "none.json: No such file" in result.stderr


def test_defaults(daemons):
    daemon = daemons(download={}, start=False)
    del daemon.config["software-update"]["download"]
    daemon.write_config()
    daemon.start()
    update = daemon.get("/v1/configuration").json["steward:router"]["software-update"]
    for path, (*_, default) in NUMBERS.items():
        at = update
        for name in path.split("/"):
            at = at[name]
        assert at == default, path
    assert update["download"]["enable-timeout"] is True
    assert update["access-mode"] == "prefer-conductor"


def reload_refused(daemon, word):
    before = daemon.get("/v1/configuration").body
    reply = daemon.post("/v1/reload")
    assert reply.status == 422 and word in reply.detail, reply.body
    assert daemon.get("/v1/configuration").body == before
    assert "the running one stays in force" in daemon.log


def test_reload_refused_changes_nothing(servers, daemons):
    server = servers(rate=2 * MIB)
    daemon = daemons(server)
    daemon.request("V1")
    good = json.loads(json.dumps(daemon.config))
    for change, word in (({"download": {"concurrency": 33}}, "is 33: must be 1..32"),
                         ({"access-mode": "none"}, "access-mode"),
                         ({"repository": {"listen": [{"address": "127.0.0.1", "port": 9}]}},
                          "without a restart")):
        daemon.config = {**good, "software-update": {**good["software-update"], **change}}
        daemon.write_config()
        reload_refused(daemon, word)
    daemon.config = {**good, "state-directory": "/somewhere"}
    daemon.write_config()
    reload_refused(daemon, "state-directory")
    with open(daemon.config_path, "w") as file:
        file.write('{"steward:rou')
    reload_refused(daemon, "not JSON")
    os.remove(daemon.config_path)
    reload_refused(daemon, "No such file")
    daemon.wait_state("V1", "complete")


def test_refused_values_stand_on_lines_of_their_own(daemons):
    daemon = daemons()
    daemon.config["software-update"]["download"].update({"attempts": 1000000, "window": 1})
    daemon.write_config()
    lines = ctl(daemon, "request", "system", "reload").stderr.splitlines()
    assert lines[0].startswith("stewardctl: ") and "download/attempts is 1000000" in lines[0]
    assert len(lines) == 2 and lines[1].startswith("  /steward:router/software-update/download/window is 1")


def test_new_sources_from_the_next_attempt_on(servers, daemons):
    bad, good = servers(Fault("status", 404)), servers()
    daemon = daemons(bad, download={"attempts": 0, "initial-retry-delay": 2,
                                    "maximum-retry-delay": 2})
    daemon.request("V1")
    daemon.wait_state("V1", "waiting-retry")
    daemon.config["software-update"]["source"] = [daemon.source(1, good)]
    daemon.write_config()
    assert daemon.post("/v1/reload").status == 200
    assert [s["name"] for s in daemon.download("V1")["sources"]] == ["s0"]
    daemon.wait_state("V1", "complete")
    assert [s["name"] for s in daemon.download("V1")["sources"]] == ["s1"]
    assert len(bad.of("index")) == 1


def test_a_source_in_use_is_kept_within_the_attempt(servers, daemons):
    used, other = servers(rate=2 * MIB), servers()
    daemon = daemons(used)
    daemon.request("V1")
    wait_for(lambda: used.image_bytes > MIB)
    daemon.config["software-update"]["source"] = [daemon.source(1, other)]
    daemon.write_config()
    assert daemon.post("/v1/reload").status == 200
    daemon.wait_state("V1", "complete")
    assert other.requests == []


def test_sighup_reloads(servers, daemons):
    import signal

    daemon = daemons(servers())
    daemon.config["software-update"]["max-bandwidth"] = 12345678
    daemon.write_config()
    daemon.kill(signal.SIGHUP)
    wait_for(lambda: daemon.get("/v1/status").json["software-update"]["max-bandwidth"] == 12345678)


def test_router_json_is_merged_over(servers, daemons):
    server = servers()
    daemon = daemons(start=False)
    secrets = os.path.join(daemon.directory, "secrets")
    os.makedirs(secrets)

    def write(config):
        with open(os.path.join(secrets, "router.json"), "w") as file:
            json.dump({"steward:router": config}, file)

    write({"software-update": {"source": [daemon.source(7, server)],
                               "download": {"concurrency": 2}}})
    daemon.start()
    daemon.fetch("V1")
    update = daemon.get("/v1/configuration").json["steward:router"]["software-update"]
    assert update["download"]["concurrency"] == 2 and update["download"]["attempts"] == 2
    assert server.in_flight_max <= 2
    # A secret itself may stand there, and is not shown: neither where it is taken nor where not.
    source = {**daemon.source(7, server), "username": "u", "password": "hunter2"}
    write({"software-update": {"source": [source]}})
    assert daemon.post("/v1/reload").status == 200
    shown = daemon.get("/v1/configuration")
    assert shown.json["steward:router"]["software-update"]["source"][0]["password"] == "set"
    write({"software-update": {"source": [{**source, "password": "hunter2\n"}]}})
    refused = daemon.post("/v1/reload")
    assert refused.status == 422 and "/password is \"...\": must be 1 to 1024" in refused.detail
    assert not any("hunter2" in text for text in
                   (shown.body.decode(), refused.body.decode(), daemon.log))
    write({"software-update": {"download": {"concurrency": 99}}})
    reply = daemon.post("/v1/reload")
    assert reply.status == 422
    assert "router.json: /steward:router/software-update/download/concurrency is 99" in reply.detail
    # Each valid alone, not together.
    write({"high-availability": {"peer-node": "node0", "peer-url": "http://127.0.0.1/"}})
    reply = daemon.post("/v1/reload")
    assert reply.status == 422 and "another node" in reply.detail
    assert "router.json" in reply.detail
