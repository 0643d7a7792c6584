"""From the ledger's counts to quality figures."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date

from models.vocabulary import Density
from service.api.http.csv_lines import csv_line
from service.api.quality.schemas import (
    BarOut,
    CountsOut,
    GroupOut,
    InsteadOut,
    PeriodOut,
    PointOut,
    QualityOut,
    RateOut,
    ReaderOut,
    ReaderPointOut,
    ReadersOut,
    ReasonOut,
    SeriesOut,
    SpreadOut,
    ThresholdsOut,
)
from service.domain import drift
from service.domain.feedback import FeedbackLabel, FeedbackVerdict
from service.domain.rates import Rate
from service.domain.time_buckets import Bucket, buckets_between, first_day
from service.store.quality import SCORE_STEPS, FeedbackCount, GroupBy, Period, Quality, Spread, Tally

MOST_GROUPS, MOST_SERIES, MOST_INSTEAD = 200, 5, 20
BARS = 20
"""Of the scores: five hundredths each."""


@dataclass(frozen=True)
class Question:
    """The query: days, reference days, grouping.

    Parameters
    ----------
    only
        One group; all where None.
    """

    by: GroupBy
    period: Period
    reference: Period
    bucket: Bucket
    only: str | None = None


def report(quality: Quality, asked: Question) -> QualityOut:
    """Answer everything about a period."""
    by, only = asked.by, asked.only
    # Each pass waits for the database alone, so that they share its cores: the answer is there in half the time.
    with ThreadPoolExecutor(3) as passes:
        counting = passes.submit(quality.days, by, asked.period)
        spreading = [passes.submit(quality.spread, by, period, only) for period in (asked.period, asked.reference)]
        reasons = quality.reasons(by, asked.period, only)
        opinions = quality.opinions(by, asked.period, only)
        days, (now, before) = counting.result(), (each.result() for each in spreading)
    mine = {key: tally for key, tally in days.items() if only in (None, key[1])}
    groups = _sorted_groups(days)
    largest = [] if only is not None else [name for name, _ in groups[:MOST_SERIES]]
    return QualityOut(
        by=by,
        only=only,
        bucket=asked.bucket,
        period=PeriodOut(first=asked.period.first, last=asked.period.last),
        reference=PeriodOut(first=asked.reference.first, last=asked.reference.last),
        total=GroupOut(group=only or "", **_counts(_sum(mine.values()))),
        groups=[GroupOut(group=name, **_counts(tally)) for name, tally in groups[:MOST_GROUPS]],
        groups_left_out=max(0, len(groups) - MOST_GROUPS),
        series=[
            SeriesOut(group=only, points=_points(mine, asked, lambda _: True)),
            *(SeriesOut(group=name, points=_points(mine, asked, lambda each, name=name: each == name)) for name in largest),  # type: ignore[misc]
        ],
        reasons=[
            ReasonOut(state=state, code=code, images=count) for (state, code), count in sorted(reasons.items(), key=lambda each: -each[1])
        ],
        scores=_scores(now, before),
        densities=_densities(now, before),
        thresholds=ThresholdsOut(steady=drift.STEADY, shifted=drift.SHIFTED),
        readers=_readers(opinions, asked),
    )


COLUMNS = (
    *("by", "group", "bucket", "start", "images", "skipped", "failed", "compared", "disagree", "missing", "unsure"),
    *("not_analysed_rate", "not_analysed_low", "not_analysed_high", "disagree_rate", "disagree_low", "disagree_high"),
    *("missing_rate", "missing_low", "missing_high", "scored", "mean_score"),
)


def write_quality(quality: Quality, asked: Question) -> Iterator[str]:
    """A line of column names, then a line for each group and bucket that has images."""
    yield csv_line(COLUMNS)
    table: dict[tuple[str, date], Tally] = defaultdict(Tally)
    for (day, group), tally in quality.days(asked.by, asked.period, asked.only).items():
        table[group, first_day(day, asked.bucket)] += tally
    for (group, start), tally in sorted(table.items()):
        rates = [_rate(Rate(tally.skipped, tally.images))]
        rates += [_rate(Rate(count, tally.compared)) for count in (tally.contradict, tally.missing)]
        yield csv_line(
            (
                *(asked.by, group, asked.bucket, start.isoformat(), tally.images, tally.skipped, tally.failed),
                *(tally.compared, tally.contradict, tally.missing, tally.unsure),
                *(value for each in rates for value in (each.rate, each.low, each.high)),
                *(tally.scored, _mean(tally)),
            )
        )


def _sum(tallies: Iterable[Tally]) -> Tally:
    return sum(tallies, Tally())


def _sorted_groups(days: Mapping[tuple[date, str], Tally]) -> list[tuple[str, Tally]]:
    groups: dict[str, Tally] = defaultdict(Tally)
    for (_, name), tally in days.items():
        groups[name] += tally
    return sorted(groups.items(), key=lambda each: (-each[1].images, each[0]))


def _points(days: Mapping[tuple[date, str], Tally], asked: Question, wanted: Callable[[str], bool]) -> list[PointOut]:
    buckets = {start: Tally() for start in buckets_between(asked.period.first, asked.period.last, asked.bucket)}
    for (day, name), tally in days.items():
        if wanted(name):
            buckets[first_day(day, asked.bucket)] += tally
    return [PointOut(start=start, **_counts(tally)) for start, tally in buckets.items()]


def _counts(tally: Tally) -> dict[str, RateOut | int | float | None]:
    shown = CountsOut(
        images=tally.images,
        skipped=_rate(Rate(tally.skipped, tally.images)),
        failed=_rate(Rate(tally.failed, tally.images)),
        disagree=_rate(Rate(tally.contradict, tally.compared)),
        missing=_rate(Rate(tally.missing, tally.compared)),
        unsure=_rate(Rate(tally.unsure, tally.compared)),
        mean_score=_mean(tally),
    )
    return {name: getattr(shown, name) for name in CountsOut.model_fields}


def _mean(tally: Tally) -> float | None:
    return round(tally.score_sum / tally.scored, 4) if tally.scored else None


def _rate(rate: Rate) -> RateOut:
    low, high = rate.interval or (None, None)
    rounded = [None if each is None else round(each, 4) for each in (rate.value, low, high)]
    return RateOut(count=rate.count, of=rate.of, rate=rounded[0], low=rounded[1], high=rounded[2])


def _scores(now: Spread, before: Spread) -> SpreadOut:
    wide = SCORE_STEPS // BARS
    bars = []
    for number in range(BARS):
        counts = [_in_bar(spread.scores, number * wide, (number + 1) * wide) for spread in (now, before)]
        bars.append(BarOut(name=f"{number * 100 // BARS}–{(number + 1) * 100 // BARS}", now=counts[0], reference=counts[1]))
    return _spread(bars, drift.compare_scores(now.scores, before.scores))


def _in_bar(scores: Counter[int], first: int, end: int) -> int:
    """Images from one step on and before another; the highest score of all belongs to the last bar."""
    return sum(count for step, count in scores.items() if first <= min(step, SCORE_STEPS - 1) < end)


def _densities(now: Spread, before: Spread) -> SpreadOut:
    bars = [BarOut(name=each.value, now=now.densities[each], reference=before.densities[each]) for each in Density]
    return _spread(bars, drift.compare([bar.now for bar in bars], [bar.reference for bar in bars]))


def _spread(bars: list[BarOut], comparison: drift.Comparison) -> SpreadOut:
    return SpreadOut(
        bars=bars,
        images_now=sum(bar.now for bar in bars),
        images_reference=sum(bar.reference for bar in bars),
        index=None if comparison.index is None else round(comparison.index, 4),
        by_chance=None if comparison.by_chance is None else round(comparison.by_chance, 4),
        drift=comparison.drift,
    )


def _readers(opinions: list[FeedbackCount], asked: Question) -> ReadersOut:
    def agreement(keys: Callable[[FeedbackCount], tuple[FeedbackLabel, str]]) -> list[ReaderOut]:
        rates: dict[tuple[FeedbackLabel, str], Rate] = defaultdict(lambda: Rate(0, 0))
        for each in opinions:
            rates[keys(each)] += _agreed(each)
        order = list(FeedbackLabel)
        found = sorted(rates.items(), key=lambda item: (order.index(item[0][0]), -item[1].of, item[0][1]))
        return [ReaderOut(label=label, of=of, agree=_rate(rate)) for (label, of), rate in found]

    points = {start: Rate(0, 0) for start in buckets_between(asked.period.first, asked.period.last, asked.bucket)}
    instead: Counter[tuple[FeedbackLabel, str, str]] = Counter()
    for each in opinions:
        points[first_day(each.day, asked.bucket)] += _agreed(each)
        if each.verdict is FeedbackVerdict.WRONG:
            instead[each.label, each.predicted_value, each.corrected_value] += each.count
    return ReadersOut(
        labels=agreement(lambda each: (each.label, "")),
        models=agreement(lambda each: (each.label, each.model)),
        groups=agreement(lambda each: (each.label, each.group))[:MOST_GROUPS],
        points=[ReaderPointOut(start=start, agree=_rate(rate)) for start, rate in points.items()],
        instead=[
            InsteadOut(label=label, predicted_value=predicted, corrected_value=right, count=count)
            for (label, predicted, right), count in sorted(instead.items(), key=lambda each: (-each[1], each[0]))[:MOST_INSTEAD]
        ],
    )


def _agreed(each: FeedbackCount) -> Rate:
    return Rate(each.count if each.verdict is FeedbackVerdict.AGREE else 0, each.count)
