# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""``metrics.json``."""

import json
import os
import shutil
import stat
import threading
from pathlib import Path

import pytest

from otelkit.config import Settings, load
from otelkit.exceptions import ConfigurationError
from otelkit.exporters.json_file import create_exporter


def settings(folder: Path) -> Settings:
    """Return settings with that folder."""
    return load(environ={}, data_folder=str(folder))


def read(path: Path) -> dict:
    """Parse strictly: NaN and Infinity are no JSON."""
    return json.loads(path.read_text(encoding="utf-8"), parse_constant=pytest.fail)


def test_document_holds_every_kind(tmp_path: Path, publish) -> None:
    """Names, units, descriptions, labels, numbers and percentiles are all there."""
    publisher = publish(create_exporter(settings(tmp_path)))
    publisher.meter.create_counter("orders", "{order}", "Orders placed.").add(3, {"source": 'web "ü"'})
    publisher.meter.create_up_down_counter("open").add(-2)
    histogram = publisher.meter.create_histogram("wait", "s", explicit_bucket_boundaries_advisory=[1.0, 2.0])
    for value in (0.5, 1.5):
        histogram.record(value, {"queue": "a"})
    histogram.record(0.25, {"queue": "b"})
    publisher.collect()

    document = read(tmp_path / "metrics.json")
    assert document["schema"] == "otelkit/metrics/1"
    assert document["pid"] == os.getpid()
    assert document["resource"] == {"service.name": "shop", "service.instance.id": "one"}
    orders, opened, wait = document["metrics"]
    assert orders == {
        "name": "orders",
        "kind": "counter",
        "unit": "{order}",
        "description": "Orders placed.",
        "points": [{"labels": {"source": 'web "ü"'}, "value": 3}],
    }
    assert (opened["kind"], opened["points"]) == ("up_down_counter", [{"labels": {}, "value": -2}])
    first, second = wait["points"]
    assert first == {
        "labels": {"queue": "a"},
        "count": 2,
        "sum": 2.0,
        "min": 0.5,
        "max": 1.5,
        "p50": 1.0,
        "p95": pytest.approx(1.45),
        "p99": pytest.approx(1.49),
    }
    assert second["p50"] == 0.25


def test_file_is_replaced_by_the_newest_state(tmp_path: Path, publish) -> None:
    """After each collection there is one document, 0600, and nothing beside it but the lock."""
    publisher = publish(create_exporter(settings(tmp_path)))
    counter = publisher.meter.create_counter("orders")
    for expected in (1, 2):
        counter.add(1)
        publisher.collect()
        assert read(tmp_path / "metrics.json")["metrics"][0]["points"][0]["value"] == expected
    assert {path.name for path in tmp_path.iterdir()} == {"metrics.json", ".metrics.json.lock"}
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in tmp_path.iterdir())


def test_reader_never_sees_half_a_document(tmp_path: Path, publish) -> None:
    """A reader that reads all the time gets a whole document every time."""
    publisher = publish(create_exporter(settings(tmp_path)))
    counter = publisher.meter.create_counter("orders")
    for i in range(300):
        counter.add(1, {"customer": str(i)})
    publisher.collect()
    done = threading.Event()

    def write() -> None:
        for _ in range(30):
            publisher.collect()
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    reads = 0
    while not done.is_set():
        assert len(read(tmp_path / "metrics.json")["metrics"][0]["points"]) == 300
        reads += 1
    writer.join()
    assert reads > 1


def test_not_finite_is_null(tmp_path: Path, publish) -> None:
    """A gauge that is not a number leaves the document valid."""
    publisher = publish(create_exporter(settings(tmp_path)))
    publisher.meter.create_gauge("load").set(1.0, {"weights": (1.0, float("nan"))})
    publisher.meter.create_counter("spent").add(1e308)
    publisher.meter.create_counter("spent").add(1e308)
    publisher.collect()
    load, spent = read(tmp_path / "metrics.json")["metrics"]
    assert load["points"] == [{"labels": {"weights": [1.0, None]}, "value": 1.0}]
    assert spent["points"] == [{"labels": {}, "value": None}]


def test_forked_worker_writes_a_file_of_its_own(tmp_path: Path, publish) -> None:
    """A child leaves its parent's file alone, and the parent goes on with its own."""
    publisher = publish(create_exporter(settings(tmp_path)))
    counter = publisher.meter.create_counter("orders")
    counter.add(1)
    publisher.collect()
    child = os.fork()
    if not child:
        publisher.collect()
        os._exit(0)
    os.waitpid(child, 0)
    counter.add(1)
    publisher.collect()
    assert read(tmp_path / f"metrics-{child}.json")["pid"] == child
    assert read(tmp_path / "metrics.json")["pid"] == os.getpid()


def test_two_writers_never_share_a_file(tmp_path: Path, publish) -> None:
    """Who comes second writes beside the first, also when the folder was deleted in between."""
    folder = tmp_path / "data"
    first, second = (publish(create_exporter(settings(folder))) for _ in range(2))
    first.meter.create_counter("first").add(1)
    second.meter.create_counter("second").add(1)
    for earlier, later, owner in ((first, second, "first"), (second, first, "second")):
        earlier.collect()
        later.collect()
        assert read(folder / "metrics.json")["metrics"][0]["name"] == owner
        assert read(folder / f"metrics-{os.getpid()}.json")["metrics"][0]["name"] != owner
        shutil.rmtree(folder)


def test_failure_is_counted_and_ends(tmp_path: Path, publish, tally) -> None:
    """While the folder's place is taken exports fail and are counted; afterwards the document is back."""
    folder = tmp_path / "data"
    publisher = publish(create_exporter(settings(folder)))
    publisher.meter.create_counter("orders").add(1)
    publisher.collect()
    shutil.rmtree(folder)
    folder.write_text("in the way")
    publisher.collect()
    assert tally("exports", "json", "failure") == 1
    folder.unlink()
    publisher.collect()
    assert tally("exports", "json", "success") == 2
    assert read(folder / "metrics.json")["metrics"][0]["points"][0]["value"] == 1


def test_unwritable_folder_is_a_configuration_error(tmp_path: Path) -> None:
    """A folder that cannot exist is refused at set-up, with place and remedy."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=r"folder.*file/data.*argument.*OTELKIT_DATA_FOLDER"):
        create_exporter(settings(tmp_path / "file" / "data"))
