# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""otelkit's metrics inside a prometheus_client registry."""

import pytest
from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from prometheus_client.registry import DuplicateTimeseries

from otelkit._core._snapshot import (
    Attributes,
    Exemplar,
    ExponentialPoint,
    HistogramPoint,
    Kind,
    Metric,
    MetricSnapshot,
    NumberPoint,
    SummaryPoint,
)
from otelkit.exporters._exposition import otelkit_scope, render
from otelkit.exporters.prometheus import OtelkitCollector

START_NS = 1_700_000_000_250_000_000
EXEMPLAR = Exemplar.of(0.5, 0xABC, 0xDEF, START_NS)


def point(kind, **labels):
    """Make a point of the kind."""
    attributes = Attributes(labels)
    if kind is Kind.HISTOGRAM:
        return HistogramPoint(attributes, START_NS, 2, 6, 2.5, 0, 9, (0.1, 1.0), [1, 2, 3], (EXEMPLAR,))
    if kind is Kind.EXPONENTIAL_HISTOGRAM:
        return ExponentialPoint(attributes, START_NS, 2, 3, 2.5, 0, 9, 0, 1, 0, [1, 1], 0, [], (EXEMPLAR,))
    if kind is Kind.SUMMARY:
        return SummaryPoint(attributes, START_NS, 2, 6, 2.5, ((0.5, 0.1), (0.99, 1.0)))
    return NumberPoint(attributes, START_NS, 2, 3.0, EXEMPLAR if kind is Kind.COUNTER else None)


class Registry:
    """A registry with one metric of each kind, and one that is declared but has no points."""

    def __init__(self):
        self.snapshots = [
            MetricSnapshot(Metric(f"shop.{kind.value}", kind, "s", 'A "thing".\n'), [point(kind, a="1", le="x\n")])
            for kind in Kind
        ]

    def __iter__(self):
        return iter([*(snapshot.metric for snapshot in self.snapshots), Metric("shop.idle", Kind.COUNTER)])

    def snapshot(self):
        """Return the points."""
        return list(self.snapshots)


def samples(families):
    """Return what a parser found, ``{(name, labels): (value, exemplar's labels)}``."""
    return {
        (s.name, tuple(sorted(s.labels.items()))): (s.value, s.exemplar and (s.exemplar.labels, s.exemplar.value))
        for family in families
        for s in family.samples
    }


def test_openmetrics_through_the_client_equals_the_page():
    """Samples, _created and exemplars that prometheus_client writes are those of /metrics."""
    client = CollectorRegistry()
    client.register(OtelkitCollector(Registry()))
    theirs = list(parse_openmetrics(generate_openmetrics(client).decode()))
    ours = list(parse_openmetrics(render(Registry().snapshots, openmetrics=True, scope=otelkit_scope()).decode()))
    assert samples(theirs) == samples(ours)
    assert {f.name: (f.type, f.unit, f.documentation) for f in theirs} == {
        f.name: (f.type, f.unit, f.documentation) for f in ours
    }
    assert sum(exemplar is not None for _, exemplar in samples(theirs).values()) == 3
    assert sum(name.endswith("_created") for name, _ in samples(theirs)) == 4


def test_text_through_the_client_equals_the_page():
    """In text the client adds only its own gauges for _created."""
    client = CollectorRegistry()
    client.register(OtelkitCollector(Registry(), scope_labels=False))
    theirs = samples(parse_text(generate_latest(client).decode()))
    ours = samples(parse_text(render(Registry().snapshots, openmetrics=False).decode()))
    assert {key: value for key, value in theirs.items() if not key[0].endswith("_created")} == ours


def test_describe_names_what_is_declared():
    """The client refuses a second metric of a name that is declared here, even before it has points."""
    client = CollectorRegistry()
    client.register(OtelkitCollector(Registry()))
    with pytest.raises(DuplicateTimeseries):
        Counter("shop_idle", "Taken.", registry=client)
    with pytest.raises(DuplicateTimeseries):
        Counter("shop_counter_seconds", "Taken.", registry=client)
    with pytest.raises(DuplicateTimeseries):
        client.register(OtelkitCollector(Registry()))
