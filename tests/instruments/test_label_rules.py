# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What configuration does to labels: drop, rename, hash, mask, limit; and that the culprit is named."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable

import pytest

import otelkit
from otelkit._core._guard import guard
from otelkit._core._labels import hashed
from otelkit.config import load
from otelkit.exceptions import ConfigurationError
from otelkit.instruments.counter import Counter, counter
from otelkit.instruments.gauge import gauge
from otelkit.instruments.registry import Registry
from otelkit.testing import capture

Rules = Callable[..., Registry]


def registry(**arguments: object) -> Registry:
    """Return an empty registry under these settings."""
    made = Registry()
    made.apply(load(file="/dev/null", environ={}, **arguments))
    return made


def series(of: Registry, name: str) -> dict[tuple[tuple[str, str], ...], float]:
    """Return the values of a counter by label set; one that appears twice fails the test."""
    points = [point for metric, points in of.snapshot() if metric.name == name for point in points]
    found = {tuple(sorted(point.attributes.items())): point.value for point in points}
    assert len(found) == len(points)
    return found


def test_hashed_labels_are_few() -> None:
    """A million users make 64 series, and all of them are counted."""
    under = registry(metrics={"t.calls": {"hash_labels": ["user_id"]}})
    calls = counter("t.calls", labels=["user_id", "tier"], registry=under)
    for number in range(5_000):
        calls.increment(user_id=number, tier="free")
    found = series(under, "t.calls")
    assert len(found) == 64
    assert sum(found.values()) == 5_000
    assert min(found.values()) > 30
    assert {dict(labels)["tier"] for labels in found} == {"free"}


def test_hashes_are_the_same_everywhere() -> None:
    """In this process, in another one, and in the next release."""
    assert [hashed(text, 64) for text in ("1", "42", "ada")] == ["#36", "#3a", "#27"]
    program = "from otelkit._core._labels import hashed; print(hashed('ada', 64), hashed('', 64), hashed('x', 300))"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert said.stdout.rstrip("\n") == f"#27  {hashed('x', 300)}"
    assert len(hashed("x", 300)) == 4
    assert hashed("x", 1) == "#0"


def test_hash_buckets_and_new_name() -> None:
    """Their number is configurable, and a hashed label may be renamed as well."""
    rule = {"hash_labels": ["user"], "hash_buckets": 4, "rename_labels": {"user": "user_bucket"}}
    under = registry(metrics={"t.calls": rule})
    calls = counter("t.calls", labels=["user"], registry=under)
    for number in range(100):
        calls.increment(user=number)
    assert set(series(under, "t.calls")) == {(("user_bucket", f"#{bucket}"),) for bucket in range(4)}


@pytest.mark.parametrize(
    ("rule", "match"),
    [
        ({"hash_labels": ["a"], "drop_labels": ["a"]}, "either dropped or hashed"),
        ({"hash_labels": ["a"], "hash_buckets": 0}, "hash_buckets"),
        ({"hash_label": ["a"]}, "hash_labels"),
    ],
)
def test_wrong_rules(rule: dict[str, object], match: str) -> None:
    """They are mistakes at start."""
    with pytest.raises(ConfigurationError, match=match):
        load(file="/dev/null", environ={}, metrics={"t": rule})


@pytest.mark.parametrize("pattern", ["(", "a*"])
def test_wrong_patterns(pattern: str) -> None:
    """So are patterns that do not compile or match everywhere."""
    with pytest.raises(ConfigurationError, match="secret_patterns"):
        load(file="/dev/null", environ={}, secret_patterns=[pattern])


def bound(calls: Counter, **labels: object) -> None:
    """Increment through a handle."""
    calls.labels(**labels).increment()


