# SPDX-License-Identifier: Apache-2.0
"""MariaDB of our own in a temporary folder, on 127.0.0.1 and on a unix socket."""

import os
import pwd
import subprocess

from process import Process, free_port, wait_for

# mariadbd refuses to run as root.
AS_MYSQL = ["setpriv", "--reuid", "mysql", "--regid", "mysql", "--init-groups"]


class MariaDb:
    """One server, started, with the data base `mail` and the account root without a password."""

    def __init__(self, folder, name="mariadb"):
        self.name = name
        self.data = os.path.join(folder, name)
        self.socket = f"{self.data}/socket"
        self.log = os.path.join(folder, f"{name}.log")
        os.mkdir(self.data, 0o700)
        mysql = pwd.getpwnam("mysql")
        os.chown(self.data, mysql.pw_uid, mysql.pw_gid)
        done = subprocess.run(
            [*AS_MYSQL, "mariadb-install-db", "--no-defaults", f"--datadir={self.data}",
             "--auth-root-authentication-method=normal", "--skip-test-db"],
            capture_output=True, text=True, cwd="/", check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        self.port = free_port()  # only now: to make the tables takes seconds
        self.process = Process(name, [
            *AS_MYSQL, "mariadbd", "--no-defaults", f"--datadir={self.data}",
            f"--socket={self.socket}", f"--port={self.port}", "--bind-address=127.0.0.1",
            "--skip-name-resolve", "--character-set-server=utf8mb4", "--innodb-flush-method=nosync"],
            self.log, cwd="/")
        wait_for("mariadb answers", self.is_ready, 60)
        self.sql("CREATE DATABASE mail", database="mysql")

    def is_ready(self):
        assert self.process.is_alive(), f"{self.name} ended:\n{self.process.log_text()}"
        return self._client("SELECT 1", "mysql").returncode == 0

    def stop(self):
        self.process.kill()

    def _client(self, text, database):
        return subprocess.run(
            ["mariadb", "--no-defaults", "--batch", "--skip-column-names", "--binary-mode", "-u",
             "root", "-S", self.socket, database], input=text.encode(), capture_output=True,
            check=False)

    def sql(self, text, database="mail"):
        """What the statements print."""
        done = self._client(text, database)
        assert done.returncode == 0, f"{text}: {done.stderr.decode()}"
        return done.stdout.decode().strip()
