# SPDX-License-Identifier: GPL-3.0-or-later
"""What Debian has to fetch a file and check it, the server it is fetched from, and what it took."""

import os
import subprocess
import time

# As an administrator would write it, with a target for the file and the digest known beforehand.
# aria2c is told not to write the whole file twice, which is its default.
COMMANDS = {
    "aria2c -x4 -s4 --checksum":
        "aria2c -q -x4 -s4 --file-allocation=falloc --checksum=sha-256={sha256} "
        "-d {folder} -o out {url} && echo {sha256}",
    "curl | tee | sha256sum": "set -o pipefail; curl -sf {url} | tee {folder}/out | sha256sum",
    "curl, sha256sum": "curl -sf -o {folder}/out {url} && sha256sum {folder}/out",
    "wget2, sha256sum": "wget2 -q -O {folder}/out {url} && sha256sum {folder}/out",
    # Only the cost of a byte is measured against it: coreutils' SHA-256 uses no instructions of the CPU.
    "(wget2, openssl)": "wget2 -q -O {folder}/out {url} && openssl dgst -sha256 {folder}/out",
}


class Took:
    """wall and cpu in seconds, rss in MiB: the largest of its processes."""

    def __init__(self, words, folder):
        note = os.path.join(folder, "rss")
        # wait4's maximum would begin with our own size: GNU time is small.
        words = ["/usr/bin/time", "-q", "-o", note, "-f", "%M", *words]
        began = time.perf_counter()
        process = subprocess.Popen(words, text=True, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT)
        self.said = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        self.wall = time.perf_counter() - began
        self.code = process.returncode = os.waitstatus_to_exitcode(status)
        self.cpu = used.ru_utime + used.ru_stime
        with open(note) as file:
            self.rss = int(file.read().split()[-1]) / 1024


def run(name, url, sha256, folder):
    """One of COMMANDS; exits where it did not bring the file."""
    command = COMMANDS[name].format(url=url, sha256=sha256, folder=folder)
    took = Took(["bash", "-c", command], folder)
    if took.code != 0 or sha256 not in took.said:
        raise SystemExit(f"{command}: exit status {took.code}\n{took.said}")
    return took


class Nginx:
    """One worker. It logs of each reply when it was over, its status, its bytes of body, and the
    range asked for."""

    def __init__(self, folder, root, port, location=""):
        self.url = f"http://127.0.0.1:{port}/"
        self.folder = folder
        self.log_path = os.path.join(folder, "access.log")
        os.makedirs(folder, exist_ok=True)
        self.config = os.path.join(folder, "nginx.conf")
        with open(self.config, "w") as file:
            file.write(f"""user root; worker_processes 1; daemon off; pid {folder}/pid;
                error_log {folder}/error.log; events {{ }}
                http {{ sendfile on; tcp_nopush on;
                        log_format replies '$msec $status $body_bytes_sent $http_range $uri';
                        access_log {self.log_path} replies;
                        server {{ listen 127.0.0.1:{port}; root {root}; {location} }} }}""")
        self.start()

    def start(self):
        self.process = subprocess.Popen(["nginx", "-e", f"{self.folder}/error.log", "-c",
                                         self.config])
        end = time.monotonic() + 10
        while subprocess.run(["curl", "-s", "-o", "/dev/null", self.url]).returncode != 0:
            if self.process.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"nginx does not start: {self.folder}/error.log")
            time.sleep(0.02)

    def stop(self):
        """At once: connections are closed, new ones refused."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait()

    def replies(self, suffix):
        """(when, status, bytes, range) of each to a path that ends so."""
        with open(self.log_path) as file:
            rows = [line.split() for line in file]
        return [(float(r[0]), int(r[1]), int(r[2]), r[3]) for r in rows if r[4].endswith(suffix)]


def cpu_seconds_of(pid):
    """Of its threads that live, to the nanosecond."""
    total = 0
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/schedstat") as file:
            total += int(file.read().split()[0])
    return total / 1e9
