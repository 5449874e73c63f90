# SPDX-License-Identifier: Apache-2.0
"""slapd of our own in temporary folders, alone or two in mirror mode, set up with the very LDIF
texts of docs/ldap.md. Each listens on 127.0.0.1 and on a unix socket."""

import base64
import os
import re
import socket
import subprocess
from urllib.parse import quote

from process import Process, free_port, wait_for

TREE = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
SCHEMA = f"{TREE}/migrations/ldap/inkan.ldif"
# No ldap.conf and no ldaprc, of the system or of a user, changes what a test does.
ENV = {"LDAPNOINIT": "1"}
SUFFIX = "dc=example,dc=net"
BASE = f"ou=inkan,{SUFFIX}"
# Accounts and their passwords. The first two pass every rule.
ROOT = (f"cn=root,{SUFFIX}", "root-secret")
CONFIG = ("cn=config", "config-secret")
ADMIN = (f"cn=inkan-admin,{SUFFIX}", "admin-secret")
SIGNER = (f"cn=inkan-signer,{SUFFIX}", "signer-secret")

# What a server has before anybody thinks of inkan, much as Debian makes it. SASL names, client
# certificates and the user behind the unix socket are accounts of the suffix.
CONFIGURATION = """\
dn: cn=config
objectClass: olcGlobal
cn: config
olcPidFile: {folder}/pid
olcSaslSecProps: noanonymous
olcAuthzRegexp: {{0}}uid=([^,]+),cn=[^,]+,cn=auth cn=$1,{suffix}
olcAuthzRegexp: {{1}}gidNumber=[0-9]+\\+uidNumber={uid},cn=peercred,cn=external,cn=auth {admin}
olcAuthzRegexp: {{2}}cn=(inkan-[a-z]+) cn=$1,{suffix}
{tls}
dn: cn=module{{0}},cn=config
objectClass: olcModuleList
cn: module{{0}}
olcModulePath: /usr/lib/ldap
olcModuleLoad: back_mdb

dn: cn=schema,cn=config
objectClass: olcSchemaConfig
cn: schema

include: file:///etc/ldap/schema/core.ldif
include: file:///etc/ldap/schema/cosine.ldif
include: file:///etc/ldap/schema/inetorgperson.ldif

dn: olcDatabase={{-1}}frontend,cn=config
objectClass: olcDatabaseConfig
objectClass: olcFrontendConfig
olcDatabase: {{-1}}frontend
olcSizeLimit: 500
olcAccess: to dn.exact="" by * read
olcAccess: to dn.base="cn=Subschema" by * read

dn: olcDatabase={{0}}config,cn=config
objectClass: olcDatabaseConfig
olcDatabase: {{0}}config
olcRootDN: {config[0]}
olcRootPW: {config[1]}

dn: olcDatabase={{1}}mdb,cn=config
objectClass: olcDatabaseConfig
objectClass: olcMdbConfig
olcDatabase: {{1}}mdb
olcDbDirectory: {folder}/data
olcDbMaxSize: 4294967296
olcDbNoSync: TRUE
olcDbIndex: objectClass eq
olcSuffix: {suffix}
olcRootDN: {root[0]}
olcRootPW: {root[1]}
olcAccess: to attrs=userPassword by self write by anonymous auth by * none
olcAccess: to * by * read

dn: olcDatabase={{2}}monitor,cn=config
objectClass: olcDatabaseConfig
olcDatabase: {{2}}monitor
olcAccess: to * by * read
"""

TLS = """\
olcTLSCACertificateFile: {authority.certificate}
olcTLSCertificateFile: {certificate}
olcTLSCertificateKeyFile: {key}
olcTLSVerifyClient: try
"""

SUFFIX_ENTRY = f"""\
dn: {SUFFIX}
objectClass: organization
objectClass: dcObject
o: Example
dc: example
"""

