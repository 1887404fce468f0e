# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""StatsD, against a real UDP socket."""

import socket
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otelkit.config import load
from otelkit.exceptions import ConfigurationError
from otelkit.exporters.statsd import MAX_PACKET_BYTES, StatsdMetricExporter, create_exporter, packets


def received(connection: socket.socket) -> list[str]:
    """Return the packets that wait in a non-blocking socket."""
    found = []
    while True:
        try:
            found.append(connection.recv(65_536).decode())
        except BlockingIOError:
            return found


class Server:
    """A UDP socket that gives back what has arrived."""

    def __init__(self, port: int = 0) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**22)
        self.socket.bind(("127.0.0.1", port))
        self.socket.setblocking(False)
        self.port = self.socket.getsockname()[1]

    def packets(self) -> list[str]:
        """Return the packets since the last call; on loopback what was sent has arrived."""
        return received(self.socket)

    def lines(self) -> list[str]:
        """Return the lines since the last call."""
        return [line for packet in self.packets() for line in packet.split("\n")]


@pytest.fixture
def server() -> Iterator[Server]:
    """A listening server."""
    server = Server()
    yield server
    server.socket.close()


def exporter(server: Server, **options) -> StatsdMetricExporter:
    """Return an exporter to ``server``."""
    return StatsdMetricExporter("127.0.0.1", server.port, **options)


def parsed(lines: list[str]) -> dict[tuple[str, str], float]:
    """Return value by name and type of lines without tags."""
    found = {}
    for line in lines:
        name, rest = line.split(":")
        value, form = rest.split("|")
        found[name, form] = float(value)
    return found


def test_counters_are_sent_as_increases(server: Server, publish) -> None:
    """Each export carries what came since the one before; a counter that stood still is not sent."""
    publisher = publish(exporter(server))
    counter = publisher.meter.create_counter("shop.orders")
    counter.add(3)
    publisher.collect()
    assert server.lines() == ["shop.orders:3|c"]
    counter.add(2)
    counter.add(0.5)
    publisher.collect()
    assert server.lines() == ["shop.orders:2.5|c"]
    publisher.collect()
    assert server.lines() == []


def test_gauges_and_up_down_counters_are_values(server: Server, publish) -> None:
    """Both are sent as what they are now, not as changes."""
    publisher = publish(exporter(server))
    open_orders = publisher.meter.create_up_down_counter("open")
    load = publisher.meter.create_gauge("load")
    for change, expected in ((3, 3), (-1, 2)):
        open_orders.add(change)
        load.set(change + 0.25)
        publisher.collect()
        lines = server.lines()
        assert lines[0] == f"open:{expected}|g"
        assert lines[-1] == f"load:{change + 0.25}|g"


def test_negative_gauge_is_set_by_way_of_zero(server: Server, publish) -> None:
    """A sign means a change to StatsD, so zero comes first, in the same packet."""
    publisher = publish(exporter(server))
    publisher.meter.create_gauge("temperature").set(-4.5, {"room": "attic"})
    publisher.collect()
    assert server.packets() == ["temperature:0|g|#room:attic\ntemperature:-4.5|g|#room:attic"]


def test_histograms_tell_count_sum_and_range(server: Server, publish) -> None:
    """Count and sum add up over exports; mean, extremes and percentiles are those of the interval."""
    publisher = publish(exporter(server))
    histogram = publisher.meter.create_histogram("wait", "s", explicit_bucket_boundaries_advisory=[1.0, 2.0, 4.0])
    for value in (0.5, 1.5, 1.5, 2.5):
        histogram.record(value)
    publisher.collect()
    found = parsed(server.lines())
    assert found["wait.count", "c"] == 4
    assert found["wait.sum", "c"] == 6.0
    assert (found["wait.min", "g"], found["wait.mean", "g"], found["wait.max", "g"]) == (0.5, 1.5, 2.5)
    assert 1.0 <= found["wait.p50", "g"] <= 2.0 <= found["wait.p95", "g"] <= found["wait.p99", "g"] <= 2.5
    histogram.record(3.0)
    publisher.collect()
    found = parsed(server.lines())
    assert (found["wait.count", "c"], found["wait.sum", "c"], found["wait.min", "g"]) == (1, 3.0, 3.0)


def test_labels_are_tags(server: Server, publish) -> None:
    """Labels become DogStatsD tags behind the service; what would break a line is replaced, an empty one left out."""
    publisher = publish(exporter(server, service_name="my shop"))
    publisher.meter.create_counter("orders").add(1, {"source": "w|e,b#\n", "url": "http://a/b", "k:y": "ü", "none": ""})
    publisher.collect()
    [line] = server.lines()
    assert line == "orders:1|c|#service.name:my_shop,source:w_e_b__,url:http://a/b,k_y:ü"


def test_labels_may_go_into_the_name(server: Server, publish) -> None:
    """For servers without tags, service, metric, keys and values make up the name."""
    publisher = publish(exporter(server, service_name="shop", labels="name"))
    publisher.meter.create_counter("orders").add(1, {"host": "a.b", "source": "w:eb"})
    publisher.collect()
    assert server.lines() == ["shop.orders.host.a_b.source.w_eb:1|c"]


