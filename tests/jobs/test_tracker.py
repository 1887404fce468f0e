# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Batches and jobs of an engine of one's own: counted, kept on disk, and gone on with."""

from __future__ import annotations

import itertools
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.metrics import point, points

import otelkit
from otelkit._core._guard import guard
from otelkit.exceptions import ConfigurationError, DeclarationError
from otelkit.testing import capture

_numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def _strict() -> Iterator[None]:
    guard.strict = True
    yield
    guard.strict = False


@pytest.fixture
def name() -> str:
    """Return the name of a tracker that no other test has used."""
    return f"tracked{next(_numbers)}"


def statuses(name: str) -> dict[str, float]:
    """Return what was published."""
    return {each.attributes["status"]: each.value for each in points("job.status", {"job.name": name})}


def test_a_batch_from_an_iterable(name: str) -> None:
    """Each item is a job; what becomes of it is published in the vocabulary of all engines."""
    tracker = otelkit.JobTracker(name, engine=name)
    batch = tracker.create_batch("abcde", batch_id="letters")
    assert [job.id for job in batch] == [f"letters-{number}" for number in range(1, 6)]
    assert statuses(name) == {"submitted": 5}
    first, second, third, fourth, _ = batch
    tracker.update_job_status(first.id, "running")
    assert point("job.active", {"job.name": name}).value == 1
    assert point("job.pending", {"job.name": name}).value == 4
    tracker.update_job_status(first.id, "completed")
    tracker.update_job_status(second.id, "running")
    tracker.update_job_status(second.id, "retried", ConnectionError())
    tracker.update_job_status(second.id, "running")
    tracker.update_job_status(second.id, "failed", ValueError())
    tracker.update_job_status(third.id, "cancelled")
    tracker.update_job_status(fourth.id, "completed")
    assert statuses(name) == {
        "submitted": 5,
        "running": 4,
        "completed": 2,
        "failed": 1,
        "retried": 1,
        "cancelled": 1,
    }
    assert tracker.counts() == {"submitted": 1, "completed": 2, "failed": 1, "cancelled": 1}
    assert point("job.errors", {"job.name": name}).attributes["error.type"] == "ValueError"
    assert point("job.pending", {"job.name": name}).value == 1
    assert point("job.active", {"job.name": name}).value == 0
    assert point("batch.size", {"batch.engine": name}).sum == 5


def test_a_run_as_a_block(name: str) -> None:
    """Completed, or failed by what it raises, which comes out untouched; with a span."""
    tracker = otelkit.JobTracker(name, engine=name)
    with capture() as telemetry:
        good, bad = tracker.create_batch([1, 2])
        with tracker.running(good.id):
            pass
        with pytest.raises(ZeroDivisionError), tracker.running(bad.id):
            1 / 0  # noqa: B018
        assert [span.name for span in telemetry.spans] == [name, name]
    assert (tracker.status(good.id), tracker.status(bad.id)) == ("completed", "failed")


def test_bad_rows_are_located(name: str, tmp_path: Path) -> None:
    """Good rows become jobs; the others are told by file, line and column."""
    path = tmp_path / "orders.csv"
    path.write_bytes(b'id,city\n1,Rome\n2\n3,"Bonn\nam Rhein"\n,Oslo\n1,Rome\n4,K\xf6ln\n\n5,Nice\n')
    batch = otelkit.JobTracker(name).create_batch_from_csv(path, id_column="id", required=["city"])
    assert [job.item for job in batch] == [
        {"id": "1", "city": "Rome"},
        {"id": "3", "city": "Bonn\nam Rhein"},
        {"id": "5", "city": "Nice"},
    ]
    assert [str(error).replace(str(path), "orders.csv") for error in batch.errors] == [
        "Expected 2 values, got 1 - at orders.csv:3.",
        "Expected a value, got none - at orders.csv:6, column 'id'.",
        "Expected an id of its own, got '1' - at orders.csv:7, column 'id'.",
        "Expected text in UTF-8, got 'K\\udcf6ln' - at orders.csv:8, column 'city'.",
    ]
    assert statuses(name) == {"submitted": 3}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "Expected a CSV file, got No such file"),
        (b"", "Expected a CSV file with a header"),
        (b"a,b\n1,2\n", "Expected columns ['id']"),
        (b"id,id\n1,2\n", "Expected each column once"),
    ],
)
def test_a_file_that_is_none_is_an_error(tmp_path: Path, content: bytes | None, message: str) -> None:
    """At once, with what was expected."""
    path = tmp_path / "orders.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DeclarationError) as raised:
        otelkit.JobTracker("files").create_batch_from_csv(path, id_column="id")
    assert str(raised.value).startswith(message)


