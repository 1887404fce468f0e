# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
OpenTelemetry names to Prometheus names, as the Collector translates them.

The rules are those of prometheus/otlptranslator (metric_namer.go, unit_namer.go,
label_namer.go at 51da773) with the strategy UnderscoreEscapingWithSuffixes, so
that a dashboard works whether a metric came by scrape or through a Collector.
"""

from __future__ import annotations

import re
from functools import lru_cache

from otelkit._core._snapshot import Kind, Metric

UNITS = {
    "d": "days",
    "h": "hours",
    "min": "minutes",
    "s": "seconds",
    "ms": "milliseconds",
    "us": "microseconds",
    "ns": "nanoseconds",
    "By": "bytes",
    "KiBy": "kibibytes",
    "MiBy": "mebibytes",
    "GiBy": "gibibytes",
    "TiBy": "tibibytes",
    "KBy": "kilobytes",
    "MBy": "megabytes",
    "GBy": "gigabytes",
    "TBy": "terabytes",
    "m": "meters",
    "V": "volts",
    "A": "amperes",
    "J": "joules",
    "W": "watts",
    "g": "grams",
    "Cel": "celsius",
    "Hz": "hertz",
    "1": "",
    "%": "percent",
}
PER_UNITS = {"s": "second", "m": "minute", "h": "hour", "d": "day", "w": "week", "mo": "month", "y": "year"}

_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9:]+")
_NOT_IN_LABELS = re.compile(r"[^a-zA-Z0-9_]")


def _words(unit: str) -> tuple[str, str]:
    """Return ``meters`` and ``per_second`` for ``m/s``; a part in ``{}`` is an annotation and falls away."""
    main, _, per = (part.strip() for part in unit.partition("/"))
    main = "" if {"{", "}"} & set(main) else UNITS.get(main, main)
    per = "" if {"{", "}"} & set(per) else PER_UNITS.get(per, per)
    return _clean(main), _clean(f"per_{per}") if per else ""


def _clean(word: str) -> str:
    return _NOT_IN_NAMES.sub("_", word).removeprefix("_")


def _with_unit(words: list[str], unit: str) -> list[str]:
    """Append the words of ``unit`` that are not there yet (addUnitTokens of metric_namer.go)."""
    main, per = _words(unit)
    main = "" if main in words else main
    per = "" if per == "per_" else per.removesuffix("_")
    per = "" if per in words else per
    main = main.removesuffix("_") if per else main
    return words + [word for word in (main, per) if word]


@lru_cache(maxsize=8_192)
def metric_name(metric: Metric) -> str:
    """
    Return the Prometheus name of ``metric``, ``_total`` and unit included.

    Errors: ValueError if nothing of the name can be kept.
    """
    words = [word for word in _NOT_IN_NAMES.split(metric.name) if word]
    words = _with_unit(words, metric.unit)
    if metric.kind is Kind.COUNTER:
        words = [word for word in words if word != "total"] + ["total"]
    # For gauges only: receivers have long given counts of objects the unit 1 (metric_namer.go says which).
    if metric.unit == "1" and metric.kind is Kind.GAUGE:
        words = [word for word in words if word != "ratio"] + ["ratio"]
    name = "_".join(words)
    if not name.strip("_"):
        raise ValueError(f"no Prometheus name can be made of {metric.name!r}")
    return f"_{name}" if name[0].isdigit() else name


@lru_cache(maxsize=8_192)
def unit_name(metric: Metric) -> str:
    """Return the unit for ``# UNIT``, or an empty string: ``seconds``, ``bytes_per_second``, ``ratio``."""
    if metric.unit == "1" and metric.kind is Kind.GAUGE:
        return "ratio"
    return "_".join(part for part in _words(metric.unit) if part).strip("_")


@lru_cache(maxsize=8_192)
def label_name(key: str) -> str:
    """
    Return the Prometheus label for an attribute key.

    Underscores in a row stay, although the specification would have them
    collapsed: the Collector 0.159 and Prometheus 3.14 keep them by default
    (PreserveMultipleUnderscores of label_namer.go).

    Errors: ValueError if nothing of the key can be kept.
    """
    name = _NOT_IN_LABELS.sub("_", key)
    if not name.strip("_"):
        raise ValueError(f"no Prometheus label can be made of {key!r}")
    return f"key_{name}" if name[0].isdigit() else name
