# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The machine through a real provider: names, units, instruments and attributes of the semantic conventions."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, Metric, Sum

from otelkit.devices import Machine, observe_machine
from otelkit.devices._part import KEEP_S
from otelkit.exceptions import ConfigurationError

PSUTIL_PARTS = ("host", "process", "runtime")
CPU = {"cpu.mode", "cpu.logical_number"}
DISK = {"system.device", "disk.io.direction"}
FILESYSTEM = {
    "system.device",
    "system.filesystem.type",
    "system.filesystem.mode",
    "system.filesystem.mountpoint",
}
NETWORK = {"network.interface.name", "network.io.direction"}

# name: (instrument, unit, attributes); C counter, U up-down counter, G gauge. Semantic conventions 1.44.0.
TABLE: dict[str, tuple[str, str, set[str]]] = {
    "system.cpu.time": ("C", "s", CPU),
    "system.cpu.utilization": ("G", "1", CPU),
    "system.cpu.logical.count": ("U", "{cpu}", set()),
    "system.cpu.physical.count": ("U", "{cpu}", set()),
    "system.cpu.frequency": ("G", "Hz", {"cpu.logical_number"}),
    "system.memory.usage": ("U", "By", {"system.memory.state"}),
    "system.memory.utilization": ("G", "1", {"system.memory.state"}),
    "system.memory.limit": ("U", "By", set()),
    "system.memory.linux.available": ("U", "By", set()),
    "system.paging.usage": ("U", "By", {"system.paging.state"}),
    "system.paging.utilization": ("G", "1", {"system.paging.state"}),
    "system.disk.io": ("C", "By", DISK),
    "system.disk.operations": ("C", "{operation}", DISK),
    "system.disk.merged": ("C", "{operation}", DISK),
    "system.disk.io_time": ("C", "s", {"system.device"}),
    "system.disk.operation_time": ("C", "s", DISK),
    "system.filesystem.usage": ("U", "By", FILESYSTEM | {"system.filesystem.state"}),
    "system.filesystem.utilization": ("G", "1", FILESYSTEM | {"system.filesystem.state"}),
    "system.filesystem.limit": ("U", "By", FILESYSTEM),
    "system.network.io": ("C", "By", NETWORK),
    "system.network.packet.count": ("C", "{packet}", {"system.device", "network.io.direction"}),
    "system.network.packet.dropped": ("C", "{packet}", NETWORK),
    "system.network.errors": ("C", "{error}", NETWORK),
    "system.uptime": ("G", "s", set()),
    "process.cpu.time": ("C", "s", {"cpu.mode"}),
    "process.cpu.utilization": ("G", "1", set()),
    "process.memory.usage": ("U", "By", set()),
    "process.memory.virtual": ("U", "By", set()),
    "process.memory.utilization": ("G", "1", set()),
    "process.disk.io": ("C", "By", {"disk.io.direction"}),
    "process.thread.count": ("U", "{thread}", set()),
    "process.unix.file_descriptor.count": ("U", "{file_descriptor}", set()),
    "process.uptime": ("G", "s", set()),
    "process.context_switches": ("C", "{context_switch}", {"process.context_switch.type"}),
    "process.paging.faults": ("C", "{fault}", {"system.paging.fault.type"}),
    "cpython.gc.collections": ("C", "{collection}", {"cpython.gc.generation"}),
    "cpython.gc.collected_objects": ("C", "{object}", {"cpython.gc.generation"}),
    "cpython.gc.uncollectable_objects": ("C", "{object}", {"cpython.gc.generation"}),
}

# A sandbox may lack these files or devices; every machine has the others.
MAY_LACK = {name for name in TABLE if name.startswith(("system.disk.", "system.filesystem.", "system.paging."))} | {
    "system.cpu.frequency",
    "system.cpu.physical.count",
    "process.disk.io",
}


