# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""How many there are of everything: the numbers of the sidebar."""

from __future__ import annotations

from otelkit import semconv
from otelkit.viewer.api import families
from otelkit.viewer.api.context import Context
from otelkit.viewer.api.groups import key_of
from otelkit.viewer.api.shapes.frame import Counts


def counts(context: Context) -> Counts:
    """Return how many services, traces, models, jobs, hosts and metrics are retained."""
    reader, store = context.reader, context.store
    names = reader.names()
    models = {
        key_of(each, (semconv.INFERENCE_ENGINE, semconv.INFERENCE_MODEL))
        for name in (semconv.INFERENCE_REQUESTS.name, semconv.INFERENCE_DURATION.name)
        for each in reader.series(name)
    }
    jobs = {
        key_of(each, (semconv.BATCH_ENGINE, semconv.JOB))
        for name in (semconv.JOB_STATUS.name, semconv.JOB_RUNS.name)
        for each in reader.series(name)
    }
    hosts = {
        key_of(each, ("host.name",))
        for name in (semconv.SYSTEM_CPU_UTILIZATION.name, semconv.SYSTEM_MEMORY_USAGE.name)
        for each in reader.series(name)
    }
    return Counts(
        services=len(services(context)),
        traces=store.statistics().traces,
        inference=len(models),
        batch=len(jobs),
        hosts=len(hosts),
        metrics=len(names),
    )


def services(context: Context) -> set[str]:
    """Return the names of all services, measured or traced."""
    found: set[str] = set()
    measured: set[str] = set()
    for family in families.find(context.reader.names()):
        for each in context.reader.series(family.names[0]):
            found.add(families.named_after(family, key_of(each, family.labels))[0])
            measured.add(each.service)
    return found | {each for each in context.store.services() if each not in measured}
