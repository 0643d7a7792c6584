"""Synthetic patients: their findings, breasts, ages and machines, the same for the same seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

import numpy as np

from training.data.phantom import Breast, Density, Lesion, Machine, Side, View

T = TypeVar("T")

MACHINES = (
    Machine("Alder Imaging", "Alder One", gamma=1.0, gain=1.0, air=0.004, noise=0.020),
    Machine("Birch Medical", "B-300", gamma=0.8, gain=1.1, air=0.0, noise=0.026),
    Machine("Cedar Systems", "Selvatica", gamma=1.25, gain=1.15, air=0.012, noise=0.016),
    Machine("Dogwood Health", "D-Screen", gamma=0.95, gain=1.0, air=0.004, noise=0.022, inverted=True),
)
"""Invented manufacturers; the last one shows air white."""

Finding = tuple[Literal["mass", "calcification"], Literal["malignant", "benign"]]
FINDINGS: tuple[Finding | None, ...] = (
    ("mass", "malignant"),
    ("mass", "benign"),
    ("calcification", "malignant"),
    ("calcification", "benign"),
    ("mass", "malignant"),
    None,
)
"""What six patients in a row have, in some order: half have cancer, one has nothing."""

RADII = (0.036, 0.062)
"""Least and largest radius of a lesion as shares of the image's longer side: diameters of 17 to 30 mm on a field of 240 mm."""

VIEWS: tuple[tuple[Side, View], ...] = (("R", "CC"), ("L", "CC"), ("R", "MLO"), ("L", "MLO"))


@dataclass(frozen=True)
class Patient:
    """One woman and her one exam; `name` differs from those of other seeds."""

    name: str
    age: int
    machine: Machine
    right: Breast
    left: Breast
    marker: bool

    def breast(self, side: Side) -> Breast:
        return self.right if side == "R" else self.left


def imagine_patients(
    count: int, seed: int, findings: Sequence[Finding | None] = FINDINGS, radii: tuple[float, float] = RADII
) -> Iterator[Patient]:
    """Patients 1 to `count`, the same for the same seed; the first n are the same whatever the count.

    Findings, densities and machines take turns, each in an order drawn anew for each round, so that small sets hold them all. They do so
    without regard to one another: nothing but the lesion shows the finding. Age does a little, as in life.
    """
    for number in range(1, count + 1):
        finding = _take_turns(findings, number, (seed, 0))
        density: Density = _take_turns(get_args(Density), number, (seed, 1))
        machine = _take_turns(MACHINES, number, (seed, 2))
        chance = np.random.default_rng((seed, 3, number))
        reach, spread = chance.uniform(0.46, 0.76), chance.uniform(0.32, 0.43)
        lesion = _imagine_lesion(finding, radii, chance) if finding else None
        affected: Side = "R" if chance.random() < 0.5 else "L"
        breasts = {
            side: Breast(
                side,
                density,
                float(np.clip(reach * chance.uniform(0.95, 1.05), 0.4, 0.8)),
                float(spread * chance.uniform(0.96, 1.04)),
                (lesion,) if lesion and side == affected else (),
                int(chance.integers(2**31)),
            )
            for side in get_args(Side)
        }
        old = finding is not None and finding[1] == "malignant"
        age = int(np.clip(chance.normal(60 if old else 53, 10), 35, 89))
        yield Patient(f"s{seed}-{number:04}", age, machine, breasts["R"], breasts["L"], marker=bool(chance.random() < 0.8))


def _take_turns(values: Sequence[T], number: int, seed: tuple[int, int]) -> T:
    """The value of the `number`-th (from 1) when all take turns, in a new order each round."""
    turn, place = divmod(number - 1, len(values))
    return values[int(np.random.default_rng((*seed, turn)).permutation(len(values))[place])]


def _imagine_lesion(finding: Finding, radii: tuple[float, float], chance: np.random.Generator) -> Lesion:
    depth, across, height = chance.uniform(0.4, 0.8), chance.uniform(-0.7, 0.7), chance.uniform(-0.6, 0.6)
    return Lesion(*finding, depth, across, height, chance.uniform(*radii), int(chance.integers(2**31)))
