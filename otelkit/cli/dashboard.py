# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""``otelkit dashboard``: receives OTLP, keeps it, and shows it in the browser."""

from __future__ import annotations

import argparse
import signal
import threading
import webbrowser
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from otelkit.exceptions import ConfigurationError

if TYPE_CHECKING:
    from otelkit.viewer.server import Dashboard

__all__ = ("add_arguments", "main")

_EPILOG = """\
Any program that speaks OTLP, in any language, can send to it. On the usual
ports no setting is needed:

  otelkit dashboard                          4318 for pages and OTLP/HTTP, 4317 for gRPC
  otelkit dashboard --port 8080 --open       opens the browser
  otelkit dashboard --replay traces.jsonl    shows what a file holds
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = _EPILOG
    parser.add_argument("--port", type=int, help="of pages, API and OTLP/HTTP; 0 for a free one (default: 4318)")
    parser.add_argument("--grpc-port", type=int, help="of OTLP/gRPC; 0 for a free one, -1 for none (default: 4317)")
    parser.add_argument("--host", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="where the data is kept (default: in this user's)")
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    parser.add_argument("--replay", type=Path, action="append", default=[], metavar="FILE", help="load OTLP-JSON lines")


def main(arguments: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM."""
    require_extra()
    from otelkit.viewer.server import Dashboard, Options

    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    grpc_port = 4_317 if arguments.grpc_port is None else arguments.grpc_port
    dashboard = Dashboard(
        Options(
            folder=arguments.data or Path("otelkit-data/dashboard"),
            host=arguments.host or "127.0.0.1",
            port=4_318 if arguments.port is None else arguments.port,
            grpc_port=None if grpc_port < 0 else grpc_port,
        )
    )
    dashboard.start()
    try:
        print(describe(dashboard), flush=True)
        if arguments.open:
            webbrowser.open(dashboard.url)
        ended.wait()
    finally:
        dashboard.close()
    return 0


def describe(dashboard: Dashboard) -> str:
    """Return what whoever started it has to know."""
    lines = [f"Open {dashboard.url}"]
    port = f", and OTLP/gRPC on port {dashboard.grpc_port}" if dashboard.grpc_port else ""
    lines.append(f"It takes OTLP/HTTP at {dashboard.base_url}{port}.")
    key = dashboard.access.ingest_key
    if key is not None:
        lines.append("It can be reached from other machines: without TLS, for anybody who has the token. To send, set")
        lines.append(f"  OTEL_EXPORTER_OTLP_ENDPOINT={dashboard.base_url}")
        lines.append(f"  OTEL_EXPORTER_OTLP_HEADERS=authorization={quote(f'Bearer {key}')}")
    lines.append(f"Data: {dashboard.options.folder}")
    return "\n".join(lines)


def require_extra() -> None:
    """
    Look for what the dashboard needs.

    Errors: ConfigurationError with the command that installs it.
    """
    missing = [name for name in ("starlette", "uvicorn") if find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            "the packages starlette and uvicorn", f"no {' and no '.join(missing)}", "otelkit dashboard",
            "Install them: pip install 'otelkit[dashboard]'",
        )  # fmt: skip
