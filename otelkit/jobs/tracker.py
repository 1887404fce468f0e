# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""`JobTracker`: the vocabulary of batches for an engine of one's own."""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from otelkit import semconv
from otelkit._core._guard import guard
from otelkit.exceptions import DeclarationError, did_you_mean
from otelkit.jobs._manifest import Manifest
from otelkit.jobs._rows import RowError, read_rows
from otelkit.jobs.engine import Engine, Run
from otelkit.jobs.span import start_span

__all__ = ("Batch", "JobTracker", "TrackedJob")

ENGINE = "tracker"
_ENDED = ("completed", "failed", "cancelled")


class TrackedJob(NamedTuple):
    """One job of a batch: its id, and the item or row that it is about."""

    id: str
    item: Any


class Batch:
    """
    A batch of a tracker; iterating gives the jobs that are to be done, those that failed in an earlier run included.

    Attributes:
        id: Its id.
        jobs: All of its jobs, those of an earlier run that are over included.
        errors: Rows of its file that are no jobs, and why.
    """

    def __init__(self, tracker: JobTracker, batch_id: str, jobs: list[TrackedJob], errors: list[RowError]) -> None:
        self._tracker = tracker
        self.id = batch_id
        self.jobs = tuple(jobs)
        self.errors = tuple(errors)

    def __len__(self) -> int:
        return len(self.jobs)

    def __iter__(self) -> Iterator[TrackedJob]:
        return (job for job in self.jobs if self._tracker.status(job.id) not in ("completed", "cancelled"))


class _State:
    """What is known of one job."""

    __slots__ = ("batch", "run", "since", "status")

    def __init__(self, batch: str, status: str) -> None:
        self.batch = batch
        self.status = status
        self.since = time.monotonic()
        self.run: Run | None = None


