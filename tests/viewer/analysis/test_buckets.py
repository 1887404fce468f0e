# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Quantiles, merging and coarsening of histograms."""

from __future__ import annotations

import math

from hypothesis import assume, given
from hypothesis import strategies as st

from otelkit.viewer.analysis import buckets

bounds = st.lists(st.floats(0.001, 1_000, allow_nan=False), min_size=1, max_size=20, unique=True).map(
    lambda values: tuple(sorted(values))
)


@st.composite
def histograms(draw: st.DrawFn) -> tuple[tuple[float, ...], list[float]]:
    """Bounds and counts that fit."""
    edges = draw(bounds)
    return edges, [float(draw(st.integers(0, 100))) for _ in range(len(edges) + 1)]


def test_a_quantile_is_linear_within_its_bucket() -> None:
    """Of ten between 0 and 1, half lie below a half."""
    assert buckets.quantile((1.0, 2.0), [10.0, 0.0, 0.0], 0.5) == (0.5, True, False)


def test_a_quantile_beyond_the_last_bound_says_so() -> None:
    """There is no value to give, but the bound."""
    reading = buckets.quantile((1.0, 2.0), [1.0, 0.0, 9.0], 0.95)
    assert reading == (2.0, True, True)


def test_a_known_maximum_closes_the_last_bucket() -> None:
    """Then it can be read."""
    reading = buckets.quantile((1.0, 2.0), [0.0, 0.0, 10.0], 0.5, high=4.0)
    assert reading is not None
    assert not reading.over
    assert reading.value == 3.0


def test_a_narrow_bucket_is_no_approximation() -> None:
    """Its width is below a quarter of the value."""
    reading = buckets.quantile((1.0, 1.1), [0.0, 10.0, 0.0], 0.5)
    assert reading is not None
    assert not reading.approximate


def test_nothing_has_no_quantile() -> None:
    """Nor is it zero."""
    assert buckets.quantile((1.0,), [0.0, 0.0], 0.5) is None


@given(given_=histograms(), shares=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_quantiles_grow_with_their_share_and_lie_within_the_filled_buckets(
    given_: tuple[tuple[float, ...], list[float]], shares: tuple[float, float]
) -> None:
    """Monotone, and never where nothing was observed."""
    edges, counts = given_
    assume(sum(counts) > 0)
    low, high = (buckets.quantile(edges, counts, share) for share in sorted(shares))
    assert low is not None
    assert high is not None
    assert low.value <= high.value + 1e-9
    filled = [index for index, count in enumerate(counts) if count]
    floor = edges[filled[0] - 1] if filled[0] else 0.0
    ceiling = edges[filled[-1]] if filled[-1] < len(edges) else edges[-1]
    assert floor <= low.value <= high.value <= ceiling


@given(given_=histograms(), target=bounds)
def test_rebucketing_keeps_the_sum(given_: tuple[tuple[float, ...], list[float]], target: tuple[float, ...]) -> None:
    """Counts are moved, never made."""
    edges, counts = given_
    moved = buckets.rebucket(edges, counts, target)
    assert len(moved) == len(target) + 1
    assert math.isclose(sum(moved), sum(counts), rel_tol=1e-9, abs_tol=1e-9)
    assert all(each >= 0 for each in moved)


@given(given_=histograms(), data=st.data())
def test_rebucketing_to_some_of_the_bounds_is_exact(
    given_: tuple[tuple[float, ...], list[float]], data: st.DataObject
) -> None:
    """Counts below each kept bound are those below it before."""
    edges, counts = given_
    kept = tuple(sorted(data.draw(st.sets(st.sampled_from(edges), min_size=1))))
    moved = buckets.rebucket(edges, counts, kept)
    for index, bound in enumerate(kept):
        assert sum(moved[: index + 1]) == sum(counts[: edges.index(bound) + 1])


@given(given_=histograms(), rows=st.integers(2, 12))
def test_coarsening_adds_up_neighbours_only(given_: tuple[tuple[float, ...], list[float]], rows: int) -> None:
    """What lies below a bound that is left is what lay below it before."""
    edges, counts = given_
    first, last = buckets.occupied([counts])
    coarse, (merged,) = buckets.coarsen(edges, [counts], rows, first, last)
    assert merged is not None
    assert len(merged) == len(coarse) + 1
    for index, bound in enumerate(coarse):
        assert sum(merged[: index + 1]) == sum(counts[: edges.index(bound) + 1])
    assert sum(merged) == sum(counts)


def test_trimming_leaves_out_empty_buckets_at_both_ends() -> None:
    """Edges are one more than rows."""
    edges, (column, gap) = buckets.trimmed((1.0, 2.0, 3.0), [[0.0, 4.0, 0.0, 0.0], None], None)
    assert edges == [1.0, 2.0]
    assert column == [4.0]
    assert gap is None


@given(levels=st.lists(st.floats(0, 100, allow_nan=False), max_size=50))
def test_whole_numbers_add_up_as_the_fractions_do(levels: list[float]) -> None:
    """To half a call, at every point of the axis."""
    whole = buckets.whole(levels)
    for end in range(len(levels) + 1):
        assert abs(sum(whole[:end]) - sum(levels[:end])) <= 0.5 + 1e-6
    assert all(each >= 0 for each in whole)


@given(
    scale=st.integers(-2, 8),
    offset=st.integers(-50, 50),
    counts=st.lists(st.integers(0, 20), min_size=1, max_size=40),
    below=st.integers(0, 5),
)
def test_exponential_histograms_keep_count_and_place(scale: int, offset: int, counts: list[int], below: int) -> None:
    """Finer scales move into the bucket that holds them; the sum stays at any scale."""
    moved = buckets.exponential_counts(scale, offset, counts, below)
    assert math.isclose(sum(moved), sum(counts) + below)
    if scale >= buckets.GRID_SCALE:
        base = 2.0 ** (2.0**-scale)
        for index, count in enumerate(counts, start=offset):
            position = buckets.rebucket((base**index, base ** (index + 1)), [0, count, 0], buckets.GRID)
            inside = [place for place, each in enumerate(position) if each > count * 0.01]
            assert not count or any(moved[place] > 0 for place in inside)
