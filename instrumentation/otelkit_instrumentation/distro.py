# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
What ``opentelemetry-instrument`` and ``otelkit run`` find by entry point: they set otelkit up instead of the bare SDK.

``opentelemetry-distro`` registers the same two entry points, and OpenTelemetry
takes whichever it meets first. Where both are installed, set
``OTEL_PYTHON_DISTRO=otelkit`` and ``OTEL_PYTHON_CONFIGURATOR=otelkit``;
``otelkit run`` sets both.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from typing import Any

from opentelemetry.instrumentation.dependencies import DependencyConflictError
from opentelemetry.instrumentation.distro import BaseDistro
from opentelemetry.sdk._configuration import _BaseConfigurator
from opentelemetry.util._importlib_metadata import EntryPoint

import otelkit
from otelkit.config import Settings, load
from otelkit.exceptions import OtelkitError
from otelkit.exporters.workers.identity import server_process

__all__ = ("OtelkitConfigurator", "OtelkitDistro")

_logger = logging.getLogger(__name__)

_SERVING_PROCESS = "_OTELKIT_SERVING_PROCESS"
"""Number of the process that serves /metrics, for the Python processes that it starts."""

_MACHINE = "otelkit_machine"


class OtelkitConfigurator(_BaseConfigurator):
    """
    Calls `otelkit.configure` in place of the SDK's own set-up.

    A mistake in the configuration is told in one line on stderr and goes no
    further: raised, it would be logged twice with its traceback by the loader.

    Workers of one server share /metrics. In any other Python process that an
    instrumented one has started, it is left to that one, as it has the port;
    all other exporters work in both.

    Attributes:
        is_off: Whether nothing is to be instrumented: the last attempt failed, or the settings turn otelkit off.
    """

    is_off = False

    def _configure(self, **kwargs: Any) -> None:
        cls = type(self)
        try:
            settings = load()
            arguments = _without_taken_port(settings)
            otelkit.configure(**arguments)
            if (
                _serves(settings)
                and not arguments
                and not _is_another_live_process(os.environ.get(_SERVING_PROCESS, ""))
            ):
                os.environ[_SERVING_PROCESS] = str(os.getpid())
            cls.is_off = not settings.enabled
        except Exception as error:
            cls.is_off = True
            _complain(f"not set up, the program runs without it. {_told(error)}", error)


class OtelkitDistro(BaseDistro):
    """Loads instrumentors one by one, so that one that fails takes none of the others with it."""

    def _configure(self, **kwargs: Any) -> None:
        # Defaults in the environment, as opentelemetry-distro sets them, would outrank otelkit.toml.
        pass

    def load_instrumentor(self, entry_point: EntryPoint, **kwargs: Any) -> None:
        """Activate one instrumentor; what is not installed is left to the loader, any other failure is one line."""
        # The configurator observes the machine already, and only those parts of it that the settings name.
        if OtelkitConfigurator.is_off or entry_point.name == _MACHINE:
            return
        try:
            super().load_instrumentor(entry_point, **kwargs)
        except (DependencyConflictError, ModuleNotFoundError):
            raise
        except Exception as error:
            _complain(f"instrumentor {entry_point.name} left out. {_told(error)}", error)


def _without_taken_port(settings: Settings) -> Mapping[str, object]:
    """Return the arguments that leave /metrics to the ancestor that serves it; none when it is ours, or shared."""
    serving = os.environ.get(_SERVING_PROCESS, "")
    if not _serves(settings) or not _is_another_live_process(serving):
        return {}
    if settings.workers_folder is not None or server_process() == server_process(int(serving)):
        return {}
    return {"metrics_exporters": [name for name in settings.metrics_exporters if name != "prometheus"]}


def _serves(settings: Settings) -> bool:
    """Say whether this process is to serve /metrics on a port that no second one can have."""
    is_on = settings.enabled and settings.metrics_enabled and settings.prometheus_port != 0
    return is_on and "prometheus" in settings.metrics_exporters


def _is_another_live_process(number: str) -> bool:
    if not number.isdecimal() or int(number) == os.getpid():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _told(error: Exception) -> str:
    text = str(error) if isinstance(error, OtelkitError) else f"{type(error).__name__}: {error}"
    return " ".join(text.split())


def _complain(text: str, error: Exception) -> None:
    """Write one line: logging has no handler yet, and a program's own stderr is all there is."""
    _logger.debug("%s", text, exc_info=error)
    if sys.stderr is not None:
        print(f"otelkit: {text}", file=sys.stderr, flush=True)
