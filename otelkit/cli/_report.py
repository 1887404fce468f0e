# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Findings as text for people and as JSON for programs."""

from __future__ import annotations

import os
import shutil
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, TextIO

from otelkit.cli._checks_configuration import ShownSetting
from otelkit.cli._findings import Finding, Status, worst

__all__ = ("SCHEMA", "as_json", "write_text")

SCHEMA = 1
"""Version of the JSON; goes up when a key is renamed or removed, not when one is added."""

_SYMBOLS = {Status.OK: "✓", Status.NOTE: "·", Status.WARNING: "!", Status.BROKEN: "✗"}
_ASCII = {Status.OK: "+", Status.NOTE: "-", Status.WARNING: "!", Status.BROKEN: "x"}
_COLOURS = {Status.OK: "32", Status.NOTE: "2", Status.WARNING: "33", Status.BROKEN: "31"}
_TRANSLATION = str.maketrans({"→": "->", "…": "...", "·": "-"})


def as_json(findings: Sequence[Finding], settings: Sequence[ShownSetting], version: str) -> dict[str, Any]:
    """Return what ``otelkit doctor --json`` prints."""
    return {
        "schema": SCHEMA,
        "otelkit": version,
        "status": str(worst(findings)),
        "findings": [finding._asdict() for finding in findings],
        "settings": [setting._asdict() for setting in settings],
    }


def write_text(
    out: TextIO, findings: Sequence[Finding], settings: Sequence[ShownSetting], *, verbose: bool = False
) -> None:
    """Write aligned text: symbols and colour as far as ``out`` can show them."""
    page = _Page(out)
    for section, group in groupby(findings, key=lambda finding: finding.section):
        page.heading(section)
        for finding in group:
            page.finding(finding)
        if section == "Configuration":
            page.settings([each for each in settings if verbose or each.source != "default"])
    page.summary(findings)


class _Page:
    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._utf8 = (getattr(out, "encoding", None) or "ascii").lower().replace("-", "") == "utf8"
        # https://no-color.org: present and not empty, whatever its value.
        self._colour = out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self._width = max(60, min(120, shutil.get_terminal_size((100, 24)).columns))

    def heading(self, text: str) -> None:
        self._line(self._paint(text, "1"))

    def finding(self, finding: Finding) -> None:
        symbols = _SYMBOLS if self._utf8 else _ASCII
        first = self._wrap(finding.message, 4)
        self._line(f"  {self._paint(symbols[finding.status], _COLOURS[finding.status])} {next(first)}")
        for line in first:
            self._line(f"    {line}")
        if finding.fix:
            for index, line in enumerate(self._wrap(finding.fix, 9)):
                self._line(f"    {'fix: ' if index == 0 else '     '}{line}")

    def settings(self, settings: Sequence[ShownSetting]) -> None:
        if not settings:
            return
        rows = [(each.name, _value(each), each.source) for each in settings]
        name_width = max(len(row[0]) for row in rows)
        value_width = min(40, max(len(row[1]) for row in rows))
        for name, value, source in rows:
            self._line(f"    {name:<{name_width}}  {value:<{value_width}}  {self._paint(source, '2')}")

    def summary(self, findings: Sequence[Finding]) -> None:
        counts = Counter(finding.status for finding in findings)
        broken, warnings = counts[Status.BROKEN], counts[Status.WARNING]
        said = f"{broken} broken, {_plural(warnings, 'warning')}." if broken or warnings else "Nothing is wrong."
        self._line("")
        self._line(self._paint(said, _COLOURS[worst(findings)] if broken or warnings else "32"))

    def _wrap(self, text: str, indent: int) -> Iterator[str]:
        # Commands and addresses are copied from here: never broken inside a word.
        lines = textwrap.wrap(text, self._width - indent, break_long_words=False, break_on_hyphens=False)
        return iter(lines or [""])

    def _paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text

    def _line(self, text: str) -> None:
        if not self._utf8:
            text = text.translate(_TRANSLATION).encode("ascii", "replace").decode()
        print(text, file=self._out)


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _value(setting: ShownSetting) -> str:
    value = setting.value
    if isinstance(value, (tuple, list)):
        text = ", ".join(map(str, value)) or "none"
    elif isinstance(value, dict):
        text = ", ".join(f"{key}={item}" for key, item in value.items()) or "none"
    else:
        text = "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return f"{text} {setting.unit}".rstrip()
