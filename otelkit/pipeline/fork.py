# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
A forked child's copy of the SDK: from zero, and under an instance id of its own.

The SDK's own hooks give a child a new resource, new threads, and some new
locks. Sums, and the locks of storages, aggregations and reservoirs, stay the
parent's (open-telemetry/opentelemetry-python#4767): the child would report
what its parent counted, or hang. Here the whole storage of each reader is
made anew, by what makes it for a new reader.

All this concerns the inside of the SDK. Where that is different, the guard
says so in the child, and the rest of it goes on.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import Any

from opentelemetry.sdk import resources
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics._internal.exponential_histogram.mapping.exponent_mapping import ExponentMapping
from opentelemetry.sdk.metrics._internal.exponential_histogram.mapping.logarithm_mapping import LogarithmMapping
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, Resource, ServiceInstanceIdResourceDetector
from opentelemetry.sdk.trace import TracerProvider

from otelkit._core._fork import forks
from otelkit._core._guard import guard
from otelkit.pipeline.fresh import keep, renew_exporter, renew_locks

Provider = MeterProvider | TracerProvider


def begin_anew_in_children(provider: Provider) -> None:
    """
    Have ``provider``, ours or the application's, begin anew in each forked child.

    Again after each change of its resource: the instance id that it has now, if somebody chose it, is what children
    append their process id to.
    """
    renewal = _renewals.get(provider)
    if renewal is None:
        renewal = _renewals[provider] = _Renewal(provider)
    renewal.remember_instance_id()


def suffixed(instance_id: str) -> str:
    """Return a chosen instance id as it is, or, in a forked child, unique."""
    return f"{instance_id}-{forks.pid}" if forks.forked else instance_id


class _Renewal:
    """What a child does with its copy of one provider."""

    def __init__(self, provider: Provider) -> None:
        self._provider = weakref.ref(provider)
        self._chosen: str | None = None
        forks.in_child(self.begin_anew)
        if hasattr(os, "register_at_fork"):
            # The SDK's own hook, which was registered when the provider was made, replaces also an id that was chosen.
            rename = weakref.WeakMethod(self.rename)

            def after_the_sdk() -> None:
                method = rename()
                if method is not None:
                    method()

            os.register_at_fork(after_in_child=after_the_sdk)

    def remember_instance_id(self) -> None:
        with guard.shield("instance id"):
            instance_id = str(_resource(self._provider()).attributes.get(SERVICE_INSTANCE_ID, ""))
            made = ServiceInstanceIdResourceDetector().detect().attributes[SERVICE_INSTANCE_ID]
            if forks.forked:
                instance_id = instance_id.removesuffix(f"-{forks.pid}")
            self._chosen = instance_id if instance_id and instance_id != made else None

    def begin_anew(self) -> None:
        provider: Any = self._provider()
        if provider is None:
            return
        resources._service_instance_id_lock = threading.Lock()
        renew_locks(provider)
        if isinstance(provider, MeterProvider):
            _begin_metrics_anew(provider)
        else:
            _begin_traces_anew(provider)
        if not forks.hooked:
            provider._handle_fork()
            self.rename()

    def rename(self) -> None:
        provider: Any = self._provider()
        if provider is not None and self._chosen:
            with guard.shield("instance id"):
                provider._update_resource(Resource({SERVICE_INSTANCE_ID: suffixed(self._chosen)}))


_renewals: weakref.WeakKeyDictionary[Provider, _Renewal] = weakref.WeakKeyDictionary()


def _resource(provider: Any) -> Resource:
    return provider._sdk_config.resource if isinstance(provider, MeterProvider) else provider.resource


def _begin_metrics_anew(provider: Any) -> None:
    for mapping in (ExponentMapping, LogarithmMapping):
        mapping._mappings_lock = threading.Lock()
    for meter in list(provider._meters.values()):
        renew_locks(meter)
    consumer = provider._measurement_consumer
    renew_locks(consumer)
    keep(consumer._reader_storages)
    for reader in list(consumer._reader_storages):
        with guard.shield("a reader in a fork's child"):
            consumer.add_metric_reader(reader)  # a storage as for a new reader, in place of the one it has
            renew_locks(reader)
            renew_exporter(getattr(reader, "_exporter", None))
            restart = getattr(reader, "_at_fork_reinit", None)
            if not forks.hooked and restart and getattr(reader, "_daemon_thread", None):
                restart()


def _begin_traces_anew(provider: Any) -> None:
    together = provider._active_span_processor
    renew_locks(together)
    for processor in together._span_processors:
        with guard.shield("a span processor in a fork's child"):
            # The SDK's hook, which was or will be called, empties the queue and starts a thread.
            batch = getattr(processor, "_batch_processor", processor)
            renew_locks(batch)
            renew_exporter(getattr(batch, "_exporter", None) or getattr(batch, "span_exporter", None))
            restart = getattr(batch, "_at_fork_reinit", None)
            if not forks.hooked and restart and getattr(batch, "_pid", None) != forks.pid:  # it looks, too
                restart()