def test_numbers_have_no_exponent(server: Server, publish) -> None:
    """Small and large values are written out, exactly."""
    publisher = publish(exporter(server))
    counter = publisher.meter.create_counter("n")
    for value in (1e-7, 1e22, 0.1):
        counter.add(value)
        publisher.collect()
        [line] = server.lines()
        assert "e" not in line
        assert float(line.removeprefix("n:").removesuffix("|c")) == value


def test_packets_stay_below_the_mtu(server: Server, publish) -> None:
    """Many series go out in few packets, none too long, none lost."""
    publisher = publish(exporter(server))
    counter = publisher.meter.create_counter("orders")
    for i in range(1_000):
        counter.add(i + 1, {"customer": str(i)})
    publisher.collect()
    packets = server.packets()
    assert max(len(packet) for packet in packets) <= MAX_PACKET_BYTES
    assert len(packets) < 40
    lines = [line for packet in packets for line in packet.split("\n")]
    assert sorted(lines) == sorted(f"orders:{i + 1}|c|#customer:{i}" for i in range(1_000))


@given(st.lists(st.binary(min_size=1, max_size=MAX_PACKET_BYTES).map(lambda line: line.replace(b"\n", b" "))))
def test_packing_keeps_lines_and_order(lines: list[bytes]) -> None:
    """Whatever fits a packet comes out, in order, and no two packets could have been one."""
    made = list(packets(lines))
    assert b"\n".join(made).split(b"\n") == (lines or [b""])
    assert all(len(packet) <= MAX_PACKET_BYTES for packet in made)
    for first, second in pairwise(made):
        assert len(first) + 1 + len(second.split(b"\n")[0]) > MAX_PACKET_BYTES


def test_line_longer_than_a_packet_is_counted(server: Server, publish, tally) -> None:
    """A series that no packet can hold is dropped and named; the others go out."""
    publisher = publish(exporter(server))
    counter = publisher.meter.create_counter("orders")
    counter.add(1, {"essay": "x" * 2_000})
    counter.add(1, {"essay": "short"})
    publisher.collect()
    assert server.lines() == ["orders:1|c|#essay:short"]
    assert tally("dropped", "orders", "longer than a packet") == 1


def test_not_finite_is_counted(server: Server, publish, tally) -> None:
    """StatsD has no word for infinity."""
    publisher = publish(exporter(server))
    counter = publisher.meter.create_counter("spent")
    counter.add(1e308)
    counter.add(1e308)
    publisher.collect()
    assert server.lines() == []
    assert tally("dropped", "spent", "not finite") == 1


def test_server_that_is_down_is_counted_and_found_again(publish, tally) -> None:
    """Refused packets neither raise nor stop the export; when the server is back, so are the lines."""
    server = Server()
    publisher = publish(exporter(server))
    counter = publisher.meter.create_counter("orders")
    server.socket.close()
    for _ in range(3):
        counter.add(1)
        publisher.collect()
    assert tally("exports", "statsd", "dropped") == 2
    back = Server(server.port)
    counter.add(5)
    publisher.collect()
    assert back.lines() == ["orders:5|c"]
    assert tally("exports", "statsd", "dropped") == 3
    back.socket.close()


def test_export_that_cannot_leave_fails(server: Server, publish, tally) -> None:
    """When the machine takes no packet at all, the export is reported as failed."""
    statsd = exporter(server)
    publisher = publish(statsd)
    publisher.meter.create_counter("orders").add(1)
    statsd.shutdown()
    publisher.collect()
    assert tally("exports", "statsd", "failure") == 1
    assert tally("failures", "exporters.statsd") == 1


def test_full_send_buffer_is_not_waited_for(server: Server, publish, tally) -> None:
    """A packet that the kernel cannot take now is dropped and counted."""
    statsd = exporter(server)
    assert not statsd._socket.getblocking()
    statsd._socket.close()
    # UDP on loopback never fills up; a local datagram socket that nobody reads does.
    statsd._socket, unread = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    statsd._socket.setblocking(False)
    publisher = publish(statsd)
    counter = publisher.meter.create_counter("orders")
    for i in range(1_000):
        counter.add(1, {"customer": "x" * 1_000 + str(i)})
    publisher.collect()
    unread.setblocking(False)
    arrived = len(received(unread))
    unread.close()
    assert 0 < arrived < 1_000
    assert arrived + tally("exports", "statsd", "dropped") == 1_000


def test_settings_make_an_exporter(server: Server, publish) -> None:
    """Host, port and service come from the settings; "localhost" is IPv4 first."""
    settings = load(environ={}, statsd_port=server.port, service_name="shop")
    publisher = publish(create_exporter(settings))
    publisher.meter.create_counter("orders").add(1)
    publisher.collect()
    assert server.lines() == ["orders:1|c|#service.name:shop"]


def test_unknown_host_is_a_configuration_error() -> None:
    """A host that is none is refused at set-up, with place and remedy."""
    settings = load(environ={"OTELKIT_STATSD_HOST": "no such host"})
    with pytest.raises(ConfigurationError, match=r"StatsD server.*no such host.*OTELKIT_STATSD_HOST"):
        create_exporter(settings)
