# SPDX-License-Identifier: GPL-3.0-or-later
"""Port 930 with real OpenSSH: what a router's key can do, and what nobody can."""

import os
import re
import signal
import socket
import subprocess
import time

import pytest

from steward import BUILD, ROOT, SLOW, free_port, wait_for
from test_descriptors import descendants
from tunnels import TOOL, USER, Key, Program, World, connect, cpu_seconds, is_closed

PORT, OTHER_PORT = 20001, 20002  # in the helper's network: they are free


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    directory = tmp_path_factory.mktemp("keys")
    return [Key(directory, name) for name in ("one", "two", "stranger")]


@pytest.fixture
def world():
    made = World()
    yield made
    made.close()


@pytest.fixture(scope="module")
def quiet(keys):
    """A conductor that knows two routers; for tests that leave it as it is."""
    made = World()
    made.conductor()
    made.authorize((keys[0], PORT), (keys[1], OTHER_PORT))
    yield made
    made.close()


def ask_repository(port):
    with socket.create_connection(("127.0.0.1", port), timeout=30) as peer:
        return peer.makefile().readline()


def is_up(world, name="router", port=PORT):
    return world.conductor_now.ask(f"connect {port}", "connected") == f"{name} heard hello"


def test_both_directions(world, keys):
    conductor = world.conductor()
    world.authorize((keys[0], PORT), (keys[1], OTHER_PORT))
    one, two = world.router(keys[0], PORT, "one"), world.router(keys[1], OTHER_PORT, "two")
    one.wait_line("connected")
    two.wait_line("connected")
    assert is_up(world, "one") and is_up(world, "two", OTHER_PORT)
    assert conductor.ask("connect 20003", "connected") == "Connection refused"
    assert ask_repository(one.local_port) == ask_repository(two.local_port) == "repository\n"
    assert "in_ssh=0" in conductor.ask("counts", "counts")  # both have authenticated
    assert one.stop() == 0
    one.wait_line("closed")
    wait_for(lambda: not is_up(world, "one"), what="the end of the tunnel")
    assert is_up(world, "two", OTHER_PORT)


