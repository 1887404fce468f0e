# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Metrics: the MeterProvider, built, joined or fed, and the readers that are ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

from opentelemetry import metrics
from opentelemetry.metrics import MeterProvider as ApiMeterProvider
from opentelemetry.metrics._internal import _ProxyMeterProvider  # the API has no public test for "none installed yet"
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader

from otelkit._core._guard import guard
from otelkit.pipeline.dashboard import destinations
from otelkit.pipeline.deadline import Job, Jobs
from otelkit.pipeline.destinations import create_reader
from otelkit.pipeline.foreign import Feed
from otelkit.pipeline.fork import begin_anew_in_children
from otelkit.pipeline.joining import Join
from otelkit.pipeline.providers import OwnMeterProvider
from otelkit.pipeline.readers import CellReader

if TYPE_CHECKING:
    from otelkit.config import Settings
    from otelkit.instruments.registry import Registry

How = Literal["built", "joined", "fed"]

# Where the exporter's own shutdown finds its time.
_SHARE_OF_TIMEOUT = 0.9

# For what was built before something else failed.
_PATIENCE_S = 0.5


class _Stoppable(Protocol):
    def stop(self) -> None: ...


class Metering:
    """
    Cells on their way out.

    Attributes:
        provider: The MeterProvider, ours or not.
        how: ``built``: it is ours. ``joined``: it is the application's, of the SDK, and its readers get the cells.
            ``fed``: it is one that knows the API only, and instruments on it get what the cells hold.
        readers: The readers that are ours.
    """

    def __init__(self, settings: Settings, registry: Registry) -> None:
        self.readers: list[MetricReader] = []
        self._registry = registry
        self._join: Join | None = None
        self._feed: Feed | None = None
        self._machine: _Stoppable | None = None
        self.provider: ApiMeterProvider
        self.how: How
        self.provider, self.how = self._find_provider(settings)
        if isinstance(self.provider, MeterProvider):
            begin_anew_in_children(self.provider)
        try:
            self._connect(settings)
        except BaseException:
            self.undo()
            raise
        if _none_installed():
            metrics.set_meter_provider(self.provider)
        with guard.shield("machine gauges"):
            self._observe_machine(settings)

    def _find_provider(self, settings: Settings) -> tuple[ApiMeterProvider, How]:
        if _none_installed():
            return OwnMeterProvider(settings, self._count_series), "built"
        installed = metrics.get_meter_provider()
        if isinstance(installed, OwnMeterProvider):
            installed.replace(settings)
            return installed, "built"
        return installed, "joined" if isinstance(installed, MeterProvider) else "fed"

    def _connect(self, settings: Settings) -> None:
        provider = self.provider
        if isinstance(provider, MeterProvider):
            try:
                self._join = Join(provider, self._registry)
            except AttributeError as error:
                guard.failed("joining the installed MeterProvider", error)
                if self.how == "joined":
                    self.how = "fed"
        if self.how == "fed":
            self._feed = Feed(provider, self._registry)
        else:
            wanted = self.how == "built" or settings.source("metrics_exporters") == "argument" or not self._theirs()
            for name, its_settings in destinations("metrics", settings, others=wanted):
                self._add_reader(name, its_settings)

    def _add_reader(self, name: str, settings: Settings) -> None:
        reader, takes_cells = create_reader(name, settings, self._registry)
        self.readers.append(reader)
        if self._join and takes_cells:
            self._join.leave_out(reader)
        assert isinstance(self.provider, MeterProvider)
        self.provider.add_metric_reader(reader)

    def _observe_machine(self, settings: Settings) -> None:
        if settings.machine and (self.readers or self.how != "built"):
            from otelkit.devices import observe_machine

            self._machine = observe_machine(self.provider, settings.machine)

    def _count_series(self) -> int:
        return sum(1 for family in self._registry.families() for _ in family)

    def _theirs(self) -> list[MetricReader]:
        """Return the readers that the application gave its provider, or ours, and has not ended."""
        if not self._join:
            return []
        present = (reader for reader in self._join.readers() if reader not in self.readers)
        return [reader for reader in present if not getattr(reader, "_shutdown", False)]

    def flush_jobs(self) -> list[Job]:
        """Return what to do so that all is delivered."""
        return [*map(_flush_job, self.readers), *self._flush_theirs()]

    def shutdown_jobs(self) -> list[Job]:
        """Return what to do at the end; what is not ours is only flushed."""
        return [*map(_shutdown_job, self.readers), *self._flush_theirs()]

    def _flush_theirs(self) -> list[Job]:
        jobs = [_flush_job(reader) for reader in self._theirs()]
        if self._feed:
            jobs.append(Job("flush of the installed MeterProvider", self._feed.flush))
        return jobs

    def stop(self) -> None:
        """Let the machine's gauges go; call it after the last collection."""
        with guard.shield("machine gauges"):
            if self._machine:
                self._machine.stop()

    def undo(self) -> None:
        """Undo what was built, because something after it failed."""
        Jobs(self.shutdown_jobs(), _PATIENCE_S).wait(_PATIENCE_S)
        self.release()

    def release(self) -> None:
        """Leave the provider as if we had never been there."""
        self.stop()
        for reader in self.readers:
            with guard.shield("end of a reader"):
                if isinstance(self.provider, MeterProvider):
                    self.provider.remove_metric_reader(reader)
        if self._join:
            self._join.leave()
        if self._feed:
            self._feed.close()


def _none_installed() -> bool:
    return isinstance(metrics.get_meter_provider(), _ProxyMeterProvider)


def _name(reader: MetricReader) -> str:
    return reader.name if isinstance(reader, CellReader) else type(reader).__name__


def _flush_job(reader: MetricReader) -> Job:
    return Job(f"flush of {_name(reader)}", lambda timeout_s: reader.force_flush(timeout_millis=timeout_s * 1e3))


def _shutdown_job(reader: MetricReader) -> Job:
    def shutdown(timeout_s: float) -> bool:
        reader.shutdown(timeout_millis=timeout_s * 1e3 * _SHARE_OF_TIMEOUT)
        return not isinstance(reader, CellReader) or reader.delivered

    return Job(f"end of {_name(reader)}", shutdown)
