# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""`python -m stack up`, and `down`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import parts, running
from .part import PartError
from .ports import Ports, PortTakenError
from .stack import Stack


def main() -> int:
    """Do what the arguments say; returns 0, or 1 with the reason on stderr."""
    arguments = _parser().parse_args()
    try:
        if arguments.what == "down":
            ended = running.end(arguments.folder)
            print(f"Ended: {', '.join(ended)}." if ended else "Nothing runs.")
        else:
            _up(arguments)
    except (PartError, PortTakenError, running.RunningError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="stack", description="The real stack on this machine, on loopback only.")
    what = parser.add_subparsers(dest="what", required=True)
    up, down = what.add_parser("up", help="start it"), what.add_parser("down", help="end it")
    for each in (up, down):
        each.add_argument("--folder", type=Path, default=parts.CACHE / "stack", help="logs, queues, data")
    up.add_argument(
        "--gateways", type=int, default=0, metavar="N", help="an agent before N gateways (default: one for all)"
    )
    up.add_argument("--free-ports", action="store_true", help="any free ports instead of the usual ones")
    up.add_argument("--programs", nargs="*", default=[], metavar="HOST:PORT", help="programs whose /metrics is scraped")
    return parser


def _up(arguments: argparse.Namespace) -> None:
    missing = [path for path in (parts.OTELCOL, parts.JAEGER, parts.PROMETHEUS) if not path.exists()]
    if missing:
        raise PartError(f"Not built yet: {', '.join(path.name for path in missing)}. `make stack` builds them.")
    running.refuse_second(arguments.folder)
    ports = Ports(free=arguments.free_ports)
    stack = Stack(arguments.folder.absolute(), ports, gateways=arguments.gateways, programs=arguments.programs)
    stack.start(detached=True)
    running.write(arguments.folder, stack.all)
    print(_told(stack))


def _told(stack: Stack) -> str:
    jaeger, prometheus, entry = stack.jaeger, stack.prometheus, stack.entry
    lines = [
        f"Jaeger        {jaeger.url('query')}  (no pages, its API: /api/services, /api/traces?service=shop)",
        f"Prometheus    {prometheus.url('web')}  (/api/v1/query?query=up)",
        *([f"Alertmanager  {stack.alertmanager.url('web')}"] if stack.alertmanager else []),
        *(f"{each.name:<13} OTLP: {each.url('otlp_http')}, gRPC: {each.url('otlp_grpc')}" for each in stack.collectors),
        f"Logs, queues, data, and the targets that Prometheus scrapes: {stack.folder}",
        "",
        "Send to it:",
        "",
        f"  export OTEL_EXPORTER_OTLP_ENDPOINT={entry.url('otlp_http')}",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
