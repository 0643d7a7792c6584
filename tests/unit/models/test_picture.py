"""Every source gives one grey picture with a dark background, or a named error."""

from __future__ import annotations

import random
import zlib
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest

from models.errors import ImageTooLarge, ModelsError, NotGrey, Undecodable
from models.preprocessing.picture import picture_from_dataset, picture_from_file
from models.preprocessing.recipe import breast_stretch
from tests.support.phantom import draw_breast, make_dataset

BREAST = draw_breast()
PINNED_FILMS = {
    "1-130": (1748600247, 0.299, 0.23),
    "1-131": (1341964925, 0.4, 0.32),
    "1-132": (2102160958, 0.316, 0.18),
    "1-133": (2425896211, 0.427, 0.33),
    "1-280": (3347253848, 0.386, 0.28),
    "1-281": (1599481211, 0.307, 0.33),
    "1-282": (4275920765, 0.385, 0.26),
    "1-283": (1027389689, 0.268, 0.33),
}
EIGHT = (BREAST >> 4).astype(np.uint8)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("white", [False, True])
def test_the_background_is_dark_whatever_the_header_says(photometric: str, white: bool) -> None:
    stored = (4095 - BREAST) if white else BREAST
    picture = picture_from_dataset(make_dataset(stored, bits_stored=12, PhotometricInterpretation=photometric))
    assert picture.pixels[:, -20:].mean() < 30 < 120 < picture.pixels[150:250, :60].mean()
    assert picture.inverted == (white == (photometric == "MONOCHROME2"))
    assert picture.source == "dicom"


@pytest.mark.parametrize(
    "name", ["grey.png", "grey.jpg", "deep.png", "colours.png", "alpha.png", "colours.jpg", "white.png", "disguised.txt"]
)
def test_pictures_are_read_by_content(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    pixels = {
        "deep.png": BREAST << 4,
        "colours.png": cv2.cvtColor(EIGHT, cv2.COLOR_GRAY2BGR),
        "colours.jpg": cv2.cvtColor(EIGHT, cv2.COLOR_GRAY2BGR),
        "alpha.png": cv2.cvtColor(EIGHT, cv2.COLOR_GRAY2BGRA),
        "white.png": 255 - EIGHT,
    }.get(name, EIGHT)
    path.write_bytes(cv2.imencode(".jpg" if path.suffix == ".jpg" else ".png", pixels)[1].tobytes())
    picture = picture_from_file(path)
    assert picture.pixels.shape == EIGHT.shape and picture.pixels.dtype == np.uint8
    assert np.corrcoef(picture.pixels.ravel(), EIGHT.ravel())[0, 1] > 0.99
    assert picture.source == ("jpeg" if path.suffix == ".jpg" else "png")
    assert picture.inverted == (name == "white.png")


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_real_colour_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"colour{suffix}"
    path.write_bytes(cv2.imencode(suffix, cv2.applyColorMap(EIGHT, cv2.COLORMAP_JET))[1].tobytes())
    with pytest.raises(NotGrey):
        picture_from_file(path)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_truncated_damaged_and_huge_pictures_are_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"picture{suffix}"
    whole = cv2.imencode(suffix, EIGHT)[1].tobytes()
    for part in (b"", b"GIF89a", whole[:3], whole[:30], whole[: len(whole) // 2], whole[:-20]):
        path.write_bytes(part)
        with pytest.raises(Undecodable):
            picture_from_file(path)
    path.write_bytes(whole)
    with pytest.raises(ImageTooLarge):
        picture_from_file(path, max_pixels=EIGHT.size - 1)
    chance = random.Random(suffix)
    for _ in range(150):
        damaged = bytearray(whole)
        for _ in range(chance.choice((1, 10))):
            damaged[chance.randrange(8, len(damaged))] = chance.randrange(256)
        path.write_bytes(damaged)
        try:
            picture_from_file(path, max_pixels=1_000_000)
        except ModelsError as error:
            assert error.code in {Undecodable.code, ImageTooLarge.code, NotGrey.code}


def test_a_missing_file_is_the_callers_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        picture_from_file(tmp_path / "nothing.png")


def test_real_films_give_pinned_pictures_and_network_inputs(cbis_cases: dict[str, list[Path]]) -> None:
    found = {}
    for path in (path for files in cbis_cases.values() for path in files):
        picture = picture_from_dataset(pydicom.dcmread(path))
        assert not picture.inverted
        prepared = breast_stretch(picture.pixels, (384, 320))
        found[path.stem] = (
            zlib.crc32(picture.pixels.tobytes()),
            round(float(prepared.pixels.mean()), 3),
            round(prepared.breast_fraction, 2),
        )
    assert found == PINNED_FILMS
