# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""``otelkit dashboard``: receives OTLP, keeps it, and shows it in the browser."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import webbrowser
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from otelkit.config import load
from otelkit.viewer.extra import require_extra

if TYPE_CHECKING:
    from otelkit.config import Settings
    from otelkit.viewer.server import Dashboard

__all__ = ("add_arguments", "main")

_ANY_AGE_S = 1e9
_SWITCH_INTERVAL_S = 0.001

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
    parser.add_argument(
        "--replay",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="load OTLP-JSON lines; without --data into a folder that is removed at the end",
    )


def main(arguments: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM."""
    require_extra()
    given: dict[str, Any] = {
        "dashboard_port": arguments.port,
        "dashboard_grpc_port": arguments.grpc_port,
        "dashboard_host": arguments.host,
        "dashboard_folder": str(arguments.data.absolute()) if arguments.data else None,
    }
    with ExitStack() as closing:
        if arguments.replay and not arguments.data:
            given["dashboard_folder"] = closing.enter_context(TemporaryDirectory(prefix="otelkit-replay-"))
            given["dashboard_retention_s"] = _ANY_AGE_S
        settings = load(**{name: value for name, value in given.items() if value is not None})
        return _serve(settings, arguments)


def _serve(settings: Settings, arguments: argparse.Namespace) -> int:
    from otelkit.viewer.place import options_of
    from otelkit.viewer.replay import replay
    from otelkit.viewer.server import Dashboard

    # The web server's thread asks for the interpreter with each part of a request's body; while the writer decodes, it
    # waits this long each time. A process of our own may choose: by default it is 5 ms.
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    dashboard = Dashboard(options_of(settings, embedded=False))
    dashboard.start()
    try:
        print(describe(dashboard), flush=True)
        for path in arguments.replay:
            print(replay(path, dashboard.inlet), flush=True)
            dashboard.replayed = path.name
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
    if dashboard.ingest_headers:
        lines.append("It can be reached from other machines: without TLS, for anybody who has the token. To send, set")
        lines.append(f"  OTEL_EXPORTER_OTLP_ENDPOINT={dashboard.base_url}")
        lines.append(f"  OTEL_EXPORTER_OTLP_HEADERS={dashboard.ingest_headers}")
    lines.append(f"Data: {dashboard.options.folder}")
    return "\n".join(lines)
