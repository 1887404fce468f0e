# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The same on Prometheus: names as a Collector gives them, and expressions to copy."""

from __future__ import annotations

import re

from otelkit.viewer.api.calls import Calls
from otelkit.viewer.api.families import Family

_UNITS = {
    "s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds", "min": "minutes", "h": "hours",
    "d": "days", "By": "bytes", "KiBy": "kibibytes", "MiBy": "mebibytes", "GiBy": "gibibytes", "Cel": "celsius",
    "W": "watts", "J": "joules", "V": "volts", "A": "amperes", "Hz": "hertz", "%": "percent", "m": "meters",
    "g": "grams",
}  # fmt: skip
_PER = {"s": "second", "m": "minute", "min": "minute", "h": "hour", "d": "day"}


def name_of(metric: str, kind: str, unit: str, monotonic: bool) -> str:
    """
    Return Prometheus' name of a metric.

    Source: OpenTelemetry's specification, "Prometheus and OpenMetrics compatibility"; ``_ratio`` as Go's translator.
    """
    words = [each for each in re.split(r"[^a-zA-Z0-9:]+", metric) if each]
    before, _, per = re.sub(r"\{[^}]*\}", "", unit).partition("/")
    if before and before != "1":
        _append(words, re.sub(r"[^a-zA-Z0-9]", "", _UNITS.get(before, before)))
    if per:
        _append(words, "per", _PER.get(per, per))
    if kind == "gauge" and unit == "1":
        _append(words, "ratio")
    if kind == "sum" and monotonic:
        words = [each for each in words if each != "total"] + ["total"]
    name = "_".join(words)
    return f"_{name}" if name[:1].isdigit() else name


def _append(words: list[str], *more: str) -> None:
    if more and more[-1] not in words:
        words.extend(more)


def label_of(name: str) -> str:
    """Return Prometheus' name of a label."""
    return re.sub(r"_+", "_", re.sub(r"[^a-zA-Z0-9_]", "_", name))


def selector(labels: dict[str, str]) -> str:
    """Return labels in braces, escaped."""
    inside = ", ".join(f"{label_of(key)}={_quoted(value)}" for key, value in labels.items())
    return f"{{{inside}}}" if inside else ""


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def of_calls(calls: Calls) -> dict[str, str]:
    """Return the expressions that draw an action's charts."""
    family = calls.family
    chosen = selector(_labels(calls, family))
    expressions: dict[str, str] = {}
    if family.duration:
        name = name_of(family.duration, "histogram", "s", False)
        expressions["p95"] = f"histogram_quantile(0.95, sum by (le) (rate({name}_bucket{chosen}[5m])))"
        expressions["requests"] = f"sum(rate({name}_count{chosen}[5m]))"
    if family.requests:
        requests = name_of(family.requests, "sum", "{request}", True)
        expressions["requests"] = f"sum(rate({requests}{chosen}[5m]))"
        if family.errors:
            errors = name_of(family.errors, "sum", "{error}", True)
            expressions["errors"] = f"sum(rate({errors}{chosen}[5m])) / sum(rate({requests}{chosen}[5m]))"
    return expressions


def _labels(calls: Calls, family: Family) -> dict[str, str]:
    return dict(zip(family.labels, calls.key, strict=False)) if calls.key else {}