def test_a_batch_goes_on_where_it_stopped(name: str, tmp_path: Path) -> None:
    """A second process, with the same manifest and batch, does what is left, failed jobs included."""
    path = tmp_path / "folder" / "manifest"
    first = otelkit.JobTracker(name, manifest=path)
    jobs = list(first.create_batch("abcd", batch_id="b"))
    first.update_job_status(jobs[0].id, "completed")
    first.update_job_status(jobs[1].id, "failed", "Timeout")
    first.update_job_status(jobs[2].id, "running")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with path.open("ab") as torn:
        torn.write(b'{"job":"b-4","ba')

    second = otelkit.JobTracker(name, manifest=path)
    assert second.counts() == {"submitted": 2, "completed": 1, "failed": 1}
    batch = second.create_batch("abcde", batch_id="b")
    assert len(batch) == 5
    assert [job.item for job in batch] == ["b", "c", "d", "e"]
    for job in batch:
        with second.running(job.id):
            pass
    assert list(batch) == []
    assert [file.name for file in path.parent.iterdir()] == ["manifest"]
    second.close()
    third = otelkit.JobTracker(name, manifest=path)
    assert third.counts() == {"completed": 5}


def test_a_manifest_of_something_else_is_an_error(name: str, tmp_path: Path) -> None:
    """Neither another tracker's nor any other file is overwritten."""
    path = tmp_path / "manifest"
    otelkit.JobTracker("other", manifest=path).close()
    with pytest.raises(ConfigurationError, match="the manifest of tracker"):
        otelkit.JobTracker(name, manifest=path)
    path.write_text("precious\n")
    with pytest.raises(ConfigurationError, match="a line of a manifest"):
        otelkit.JobTracker(name, manifest=path)
    assert path.read_text() == "precious\n"
    with pytest.raises(ConfigurationError, match="a file to write"):
        otelkit.JobTracker(name, manifest=tmp_path)


def test_mistakes_are_errors(name: str) -> None:
    """An unknown job, an unknown status, an id twice."""
    tracker = otelkit.JobTracker(name)
    (job,) = tracker.create_batch(["a"], id_of=str)
    with pytest.raises(KeyError, match="No job 'b'"):
        tracker.update_job_status("b", "completed")
    with pytest.raises(DeclarationError, match="Did you mean 'completed'"):
        tracker.update_job_status(job.id, "complete")
    with pytest.raises(DeclarationError, match="an id of its own"):
        tracker.create_batch(["x", "x"], id_of=str)
    with pytest.raises(DeclarationError, match="name as text"):
        otelkit.JobTracker("")


def test_a_full_disk_does_not_stop_the_program(name: str, tmp_path: Path) -> None:
    """The manifest's failures are counted, and the program goes on."""
    guard.strict = False
    tracker = otelkit.JobTracker(name, manifest=tmp_path / "manifest")
    assert tracker._manifest is not None
    tracker._manifest.close()
    tracker._manifest._file = -1  # as a disk that takes no more
    (job,) = tracker.create_batch(["a"])
    tracker.update_job_status(job.id, "completed")
    assert tracker.counts() == {"completed": 1}
    failures = [labels for what, labels, _ in guard.tallies() if what == "failures"]
    assert any("a tracker's manifest" in dict(labels).values() for labels in failures)
