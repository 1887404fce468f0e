# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""How each signal is sent over OTLP: common values, and the signal's own variables above them."""

from __future__ import annotations

from typing import Any

from otelkit.config._describe import settings_by_name
from otelkit.config._settings import OtlpSettings, Settings

_BASE = {"http/protobuf": "http://localhost:4318", "grpc": "http://localhost:4317"}


def resolve(settings: Settings, signal: str) -> OtlpSettings:
    """Return one signal's values; see `Settings.otlp`."""
    own = settings.signals.get(signal, {})
    names = [name for name, setting in settings_by_name().items() if setting.option.per_signal]
    values: dict[str, Any] = {
        name.removeprefix("otlp_"): own[name] if name in own else getattr(settings, name) for name in names
    }
    values["endpoint"] = _endpoint(values["protocol"], signal, own.get("otlp_endpoint"), settings.otlp_endpoint)
    return OtlpSettings(**values, sources={name: source(settings, signal, name) for name in names})


def source(settings: Settings, signal: str, name: str) -> str:
    """Say where one signal's value came from."""
    if name in settings.signals.get(signal, {}):
        return settings_by_name()[name].option.otel_variable(signal)
    return settings.source(name)


def _endpoint(protocol: str, signal: str, own: str | None, base: str | None) -> str:
    if own is not None:
        return own
    base = base or _BASE[protocol]
    return base if protocol == "grpc" else f"{base.removesuffix('/')}/v1/{signal}"
