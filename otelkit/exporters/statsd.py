# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
StatsD over UDP, several lines a packet.

=================== =====================================================================
counter             ``name:<increase since the last export>|c``; none if it did not move
up-down counter,    ``name:<value>|g``; a negative one after ``name:0|g``, in the same
gauge               packet, since to StatsD a sign means a change
histogram           of the values since the last export: ``name.count`` and ``name.sum``
                    as counters, which add up over processes; ``name.min``, ``.max``,
                    ``.mean``, ``.p50``, ``.p95``, ``.p99`` as gauges, which do not
=================== =====================================================================

StatsD's own timers (``|ms``) take single observations, which a histogram no longer
has; sending made-up ones would give percentiles of values that never occurred.
The percentiles here are estimates, interpolated in the buckets. Servers that keep
counters as integers (Telegraf unless ``float_counters`` is set, the Collector unless
``counter_type`` is ``float``) cut sums of seconds off; etsy's and Datadog's do not.

Labels are DogStatsD tags (``|#key:value``), ``service.name`` first, or, with
``labels="name"``, parts of the name for servers without tags.

Delivery is UDP's: at most once. Only what the machine itself refuses (a closed port
on this host, a full send buffer, a line longer than a packet) is noticed, and counted.
"""

from __future__ import annotations

import math
import re
import socket
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Literal, Protocol

from opentelemetry.sdk.metrics import Counter, Histogram, ObservableCounter
from opentelemetry.sdk.metrics.export import AggregationTemporality, MetricsData

from otelkit._core._guard import guard
from otelkit._core._snapshot import Kind
from otelkit.exceptions import ConfigurationError
from otelkit.exporters._guarded import GuardedMetricExporter
from otelkit.exporters._series import Series, series_of

__all__ = ("MAX_PACKET_BYTES", "StatsdMetricExporter", "create_exporter")

NAME = "statsd"

MAX_PACKET_BYTES = 1432
"""StatsD's advice for a network with Ethernet's MTU of 1,500: no packet is split on its way."""

_DELTA = dict.fromkeys((Counter, ObservableCounter, Histogram), AggregationTemporality.DELTA)

_NOT_IN_NAME = re.compile(r"[^A-Za-z0-9_.-]")
_NOT_IN_KEY = re.compile(r"[^\w./-]")
_NOT_IN_VALUE = re.compile(r"[^\w.:/-]")


class StatsdSettings(Protocol):
    """What is read of `otelkit.config.Settings`."""

    @property
    def statsd_host(self) -> str:
        """Name or address of the server."""
        ...

    @property
    def statsd_port(self) -> int:
        """Its UDP port."""
        ...

    @property
    def service_name(self) -> str | None:
        """The service, for tag or name."""
        ...

    def source(self, name: str, /) -> str:
        """Say where a value came from."""
        ...


def create_exporter(settings: StatsdSettings) -> StatsdMetricExporter:
    """
    Return the exporter.

    Raises:
        ConfigurationError: ``settings.statsd_host`` is unknown.
    """
    return StatsdMetricExporter(
        settings.statsd_host,
        settings.statsd_port,
        service_name=settings.service_name or "",
        where=f"statsd_host ({settings.source('statsd_host')})",
    )


class StatsdMetricExporter(GuardedMetricExporter):
    """
    Sends each collection to a StatsD server; never waits for the network.

    Asks its reader for deltas of counters and histograms.

    Args:
        host: Name or address. It is looked up once, here.
        port: UDP port.
        service_name: Becomes the tag ``service.name``, or the first part of every name; none if empty.
        labels: Labels as DogStatsD tags, or, for servers without tags, as ``name.key.value``.
        where: What an error says the host came from.

    Raises:
        ConfigurationError: The host is unknown.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        service_name: str = "",
        labels: Literal["tags", "name"] = "tags",
        where: str = "host",
    ) -> None:
        super().__init__(NAME, _DELTA)
        self._service_name = service_name
        self._tagged = labels == "tags"
        self._socket = _connected(host, port, where)

    def write(self, data: MetricsData) -> None:
        """
        Send ``data``.

        Raises:
            OSError: Nothing of it could be sent.
        """
        sent, refusal = 0, None
        for packet in packets(self._lines(data)):
            try:
                self._send(packet)
                sent += 1
            except OSError as error:
                refusal = error
                guard.exported(NAME, "dropped")
        if refusal is not None and not sent:
            raise refusal

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: object) -> None:
        """Close the socket."""
        self._socket.close()

    def _send(self, packet: bytes) -> None:
        try:
            self._socket.send(packet)
        except ConnectionRefusedError as error:
            # The kernel reports here that an earlier packet was refused; this one it has not tried yet.
            guard.exported(NAME, "dropped")
            guard.warn("statsd refused", f"otelkit's StatsD packets are refused: {error}. Is the server up?")
            self._socket.send(packet)

    def _lines(self, data: MetricsData) -> Iterator[bytes]:
        for series in series_of(data):
            for suffix, value, form in _values(series):
                if not math.isfinite(value):
                    guard.dropped(series.metric.name, "not finite")
                    continue
                line = self._line(series, suffix, value, form)
                if len(line) > MAX_PACKET_BYTES:
                    guard.dropped(series.metric.name, "longer than a packet")
                    continue
                yield line

    def _line(self, series: Series, suffix: str, value: float, form: str) -> bytes:
        name, tags = series.metric.name + suffix, ""
        if self._tagged:
            labels = {"service.name": self._service_name, **series.labels}
            tags = ",".join(f"{_key(key)}:{_value(each)}" for key, each in labels.items() if each != "")
            tags = f"|#{tags}" if tags else ""
        else:
            labels = [_flat(part) for pair in series.labels.items() for part in pair]
            name = ".".join(filter(None, [_flat(self._service_name), name, *labels]))
        name = _NOT_IN_NAME.sub("_", name)
        line = f"{name}:{_number(value)}|{form}{tags}"
        if form == "g" and value < 0:
            line = f"{name}:0|g{tags}\n{line}"
        return line.encode("utf-8")


