"""Two conductors on one PostgreSQL server: what is done on one counts on both."""

import contextlib
import glob
import os
import pwd
import signal
import subprocess
import time

import pytest

from onboarding_world import Conductor, SecondNetwork
from steward import free_port, wait_for

USER = "postgres"  # of the package; root may not run a server
URI = "postgresql://postgres@/postgres?host={}&port={}"


class Database:
    """A server of its own, on a unix socket in its folder."""

    def __init__(self, folder):
        self.folder = folder
        user = pwd.getpwnam(USER)
        os.chown(folder, user.pw_uid, user.pw_gid)
        self.programs = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
        self.port = free_port()
        self.uri = URI.format(folder, self.port)
        self.data = os.path.join(folder, "data")
        self.process = None
        subprocess.run(self.words("initdb", "-D", self.data, "-U", USER, "-A", "trust", "-E", "UTF8",
                                  "--locale=C.UTF-8", "--no-sync"),
                       check=True, capture_output=True, cwd="/")

    def words(self, program, *more):
        return ["setpriv", "--reuid=" + USER, "--regid=" + USER, "--clear-groups",
                "--pdeathsig=QUIT", os.path.join(self.programs, program), *more]

    def start(self):
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen(
                self.words("postgres", "-D", self.data, "-k", self.folder, "-c",
                           f"port={self.port}", "-c", "listen_addresses="),
                stdout=log, stderr=log, cwd="/")
        ping = [os.path.join(self.programs, "pg_isready"), "-q", "-h", self.folder, "-p",
                str(self.port)]
        wait_for(lambda: subprocess.run(ping, check=False).returncode == 0, 30, "PostgreSQL")
        return self

    def stop(self, how=signal.SIGINT):
        """SIGINT: sessions are ended; SIGQUIT: as where the power fails."""
        if self.process:
            self.process.send_signal(how)
            self.process.wait(30)
            self.process = None


@pytest.fixture
def database(onboarding):
    made = Database(onboarding.folder("database")).start()
    yield made
    made.stop(signal.SIGQUIT)


@pytest.fixture
def pair(onboarding, database, request):
    """Two conductors that know of each other; with one certificate, unless the test wants two: then
    a router can only talk to the one that made its token."""
    second = SecondNetwork(onboarding.network)
    options = {"registry": database.uri}
    with contextlib.closing(second), contextlib.ExitStack() as stack:
        pair = [onboarding.daemon(Conductor, onboarding.ca, name="conductor1", start=False,
                                  **options),
                Conductor(onboarding.folder("second"), second, onboarding.ca, name="conductor2",
                          **options)]
        if getattr(request, "param", "one-certificate") == "one-certificate":
            pair[1].config.update({leaf: pair[0].config[leaf]
                                   for leaf in ("certificate", "private-key")})
            pair[1].write_config()
        for conductor in pair:
            stack.callback(conductor.stop)
            conductor.start()
        yield pair


def tunnels(router):
    return {c["host"]: c["tunnel"] for c in router.onboarding["conductors"]}


def both_connected(router):
    found = tunnels(router)
    return len(found) == 2 and router.is_connected


def host(conductor):
    return conductor.config["address"]


def enrolled(conductor):
    return [(e["router"], e["node"], e["pin"]) for e in conductor.enrolments]


def outcomes(conductor, router="router1"):
    return [outcome for outcome, _ in conductor.audit(router)]


@pytest.mark.parametrize("pair", ["one-certificate", "a-certificate-each"], indirect=True)
def test_one_handshake_enrols_with_both(onboarding, pair):
    one, two = pair
    one.configure()
    token = one.token()
    router = onboarding.router()
    # The one that it comes to first has neither configured it nor made its token.
    alone = one.config["certificate"] == two.config["certificate"]
    router.onboard(token, [host(two)] if alone else [host(two), host(one)])
    router.become_onboarded()
    wait_for(lambda: both_connected(router), 60, "both tunnels")
    assert set(tunnels(router)) == {host(one), host(two)}
    assert enrolled(one) == enrolled(two) and len(enrolled(one)) == 1
    for conductor in pair:
        assert outcomes(conductor).count("enrolled") == 1
        assert outcomes(conductor).count("initialized") == 1
        assert router.ssh_key in conductor.authorized_keys[0]
    assert router.reboots == 1
    # What ends it on one ends it on both, and the live sessions with it.
    one.delete("/v1/routers/router1")
    wait_for(lambda: not two.authorized_keys and not one.authorized_keys, 30, "the keys' end")
    wait_for(lambda: "connected" not in tunnels(router).values(), 30, "the tunnels' end")


def test_one_that_was_dead_is_reached_later(onboarding, pair):
    one, two = pair
    one.configure()
    token = two.token()
    two.kill9()
    router = onboarding.router()
    router.onboard(token, [host(two), host(one)])
    router.become_onboarded()
    wait_for(lambda: tunnels(router).get(host(one)) == "connected", 60, "the living one's tunnel")
    assert tunnels(router)[host(two)] != "connected"
    two.start()
    wait_for(lambda: both_connected(router), 90, "the tunnel of the one that came back")
    assert outcomes(one).count("enrolled") == 1 and router.reboots == 1


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["stopped", "cut-off"])
def test_the_database_restarts_in_between(onboarding, pair, database, how):
    one, two = pair
    one.configure()
    first = onboarding.router()
    first.onboard(one.token(), [host(one)]).become_onboarded()
    wait_for(lambda: both_connected(first), 60, "both tunnels")
    two.configure("router2", asset_id="A2")
    token = two.token("router2")
    before = enrolled(one)
    keys = [conductor.authorized_keys for conductor in pair]

    database.stop(how)
    second = onboarding.router("A2", "router2")
    second.onboard(token, [host(one), host(two)])
    second.wait_for_state("retrying")
    for conductor in pair:
        assert conductor.get("/v1/enrolments").status >= 500
        assert conductor.post("/v1/routers/router2/tokens", {}).status >= 500
    time.sleep(3)  # the conductors look at the registry, and find none
    assert [conductor.authorized_keys for conductor in pair] == keys
    assert second.onboarding["state"] == "retrying" and not second.onboarding["conductors"]
    assert both_connected(first)  # who was let in stays

    database.start()
    second.become_onboarded(timeout=120)
    for conductor in pair:
        assert [row for row in enrolled(conductor) if row[0] == "router1"] == before
        assert outcomes(conductor, "router2").count("enrolled") == 1
        wait_for(lambda c=conductor: len(c.authorized_keys) == 2, what="the keys")
    assert both_connected(first)
