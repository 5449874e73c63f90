# SPDX-License-Identifier: Apache-2.0
"""A command killed in the middle of a write leaves all of the change or nothing of it."""

import random
import signal
import subprocess
import time

from inkan import BUILD

TRIES = 40


def command(inkan, name):
    return [f"{BUILD}/inkan", "-c", inkan.conf, "domain", "add", name, "--tenant", "acme",
            "--algorithm", "ed25519-sha256,rsa-sha256", "--bits", "1024", "--activate"]


def duration(inkan):
    start = time.monotonic()
    subprocess.run(command(inkan, "warm.example"), check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - start


def test_killed_at_any_point_a_domain_is_whole_or_not_there(new_inkan):
    inkan = new_inkan()
    inkan.set_up("acme")
    chance = random.Random(6376)
    longest = 1.5 * duration(inkan)
    for number in range(TRIES):
        process = subprocess.Popen(command(inkan, f"d{number}.example"),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(chance.random() * longest)  # the point is to hit it anywhere
        process.send_signal(signal.SIGKILL)
        process.wait()
    events = {(event["action"], event["name"])
              for event in inkan.json("audit", "list", "--limit", "100000")}
    domains = {domain["name"] for domain in inkan.json("domain", "list")}
    keys = inkan.json("key", "list")
    for name in domains:
        assert ("domain.add", name) in events
        states = {key["algorithm"]: key["state"] for key in keys if key["domain"] == name}
        assert states == {"rsa-sha256": "active", "ed25519-sha256": "active"}, name
    for key in keys:
        assert ("key.add", f"{key['domain']} {key['selector']}") in events
    assert {key["domain"] for key in keys} <= domains
    assert inkan.run("store", "check").returncode == 0
    assert inkan.run("audit", "verify").returncode == 0
