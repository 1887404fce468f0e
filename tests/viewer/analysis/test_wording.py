# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Numbers as pages write them."""

from __future__ import annotations

import pytest

from otelkit.viewer.analysis import wording


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0318, "31.8 ms"),
        (1.84, "1.84 s"),
        (187, "3 min 07 s"),
        (8_040, "2 h 14 min"),
        (119.4, "119 s"),
        (0.000_004_2, "4.20 µs"),
        (0.000_000_042, "42.0 ns"),
        (0, "0 s"),
    ],
)
def test_durations_have_three_figures(seconds: float, text: str) -> None:
    """Down to nanoseconds, up to hours."""
    assert wording.duration(seconds).replace("\u2009", " ") == text


@pytest.mark.parametrize(
    ("share", "text"), [(0.0019, "0.19 %"), (0.0463, "4.63 %"), (0.171, "17 %"), (0.00001, "<0.01 %"), (0, "0 %")]
)
def test_shares_are_percents(share: float, text: str) -> None:
    """A true zero is 0, and what is less than can be written says so."""
    assert wording.percent(share).replace("\u2009", " ") == text


def test_times_are_the_same_for_every_reader() -> None:
    """UTC, with its date: the page writes them in the zone of whoever reads."""
    assert wording.moment(1_795_358_290) == "2026-11-22T14:38Z"


def test_other_kinds() -> None:
    """Rates, sizes, counts, factors, ages."""
    assert wording.rate(84.2).replace("\u2009", " ") == "84.2 /s"
    assert wording.rate(0.05).replace("\u2009", " ") == "3.0 /min"
    assert wording.size(47.2 * 2**30).replace("\u2009", " ") == "47.2 GiB"
    assert wording.count(12_904) == "12\u202f904"
    assert wording.factor(4.11) == "4.1\u00d7"
    assert wording.age(250).replace("\u2009", " ") == "4 min"
    assert wording.plural(1, "child", "children") == "1 child"
    assert wording.listed(["a", "b", "c", "d"]) == "a, b and 2 more"
    assert wording.in_words(3) == "Three"
