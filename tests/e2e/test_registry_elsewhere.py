# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry in a database that is not the conductor's alone: its tables are another role's, a pool
stands in between, the server fails over, is full, or wants another password."""

import contextlib
import itertools
import os
import pwd
import signal
import socket
import struct
import subprocess
import tempfile

import pytest

from postgres import USER, Postgres
from steward import CONDUCTORD, SLOW, free_port, wait_for
from wire_router import WireRouter

BEGINS, ENDS = "the registry does not answer", "the registry answers again"

pytestmark = [pytest.mark.once, pytest.mark.release_only]
numbers = itertools.count()


@pytest.fixture(scope="module")
def server():
    with tempfile.TemporaryDirectory(prefix="postgres") as folder:
        made = Postgres(folder)
        with open(os.path.join(made.data, "pg_hba.conf"), "r+") as file:
            lines = "local all sworn scram-sha-256\n" + file.read()
            file.seek(0)
            file.write(lines)
        made.start("max_connections=10")
        for role in ("steward", '"Ste ""ward"'):
            made.sql(f"CREATE ROLE {role} LOGIN")
        yield made
        made.stop(signal.SIGQUIT)


@pytest.fixture
def database(server):
    """An empty one of its own."""
    name = f"d{next(numbers)}"
    server.sql(f"CREATE DATABASE {name}")
    return name


def schema(*words):
    return subprocess.run([CONDUCTORD, "--schema", *words], check=True, stdout=subprocess.PIPE,
                          text=True).stdout


def psql(server, database, sql, user=USER, check=True):
    return subprocess.run(
        server.words("psql", "-h", server.folder, "-p", str(server.port), "-U", user, "-d", database,
                     "-AtXq", "-v", "ON_ERROR_STOP=1"),
        input=sql, check=check, capture_output=True, text=True, cwd="/")


def detail(conductor):
    return conductor.get("/v1/routers").detail or ""


def enrol(onboarding, conductor, number):
    name, asset_id = f"router{number}", f"A{number}"
    conductor.configure(name, asset_id=asset_id)
    token = conductor.token(name)

    def comes():
        router = WireRouter(onboarding, token, asset_id=asset_id)
        return router.ask(router.hello)

    # Just after an outage a router may be told to come again.
    wait_for(lambda: comes()["type"] == "challenge", 20 * SLOW, "a conductor that lets somebody in")
    WireRouter(onboarding, token, asset_id=asset_id).go_to(3)
    assert name in [e["router"] for e in conductor.enrolments]


def use_all(onboarding, conductor):
    """Rows of each table are read, written, changed and deleted."""
    enrol(onboarding, conductor, 1)
    path = "/v1/routers/router1/configuration"
    conductor.put(path, {"software-update": {"source": [
        {"name": "s", "kind": "artifactory", "url": "https://example/?key=secret"}]}})
    conductor.delete("/v1/tokens/" + conductor.get("/v1/tokens").json["tokens"][0]["jti"])
    assert conductor.post("/v1/routers/router1/nodes/node0/reset").status == 200
    assert conductor.post("/v1/clock/reset").status == 204
    enrol(onboarding, conductor, 1)
    conductor.delete("/v1/routers/router1")
    assert "denied for table" not in conductor.log, conductor.log


@pytest.mark.parametrize("role", ["steward", 'Ste "ward'])
def test_tables_of_another_role(onboarding, server, role, database):
    """The role may not make tables; what it is told to have done is enough, without a restart."""
    quoted = role.replace(" ", "%20").replace('"', "%22")
    conductor = onboarding.conductor(registry=server.uri_of(quoted, database))
    assert psql(server, database, "CREATE TABLE t ()", role, check=False).returncode
    wait_for(lambda: BEGINS in conductor.log, 20 * SLOW, "the word")
    told = detail(conductor)
    assert "its tables are not there" in told and "'conductord --schema'" in told, told
    psql(server, database, schema("--config", conductor.config_path))
    wait_for(lambda: ENDS in conductor.log, 20 * SLOW, "the end of it")
    use_all(onboarding, conductor)
    # To tables that are there nothing is done; what happened is not to be changed.
    psql(server, database, schema("--role", role))
    for statement in ("UPDATE audit SET reason = ''", "DELETE FROM audit", "CREATE TABLE t ()",
                      "DELETE FROM schema_versions"):
        refused = psql(server, database, statement, role, check=False)
        assert refused.returncode and "permission denied" in refused.stderr, statement


def version_5():
    """The schema of version 5, with a router that is enrolled."""
    key = struct.pack(">I11sI32s", 11, b"ssh-ed25519", 32, b"k").hex()
    head, _, rest = schema("--role", "steward").partition(
        "IF NOT EXISTS (SELECT 1 FROM schema_versions WHERE version = 6)")
    grants = [line for line in rest.splitlines() if line.startswith("GRANT")
              and f"CREATE TABLE {line.split(' ON ')[1].split()[0]} " in head]
    return head + "END\n$steward$;\n" + "\n".join(grants) + rf""";
        GRANT SELECT ON schema_versions TO steward; COMMIT;
        INSERT INTO routers VALUES ('r', 'psk-only', NULL, '{{}}', 0);
        INSERT INTO nodes VALUES ('r', 'n', 'A', NULL, 10000);
        INSERT INTO enrolments VALUES
            ('r', 'n', 'ssh-key', '\x01', '\x{key}', NULL, 'jti', 1, '192.0.2.1', 'x25519');"""


@pytest.mark.parametrize("how", ["printed", "applied"])
def test_older_tables_of_another_role(onboarding, server, how):
    database = f"older_{how}"
    server.sql(f"CREATE DATABASE {database}")
    psql(server, database, version_5())
    conductor = onboarding.conductor(registry=server.uri_of("steward", database))
    wait_for(lambda: BEGINS in conductor.log, 20 * SLOW, "the word")
    told = detail(conductor)
    assert "its tables are of version 5, version" in told
    assert "'conductord --schema'" in told
    if how == "printed":
        psql(server, database, schema("--config", conductor.config_path))
    else:
        said = schema("--config", conductor.config_path, "--apply", server.uri_of(USER, database))
        assert "tables are of version" in said and "Role steward may" in said
    wait_for(lambda: ENDS in conductor.log, 20 * SLOW, "the end of it")
    assert conductor.enrolments[0]["key-exchange"] == "x25519"
    enrol(onboarding, conductor, 1)
    # Of a newer conductor's registry nothing is changed.
    psql(server, database, "INSERT INTO schema_versions VALUES (99); DROP TABLE failures")
    refused = psql(server, database, schema("--role", "steward"), check=False)
    assert refused.returncode and "of a newer conductord" in refused.stderr
    assert "failures" not in server.sql("SELECT relname FROM pg_class", database)


def test_schema_words(server, database, tmp_path):
    """Who asks in vain is told why, and nothing is half done."""
    def run(*words):
        return subprocess.run([CONDUCTORD, *words], capture_output=True, text=True)

    nowhere = str(tmp_path / "none")
    bare = run("--schema", "--config", nowhere)
    assert bare.returncode == 0 and "--role" in bare.stderr and "\nGRANT" not in bare.stdout
    psql(server, database, bare.stdout)
    cases = [
        (("--role", "x"), 64, "go with --schema"),
        (("--schema", "--apply", "mysql://x"), 64, "neither sqlite:/path nor postgresql:"),
        (("--schema", "--role", "x", "--apply", f"sqlite:{tmp_path}/r"), 64, "has no roles"),
        (("--schema", "--role", "nobody", "--apply", server.uri_of(USER, database)), 69,
         'role "nobody" does not exist'),
        (("--schema", "--role", "x", "--apply", server.uri_of("steward", database)), 69,
         "permission denied"),
        (("--schema", "--role", "x", "--apply", server.uri_of(USER, "no")), 69, "does not exist")]
    for words, status, text in cases:
        ended = run(*words)
        assert (ended.returncode, text in ended.stderr) == (status, True), (words, ended)
    assert run("--schema", "--config", nowhere, "--apply", f"sqlite:{tmp_path}/r").returncode == 0


@contextlib.contextmanager
def pool(server, folder):
    """pgbouncer, with one connection to the server, which each transaction may have."""
    port = free_port()
    user = pwd.getpwnam(USER)
    os.chown(folder, user.pw_uid, user.pw_gid)
    path = os.path.join(folder, "ini")
    with open(path, "w") as file:
        file.write(f"""[databases]
