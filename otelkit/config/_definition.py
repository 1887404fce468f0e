# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What a setting is made of, besides its name, type and default."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from otelkit.environment_variables import variable_of

MASK = "********"

_URL_PASSWORD = re.compile(r"(://[^/@\s:]*):[^/@\s]+@")


def masked_url(url: str) -> str:
    """Return ``url`` without its password."""
    return _URL_PASSWORD.sub(rf"\1:{MASK}@", url)


@dataclass(frozen=True, slots=True)
class Option:
    """
    What a field of `Settings` says about itself, beyond what its annotation and default say.

    Args:
        help: One or two sentences for the docs and for doctor.
        unit: ``s``, or empty.
        otel: OpenTelemetry's variable that means the same, or empty.
        read: What OpenTelemetry's text means, where that differs from otelkit's own reading (milliseconds, say).
            Raises ``ValueError`` with what was expected.
        secret: Never shown, neither by doctor nor in an error.
        path: A file or folder; a relative one from a file is relative to that file's folder.
        per_signal: OTLP's variable has a variant for metrics and one for traces.
    """

    help: str
    unit: str = ""
    otel: str = ""
    read: Callable[[str], object] | None = None
    secret: bool = False
    path: bool = False
    per_signal: bool = False

    def otel_variable(self, signal: str) -> str:
        """Return OTLP's variable for one signal: ``OTEL_EXPORTER_OTLP_METRICS_ENDPOINT``."""
        return self.otel.replace("OTEL_EXPORTER_OTLP_", f"OTEL_EXPORTER_OTLP_{signal.upper()}_")


@dataclass(frozen=True, slots=True)
class Setting:
    """
    One setting, as docs and doctor show it.

    Attributes:
        annotation: What msgspec converts to.
        type: The same, for people: ``number``, ``list of text``, ``cumulative | delta``.
        variables: In order of precedence; the last is otelkit's own.
    """

    name: str
    annotation: Any
    type: str
    default: object
    option: Option

    @property
    def unit(self) -> str:
        """UCUM unit, or empty."""
        return self.option.unit

    @property
    def help(self) -> str:
        """What it does."""
        return self.option.help

    @property
    def secret(self) -> bool:
        """Whether its value must never be shown."""
        return self.option.secret

    @property
    def variables(self) -> tuple[str, ...]:
        """All variables that set it."""
        option = self.option
        signals = [option.otel_variable(signal) for signal in ("metrics", "traces")] if option.per_signal else []
        return (*signals, *([option.otel] if option.otel else []), variable_of(self.name))
