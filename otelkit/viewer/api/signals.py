# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The signals of calls and models: what `History` keeps of each window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from otelkit.viewer.analysis import usual
from otelkit.viewer.api import calls as calling
from otelkit.viewer.api import steps
from otelkit.viewer.api.calls import Calls
from otelkit.viewer.api.history import ABSENT, Reading, Signal
from otelkit.viewer.api.reader import Reader
from otelkit.viewer.api.timing import Span

P50, P95, ERRORS, ITEMS = "p50", "p95", "errors", "items"


def of_calls(reader: Reader, span: Span) -> Iterator[Reading]:
    """
    Yield p95, p50 and error share of each service and each of its actions.

    The median, too: on a machine that is short of CPU the slowest calls are so at any time, and only it tells.
    """
    services: dict[str, list[Calls]] = {}
    for each in calling.read(reader, span):
        services.setdefault(each.service, []).append(each)
    for service, actions in services.items():
        if len(actions) > 1:
            yield from _readings(calling.together(actions), span, service, "")
        for each in actions:
            yield from _readings(each, span, service, each.action)
            if len(actions) == 1:
                yield from _readings(each, span, service, "")


def _readings(calls: Calls, span: Span, service: str, action: str) -> Iterator[Reading]:
    # One report over several windows would be counted as several observations of the same.
    if calls.every > 1.5 * span.step_ns:
        return
    ended = _numbers(calls.ended if calls.took is not None else calls.requests)
    if calls.took is not None:
        yield Reading(Signal("service", service, action, P95), _values(calls.quantiles(0.95)), ended)
        yield Reading(Signal("service", service, action, P50), _values(calls.quantiles(0.5)), ended)
    yield Reading(Signal("service", service, action, ERRORS), _values(calls.shares), ended)


def of_models(reader: Reader, span: Span) -> Iterator[Reading]:
    """Yield items a second of each model, warm-up left out."""
    for key, model in steps.read(reader, span).items():
        if model.every > 1.5 * span.step_ns:
            continue
        counts = _numbers(model.batches)
        yield Reading(
            Signal("model", key, "", ITEMS),
            _values([each / span.step if each is not None else None for each in model.items]),
            # A model that ran for a part of a window only has no rate to compare.
            [each if each >= usual.LEAST_OBSERVATIONS else 0.0 for each in counts],
        )


def _values(row: Sequence[float | None]) -> list[float]:
    return [ABSENT if each is None else each for each in row]


def _numbers(row: Sequence[float | None]) -> list[float]:
    return [each or 0.0 for each in row]
