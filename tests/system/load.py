# SPDX-License-Identifier: Apache-2.0
"""A steady load of signing over many domains, one after the other, while something fails.

Each sender is one SMTP client with a connection it keeps, as an MTA does. Warm senders go round
and round over domains that they had signed on this connection before the load began. Cold
senders never ask for a domain twice until the end, when what was deferred is sent again, as an
MTA would."""

import itertools
import threading
import time
from collections import namedtuple

import messages
import peers
from milter import CONTINUE, REPLY_CODE, Closed, Milter
from process import wait_for

# result: signed, unsigned, deferred or none (no answer). Times are of time.monotonic().
Result = namedtuple("Result", "domain warm sent took result message")

NORMAL_WITHIN = 5.0  # seconds after a fault
SAMPLE = 7  # one message in so many is verified with another implementation


class Sender(threading.Thread):
    def __init__(self, load, address, domains, warm, period):
        super().__init__(daemon=True)
        self.load = load
        self.address = address
        self.elsewhere = address  # where to go when nobody answers there
        self.domains = domains
        self.warm = warm
        self.period = period
        self.results = []
        self._milter = None

    def run(self):
        due = time.monotonic()
        for domain in self.domains:
            due = max(due + self.period, time.monotonic())
            if self.load.ended.wait(max(0, due - time.monotonic())):
                break
            self.send(domain)
        self.hang_up()

    def send(self, domain):
        sent = time.monotonic()
        try:
            result, message = self._send(domain)
        except (OSError, Closed, AssertionError) as problem:
            result, message = "none", repr(problem)
            self.hang_up()
        self.results.append(
            Result(domain, self.warm, sent, time.monotonic() - sent, result, message))
        return result

    def _send(self, domain):
        if self._milter is None:
            try:
                self._milter = Milter(self.address)
            except ConnectionRefusedError:
                self.address = self.elsewhere
                self._milter = Milter(self.address)
            self._milter.greet()
        verdict, message = self._milter.message(
            messages.compose(b"sender@" + domain.encode()), queue_id=domain.split(".")[0].upper())
        if verdict == REPLY_CODE and self._milter.reply.startswith(b"4"):
            return "deferred", None
        assert verdict == CONTINUE, (verdict, self._milter.reply)
        return ("signed" if peers.signatures_of(message) else "unsigned"), message

    def hang_up(self):
        if self._milter is not None:
            self._milter.close()
            self._milter = None


