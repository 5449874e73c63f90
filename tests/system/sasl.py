# SPDX-License-Identifier: Apache-2.0
"""A submission service: a Postfix whose clients log in with SMTP AUTH.

Logins are in a sasldb of its own, read by the Cyrus SASL library within smtpd, so no further
daemon is needed. Nothing in Postfix ties a login to an author (no sender_login maps): who may
sign as whom is the milter's to say.
"""

import base64
import contextlib
import os
import re
import shutil
import smtplib
import subprocess

from postfix import Postfix

PASSWORD = "open sesame"
REALM = "mx.test"  # of logins without a domain: Postfix's myhostname

MAIN = """\
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = cyrus
smtpd_sasl_path = smtpd
smtpd_sasl_security_options = noanonymous
milter_mail_macros = i {mail_addr} {mail_host} {mail_mailer} {auth_type} {auth_authen} {auth_author}
"""

SASL = """\
pwcheck_method: auxprop
auxprop_plugin: sasldb
sasldb_path: {database}
mech_list: PLAIN
"""


def queue_id_of(message):
    """Of the topmost Received field, which is Postfix's own."""
    return re.search(rb"\bid (\w+)", message).group(1).decode()


def log_in(smtp, login):
    """AUTH PLAIN; smtplib's own takes ASCII only."""
    response = base64.b64encode(f"\0{login}\0{PASSWORD}".encode()).decode()
    code, text = smtp.docmd("AUTH", f"PLAIN {response}")
    assert code == 235, text


class Submission(Postfix):
    """milters and local as for Postfix; daemon_names: service -> what it calls itself to its
    milter."""

    def __init__(self, root, sink, milters, local, daemon_names):
        # Debian's smtpd looks there and nowhere else; cyrus_sasl_config_path does not count.
        sasl = f"{root}/etc/sasl"
        os.makedirs(sasl)
        self._database = f"{sasl}/sasldb2"
        with open(f"{sasl}/smtpd.conf", "w", encoding="ascii") as file:
            file.write(SASL.format(database=self._database))
        super().__init__(root, sink, milters, local, main=MAIN,
                         options={service: [f"milter_macro_daemon_name={name}"]
                                  for service, name in daemon_names.items()})

    def add_login(self, login):
        realm = [] if "@" in login else ["-u", REALM]
        subprocess.run(["saslpasswd2", "-p", "-c", "-f", self._database, *realm, login],
                       input=PASSWORD.encode(), check=True)
        shutil.chown(self._database, "postfix")

    @contextlib.contextmanager
    def session(self, service, login=None, source="127.0.0.1"):
        """An SMTP connection from that address of this host, logged in if a login is given."""
        with smtplib.SMTP("127.0.0.1", self.ports[service], local_hostname="client.test",
                          timeout=60, source_address=(source, 0)) as smtp:
            smtp.ehlo()
            if login:
                log_in(smtp, login)
            yield smtp

    def pass_on(self, smtp, message, sender="sender@example.com", mail_options=()):
        """Submits a message (octets with CRLF) and returns it as the next hop got it."""
        recipient = self.new_recipient()
        smtp.sendmail(sender, [recipient], message,
                      mail_options=["SMTPUTF8", "BODY=8BITMIME", *mail_options])
        return self.sink.wait(recipient)