class Observed:
    """A provider, its reader and the machine observed with them."""

    def __init__(self, *parts: str) -> None:
        self.reader = InMemoryMetricReader()
        self.provider = MeterProvider([self.reader], shutdown_on_exit=False)
        self.machine: Machine = observe_machine(self.provider, parts or PSUTIL_PARTS)

    def collect(self) -> dict[str, Metric]:
        """Collect from a fresh reading of every part."""
        time.sleep(KEEP_S)
        data = self.reader.get_metrics_data()
        resources = data.resource_metrics if data else ()
        return {metric.name: metric for each in resources for scope in each.scope_metrics for metric in scope.metrics}

    def series(self, name: str) -> dict[tuple[Any, ...], float]:
        """Return the values of one metric by the values of its attributes."""
        return values(self.collect()[name])


def values(metric: Metric) -> dict[tuple[Any, ...], float]:
    """Return a metric's values by the values of its attributes."""
    return {tuple((point.attributes or {}).values()): point.value for point in metric.data.data_points}  # type: ignore[union-attr]


@pytest.fixture
def observed() -> Iterator[Callable[..., Observed]]:
    """Observe parts of the machine with a real provider."""
    made: list[Observed] = []

    def make(*parts: str) -> Observed:
        made.append(Observed(*parts))
        return made[-1]

    yield make
    for each in made:
        each.machine.stop()
        each.provider.shutdown()


def kind(metric: Metric) -> str:
    """Return the table's letter for an instrument."""
    if isinstance(metric.data, Sum):
        return "C" if metric.data.is_monotonic else "U"
    return "G"


def test_the_second_collection_has_the_table_of_the_conventions(observed: Callable[..., Observed]) -> None:
    """Every metric has the instrument, the unit and the attributes of the conventions, and none is beside them."""
    machine = observed()
    machine.collect()
    found = machine.collect()
    assert set(found) <= set(TABLE)
    assert set(TABLE) - set(found) <= MAY_LACK
    for name, metric in found.items():
        attributes = {frozenset(point.attributes or ()) for point in metric.data.data_points}
        assert (name, kind(metric), metric.unit, attributes) == (name, *TABLE[name][:2], {frozenset(TABLE[name][2])})
        assert metric.description


def test_utilization_begins_with_the_second_collection(observed: Callable[..., Observed]) -> None:
    """A share of the time between two collections is not made up for the first one."""
    machine = observed("host", "process")
    names = {"system.cpu.utilization", "process.cpu.utilization"}
    assert not names & set(machine.collect())
    assert names <= set(machine.collect())


def test_a_cpus_modes_share_its_time(observed: Callable[..., Observed]) -> None:
    """The shares of each CPU's modes lie between 0 and 1 and make 1 together."""
    machine = observed("host")
    machine.collect()
    sums: dict[Any, float] = {}
    for (_mode, number), share in machine.series("system.cpu.utilization").items():
        assert 0 <= share <= 1
        sums[number] = sums.get(number, 0) + share
    assert len(sums) == psutil.cpu_count()
    assert list(sums.values()) == pytest.approx([1.0] * len(sums))


def test_memory_states_add_up_to_the_limit(observed: Callable[..., Observed]) -> None:
    """used, free, cached and buffers make the memory of the machine, their shares 1."""
    found = observed("host").collect()
    assert sum(values(found["system.memory.usage"]).values()) == values(found["system.memory.limit"])[()]
    assert sum(values(found["system.memory.utilization"]).values()) == pytest.approx(1.0)


def test_counters_never_fall(observed: Callable[..., Observed]) -> None:
    """Over several collections with work between them no counter goes back."""
    machine = observed()
    before: dict[tuple[str, tuple[Any, ...]], float] = {}
    for _ in range(3):
        for name, metric in machine.collect().items():
            for labels, value in values(metric).items() if kind(metric) == "C" else ():
                assert value >= before.get((name, labels), 0)
                before[name, labels] = value
        sum(i * i for i in range(200_000))
    assert before


