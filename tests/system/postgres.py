# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL of our own in temporary folders: a primary, streaming standbys, PgBouncer in
transaction mode, and psql sessions that a test holds open. All listen on 127.0.0.1."""

import os
import pwd
import select
import signal
import subprocess

from process import Process, answers, free_port, freeze, thaw, wait_for

BIN = "/usr/lib/postgresql/15/bin"
# PostgreSQL and PgBouncer refuse to run as root.
AS_POSTGRES = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--init-groups"]
SETTINGS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 60
shared_buffers = 64MB
max_wal_senders = 4
hot_standby = on
wal_level = replica
wal_keep_size = 256MB
log_line_prefix = '%m [%p] %u '
shared_preload_libraries = 'pg_stat_statements'
"""


def _owned_folder(path):
    os.mkdir(path, 0o700)
    postgres = pwd.getpwnam("postgres")
    os.chown(path, postgres.pw_uid, postgres.pw_gid)


def _as_postgres(*command):
    done = subprocess.run([*AS_POSTGRES, *command], capture_output=True, text=True, cwd="/",
                          check=False)
    assert done.returncode == 0, f"{command[0]}: {done.stderr}"


class Postgres:
    """One server. It keeps its port over stop and start."""

    def __init__(self, folder, name="primary"):
        self.name = name
        self.port = free_port()
        self.data = os.path.join(folder, name)
        self.log = os.path.join(folder, f"{name}.log")
        self.server = None
        self._stopped = []
        _owned_folder(self.data)

    @classmethod
    def primary(cls, folder, settings="", name="primary"):
        """Made, started, and with an empty data base `inkan`."""
        server = cls(folder, name)
        _as_postgres(f"{BIN}/initdb", "-D", server.data, "-A", "trust", "-E", "UTF8",
                     "--locale", "C.UTF-8", "-N")
        with open(f"{server.data}/postgresql.conf", "a", encoding="ascii") as file:
            file.write(SETTINGS + settings)
        server.start()
        server.sql("CREATE DATABASE inkan", database="postgres")
        server.sql("CREATE EXTENSION pg_stat_statements")
        return server

    def standby(self, folder, name="standby"):
        """A streaming standby of this server, started and caught up."""
        server = Postgres(folder, name)
        _as_postgres(f"{BIN}/pg_basebackup", "-D", server.data, "-R", "-X", "stream", "-c", "fast",
                     "-d", self.url(database="postgres"))
        server.start()
        self.wait_streamed(1)
        return server

    # -- the process ------------------------------------------------------------------------

    def start(self):
        self.server = Process(self.name, [*AS_POSTGRES, f"{BIN}/postgres", "-D", self.data,
                                          "-p", str(self.port)], self.log, cwd="/")
        wait_for(f"{self.name} answers", self.is_ready, 60)
        return self

    def is_ready(self):
        assert self.server.is_alive(), f"{self.name} ended:\n{self.server.log_text()}"
        return subprocess.run([f"{BIN}/pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)],
                              check=False).returncode == 0

    def stop(self, how=signal.SIGINT):
        """SIGINT cuts the sessions and writes all out, SIGQUIT ends it at once."""
        if self.server is None or not self.server.is_alive():
            return
        self.resume()
        self.server.signal(how)
        self.server.wait_exit(60)

    def pause(self):
        """SIGSTOP for the server and every process of its sessions: packets are taken by the
        kernel and nobody answers."""
        self._stopped = [self.server.pid]
        freeze(self.server.pid)
        for pid in self.server.children():
            freeze(pid)
            self._stopped.append(pid)

    def resume(self):
        for pid in reversed(self._stopped):
            thaw(pid)
        self._stopped = []

    def promote(self):
        """Makes a standby the primary; returns when it takes writes."""
        assert self.sql("SELECT pg_promote(true, 30)", database="postgres") == "t"

    def seconds(self):
        """Of the processor, that it and all its sessions have used."""
        ticks = 0
        for pid in [self.server.pid, *self.server.children()]:
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
                used = file.read().rpartition(")")[2].split()[11:15]
            ticks += sum(int(n) for n in (used if pid == self.server.pid else used[:2]))
        return ticks / os.sysconf("SC_CLK_TCK")

    # -- talking to it ----------------------------------------------------------------------

    def url(self, user="postgres", database="inkan"):
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def psql(self, text, user="postgres", database="inkan"):
        """The finished psql. With several statements in `text` each is a transaction."""
        return subprocess.run(
            [f"{BIN}/psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-v",
             "VERBOSITY=verbose", "-d", self.url(user, database)],
            input=text, capture_output=True, text=True, timeout=60, check=False)

    def sql(self, text, user="postgres", database="inkan"):
        """What the statements print, one row a line, columns with | between."""
        done = self.psql(text, user, database)
        assert done.returncode == 0, f"{text}: {done.stderr}"
        return done.stdout.strip()

    def error(self, text, user="postgres"):
        """The SQLSTATE that the statements are refused with; None if they are not."""
        done = self.psql(text, user)
        if done.returncode == 0:
            return None
        return done.stderr.partition("ERROR:")[2].split(":")[0].strip()

    def session(self, user="postgres"):
        return Session(self.url(user))

    def wait_streamed(self, standbys):
        """Waits until so many standbys have all that was written."""
        wait_for(f"{standbys} standbys have caught up", lambda: self.sql(
            "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND"
            " replay_lsn >= pg_current_wal_lsn()") == str(standbys), 30)


class Session:
    """A psql that stays connected, for transactions that overlap as the test wants."""

    def __init__(self, url):
        self._psql = subprocess.Popen(
            [f"{BIN}/psql", "-X", "-A", "-t", "-q", "-d", url], text=True, bufsize=1,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        os.set_blocking(self._psql.stdout.fileno(), False)
        self._marks = 0
        self._seen = ""
        self.pid = int(self.run("SELECT pg_backend_pid()"))

    def send(self, text):
        """Says it without waiting for the answer."""
        self._marks += 1
        self._psql.stdin.write(f"{text};\n\\echo =={self._marks}==\n")
        self._psql.stdin.flush()

    def has_answered(self):
        part = os.read(self._psql.stdout.fileno(), 65536) if self._readable() else b""
        self._seen += part.decode()
        return f"=={self._marks}==" in self._seen

    def _readable(self):
        return bool(select.select([self._psql.stdout], [], [], 0)[0])

    def answer(self, seconds=10):
        wait_for("psql answers", self.has_answered, seconds)
        text, self._seen = self._seen.rsplit(f"=={self._marks}==", 1)
        assert "ERROR" not in text, text
        return text.strip()

    def run(self, text):
        self.send(text)
        return self.answer()

    def close(self):
        self._psql.kill()
        self._psql.wait()
        self._psql.stdin.close()
        self._psql.stdout.close()


class PgBouncer:
    """PgBouncer in transaction mode: statements of one client may run in many sessions."""

    def __init__(self, folder, servers, name="pgbouncer", user="postgres"):
        """servers: {data base as clients call it: Postgres}; user: who it is to the server."""
        self.port = free_port()
        self.user = user
        self.log = os.path.join(folder, f"{name}.log")
        self.ini = os.path.join(folder, f"{name}.ini")
        self._write(servers)
        self.process = Process(name, [*AS_POSTGRES, "/usr/sbin/pgbouncer", self.ini], self.log,
                               cwd="/")
        wait_for(f"{name} listens", lambda: answers(("127.0.0.1", self.port)))

    def _write(self, servers):
        lines = [f"{alias} = host=127.0.0.1 port={server.port} dbname=inkan user={self.user}\n"
                 for alias, server in servers.items()]
        with open(self.ini, "w", encoding="ascii") as file:
            file.write(f"[databases]\n{''.join(lines)}[pgbouncer]\nlisten_addr = 127.0.0.1\n"
                       f"listen_port = {self.port}\nunix_socket_dir =\nauth_type = any\n"
                       "pool_mode = transaction\ndefault_pool_size = 10\n"
                       "server_login_retry = 1\n")

    def point_at(self, servers):
        """Writes other servers into its settings and has it read them."""
        self._write(servers)
        self.process.signal(signal.SIGHUP)

    def url(self, database="inkan"):
        return f"postgresql://{self.user}@127.0.0.1:{self.port}/{database}"

    def stop(self):
        self.process.kill()