* = host={server.folder} port={server.port}
[pgbouncer]
listen_addr =
unix_socket_dir = {folder}
listen_port = {port}
auth_type = trust
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = 1
""")
    with open(os.path.join(folder, "users"), "w") as file:
        file.write('"steward" ""\n')
    program = server.words("psql")[:-1] + ["/usr/sbin/pgbouncer", path]
    process = subprocess.Popen(program, stderr=subprocess.DEVNULL, cwd="/")
    try:
        wait_for(lambda: os.path.exists(f"{folder}/.s.PGSQL.{port}"), 20, "the pool")
        yield folder, port
    finally:
        # Since 1.23 (Debian 13 has 1.24) a SIGTERM waits until all clients have left.
        process.send_signal(signal.SIGQUIT)
        process.wait(20)


SETTINGS = ("SELECT name, setting FROM pg_settings WHERE name <> 'application_name' ORDER BY name;"
            "SELECT count(*) FROM pg_prepared_statements; SELECT count(*) FROM pg_cursors;"
            "SELECT count(*) FROM pg_listening_channels();"
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")


def test_a_pool_that_gives_each_transaction_any_session(onboarding, server, database):
    """What others of the same session see is what they would see without us."""
    psql(server, database, schema("--role", "steward"))
    with pool(server, onboarding.folder("pool")) as (folder, port):
        def ask(sql):
            return subprocess.run(
                server.words("psql", "-h", folder, "-p", str(port), "-U", "steward", "-d", database,
                             "-AtXq"), input=sql, check=True, capture_output=True, text=True,
                cwd="/").stdout

        before = ask(SETTINGS)
        backend = ask("SELECT pg_backend_pid()")
        conductor = onboarding.conductor(
            registry=f"postgresql://steward@/{database}?host={folder}&port={port}")
        use_all(onboarding, conductor)
        # A transaction that fails in the middle, too.
        assert conductor.call("PUT", "/v1/routers/router1/nodes/n", {"asset-id": ""}).status >= 400
        assert ask("SELECT pg_backend_pid()") == backend  # one session, ours as well
        assert ask(SETTINGS) == before
        assert BEGINS not in conductor.log


def test_read_only_is_the_default(onboarding, server, database):
    """Of the database: whoever wants to write says so."""
    psql(server, database, schema("--role", "steward"))
    server.sql(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    conductor = onboarding.conductor(registry=server.uri_of("steward", database))
    enrol(onboarding, conductor, 1)


def test_a_schema_of_our_own(onboarding, server, database):
    """search_path leads to it; tables of the same names are others'."""
    psql(server, database, "CREATE TABLE routers (x INT); CREATE TABLE schema_versions (y INT);"
                           "CREATE SCHEMA ours; GRANT USAGE ON SCHEMA ours TO steward;"
                           "SET search_path = ours;" + schema("--role", "steward"))
    conductor = onboarding.conductor(registry=server.uri_of(
        "steward", database, "&options=-csearch_path%3Dours"))
    enrol(onboarding, conductor, 1)
    assert server.sql("SELECT count(*) FROM public.routers", database) == ["0"]


