# SPDX-License-Identifier: Apache-2.0
"""An SMTP server that keeps every message octet by octet, as the next hop would see it."""

import itertools
import socketserver
import threading

from process import wait_for


class _Session(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True  # short replies to pipelined commands took 40 ms more

    def reply(self, text):
        self.wfile.write(text.encode("ascii") + b"\r\n")

    def handle(self):
        recipients = []
        self.reply("220 sink.test ESMTP")
        for line in self.rfile:
            verb = line[:4].upper()
            if verb == b"EHLO":
                self.reply("250-sink.test\r\n250-8BITMIME\r\n250-PIPELINING\r\n250 SMTPUTF8")
            elif verb == b"RCPT":
                recipients.append(line[line.index(b"<") + 1:line.index(b">")].decode())
                self.reply("250 ok")
            elif verb == b"DATA":
                self.reply("354 go on")
                self.server.keep(recipients, self.read_message())
                recipients = []
                self.reply("250 kept")
            elif verb == b"QUIT":
                self.reply("221 bye")
                return
            else:
                self.reply("250 ok")

    def read_message(self):
        lines = []
        for line in self.rfile:
            if line == b".\r\n" and (not lines or lines[-1].endswith(b"\r\n")):
                break
            lines.append(line[1:] if line.startswith(b".") else line)
        return b"".join(lines)


class Sink(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Session)
        self.port = self.server_address[1]
        self._kept = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1},
                         daemon=True).start()

    def new_recipient(self):
        """One that nobody else has who sends here."""
        return f"to{next(self._numbers)}@sink.test"

    def keep(self, recipients, message):
        with self._lock:
            for recipient in recipients:
                self._kept.setdefault(recipient, []).append(message)

    def kept(self, recipient):
        """The messages for the recipient so far."""
        with self._lock:
            return list(self._kept.get(recipient, []))

    def wait(self, recipient, seconds=60):
        return wait_for(f"message for {recipient}", lambda: self.kept(recipient), seconds)[0]
