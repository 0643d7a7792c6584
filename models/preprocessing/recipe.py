"""Named, versioned ways from an 8-bit grey picture to a network input. A manifest names one; training and serving run the same code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.errors import RecipeUnknown
from models.preprocessing.geometry import Placement, breast_box, breast_mask, cut

LOW_PERCENTILE, HIGH_PERCENTILE = 1.0, 99.5


@dataclass(frozen=True)
class Prepared:
    """A network input and the way back.

    Parameters
    ----------
    pixels
        (rows, columns) float32 in [0, 1], dark background.
    placement
        Where the pixels were cut from the source.
    breast_fraction
        Share of the source image that is breast, 0 to 1; 0 where no breast was found and the whole image was taken.
    """

    pixels: NDArray[np.float32]
    placement: Placement
    breast_fraction: float


class Recipe(Protocol):
    """Turns (rows, columns) uint8 with a dark background into a `Prepared` of the asked shape."""

    def __call__(self, image: NDArray[np.uint8], shape: tuple[int, int]) -> Prepared: ...


def crop(image: NDArray[np.uint8], shape: tuple[int, int]) -> tuple[NDArray[np.uint8], Placement, float]:
    """The geometric half of `breast_stretch`: breast box cut out and stretched; grey levels untouched."""
    mask = breast_mask(image)
    rows, columns = image.shape
    pixels, placement = cut(image, breast_box(mask, (rows, columns)), shape)
    return pixels, placement, float(mask.mean())


def normalise(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The intensity half of `breast_stretch`: percentiles 1 and 99.5 of the non-air pixels become 0 and 1.

    Vendors window their presentations differently; ranks inside the breast survive that where absolute levels do not.
    """
    tissue = pixels[pixels > LEVEL_OF_AIR]
    low, high = np.percentile(tissue, (LOW_PERCENTILE, HIGH_PERCENTILE)) if tissue.size else (0.0, 255.0)
    scaled = (pixels.astype(np.float32) - np.float32(low)) / np.float32(max(high - low, 1.0))
    return np.asarray(np.clip(scaled, 0.0, 1.0), np.float32)


LEVEL_OF_AIR = 12
"""Grey levels up to this one are air in an 8-bit presentation."""


def breast_stretch(image: NDArray[np.uint8], shape: tuple[int, int]) -> Prepared:
    """``breast-stretch@1``: crop to the breast, stretch to `shape`, normalise inside the breast."""
    pixels, placement, fraction = crop(image, shape)
    return Prepared(normalise(pixels), placement, fraction)


RECIPES: dict[str, Recipe] = {"breast-stretch@1": breast_stretch}
"""Every recipe by its name. A published recipe never changes: a changed one gets the next version."""


def find_recipe(name: str) -> Recipe:
    """Look up a recipe.

    Raises
    ------
    RecipeUnknown
        No recipe has that name.
    """
    try:
        return RECIPES[name]
    except KeyError:
        raise RecipeUnknown(f"no preprocessing recipe named {name!r}; known: {', '.join(sorted(RECIPES))}") from None
