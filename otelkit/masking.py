# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Credentials are taken out of whatever otelkit gives out: labels, span attributes, events, statuses and log lines.

By key, whatever the value; and by what a value looks like, wherever it stands.
The rules prefer few false alarms: an id, a path or a hash alone is no secret.
docs/secrets.md lists them. Standard library only; the patterns are compiled
when first needed.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import translate
from typing import Any, Protocol

from otelkit._credentials import Rule, is_suspicious, mask, rules, without_credentials

__all__ = ("Masker", "Rule", "mask", "masker_of", "rules")

_REMEMBERED = 4_096
_REMEMBERED_CHARACTERS = 256
_SHORTEST_SECRET = 8


# -- keys ---------------------------------------------------------------------

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_LAST_WORDS = frozenset(
    {
        *("password", "passwords", "passwd", "passphrase", "secret", "secrets", "token", "credential", "credentials"),
        *("authorization", "cookie", "cookies", "bearer", "csrf", "xsrf", "jwt", "otp", "cvv", "cvc", "ssn"),
    }
)
_LAST_PAIRS = frozenset(
    {
        *("api key", "api keys", "access key", "access keys", "private key", "secret key", "signing key"),
        *("encryption key", "session key", "account key", "shared key", "authorization code"),
        *("card number", "credit card", "social security"),
    }
)
_ENDINGS = ("password", "passwd", "passphrase", "secret", "apikey", "accesskey", "privatekey", "authtoken")
_TAILS = frozenset({"value", "hash", "digest", "pem", "text", "plain", "old", "new", "raw", "base64"})


def _secret_word(key: str) -> str | None:
    """Return what makes ``key`` the name of a secret: its last word or two, ``db.password`` but not ``token.type``."""
    words = [word.lower() for word in _WORD.findall(key)]
    while words and (words[-1] in _TAILS or words[-1].isdecimal()):
        words.pop()
    if not words:
        return None
    last, pair = words[-1], " ".join(words[-2:])
    if last in _LAST_WORDS or last.endswith(_ENDINGS):
        return last
    if last == "pwd" and len(words) > 1:  # alone it is the working directory
        return last
    return pair if pair in _LAST_PAIRS else None


# -- both ---------------------------------------------------------------------

_ALLOWED = ""


class Masker:
    """
    Masks what looks like a credential.

    Args:
        keys: Further keys whose values are secret: names or patterns (``customer.*``), case is ignored.
        allowed: Keys whose values are never touched, likewise; they win.
        patterns: Further regular expressions for secrets inside values.

    Thread-safe. Cost: a few microseconds for a clean value, a tenth of that for one seen before; keys and short
    clean values are remembered, up to 4,096 each. Secrets are not.
    """

    def __init__(self, keys: Iterable[str] = (), allowed: Iterable[str] = (), patterns: Iterable[str] = ()) -> None:
        self._keys = _any_of(keys)
        self._allowed = _any_of(allowed)
        self._patterns = tuple(re.compile(pattern) for pattern in patterns)
        self._rules: dict[str, str | None] = {}
        self._clean: set[str] = set()

    def value(self, key: str, value: Any) -> Any:
        """
        Return ``value`` as it may be shown under ``key``; the very same object if there is nothing to mask.

        Truth values, None and empty text say nothing and stay. Lists are masked item by item; in those of a command
        line, what follows ``--password``.
        """
        rule = self._rule_of(key)
        if rule is _ALLOWED:
            return value
        if isinstance(value, (list, tuple)):
            items = tuple(self._item(rule or self._rule_of_option(value, at), item) for at, item in enumerate(value))
            return value if all(map(_same, items, value)) else items
        return self._item(rule, value)

    def label(self, name: str, text: str) -> str:
        """Return a metric label's value as it may be shown."""
        return self.value(name, text)

    def attributes(self, attributes: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """Return a masked copy; None if there is nothing to mask."""
        masked: dict[str, Any] | None = None
        for key, value in (attributes or {}).items():
            shown = self.value(key, value)
            if shown is not value:
                masked = masked if masked is not None else dict(attributes or {})
                masked[key] = shown
        return masked

    def text(self, text: str) -> str:
        """Return free text, such as an exception's message, without the secrets in it."""
        if len(text) < _SHORTEST_SECRET or text in self._clean:
            return text
        if self._patterns or is_suspicious(text):
            masked = self._masked(text)
            if masked != text:
                return masked
        if len(text) <= _REMEMBERED_CHARACTERS:
            if len(self._clean) >= _REMEMBERED:
                self._clean = set()
            self._clean.add(text)
        return text

    def _masked(self, text: str) -> str:
        text = without_credentials(text)
        for pattern in self._patterns:
            text = pattern.sub(mask("pattern"), text)
        return text

    def _item(self, rule: str | None, value: Any) -> Any:
        if rule is None:
            return self.text(value) if isinstance(value, str) else value
        if value is None or isinstance(value, bool) or value in ("", "true", "false"):
            return value
        return mask(rule)

    def _rule_of_option(self, items: Sequence[Any], at: int) -> str | None:
        option = items[at - 1] if at else None
        if not isinstance(option, str) or not option.startswith("-") or "=" in option:
            return None
        return self._rule_of(option.lstrip("-")) or None

    def _rule_of(self, key: str) -> str | None:
        try:
            return self._rules[key]
        except KeyError:
            rule = self._find_rule(key)
            if len(self._rules) >= _REMEMBERED:
                self._rules = {}
            self._rules[key] = rule
            return rule

    def _find_rule(self, key: str) -> str | None:
        if self._allowed is not None and self._allowed.match(key):
            return _ALLOWED
        if self._keys is not None and self._keys.match(key):
            return "secret_keys"
        return _secret_word(key)


def _same(one: object, other: object) -> bool:
    return one is other


def _any_of(names: Iterable[str]) -> re.Pattern[str] | None:
    sources = [translate(name) for name in names]
    return re.compile("|".join(sources), re.I) if sources else None


class SecretSettings(Protocol):
    """What is configured of masking; `otelkit.config.Settings` has it."""

    @property
    def mask_secrets(self) -> bool: ...
    @property
    def secret_keys(self) -> tuple[str, ...]: ...
    @property
    def secret_keys_allowed(self) -> tuple[str, ...]: ...
    @property
    def secret_patterns(self) -> tuple[str, ...]: ...


def masker_of(settings: SecretSettings) -> Masker | None:
    """Return the masker of these settings, the same for equal ones; None if masking is off."""
    if not settings.mask_secrets:
        return None
    return _masker(settings.secret_keys, settings.secret_keys_allowed, settings.secret_patterns)


_masker = functools.lru_cache(maxsize=64)(Masker)
