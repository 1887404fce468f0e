# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Errors of set-up. At run time otelkit raises none of these into user code.

Their own module, so that every room may import them without a loop.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ("ConfigurationError", "DeclarationError", "OtelkitError")


class OtelkitError(Exception):
    """Base of all errors that otelkit raises."""


class _LocatedError(OtelkitError):
    """``Expected <rule>, got <value> - at <where>. <remedy>``"""

    def __init__(self, expected: str, got: object, where: str, remedy: str = "") -> None:
        self.expected = expected
        self.got = got
        self.where = where
        self.remedy = remedy
        shown = got if isinstance(got, str) and got.strip() and got.isprintable() else repr(got)
        text = f"Expected {expected}, got {shown} - at {where}."
        super().__init__(f"{text} {remedy}".rstrip())

    def __reduce__(self) -> tuple[object, ...]:
        # A worker's error reaches the process that started it by pickle; what was got may not be fit for that.
        return type(self), (
            self.expected,
            self.got if isinstance(self.got, str) else repr(self.got),
            self.where,
            self.remedy,
        )


class DeclarationError(_LocatedError, ValueError):
    """A metric, label or decorator was declared wrongly."""


class ConfigurationError(_LocatedError, ValueError):
    """A setting has a wrong value, or no such setting exists."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``Did you mean 'x'?`` for the nearest of ``known``, or an empty string."""
    import difflib  # needed only to explain a mistake

    near = difflib.get_close_matches(word, list(known), n=1)
    return f"Did you mean {near[0]!r}?" if near else ""
