# SPDX-License-Identifier: Apache-2.0
"""A Postfix of our own: private configuration, queue and data directories, free ports.

One smtpd service per milter, so that one instance serves all tests. Everything goes on to the
sink by SMTP. Connections may use XCLIENT to come from elsewhere or to be logged in.
"""

import os
import smtplib
import subprocess

from process import Process, answers, free_port, wait_for

MASTER_PROGRAM = "/usr/lib/postfix/sbin/master"

# Limits are wide and headers are left alone: what Postfix does to them is not what is tested.
MAIN = """\
compatibility_level = 3.6
queue_directory = {root}/queue
data_directory = {root}/data
maillog_file = {root}/mail.log
maillog_file_prefixes = {root}
myhostname = mx.test
mydomain = test
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
relayhost = [127.0.0.1]:{sink_port}
smtp_line_length_limit = 0
smtp_host_lookup = native
smtp_skip_5xx_greeting = no
smtputf8_enable = yes
message_size_limit = 60000000
mailbox_size_limit = 0
header_size_limit = 4096000
local_header_rewrite_clients =
alias_maps =
alias_database =
local_recipient_maps =
biff = no
smtpd_authorized_xclient_hosts = 127.0.0.1
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
relay_domains = sink.test
smtpd_peername_lookup = no
smtpd_client_connection_rate_limit = 0
smtpd_client_connection_count_limit = 0
milter_default_action = tempfail
milter_connect_timeout = 5s
milter_command_timeout = 20s
milter_content_timeout = 60s
non_smtpd_milters = {local_milter}
"""

MASTER = """\
pickup    unix  n  -  n  1   1  pickup
cleanup   unix  n  -  n  -   0  cleanup
qmgr      unix  n  -  n  300 1  qmgr
rewrite   unix  -  -  n  -   -  trivial-rewrite
bounce    unix  -  -  n  -   0  bounce
defer     unix  -  -  n  -   0  bounce
trace     unix  -  -  n  -   0  bounce
verify    unix  -  -  n  -   1  verify
flush     unix  n  -  n  1000? 0 flush
proxymap  unix  -  -  n  -   -  proxymap
smtp      unix  -  -  n  -   -  smtp
relay     unix  -  -  n  -   -  smtp
showq     unix  n  -  n  -   -  showq
error     unix  -  -  n  -   -  error
retry     unix  -  -  n  -   -  error
discard   unix  -  -  n  -   -  discard
anvil     unix  -  -  n  -   1  anvil
scache    unix  -  -  n  -   1  scache
postlog   unix-dgram n - n - 1  postlogd
"""


class Postfix:
    """milters: name -> address as smtpd_milters takes it ("" for none). `local` names the one
    for mail submitted with the sendmail command. `main` is more of main.cf, `options` what one
    service has besides: name -> settings."""

    def __init__(self, root, sink, milters, local, main="", options=None):
        self.root = root
        self.sink = sink
        self.ports = {name: free_port() for name in milters}
        self.config = os.path.join(root, "etc")
        for folder in (self.config, f"{root}/queue"):
            os.makedirs(folder, exist_ok=True)
        self._write("main.cf", MAIN.format(root=root, sink_port=sink.port,
                                          local_milter=milters[local]) + main)
        self._write("master.cf", MASTER + "".join(
            f"127.0.0.1:{self.ports[name]} inet n - n - - smtpd\n  -o smtpd_milters={address}\n"
            + "".join(f"  -o {option}\n" for option in (options or {}).get(name, ()))
            for name, address in milters.items()))
        subprocess.run(["postfix", "-c", self.config, "check"], check=True)
        self.process = Process("postfix", [MASTER_PROGRAM, "-c", self.config, "-d"],
                               f"{root}/start.log")
        wait_for("postfix listens",
                 lambda: all(answers(("127.0.0.1", port)) for port in self.ports.values()))

    def _write(self, name, text):
        with open(os.path.join(self.config, name), "w", encoding="utf-8") as file:
            file.write(text)

    def stop(self):
        self.process.stop()

    def logs(self):
        text = self.process.log_text()
        if os.path.exists(f"{self.root}/mail.log"):
            with open(f"{self.root}/mail.log", encoding="utf-8", errors="replace") as file:
                text += file.read()
        return text

    def new_recipient(self):
        return self.sink.new_recipient()

    def send(self, service, message, sender="sender@example.com", **client):
        """Submits a message (octets with CRLF) by SMTP and returns its recipient. Raises
        smtplib's error if it is refused. With client keywords (addr=, login=) XCLIENT says who
        is connected."""
        recipient = self.new_recipient()
        with smtplib.SMTP("127.0.0.1", self.ports[service], local_hostname="client.test",
                          timeout=60) as smtp:
            if client:
                words = " ".join(f"{key.upper()}={value}" for key, value in client.items())
                code, text = smtp.docmd("XCLIENT", words)
                assert code == 220, text
            smtp.ehlo()
            smtp.sendmail(sender, [recipient], message, mail_options=["SMTPUTF8", "BODY=8BITMIME"])
        return recipient

    def deliver(self, service, message, **options):
        """Submits a message and returns it as the next hop got it."""
        return self.sink.wait(self.send(service, message, **options))

    def deliver_local(self, message, sender="sender@example.com"):
        """The same through the sendmail command; the message has the line ends it has."""
        recipient = self.new_recipient()
        subprocess.run(["sendmail", "-C", self.config, "-i", "-f", sender, recipient],
                       input=message, check=True)
        return self.sink.wait(recipient)