NO_CSN = """\
dn: olcDatabase={{1}}mdb,cn=config
changetype: modify
add: olcAccess
olcAccess: {{0}}to attrs=entryCSN,contextCSN by dn.exact="{account[0]}" none by * break
"""

MIRROR = """\
dn: olcDatabase={{1}}mdb,cn=config
changetype: modify
add: olcSyncrepl
{lines}
-
add: olcMultiProvider
olcMultiProvider: TRUE
"""

REPLICA = """\
olcSyncrepl: {{{number}}}rid={number:03d} provider={url}
  searchbase="{suffix}" type=refreshAndPersist retry="1 +" timeout=5 network-timeout=2
  keepalive=2:2:2 bindmethod=simple binddn="{root[0]}" credentials={root[1]}"""


def documented(heading):
    """The LDIF below a heading of docs/ldap.md, and below those under it: {the DN of its first
    line: text}."""
    with open(f"{TREE}/docs/ldap.md", encoding="utf-8") as file:
        _, marks, rest = re.split(rf"^(##+) {heading}\n", file.read(), 1, re.M)
    section = re.split(rf"^#{{2,{len(marks)}}} ", rest, 1, re.M)[0]
    texts = re.findall(r"(?:^    .*\n)+", section, re.M)
    ldif = [re.sub(r"^    ", "", text, flags=re.M) for text in texts if text.startswith("    dn: ")]
    assert ldif, f"docs/ldap.md has no LDIF below {heading}"
    return {text.partition("\n")[0].removeprefix("dn: "): text for text in ldif}


def parse_ldif(text):
    """A list of {attribute: [octets]}; the DN is the attribute "dn"."""
    entries = []
    for block in re.sub(r"\n ", "", text).split("\n\n"):
        entry = {}
        for name, mark, value in re.findall(r"^([\w;-]+)(::?) ?(.*)$", block, re.M):
            octets = base64.b64decode(value) if mark == "::" else value.encode()
            entry.setdefault(name, []).append(octets)
        if entry:
            entries.append(entry)
    return entries


class Authority:
    """A certification authority for one test."""

    def __init__(self, folder, name="authority"):
        self.folder = os.path.join(folder, name)
        self.certificate = f"{self.folder}/ca.pem"
        self._key = f"{self.folder}/ca.key"
        os.mkdir(self.folder)
        self._openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}",
                      "-days", "2", "-keyout", self._key, "-out", self.certificate)

    def _openssl(self, *arguments):
        done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def issue(self, name, hosts=None, days=2):
        """(certificate, key): files. With days=-1 it has expired already. For libldap
        "localhost" is this machine's own name, so that is in it as well."""
        hosts = hosts or f"IP:127.0.0.1,DNS:localhost,DNS:{socket.gethostname()}"
        path = f"{self.folder}/{name}"
        with open(f"{path}.ext", "w", encoding="ascii") as file:
            file.write(f"subjectAltName={hosts}\n")
        self._openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}",
                      "-keyout", f"{path}.key", "-out", f"{path}.csr")
        self._openssl("x509", "-req", "-in", f"{path}.csr", "-CA", self.certificate, "-CAkey",
                      self._key, "-CAcreateserial", "-days", str(days), "-extfile", f"{path}.ext",
                      "-out", f"{path}.pem")
        return f"{path}.pem", f"{path}.key"


