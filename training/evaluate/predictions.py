"""What was predicted for each sample, with what is known of it: the table that every figure is computed from, kept as CSV."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.table import Row

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """One sample: which it is, whose it is, and the groups that it belongs to. Never a path: the file may leave this machine."""

    sample: str
    part: str
    dataset: str
    patient: str
    exam: str
    breast: str
    view: str
    density: str
    manufacturer: str
    age: float | None


@dataclass(frozen=True)
class Predictions:
    """Probabilities and truths of n samples.

    Parameters
    ----------
    heads
        Classes by head.
    cases
        The samples.
    truth
        Head to (n,) class index, -1 where unknown. A head of one class: 1 present, 0 absent.
    scores
        Head to (n, classes) probabilities.
    extra
        Name to (n,) further numbers, NaN where there is none: ``base_age`` and ``base_machine`` (scores without any pixel),
        ``hit`` and ``chance`` (pointing game).
    """

    heads: dict[str, tuple[str, ...]]
    cases: list[Case]
    truth: dict[str, NDArray[np.int64]]
    scores: dict[str, Floats]
    extra: dict[str, Floats] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.cases)

    def take(self, chosen: NDArray[np.int64]) -> Predictions:
        """Some of the samples."""
        return replace(
            self,
            cases=[self.cases[i] for i in chosen],
            truth={head: values[chosen] for head, values in self.truth.items()},
            scores={head: values[chosen] for head, values in self.scores.items()},
            extra={name: values[chosen] for name, values in self.extra.items()},
        )

    def part(self, name: str) -> Predictions:
        """The samples of ``train``, ``validation`` or ``test``."""
        return self.take(np.flatnonzero([case.part == name for case in self.cases]))

    def binary(self, head: str) -> tuple[Floats, NDArray[np.bool_]]:
        """Scores of the positive class (the only, or the second one) and truths of a head with at most two classes."""
        return self.scores[head][:, -1], self.truth[head] == 1

    def known(self, head: str) -> Predictions:
        """The samples whose truth is known for a head."""
        return self.take(np.flatnonzero(self.truth[head] >= 0))


def name_cases(rows: Sequence[Row], parts: Sequence[str]) -> list[Case]:
    """Cases of rows; patches of one image are numbered, so that every sample has a name of its own."""
    seen: Counter[str] = Counter()
    cases = []
    for row, part in zip(rows, parts, strict=True):
        name = f"{row.dataset}/{row.exam}/{row.image}"
        number = seen[name]
        seen[name] += 1
        cases.append(
            Case(
                f"{name}#{number}" if number else name,
                str(part),
                row.dataset,
                row.patient,
                row.exam,
                row.breast or "",
                row.view or "",
                row.density or "",
                row.manufacturer or "",
                row.age,
            )
        )
    return cases


def pool(tables: Sequence[Predictions]) -> Predictions:
    """The folds of one experiment as one table.

    Raises
    ------
    ValueError
        Other heads, or a sample that is tested in two folds: these are no folds of one split.
    """
    first = tables[0]
    if any(table.heads != first.heads for table in tables):
        raise ValueError("the tables have different heads: pool the folds of one experiment only")
    tested = Counter(case.sample for table in tables for case in table.cases if case.part == "test")
    if twice := [name for name, count in tested.items() if count > 1]:
        raise ValueError(f"{len(twice)} samples are tested in more than one table ({twice[0]}): pool folds that share no test patient")
    shared = set.intersection(*(set(table.extra) for table in tables))
    return Predictions(
        first.heads,
        [case for table in tables for case in table.cases],
        {head: np.concatenate([table.truth[head] for table in tables]) for head in first.heads},
        {head: np.concatenate([table.scores[head] for table in tables]) for head in first.heads},
        {name: np.concatenate([table.extra[name] for table in tables]) for name in sorted(shared)},
    )


def align(first: Predictions, second: Predictions) -> tuple[Predictions, Predictions]:
    """The samples that both have, in one order.

    Raises
    ------
    ValueError
        They share none, or their truths differ: then nothing can be compared.
    """
    places = {case.sample: index for index, case in enumerate(second.cases)}
    chosen = [index for index, case in enumerate(first.cases) if case.sample in places]
    if not chosen:
        raise ValueError("the two runs have no sample in common: compare runs on one data set, split and part")
    one = first.take(np.array(chosen, np.int64))
    two = second.take(np.array([places[first.cases[index].sample] for index in chosen], np.int64))
    for head in set(one.truth) & set(two.truth):
        if (one.truth[head] != two.truth[head]).any():
            raise ValueError(f"the two runs disagree about the truth of {head}: compare runs with the same classes and the same data")
    return one, two


def write_predictions(path: Path, table: Predictions) -> None:
    """Write a CSV: the case, then truth, probabilities and further numbers; nine digits, so that ranks survive."""
    columns = [each.name for each in fields(Case)]
    columns += [f"truth:{head}" for head in table.heads]
    columns += [f"score:{head}:{name}" for head, classes in table.heads.items() for name in classes]
    columns += [f"extra:{name}" for name in table.extra]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        for index, case in enumerate(table.cases):
            numbers = [value for head in table.heads for value in table.scores[head][index]]
            numbers += [values[index] for values in table.extra.values()]
            writer.writerow(
                [*("" if value is None else value for value in asdict(case).values())]
                + [int(table.truth[head][index]) for head in table.heads]
                + ["" if np.isnan(number) else f"{number:.9g}" for number in numbers]
            )


def read_predictions(path: Path) -> Predictions:
    """Read what `write_predictions` wrote.

    Raises
    ------
    ValueError
        The file is no such table.
    """
    with path.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        columns = list(reader.fieldnames or [])
        lines = list(reader)
    names = [each.name for each in fields(Case)]
    if columns[: len(names)] != names:
        raise ValueError(f"{path} is no table of predictions: give the predictions.csv of an evaluation")
    heads: dict[str, list[str]] = {column.split(":", 1)[1]: [] for column in columns if column.startswith("truth:")}
    for column in columns:
        if column.startswith("score:"):
            _, head, name = column.split(":", 2)
            heads[head].append(name)
    cases = [Case(**{name: line[name] for name in names[:-1]}, age=float(line["age"]) if line["age"] else None) for line in lines]
    return Predictions(
        {head: tuple(classes) for head, classes in heads.items()},
        cases,
        {head: np.array([int(line[f"truth:{head}"]) for line in lines], np.int64) for head in heads},
        {
            head: np.array([[float(line[f"score:{head}:{name}"]) for name in classes] for line in lines]).reshape(-1, len(classes))
            for head, classes in heads.items()
        },
        {
            column.removeprefix("extra:"): np.array([float(line[column] or "nan") for line in lines])
            for column in columns
            if column.startswith("extra:")
        },
    )
