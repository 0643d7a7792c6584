"""Checks that the service would accept a model: registry, graph and answers, as the service uses them, without its code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelsError
from models.preprocessing.recipe import Prepared
from models.registry import Registry
from training.errors import ContractBroken
from training.export.sessions import open_graph

LARGEST_STEP = 1e-3
"""A picture alone and the same picture in a batch may differ by this much in any probability."""


def check_probabilities(head: str, scores: NDArray[np.floating]) -> None:
    """Refuse (n, classes) answers that are no probabilities.

    Raises
    ------
    ContractBroken
        They leave [0, 1], or do not sum to 1 over several classes.
    """
    if scores.size and (not np.isfinite(scores).all() or scores.min() < 0 or scores.max() > 1):
        raise ContractBroken(f"head {head} answers {scores.min():.4g} to {scores.max():.4g}, which are no probabilities")
    if scores.shape[1] > 1 and scores.size and np.abs(scores.sum(axis=1) - 1).max() > 1e-3:
        raise ContractBroken(f"the probabilities of head {head} do not sum to 1")


def check_contract(zoo: Path, name: str, version: str, pictures: Sequence[NDArray[np.uint8]]) -> None:
    """Load a model from a zoo, verify its graph, and run it on whole pictures one by one and as a batch.

    Parameters
    ----------
    pictures
        (rows, columns) grey levels with a dark background, as decoding makes them.

    Raises
    ------
    ContractBroken
        The message says which condition does not hold.
    """
    try:
        model = Registry(zoo).load(name, version)
        session = open_graph(model.path)
        inputs = {value.name: list(value.shape) for value in session.get_inputs()}
        model.verify_graph(inputs, {value.name: list(value.shape) for value in session.get_outputs()})
    except ModelsError as error:
        raise ContractBroken(f"the service would not load {name} {version}: {error}") from error
    manifest = model.manifest
    prepared: list[Prepared] = [manifest.preprocessing(picture, manifest.shape) for picture in pictures]
    batch = np.stack([each.pixels for each in prepared])[:, None]
    outputs = [head.output for head in manifest.outputs.values()]
    together = session.run([*outputs, manifest.map_output], {manifest.input_name: batch})
    alone = [session.run(outputs, {manifest.input_name: batch[i : i + 1]}) for i in range(len(batch))]
    for place, head in enumerate(manifest.outputs):
        scores = np.asarray(together[place])
        check_probabilities(head, scores)
        step = max(float(np.abs(np.asarray(each[place])[0] - scores[i]).max()) for i, each in enumerate(alone))
        if step > LARGEST_STEP:
            raise ContractBroken(f"{name} {version}: a picture's {head} changes by {step:.4f} with what shares its batch")
    if not np.isfinite(np.asarray(together[-1])).all():
        raise ContractBroken(f"{name} {version}: the maps hold values that are no numbers")
