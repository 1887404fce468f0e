# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""All programs together, in one of the two topologies of collector-config/README.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from . import parts
from .part import Part, PartError
from .ports import Ports


class Stack:
    """
    Collectors, Jaeger, Prometheus and, where it is installed, Alertmanager.

    Args:
        folder: Logs, queues and data.
        ports: Where addresses come from.
        gateways: 0 for one Collector that does everything; else an agent before so many gateways.
        programs: ``host:port`` of programs whose /metrics Prometheus scrapes.
        scrape_s: Seconds between two scrapes.
        settings: Variables of collector-config's files, for every Collector.

    Attributes:
        entry: The Collector that programs send to.
        collectors: All of them, the entry last.

    A context manager: what it started, it ends.
    """

    def __init__(
        self,
        folder: Path,
        ports: Ports,
        *,
        gateways: int = 0,
        programs: Iterable[str] = (),
        scrape_s: int = 15,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.folder, self._ports, self._settings = folder, ports, dict(settings or {})
        self.jaeger = parts.jaeger(folder, ports)
        self._settings.setdefault("COLLECTOR_TRACES_ENDPOINT", self.jaeger.addresses["otlp_grpc"])
        self.collectors = self._two_tiers(gateways) if gateways else [self._standalone()]
        self.entry = self.collectors[-1]
        self.alertmanager = parts.alertmanager(folder, ports)
        web = ports.address(9090)
        self.prometheus = parts.prometheus(
            folder,
            web,
            {
                "collectors": [
                    each.addresses["prometheus"] for each in self.collectors if "prometheus" in each.addresses
                ],
                "programs": programs,
                "telemetry": [*self.collectors, self.jaeger],
                "alertmanagers": [self.alertmanager.addresses["web"]] if self.alertmanager else [],
            },
            scrape_s,
        )

    @property
    def all(self) -> list[Part]:
        """Every part, in the order in which they start: who receives comes before who sends."""
        others = [self.jaeger, *self.collectors, self.prometheus, self.alertmanager]
        return [part for part in others if part is not None]

    def start(self, *, detached: bool = False) -> None:
        """Start each when the one before takes data; if one does not, all are ended and PartError is raised."""
        try:
            for part in self.all:
                part.start(detached=detached)
                part.wait_ready()
        except BaseException:
            for part in self.all:
                part.kill()
            raise

    def stop(self) -> None:
        """End them all, senders first."""
        failed = []
        for part in reversed(self.all):
            try:
                part.stop()
            except PartError as error:
                failed.append(str(error))
        if failed:
            raise PartError("\n".join(failed))

    def __enter__(self) -> Stack:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _standalone(self) -> Part:
        addresses = self._addresses(4317, 13133, 8890, prometheus=8889, statsd=8125)
        return parts.collector("standalone", "standalone.yaml", self.folder, addresses, self._settings)

    def _two_tiers(self, gateways: int) -> list[Part]:
        behind = []
        for number in range(gateways):
            addresses = self._addresses(4327 + 10 * number, 13134 + number, 8900 + number, prometheus=8910 + number)
            behind.append(
                parts.collector(f"gateway-{number + 1}", "gateway.yaml", self.folder, addresses, self._settings)
            )
        hosts = ",".join(gateway.addresses["otlp_grpc"] for gateway in behind)
        settings = {**self._settings, "COLLECTOR_GATEWAYS": f"[{hosts}]"}
        addresses = self._addresses(4317, 13133, 8890)
        return [*behind, parts.collector("agent", "agent.yaml", self.folder, addresses, settings)]

    def _addresses(self, grpc: int, health: int, telemetry: int, **others: int) -> dict[str, str]:
        usual = {"otlp_grpc": grpc, "otlp_http": grpc + 1, "health": health, "telemetry": telemetry, **others}
        return {key: self._ports.address(port) for key, port in usual.items()}
