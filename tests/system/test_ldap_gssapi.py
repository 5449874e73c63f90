# SPDX-License-Identifier: Apache-2.0
"""Who inkan is to the directory, said by Kerberos."""

import pytest

from inkan import Inkan
from kerberos import REALM, Realm
from ldap import CONFIG, SUFFIX, Slapd

MAPPING = f"""\
dn: cn=config
changetype: modify
add: olcAuthzRegexp
olcAuthzRegexp: {{3}}uid=([^,]+),cn={REALM.lower()},cn=gssapi,cn=auth cn=$1,{SUFFIX}
-
replace: olcSaslHost
olcSaslHost: localhost
-
replace: olcSaslRealm
olcSaslRealm: {REALM}
"""


@pytest.fixture
def realm(folder):
    made = Realm(folder)
    yield made
    made.stop()


@pytest.fixture
def server(folder, realm):
    keytab = realm.keytab("ldap/localhost")
    slapd = Slapd.single(folder, environment={**realm.environment, "KRB5_KTNAME": keytab})
    slapd.modify(MAPPING, CONFIG)
    slapd.stop()  # what SASL calls the server it reads at the start
    slapd.start()
    yield slapd
    slapd.stop()


def test_a_key_of_the_realm_is_the_account(realm, server, folder, monkeypatch):
    inkan = Inkan(f"{folder}/inkan", **{**server.settings(),
                                        "store__url": server.url().replace("127.0.0.1", "localhost"),
                                        "ldap__bind_dn": None, "ldap__bind_password_file": None,
                                        "ldap__sasl_mechanism": "GSSAPI"})
    inkan.ok("vault", "init")
    for name, value in realm.environment.items():
        monkeypatch.setenv(name, value)
    refused = inkan.run("store", "init")
    assert refused.returncode in (3, 75)
    assert "ldap: GSSAPI: " in refused.stderr
    monkeypatch.setenv("KRB5_CLIENT_KTNAME", realm.keytab("inkan-admin"))
    inkan.ok("store", "init")
    inkan.ok("tenant", "add", "acme")
    assert inkan.json("tenant", "show", "acme")["name"] == "acme"
    monkeypatch.setenv("KRB5_CLIENT_KTNAME", realm.keytab("inkan-signer"))
    monkeypatch.setenv("KRB5CCNAME", f"FILE:{realm.folder}/others")
    assert inkan.json("tenant", "show", "acme")["name"] == "acme"
    assert inkan.run("tenant", "add", "globex").returncode == 3
