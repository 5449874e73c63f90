# SPDX-License-Identifier: Apache-2.0
"""A small milter client: what an MTA says to a filter, packet by packet, so that tests can
also say it wrongly. Protocol version 6 as libmilter speaks it."""

import struct

from process import connect

ADD_HEADERS = 0x01
ALL_ACTIONS = 0x1FF
ALL_STEPS = 0x1FFFFF
HEADER_LEADING_SPACE = 0x100000

# Replies that end a step; the rest (p: progress, and modifications) precede one of these.
ACCEPT, CONTINUE, DISCARD, REJECT, TEMPFAIL, REPLY_CODE = b"a", b"c", b"d", b"r", b"t", b"y"
VERDICTS = (ACCEPT, CONTINUE, DISCARD, REJECT, TEMPFAIL, REPLY_CODE)

# Steps a filter may ask not to be answered (SMFIP_NR_*) or not to be told of (SMFIP_NO*).
NO_REPLY = {b"C": 0x1000, b"H": 0x2000, b"M": 0x4000, b"R": 0x8000, b"T": 0x10000,
            b"U": 0x20000, b"N": 0x40000, b"B": 0x80000, b"L": 0x80}
LEFT_OUT = {b"C": 0x01, b"H": 0x02, b"M": 0x04, b"R": 0x08, b"B": 0x10, b"L": 0x20, b"N": 0x40,
            b"U": 0x100, b"T": 0x200}


class Closed(Exception):
    """The filter closed the connection."""


class Milter:
    def __init__(self, address, actions=ALL_ACTIONS, steps=ALL_STEPS, seconds=30):
        self.socket = connect(address, seconds)
        self._unsent = b""
        self.reply = None  # of the last verdict REPLY_CODE: b"451 4.7.1 Text"
        self.send(b"O", struct.pack("!III", 6, actions, steps))
        command, data = self.receive()
        assert command == b"O", (command, data)
        self.version, self.actions, self.steps = struct.unpack("!III", data[:12])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        try:
            self.flush()
        except OSError:
            pass  # the other side has left already
        self.socket.close()

    def flush(self):
        octets, self._unsent = self._unsent, b""
        self.socket.sendall(octets)

    def send_raw(self, octets):
        """Kept until an answer is waited for, as Postfix does: no write waits for another."""
        self._unsent += octets
        if len(self._unsent) > 65536:
            self.flush()

    def send(self, command, data=b""):
        self.send_raw(struct.pack("!I", len(data) + 1) + command + data)

    def _read(self, count):
        octets = b""
        while len(octets) < count:
            part = self.socket.recv(count - len(octets))
            if not part:
                raise Closed
            octets += part
        return octets

    def receive(self):
        self.flush()
        size = struct.unpack("!I", self._read(4))[0]
        packet = self._read(size)
        return packet[:1], packet[1:]

    def step(self, command, data=b""):
        """Says one step and returns the verdict, as far as the filter wants and gives one."""
        if self.steps & LEFT_OUT.get(command, 0):
            return CONTINUE
        self.send(command, data)
        if self.steps & NO_REPLY.get(command, 0):
            return CONTINUE
        while True:
            answer, data = self.receive()
            if answer in VERDICTS:
                return self._verdict(answer, data)

    def _verdict(self, answer, data):
        self.reply = data.rstrip(b"\0") if answer == REPLY_CODE else None
        return answer

    def macros(self, command, values):
        text = "".join(f"{name}\0{value}\0" for name, value in values.items())
        self.send(b"D", command + text.encode())

    def greet(self, ip="127.0.0.1", name="client.test", daemon_name="mx.test"):
        self.macros(b"C", {"j": "mx.test", "{daemon_name}": daemon_name})
        verdict = self.step(b"C", name.encode() + b"\0" + b"4" + struct.pack("!H", 4321)
                            + ip.encode() + b"\0")
        return verdict if verdict != CONTINUE else self.step(b"H", b"client.test\0")

    def envelope(self, queue_id, login=None):
        sender = {"i": queue_id}
        if login is not None:
            sender.update({"{auth_type}": "PLAIN", "{auth_authen}": login})
        self.macros(b"M", sender)
        self.step(b"M", b"<sender@example.com>\0")
        self.macros(b"R", {"i": queue_id})
        self.step(b"R", b"<to@sink.test>\0")
        self.macros(b"T", {"i": queue_id})
        self.step(b"T")

    def header(self, name, value):
        if self.steps & HEADER_LEADING_SPACE == 0 and value.startswith(b" "):
            value = value[1:]
        return self.step(b"L", name + b"\0" + value + b"\0")

    def content(self, message):
        """Header and body of a message with CRLF, up to but not with the end of message."""
        head, _, body = (b"\r\n" + message).partition(b"\r\n\r\n")
        for field in unfolded(head[2:]):
            name, _, value = field.partition(b":")
            verdict = self.header(name, value.replace(b"\r\n", b"\n"))
            if verdict != CONTINUE:
                return verdict
        verdict = self.step(b"N")
        for start in range(0, len(body), 65535):
            if verdict != CONTINUE:
                return verdict
            verdict = self.step(b"B", body[start:start + 65535])
        return verdict

    def end(self):
        """End of message: (verdict, inserted fields as (index, name, value))."""
        self.send(b"E")
        inserted = []
        while True:
            command, data = self.receive()
            if command == b"i":
                name, value = data[4:].split(b"\0")[:2]
                inserted.append((struct.unpack("!I", data[:4])[0], name, value))
            elif command == b"h":
                name, value = data.split(b"\0")[:2]
                inserted.append((None, name, value))
            elif command in VERDICTS:
                return self._verdict(command, data), inserted

    def message(self, message, queue_id="TEST0001", login=None):
        """One whole message: (verdict, the message as the MTA would pass it on)."""
        self.envelope(queue_id, login)
        verdict = self.content(message)
        inserted = []
        if verdict == CONTINUE:
            verdict, inserted = self.end()
        return verdict, with_fields(message, inserted, self.steps)

    def quit(self):
        self.send(b"Q")
        self.close()


def unfolded(head):
    """The fields of a header, each with its continuation lines."""
    fields = []
    for line in head.split(b"\r\n"):
        if line[:1] in (b" ", b"\t") and fields:
            fields[-1] += b"\r\n" + line
        elif line:
            fields.append(line)
    return fields


def with_fields(message, inserted, steps):
    """The message with a filter's fields put in, as Postfix does it."""
    space = b"" if steps & HEADER_LEADING_SPACE else b" "
    for index, name, value in inserted:
        assert index in (0, 1, None), index
        field = name + b":" + space + value.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        message = field + b"\r\n" + message
    return message