def goes_on_elsewhere(onboarding, first, second):
    both = (f"postgresql://{USER}@/postgres?host={first.folder},{second.folder}"
            f"&port={first.port},{second.port}")
    conductor = onboarding.conductor(registry=second.uri)
    # A standby alone is no registry: nobody can be enrolled there.
    wait_for(lambda: BEGINS in conductor.log, 20 * SLOW, "the word")
    assert "standby" in detail(conductor)
    conductor.stop()
    conductor.config["registry"] = both
    conductor.write_config()
    conductor.start()
    enrol(onboarding, conductor, 1)
    wait_for(lambda: second.sql("SELECT router FROM enrolments") == ["router1"], 20, "the copy")
    first.stop(signal.SIGQUIT)
    wait_for(lambda: BEGINS in conductor.log, 20 * SLOW, "the word")
    assert conductor.get("/v1/routers").status == 503
    second.sql("SELECT pg_promote()")
    wait_for(lambda: ENDS in conductor.log, 20 * SLOW, "the end of it")
    assert [e["router"] for e in conductor.enrolments] == ["router1"]
    enrol(onboarding, conductor, 2)
    assert second.sql("SELECT router FROM enrolments ORDER BY router") == ["router1", "router2"]


@pytest.mark.slow
def test_a_standby_is_promoted(onboarding):
    """Routers that were enrolled are, and the conductor finds the new primary by itself."""
    first = Postgres(onboarding.folder("first")).start()
    try:
        schema("--config", "/none", "--apply", first.uri)
        second = Postgres(onboarding.folder("second"), primary=first).start()
        try:
            goes_on_elsewhere(onboarding, first, second)
        finally:
            second.stop(signal.SIGQUIT)
    finally:
        first.stop(signal.SIGQUIT)


class Sessions:
    """Of other clients: as many as the server still takes."""

    def __init__(self, server):
        self.path = f"{server.folder}/.s.PGSQL.{server.port}"
        self.open = []

    def take_all(self):
        start = b"\0\3\0\0user\0steward\0database\0postgres\0\0"
        while True:
            session = socket.socket(socket.AF_UNIX)
            session.connect(self.path)
            session.sendall(struct.pack(">I", len(start) + 4) + start)
            if not self.is_ready(session):
                session.close()
                return
            self.open.append(session)

    @staticmethod
    def is_ready(session):
        """Else refused, be it after it was let in."""
        with session.makefile("rb") as answers:
            while (kind := answers.read(1)) not in (b"Z", b"E", b""):
                answers.read(struct.unpack(">I", answers.read(4))[0] - 4)
        return kind == b"Z"

    def give_back(self):
        while self.open:
            self.open.pop().close()


