# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Grafana's units for UCUM's."""

from __future__ import annotations

from otelkit._core._snapshot import Metric

__all__ = ("rate_unit", "unit_of")

_UNITS = {
    "s": "s",
    "By": "bytes",
    "By/s": "binBps",
    "1": "percentunit",
    "Cel": "celsius",
    "W": "watt",
    "J": "joule",
    "Hz": "hertz",
    "{item}/s": "cps",
}
_RATES = {"{request}": "reqps", "By": "binBps", "J": "watt", "{packet}": "pps", "{operation}": "iops", "s": "none"}
"""Joules a second are watts; seconds a second are how many were at it."""


def unit_of(metric: Metric) -> str:
    """Return Grafana's id of the metric's unit; counts have none of their own: ``short``."""
    return _UNITS.get(metric.unit, "short")


def rate_unit(metric: Metric) -> str:
    """Return Grafana's id of the unit of ``rate(metric)``."""
    return _RATES.get(metric.unit, "cps")
