# SPDX-License-Identifier: GPL-3.0-or-later
"""A PostgreSQL server of Debian's, on a unix socket in its folder."""

import contextlib
import glob
import os
import pwd
import signal
import subprocess

from steward import free_port, wait_for

USER = "postgres"  # of the package; root may not run a server


class Postgres:
    def __init__(self, folder, primary=None):
        """primary: the server whose standby this is."""
        self.folder = folder
        user = pwd.getpwnam(USER)
        os.chown(folder, user.pw_uid, user.pw_gid)
        self.programs = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
        self.port = free_port()
        self.uri = f"postgresql://{USER}@/postgres?host={folder}&port={self.port}"
        self.data = os.path.join(folder, "data")
        self.process = None
        if primary:
            primary.ask("pg_basebackup", "-D", self.data, "-R", "-c", "fast", "--no-sync")
        else:
            self.run("initdb", "-D", self.data, "-U", USER, "-A", "trust", "-E", "UTF8",
                     "--locale=C.UTF-8", "--no-sync")

    def words(self, program, *more):
        return ["setpriv", "--reuid=" + USER, "--regid=" + USER, "--clear-groups",
                "--pdeathsig=QUIT", os.path.join(self.programs, program), *more]

    def run(self, program, *more, check=True):
        return subprocess.run(self.words(program, *more), check=check, capture_output=True, cwd="/")

    @property
    def here(self):
        """A client program's options."""
        return ["-h", self.folder, "-p", str(self.port), "-U", USER]

    def ask(self, program, *more, check=True):
        """A program that connects to it."""
        return self.run(program, *self.here, *more, check=check)

    @contextlib.contextmanager
    def locked(self, table):
        """It can be read, and whoever writes it waits."""
        session = subprocess.Popen(self.words("psql", *self.here, "-AtXq"), cwd="/",
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            session.stdin.write(f"BEGIN; LOCK TABLE {table} IN EXCLUSIVE MODE; SELECT 1;\n".encode())
            session.stdin.flush()
            assert session.stdout.readline() == b"1\n"
            yield
        finally:
            session.communicate(timeout=30)  # its end of file is a rollback

    def sql(self, statement, database="postgres"):
        """The words of the answer."""
        return self.ask("psql", "-AtXq", "-d", database, "-c", statement).stdout.decode().split()

    def uri_of(self, user, database="postgres", more=""):
        return f"postgresql://{user}@/{database}?host={self.folder}&port={self.port}{more}"

    def start(self, *settings):
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen(
                self.words("postgres", "-D", self.data, "-k", self.folder, "-c",
                           f"port={self.port}", "-c", "listen_addresses=",
                           *[word for setting in settings for word in ("-c", setting)]),
                stdout=log, stderr=log, cwd="/")
        wait_for(lambda: self.ask("pg_isready", "-q", check=False).returncode == 0, 60, "PostgreSQL")
        return self

    def stop(self, how=signal.SIGINT):
        """SIGINT: sessions are ended; SIGQUIT: as where the power fails."""
        if self.process:
            self.process.send_signal(how)
            self.process.wait(30)
            self.process = None
