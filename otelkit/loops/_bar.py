# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
The progress bars of `track`: one line on stderr, for all loops under way, drawn at most ten times a second.

Nested loops share it, the outer ones first. Nothing is drawn in a pipe, in CI, or on a terminal that cannot go back.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
from time import perf_counter
from typing import TYPE_CHECKING, Any

from otelkit._core._fork import forks

if TYPE_CHECKING:
    from otelkit.loops.track import Track

_INTERVAL_S = 0.1
_WIDTH = 24


def watched() -> bool:
    """Tell whether somebody looks on: a terminal that is not CI's, or a notebook."""
    if os.environ.get("CI", "").lower() not in ("", "0", "false") or os.environ.get("TERM") == "dumb":
        return False
    return _is_notebook() or (sys.stderr is not None and sys.stderr.isatty())


def _is_notebook() -> bool:
    if "ipykernel" not in sys.modules:
        return False
    shell: Any = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ == "ZMQInteractiveShell"


class Bars:
    """Draws the loops under way. Thread-safe; a forked child draws none of its parent's."""

    def __init__(self) -> None:
        self.reset()
        forks.in_child(self.reset)

    def reset(self) -> None:
        """Start without any."""
        self._loops: list[Track[Any]] = []
        self._lock = threading.RLock()
        self._next = 0.0
        self._drawn = 0

    def open(self, loop: Track[Any], wanted: bool | None) -> None:
        """Show ``loop``, if it is wanted or somebody looks on."""
        if watched() if wanted is None else wanted:
            with self._lock:
                self._loops.append(loop)
            self._draw()

    @property
    def shown(self) -> bool:
        """Whether there is anything to draw."""
        return bool(self._loops)

    def refresh(self) -> None:
        """Draw, if it is time."""
        if perf_counter() >= self._next:
            self._draw()

    def close(self, loop: Track[Any]) -> None:
        """Show ``loop`` no longer; the last one leaves a line that says what it came to."""
        with self._lock:
            if loop not in self._loops:
                return
            self._loops.remove(loop)
            if self._loops:
                self._draw()
            else:
                self._write(summary(loop), "\n")

    def _draw(self) -> None:
        with self._lock:
            self._next = perf_counter() + _INTERVAL_S
            if not self._loops:
                return
            *outer, innermost = self._loops
            parts = [f"{loop.name} {_count(loop)}" for loop in outer]
            self._write("  ".join([*parts, progress(innermost)]), "")

    def _write(self, text: str, end: str) -> None:
        # One less than the terminal is wide: a full line would wrap, and \r could not take it back.
        text = text[: max(shutil.get_terminal_size().columns - 1, 10)]
        try:
            sys.stderr.write(f"\r{text.ljust(self._drawn)}{end}")
            sys.stderr.flush()
        except (OSError, ValueError, AttributeError):  # closed, or none at all
            self._loops.clear()
        self._drawn = 0 if end else len(text)


bars = Bars()


def progress(loop: Track[Any]) -> str:
    """Return a running loop's line: bar, count, rate, share of waiting, time left, errors."""
    done = loop.iterations
    parts = [loop.name]
    if loop.total:
        filled = min(round(_WIDTH * done / loop.total), _WIDTH)
        parts.append(f"{min(100 * done // loop.total, 100):3d}%|{'█' * filled}{' ' * (_WIDTH - filled)}|")
    parts += [_count(loop), *_figures(loop)]
    if loop.total and done:
        left = (perf_counter() - loop.started) / done * max(loop.total - done, 0)
        parts.append(f"ETA {_clock(left)}")
    return " ".join(parts)


def summary(loop: Track[Any]) -> str:
    """Return a loop's line when it is over."""
    return " ".join([loop.name, _count(loop), f"in {_clock(perf_counter() - loop.started)}", *_figures(loop)])


def _count(loop: Track[Any]) -> str:
    return f"{loop.iterations}/{loop.total}" if loop.total is not None else str(loop.iterations)


def _figures(loop: Track[Any]) -> list[str]:
    elapsed = perf_counter() - loop.started
    figures = [f"{_short(loop.items / elapsed)} {loop.unit}/s"] if elapsed > 0 else []
    spent = loop.wait_s + loop.work_s
    if spent > 0:
        figures.append(f"waiting {round(100 * loop.wait_s / spent)}%")
    if loop.errors:
        figures.append(f"{loop.errors} error{'s' if loop.errors > 1 else ''}")
    return figures


def _short(number: float) -> str:
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if number >= limit:
            return f"{number / (1e3 if unit == 'k' else limit):.1f}{unit}"
    return f"{number:.0f}" if number >= 100 else f"{number:.2g}" if number < 1 else f"{number:.1f}"


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
