# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What is masked, and, as important, what is not."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as some

from otelkit.masking import Masker, masker_of, rules

_JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"
_GITHUB = "ghp_" + "a1B2" * 9
_PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nabc=\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    "key",
    [
        *("password", "db.password", "DB_PASSWORD", "userPassword", "dbpassword", "mysql_pwd", "user_password_hash"),
        *("secret", "client_secret", "api_key", "apiKey", "X-Api-Key", "aws.secret_access_key", "private_key_pem"),
        *("token", "access_token", "csrfToken", "http.request.header.authorization", "Set-Cookie", "credentials"),
        *("credit_card", "card.number", "cvv", "jwt", "password2", "http.request.header.cookie"),
    ],
)
def test_secret_keys(key: str) -> None:
    """Whatever stands under them is masked, and the mask says why."""
    masked = Masker().value(key, "hunter2!")
    assert masked.startswith("[masked: ")
    assert Masker().value(key, 12345) == masked
    assert Masker().value(key, ["a-secret", "another"]) == (masked, masked)


@pytest.mark.parametrize(
    "key",
    [
        *("gen_ai.token.type", "gen_ai.usage.input_tokens", "max_tokens", "session.id", "author", "tokenizer", "PWD"),
        *("aws.secretsmanager.secret.arn", "k8s.secret.name", "password_reset_count", "messaging.kafka.message.key"),
        *("cache.key", "code.function.name", "url.full", "http.route", "enduser.id", "secretary", "credit", "key"),
    ],
)
def test_keys_that_only_sound_like_it(key: str) -> None:
    """Conventions' names and everyday words keep their values."""
    assert Masker().value(key, "value-17") == "value-17"


def test_what_says_nothing_stays() -> None:
    """Truth values, None and empty text under a secret key."""
    for value in (True, False, None, "", "true", "false"):
        assert Masker().value("has_password", value) is value


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (f"sent {_JWT} on", "sent [masked: JWT] on"),
        ("key AKIAIOSFODNN7EXAMPLE.", "key [masked: AWS key]."),
        (f"clone with {_GITHUB}", "clone with [masked: GitHub token]"),
        ("sk-proj-abcdefghij0123456789", "[masked: vendor token]"),
        ("xoxb-123456789012-abcdef", "[masked: vendor token]"),
        ("Authorization: Bearer abc123def456", "Authorization: Bearer [masked: authorization]"),
        ("authorization: basic dXNlcjpwYXNz", "authorization: basic [masked: authorization]"),
        ("authorization: basic dXNlcjpwYXNzMQ==", "authorization: basic [masked: authorization]"),
        (f"{_PEM} tail", "[masked: private key] tail"),
        (_PEM[:50], "[masked: private key]"),
        ("host=db password=hunter2 user=x", "host=db password=[masked: assignment] user=x"),
        ("Server=x;Pwd=hunter2;Db=1", "Server=x;Pwd=REDACTED;Db=1"),
        ("{'password': 'hunter2'}", "{'password': '[masked: assignment]'}"),
        ('{"api_key": "x y", "n": 1}', '{"api_key": "[masked: assignment]", "n": 1}'),
        ('token = "cut off', 'token = "[masked: assignment]'),
        ("paid with 4111-1111-1111-1111", "paid with [masked: card number]"),
        ("postgres://shop:p@ss:w@db/shop", "postgres://REDACTED:REDACTED@db/shop"),
        ("https://oauth2@git.example/x", "https://REDACTED@git.example/x"),
        ("http://x/?a=1&access_token=abc&sig=zz#f", "http://x/?a=1&access_token=REDACTED&sig=REDACTED#f"),
        ("s3://b/k?X-Amz-Signature=ab&X-Amz-Date=1", "s3://b/k?X-Amz-Signature=REDACTED&X-Amz-Date=1"),
    ],
)
def test_values(text: str, masked: str) -> None:
    """A secret is found inside any text; the rest of it stays readable."""
    assert Masker().text(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        *("invalid token: unexpected end", "max_tokens=100", "token = self.next()", "Basic information about"),
        *("http://[::1]:80/a@b", "1234-1234-1234-1234", "4111111111111111", "0af7651916cd43dd8448eb211c80319c"),
        *(
            "2026-11-22 16:00:00",
            "123e4567-e89b-12d3-a456-426614174000",
            "mailto:a@b.example",
            "SELECT password FROM u",
        ),
        *("/srv/tokens/list", "bearer of bad news", "eyJ is how they begin", "key=value", "user@host: no such file"),
    ],
)
def test_values_that_only_look_like_it(text: str) -> None:
    """They come back as the very same object."""
    masker = Masker()
    assert masker.text(text) is text
    assert masker.text(text) is text


