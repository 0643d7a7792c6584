"""Rates have intervals, and drift is separated from chance."""

from __future__ import annotations

import math
from datetime import date

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from service.domain.drift import Drift, compare, compare_scores
from service.domain.rates import Rate
from service.domain.time_buckets import Bucket, buckets_between, first_day

COUNTS = st.lists(st.integers(0, 5000), min_size=2, max_size=12)


@pytest.mark.parametrize(("count", "of"), [(0, 10), (1, 10), (5, 10), (10, 10), (3, 4000), (1, 1)])
def test_the_interval_is_wilsons(count: int, of: int) -> None:
    expected = scipy.stats.binomtest(count, of).proportion_ci(method="wilson")
    assert Rate(count, of).interval == pytest.approx((expected.low, expected.high), abs=1e-6)
    assert Rate(count, of).value == count / of


def test_of_nothing_there_is_no_rate() -> None:
    assert Rate(0, 0).value is None and Rate(0, 0).interval is None
    assert Rate(1, 2) + Rate(2, 6) == Rate(3, 8)


@given(COUNTS)
def test_the_same_twice_is_steady(counts: list[int]) -> None:
    found = compare(counts, counts)
    assert found.index in (None, 0.0)
    assert found.drift is (Drift.STEADY if sum(counts) >= 100 else Drift.TOO_FEW)


@given(COUNTS, st.randoms())
def test_the_index_is_never_negative_and_the_same_both_ways(counts: list[int], chance: object) -> None:
    others = counts[:]
    chance.shuffle(others)  # type: ignore[attr-defined]
    there, back = compare(counts, others), compare(others, counts)
    assert there.index == (back.index if there.index is None else pytest.approx(back.index))
    assert there.index is None or there.index >= 0


def test_the_index_adds_up_how_far_shares_lie_apart() -> None:
    found = compare([300_000, 700_000], [500_000, 500_000])
    assert found.index == pytest.approx(-0.2 * math.log(0.3 / 0.5) + 0.2 * math.log(0.7 / 0.5), rel=1e-4)
    assert found.drift is Drift.MOVED
    assert compare([200_000, 800_000], [500_000, 500_000]).drift is Drift.SHIFTED
    assert compare([450_000, 550_000], [500_000, 500_000]).drift is Drift.STEADY


def test_chance_alone_stays_below_its_limit_in_95_of_100_cases() -> None:
    rng = np.random.default_rng(7)
    shares = rng.dirichlet(np.full(10, 5))
    pairs = [compare(rng.multinomial(400, shares).tolist(), rng.multinomial(700, shares).tolist()) for _ in range(2000)]
    within = np.mean([(pair.index or 0) <= (pair.by_chance or 0) for pair in pairs])
    assert 0.93 <= within <= 0.97
    assert all(pair.drift is Drift.STEADY for pair in pairs if (pair.index or 0) <= (pair.by_chance or 0))


def test_few_images_say_nothing_and_none_break_nothing() -> None:
    assert compare([60, 39], [0, 5000]).drift is Drift.TOO_FEW
    assert compare([0, 0], [1, 2]).index is None
    assert compare_scores({}, {}).drift is Drift.TOO_FEW
    assert compare([5000, 0], [0, 5000]).drift is Drift.SHIFTED, "an empty bin counts, and divides nothing by zero"


def test_scores_are_compared_in_tenths_of_the_reference() -> None:
    rng = np.random.default_rng(3)

    def histogram(samples: np.ndarray) -> dict[int, int]:
        steps, counts = np.unique(np.rint(samples * 1000).astype(int), return_counts=True)
        return dict(zip(steps.tolist(), counts.tolist(), strict=True))

    reference = histogram(rng.beta(1.2, 9, 20_000))
    assert compare_scores(histogram(rng.beta(1.2, 9, 5000)), reference).drift is Drift.STEADY
    # Nine tenths of such scores lie below 0.25: equal bins of the whole scale would hardly see this.
    assert compare_scores(histogram(rng.beta(1.2, 9, 5000) * 0.6), reference).drift is Drift.SHIFTED
    one_score = {7: 5000}
    assert compare_scores(one_score, one_score).drift is Drift.STEADY
    assert compare_scores({8: 5000}, {7: 4000, 8: 1000}).drift is Drift.SHIFTED


def test_buckets_are_named_by_their_first_day_and_none_is_left_out() -> None:
    assert first_day(date(2026, 11, 22), Bucket.WEEK) == date(2026, 11, 16), "weeks begin on Monday"
    assert first_day(date(2026, 11, 22), Bucket.MONTH) == date(2026, 11, 1)
    assert buckets_between(date(2026, 1, 31), date(2026, 3, 1), Bucket.MONTH) == [date(2026, month, 1) for month in (1, 2, 3)]
    assert buckets_between(date(2026, 2, 27), date(2026, 3, 2), Bucket.DAY) == [
        date(2026, 2, 27),
        date(2026, 2, 28),
        date(2026, 3, 1),
        date(2026, 3, 2),
    ]
    assert buckets_between(date(2026, 11, 18), date(2026, 11, 23), Bucket.WEEK) == [date(2026, 11, 16), date(2026, 11, 23)]


@given(st.dates(date(1990, 1, 1), date(2190, 1, 1)), st.integers(0, 4000), st.sampled_from(list(Bucket)))
def test_every_day_has_its_bucket(day: date, days: int, bucket: Bucket) -> None:
    last = date.fromordinal(day.toordinal() + days)
    buckets = buckets_between(day, last, bucket)
    assert buckets == sorted(set(buckets)) and {first_day(day, bucket), first_day(last, bucket)} <= set(buckets)
