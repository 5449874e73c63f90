# SPDX-License-Identifier: Apache-2.0
"""A Kerberos realm of our own: MIT's KDC in a temporary folder, on a port of 127.0.0.1."""

import os
import subprocess

from process import Process, free_port

REALM = "INKAN.TEST"

CLIENTS = """\
[libdefaults]
  default_realm = {realm}
  dns_lookup_kdc = false
  dns_lookup_realm = false
  dns_canonicalize_hostname = false
  rdns = false
[realms]
  {realm} = {{
    kdc = 127.0.0.1:{port}
  }}
"""

SERVER = """\
[kdcdefaults]
  kdc_listen = 127.0.0.1:{port}
  kdc_tcp_listen = 127.0.0.1:{port}
[realms]
  {realm} = {{
    database_name = {folder}/principals
    key_stash_file = {folder}/stash
    acl_file = {folder}/acl
  }}
"""


class Realm:
    def __init__(self, folder):
        self.folder = os.path.join(folder, "kerberos")
        self.port = free_port()
        os.mkdir(self.folder)
        for name, text in (("krb5.conf", CLIENTS), ("kdc.conf", SERVER)):
            with open(f"{self.folder}/{name}", "w", encoding="ascii") as file:
                file.write(text.format(realm=REALM, port=self.port, folder=self.folder))
        # What every program of the realm is started with.
        self.environment = {"KRB5_CONFIG": f"{self.folder}/krb5.conf",
                            "KRB5CCNAME": f"FILE:{self.folder}/tickets"}
        self._server_environment = {**self.environment,
                                    "KRB5_KDC_PROFILE": f"{self.folder}/kdc.conf"}
        self._run("/usr/sbin/kdb5_util", "create", "-s", "-P", "master-secret")
        self.process = Process("krb5kdc", ["/usr/sbin/krb5kdc", "-n"], f"{self.folder}/kdc.log",
                               self._server_environment, "/")

    def _run(self, *command):
        done = subprocess.run(command, env={**os.environ, **self._server_environment}, cwd="/",
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"

    def keytab(self, principal):
        """A file with the key of a new principal."""
        path = f"{self.folder}/{principal.replace('/', '-')}.keytab"
        self._run("/usr/sbin/kadmin.local", "-q", f"addprinc -randkey {principal}")
        self._run("/usr/sbin/kadmin.local", "-q", f"ktadd -k {path} {principal}")
        return path

    def stop(self):
        self.process.kill()
