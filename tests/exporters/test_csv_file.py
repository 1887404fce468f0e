# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""``metrics.csv``."""

import csv
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from otelkit.config import Settings, load
from otelkit.exceptions import ConfigurationError
from otelkit.exporters.csv_file import CsvMetricExporter, create_exporter


def settings(folder: Path) -> Settings:
    """Return settings with that folder."""
    return load(environ={}, data_folder=str(folder))


def rows(path: Path) -> list[dict[str, str]]:
    """Parse the file with the standard library's reader."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_kind_becomes_rows(tmp_path: Path, publish) -> None:
    """Each collection appends one row a field: value for numbers; count, sum, extremes and percentiles otherwise."""
    publisher = publish(create_exporter(settings(tmp_path)))
    publisher.meter.create_counter("orders", "{order}").add(3, {"source": "web"})
    publisher.meter.create_up_down_counter("open").add(-2)
    publisher.meter.create_gauge("load", "1").set(0.25)
    histogram = publisher.meter.create_histogram("wait", "s", explicit_bucket_boundaries_advisory=[1.0, 2.0, 4.0])
    for value in (0.5, 1.5, 1.5, 3.0):
        histogram.record(value)
    publisher.collect()

    found = rows(tmp_path / "metrics.csv")
    assert [tuple(row.values())[2:] for row in found if row["metric"] != "wait"] == [
        ("orders", "counter", "{order}", "source=web", "value", "3"),
        ("open", "up_down_counter", "", "", "value", "-2"),
        ("load", "gauge", "1", "", "value", "0.25"),
    ]
    fields = {row["field"]: float(row["value"]) for row in found if row["metric"] == "wait"}
    assert list(fields) == ["count", "sum", "min", "max", "p50", "p95", "p99"]
    assert (fields["count"], fields["sum"]) == (4, 6.5)
    assert (fields["min"], fields["max"], fields["p50"]) == (0.5, 3.0, 1.5)
    assert 2.0 < fields["p95"] < fields["p99"] <= 3.0
    assert {row["instance"] for row in found} == {"one"}
    age = datetime.now(UTC) - datetime.fromisoformat(found[0]["time"])
    assert timedelta(0) <= age < timedelta(minutes=1)


def test_one_header_over_many_collections(tmp_path: Path, publish) -> None:
    """Collections are appended below one header, by a second exporter too; counters go on counting up."""
    publisher = publish(create_exporter(settings(tmp_path)))
    counter = publisher.meter.create_counter("orders")
    for _ in range(3):
        counter.add(1)
        publisher.collect()
    again = publish(create_exporter(settings(tmp_path)))
    again.meter.create_counter("orders").add(9)
    again.collect()
    assert [row["value"] for row in rows(tmp_path / "metrics.csv")] == ["1", "2", "3", "9"]


def test_labels_survive_any_character(tmp_path: Path, publish) -> None:
    """Separators, quotes, newlines and non-ASCII in label values come back out of the file."""
    labels = {"b": 'a;b=c\\d,"e"\nf', "a": "größe"}
    publisher = publish(create_exporter(settings(tmp_path)))
    publisher.meter.create_counter("orders").add(1, labels)
    publisher.collect()

    [row] = rows(tmp_path / "metrics.csv")
    pairs = re.findall(r"((?:[^\\;=]|\\.)*)=((?:[^\\;=]|\\.)*)", row["labels"], re.DOTALL)
    assert [tuple(re.sub(r"\\(.)", r"\1", part) for part in pair) for pair in pairs] == sorted(labels.items())


def test_rotation_repeats_the_header(tmp_path: Path, publish) -> None:
    """A file at its limit is set aside; both parse on their own."""
    publisher = publish(CsvMetricExporter(tmp_path / "metrics.csv", limit_bytes=300))
    counter = publisher.meter.create_counter("orders")
    for _ in range(6):
        counter.add(1)
        publisher.collect()
    older, newer = rows(tmp_path / "metrics.1.csv"), rows(tmp_path / "metrics.csv")
    assert int(older[-1]["value"]) + 1 == int(newer[0]["value"])
    assert newer[-1]["value"] == "6"


def test_failure_is_counted_and_ends(tmp_path: Path, publish, tally) -> None:
    """While the folder's place is taken exports fail and are counted; afterwards rows arrive again."""
    folder = tmp_path / "data"
    publisher = publish(create_exporter(settings(folder)))
    publisher.meter.create_counter("orders").add(1)
    shutil.rmtree(folder)
    folder.write_text("in the way")
    publisher.collect()
    assert tally("exports", "csv", "failure") == 1
    assert tally("failures", "exporters.csv") == 1
    folder.unlink()
    publisher.collect()
    assert tally("exports", "csv", "success") == 1
    assert [row["value"] for row in rows(folder / "metrics.csv")] == ["1"]


def test_unwritable_folder_is_a_configuration_error(tmp_path: Path) -> None:
    """A folder that cannot exist is refused at set-up, with place and remedy."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=r"folder.*file/data.*argument.*OTELKIT_DATA_FOLDER"):
        create_exporter(settings(tmp_path / "file" / "data"))
