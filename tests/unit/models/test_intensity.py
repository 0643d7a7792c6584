"""One table gives the grey levels that pydicom's functions give step by step, and inversion and padding where they belong."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

from models.preprocessing.intensity import stretch_to_grey, to_grey
from tests.support.phantom import draw_breast, make_dataset, make_table

BREAST = draw_breast()
PINNED_GREY = {"stretch": 3656495591, "sigmoid": 1840018121, "inverse": 2173580187}
SIGNED = (BREAST.astype(np.int32) - 2048).astype(np.int16)
CURVE = [int(4095 * (place / 4095) ** 0.6) for place in range(4096)]
FALLING = [4095 - place for place in range(4096)]


@pytest.mark.parametrize(
    ("stored", "attributes", "top"),
    [
        (BREAST, {"WindowCenter": 2048, "WindowWidth": 4096}, 4095),
        (BREAST, {"WindowCenter": 1500.5, "WindowWidth": 700}, 4095),
        (BREAST, {"WindowCenter": 1500, "WindowWidth": 1}, 4095),
        (BREAST, {"WindowCenter": [1200, 900], "WindowWidth": [2000, 100]}, 4095),
        (BREAST, {"WindowCenter": 1500, "WindowWidth": 700, "VOILUTFunction": "LINEAR_EXACT"}, 4095),
        (BREAST, {"WindowCenter": 1700, "WindowWidth": 900, "VOILUTFunction": "SIGMOID"}, 4095),
        (BREAST, {"VOILUTSequence": [make_table(0, 12, CURVE)], "WindowCenter": 1, "WindowWidth": 2}, 4095),
        (BREAST, {"ModalityLUTSequence": [make_table(0, 16, FALLING)], "WindowCenter": 2000, "WindowWidth": 3000}, 65535),
        (SIGNED, {"WindowCenter": 0, "WindowWidth": 3000, "RescaleSlope": 1, "RescaleIntercept": 0}, None),
    ],
)
def test_the_table_shows_what_pydicom_shows(stored: np.ndarray[Any, Any], attributes: dict[str, Any], top: int | None) -> None:
    dataset = make_dataset(stored, bits_stored=12, **attributes)
    expected = apply_voi_lut(apply_modality_lut(stored, dataset), dataset).astype(np.float64)
    low, high = (0.0, top) if top else (-2048.0, 2047.0)
    grey = to_grey(stored, dataset)
    assert grey.dtype == np.uint8
    assert np.abs(grey - 255 * (expected - low) / (high - low)).max() <= 1.0
    assert grey.max() > 100


def test_a_table_of_eight_bits_holds_its_ends() -> None:
    """Not compared with pydicom 3.0: its index wraps at 256 there."""
    grey = to_grey(BREAST, make_dataset(BREAST, VOILUTSequence=[make_table(900, 8, list(range(256)))]))
    assert np.array_equal(grey, np.clip(BREAST.astype(int) - 900, 0, 255))


def test_a_rescaled_window_is_taken_in_rescaled_values() -> None:
    plain = to_grey(BREAST, make_dataset(BREAST, bits_stored=12, WindowCenter=2000, WindowWidth=1001))
    scaled = make_dataset(BREAST, bits_stored=12, RescaleSlope=0.1, RescaleIntercept=-50, VOILUTFunction="LINEAR_EXACT")
    scaled.WindowCenter, scaled.WindowWidth = 149.95, 100
    assert np.abs(to_grey(BREAST, scaled).astype(int) - plain).max() <= 1


@pytest.mark.parametrize(
    ("attributes", "inverse"),
    [
        ({"PhotometricInterpretation": "MONOCHROME1"}, True),
        ({"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "INVERSE"}, True),
        ({"PhotometricInterpretation": "MONOCHROME2", "PresentationLUTShape": "INVERSE"}, True),
        ({"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "IDENTITY"}, False),
        ({"PhotometricInterpretation": "MONOCHROME2", "PresentationLUTShape": "IDENTITY"}, False),
        ({}, False),
    ],
)
def test_inversion_happens_once_where_the_header_asks(attributes: dict[str, Any], inverse: bool) -> None:
    window: dict[str, Any] = {"WindowCenter": 2048, "WindowWidth": 4096}
    plain = to_grey(BREAST, make_dataset(BREAST, **window))
    grey = to_grey(BREAST, make_dataset(BREAST, **window, **attributes))
    assert np.abs(grey.astype(int) - (255 - plain if inverse else plain)).max() <= 1
    turned = to_grey(BREAST, make_dataset(BREAST, **window, **attributes), inverted=True)
    assert np.abs(turned.astype(int) + grey - 255).max() <= 1


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("turned", [False, True])
def test_padding_is_black_whatever_is_inverted(photometric: str, turned: bool) -> None:
    padded = BREAST.copy()
    padded[:, -60:-30], padded[:, -30:] = 4000, 4095
    dataset = make_dataset(padded, PhotometricInterpretation=photometric, PixelPaddingValue=4000, PixelPaddingRangeLimit=4095)
    assert not to_grey(padded, dataset, turned)[:, -60:].any()


def test_padding_does_not_stretch_the_range() -> None:
    padded = BREAST.copy()
    padded[:, -40:] = 65535
    grey = to_grey(padded, make_dataset(padded, PixelPaddingValue=65535))
    assert grey[:, :-40].max() == 255
    only = np.full((64, 64), 7, np.uint16)
    assert not to_grey(only, make_dataset(only, PixelPaddingValue=7)).any()


def test_signed_padding_is_found_in_an_unsigned_attribute() -> None:
    padded = SIGNED.copy()
    padded[:, -40:] = -2000
    dataset = make_dataset(padded, bits_stored=12, PixelPaddingValue=65536 - 2000)
    assert not to_grey(padded, dataset)[:, -40:].any()


def test_without_a_window_the_used_range_fills_the_greys() -> None:
    grey = to_grey(BREAST, make_dataset(BREAST, bits_stored=12))
    assert (int(grey.min()), int(grey.max())) == (0, 255)
    spoiled = BREAST.copy()
    spoiled[0, :3] = 65535  # three hot pixels
    assert np.abs(to_grey(spoiled, make_dataset(spoiled))[1:].astype(int) - grey[1:]).max() <= 1


@pytest.mark.parametrize(
    "attributes",
    [
        {"WindowCenter": 2048},
        {"WindowCenter": 2048, "WindowWidth": 0},
        {"WindowCenter": 2048, "WindowWidth": -5},
        {"VOILUTSequence": []},
        {"VOILUTSequence": [Dataset()]},
        {"VOILUTSequence": [make_table(0, 40, CURVE)]},
        {"VOILUTSequence": [make_table(0, 12, [])]},
        {"RescaleSlope": 0},
    ],
)
def test_an_unusable_attribute_counts_as_absent(attributes: dict[str, Any]) -> None:
    assert np.array_equal(to_grey(BREAST, make_dataset(BREAST, **attributes)), to_grey(BREAST, make_dataset(BREAST)))


def test_pictures_of_eight_bits_stay_and_of_sixteen_are_stretched() -> None:
    eight = (BREAST >> 4).astype(np.uint8)
    assert np.array_equal(stretch_to_grey(eight), eight)
    assert np.array_equal(stretch_to_grey(BREAST), to_grey(BREAST, make_dataset(BREAST)))


def test_rendered_levels_are_pinned() -> None:
    found = {
        "stretch": to_grey(BREAST, make_dataset(BREAST)),
        "sigmoid": to_grey(BREAST, make_dataset(BREAST, WindowCenter=1700, WindowWidth=900, VOILUTFunction="SIGMOID")),
        "inverse": to_grey(BREAST, make_dataset(BREAST, PhotometricInterpretation="MONOCHROME1", WindowCenter=2048, WindowWidth=4096)),
    }
    assert {name: zlib.crc32(grey.tobytes()) for name, grey in found.items()} == PINNED_GREY
