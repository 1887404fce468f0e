# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The filter bar's language: ``service:checkout error.type:* duration>1s -tier=internal "a text"``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal

from otelkit.viewer.api.problems import Invalid

Operator = Literal["is", ">", "<", ">=", "<=", "has"]

_TERM = re.compile(
    r"""(?P<not>-?)(?:(?P<key>[^\s:=<>"]+)(?P<op>:|=|>=|<=|>|<))?(?:"(?P<quoted>[^"]*)"|(?P<value>[^\s"]*))(?=\s|$)"""
)
_LENGTH = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|min|m|h)?")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "m": 60.0, "h": 3_600.0, None: 1.0}

DURATION = "duration"


@dataclass(frozen=True, slots=True)
class Term:
    """
    One condition.

    Attributes:
        text: As it was written.
        key: Label or attribute; empty for a bare word, which is looked for in names.
        value: May hold ``*``; a duration is in seconds.
        negative: It must not hold.
    """

    text: str
    key: str
    operator: Operator
    value: str
    negative: bool

    @property
    def seconds(self) -> float:
        """The value of a duration."""
        return float(self.value)

    def accepts(self, value: object) -> bool:
        """Tell whether a value that is there fulfils it."""
        return self._compare(as_text(value)) is not self.negative

    def _compare(self, text: str) -> bool:
        if self.operator == "is":
            return fnmatchcase(text, self.value) if "*" in self.value else text == self.value
        if self.operator == "has":
            return self.value.lower() in text.lower()
        try:
            left, right = float(text), float(self.value)
        except ValueError:
            return False
        return {"<": left < right, ">": left > right, "<=": left <= right, ">=": left >= right}[self.operator]


def parse(text: str) -> tuple[Term, ...]:
    """Return the terms of a filter; a mistake raises `Invalid`."""
    terms: list[Term] = []
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        match = _TERM.match(text, position)
        if match is None or match.end() == position:
            raise Invalid(
                f"Expected a term like service:checkout, got {text[position : position + 40]!r} - at q.",
                'Put a value with spaces in quotes: name:"GET /".',
            )
        terms.append(_term(match))
        position = match.end()
    return tuple(terms)


def _term(match: re.Match[str]) -> Term:
    key, sign = match["key"] or "", match["op"]
    value = match["quoted"] if match["quoted"] is not None else match["value"]
    operator: Operator = "has" if sign is None else "is" if sign in ":=" else sign  # type: ignore[assignment]
    if key == DURATION:
        length = _LENGTH.fullmatch(value)
        if length is None or operator == "is":
            raise Invalid(f"Expected duration>1s or duration<200ms, got {match[0]!r} - at q.")
        value = str(float(length[1]) * _SECONDS[length[2]])
    return Term(match[0], key, operator, value, bool(match["not"]))


def as_text(value: object) -> str:
    """Return a value as it is written in a filter."""
    return str(value).lower() if isinstance(value, bool) else str(value)


SERVICE_KEYS = ("service", "service.name")


def look_up(key: str, attributes: Mapping[str, Any], resource: Mapping[str, Any]) -> object | None:
    """Return the value of a label or, failing that, of an attribute of the resource; None if there is none."""
    for each in SERVICE_KEYS if key in SERVICE_KEYS else (key,):
        if each in attributes:
            return attributes[each]
        if each in resource:
            return resource[each]
    return None


def holds(terms: Iterable[Term], attributes: Mapping[str, Any], resource: Mapping[str, Any]) -> bool:
    """Tell whether all terms hold for a label set; what is not there fulfils only what is negative."""
    for term in terms:
        value = look_up(term.key, attributes, resource)
        if value is None:
            if not term.negative:
                return False
        elif not term.accepts(value):
            return False
    return True
