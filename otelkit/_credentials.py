# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
What credentials look like inside a text.

Each rule asks for literal hints first: most texts have none, and that is all they cost.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from typing import NamedTuple


def mask(rule: str) -> str:
    """Return what stands where a secret stood."""
    return f"[masked: {rule}]"


class Rule(NamedTuple):
    """
    What one kind of secret looks like inside a text.

    Attributes:
        name: What stands in the mask.
        hints: One of them is in every text that the pattern matches; asked first, for it costs next to nothing.
        pattern: Its source.
        about: For the docs.
        words: One of them is in every such text in lower case.
        at_words: Every match begins with one of the words. Looking for them first, and for the pattern only there,
            takes a 4 KB stack trace from 2.9 ms to a few hundredths: `re` tries an alternative that ignores case at
            every character.
        replace: What to put in place of a match; None for the mask.
    """

    name: str
    hints: tuple[str, ...]
    pattern: str
    about: str
    words: tuple[str, ...] = ()
    replace: Callable[[re.Match[str]], str] | None = None
    at_words: bool = False


_NAMES = r"password|passwd|passphrase|pwd|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|credentials?"
_NAME_BEGINNINGS = ("passw", "passph", "pwd", "secret", "token", "api", "access", "private", "credential")
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
            ("passw", "pwd", "secret", "token", "key", "sig", "credential", "jwt"),
            _parameter,
        ),
        Rule(
            "JWT",
            ("eyJ",),
            r"\beyJ[\w-]{8,300}\.[\w-]{8,}(?:\.[\w-]*){1,3}",
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
            r"|sk-(?=[\w-]{0,40}\d)[\w-]{20,}|hf_[A-Za-z0-9]{30,}|npm_[A-Za-z0-9]{36}|pypi-AgE[\w-]{50,}"
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
            _NAME_BEGINNINGS,
            _assignment,
            at_words=True,
        ),
        Rule(
            "card number",
            ("-", " "),
            r"\d(?<![\w-]\d)\d{3}([ -])\d{4}\1\d{4}\1\d{4}(?![\w-])",
            "payment cards in groups of four whose check digit is right; ungrouped digits are ids far more often",
            replace=_card,
        ),
    )


@functools.cache
def _compiled() -> tuple[tuple[Rule, re.Pattern[str]], ...]:
    return tuple(
        (rule, re.compile(rule.pattern, re.I if rule.words or rule.replace is _authorization else re.S))
        for rule in rules()
    )


def _applied(rule: Rule, pattern: re.Pattern[str], text: str) -> str:
    if not _has_one(text, rule.hints):
        return text
    lower = _lower(text) if rule.words else ""
    if rule.words and not _has_one(lower, rule.words):
        return text
    replace = rule.replace or (lambda _: mask(rule.name))
    return (
        _replaced_at(_places(lower, rule.words), pattern, replace, text)
        if rule.at_words
        else pattern.sub(replace, text)
    )


def _lower(text: str) -> str:
    """Return ``text`` in lower case, character by character."""
    lower = text.lower()
    return lower if len(lower) == len(text) else text.translate(_ASCII_LOWER)


_ASCII_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def _places(lower: str, words: Iterable[str]) -> list[int]:
    places = []
    for word in words:
        place = lower.find(word)
        while place >= 0:
            places.append(place)
            place = lower.find(word, place + 1)
    return sorted(places)


def _replaced_at(
    places: Iterable[int], pattern: re.Pattern[str], replace: Callable[[re.Match[str]], str], text: str
) -> str:
    parts, done = [], 0
    for place in places:
        if place >= done and (found := pattern.match(text, place)):
            parts += [text[done:place], replace(found)]
            done = found.end()
    return "".join((*parts, text[done:]))


def _has_one(text: str, hints: tuple[str, ...]) -> bool:
    return any(map(text.__contains__, hints))


@functools.cache
def _rare_hints() -> tuple[str, ...]:
    return tuple(hint for rule in rules() if rule.replace is not _card for hint in rule.hints)


def is_suspicious(text: str) -> bool:
    """Tell whether any rule may match; most texts are none of it, and this is all that they cost."""
    return _has_one(text, _rare_hints()) or text.count(" ") > 2 or text.count("-") > 2


def without_credentials(text: str) -> str:
    """Return ``text`` with everything that a rule finds masked."""
    for rule, pattern in _compiled():
        text = _applied(rule, pattern, text)
    return text
