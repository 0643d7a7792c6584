"""The two-step approach that Shen et al. 2017 compare with (3.1.4): regions of a patch heatmap, and a random forest on them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from torch import Tensor, nn
from tqdm import tqdm

from models.preprocessing.recipe import Recipe
from training.networks.patch_classifier import LESIONS, PatchClassifier
from training.networks.whole_image import MALIGNANT

CUTOFFS = (0.3, 0.5, 0.7, 0.9)
"""Probabilities at which the heatmap is made binary; the features of all four are combined."""

REGION = ("regions", "area", "major axis", "mean", "largest")
"""Of one class at one cutoff: how many regions; of the largest one its area in cells, the length of its major axis in cells, its mean and
its largest probability."""

TREES, DEPTH = 500, 9
SPLIT_SHARE = 300 / 1903
"""The paper splits nodes of 300 samples and more of its 1,903 training images; as a share, smaller sets can be learned too."""

FEATURES = len(CUTOFFS) * (len(LESIONS) - 1) * len(REGION)


class TwoStepNetwork(nn.Module):
    """A patch classifier's heatmap, features of its regions, a random forest; scored like any network, though nothing flows back.

    The forest is kept in tensors, so that it is saved and loaded with the classifier: every tree is filled up to a complete one of depth 9.
    It cannot be exported: regions are found by a graph algorithm that ONNX does not have.
    """

    features: Tensor
    thresholds: Tensor
    leaves: Tensor

    def __init__(self, patches: PatchClassifier) -> None:
        super().__init__()
        self.patches = patches
        self.register_buffer("features", torch.zeros(TREES, 2**DEPTH - 1, dtype=torch.int64))
        self.register_buffer("thresholds", torch.full((TREES, 2**DEPTH - 1), math.inf, dtype=torch.float64))
        self.register_buffer("leaves", torch.full((TREES, 2**DEPTH), 0.5, dtype=torch.float64))

    def forward(self, pixels: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """(n, 1, rows, columns) in [0, 1] to a logit (n, 1) and the heatmap's probabilities (n, 5, h, w)."""
        with torch.no_grad():
            heatmap = self.patches.heatmap(pixels).float()
            regions = np.stack([region_features(each) for each in heatmap.cpu().numpy()])
            score = self.vote(torch.from_numpy(regions).to(heatmap.device)).clamp(1e-4, 1 - 1e-4)
        return {"cancer": torch.logit(score)[:, None].float()}, heatmap

    def maps(self, features: Tensor) -> Tensor:
        """(n, 1, h, w): log-odds of malignancy of every cell, whatever the forest made of it."""
        malignant = features[:, list(MALIGNANT)].sum(dim=1, keepdim=True).clamp(1e-4, 1 - 1e-4)
        return torch.logit(malignant)

    def vote(self, values: Tensor) -> Tensor:
        """Mean probability of the trees, (n,), for features (n, `FEATURES`)."""
        # As scikit-learn, which compares in single precision with thresholds in double.
        values = values.float().double()
        node = torch.zeros(len(values), TREES, dtype=torch.int64, device=values.device)
        tree = torch.arange(TREES, device=values.device)
        for _ in range(DEPTH):
            right = values.gather(1, self.features[tree, node]) > self.thresholds[tree, node]
            node = 2 * node + 1 + right.long()
        return self.leaves[tree, node - (2**DEPTH - 1)].mean(dim=1)

    def set_forest(self, forest: RandomForestClassifier) -> None:
        """Take the trees of a fitted forest of `TREES` trees of at most `DEPTH` levels."""
        positive = list(forest.classes_).index(1)
        features, thresholds, leaves = (buffer.cpu().numpy().copy() for buffer in (self.features, self.thresholds, self.leaves))
        for number, estimator in enumerate(forest.estimators_):
            tree = estimator.tree_
            lefts, rights, tested, limits = tree.children_left, tree.children_right, tree.feature, tree.threshold
            shares = tree.value[:, 0, positive] / tree.value[:, 0].sum(axis=1)
            places = [(0, 0, 0)]  # the tree's own node, ours, its depth
            while places:
                node, place, depth = places.pop()
                if lefts[node] < 0:  # a leaf has the value of everything below it
                    first = (place + 1) * 2 ** (DEPTH - depth) - 2**DEPTH
                    leaves[number, first : first + 2 ** (DEPTH - depth)] = shares[node]
                    continue
                features[number, place], thresholds[number, place] = tested[node], limits[node]
                places += [(int(lefts[node]), 2 * place + 1, depth + 1), (int(rights[node]), 2 * place + 2, depth + 1)]
        for buffer, values in ((self.features, features), (self.thresholds, thresholds), (self.leaves, leaves)):
            buffer.copy_(torch.from_numpy(values))


def region_features(heatmap: NDArray[np.float32]) -> NDArray[np.float64]:
    """The features of one heatmap: `REGION` for every lesion class at every one of `CUTOFFS`.

    Parameters
    ----------
    heatmap
        (5, h, w) probabilities in the order of `LESIONS`.

    Returns
    -------
    (`FEATURES`,); zeros where no cell passes a cutoff.
    """
    answer = []
    for cutoff in CUTOFFS:
        for probabilities in heatmap[1:]:
            count, labels, stats, _ = cv2.connectedComponentsWithStats((probabilities >= cutoff).astype(np.uint8), connectivity=8)
            if count < 2:
                answer += [0.0] * len(REGION)
                continue
            largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
            inside = labels == largest
            values = probabilities[inside]
            answer += [count - 1.0, float(inside.sum()), major_axis(inside), float(values.mean()), float(values.max())]
    return np.array(answer, np.float64)


def major_axis(inside: NDArray[np.bool_]) -> float:
    """Length in cells of the major axis of the ellipse with a region's second moments; a single cell has 4 / sqrt(12)."""
    ys, xs = np.nonzero(inside)
    spread = np.cov(np.stack((ys, xs)), bias=True) if len(ys) > 1 else np.zeros((2, 2))
    return float(4.0 * np.sqrt(np.linalg.eigvalsh(spread + np.eye(2) / 12.0)[-1]))


def least_split(samples: int) -> int:
    """Fewest samples of a node that is split still: the paper's 300 for as many training images as it had."""
    return max(2, math.ceil(SPLIT_SHARE * samples))


def fit_forest(values: NDArray[np.float64], malignant: NDArray[np.int64], seed: int) -> RandomForestClassifier:
    """The forest of the paper: 500 trees of at most 9 levels; nodes below `SPLIT_SHARE` of the samples are not split."""
    forest = RandomForestClassifier(TREES, max_depth=DEPTH, min_samples_split=least_split(len(values)), random_state=seed, n_jobs=1)
    forest.fit(values, malignant)
    return forest


@torch.no_grad()
def measure_regions(patches: PatchClassifier, crops: Sequence[NDArray[np.uint8]], recipe: Recipe) -> NDArray[np.float64]:
    """(n, `FEATURES`) for whole images, on the device that the classifier is on."""
    patches.eval()
    device = next(patches.parameters()).device
    found = []
    for crop in tqdm(crops, desc="heatmaps", unit="image"):
        pixels = torch.from_numpy(recipe.normalise(np.asarray(crop)))[None, None].to(device)
        found.append(region_features(patches.heatmap(pixels)[0].float().cpu().numpy()))
    return np.stack(found)