def test_the_process_is_this_one(observed: Callable[..., Observed]) -> None:
    """Memory, threads, uptime and a busy CPU are those of the process that asks."""
    machine = observed("process")
    machine.collect()
    until = time.process_time() + 0.4
    while time.process_time() < until:
        pass
    found = machine.collect()
    process = psutil.Process()
    assert values(found["process.memory.usage"])[()] == pytest.approx(process.memory_info().rss, rel=0.2)
    assert values(found["process.thread.count"])[()] == process.num_threads()
    assert values(found["process.uptime"])[()] == pytest.approx(time.time() - process.create_time(), abs=1)
    assert 0 < values(found["process.cpu.utilization"])[()] <= 1


def test_every_thread_s_context_switches_count(observed: Callable[..., Observed]) -> None:
    """Also those of a thread that is no more."""
    machine = observed("process")
    before = machine.series("process.context_switches")[("voluntary",)]
    thread = threading.Thread(target=lambda: [time.sleep(0.0001) for _ in range(300)])
    thread.start()
    thread.join()
    assert machine.series("process.context_switches")[("voluntary",)] >= before + 300


def test_garbage_collections_are_counted_by_generation(observed: Callable[..., Observed]) -> None:
    """One full collection adds one to the oldest generation."""
    machine = observed("runtime")
    before = machine.series("cpython.gc.collections")
    gc.collect()
    after = machine.series("cpython.gc.collections")
    assert set(after) == {(0,), (1,), (2,)}
    assert after[2,] >= before[2,] + 1


def test_after_stop_nothing_is_observed(observed: Callable[..., Observed]) -> None:
    """Stopping silences every instrument, and may be done twice."""
    machine = observed()
    assert machine.collect()
    machine.machine.stop()
    machine.machine.stop()
    assert machine.collect() == {}


def test_what_was_stopped_can_be_observed_again(observed: Callable[..., Observed]) -> None:
    """A provider that was observed before is observed again, although it keeps its old instruments."""
    machine = observed("runtime")
    machine.machine.stop()
    with observe_machine(machine.provider, ["runtime"]):
        assert machine.collect()
    assert machine.collect() == {}


def test_observing_twice_makes_one_set_of_series(observed: Callable[..., Observed]) -> None:
    """Two machines on one provider yield each value once, until both have been stopped."""
    machine = observed("runtime", "process")
    with observe_machine(machine.provider, ["runtime"]):
        assert len(machine.collect()["cpython.gc.collections"].data.data_points) == 3
        machine.machine.stop()
        assert set(machine.collect()) == {name for name in TABLE if name.startswith("cpython.")}
    assert machine.collect() == {}


def test_an_unknown_part_is_refused() -> None:
    """The error names the parts that there are, and the one that was probably meant."""
    with pytest.raises(ConfigurationError, match=r"host, process, runtime, gpu, got hosts .*Did you mean 'host'"):
        observe_machine(parts=["hosts"])


def test_a_provider_that_is_set_later_is_observed_once(script: Callable[..., Any]) -> None:
    """What was observed before the global provider was set reaches it, and asking again doubles nothing."""
    found = script("""
import json
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from otelkit.devices import observe_machine
observe_machine(parts=["runtime"])
reader = InMemoryMetricReader()
provider = MeterProvider([reader])
metrics.set_meter_provider(provider)
machines = [observe_machine(parts=["runtime"]), observe_machine(provider, parts=["runtime"])]
[scope] = reader.get_metrics_data().resource_metrics[0].scope_metrics
print(json.dumps({m.name: len(m.data.data_points) for m in scope.metrics}))
""")
    assert found == {
        "cpython.gc.collections": 3,
        "cpython.gc.collected_objects": 3,
        "cpython.gc.uncollectable_objects": 3,
    }


