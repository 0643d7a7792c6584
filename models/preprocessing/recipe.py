"""Named, versioned preprocessing from an 8-bit grey image to a network input. Training and service run the same code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import RecipeUnknown
from models.preprocessing.geometry import Box, Placement, breast_box, breast_mask, chest_is_left, cut

LOW_PERCENTILE, HIGH_PERCENTILE = 1.0, 99.5


@dataclass(frozen=True)
class Prepared:
    """A network input and its placement in the source.

    Parameters
    ----------
    pixels
        (rows, columns) float32 in [0, 1], dark background.
    placement
        Where the pixels come from in the source.
    breast_fraction
        Share of the source image that is breast, 0 to 1; 0 where no breast was found and the whole image was taken.
    """

    pixels: NDArray[np.float32]
    placement: Placement
    breast_fraction: float


Cropped = tuple[NDArray[np.uint8], Placement, float]
"""A crop of the requested shape, its placement, and the share of the source that is breast, 0 to 1."""


@dataclass(frozen=True)
class Recipe:
    """A named preprocessing from a grey image to a network input, in two steps: geometry first, so that crops can be cached as bytes.

    Parameters
    ----------
    name
        ``name@version``, as manifests and caches write it.
    crop
        From (rows, columns) uint8 with a dark background and a shape to the crop, its placement and the breast's share of the source.
    normalise
        From a crop to float32 in [0, 1].
    """

    name: str
    crop: Callable[[NDArray[np.uint8], tuple[int, int]], Cropped]
    normalise: Callable[[NDArray[np.uint8]], NDArray[np.float32]]

    def __call__(self, image: NDArray[np.uint8], shape: tuple[int, int]) -> Prepared:
        """Both steps, as the service runs them: (rows, columns) uint8 with a dark background to a network input of `shape`."""
        pixels, placement, fraction = self.crop(image, shape)
        return Prepared(self.normalise(pixels), placement, fraction)


def crop(image: NDArray[np.uint8], shape: tuple[int, int]) -> Cropped:
    """The geometry of ``breast-stretch@1``: breast box cut out and stretched; grey levels untouched."""
    mask = breast_mask(image)
    rows, columns = image.shape
    pixels, placement = cut(image, breast_box(mask, (rows, columns)), shape)
    return pixels, placement, float(mask.mean())


def normalise(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The intensity step of ``breast-stretch@1``: percentiles 1 and 99.5 of the non-air pixels become 0 and 1.

    Manufacturers window their images differently; this keeps ranks inside the breast, but not absolute levels.
    """
    tissue = pixels[pixels > LEVEL_OF_AIR]
    low, high = np.percentile(tissue, (LOW_PERCENTILE, HIGH_PERCENTILE)) if tissue.size else (0.0, 255.0)
    scaled = (pixels.astype(np.float32) - np.float32(low)) / np.float32(max(high - low, 1.0))
    return np.asarray(np.clip(scaled, 0.0, 1.0), np.float32)


