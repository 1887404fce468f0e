# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The programs of the stack, with the files of collector-config and addresses of their own."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from .part import Part
from .ports import Ports

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "collector-config"
CACHE = ROOT / ".cache"
OTELCOL = CACHE / "collector" / "otelcol"
JAEGER = CACHE / "jaeger"
PROMETHEUS = CACHE / "prometheus"
PROMTOOL = CACHE / "promtool"
ALERTMANAGERS = ("prometheus-alertmanager", "alertmanager")
"""What Debian calls it, and what everybody else does."""


def collector(
    name: str,
    file: str,
    folder: Path,
    addresses: Mapping[str, str],
    settings: Mapping[str, str],
    overlays: Iterable[Path] = (),
) -> Part:
    """
    Return a Collector.

    Args:
        name: As in COLLECTOR_NAME.
        file: In collector-config: standalone.yaml, agent.yaml or gateway.yaml.
        folder: For its log and its queue.
        addresses: otlp_grpc, otlp_http, health and telemetry; prometheus (not for an agent), statsd (standalone).
        settings: Further variables of its file.
        overlays: Further files, merged over the first.
    """
    variables = {f"COLLECTOR_{key.upper()}": value for key, value in addresses.items() if key != "telemetry"}
    return Part(
        name=name,
        command=[str(OTELCOL), *(f"--config={path}" for path in (CONFIG / file, *overlays))],
        folder=folder,
        ready_url=f"http://{addresses['health']}",
        addresses=dict(addresses),
        environment={
            **variables,
            "COLLECTOR_NAME": name,
            "COLLECTOR_TELEMETRY_PORT": addresses["telemetry"].rpartition(":")[2],
            "COLLECTOR_QUEUE_FOLDER": str(folder / f"{name}-queue"),
            **settings,
        },
    )


def jaeger(folder: Path, ports: Ports) -> Part:
    """Return Jaeger, in memory."""
    addresses = {
        "query": ports.address(16686),
        "query_grpc": ports.address(16685),
        "otlp_grpc": ports.address(14317),
        "otlp_http": ports.address(14318),
        "telemetry": ports.address(8888),
    }
    variables = {f"JAEGER_{key.upper()}": value for key, value in addresses.items() if key != "telemetry"}
    return Part(
        name="jaeger",
        command=[str(JAEGER), f"--config={CONFIG / 'jaeger.yaml'}"],
        folder=folder,
        ready_url=f"http://{addresses['query']}/api/services",
        addresses=addresses,
        environment={
            **variables,
            "JAEGER_TELEMETRY_PORT": addresses["telemetry"].rpartition(":")[2],
            "OTEL_TRACES_SAMPLER": "always_off",  # else it sends traces of its own to 127.0.0.1:4317
        },
    )


def prometheus(folder: Path, address: str, targets: Mapping[str, Iterable[Part | str]], scrape_s: int) -> Part:
    """
    Return Prometheus.

    Args:
        folder: For its log, its data, and the folder it is configured in: collector-config's file, rules and targets.
        address: Where it listens.
        targets: Who is scraped, by file in targets/: addresses, or parts whose own metrics are.
        scrape_s: Seconds between two scrapes, and between two evaluations of rules.
    """
    configured = folder / "prometheus"
    shutil.rmtree(configured, ignore_errors=True)
    (configured / "targets").mkdir(parents=True)
    (configured / "rules").symlink_to(CONFIG / "rules")
    text = (CONFIG / "prometheus.yaml").read_text()
    (configured / "prometheus.yaml").write_text(text.replace("_interval: 15s", f"_interval: {scrape_s}s"))
    for name, whom in targets.items():
        (configured / "targets" / f"{name}.yaml").write_text("".join(map(_target, whom)) or "[]\n")
    return Part(
        name="prometheus",
        command=[
            str(PROMETHEUS),
            f"--config.file={configured / 'prometheus.yaml'}",
            f"--storage.tsdb.path={folder / 'prometheus-data'}",
            "--storage.tsdb.retention.time=15d",
            f"--web.listen-address={address}",
            "--web.enable-otlp-receiver",
            "--enable-feature=exemplar-storage",
        ],
        folder=folder,
        ready_url=f"http://{address}/-/ready",
        addresses={"web": address, "telemetry": address},
    )


def alertmanager(folder: Path, ports: Ports) -> Part | None:
    """Return Alertmanager; None where none is installed."""
    found = next(filter(None, map(shutil.which, ALERTMANAGERS)), None)
    if found is None:
        return None
    address = ports.address(9093)
    return Part(
        name="alertmanager",
        command=[
            found,
            f"--config.file={CONFIG / 'alertmanager.yaml'}",
            f"--storage.path={folder / 'alertmanager-data'}",
            f"--web.listen-address={address}",
            "--cluster.listen-address=",  # alone: no port for others of its kind
        ],
        folder=folder,
        ready_url=f"http://{address}/-/ready",
        addresses={"web": address},
    )


def _target(whom: Part | str) -> str:
    if isinstance(whom, str):
        return f'- targets: ["{whom}"]\n'
    return f'- targets: ["{whom.addresses["telemetry"]}"]\n  labels: {{part: "{whom.name}"}}\n'
