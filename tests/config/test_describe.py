# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What docs and doctor are told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import opentelemetry.environment_variables
import opentelemetry.sdk.environment_variables

from otelkit.config import Settings, describe, display, load

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_page_is_current() -> None:
    """docs/configuration.md is what the settings make of it."""
    made = subprocess.run([sys.executable, "-m", "otelkit.config"], capture_output=True, text=True, check=True).stdout
    assert made == PAGE.read_text(encoding="utf-8"), "Run: python -m otelkit.config > docs/configuration.md"


def test_every_field_is_a_setting_with_help() -> None:
    """Nothing is left out of the list, and each entry says something."""
    names = [setting.name for setting in describe()]
    assert names == [name for name in Settings.__struct_fields__ if name not in ("sources", "signals")]
    assert all(setting.help.endswith(".") and setting.type for setting in describe())


def test_seconds_are_named_so() -> None:
    """A setting in seconds says so in its name."""
    durations = {setting.name for setting in describe() if setting.unit == "s"} - {"buckets"}
    assert durations == {setting.name for setting in describe() if setting.name.endswith("_s")}


def test_defaults_are_those_in_force() -> None:
    """The list shows the defaults that `load` gives."""
    settings = load("/dev/null", {})
    assert {setting.name: setting.default for setting in describe()} == {
        setting.name: getattr(settings, setting.name) for setting in describe()
    }


def test_otel_variables_exist() -> None:
    """Each OTEL_* variable is one of OpenTelemetry's."""
    known = {*vars(opentelemetry.environment_variables), *vars(opentelemetry.sdk.environment_variables)}
    ours = {name for setting in describe() for name in setting.variables if name.startswith("OTEL_")}
    assert ours <= known


def test_display() -> None:
    """Secrets are masked: whole, in URLs, and under keys that look like secrets."""
    assert display("prometheus_bearer_token", "hunter2") == "********"
    assert display("prometheus_bearer_token", None) is None
    assert display("otlp_headers", {"api-key": "hunter2"}) == {"api-key": "********"}
    assert display("pushgateway_url", "http://me:hunter2@host/path") == "http://me:********@host/path"
    shown = display("resource_attributes", {"team": "a", "db.password": "hunter2", "API_TOKEN": "x"})
    assert shown == {"team": "a", "db.password": "********", "API_TOKEN": "********"}
    assert display("prometheus_port", 9464) == 9464
    assert display("metrics", {"gen_ai.token.usage": 1}) == {"gen_ai.token.usage": 1}


def test_import_is_light() -> None:
    """Importing the configuration loads neither SDK nor exporters nor the TOML parser."""
    code = "import sys, otelkit.config; print(*sys.modules)"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    heavy = {"opentelemetry.sdk", "grpc", "requests", "tomllib", "importlib.metadata", "google.protobuf"}
    assert not heavy & loaded
