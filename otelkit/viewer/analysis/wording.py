# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Numbers as the pages write them (viewer.md, section 9), for sentences that the server makes."""

from __future__ import annotations

import math
import time as clock

THIN = "\u2009"
NARROW = "\u202f"
MINUS = "\u2212"
TIMES = "\u00d7"


def figures(value: float, digits: int = 3) -> str:
    """Return three significant figures, at most two decimals, thousands apart by a narrow space."""
    size = abs(value)
    if size >= 1_000:
        return f"{value:,.0f}".replace(",", NARROW).replace("-", MINUS)
    decimals = max(0, min(2, digits - 1 - (math.floor(math.log10(size)) if size > 0 else 0)))
    return f"{value:.{decimals}f}".replace("-", MINUS)


def duration(seconds: float) -> str:
    """31.8 ms, 1.84 s, 3 min 07 s, 2 h 14 min."""
    size = abs(seconds)
    if size == 0:
        return f"0{THIN}s"
    if size >= 7_200:
        return f"{int(seconds // 3_600)}{THIN}h {int(seconds % 3_600 // 60):02d}{THIN}min"
    if size >= 119.5:
        whole = round(seconds)
        return f"{whole // 60}{THIN}min {whole % 60:02d}{THIN}s"
    for unit, length in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9)):
        if size >= length * 0.9995 or unit == "ns":
            return f"{figures(seconds / length)}{THIN}{unit}"
    raise AssertionError(seconds)


def age(seconds: float) -> str:
    """A length of time in one or two words: 40 s, 4 min, 6 h, 12 d."""
    for unit, length in (("d", 86_400.0), ("h", 3_600.0), ("min", 60.0)):
        if seconds >= 2 * length or (unit == "min" and seconds >= 60):
            return f"{int(seconds // length)}{THIN}{unit}"
    return f"{max(0, int(seconds))}{THIN}s"


def percent(share: float) -> str:
    """0.19 %, 4.63 %, 17 %; a true zero is 0."""
    value = share * 100
    if value == 0:
        return f"0{THIN}%"
    if abs(value) < 0.01:
        return f"<0.01{THIN}%"
    text = f"{value:.0f}" if abs(value) >= 10 else figures(value)
    return f"{text.replace('-', MINUS)}{THIN}%"


def factor(value: float) -> str:
    """4.1 times, with the sign for it."""
    return f"{value:.0f}{TIMES}" if value >= 20 else f"{value:.1f}{TIMES}"


def rate(per_second: float) -> str:
    """84.2 /s, 3.1 /min."""
    if 0 < per_second < 0.1:
        return f"{figures(per_second * 60, 2)}{THIN}/min"
    return f"{figures(per_second)}{THIN}/s"


def size(amount: float) -> str:
    """47.2 GiB."""
    for unit, length in (("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if abs(amount) >= length:
            return f"{figures(amount / length)}{THIN}{unit}"
    return f"{amount:.0f}{THIN}B"


def count(number: float) -> str:
    """1 904, in full."""
    return f"{number:,.0f}".replace(",", NARROW).replace("-", MINUS)


def moment(seconds: float) -> str:
    """2026-11-22T14:38Z: whoever shows the sentence writes it in the zone of whoever reads."""
    return clock.strftime("%Y-%m-%dT%H:%MZ", clock.gmtime(seconds))


def plural(number: int, one: str, many: str = "") -> str:
    """1 call, 2 calls."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


WORDS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten", "Eleven", "Twelve")


def in_words(number: int) -> str:
    """Return Three for 3, and figures from 13 on."""
    return WORDS[number] if number < len(WORDS) else count(number)


def listed(names: list[str], most: int = 3) -> str:
    """Return "a", "a and b", "a, b and 3 more"."""
    if len(names) > most:
        return f"{', '.join(names[: most - 1])} and {len(names) - most + 1} more"
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)
