"""Pictures that explain an answer: the class-activation map, with the gradient beside it (Yi et al., Figs. 1-3; Levy & Jain, Fig. 3)."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from models.preprocessing.recipe import find_recipe
from training.evaluate.forward import answer, prepare
from training.evaluate.predictions import name_cases
from training.evaluate.saliency import saliency as gradient_of
from training.stages.run import Run

KINDS = ("right", "wrong", "unsure")


def choose(scores: NDArray[np.float64], truth: NDArray[np.int64], count: int) -> dict[str, NDArray[np.int64]]:
    """Which samples to look at: the most confident right ones, the most confident wrong ones, the least sure ones.

    Parameters
    ----------
    scores
        (n, classes) probabilities of samples with a known truth; one class is compared with its absence.
    truth
        (n,) class indices.
    """
    full = np.concatenate([1 - scores, scores], axis=1) if scores.shape[1] == 1 else scores
    answers, confidence = full.argmax(axis=1), full.max(axis=1)
    right = answers == truth
    by_confidence = np.argsort(-confidence, kind="stable")
    return {
        "right": by_confidence[right[by_confidence]][:count],
        "wrong": by_confidence[~right[by_confidence]][:count],
        "unsure": by_confidence[::-1][:count],
    }


def explain(
    run: Run,
    *,
    part: str = "test",
    count: int = 4,
    head: str | None = None,
    saliency: bool = False,
    out: Path | None = None,
) -> list[Path]:
    """Draw chosen samples of a part with the map of the class that the network answers.

    Parameters
    ----------
    count
        Of each kind in `KINDS`.
    head
        Which question; the first by default.
    saliency
        Draw the gradient's saliency beside the map.
    out
        Folder of the PNG files; ``explain`` in the run's folder by default.

    Raises
    ------
    ValueError
        There is no such head, or no sample of known truth in that part.
    """
    experiment = run.experiment
    head = head or next(iter(experiment.heads))
    if head not in experiment.heads:
        raise ValueError(f"{experiment.name} has no head {head!r}; it has: {', '.join(experiment.heads)}")
    samples = run.gather()
    truth = samples.targets[head]
    chosen = np.array([i for i in samples.where(part) if truth[i] >= 0], np.int64)
    if not chosen.size:
        raise ValueError(f"no sample of the {part} part has a known {head}: choose another part or head")
    network, recipe = run.network(), find_recipe(experiment.recipe)
    found = answer(network, samples.crops, chosen, recipe, list(experiment.heads))
    names = name_cases([samples.rows[i] for i in chosen], [part] * chosen.size)
    folder = out or run.folder / "explain"
    folder.mkdir(parents=True, exist_ok=True)
    first = sum(len(classes) for classes in list(experiment.heads.values())[: list(experiment.heads).index(head)])
    paths = []
    for kind, places in choose(found.scores[head], truth[chosen], count).items():
        for number, place in enumerate(places, start=1):
            scores = found.scores[head][place]
            index = int(scores.argmax())
            crop = np.asarray(samples.crops[chosen[place]])
            heat = found.maps[place, ..., first + index, :, :] if found.maps.ndim == 4 else found.maps[place, :, index]
            gradient = gradient_of(network, prepare(crop[None], recipe), head, index)[0] if saliency else None
            summary = _summarise(experiment.heads[head], scores, int(truth[chosen[place]]))
            paths.append(folder / f"{head}-{kind}-{number}.png")
            draw(paths[-1], _panels(crop, heat, gradient), f"{kind}: {summary}\n{names[place].sample}")
    return paths


Panel = list[tuple[str, NDArray[np.uint8], NDArray[np.float32] | None]]
"""One column of a picture: for each view its name, the crop, and the map to lay over it."""


def _panels(crop: NDArray[np.uint8], heat: NDArray[np.float32], gradient: NDArray[np.float32] | None) -> list[Panel]:
    """The crop alone, under its map and, where there is one, under its gradient; a row for each view."""
    views = crop[None] if crop.ndim == 2 else crop
    columns: list[tuple[str, NDArray[np.float32] | None]] = [("as seen", None), ("class-activation map", heat)]
    if gradient is not None:
        columns.append(("gradient", gradient))
    return [
        [(name, view, None if map_ is None else map_.reshape(len(views), *map_.shape[-2:])[row]) for row, view in enumerate(views)]
        for name, map_ in columns
    ]


def draw(path: Path, panels: list[Panel], title: str) -> None:
    """One column a panel, one row a view; a map is stretched over the crop, its own range shown in full."""
    rows, columns = len(panels[0]), len(panels)
    figure = Figure(figsize=(2.6 * columns, 3.4 * rows + 0.5))
    for column, panel in enumerate(panels):
        for row, (name, picture, heat) in enumerate(panel):
            axes = figure.add_subplot(rows, columns, row * columns + column + 1)
            axes.imshow(picture, cmap="gray", vmin=0, vmax=255)
            if heat is not None:
                spread = cv2.resize(heat, (picture.shape[1], picture.shape[0]), interpolation=cv2.INTER_CUBIC)
                axes.imshow(spread, cmap="jet", alpha=0.4)
            axes.set_axis_off()
            if row == 0:
                axes.set_title(name, fontsize=8)
    figure.suptitle(title, fontsize=8)
    FigureCanvasAgg(figure)
    figure.tight_layout()
    figure.savefig(path, dpi=110, metadata={"Software": None})


def _summarise(classes: tuple[str, ...], scores: NDArray[np.float64], truth: int) -> str:
    if len(classes) == 1:
        return f"{classes[0]} {scores[0]:.3f}, truth {'yes' if truth == 1 else 'no'}"
    return f"answer {classes[int(scores.argmax())]} {scores.max():.3f}, truth {classes[truth]}"
