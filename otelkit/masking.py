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
from collections.abc import Callable, Iterable, Mapping
from fnmatch import translate
from typing import Any, NamedTuple, Protocol

__all__ = ("Masker", "Rule", "mask", "masker_of", "rules")

_REMEMBERED = 4_096
_REMEMBERED_CHARACTERS = 256
_SHORTEST_SECRET = 8


def mask(rule: str) -> str:
    """Return what stands where a secret stood."""
    return f"[masked: {rule}]"


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


# -- values -------------------------------------------------------------------


class Rule(NamedTuple):
    """
    What one kind of secret looks like inside a text.

    Attributes:
        name: What stands in the mask.
        hints: One of them is in every text that the pattern matches; asked first, for it costs next to nothing.
        pattern: Its source.
        about: For the docs.
        words: One of them is in every such text in lower case.
        replace: What to put in place of a match; None for the mask.
    """

    name: str
    hints: tuple[str, ...]
    pattern: str
    about: str
    words: tuple[str, ...] = ()
    replace: Callable[[re.Match[str]], str] | None = None


_NAMES = r"password|passwd|passphrase|pwd|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|credentials?"
_NAME_WORDS = ("passw", "passph", "pwd", "secret", "token", "key", "credential")
_MASKED = r"(?!\[masked|REDACTED)"


def _user_info(found: re.Match[str]) -> str:
    return "REDACTED:REDACTED@" if found[1] else "REDACTED@"


def _parameter(found: re.Match[str]) -> str:
    return f"{found[1]}REDACTED"


def _authorization(found: re.Match[str]) -> str:
    return f"{found[1]} {mask('authorization')}"


def _assignment(found: re.Match[str]) -> str:
    value = found[3]
    quote = value[0] if value[0] in "\"'" else ""
    closing = quote if len(value) > 1 and value.endswith(quote) else ""
    return f"{found[1]}{found[2]}{quote}{mask('assignment')}{closing}"