def packets(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield ``lines``, none of them longer than `MAX_PACKET_BYTES`, joined to packets that are not either."""
    packet = b""
    for line in lines:
        if packet and len(packet) + 1 + len(line) > MAX_PACKET_BYTES:
            yield packet
            packet = b""
        packet = packet + b"\n" + line if packet else line
    if packet:
        yield packet


def _values(series: Series) -> Iterator[tuple[str, float, str]]:
    """Yield suffix, value and StatsD type of what one series comes to."""
    fields = series.fields
    if series.kind in (Kind.GAUGE, Kind.UP_DOWN_COUNTER):
        yield "", fields["value"], "g"
    elif not series.delta:
        guard.dropped(series.metric.name, "statsd needs delta temporality")
    elif series.kind is Kind.COUNTER:
        if fields["value"]:
            yield "", fields["value"], "c"
    elif fields["count"]:
        yield ".count", fields["count"], "c"
        yield ".sum", fields["sum"], "c"
        yield ".mean", fields["sum"] / fields["count"], "g"
        for name, value in fields.items():
            if name not in ("count", "sum"):
                yield f".{name}", value, "g"


def _connected(host: str, port: int, where: str) -> socket.socket:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:
        raise ConfigurationError(
            "the name or address of a StatsD server",
            f"{host!r} ({error})",
            where,
            "Set statsd_host (OTELKIT_STATSD_HOST) and statsd_port to where the server listens.",
        ) from error
    # IPv4 first: "localhost" is ::1 as well, where few StatsD servers listen.
    family, kind, protocol, _, address = min(found, key=lambda each: each[0] != socket.AF_INET)
    connection = socket.socket(family, kind, protocol)
    connection.setblocking(False)
    connection.connect(address)
    return connection


def _number(value: float) -> str:
    """Without an exponent, which not every server reads; a whole number without a point."""
    return str(int(value)) if value == int(value) else format(Decimal(repr(value)), "f")


def _key(text: str) -> str:
    return _NOT_IN_KEY.sub("_", text)


def _value(value: object) -> str:
    return _NOT_IN_VALUE.sub("_", str(value))


def _flat(part: object) -> str:
    return str(part).replace(".", "_")