def test_importing_and_observing_load_neither_psutil_nor_nvml(script: Callable[..., Any]) -> None:
    """They come with the first collection, so that a short command pays nothing for them."""
    assert (
        script("""
import json, sys
from otelkit.devices import GpuMonitor, observe_machine
observe_machine()
print(json.dumps([name for name in ("psutil", "pynvml", "opentelemetry.sdk") if name in sys.modules]))
""")
        == []
    )


def test_a_forked_child_observes_itself(script: Callable[..., Any]) -> None:
    """After a fork the process metrics are the child's: young, with little CPU time and its own threads."""
    parent, child = script("""
import json, os, threading, time
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from otelkit.devices import observe_machine

reader = InMemoryMetricReader()
provider = MeterProvider([reader])
machine = observe_machine(provider, parts=["process"])

def collect():
    [scope] = reader.get_metrics_data().resource_metrics[0].scope_metrics
    return {m.name: sum(p.value for p in m.data.data_points) for m in scope.metrics}

while time.process_time() < 0.6:
    pass
collect()
read, write = os.pipe()
if os.fork() == 0:
    os.write(write, json.dumps(collect()).encode())
    os._exit(0)
os.wait()
child = json.loads(os.read(read, 100_000))
time.sleep(0.3)
print(json.dumps([collect(), child]))
""")
    assert parent["process.cpu.time"] >= 0.5 > 0.3 > child["process.cpu.time"]
    assert child["process.uptime"] < parent["process.uptime"]
    assert "process.cpu.utilization" in parent
    assert "process.cpu.utilization" not in child


def test_no_driver_is_one_debug_line(without_driver: Callable[..., Any]) -> None:
    """Without NVML there are no GPU metrics, one DEBUG line however often is collected, and nothing else."""
    records, collected = without_driver("""
import json, logging, time
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from otelkit._core._guard import guard
from otelkit.devices import observe_machine

records = []
handler = logging.Handler()
handler.emit = lambda record: records.append((record.name, record.levelname))
logging.getLogger().addHandler(handler)
logging.getLogger().setLevel(logging.DEBUG)
reader = InMemoryMetricReader()
provider = MeterProvider([reader])
collected = []
for _ in range(2):
    with observe_machine(provider, parts=["gpu"]):
        for _ in range(2):
            collected.append(reader.get_metrics_data() is None)
            time.sleep(0.3)
collected.append(guard.tallies())
print(json.dumps([records, collected]))
""")
    assert records == [["otelkit", "DEBUG"]]
    assert collected == [True, True, True, True, []]


def test_a_monitor_without_driver_says_what_is_missing(without_driver: Callable[..., Any]) -> None:
    """Asked directly, it raises with NVML's reason and the remedy."""
    text = without_driver("""
import json
from otelkit.devices import GpuMonitor, GpuUnavailableError
try:
    GpuMonitor()
except GpuUnavailableError as error:
    print(json.dumps(str(error)))
""")
    assert "Expected an NVIDIA driver" in text
    assert "NVML Shared Library Not Found" in text
    assert "Install the driver" in text


def test_a_fork_beside_a_search_for_the_driver(without_driver: Callable[..., Any]) -> None:
    """A child whose parent was just looking for the driver in another thread looks for itself, and ends."""
    ended = without_driver("""
import json, os, signal, threading, warnings
import pynvml
from otelkit.devices import GpuMonitor, GpuUnavailableError

warnings.simplefilter("ignore", DeprecationWarning)  # forking with threads is what is tested
initialise, looking, go_on = pynvml.nvmlInit, threading.Event(), threading.Event()

def look():
    try:
        GpuMonitor()
    except GpuUnavailableError:
        return True

def initialise_slowly():
    looking.set()
    go_on.wait(30)
    initialise()

pynvml.nvmlInit = initialise_slowly
threading.Thread(target=look).start()
looking.wait(30)
pid = os.fork()
if pid == 0:
    signal.alarm(20)
    pynvml.nvmlInit = initialise
    os._exit(7 if look() else 1)
go_on.set()
print(json.dumps(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])))
""")
    assert ended == 7
