# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
What recording an inference costs, against the same call uninstrumented.

    python -m benchmarks.inference                the engines that are installed
    python -m benchmarks.inference sklearn step   some of them

Plain and instrumented calls take turns, so that both meet the same machine; figures are the lower quartiles, because
other work on the machine only adds, and ratio and difference are of these.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from time import perf_counter

import otelkit

Call = Callable[[], object]


def compare(plain: Call, recorded: Call, *, seconds: float = 3.0, batch: int = 1) -> tuple[float, float]:
    """Return the lower quartiles of both, in seconds a call."""
    spent: tuple[list[float], list[float]] = ([], [])
    until = perf_counter() + seconds
    while perf_counter() < until:
        for call, times in zip((plain, recorded), spent, strict=True):
            started = perf_counter()
            for _ in range(batch):
                call()
            times.append((perf_counter() - started) / batch)
    return _typical(spent[0]), _typical(spent[1])


def show(name: str, plain: float, recorded: float) -> None:
    """Print one line."""
    more = (recorded - plain) * 1e6
    print(f"| {name} | {plain * 1e6:,.1f} | {recorded * 1e6:,.1f} | {more:,.1f} | {recorded / plain:.3f} |")


def instrumented(library: str, call: Call, *, rounds: int = 30, calls: int = 40) -> tuple[float, float]:
    """Return the lower quartiles of a call without and with a library's instrumentor, which come and go in turns."""
    spent: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for switch, times in zip((otelkit.uninstrument, otelkit.instrument), spent, strict=True):
            switch(library)
            call()
            for _ in range(calls):
                started = perf_counter()
                call()
                times.append(perf_counter() - started)
    otelkit.uninstrument(library)
    return _typical(spent[0]), _typical(spent[1])


def sklearn() -> None:
    """A prediction of about a millisecond."""
    from sklearn.datasets import load_digits
    from sklearn.svm import SVC

    data, targets = load_digits(return_X_y=True)
    machine = SVC().fit(data, targets)
    rows = 1
    while _typical([_seconds(lambda some=data[:rows]: machine.predict(some)) for _ in range(40)]) < 1e-3:
        rows += 1
    some = data[:rows]
    show(f"sklearn: SVC.predict of {rows} rows", *instrumented("sklearn", lambda: machine.predict(some)))


def step() -> None:
    """The step itself, around nothing."""
    from otelkit.loops import inference_of

    recorder = inference_of("benchmark", "model")

    def recorded() -> None:
        with recorder.step(8):
            pass

    def by_hand() -> None:
        with otelkit.inference("model", batch_size=8):
            pass

    show("a step of a recorder", *compare(lambda: None, recorded, batch=1_000))
    show("otelkit.inference", *compare(lambda: None, by_hand, batch=1_000))


def track() -> None:
    """A loop over 1,000 elements whose body is empty."""
    numbers = range(1_000)

    def plain() -> None:
        for _ in numbers:
            pass

    def recorded() -> None:
        for _ in otelkit.track(numbers, name="benchmark"):
            pass

    before, after = compare(plain, recorded)
    show("otelkit.track, one iteration", before / 1_000, after / 1_000)


def _typical(times: list[float]) -> float:
    return statistics.quantiles(times, n=4)[0]


def _seconds(call: Call) -> float:
    started = perf_counter()
    call()
    return perf_counter() - started


CASES: dict[str, Callable[[], None]] = {"step": step, "track": track, "sklearn": sklearn}


def main() -> None:
    """Print a table of the cases that are asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.inference")
    parser.add_argument("cases", nargs="*", help=f"of {', '.join(CASES)}; all, if none is given")
    arguments = parser.parse_args()
    otelkit.configure(
        service_name="benchmark",
        metrics_exporters=["none"],
        traces_exporters=["none"],
        traces_enabled=False,
        machine=[],
    )
    print("| what | plain, µs | recorded, µs | more, µs | ratio |\n|---|---|---|---|---|")
    for case in arguments.cases or CASES:
        try:
            CASES[case]()
        except ImportError as missing:
            print(f"| {case} | not installed: {missing.name} | | | |")


if __name__ == "__main__":
    main()
