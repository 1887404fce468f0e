# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
``otelkit demo``: a small real system, observed, live in the terminal.

The system is the one in examples/demo_system. Its numbers go four ways at
once: to `/metrics`, to OTLP-JSON files, to the screen, and over OTLP to the
dashboard, where that is installed; and to the receiver that
OTEL_EXPORTER_OTLP_ENDPOINT names, where it is set.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import math
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import otelkit
from otelkit.exceptions import ConfigurationError, OtelkitError

if TYPE_CHECKING:
    from otelkit.cli._demo_display import Display
    from otelkit.cli._demo_header import Header
    from otelkit.cli._demo_statistics import Statistics

__all__ = ("add_arguments", "main")

EXIT_TERMINATED = 128 + signal.SIGTERM
"""What a shell reports of a program that SIGTERM ended, for whoever sent it; Ctrl-C is how one leaves a demo: 0."""

EXPORT_INTERVAL_S = 5.0
NAP_S = 0.1
FAULT_AFTER_S = 180.0
"""The dashboard has to know what is usual before it can say that something is not: 30 windows of 5 s at least."""

_EPILOG = """\
The system: a shop behind HTTP with its customers, a batch over worker
processes, and a model (magika) that tells what the files of this Python hold.

After three minutes the shop's payment provider becomes slow: see how it shows.

  otelkit demo                       until Ctrl-C
  otelkit demo --duration 15         ends by itself
  curl http://localhost:PORT/metrics while it runs; the address is on the screen
  OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 otelkit demo     to a Collector, too
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = _EPILOG
    parser.add_argument("--duration", type=_duration, metavar="S", help="seconds after which it ends (default: Ctrl-C)")
    parser.add_argument(
        "--port", type=int, default=0, metavar="P", help="port of /metrics on the loopback (default: a free one)"
    )
    parser.add_argument(
        "--data-folder", type=Path, metavar="D", help="folder of the OTLP-JSON lines (default: a new temporary one)"
    )
    parser.add_argument(
        "--dashboard-port", type=int, default=0, metavar="P", help="port of the dashboard (default: a free one)"
    )
    parser.add_argument("--no-fault", action="store_true", help="let the payment provider stay as quick as it is")
    parser.add_argument(
        "--fault-after",
        type=_duration,
        default=FAULT_AFTER_S,
        metavar="S",
        help=f"seconds after which the payment provider becomes slow (default: {FAULT_AFTER_S:g})",
    )


def main(arguments: argparse.Namespace) -> int:
    """Run the demo; returns 0, or 143 if SIGTERM ended it."""
    _require_extra()
    from otelkit.cli import _demo_display, _demo_summary
    from otelkit.cli._demo_header import Header
    from otelkit.cli._demo_machine import Machine
    from otelkit.cli._demo_statistics import Statistics
    from otelkit.instruments.registry import default_registry

    folder = (arguments.data_folder or Path(tempfile.mkdtemp(prefix="otelkit-demo-"))).absolute()
    try:
        metrics_url, dashboard_url = _configure(arguments.port, arguments.dashboard_port, folder)
        header = Header(metrics_url, str(folder), arguments.duration, dashboard_url)
    except OtelkitError:
        with contextlib.suppress(OSError):
            folder.rmdir()  # succeeds only where it is empty
        raise
    console = _demo_display.create_console()
    with ExitStack() as closing:
        closing.callback(otelkit.shutdown)
        stop = closing.enter_context(Stop.by_signal())
        machine = closing.enter_context(contextlib.closing(Machine()))
        statistics = closing.enter_context(contextlib.closing(Statistics(default_registry)))
        machine.readings()  # CPU shares are those since the reading before: in the summary, of the whole run
        display = closing.enter_context(contextlib.closing(_demo_display.create_display(console, header)))
        fault_after_s = None if arguments.no_fault else arguments.fault_after
        elapsed_s = _watch(header, fault_after_s, stop, display, statistics)
        view, readings = statistics.summary(), machine.readings()
        # Delivered before the summary is shown, which says what is in the files.
        otelkit.shutdown()
        _demo_summary.show(console, view, readings, header, elapsed_s)
    return EXIT_TERMINATED if stop.signal == signal.SIGTERM else 0


class Stop:
    """
    Whether the demo is to end.

    Attributes:
        signal: The signal that asked for it, or None.

    A plain attribute, and no threading.Event: the handler runs in the thread
    that waits, and Event.set() takes the lock that an interrupted Event.wait()
    may hold.
    """

    signal: int | None = None

    @staticmethod
    @contextmanager
    def by_signal() -> Iterator[Stop]:
        """Let SIGINT and SIGTERM ask for the end; a second one of them ends the process as usual."""
        stop = Stop()

        def ask(number: int, _frame: FrameType | None) -> None:
            stop.signal = number
            signal.signal(number, previous[number])

        previous: dict[int, Any] = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        for number in previous:
            signal.signal(number, ask)
        try:
            yield stop
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def until(self, steps: Iterable[str]) -> Iterator[str]:
        """Yield ``steps`` for as long as nobody asked for the end."""
        for step in steps:
            if self.signal is not None:
                return
            yield step


def _watch(header: Header, fault_after_s: float | None, stop: Stop, display: Display, statistics: Statistics) -> float:
    """Run the system and show it until its time is over; return how long it ran, in seconds."""
    system = _load_system().System(fault_after_s)
    try:
        display.steps(stop.until(system.start()))
        began = shown = time.monotonic()
        with display:
            while stop.signal is None and time.monotonic() - began < (header.duration_s or math.inf):
                time.sleep(NAP_S)
                if time.monotonic() - shown >= display.interval_s:
                    shown = time.monotonic()
                    display.show(statistics.view(), shown - began)
        return time.monotonic() - began
    finally:
        system.close()


def _configure(port: int, dashboard_port: int, folder: Path) -> tuple[str, str | None]:
    """Set otelkit up and return the addresses of /metrics and, with the token, of the dashboard."""
    from otelkit.config import load
    from otelkit.exporters.prometheus import PrometheusReader
    from otelkit.pipeline import current
    from otelkit.viewer import embedded, extra

    dashboards: list[str] = []
    embedded.announce = lambda dashboard: dashboards.append(dashboard.url)
    receiver = [] if load().source("otlp_endpoint") == "default" else ["otlp"]
    otelkit.configure(
        service_name="otelkit-demo",
        metrics_exporters=["prometheus", "otlp_file", *receiver],
        traces_exporters=["otlp_file", *receiver],
        prometheus_host="localhost",
        prometheus_port=port,
        data_folder=str(folder),
        export_interval_s=EXPORT_INTERVAL_S,
        dashboard=extra.is_installed(),
        dashboard_port=dashboard_port,
        dashboard_folder=str(folder / "dashboard"),
    )
    telemetry = current()
    for reader in telemetry.readers if telemetry else ():
        if isinstance(reader, PrometheusReader):
            return reader.url, dashboards[0] if dashboards else None
    raise ConfigurationError(
        "telemetry to be switched on", "a configuration that switches it off", "otelkit demo",
        "Unset OTEL_SDK_DISABLED; `otelkit doctor` shows where each setting comes from.",
    )  # fmt: skip


def _require_extra() -> None:
    missing = [name for name in ("magika", "rich") if find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            "the packages magika and rich", f"no {' and no '.join(missing)}", "otelkit demo",
            "Install them: pip install 'otelkit[demo]'",
        )  # fmt: skip


def _load_system() -> Any:
    """Return the module of the demo's system: from the wheel, or in a checkout from examples/."""
    package = Path(otelkit.__file__).parent
    folders = [package / "_examples", package.parent / "examples"]
    for folder in folders:
        if (folder / "demo_system").is_dir():
            # Last on the path, so that it hides nobody's module; multiprocessing hands the path on to the workers.
            sys.path.append(str(folder))
            return importlib.import_module("demo_system.system")
    raise ConfigurationError(
        f"the examples in {' or '.join(map(str, folders))}", "neither", "otelkit demo", "Install otelkit again."
    )


def _duration(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"Expected a number of seconds above 0, got {text!r}.")
    return value
