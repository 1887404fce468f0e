# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
The driver: holds the rivals' processes open and lets them take turns.

pyperf's own runner finishes one benchmark before it starts the next. On a
machine that others use as well, a ratio of two such figures compares two
different minutes; taking turns every few milliseconds compares the same ones.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from benchmarks import environments
from benchmarks.cases import Case, Group, Rival


@dataclass
class Effort:
    """
    How long to look.

    Args:
        processes: Fresh processes per rival: hash seeds and memory layout differ between them.
        values: Turns per case and process.
        seconds: Length of one turn.
        heavy_values: Turns of cases that take a second each.
        imports: Interpreter starts per import measured.
    """

    processes: int = 3
    values: int = 40
    seconds: float = 0.008
    heavy_values: int = 5
    imports: int = 21


QUICK = Effort(processes=1, values=15, seconds=0.003, heavy_values=2, imports=5)


@dataclass
class Results:
    """
    All that was measured.

    Args:
        values: By (case key, rival key): seconds above the bare call, or bytes.
        bare: By case key: seconds of the bare call.
        versions: By environment and distribution.
        errors: What could not be measured, in words.
    """

    values: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    bare: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    versions: dict[str, str] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)


class Contestant:
    """One rival's running process."""

    def __init__(self, rival: Rival) -> None:
        self.rival = rival
        self.loops = 0
        command = [environments.python(rival.environment), "-m", "benchmarks.worker", rival.module]
        self._process = subprocess.Popen(
            command, cwd=environments.ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Send one request and wait for the answer; one with ``error`` in it when the process is gone."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            print(json.dumps({"do": do, **arguments}), file=self._process.stdin, flush=True)
            return json.loads(self._process.stdout.readline())
        except (OSError, ValueError):
            return {"error": f"process ended with {self._process.wait()}"}

    def close(self) -> None:
        self._process.communicate()


class Contest:
    """Runs cases over rivals and gathers the results."""

    def __init__(self, rivals: Sequence[Rival], effort: Effort) -> None:
        self._rivals = rivals
        self._effort = effort
        self.results = Results()

    def run(self, cases: Sequence[Case]) -> Results:
        """Run ``cases``, group after group."""
        for group in Group:
            members = [case for case in cases if case.group is group]
            if group in (Group.CALLS, Group.SPANS):
                for _ in range(self._effort.processes if members else 0):
                    self._take_turns(members)
            else:
                for case in members:
                    self._take_heavy_turns(case)
        return self.results

    def _take_turns(self, cases: Sequence[Case]) -> None:
        with self._contestants(cases) as playing:
            for case in cases:
                print(f"benchmarks: {case.title}", file=sys.stderr, flush=True)
                self._play(case, [one for one, known in playing if case.key in known])

    def _play(self, case: Case, contestants: Iterable[Contestant]) -> None:
        ready = []
        for one in contestants:
            answer = self._checked(one, case, one.ask("calibrate", case=case.key, seconds=self._effort.seconds))
            if answer:
                one.loops = answer["loops"]
                ready.append(one)
        for _ in range(self._effort.values):
            for one in ready:
                answer = self._checked(one, case, one.ask("measure", case=case.key, loops=one.loops))
                if answer:
                    self.results.values[case.key, one.rival.key].append(answer["seconds"])
                    self.results.bare[case.key].append(answer["bare"])

    def _take_heavy_turns(self, case: Case) -> None:
        print(f"benchmarks: {case.title}", file=sys.stderr, flush=True)
        turns = 1 if case.group is Group.MEMORY else self._effort.heavy_values
        with self._contestants([case]) as playing:
            for _ in range(turns):
                for one, _known in playing:
                    answer = self._checked(one, case, one.ask("number", case=case.key))
                    if answer:
                        self.results.values[case.key, one.rival.key].append(answer["value"])

    @contextmanager
    def _contestants(self, cases: Sequence[Case]) -> Iterator[list[tuple[Contestant, set[str]]]]:
        """The processes of all rivals that know any of ``cases``, each with the keys it knows."""
        with ExitStack() as stack:
            playing = []
            for rival in self._rivals:
                one = Contestant(rival)
                stack.callback(one.close)
                described = one.ask("describe")
                if "error" in described:
                    self._note(f"{rival.title}: {described['error']}")
                    continue
                self.results.versions.update(described["versions"])
                known = set(described["cases"])
                if known.intersection(case.key for case in cases):
                    playing.append((one, known))
                else:
                    one.close()
            yield playing

    def _checked(self, one: Contestant, case: Case, answer: dict[str, Any]) -> dict[str, Any] | None:
        if "error" not in answer:
            return answer
        self._note(f"{one.rival.title}, {case.title}: {answer['error']}")
        return None

    def _note(self, error: str) -> None:
        if error not in self.results.errors:
            self.results.errors.append(error)
            print(f"benchmarks: {error}", file=sys.stderr, flush=True)
