"""A PostgreSQL server of Debian's, on a unix socket of its own."""

import glob
import os
import signal
import subprocess
import tempfile

from steward import wait_for

AS_USER = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups")


class Postgres:
    def __init__(self):
        self.programs = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
        self.folder = tempfile.mkdtemp(prefix="postgres")
        subprocess.run(["chown", "postgres", self.folder], check=True)
        self.data = os.path.join(self.folder, "data")
        self.run("initdb", "-D", self.data, "-A", "trust", "--no-sync", "-U", "postgres")
        self.uri = f"postgresql://postgres@/postgres?host={self.folder}"
        self.process = None

    def run(self, program, *words, check=True):
        return subprocess.run([*AS_USER, os.path.join(self.programs, program), *words], check=check,
                              capture_output=True, cwd="/")

    def start(self):
        self.process = subprocess.Popen(
            [*AS_USER, "--pdeathsig=QUIT", os.path.join(self.programs, "postgres"), "-D", self.data,
             "-k", self.folder, "-c", "listen_addresses=", "-c", "fsync=off"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")
        wait_for(lambda: self.run("pg_isready", "-h", self.folder, check=False).returncode == 0, 60,
                 "PostgreSQL")
        return self

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(30)
            self.process = None
