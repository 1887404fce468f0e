# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What otelkit promises to cost, compared with what was measured. Shown, never asserted: a busy machine is no bug."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from benchmarks.cases import BY_KEY
from benchmarks.spread import Measured


class Verdict(NamedTuple):
    """One promise: what, how much is allowed or asked for, what was found (by minima and by medians), kept or not."""

    what: str
    promised: str
    found: str
    kept: bool | None


class AtLeast(NamedTuple):
    """The rival costs at least ``times`` what otelkit costs."""

    case: str
    rival: str
    times: float

    def verdict(self, measured: Measured) -> Verdict:
        ratio, by_median = measured.ratio(self.case, self.rival), measured.median_ratio(self.case, self.rival)
        what = f"{BY_KEY[self.case].title}: cheaper than {NAMES[self.rival]}"
        if ratio is None or by_median is None:
            return Verdict(what, f"≥ {self.times:g} x", "not measured", None)
        return Verdict(what, f"≥ {self.times:g} x", f"{ratio:.1f} x (median {by_median:.1f} x)", ratio >= self.times)


class AtMost(NamedTuple):
    """A figure of otelkit's own stays below ``limit``, both in ``unit`` after multiplying by ``scale``."""

    what: str
    limit: float
    unit: str
    figure: Callable[[Measured], tuple[float, float] | None]

    def verdict(self, measured: Measured) -> Verdict:
        found = self.figure(measured)
        if found is None:
            return Verdict(self.what, f"≤ {self.limit:,g} {self.unit}", "not measured", None)
        minimum, middle = found
        text = f"{minimum:,.0f} {self.unit} (median {middle:,.0f})"
        return Verdict(self.what, f"≤ {self.limit:,g} {self.unit}", text, minimum <= self.limit)


NAMES = {"prometheus": "prometheus_client", "sdk": "the OTel SDK"}


def against_both(case: str, prometheus: float, sdk: float) -> Iterator[AtLeast]:
    yield AtLeast(case, "prometheus", prometheus)
    yield AtLeast(case, "sdk", sdk)


def bytes_of(case: str) -> Callable[[Measured], tuple[float, float] | None]:
    def figure(measured: Measured) -> tuple[float, float] | None:
        found = measured.get((case, "otelkit"))
        return (found.minimum, found.median) if found else None

    return figure


def import_above_sdk(measured: Measured) -> tuple[float, float] | None:
    """Milliseconds that importing otelkit takes once the SDK's metrics and traces are imported."""
    ours, sdk = measured.get(("import", "sdk+otelkit")), measured.get(("import", "sdk"))
    if not ours or not sdk:
        return None
    return (ours.minimum - sdk.minimum) * 1e3, (ours.median - sdk.median) * 1e3


TARGETS: Sequence[AtLeast | AtMost] = (
    *against_both("sync", 6, 50),
    *against_both("sync_label", 10, 45),
    *against_both("async", 4, 30),
    *against_both("generator_1", 4, 30),
    *against_both("generator_10", 4, 30),
    AtLeast("counter_bound", "prometheus", 1),
    AtLeast("scrape_text", "prometheus", 15),
    AtLeast("scrape_openmetrics", "prometheus", 15),
    AtMost("bytes a histogram series", 1126, "B", bytes_of("memory_settled")),
    AtMost("bytes more while observations are pending", 4096, "B", bytes_of("memory_pending")),
    AtMost("import otelkit, above the SDK's metrics and traces", 60, "ms", import_above_sdk),
)


def verdicts(measured: Measured, unwanted: Iterable[str] | None) -> list[Verdict]:
    """All promises; ``unwanted`` are modules that ``import otelkit`` should not load, None when not looked at."""
    found = [target.verdict(measured) for target in TARGETS]
    if unwanted is not None:
        names = ", ".join(unwanted)
        what = "import otelkit loads no exporter, web server, NVML or framework"
        found.append(Verdict(what, "none", names or "none", not names))
    return found
