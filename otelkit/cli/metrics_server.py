# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""``otelkit metrics-server``: the page of all workers of a server, served from outside of it."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

from otelkit._core._guard import guard
from otelkit.config import load
from otelkit.exceptions import ConfigurationError
from otelkit.exporters._exposition import render
from otelkit.exporters._metrics_server import MetricsServer
from otelkit.exporters.prometheus import credentials_of, tls_context
from otelkit.exporters.workers.folder import Folder
from otelkit.exporters.workers.group import page_of
from otelkit.exporters.workers.place import find_folders

__all__ = ("add_arguments", "main")

_EPILOG = """\
Workers that publish to Prometheus leave their values in their workers_folder.
This command answers for them, from that folder, on a port of its own. TLS,
authentication and scope labels are those of the prometheus_* settings.

  otelkit metrics-server --folder /run/shop --port 9464
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = _EPILOG
    parser.add_argument("--folder", type=Path, help="the workers' workers_folder (default: that of this configuration)")
    parser.add_argument("--service", default="", help="which service, if the folder holds several: its name begins so")
    parser.add_argument("--host", help="address to listen on (default: prometheus_host)")
    parser.add_argument("--port", type=int, default=9_464, help="port to listen on, 0 for a free one (default 9464)")


def main(arguments: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM."""
    settings = load()
    given = arguments.folder or (settings.workers_folder and Path(settings.workers_folder))
    if not given:
        raise ConfigurationError(
            "a folder", "none", "--folder, workers_folder", "Give the workers and this command one."
        )
    folder = Folder(_choose(given, arguments.service))
    host = arguments.host or settings.prometheus_host
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    try:
        server = MetricsServer(
            host,
            arguments.port,
            lambda openmetrics: _page(folder, openmetrics=openmetrics, scopes=settings.prometheus_scope_labels),
            credentials=credentials_of(settings),
            tls=tls_context(settings),
        )
    except (OSError, OverflowError) as error:
        raise ConfigurationError(
            "an address that is free to listen on",
            f"{host}:{arguments.port} ({error})",
            "--host, --port",
            "The workers hold their own port themselves: choose another one.",
        ) from error
    server.start()
    print(f"Serving {folder.path.name} at {server.url}", file=sys.stderr, flush=True)
    ended.wait()
    server.close()
    return 0


def _choose(base: Path, service: str) -> Path:
    found = [path for path in find_folders(base) if path.name.startswith(service)]
    used = [path for path in found if Folder(path).in_use()] or found
    if len(used) == 1:
        return used[0]
    raise ConfigurationError(
        "the folder of one server",
        f"{len(used)}: {', '.join(path.name for path in used)}" if used else f"none in {str(base)!r}",
        "--folder, --service",
        "Choose one with --service." if used else "Start the workers first, with workers_folder set to it.",
    )


def _page(folder: Folder, *, openmetrics: bool, scopes: bool) -> bytes:
    groups, target = [], {}
    with guard.shield("workers: scrape"):
        groups, target = page_of(folder)
    if not scopes:
        groups = [(None, found) for _, found in groups]
    return render((), openmetrics=openmetrics, others=groups, target=target)
