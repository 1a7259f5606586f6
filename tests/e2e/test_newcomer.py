# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody meets who has just installed it: both daemons with their defaults on one machine, a
daemon that does not run, a conductor without sshd, scripts that take long."""

import os
import subprocess

import pytest

from steward import CONDUCTORD, ROOT, SLOW, STEWARDCTL, STEWARDD

# The files are the machine's: here they are others.
OWN_PLACES = """
set -e
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /mnt
mkdir /mnt/etc /mnt/work /run/steward
mount -t overlay -o lowerdir=/etc,upperdir=/mnt/etc,workdir=/mnt/work overlay /etc
rm -rf /etc/steward
mkdir /etc/steward
"""


def inside(script, **options):
    return subprocess.run(["unshare", "--mount", "--propagation", "private", "sh", "-c",
                           OWN_PLACES + script, "sh", STEWARDCTL], text=True, capture_output=True,
                          timeout=60 * SLOW, **options)


@pytest.mark.parametrize("there, unit", [
    ("", "stewardd"), ("conductor", "conductord"), ("steward", "stewardd"),
    ("steward conductor", "stewardd")])
def test_the_unit_of_the_daemon_that_does_not_run(there, unit):
    """Neither has a socket: the configuration says which one it is."""
    result = inside(f'for n in {there}; do echo "{{}}" >/etc/steward/$n.json; done; "$1" show system')
    assert result.returncode == 69, result.stderr
    assert result.stderr.endswith(f"Is it running? systemctl status {unit}\n")


def test_the_unit_of_another_socket():
    result = subprocess.run([STEWARDCTL, "--socket", "/nowhere/x.sock", "show", "system"], text=True,
                            capture_output=True)
    assert result.stderr.endswith("Is it running? systemctl status stewardd conductord\n")


def configure_both(conductor, router):
    """With the default sockets, in /run/steward."""
    for each in (conductor, router):
        del each.config["control"]
        each.write_config()


BOTH = """
for program in "$2 --config $3" "$4 --config $5"; do
    $program --foreground 2>>"$6" &
done
while ! [ -S /run/steward/control.sock ] || ! [ -S /run/steward/conductor.sock ] ||
    ! [ -S /run/steward/conductor-link.sock ]; do sleep 0.1; done
"$1" --socket /run/steward/control.sock show system
"$1" --socket /run/steward/conductor.sock show system
kill %1 %2
wait
"""


def test_both_daemons_with_their_defaults(onboarding):
    conductor, router = onboarding.conductor(start=False), onboarding.router(start=False)
    configure_both(conductor, router)
    log = os.path.join(router.directory, "both.log")
    result = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "bash", "-c", OWN_PLACES + BOTH, "bash",
         STEWARDCTL, STEWARDD, router.config_path, CONDUCTORD, conductor.config_path, log],
        text=True, capture_output=True, timeout=60 * SLOW)
    with open(log) as file:
        assert result.returncode == 0, result.stderr + file.read()
    assert "Router " in result.stdout and "Conductor " in result.stdout


WITHOUT_SSHD = """
mount --bind /dev/null /usr/sbin/sshd
show() { "$1" --socket "$4" show secure-conductor-onboarding; }
"$2" --config "$3" --foreground 2>>"$5" &
until grep -q "install openssh-server" "$5"; do sleep 0.1; done
show "$@"
umount /usr/sbin/sshd
until show "$@" | grep -q "Tunnels *ready"; do sleep 0.1; done
kill %1
wait
"""


def test_a_conductor_without_sshd_is_not_ready(onboarding):
    """It says what to install, and goes on by itself when that is there."""
    conductor = onboarding.conductor(start=False)
    result = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "bash", "-c", OWN_PLACES + WITHOUT_SSHD,
         "bash", STEWARDCTL, CONDUCTORD, conductor.config_path, conductor.socket,
         conductor.log_path], text=True, capture_output=True, timeout=60 * SLOW)
    assert result.returncode == 0, result.stderr + conductor.log
    assert "Tunnels      lost" in result.stdout, result.stdout
    assert "/usr/sbin/sshd cannot be run" in conductor.log


def test_progress_of_a_long_command(tmp_path):
    """The command's output is in the file; where it is, is told; its status is the script's."""
    go = tmp_path / "go"
    os.mkfifo(go)
    output = tmp_path / "output"
    script = 'echo "[12/606] Building"; read -r line <"$0"; echo "tests ... [ 35%]"; read -r line <"$0"; exit 3'
    running = subprocess.Popen([os.path.join(ROOT, "script/progress"), output, "sh", "-c", script, go],
                               text=True, stdout=subprocess.PIPE,
                               env={**os.environ, "STEWARD_PROGRESS_S": "0.1"})
    assert running.stdout.readline().strip() == "[12/606]"
    go.write_text("\n")
    assert running.stdout.readline().strip() == "[ 35%]"
    go.write_text("\n")
    assert running.wait(30) == 3
    assert output.read_text() == "[12/606] Building\ntests ... [ 35%]\n"


@pytest.mark.parametrize("script", ["demo", "setup"])
def test_without_root_and_sudo_a_script_says_so(script, tmp_path):
    """Nobody, on a machine whose packages are not there: dpkg-query finds none."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "bash", "dirname", "tr", "grep", "env"):
        os.symlink(f"/usr/bin/{name}", tools / name)
    (tools / "id").write_text("#!/bin/sh\necho 65534\n")
    (tools / "id").chmod(0o755)
    result = subprocess.run([os.path.join(ROOT, "script", script)], text=True, capture_output=True,
                            env={"PATH": str(tools)}, timeout=60 * SLOW)
    assert result.returncode == 77, (result.stdout, result.stderr)
    assert "there is no sudo: run it as root" in result.stderr