@pytest.mark.parametrize("increment", [Counter.increment, bound], ids=["by name", "bound"])
def test_labels_are_masked(increment: Callable[..., None]) -> None:
    """By key and by value; different secrets are one series, and what is allowed passes."""
    under = registry(secret_keys=["customer"], secret_keys_allowed=["public_token"])
    calls = counter("t.calls", labels=["api_key", "customer", "url", "public_token"], registry=under)
    for secret in ("k-1", "k-2"):
        url = f"https://u:{secret}@host/x"
        increment(calls, api_key=secret, customer=f"c{secret}", url=url, public_token="p")
    assert series(under, "t.calls") == {
        (
            ("api_key", "[masked: api key]"),
            ("customer", "[masked: secret_keys]"),
            ("public_token", "p"),
            ("url", "https://REDACTED:REDACTED@host/x"),
        ): 2
    }


def test_secrets_are_no_keys_in_memory() -> None:
    """What was masked, hashed or dropped is not kept to be found more quickly."""
    under = registry(metrics={"t.*": {"hash_labels": ["user"], "drop_labels": ["id"]}})
    calls = counter("t.calls", labels=["token", "user", "id"], registry=under)
    calls.increment(token="hunter2", user="ada", id="17")
    assert list(calls._family.cells) == [("[masked: token]", "#27", "")]


def test_masking_can_be_switched_off() -> None:
    """Then labels are what they are."""
    under = registry(mask_secrets=False)
    counter("t.calls", labels=["token"], registry=under).increment(token="hunter2")
    assert set(series(under, "t.calls")) == {(("token", "hunter2"),)}


def test_late_configuration_masks_what_is_there() -> None:
    """A handle that was bound before the configuration came shows nothing of what that calls secret."""
    under = registry()
    handle = counter("t.calls", labels=["iban"], registry=under).labels(iban="DE1")
    handle.increment()
    under.apply(load(file="/dev/null", environ={}, secret_keys=["iban"]))
    handle.increment()
    assert series(under, "t.calls") == {(("iban", "[masked: secret_keys]"),): 2}


def test_callbacks_obey_the_rules() -> None:
    """What a gauge's callback returns is hashed, renamed, masked and switched off like anything else."""
    rule = {"hash_labels": ["user"], "hash_buckets": 1, "rename_labels": {"user": "bucket"}}
    under = registry(metrics={"t.pool": rule, "t.off": {"enabled": False}})
    gauge("t.pool", labels=["user", "token"], callback=lambda: {("a", "x1"): 1, ("b", "x2"): 2}, registry=under)
    gauge("t.off", callback=lambda: 1 / 0, registry=under)
    assert series(under, "t.pool") == {(("bucket", "#0"), ("token", "[masked: token]")): 2}
    assert series(under, "t.off") == {}


def test_the_exploding_label_is_named(caplog: pytest.LogCaptureFixture) -> None:
    """In the log once, by `explosion`, and in otelkit.overflowed."""
    under = registry(cardinality_limit=50)
    calls = counter("t.exploding", labels=["tier", "user_id"], registry=under)
    with caplog.at_level(logging.WARNING, "otelkit"):
        for number in range(80):
            calls.increment(tier="free" if number % 2 else "paid", user_id=f"u{number}")
    (record,) = [record for record in caplog.records if "t.exploding" in record.getMessage()]
    assert "'user_id': 50 values, such as 'u" in record.getMessage()
    explosion = calls._family.explosion()
    assert explosion is not None
    assert explosion[:2] == ("user_id", 50)
    key = ("overflowed", (("otelkit.metric", "t.exploding"), ("otelkit.label", "user_id")))
    assert {(what, labels): count for what, labels, count in guard.tallies()}[key] == 30


def test_decorated_functions() -> None:
    """Labels from arguments and those given late go the same way."""

    @otelkit.metered(name="t.rules.early", labels=["api_key"])
    def early(api_key: str) -> None: ...

    @otelkit.metered(name="t.rules.late", labels=["session_token"])
    def late() -> None:
        otelkit.add_label("session_token", "hunter2")

    with capture() as telemetry:
        for _ in range(3):
            early("hunter1")
            early("hunter2")
            late()
        assert telemetry.value("t.rules.early.calls", api_key="[masked: api key]") == 6
        assert telemetry.value("t.rules.late.calls", session_token="[masked: token]") == 3
        assert "hunter" not in repr(telemetry.snapshot())
