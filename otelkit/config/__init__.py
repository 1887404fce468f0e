# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Configuration: arguments, OTEL_* variables, OTELKIT_* variables, a TOML file, defaults; in that order.

`load` reads them all and raises `otelkit.exceptions.ConfigurationError` for every mistake. Importing this loads
neither the SDK nor any exporter.
"""

from __future__ import annotations

from otelkit.config._definition import Setting
from otelkit.config._describe import describe, display
from otelkit.config._load import load
from otelkit.config._settings import MetricRule, OtlpSettings, Settings

__all__ = ("MetricRule", "OtlpSettings", "Setting", "Settings", "describe", "display", "load")
