# SPDX-License-Identifier: Apache-2.0
"""Other people's DKIM: python3-dkim, Mail::DKIM and OpenDKIM as verifiers and as signers.

Every verifier takes the message and key records ({name: TXT value}) and returns a list of
(selector, passed), one per signature it can judge.
"""

import base64
import os
import re
import subprocess
import tempfile

import dkim
import nacl.signing

from milter import ACCEPT, CONTINUE, Milter
from process import Process, answers, free_port, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
PAIRS = ("simple/simple", "simple/relaxed", "relaxed/simple", "relaxed/relaxed")

# Mail::DKIM 1.20230212 has no module for ed25519-sha256 (Mail/DKIM/Algorithm/).
MAIL_DKIM_WITHOUT_ED25519 = "Mail::DKIM of Debian 12 does not know ed25519-sha256"


def parse_records(text):
    """{name: value} of lines `NAME TXT-value`."""
    return dict(line.split(" ", 1) for line in text.splitlines() if line)


def write_records(records, path):
    with open(path, "w", encoding="ascii") as file:
        file.writelines(f"{name} {value}\n" for name, value in records.items())


def tags_of(field):
    """{tag: value} of the octets of one signature field's value, white space left out."""
    text = re.sub(rb"\s+", b"", field).decode()
    return dict(tag.split("=", 1) for tag in text.split(";") if tag)


def signatures_of(message):
    """The tags of each DKIM-Signature field, top first."""
    head = message.partition(b"\r\n\r\n")[0]
    fields = re.findall(rb"^dkim-signature:((?:[^\r]|\r\n[ \t])*)", head, re.I | re.M)
    return [tags_of(field) for field in fields]


def python_dkim(message, records):
    def lookup(name, timeout=5):
        del timeout
        value = records.get(name.decode().rstrip("."))
        return value.encode() if value is not None else None

    verdicts = []
    for index, tags in enumerate(signatures_of(message)):
        try:
            passed = dkim.DKIM(message, minkey=512).verify(index, dnsfunc=lookup)
        except dkim.DKIMException as problem:
            passed = False
            print("python3-dkim:", problem)
        verdicts.append((tags["s"], bool(passed)))
    return verdicts


def mail_dkim(message, records):
    with tempfile.NamedTemporaryFile("w", suffix=".records") as file:
        write_records(records, file.name)
        answer = subprocess.run(["perl", f"{HERE}/maildkim.pl", "verify", file.name],
                                input=message, capture_output=True, check=True)
    lines = [line.split(" ", 3) for line in answer.stdout.decode().splitlines()]
    print("Mail::DKIM:", lines)
    return [(selector, detail == "pass") for _, selector, _, detail in lines]


def opendkim(message, records):
    """opendkim in its verifying mode, asked about one signature at a time: what it writes into
    Authentication-Results is its answer. Its test mode (-t) cannot judge simple headers."""
    with tempfile.TemporaryDirectory() as folder:
        write_records(records, f"{folder}/records")
        daemon = OpenDkim(folder, f"Mode v\nTestDNSData file:{folder}/records\n"
                                  "On-Default accept\nAlwaysAddARHeader yes\n")
        try:
            return [(tags["s"], daemon.accepts(with_one_signature(message, index)))
                    for index, tags in enumerate(signatures_of(message))]
        finally:
            daemon.stop()


def with_one_signature(message, index):
    """The message without all signature fields but the one of that index."""
    head, separator, body = message.partition(b"\r\n\r\n")
    fields = re.split(rb"\r\n(?![ \t])", head)
    seen = -1
    kept = []
    for field in fields:
        if field.lower().startswith(b"dkim-signature:"):
            seen += 1
            if seen != index:
                continue
        kept.append(field)
    return b"\r\n".join(kept) + separator + body


class Key:
    """A private key made with OpenSSL, in the forms the peers read."""

    def __init__(self, folder, algorithm, bits=2048):
        self.algorithm = algorithm
        self.path = os.path.join(folder, f"{algorithm}.pem")
        kind = (["ED25519"] if algorithm == "ed25519-sha256"
                else ["RSA", "-pkeyopt", f"rsa_keygen_bits:{bits}"])
        subprocess.run(["openssl", "genpkey", "-algorithm", *kind, "-out", self.path],
                       check=True, capture_output=True)
        os.chmod(self.path, 0o600)

    def _der(self, *arguments):
        return subprocess.run(["openssl", "pkey", "-in", self.path, "-outform", "DER", *arguments],
                              check=True, capture_output=True).stdout

    def record(self):
        if self.algorithm == "ed25519-sha256":
            public = nacl.signing.SigningKey(self._der()[-32:]).verify_key.encode()
            return "v=DKIM1; k=ed25519; p=" + base64.b64encode(public).decode()
        return "v=DKIM1; k=rsa; p=" + base64.b64encode(self._der("-pubout")).decode()

    def for_python_dkim(self):
        """PEM for RSA, the seed in base64 for Ed25519."""
        if self.algorithm == "ed25519-sha256":
            return base64.b64encode(self._der()[-32:])
        with open(self.path, "rb") as file:
            return file.read()


def python_dkim_sign(message, key, pair, domain, selector):
    canonicalize = tuple(part.encode() for part in pair.split("/"))
    field = dkim.sign(message, selector.encode(), domain.encode(), key.for_python_dkim(),
                      canonicalize=canonicalize, signature_algorithm=key.algorithm.encode())
    return field + message


def mail_dkim_sign(message, key, pair, domain, selector):
    return subprocess.run(["perl", f"{HERE}/maildkim.pl", "sign", key.path, domain, selector, pair],
                          input=message, capture_output=True, check=True).stdout


class OpenDkim:
    """An opendkim daemon with the given settings at a port of ours, started by `prefix` (words)."""

    def __init__(self, folder, settings, port=None, prefix=()):
        self.address = ("127.0.0.1", port or free_port())
        with open(f"{folder}/opendkim.conf", "w", encoding="ascii") as file:
            file.write(f"Socket inet:{self.address[1]}@127.0.0.1\nBackground no\nSyslog no\n"
                       f"PidFile {folder}/pid\nRequireSafeKeys no\nInternalHosts 127.0.0.1\n"
                       + settings)
        self.process = Process(
            "opendkim", [*prefix, "opendkim", "-f", "-x", f"{folder}/opendkim.conf"],
            f"{folder}/opendkim.log")
        wait_for("opendkim listens", lambda: answers(self.address))

    def _pass_through(self, message):
        with Milter(self.address) as milter:
            milter.greet()
            verdict, changed = milter.message(message)
            assert verdict in (ACCEPT, CONTINUE), verdict
            return changed

    def sign(self, message):
        return self._pass_through(message)

    def accepts(self, message):
        results = self._pass_through(message).partition(b"\r\n\r\n")[0]
        said = re.findall(rb"\bdkim=(\w+)[^;]*", results)
        print("opendkim:", said)
        return said == [b"pass"]

    def stop(self):
        self.process.kill()  # it would take 5 s to see SIGTERM


def opendkim_signing(folder, key, pair, domain, selector, port=None):
    """An OpenDkim that signs with one key."""
    os.makedirs(folder, exist_ok=True)
    return OpenDkim(folder, f"Mode s\nKeyFile {key.path}\nDomain {domain}\nSelector {selector}\n"
                            f"Canonicalization {pair}\nSignatureAlgorithm {key.algorithm}\n", port)
