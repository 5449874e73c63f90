# SPDX-License-Identifier: Apache-2.0
"""Messages that have troubled signers, as octets with CRLF."""


def compose(author, *fields, body=b"Hello\r\n"):
    """A message From: author with further header lines."""
    head = [b"From: " + author, b"To: Somebody <to@sink.test>", b"Subject: A message",
            b"Date: Sat, 21 Nov 2026 12:00:00 +0000", b"Message-ID: <1@client.test>", *fields]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def zoo(author):
    """{what is special: message}, all From: author."""
    def with_body(body):
        return compose(author, body=body)

    folded = b"X-Folded: one\r\n two\r\n\tthree  \r\n    four"
    return {
        "plain": with_body(b"Hello\r\n"),
        "long and folded headers": compose(
            author, folded, b"References:" + b"\r\n <0123456789@a.test>" * 60,
            b"X-Long: " + b"word " * 180),
        "a subject folded with a tab": compose(
            author, b"Comments: a\r\n\tb", b"Keywords:\r\n only, below"),
        "8-bit body": with_body(bytes(range(128, 256)) + b"\r\n\xe2\x82\xac\r\n"),
        "dot-stuffed lines": with_body(b".\r\n..\r\n.a\r\n...\r\nb.\r\n"),
        "300 headers": compose(author, *(b"X-Field-%d: value %d" % (n, n) for n in range(300))),
        "UTF-8 headers": compose(author, "Comments: Grüße, 世界".encode(),
                                 "Cc: Zoë <zoë@münchen.example>".encode()),
        "empty body": with_body(b""),
        "a body of blank lines": with_body(b"\r\n\r\n\r\n"),
        "blank lines at the end": with_body(b"text\r\n\r\n\r\n\r\n"),
        "blank lines with spaces at the end": with_body(b"text\r\n  \r\n\t\r\n"),
        "no final line end": with_body(b"first\r\nlast without an end"),
        "trailing spaces and tabs": with_body(b"a \r\nb\t\r\n c  d \t e\t \r\n \r\nf\r\n"),
        "very long lines": with_body(b"x" * 5000 + b"\r\n" + b"y " * 4000 + b"\r\n"),
        "duplicate headers": compose(author, b"Subject: Another", b"Cc: a@sink.test",
                                     b"Cc: b@sink.test", b"Comments: 1", b"Comments: 2"),
        "empty header values": compose(author, b"Cc:", b"Reply-To: ", b"Comments:  \t "),
        "no space after the colon": compose(author, b"Cc:a@sink.test", b"Comments:tight",
                                            b"Reply-To:\ttab@sink.test"),
        "tabs and spaces around values": compose(author, b"Comments: \t  a  \t b   ",
                                                 b"X-Tabs:\t\ta\tb\t"),
        "a body of one blank": with_body(b" "),
        "a lone tab": with_body(b"\t\r\n"),
        "MIME": compose(author, b"MIME-Version: 1.0",
                        b"Content-Type: multipart/mixed;\r\n boundary=\"=_b\"",
                        body=b"--=_b\r\nContent-Type: text/plain\r\n\r\n=20\r\n--=_b--\r\n"),
    }


def big(author, octets):
    """A message with a body of about so many octets."""
    line = b"0123456789 abcdefghijklmnopqrstuvwxyz \t ABCDEFGHIJKLMNOPQRSTUVWXYZ  \r\n"
    return compose(author, body=line * (octets // len(line)))