def _card(found: re.Match[str]) -> str:
    digits = [int(digit) for digit in found[0] if digit.isdecimal()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return found[0] if (sum(digits[-1::-2]) + sum(doubled)) % 10 else mask("card number")


def rules() -> tuple[Rule, ...]:
    """Return the rules for values, in the order in which they are applied."""
    return (
        Rule(
            "private key",
            ("PRIVATE KEY-----",),
            r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----(?:(?!-----END ).)*"
            r"(?:-----END (?:[A-Z0-9]+ )*PRIVATE KEY-----)?",
            "PEM private keys, whole or cut off",
        ),
        Rule(
            "URL user info",
            ("://",),
            rf"(?<=://){_MASKED}(?![^/@\s:]*:\*{{8}}@)[^/\s?#\"'<>:@]*(:)?[^/\s?#\"'<>]*@",
            "user and password in URLs and connection strings: `postgres://REDACTED:REDACTED@db/shop`, as the "
            "semantic conventions write it",
            replace=_user_info,
        ),
        Rule(
            "URL parameter",
            ("=",),
            rf"([?&;](?:[\w.-]{{0,40}}?(?:token|password|passwd|secret|api[-_]?key|signature|credential)"
            rf"|sig|pwd|awsaccesskeyid|jwt)=){_MASKED}[^&#;\s\"'<>]+",
            "URL parameters that end in token, password, secret, api_key, signature or credential; sig, pwd, jwt and "
            "AWSAccessKeyId",
            (*_NAME_WORDS, "sig", "jwt"),
            _parameter,
        ),
        Rule(
            "JWT",
            ("eyJ",),
            r"\beyJ[\w-]{8,500}\.[\w-]{8,}(?:\.[\w-]*){1,3}",
            "JSON web tokens",
        ),
        Rule("AWS key", ("AKIA", "ASIA"), r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b", "AWS access key ids"),
        Rule(
            "GitHub token",
            ("gh", "github_pat_"),
            r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{22,})",
            "GitHub tokens: `ghp_`, `gho_`, `ghu_`, `ghs_`, `ghr_`, `github_pat_`",
        ),
        Rule(
            "vendor token",
            ("glpat-", "xox", "AIza", "_live_", "_test_", "sk-", "hf_", "npm_", "pypi-", "SG.", "dop_v1_"),
            r"\b(?:glpat-[\w-]{20,}|xox[abeoprs]-[\w-]{10,}|AIza[\w-]{35}|[rs]k_(?:live|test)_\w{16,}"
            r"|sk-(?=[\w-]{0,200}\d)[\w-]{20,}|hf_[A-Za-z0-9]{30,}|npm_[A-Za-z0-9]{36}|pypi-AgE[\w-]{50,}"
            r"|SG\.[\w-]{16,}\.[\w-]{16,}|dop_v1_[0-9a-f]{64})",
            "tokens of GitLab, Slack, Google, Stripe, OpenAI, Anthropic, Hugging Face, npm, PyPI, SendGrid and "
            "DigitalOcean",
        ),
        Rule(
            "authorization",
            ("earer", "EARER", "asic", "ASIC"),
            r"\b(bearer|basic)\s+(?=\S*(?:[\d=]|(?-i:[a-z][A-Z])))[\w.~+/-]{8,}=*",
            "`Bearer …` and `Basic …` with something that is no word behind it",
            replace=_authorization,
        ),
        Rule(
            "assignment",
            ("=", '":', "':"),
            rf"({_NAMES})([\"']?=|[\"']?\s+=\s*(?=[\"'])|[\"']\s*:\s*(?=[\"'])){_MASKED}"
            rf"(\"{_MASKED}[^\"]*\"?|'{_MASKED}[^']*'?|[^\s,;&\"')}}\]>]+)",
            '`password=…` in connection strings and messages, `"token": "…"` in JSON; also passwd, pwd, secret, '
            "api_key, access_key, private_key, credential",
            _NAME_WORDS,
            _assignment,
        ),
        Rule(
            "card number",
            ("-", " "),
            r"(?<![\w-])\d{4}([ -])\d{4}\1\d{4}\1\d{4}(?![\w-])",
            "payment cards in groups of four whose check digit is right; ungrouped digits are ids far more often",
            replace=_card,
        ),
    )


class _Compiled(NamedTuple):
    hints: tuple[str, ...]
    words: tuple[str, ...]
    pattern: re.Pattern[str]
    replace: str | Callable[[re.Match[str]], str]


@functools.cache
def _compiled() -> tuple[_Compiled, ...]:
    return tuple(
        _Compiled(
            rule.hints,
            rule.words,
            re.compile(rule.pattern, re.I if rule.words or rule.replace is _authorization else re.S),
            rule.replace or mask(rule.name),
        )
        for rule in rules()
    )


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

        Truth values, None and empty text say nothing and stay. Lists are masked item by item.
        """
        rule = self._rule_of(key)
        if rule is _ALLOWED:
            return value
        if isinstance(value, (list, tuple)):
            items = tuple(self._item(rule, item) for item in value)
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
        if self._patterns or _is_suspicious(text):
            masked = self._masked(text)
            if masked != text:
                return masked
        if len(text) <= _REMEMBERED_CHARACTERS:
            if len(self._clean) >= _REMEMBERED:
                self._clean = set()
            self._clean.add(text)
        return text

    def _masked(self, text: str) -> str:
        masked, lower = text, ""
        for hints, words, pattern, replace in _compiled():
            if not _has_one(masked, hints):
                continue
            if words:
                lower = lower or text.lower()
                if not _has_one(lower, words):
                    continue
            masked = pattern.sub(replace, masked)
        for pattern in self._patterns:
            masked = pattern.sub(mask("pattern"), masked)
        return masked

    def _item(self, rule: str | None, value: Any) -> Any:
        if rule is None:
            return self.text(value) if isinstance(value, str) else value
        if value is None or isinstance(value, bool) or value in ("", "true", "false"):
            return value
        return mask(rule)

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


def _has_one(text: str, hints: tuple[str, ...]) -> bool:
    return any(map(text.__contains__, hints))


@functools.cache
def _rare_hints() -> tuple[str, ...]:
    return tuple(hint for rule in rules() if rule.replace is not _card for hint in rule.hints)


def _is_suspicious(text: str) -> bool:
    """Tell whether any rule may match; most texts are none of it, and this is all that they cost."""
    return _has_one(text, _rare_hints()) or text.count(" ") > 2 or text.count("-") > 2


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
