# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
A page of metrics taken apart, so that two can be compared whatever their order and spelling.

prometheus_client's strict parser refuses what the Collector writes of a histogram with negative bounds, and so all of
its page; hence a reader of lines.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import NamedTuple

_LABEL = r'(\w+)="((?:[^"\\]|\\.)*)",?'
_LABELS = rf"\{{((?:{_LABEL.replace('(', '(?:')})*)\}}".replace("(?:?:", "(?:")
_SAMPLE = re.compile(rf"([a-zA-Z_:][\w:]*)(?:{_LABELS})? (\S+)(?: # {_LABELS} (\S+)(?: \S+)?)?")
_ABOUT = re.compile(r"# (HELP|TYPE|UNIT) (\S+) ?(.*)", re.DOTALL)


class Series(NamedTuple):
    """A sample's name and labels."""

    name: str
    labels: frozenset[tuple[str, str]]


class Exemplar(NamedTuple):
    """An exemplar's labels and value."""

    labels: frozenset[tuple[str, str]]
    value: float


@dataclass
class Page:
    """
    What a page says.

    Attributes:
        families: Type and help, as it is escaped, by family name.
        samples: Value by series; labels that are empty do not exist in Prometheus, and not here either.
        exemplars: By series.
    """

    families: dict[str, tuple[str, str]] = field(default_factory=dict)
    samples: dict[Series, float] = field(default_factory=dict)
    exemplars: dict[Series, Exemplar] = field(default_factory=dict)

    def without(self, *beginnings: str) -> Page:
        """Return the page without metrics whose names begin so."""
        return Page(
            {name: about for name, about in self.families.items() if not name.startswith(beginnings)},
            {series: value for series, value in self.samples.items() if not series.name.startswith(beginnings)},
            {series: value for series, value in self.exemplars.items() if not series.name.startswith(beginnings)},
        )

    def beginning(self, *beginnings: str) -> dict[Series, float]:
        """Return the samples whose names begin so."""
        return {series: value for series, value in self.samples.items() if series.name.startswith(beginnings)}


def parse(text: str, *, without_labels: Collection[str] = (), bounds_as_numbers: bool = False) -> Page:
    """
    Take a page apart.

    Args:
        text: Prometheus' text or OpenMetrics.
        without_labels: Left out of all series.
        bounds_as_numbers: Take ``le="1"`` and ``le="1.0"`` for the same.

    A line that is malformed and a series that comes twice are errors.
    """
    page = Page()
    if bounds_as_numbers:
        text = re.sub(r'(?<=[{,]le=")[^"]+', lambda bound: repr(float(bound[0])), text)
    for line in text.removesuffix("\n").split("\n"):
        if line in ("# EOF", ""):
            continue
        if about := _ABOUT.fullmatch(line):
            what, name, said = about.groups()
            kind, help_text = page.families.get(name, ("", ""))
            page.families[name] = (said, help_text) if what == "TYPE" else (kind, said if what == "HELP" else help_text)
            continue
        sample = _SAMPLE.fullmatch(line)
        assert sample, f"no sample: {line}"
        name, labels, value, exemplar_labels, exemplar_value = sample.groups()
        series = Series(name, _pairs(labels or "", without_labels))
        assert series not in page.samples, f"{series} comes twice"
        page.samples[series] = float(value)
        if exemplar_value is not None:
            page.exemplars[series] = Exemplar(_pairs(exemplar_labels), float(exemplar_value))
    return page


def _pairs(labels: str, without: Collection[str] = ()) -> frozenset[tuple[str, str]]:
    return frozenset((name, value) for name, value in re.findall(_LABEL, labels) if value and name not in without)