class Slapd:
    """One server, started, with the schema, the accounts and an empty base for inkan. It keeps
    its port over stop and start."""

    def __init__(self, folder, name="slapd", overlays=("syncprov", "deref"), authority=None,
                 certificate=None, log_level="stats", environment=None):
        """certificate: (certificate, key) of the server; without it the authority issues one."""
        self.environment = {**ENV, **(environment or {})}
        self.name = name
        self.port = free_port()
        self.tls_port = free_port() if authority else None
        self.folder = os.path.join(folder, name)
        self.log = os.path.join(folder, f"{name}.log")
        self.log_level = log_level
        self.overlays = overlays
        self.process = None
        for part in ("", "/data", "/config"):
            os.mkdir(self.folder + part)
        if authority and certificate is None:
            certificate = authority.issue(name)
        self._configure(authority, certificate)
        self.start()
        self._prepare_for_inkan()

    def _configure(self, authority, certificate):
        tls = ""
        if authority:
            tls = TLS.format(authority=authority, certificate=certificate[0], key=certificate[1])
        text = CONFIGURATION.format(folder=self.folder, suffix=SUFFIX, root=ROOT, config=CONFIG,
                                    admin=ADMIN[0], uid=os.geteuid(), tls=tls)
        self._run(["slapadd", "-n", "0", "-F", f"{self.folder}/config"], text)

    def _prepare_for_inkan(self):
        """All that docs/ldap.md says, in its order."""
        with open(SCHEMA, encoding="ascii") as file:
            self.ldif_add(file.read(), CONFIG)
        self.configure("Modules")
        for dn, text in documented("Overlays").items():
            if dn.partition(",")[0].removeprefix("olcOverlay=") in self.overlays:
                self.modify(text, CONFIG)
        self.configure("Indexes", "Access", "Limits")

    def add_accounts(self):
        """The first entry, inkan's base, and who may do something there."""
        self.ldif_add(SUFFIX_ENTRY)
        for text in documented("The place and the accounts").values():
            self.modify(text, ROOT)
        return self

    def configure(self, *headings):
        """Applies what docs/ldap.md has below the headings."""
        for heading in headings:
            for text in documented(heading).values():
                self.modify(text, CONFIG)

    def hide_csn(self, account):
        """Makes it what a server without entryCSN is like for the account."""
        self.modify(NO_CSN.format(account=account), CONFIG)
        assert self.search("(entryCSN=*)") and not self.search("(entryCSN=*)", account=account)

    @classmethod
    def single(cls, folder, name="slapd", **options):
        return cls(folder, name, **options).add_accounts()

    @classmethod
    def mirror(cls, folder, **options):
        """Two servers that each take writes and send them to the other."""
        pair = [cls(folder, name, **options) for name in ("slapd-a", "slapd-b")]
        lines = "\n".join(REPLICA.format(number=i + 1, url=server.plain_url, suffix=SUFFIX,
                                         root=ROOT) for i, server in enumerate(pair))
        for i, server in enumerate(pair):
            server.modify(f"dn: cn=config\nchangetype: modify\nadd: olcServerID\n"
                          f"olcServerID: {i + 1}\n", CONFIG)
        for server in pair:
            server.modify(MIRROR.format(lines=lines), CONFIG)
        pair[0].add_accounts()
        pair[0].wait_replicated(pair[1])
        return pair

    # -- the process ------------------------------------------------------------------------

    def start(self):
        urls = [self.plain_url, self.local_url]
        if self.tls_port:
            urls.append(f"ldaps://127.0.0.1:{self.tls_port}")
        command = ["/usr/sbin/slapd", "-F", f"{self.folder}/config", "-h", " ".join(urls), "-d",
                   self.log_level]
        self.process = Process(self.name, command, self.log, self.environment, "/")
        wait_for(f"{self.name} answers", self.is_ready, 30)
        return self

    def is_ready(self):
        assert self.process.is_alive(), f"{self.name} ended:\n{self.process.log_text()}"
        return self._tool("ldapsearch", ROOT, "-s", "base", "-b", "", "1.1").returncode == 0

    def stop(self):
        """Lets it write all out. A server that hangs is killed."""
        if self.process.is_alive():
            self.resume()
            self.process.stop()

    def kill(self):
        self.process.kill()

    def hang(self):
        """The kernel takes connections and packets, and nobody answers."""
        self.process.freeze()

    def resume(self):
        self.process.thaw()

    # -- where it is ------------------------------------------------------------------------

    @property
    def plain_url(self):
        return f"ldap://127.0.0.1:{self.port}"

    @property
    def local_url(self):
        return f"ldapi://{quote(f'{self.folder}/ldapi', safe='')}"

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def url(self, scheme="ldap", base=BASE):
        """What belongs into store.url; ldap, ldaps or ldapi."""
        servers = {"ldap": self.plain_url, "ldapi": self.local_url,
                   "ldaps": f"ldaps://127.0.0.1:{self.tls_port}"}
        return f"{servers[scheme]}/{base}"

    def settings(self, account=ADMIN, **more):
        """The settings of inkan that lead here without TLS, with a simple bind."""
        path = f"{self.folder}/password-{account[0].partition(',')[0]}"
        with open(path, "w", encoding="ascii", opener=lambda p, f: os.open(p, f, 0o600)) as file:
            file.write(f"{account[1]}\n")
        return {"store__url": self.url(), "ldap__bind_dn": account[0],
                "ldap__bind_password_file": path, "ldap__starttls": "no", **more}

    # -- talking to it ----------------------------------------------------------------------

    def _run(self, command, text):
        done = subprocess.run(command, input=text, capture_output=True, text=True, cwd="/",
                              env={**os.environ, **ENV}, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"

    def _tool(self, tool, account, *arguments, text=""):
        return subprocess.run([tool, "-x", "-H", self.local_url, "-D", account[0], "-w",
                               account[1], "-o", "nettimeout=10", *arguments], input=text,
                              capture_output=True, text=True, cwd="/", timeout=60,
                              env={**os.environ, **ENV}, check=False)

    def ldif_add(self, text, account=ROOT):
        done = self._tool("ldapadd", account, text=text)
        assert done.returncode == 0, f"{text}: {done.stderr}"

    def modify(self, text, account=ROOT, relaxed=False):
        """LDIF change records; relaxed: also of what is the server's own."""
        more = ("-e", "!relax") if relaxed else ()
        done = self._tool("ldapmodify", account, *more, text=text)
        assert done.returncode == 0, f"{text}: {done.stderr}"

    def delete(self, dn):
        """An entry and all below it."""
        done = self._tool("ldapdelete", ROOT, "-r", dn)
        assert done.returncode == 0, f"{dn}: {done.stderr}"

    def ldif(self, base):
        """An entry and all below it, as ldif_add takes it."""
        done = self._tool("ldapsearch", ROOT, "-LLL", "-b", base)
        assert done.returncode == 0, f"{base}: {done.stderr}"
        return done.stdout

    def remove(self, dn, account=ROOT):
        """An entry and all below it."""
        done = self._tool("ldapdelete", account, "-r", dn)
        assert done.returncode == 0, f"{dn}: {done.stderr}"

    def refusal(self, text, account):
        """The result code that change records are refused with; 0 if they are not."""
        return self._tool("ldapmodify", account, text=text).returncode

    def search(self, text, *attributes, account=ROOT, base=BASE, scope="sub"):
        """The entries that match a filter, as {attribute: [octets]}; none where there is no
        such base."""
        done = self._tool("ldapsearch", account, "-LLL", "-o", "ldif_wrap=no", "-s", scope, "-b",
                          base, text, *attributes)
        assert done.returncode in (0, 32), f"{text}: {done.stderr}"
        return parse_ldif(done.stdout)

    def operations(self, kind="Search"):
        """How many of them it has finished since it was started, this one not counted."""
        answer = self.search("(objectClass=*)", "monitorOpCompleted", scope="base",
                             base=f"cn={kind},cn=Operations,cn=Monitor")
        return int(answer[0]["monitorOpCompleted"][0])

    def state(self):
        """What replicas compare: how far each server's changes have come."""
        answer = self.search("(objectClass=*)", "contextCSN", base=SUFFIX, scope="base")
        return sorted(answer[0].get("contextCSN", [])) if answer else None

    def wait_replicated(self, other):
        """Until the other has all that this one has."""
        wait_for(f"{other.name} has what {self.name} has",
                 lambda: self.state() and self.state() == other.state(), 30)