@given(
    some.lists(some.sampled_from(["password=", "://", "u:p@", "token", '"', "'", ": ", "?sig=", "&", "x1", _JWT, " "]))
)
def test_masking_twice_is_masking_once(parts: list[str]) -> None:
    """What has been masked is left alone, wherever it passes a second time."""
    masked = Masker().text("".join(parts))
    assert Masker().text(masked) == masked


@pytest.mark.parametrize(
    "part", ["eyJ", "-eyJ", "sk-", "password", "token =", "://", "Bearer ", "-----BEGIN ", "?a_", "@"]
)
def test_no_text_takes_long(part: str) -> None:
    """Text made to keep the patterns busy costs no more than its length."""
    text = part * (100_000 // len(part))
    began = time.perf_counter()
    Masker().text(text)
    assert time.perf_counter() - began < 2


def test_lists_are_masked_item_by_item() -> None:
    """A clean one comes back as it is."""
    masker = Masker()
    clean = ["GET", 1, "plain text"]
    assert masker.value("arguments", clean) is clean
    assert masker.value("arguments", ["--user", "password=hunter2"]) == ("--user", "password=[masked: assignment]")


def test_command_lines() -> None:
    """What follows an option that names a secret is one."""
    line = ["mysql", "--user", "ada", "--password", "hunter2", "--db-password=hunter2", "-v", "--token", "--x"]
    assert Masker().value("process.command_args", line) == (
        *("mysql", "--user", "ada", "--password", "[masked: password]", "--db-password=[masked: assignment]", "-v"),
        *("--token", "[masked: token]"),
    )


def test_more_keys_fewer_keys_more_patterns() -> None:
    """The list is extended by names and patterns, and any key can be let through."""
    masker = Masker(["customer.*", "Iban"], ["db.password", "debug.*"], [r"\bEMP-\d{4}\b"])
    assert masker.value("customer.name", "Ada") == "[masked: secret_keys]"
    assert masker.value("iban", "DE1") == "[masked: secret_keys]"
    assert masker.value("db.password", "hunter2") == "hunter2"
    assert masker.value("debug.header", f"Bearer {_JWT}") == f"Bearer {_JWT}"
    assert masker.text("by EMP-1234 today") == "by [masked: pattern] today"


def test_attributes_are_copied_only_if_need_be() -> None:
    """A clean mapping costs no copy, and the original is never touched."""
    masker, attributes = Masker(), {"a": "b", "db.password": "x1"}
    assert masker.attributes({"a": "b"}) is None
    assert masker.attributes(None) is None
    assert masker.attributes(attributes) == {"a": "b", "db.password": "[masked: password]"}
    assert attributes["db.password"] == "x1"


def test_secrets_are_not_remembered() -> None:
    """What is kept to be quick is clean, and bounded."""
    masker = Masker()
    for number in range(10_000):
        masker.value(f"key.{number}", f"password=hunter{number}")
        masker.text(f"harmless text {number}")
    assert len(masker._clean) <= 4_096
    assert len(masker._rules) <= 4_096
    assert not any("hunter" in text for text in masker._clean)


def test_every_rule_is_told() -> None:
    """Names are unique, for the mask shows them."""
    names = [rule.name for rule in rules()]
    assert len(set(names)) == len(names)
    assert all(rule.about for rule in rules())


def test_switched_off() -> None:
    """By one setting."""
    from otelkit.config import load

    assert masker_of(load(file="/dev/null", environ={}, mask_secrets=False)) is None
    settings = load(file="/dev/null", environ={}, secret_keys=["iban"])
    assert masker_of(settings) is masker_of(settings)