class Load:
    """addresses: of one or several daemons; records: {name: TXT value}. Every warm sender has its
    part of the warm domains signed before this returns; the load begins with start()."""

    def __init__(self, addresses, warm, cold, records, warm_rate=100, cold_rate=30, senders=4,
                 patience=1, elsewhere=None):
        self.records = records
        self.ended = threading.Event()
        self.patience = patience
        self.fault = self.mended = None
        self._cold = itertools.chain(cold, self._exhausted())
        self._lock = threading.Lock()
        self._warm_senders, self._cold_senders = [], []
        for number, address in zip(range(senders), itertools.cycle(addresses)):
            part = warm[number::senders]
            self._warm_senders.append(
                Sender(self, address, itertools.cycle(part), True, senders / warm_rate))
            self._warm_senders[-1].part = part
        for _, address in zip(range(2 * senders), itertools.cycle(addresses)):
            self._cold_senders.append(
                Sender(self, address, self._next_cold(), False, 2 * senders / cold_rate))
        for sender in self.senders:
            sender.elsewhere = elsewhere or sender.address
        self._warm_up()

    @staticmethod
    def _exhausted():
        raise AssertionError("the load ran out of cold domains")
        yield  # a generator

    def _next_cold(self):
        while True:
            with self._lock:
                domain = next(self._cold)
            yield domain

    def _warm_up(self):
        """Each warm sender once over its domains."""
        def once(sender):
            for domain in sender.part:
                assert sender.send(domain) == "signed", sender.results[-1]
            sender.results.clear()
        threads = [threading.Thread(target=once, args=(sender,)) for sender in self._warm_senders]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not any(sender.results for sender in self._warm_senders), "not all was signed warm"

    @property
    def senders(self):
        return self._warm_senders + self._cold_senders

    def results(self):
        return sorted((r for sender in self.senders for r in list(sender.results)),
                      key=lambda r: r.sent)

    def start(self):
        for sender in self.senders:
            sender.start()
        self.wait_steady(0)
        return self

    def wait_steady(self, since):
        """Waits until the newest messages of both sorts, sent after `since`, are all signed."""
        def steady():
            for warm, count in ((True, 30), (False, 16)):
                results = [r.result for r in self.results() if r.warm == warm and r.sent > since]
                if len(results) < count or set(results[-count:]) != {"signed"}:
                    return False
            return True
        wait_for("all is signed again", steady, 4 * NORMAL_WITHIN)

    def fault_begins(self):
        self.fault = time.monotonic()

    def fault_ends(self):
        """The fault is over: waits until all is normal, and ends the load."""
        self.mended = time.monotonic()
        self.wait_steady(self.mended)
        self.stop()

    def stop(self):
        """Ends the load, and sends again what was deferred, as the MTA would."""
        self.ended.set()
        for sender in self.senders:
            sender.join(30)
            assert not sender.is_alive(), "a message hangs"
        self.first_tries = self.results()
        again = self._cold_senders[0]
        for domain in [r.domain for r in self.first_tries if r.result == "deferred"]:
            assert again.send(domain) == "signed", f"{domain} stays deferred after the fault"
        again.hang_up()

    # -- what must hold ---------------------------------------------------------------------

    def check(self, timeout, warm_wait=False):
        """What the project promises, whatever failed. warm_wait: entries are past their time, so
        that the store is asked first. Returns the cold messages of the fault."""
        tries = self.first_tries
        during = [r for r in tries if self.fault <= r.sent < self.mended]
        print(self.summary())
        assert [r for r in tries if r.result == "none"] == [], "messages without an answer"
        assert [r for r in tries if r.result == "unsigned"] == [], "messages passed on unsigned"
        self.check_signatures()
        assert [r for r in tries if r.warm and r.result != "signed"] == [], "warm domains"
        late = timeout + 0.5 * self.patience
        assert [r for r in tries if r.took > late] == [], f"answers later than {late} s"
        if not warm_wait:
            assert [r for r in tries if r.warm and r.took > timeout] == [], "warm domains waited"
        assert [r for r in tries if r.result != "signed" and r.sent > self.mended + NORMAL_WITHIN
                ] == [], "not normal again"
        assert any(r.warm for r in during), "no warm message was sent during the fault"
        cold = [r for r in during if not r.warm]
        assert cold, "no cold message was sent during the fault"
        return cold

    def check_signatures(self):
        """Each by its own domain, and a sample of each sort with another implementation."""
        signed = [r for r in self.results() if r.result == "signed"]
        for r in signed:
            (tags,) = peers.signatures_of(r.message)
            assert tags["d"] == r.domain, (r.domain, tags)
            assert f"{tags['s']}._domainkey.{r.domain}" in self.records, (r.domain, tags)
        for warm in (True, False):
            sample = [r for r in signed if r.warm == warm][::SAMPLE]
            assert sample, "nothing to verify"
            for r in sample:
                verdicts = peers.python_dkim(r.message, self.records)
                assert [passed for _, passed in verdicts] == [True], r.domain

    def summary(self):
        lines = []
        for name, first, last in (("before", 0, self.fault), ("fault", self.fault, self.mended),
                                  ("after", self.mended, float("inf"))):
            for warm in (True, False):
                part = [r for r in self.first_tries if r.warm == warm and first <= r.sent < last]
                counts = {result: sum(r.result == result for r in part)
                          for result in ("signed", "deferred", "unsigned", "none")}
                slowest = max((r.took for r in part), default=0)
                lines.append(f"{name:6} {'warm' if warm else 'cold'}: {len(part):4} messages, "
                             f"{counts}, slowest {slowest:.3f} s")
        bad = [r.sent for r in self.first_tries if r.result != "signed" and r.sent > self.mended]
        lines.append(f"normal {max(bad) - self.mended if bad else 0:.2f} s after the fault; "
                     f"the fault took {self.mended - self.fault:.1f} s")
        return "\n".join(lines)
