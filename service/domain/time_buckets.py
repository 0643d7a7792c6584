"""Days, weeks and months of UTC, for values over time. No I/O."""

from __future__ import annotations

from datetime import date, timedelta
from enum import StrEnum


class Bucket(StrEnum):
    DAY = "day"
    WEEK = "week"
    """From Monday on (ISO 8601)."""
    MONTH = "month"


def first_day(day: date, bucket: Bucket) -> date:
    """The first day of the bucket that contains a day."""
    if bucket is Bucket.WEEK:
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if bucket is Bucket.MONTH else day


def buckets_between(first: date, last: date, bucket: Bucket) -> list[date]:
    """The first days of all buckets from the one of `first` to the one of `last`."""
    found, start = [], first_day(first, bucket)
    while start <= last:
        found.append(start)
        start = first_day(start + timedelta(days=32 if bucket is Bucket.MONTH else 7 if bucket is Bucket.WEEK else 1), bucket)
    return found