class JobTracker:
    """
    Records the jobs of a batch engine of your own, in the vocabulary that all engines share.

    ::

        tracker = otelkit.JobTracker("import_orders", manifest="import.manifest")
        batch = tracker.create_batch_from_csv("orders.csv", id_column="order")
        for error in batch.errors:
            print(error)                     # Expected 3 values, got 2 - at orders.csv:17.
        for job in batch:
            with tracker.running(job.id):    # or update_job_status(job.id, "running"), "completed", ...
                store(job.item)

    With a manifest, a program that was interrupted goes on where it stopped: create the same batch again, under the
    same ``batch_id``, and iterate over what is left. Thread-safe; one process per manifest.

    Args:
        name: Value of ``job.name``; of low cardinality.
        manifest: File of ids and statuses, mode 0600; None for none.
        engine: Value of ``batch.engine``.

    Raises:
        ConfigurationError: The manifest cannot be used.
        DeclarationError: ``name`` or ``engine`` is no text.
    """

    def __init__(self, name: str, *, manifest: str | os.PathLike[str] | None = None, engine: str = ENGINE) -> None:
        for what, text in (("name", name), ("engine", engine)):
            if not isinstance(text, str) or not text:
                raise DeclarationError(f"{what} as text", text, "JobTracker")
        self.name = name
        self._engine = Engine(engine)
        self._job = self._engine.job(name)
        self._lock = threading.RLock()
        self._states: dict[str, _State] = {}
        self._manifest = None if manifest is None else Manifest(manifest, name)
        if self._manifest is not None:
            self._states = {job: _State(batch, status) for job, (batch, status) in self._manifest.jobs.items()}
            for state in self._states.values():
                if state.status not in _ENDED:
                    self._job.receive()  # pending here; submitted by the process that stopped
                    state.status = "submitted"

    # -- batches --------------------------------------------------------------------

    def create_batch(
        self, items: Iterable[Any], *, batch_id: str | None = None, id_of: Callable[[Any], object] | None = None
    ) -> Batch:
        """
        Create a batch of one job for each item.

        Args:
            items: Anything; they are kept in memory, not in the manifest.
            batch_id: By default a new one. The id of a batch in the manifest goes on with that batch.
            id_of: Returns an item's id, unique within the tracker; by default batch and position.

        Raises:
            DeclarationError: An id comes twice.
        """
        batch_id = uuid.uuid4().hex if batch_id is None else batch_id
        jobs = [
            TrackedJob(f"{batch_id}-{position}" if id_of is None else str(id_of(item)), item)
            for position, item in enumerate(items, 1)
        ]
        return self._create(batch_id, jobs, [])

    def create_batch_from_csv(
        self,
        path: str | os.PathLike[str],
        *,
        id_column: str | None = None,
        required: Sequence[str] = (),
        batch_id: str | None = None,
    ) -> Batch:
        """
        Create a batch of one job for each good row of a CSV file with a header; an item is a dictionary.

        Args:
            path: The file, in UTF-8.
            id_column: Whose values are the jobs' ids; by default batch and line.
            required: Columns that must have a value.
            batch_id: By default the file's name, so that the same file goes on with the same batch.

        Raises:
            DeclarationError: The file cannot be read, or lacks a column. Bad rows are `Batch.errors`, with file, line
                and column.
        """
        batch_id = os.path.basename(os.fspath(path)) if batch_id is None else batch_id
        needed: list[str] = [*([] if id_column is None or id_column in required else [id_column]), *required]
        errors: list[RowError] = []
        jobs: dict[str, TrackedJob] = {}
        for line, row in read_rows(path, needed, errors):
            job_id = f"{batch_id}-{line}" if id_column is None else row[id_column]
            if job_id in jobs:
                errors.append(RowError(os.fspath(path), line, id_column or "", "an id of its own", repr(job_id)))
            else:
                jobs[job_id] = TrackedJob(job_id, row)
        return self._create(batch_id, list(jobs.values()), errors)

    def _create(self, batch_id: str, jobs: list[TrackedJob], errors: list[RowError]) -> Batch:
        with self._lock:
            seen: set[str] = set()
            for job in jobs:
                known = self._states.get(job.id)
                if job.id in seen or (known is not None and known.batch != batch_id):
                    raise DeclarationError("an id of its own for each job", job.id, f"batch {batch_id!r}")
                seen.add(job.id)
            new = [job.id for job in jobs if job.id not in self._states]
            for job_id in new:
                self._states[job_id] = _State(batch_id, "submitted")
            self._note([(job_id, batch_id, "submitted") for job_id in new])
        if new:
            self._engine.batch(len(new))
            self._job.submit(len(new))
        return Batch(self, batch_id, jobs, errors)

    # -- jobs -----------------------------------------------------------------------

    def status(self, job_id: str) -> str:
        """
        Return a job's status.

        Raises:
            KeyError: There is no such job.
        """
        return self._state(job_id).status

    def counts(self) -> dict[str, int]:
        """Return how many jobs there are of each status."""
        found: dict[str, int] = {status: 0 for status in semconv.STATUSES}  # noqa: C420 - a literal's type, otherwise
        with self._lock:
            for state in self._states.values():
                found[state.status] += 1
        return {status: number for status, number in found.items() if number}

    def update_job_status(self, job_id: str, status: str, error: BaseException | str | None = None) -> None:
        """
        Say what became of a job.

        Args:
            job_id: Of a batch of this tracker.
            status: ``running``, ``completed``, ``failed``, ``retried`` (it is pending again) or ``cancelled``. A job
                that ends without having been running counts as having run since it was submitted.
            error: Of a failed job, or why it is retried: the exception or the name of an error type.

        Raises:
            KeyError: There is no such job.
            DeclarationError: There is no such status.
        """
        if status not in semconv.STATUSES[1:]:
            hint = did_you_mean(str(status), list(semconv.STATUSES[1:]))
            raise DeclarationError(f"one of {', '.join(semconv.STATUSES[1:])}", status, f"job {job_id!r}", hint)
        with self._lock:
            state = self._state(job_id)
            if state.status == status and status != "retried":
                return
            with guard.shield("a tracked job"):
                self._record(state, status, error)
            state.status = status
            self._note([(job_id, state.batch, status)])

    def running(self, job_id: str) -> _Running:
        """
        Return a context manager, with a span, for one run: completed or failed by what its block raises.

        Raises:
            KeyError: There is no such job.
        """
        self._state(job_id)
        return _Running(self, job_id)

    def close(self) -> None:
        """Close the manifest; jobs may still be updated, without it."""
        with self._lock:
            manifest, self._manifest = self._manifest, None
            if manifest is not None:
                manifest.close()

    def _state(self, job_id: str) -> _State:
        try:
            return self._states[job_id]
        except KeyError:
            raise KeyError(f"No job {job_id!r} in tracker {self.name!r}.") from None

    def _record(self, state: _State, status: str, error: BaseException | str | None) -> None:
        waited = time.monotonic() - state.since
        run, state.run = state.run, None
        if status == "cancelled" and run is None:
            if state.status not in _ENDED:
                self._job.cancel()
            return
        if run is None:
            if state.status not in _ENDED:
                self._job.leave()
            run = self._job.start(waited if status == "running" else None)
            if status != "running":
                run.backdate(waited)
        if status == "running":
            state.run = run
        elif status == "completed":
            run.succeed()
        elif status == "cancelled":
            run.cancel()
        elif status == "retried":
            run.retry(error if isinstance(error, BaseException) else None)
            state.since = time.monotonic()
            self._job.receive()
        elif isinstance(error, BaseException):
            run.fail(error)
        else:
            run.fail_as(error or "_OTHER")

    def _note(self, entries: list[tuple[str, str, str]]) -> None:
        if self._manifest is not None and entries:
            with guard.shield("a tracker's manifest"):
                self._manifest.note(entries)


class _Running:
    """One run of a tracked job, with its span."""

    def __init__(self, tracker: JobTracker, job_id: str) -> None:
        self._tracker = tracker
        self._job_id = job_id
        self._span: Any = None

    def __enter__(self) -> None:
        job = self._tracker._job
        self._span = start_span(job.name, job.attributes)
        self._tracker.update_job_status(self._job_id, "running")

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is None:
            self._tracker.update_job_status(self._job_id, "completed")
        else:
            self._span.fail(error)
            self._tracker.update_job_status(self._job_id, "failed", error)
        self._span.end()