def test_another_user_reaches_no_port_and_can_take_none(world, keys):
    world.conductor()
    world.authorize((keys[0], PORT))
    # Somebody sits on the ports already.
    squatters = []
    for port in (PORT, 8930):
        squatters.append(socket.socket())
        squatters[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatters[-1].bind(("127.0.0.1", port))
    router = world.router(keys[0], PORT)
    router.wait_line("connected")
    assert is_up(world)
    assert ask_repository(router.local_port) == "repository\n"
    for squatter in squatters:
        squatter.close()
    for port in (PORT, 8930):
        with pytest.raises(ConnectionRefusedError):
            connect(port)


SESSION_REFUSED = "open failed: connect failed: open failed"
FORBIDDEN = "administratively prohibited"


@pytest.mark.parametrize("options, command, reason", [
    ([], ["id"], SESSION_REFUSED),
    ([], [], SESSION_REFUSED),  # a shell
    (["-tt"], [], SESSION_REFUSED),
    (["-s"], ["sftp"], SESSION_REFUSED),
    (["-A"], ["id"], SESSION_REFUSED),
    (["-X"], ["id"], SESSION_REFUSED),
    (["-N", "-w", "any:any"], [], ""),
    (["-N", "-R", f"localhost:{OTHER_PORT}:localhost:9"], [], "remote port forwarding failed"),
    (["-N", "-R", "localhost:0:localhost:9"], [], "remote port forwarding failed"),
    (["-N", "-R", f"*:{PORT}:localhost:9"], [], "remote port forwarding failed"),
    (["-N", "-R", f"127.0.0.1:{PORT}:localhost:9"], [], "remote port forwarding failed"),
    (["-N", "-R", "localhost:8930:localhost:9"], [], "remote port forwarding failed"),
    (["-N", "-R", "/tmp/steward-no.sock:localhost:9"], [], "remote port forwarding failed"),
    (["-W", "localhost:22"], [], FORBIDDEN),
    (["-W", f"localhost:{PORT}"], [], FORBIDDEN),  # not even its own
    (["-W", f"localhost:{OTHER_PORT}"], [], FORBIDDEN),
    (["-W", "127.0.0.1:8930"], [], FORBIDDEN),  # only by the name that stands there
    (["-W", "192.0.2.1:80"], [], FORBIDDEN),
    (["-o", "KexAlgorithms=curve25519-sha256"], [], "no matching key exchange method found"),
    (["-o", "KexAlgorithms=ecdh-sha2-nistp256,diffie-hellman-group14-sha256"], [],
     "no matching key exchange method found"),
])
def test_the_account_can_do_nothing_but_its_forwardings(quiet, keys, options, command, reason):
    result = attempt(quiet, keys[0], options, command)
    assert result.returncode != 0
    assert reason in result.stderr, result.stderr
    assert result.stdout == ""
    assert not os.path.exists("/tmp/steward-no.sock")


def attempt(world, key, options, command, user=USER):
    result = world.ssh(key, "-o", "ExitOnForwardFailure=yes", *options, command, user=user)
    result.stderr += "".join(f"\n{line}" for line in world.conductor_now.log[-3:])
    return result


def test_what_it_can_do(quiet, keys):
    """The same client, and what it may: else the refusals above would mean nothing."""
    assert attempt(quiet, keys[0], ["-W", "localhost:8930"], []).stdout == "repository\n"


def test_no_socket_is_forwarded(quiet, keys):
    """From here to a socket that the user there could reach."""
    target = quiet.directory / "there.sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(target))
    listener.listen()
    os.chmod(target, 0o777)
    local = free_port()
    client = subprocess.Popen(
        quiet.ssh_words(keys[0], USER, "-N", "-L", f"127.0.0.1:{local}:{target}", []),
        stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: listens(local), what="ssh's listener")
        with connect(local) as peer:
            assert is_closed(peer, 30)
    finally:
        client.kill()
        client.wait()
    said = "refused streamlocal port forward"
    wait_for(lambda: any(said in line for line in quiet.conductor_now.log), what=said)
    listener.settimeout(0.2)
    with pytest.raises(TimeoutError):
        listener.accept()


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("user, key", [("root", 0), ("nobody", 0), (USER, 2)])
def test_nobody_else_is_let_in(quiet, keys, user, key):
    result = attempt(quiet, keys[key], ["-N"], [], user=user)
    assert result.returncode == 255
    assert "Permission denied (publickey)" in result.stderr


def test_true_address_in_the_log(quiet, keys):
    result = quiet.ssh(keys[0], "-b", "127.0.0.9", "-W", "localhost:8930", [])
    assert result.stdout == "repository\n", result.stderr
    said = f"Accepted publickey for {USER} from 127.0.0.9 port "
    wait_for(lambda: any(said in line for line in quiet.conductor_now.log), what=said)


def test_silent_peers_leave_no_process(world, keys):
    """LoginGraceTime, here of 10 s."""
    conductor = world.conductor()
    peers = [connect(world.port, f"127.0.2.{1 + i // 5}", b"SSH-") for i in range(60)]
    seen = set()  # the first may go before the last comes

    def all_seen():
        seen.update(world.sshds())
        return len(seen) >= 60

    wait_for(all_seen, 60, "60 of sshd")
    assert " ssh=60 " in conductor.ask("counts", "counts")
    wait_for(lambda: not world.sshds(), 60, "their end")
    wait_for(lambda: "in_ssh=0" in conductor.ask("counts", "counts"), what="their places")
    assert all(is_closed(peer, 30) for peer in peers)


def test_who_has_stalled_makes_room(world, keys):
    """70 strangers say a byte and no more: a router has its turn among them."""
    conductor = world.conductor()
    world.authorize((keys[0], PORT))
    peers = [connect(world.port, f"127.0.3.{1 + i // 5}", b"S") for i in range(70)]
    wait_for(lambda: "ssh=70 " in conductor.ask("counts", "counts"), what="all of them")
    world.router(keys[0], PORT).wait_line("connected", timeout=60)
    assert counts(conductor)["ssh_shown_out"] + counts(conductor)["ssh_turned_away"] > 0
    for peer in peers:
        peer.close()
    wait_for(lambda: len(world.sshds()) <= 2, 60, "the end of all but the router's")


def counts(conductor):
    words = conductor.ask("counts", "counts").split()
    return {name: int(value) for name, value in (word.split("=") for word in words)}


def test_one_byte_costs_no_spinning(world, keys):
    conductor = world.conductor()
    helper, = world.helper()
    peers = [connect(world.port, first=b"S") for _ in range(5)]
    wait_for(lambda: len(world.sshds()) >= 5, what="5 of sshd")
    pids = [conductor.process.pid, helper, *world.sshds()]
    before = sum(map(cpu_seconds, pids))
    time.sleep(3)
    assert sum(map(cpu_seconds, pids)) - before < 0.3
    for peer in peers:
        peer.close()


def test_garbage_and_silence(world, keys):
    conductor = world.conductor()
    garbage = [connect(world.port, f"127.0.4.{i}", bytes([i])) for i in (1, 0x15, 0x17, 0x53 + 1)]
    assert all(is_closed(peer, 3) for peer in garbage)
    silent = connect(world.port, "127.0.4.100")
    began = time.monotonic()
    assert is_closed(silent, 30)
    assert 4 < time.monotonic() - began
    assert "garbage=4 silent=1 " in conductor.ask("counts", "counts")


def test_a_flood_from_four_addresses_keeps_nobody_out(world, keys):
    """2,000 that are silent and 200 a second of new ones: a fifth address gets in within 5 s."""
    conductor = world.conductor()
    world.authorize((keys[0], PORT))
    flood = subprocess.Popen(["/usr/bin/python3", "-c", FLOOD, str(world.port)],
                             stdout=subprocess.PIPE, text=True)
    try:
        assert flood.stdout.readline() == "begun\n"
        began = time.monotonic()
        router = world.router(keys[0], PORT)  # from 127.0.0.1
        router.wait_line("connected", timeout=5)
        assert time.monotonic() - began < 5 * SLOW
        assert is_up(world)
    finally:
        flood.kill()
        flood.wait()
    assert router.process.poll() is None
    counts = dict(word.split("=") for word in conductor.ask("counts", "counts").split())
    assert int(counts["refused"]) > 1500
    assert len(os.listdir(f"/proc/{conductor.process.pid}/fd")) < 100


FLOOD = """
import resource, socket, sys, time
resource.setrlimit(resource.RLIMIT_NOFILE, (8192, 8192))
def peer(i):
    made = socket.socket()
    made.setblocking(False)
    made.bind((f"127.0.5.{1 + i % 4}", 0))
    made.connect_ex(("127.0.0.1", int(sys.argv[1])))
    return made
kept = [peer(i) for i in range(2000)]
time.sleep(0.3)
print("begun", flush=True)
while True:
    new = [peer(i) for i in range(20)]
    time.sleep(0.1)
    for each in new:
        try:
            each.send(b"S")
        except OSError:
            pass
    kept = kept[20:] + new
"""


def test_ended_session_of_a_key(world, keys):
    """Reset, disabling, deletion: within a second, and it does not come back."""
    conductor = world.conductor()
    world.authorize((keys[0], PORT), (keys[1], OTHER_PORT))
    router, other = world.router(keys[0], PORT), world.router(keys[1], OTHER_PORT, "two")
    router.wait_line("connected")
    other.wait_line("connected")
    world.authorize((keys[1], OTHER_PORT))
    began = time.monotonic()
    conductor.say(f"end {keys[0].text}")
    conductor.wait_line("ended", timeout=10)
    assert time.monotonic() - began < 1 * SLOW
    router.wait_line("disconnected")
    wait_for(lambda: any("Connection closed by authenticating user" in line
                         for line in conductor.log), 30, "its refusal")
    assert not is_up(world)
    assert is_up(world, "two", OTHER_PORT)


def test_newer_session_of_a_key_ends_the_older(world, keys):
    """A router that has restarted does not wait until its old session is missed."""
    conductor = world.conductor()
    world.authorize((keys[0], PORT))
    old = world.router(keys[0], PORT, "old")
    old.wait_line("connected")
    os.kill(old.process.pid, 19)  # SIGSTOP: it does not come back
    new = world.router(keys[0], PORT, "new")
    new.wait_line("connected")
    wait_for(lambda: is_up(world, "new"), what="the new one")
    conductor.wait_line("ended")
    os.kill(old.process.pid, 9)


def test_conductor_is_killed_and_comes_back(world, keys):
    conductor = world.conductor()
    world.authorize((keys[0], PORT))
    router = world.router(keys[0], PORT)
    router.wait_line("connected")
    conductor.kill()
    wait_for(lambda: not world.helper() and not world.sshds(), what="the end of all it had")
    router.wait_line("disconnected")
    after = len(router.lines)
    host_key = world.host_key
    world.conductor()
    assert world.host_key == host_key  # made once
    router.wait_line("connected", after, timeout=60)
    assert is_up(world)
    assert ask_repository(router.local_port) == "repository\n"


def test_conductor_is_down_then_mute_then_there(world, keys):
    """The router comes to it by itself."""
    conductor = world.conductor()
    world.authorize((keys[0], PORT))
    assert conductor.stop() == 0
    router = world.router(keys[0], PORT)
    assert "Connection refused" in router.wait_line("disconnected")
    mute = socket.socket()
    mute.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    mute.bind(("127.0.0.1", world.port))
    mute.listen()
    peer, _ = mute.accept()
    assert is_closed(peer, 40)  # ssh gives up by itself
    peer.close()
    mute.close()
    world.conductor()
    router.wait_line("connected", timeout=60)
    assert is_up(world)
    # It has told both reasons, each once.
    assert [line.split()[0] for line in router.lines] == ["disconnected", "disconnected", "connected"]
    assert "timed out" in router.lines[1]


def test_helper_is_killed_and_comes_back(world, keys):
    conductor = world.conductor()
    world.authorize((keys[0], PORT))
    router = world.router(keys[0], PORT)
    router.wait_line("connected")
    after = len(router.lines)
    for pid in world.helper():
        os.kill(pid, 9)
    assert "ended with status 137" in conductor.wait_line("lost")
    wait_for(lambda: sum(line.startswith("ready") for line in conductor.lines) == 2,
             what="another helper")
    router.wait_line("connected", after, timeout=60)
    assert is_up(world)


def test_router_goes_with_its_ssh(world, keys):
    """A daemon that is killed leaves no ssh behind that holds its ports."""
    world.conductor()
    world.authorize((keys[0], PORT))
    router = world.router(keys[0], PORT)
    router.wait_line("connected")
    router.kill()
    wait_for(lambda: not is_up(world), what="the end of its ssh")
    assert not listens(router.local_port)


def test_another_host_key_is_refused(world, keys):
    world.conductor()
    world.authorize((keys[0], PORT))
    world.host_key = keys[2].text
    assert world.router(keys[0], PORT).wait_line("disconnected") == \
        "Host key verification failed."


def as_systemd(world, network):
    """The helper as its units start it: a socket that listens, a network, and the user."""
    path = str(world.directory / "tunnels.sock")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(path)
    listener.listen()
    directory = world.helper_directory
    os.mkdir(directory)
    subprocess.run(["chown", USER, directory], check=True)
    script = (f"{network} exec setpriv --reuid={USER} --regid={USER} --clear-groups sh -c '"
              f"LISTEN_PID=$$ LISTEN_FDS=1 exec {TOOL} helper {USER} {directory} "
              f"{world.keys_file}' 3<&{listener.fileno()}")
    words = ["unshare", "--net", "bash", "-c", script] if network else ["bash", "-c", script]
    process = subprocess.Popen(words, pass_fds=[listener.fileno()], stderr=subprocess.PIPE,
                               text=True)
    listener.close()
    return path, process


def test_units_are_sound(tmp_path):
    """systemd knows all of it: only the program is not where it will be."""
    built = os.path.join(BUILD, "packaging", "steward-tunnels.service")
    for source in (built, os.path.join(ROOT, "packaging/systemd/steward-tunnels.socket")):
        with open(source) as file:
            unit = file.read()
        unit = re.sub(r"=\S*/conductord --tunnels", f"={TOOL}", unit)
        unit = re.sub(r"^Documentation=.*\n", "", unit, flags=re.M)
        unit = unit.replace("steward-tunnel\n", USER + "\n")  # the user is not there yet
        (tmp_path / os.path.basename(source)).write_text(unit)
    result = subprocess.run(["systemd-analyze", "verify", tmp_path / "steward-tunnels.service",
                             tmp_path / "steward-tunnels.socket"], text=True, capture_output=True)
    assert "steward-tunnels" not in result.stderr, result.stderr
    with open(built) as file:
        lines = file.read().splitlines()
    for line in ("PrivateNetwork=yes", "User=steward-tunnel", "CapabilityBoundingSet=",
                 "NoNewPrivileges=yes", "ProtectSystem=strict"):
        assert line in lines


def test_helper_of_systemd_outlives_its_conductor(world, keys):
    path, helper = as_systemd(world, "ip link set lo up;")
    try:
        conductor = world.conductor(path)
        world.authorize((keys[0], PORT))
        router = world.router(keys[0], PORT)
        router.wait_line("connected")
        assert is_up(world)
        conductor.kill()
        router.wait_line("disconnected")
        after = len(router.lines)
        world.conductor(path)
        router.wait_line("connected", after, timeout=60)
        assert is_up(world)
        assert helper.poll() is None
    finally:
        helper.terminate()
        helper.communicate(timeout=30)
    assert helper.returncode == 0
    wait_for(lambda: not world.sshds(), what="the end of its sessions")


def catches(process, number):
    with open(f"/proc/{process.pid}/status") as file:
        mask = re.search(r"^SigCgt:\s*(\w+)$", file.read(), re.M)[1]
    return int(mask, 16) & 1 << (number - 1)


def allow_descriptors(process, limit):
    """As its own user, who may without more."""
    subprocess.run(["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "prlimit",
                    "--pid", str(process.pid), f"--nofile={limit}:"], check=True)


def test_helper_of_systemd_without_descriptors(world):
    """It waits for one, and does not run round meanwhile; then it serves."""
    path, helper = as_systemd(world, "ip link set lo up;")
    waiting = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        wait_for(lambda: catches(helper, signal.SIGTERM), what="its loop")
        allow_descriptors(helper, 1)
        waiting.connect(path)
        began, before = time.monotonic(), cpu_seconds(helper.pid)
        waiting.settimeout(1)
        with pytest.raises(TimeoutError):  # a second passes
            waiting.recv(1)
        assert cpu_seconds(helper.pid) - before < 0.05 * (time.monotonic() - began)
        allow_descriptors(helper, 64)
        waiting.settimeout(20)
        assert waiting.recv(4096)  # it is ready
    finally:
        waiting.close()
        helper.terminate()
        helper.communicate(timeout=30)
    assert helper.returncode == 0


def test_helper_of_systemd_wants_a_network_of_its_own(world):
    _, helper = as_systemd(world, "")
    assert "not in a network of its own: there is the interface" in \
        helper.communicate(timeout=30)[1] or only_loopback()
    assert helper.returncode == 1


def only_loopback():
    return os.listdir("/sys/class/net") == ["lo"]


def test_helper_without_privileges(world, keys):
    """Not root, as in a demo: a user namespace brings the network."""
    os.mkdir(world.helper_directory)
    subprocess.run(["chown", "-R", USER, str(world.directory)], check=True)
    world.conductor(user=USER, group=USER, extra_groups=[])
    world.authorize((keys[0], PORT))
    world.router(keys[0], PORT).wait_line("connected")
    assert is_up(world)
    with pytest.raises(ConnectionRefusedError):
        connect(PORT)


def test_tasks_of_the_unit(world, keys):
    """With all that a tunnel leaves, also what has ended (OpenSSH 10), 8,192 fit in."""
    world.conductor()
    world.authorize((keys[0], PORT))
    world.router(keys[0], PORT).wait_line("connected")
    (helper,) = world.helper()
    of_a_tunnel = descendants(helper)
    with open(os.path.join(ROOT, "packaging/systemd/steward-tunnels.service.in")) as file:
        tasks_max = int(re.search(r"^TasksMax=(\d+)$", file.read(), re.M)[1])
    assert of_a_tunnel and 1 + 8192 * len(of_a_tunnel) <= tasks_max, of_a_tunnel


@pytest.mark.once
@pytest.mark.parametrize("hosts, words", [("", "localhost has no address"),
                                          ("192.0.2.1 localhost", "localhost leads to another machine")])
def test_without_a_localhost_the_operator_is_told(onboarding, hosts, words):
    """Tunnels stand, but sshd would find no repository behind them."""
    conductor = onboarding.conductor(start=False)
    path = os.path.join(conductor.directory, "hosts")
    names = os.path.join(conductor.directory, "nsswitch.conf")
    with open(path, "w") as file:
        file.write(hosts + "\n")
    with open(names, "w") as file:
        file.write("passwd: files\ngroup: files\nhosts: files\n")
    conductor.prefix += ["sh", "-c", f'mount --bind {path} /etc/hosts && '
                         f'mount --bind {names} /etc/nsswitch.conf; exec "$@"', "sh"]
    conductor.start()
    wait_for(lambda: "routers can build their tunnels" in conductor.log)
    assert words in conductor.log and '"127.0.0.1 localhost" in /etc/hosts' in conductor.log


def test_helper_says_why_it_cannot_be_started(tmp_path):
    conductor = Program("conductor", 0, "no-such-user", tmp_path / "helper", tmp_path / "keys")
    assert conductor.wait_line("lost") == \
        "its helper ended with status 1: there is no user no-such-user"
    time.sleep(2.5)  # it is tried each second, and told of once
    assert sum(line.startswith("lost") for line in conductor.lines) == 1
    assert conductor.stop() == 0
