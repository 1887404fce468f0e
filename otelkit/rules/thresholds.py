# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Where alerts begin: the defaults, and what a configuration says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from otelkit.config import Settings
from otelkit.exceptions import ConfigurationError, did_you_mean
from otelkit.rules.alerts import ALERTS
from otelkit.rules.rule import Alert

__all__ = ("configured",)


def configured(settings: Settings) -> tuple[Alert, ...]:
    """
    Return all alerts, with the thresholds and delays of ``settings``.

    Errors: ConfigurationError for a name that no alert has, and for a number that is none, or negative.
    """
    _check("alert_thresholds", settings.alert_thresholds, settings)
    _check("alert_delays_s", settings.alert_delays_s, settings)
    return tuple(
        replace(
            alert,
            threshold=settings.alert_thresholds.get(alert.name, alert.threshold),
            delay_s=settings.alert_delays_s.get(alert.name, alert.delay_s),
        )
        for alert in ALERTS
    )


def _check(setting: str, values: Mapping[str, float], settings: Settings) -> None:
    names = [alert.name for alert in ALERTS]
    for name, value in values.items():
        where = f"{settings.source(setting)}: {setting}[{name!r}]"
        if name not in names:
            remedy = did_you_mean(name, names) or "docs/alerts.md lists them."
            raise ConfigurationError("the name of an alert", repr(name), where, remedy)
        if not 0 <= value < math.inf:
            raise ConfigurationError("a number from 0 on", repr(value), where, "docs/alerts.md says what it means.")
