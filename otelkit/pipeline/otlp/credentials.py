# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""OpenTelemetry's credential providers: entry points that make what requests are authenticated with."""

from __future__ import annotations

import os
from importlib.metadata import entry_points
from typing import Literal, TypeVar

from otelkit.exceptions import ConfigurationError
from otelkit.pipeline.otlp.reply import Signal

Product = TypeVar("Product")

_GROUP = "opentelemetry_otlp_credential_provider"


def load_credentials(protocol: Literal["HTTP", "GRPC"], signal: Signal, kind: type[Product]) -> Product | None:
    """
    Return what the provider makes that the environment names, or None if it names none.

    Source: OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER and its kin of OpenTelemetry's Python SDK.

    Errors: `otelkit.exceptions.ConfigurationError` for a name that is not installed or makes something else.
    """
    start = f"OTEL_PYTHON_EXPORTER_OTLP_{protocol}"
    for variable in (f"{start}_CREDENTIAL_PROVIDER", f"{start}_{signal.upper()}_CREDENTIAL_PROVIDER"):
        if name := os.environ.get(variable):
            return _load(name, kind, variable)
    return None


def _load(name: str, kind: type[Product], variable: str) -> Product:
    for entry_point in entry_points(group=_GROUP, name=name):
        made = entry_point.load()()
        if isinstance(made, kind):
            return made
        raise ConfigurationError(f"a provider of {kind.__name__}", f"{name!r}, of {type(made).__name__}", variable)
    remedy = f"Install what provides {name!r}."
    raise ConfigurationError(f"an entry point of {_GROUP}", repr(name), variable, remedy)