def end_sessions(server, database):
    server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
               f" WHERE datname = '{database}' AND pid <> pg_backend_pid()")


def test_the_server_is_full(onboarding, server, database):
    """max_connections: whoever has a connection keeps it, and who has none is told, and waits."""
    psql(server, database, schema("--role", "steward"))
    conductor = onboarding.conductor(registry=server.uri_of("steward", database))
    enrol(onboarding, conductor, 1)
    others = Sessions(server)
    try:
        others.take_all()
        enrol(onboarding, conductor, 2)

        def is_out():
            end_sessions(server, database)
            others.take_all()
            return BEGINS in conductor.log

        wait_for(is_out, 20 * SLOW, "the word")
        told = detail(conductor)
        assert "connection slots" in told or "too many clients" in told, told
    finally:
        others.give_back()
    wait_for(lambda: ENDS in conductor.log, 20 * SLOW, "the end of it")
    enrol(onboarding, conductor, 3)


def test_the_password_changes(onboarding, server, database):
    """It is in a file, which is read for each connection: no restart."""
    def set_password(word):
        with open(path, "w") as file:
            file.write(f"*:*:*:sworn:{word}\n")

    server.sql("CREATE ROLE sworn LOGIN PASSWORD 'the first'")
    psql(server, database, schema("--role", "sworn"))
    path = os.path.join(onboarding.folder("password"), "passfile")
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    set_password("the first")
    conductor = onboarding.conductor(
        registry=server.uri_of("sworn", database, f"&passfile={path}"))
    enrol(onboarding, conductor, 1)
    server.sql("ALTER ROLE sworn PASSWORD 'the second'")
    enrol(onboarding, conductor, 2)  # who is connected stays so
    end_sessions(server, database)
    wait_for(lambda: BEGINS in conductor.log, 20 * SLOW, "the word")
    assert "password authentication failed" in detail(conductor)
    set_password("the second")
    wait_for(lambda: ENDS in conductor.log, 20 * SLOW, "the end of it")
    enrol(onboarding, conductor, 3)
    assert "the first" not in conductor.log and "the second" not in conductor.log


def test_the_database_moves(onboarding, server, database):
    """By a dump, as to another server, and as from a backup: who was enrolled when it was made is,
    and who came later comes again."""
    psql(server, database, schema("--role", "steward"))
    conductor = onboarding.conductor(registry=server.uri_of("steward", database))
    enrol(onboarding, conductor, 1)
    dump = server.ask("pg_dump", "-Fc", database).stdout
    enrol(onboarding, conductor, 2)
    conductor.stop()
    copy = database + "copy"
    server.sql(f"CREATE DATABASE {copy}")
    subprocess.run(server.words("pg_restore", *server.here, "-d", copy, "--exit-on-error"),
                   input=dump, check=True, cwd="/")
    conductor.config["registry"] = server.uri_of("steward", copy)
    conductor.write_config()
    conductor.start()
    assert [e["router"] for e in conductor.enrolments] == ["router1"]
    enrol(onboarding, conductor, 2)
    assert psql(server, copy, "DELETE FROM audit", "steward", check=False).returncode


@pytest.mark.parametrize("order", ["LOCALE 'C.UTF-8'", "LOCALE_PROVIDER icu ICU_LOCALE 'en'"],
                         ids=["bytes", "english"])
def test_pages_go_on_by_bytes(onboarding, server, order):
    """Whatever order the database itself has: no row is left out, and none comes twice."""
    database = f"d{next(numbers)}"
    server.sql(f"CREATE DATABASE {database} TEMPLATE template0 {order}")
    names = ["9", "A", "B", "Z", "_x", "a", "a-z", "a.b", "aB", "aa", "ab", "b"]
    psql(server, database, schema("--role", "steward") + "".join(
        f"INSERT INTO routers VALUES ('{name}', 'disabled', NULL, '{{}}', 0);"
        for name in reversed(names)))
    conductor = onboarding.conductor(registry=server.uri_of("steward", database))
    seen, path = [], "/v1/routers?limit=5"
    while path:
        reply = conductor.get(path)
        seen += [router["name"] for router in reply.json["routers"]]
        link = reply.headers.get("Link", "")
        path = link.partition("<")[2].partition(">")[0]
    assert seen == names
    assert [router["name"] for router in conductor.get("/v1/routers").json["routers"]] == names
