# SPDX-License-Identifier: GPL-3.0-or-later
"""Two conductors on one PostgreSQL server, each with a wire of its own to the router."""

import contextlib

from onboarding_world import Conductor, SecondNetwork
from steward import wait_for


@contextlib.contextmanager
def two_conductors(onboarding, database, one_certificate):
    """They know of each other; a router can talk to both by a token of either where they have one
    certificate, else only to the one that made its token."""
    second = SecondNetwork(onboarding.network)
    options = {"registry": database.uri}
    with contextlib.closing(second), contextlib.ExitStack() as stack:
        pair = [onboarding.daemon(Conductor, onboarding.ca, name="conductor1", start=False,
                                  **options),
                Conductor(onboarding.folder("second"), second, onboarding.ca, name="conductor2",
                          **options)]
        if one_certificate:
            pair[1].config.update({leaf: pair[0].config[leaf]
                                   for leaf in ("certificate", "private-key")})
            pair[1].write_config()
        for conductor in pair:
            stack.callback(conductor.stop)
            conductor.start()
        # A router is told of both: each registers a little after it is ready.
        wait_for(lambda: len(registered(database)) == 2, 30, "both of them")
        yield pair


def registered(database):
    """Nobody while its tables are being made."""
    found = database.ask("psql", "-AtXq", "-c", "SELECT name FROM conductors", check=False)
    return found.stdout.decode().split()


def tunnels(router):
    return {c["host"]: c["tunnel"] for c in router.onboarding["conductors"]}


def both_connected(router):
    found = tunnels(router)
    return len(found) == 2 and router.is_connected


def host(conductor):
    return conductor.config["address"]


def outcomes(conductor, router="router1"):
    return [outcome for outcome, _ in conductor.audit(router)]