def keep_levels(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Grey levels after the window, 0 to 255 as 0 to 1; networks with another input range shift it themselves."""
    return pixels.astype(np.float32) / np.float32(255)


def whole_stretch(image: NDArray[np.uint8], shape: tuple[int, int]) -> Cropped:
    """The geometry of ``whole-stretch@1``: the whole image, aspect ratio not kept (Shen et al., 3.1.1: 1152 x 896)."""
    pixels, placement = cut(image, Box(0, 0, *image.shape[:2]), shape)
    return pixels, placement, float(breast_mask(image).mean())


def whole_unmarked(image: NDArray[np.uint8], shape: tuple[int, int]) -> Cropped:
    """The geometry of ``whole-unmarked@1``: as `whole_stretch`, with all but the breast black to hide burned-in letters.

    Yi et al. (Methods, "Image Processing") crop the laterality markers out; a mask needs no manual step and does not move the breast.
    """
    mask = breast_mask(image)
    fraction = float(mask.mean())
    if fraction > 0:  # otherwise there is no foreground, and the image would be black
        grown = cv2.dilate(mask.astype(np.uint8), np.ones((MASK_MARGIN, MASK_MARGIN), np.uint8))
        rows, columns = image.shape
        image = np.asarray(image * cv2.resize(grown, (columns, rows), interpolation=cv2.INTER_NEAREST), np.uint8)
    pixels, placement = cut(image, Box(0, 0, *image.shape[:2]), shape)
    return pixels, placement, fraction


def pad_square(image: NDArray[np.uint8], shape: tuple[int, int]) -> Cropped:
    """The geometry of ``pad-square@1``: the image scaled to fit `shape`, aspect ratio kept, zeros on its air side.

    Kim et al. 2018, "Training Set-up": the longer side becomes 1600, padded on the left of right breasts and on the right of left ones.
    The side comes from the pixels: a header can be wrong, and a mirrored image must be padded by its own side. An image that is too wide
    for `shape` is padded below.
    """
    rows, columns = image.shape
    mask = breast_mask(image)
    scale = min(shape[0] / rows, shape[1] / columns)
    # In source pixels: a box larger than the image, so that the same kind of placement maps points back.
    height, width = max(rows, round(shape[0] / scale)), max(columns, round(shape[1] / scale))
    left = 0 if chest_is_left(mask) else columns - width
    size = (min(max(round(rows * scale), 1), shape[0]), min(max(round(columns * scale), 1), shape[1]))
    scaled, _ = cut(image, Box(0, 0, rows, columns), size)
    pixels = np.zeros(shape, np.uint8)
    start = 0 if left == 0 else shape[1] - size[1]
    pixels[: size[0], start : start + size[1]] = scaled
    return pixels, Placement((rows, columns), Box(0, left, height, left + width), shape), float(mask.mean())


def breast_fit(image: NDArray[np.uint8], shape: tuple[int, int]) -> Cropped:
    """The geometry of ``breast-fit@1``: breast box cut out and scaled to fit `shape`, aspect ratio kept, zeros on its air side and below.

    A lesion keeps its form, whatever the breast's. The air side is found from the pixels, as in `pad_square`. Rows of a picture whose
    pixels are not square must be restored before (`training.data.table.Row.aspect`); DICOM pixels are square.
    """
    mask = breast_mask(image)
    box = breast_box(mask, (image.shape[0], image.shape[1]))
    scale = min(shape[0] / box.height, shape[1] / box.width)
    size = (min(max(round(box.height * scale), 1), shape[0]), min(max(round(box.width * scale), 1), shape[1]))
    scaled, _ = cut(image, box, size)
    pixels = np.zeros(shape, np.uint8)
    from_left = chest_is_left(mask)
    start = 0 if from_left else shape[1] - size[1]
    pixels[: size[0], start : start + size[1]] = scaled
    # In source pixels: the cut-out is larger than the breast's box, which is what maps it back without a second kind of placement.
    height, width = max(box.height, round(shape[0] / scale)), max(box.width, round(shape[1] / scale))
    left = box.left if from_left else box.right - width
    return (
        pixels,
        Placement((image.shape[0], image.shape[1]), Box(box.top, left, box.top + height, left + width), shape),
        float(mask.mean()),
    )


def patch_stretch(image: NDArray[np.uint8], shape: tuple[int, int]) -> Cropped:
    """The geometry of ``patch-stretch@1``: a patch is used as it is; all of it counts as breast."""
    pixels, placement = cut(image, Box(0, 0, *image.shape[:2]), shape)
    return pixels, placement, 1.0


LEVEL_OF_AIR = 12
"""Grey levels up to this one are air in an 8-bit presentation."""

MASK_MARGIN = 9
"""Pixels, at the mask's working size, by which `whole_unmarked` grows the breast: the skin line is darker than the threshold."""

breast_stretch = Recipe("breast-stretch@1", crop, normalise)
"""Crop to the breast, stretch to the shape, normalise inside the breast."""

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        breast_stretch,
        Recipe("breast-fit@1", breast_fit, normalise),
        Recipe("whole-stretch@1", whole_stretch, keep_levels),
        Recipe("whole-unmarked@1", whole_unmarked, keep_levels),
        Recipe("pad-square@1", pad_square, keep_levels),
        Recipe("patch-stretch@1", patch_stretch, keep_levels),
    )
}
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
