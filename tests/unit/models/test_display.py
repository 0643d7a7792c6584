"""What a viewer makes of the values and their window is what the networks' rendering makes of the file."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.errors import NotGrey
from models.preprocessing.display import DisplayPixels, Window, display_pixels
from models.preprocessing.intensity import to_grey
from tests.support.phantom import draw_breast, make_dataset, make_table

BREAST = draw_breast()
SIGNED = (BREAST.astype(np.int32) - 2048).astype(np.int16)
CURVE = [int(4095 * (place / 4095) ** 0.6) for place in range(4096)]


def look(shown: DisplayPixels) -> NDArray[np.float64]:
    """Lay the first window over the values, as the page's shader does."""
    window = shown.windows[0]
    unit = 1 / shown.slope if shown.curve == "linear" else 0.0
    part = (shown.values - (window.centre - unit / 2)) / max(window.width - unit, 1e-3)
    grey = 1 / (1 + np.exp(-4 * part)) if shown.curve == "sigmoid" else np.clip(part + 0.5, 0, 1)
    return np.asarray(255 * (1 - grey if shown.inverse else grey))


@pytest.mark.parametrize(
    ("stored", "attributes", "windows_from"),
    [
        (BREAST, {"WindowCenter": 1500, "WindowWidth": 700}, "window"),
        (BREAST, {"WindowCenter": [1200, 900], "WindowWidth": [2000, 100]}, "window"),
        (BREAST, {"WindowCenter": 1700, "WindowWidth": 900, "VOILUTFunction": "SIGMOID"}, "window"),
        (BREAST, {"WindowCenter": 1500, "WindowWidth": 700, "VOILUTFunction": "LINEAR_EXACT"}, "window"),
        (BREAST, {"WindowCenter": 150, "WindowWidth": 100, "RescaleSlope": 0.1, "RescaleIntercept": -50}, "window"),
        (BREAST, {"WindowCenter": 2000, "WindowWidth": 3000, "PhotometricInterpretation": "MONOCHROME1"}, "window"),
        (BREAST, {"ModalityLUTSequence": [make_table(0, 16, CURVE)], "WindowCenter": 2000, "WindowWidth": 3000}, "window"),
        (BREAST, {"VOILUTSequence": [make_table(0, 12, CURVE)]}, "lut"),
        (SIGNED, {"WindowCenter": 0, "WindowWidth": 3000}, "window"),
        (BREAST, {}, "pixels"),
        (BREAST, {"RescaleSlope": 0.5}, "pixels"),
        (SIGNED, {}, "pixels"),
        ((BREAST >> 4).astype(np.uint8), {}, "pixels"),
    ],
)
def test_values_under_their_window_are_the_rendered_greys(stored: NDArray[Any], attributes: dict[str, Any], windows_from: str) -> None:
    dataset = make_dataset(stored, bits_stored=min(12, 8 * stored.dtype.itemsize), **attributes)
    shown = display_pixels(dataset)
    rendered = to_grey(stored, dataset, inverted=shown.inverse != (attributes.get("PhotometricInterpretation") == "MONOCHROME1"))
    assert shown.windows_from == windows_from
    assert np.abs(look(shown) - rendered).max() <= 1.5
    assert rendered.max() > 100


def test_familiar_numbers_stay_and_negative_ones_are_told_by_the_intercept() -> None:
    plain = display_pixels(make_dataset(BREAST, bits_stored=12))
    assert np.array_equal(plain.values, BREAST)
    assert (plain.intercept, plain.slope) == (0.0, 1.0)
    signed = display_pixels(make_dataset(SIGNED, bits_stored=12))
    assert np.array_equal(signed.values.astype(int) + signed.intercept, SIGNED)
    scaled = display_pixels(make_dataset(BREAST, bits_stored=12, RescaleSlope=0.25, RescaleIntercept=-7))
    assert np.abs(scaled.values * scaled.slope + scaled.intercept - (0.25 * BREAST - 7)).max() < 0.01


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_as_dark_as_it_gets(photometric: str) -> None:
    padded = BREAST if photometric == "MONOCHROME2" else 4095 - BREAST
    padded = padded.copy()
    padded[:, -30:] = 65535
    shown = display_pixels(make_dataset(padded, PhotometricInterpretation=photometric, PixelPaddingValue=65535))
    assert shown.inverse is (photometric == "MONOCHROME1")
    assert look(shown)[:, -30:].max() < 1
    assert look(shown)[:, :100].max() > 200


def test_a_white_background_that_the_header_hides_is_turned() -> None:
    shown = display_pixels(make_dataset(4095 - BREAST, bits_stored=12, WindowCenter=2048, WindowWidth=4096))
    assert shown.inverse
    assert look(shown)[:20, -20:].mean() < 60


def test_every_usable_window_is_offered_by_its_name() -> None:
    dataset = make_dataset(BREAST, WindowCenter=[2000, 1500, 800], WindowWidth=[4000, 0, 600])
    dataset.WindowCenterWidthExplanation = ["NORMAL", "BROKEN", "DENSE"]
    assert display_pixels(dataset).windows == (Window(2000, 4000, "NORMAL"), Window(800, 600, "DENSE"))
    del dataset.WindowWidth
    assert display_pixels(dataset).windows_from == "pixels"


@pytest.mark.parametrize(
    ("attributes", "spacing_mm"),
    [
        ({"ImagerPixelSpacing": [0.07, 0.08]}, (0.07, 0.08)),
        ({"ImagerPixelSpacing": [0.07, 0.07], "PixelSpacing": [0.065, 0.065]}, (0.065, 0.065)),
        ({"PixelSpacing": [0, 0]}, None),
        ({}, None),
    ],
)
def test_spacing_is_told_where_it_can_be_meant(attributes: dict[str, Any], spacing_mm: tuple[float, float] | None) -> None:
    assert display_pixels(make_dataset(BREAST, **attributes)).spacing_mm == spacing_mm


def test_a_flat_picture_has_a_window_too() -> None:
    flat = display_pixels(make_dataset(np.full((64, 64), 7, np.uint16)))
    assert flat.windows[0].width > 0
    only_padding = display_pixels(make_dataset(np.full((64, 64), 7, np.uint16), PixelPaddingValue=7))
    assert look(only_padding).max() < 1


def test_units_beyond_all_numbers_are_left_out() -> None:
    shown = display_pixels(make_dataset(BREAST, bits_stored=12, RescaleSlope="1e308", RescaleIntercept=5))
    assert np.array_equal(shown.values, BREAST)
    assert np.isfinite([shown.windows[0].centre, shown.windows[0].width, shown.intercept, shown.slope]).all()


def test_colour_is_refused_by_name() -> None:
    coloured = make_dataset(BREAST)
    coloured.SamplesPerPixel = 3
    with pytest.raises(NotGrey):
        display_pixels(coloured)
