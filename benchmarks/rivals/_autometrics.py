# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What the two trackers of autometrics have in common; one process can hold only one."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks import loops
from benchmarks.loops import BOUNDS, Timing


def cases(tracker: str) -> dict[str, Callable[[], Timing]]:
    """
    The cases autometrics takes part in.

    It labels by function and caller only, and times a generator's creation
    instead of its run, so labels, generators and single instruments are left out.
    """
    import autometrics

    autometrics.init(tracker=tracker, histogram_buckets=list(BOUNDS), service_name="shop")
    decorate = autometrics.autometrics(track_concurrency=True)
    plain = decorate(loops.plain)
    return loops.timings(
        **{
            "sync": plain,
            "sync_threads": plain,
            "sync_raises": decorate(loops.raising),
            "async": decorate(loops.coroutine),
        }
    )
