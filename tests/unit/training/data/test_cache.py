"""The cache: decoded once, resumed after a kill, broken files named, a full disk reported before anything is written."""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.errors import RecipeUnknown
from models.preprocessing.recipe import find_recipe
from tests.support.phantom import draw_breast, make_dataset
from training.data import cache, pictures
from training.data.cache import build_cache, read_crop
from training.data.index import read_index
from training.data.pictures import read_picture
from training.data.table import Row

SHAPE = (48, 32)


def make_row(file: Path, **changes: object) -> Row:
    values: dict[str, object] = {
        "dataset": "drawn", "patient": file.stem, "exam": file.stem, "image": file.stem, "file": file, "view": "CC", "laterality": "L",
        "breast": "L", "density": None, "pathology": None, "manufacturer": "m", "age": None,
    }  # fmt: skip
    return Row(**(values | changes))  # type: ignore[arg-type]


def draw_files(folder: Path, count: int) -> list[Row]:
    """Breasts of different brightness as PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(count):
        picture = (draw_breast(96, 64, bits=8) // (1 + number % 5)).astype(np.uint8)
        cv2.imwrite(str(folder / f"{number:03d}.png"), picture)
        rows.append(make_row(folder / f"{number:03d}.png"))
    return rows


def test_crops_are_those_of_the_recipe_and_are_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = draw_files(tmp_path / "set", 5)
    first = build_cache(rows, SHAPE, tmp_path / "cache")
    assert first.rows == rows and not first.skipped and first.pixels.shape == (5, *SHAPE) and first.pixels.dtype == np.uint8
    for row, pixels in zip(rows, first.pixels, strict=True):
        assert np.array_equal(pixels, find_recipe("breast-stretch@1").crop(read_picture(row), SHAPE)[0])
    monkeypatch.setattr(cache, "read_picture", lambda row: pytest.fail("decoded twice"))
    again = build_cache(rows, SHAPE, tmp_path / "cache")
    assert np.array_equal(first.pixels, again.pixels) and not again.pixels.flags.writeable


def test_recipe_shape_and_files_make_different_caches(tmp_path: Path) -> None:
    rows = draw_files(tmp_path / "set", 3)
    folder = tmp_path / "cache"
    for chosen, shape, recipe in (
        (rows, SHAPE, "breast-stretch@1"),
        (rows, (32, 32), "breast-stretch@1"),
        (rows, SHAPE, "whole-stretch@1"),
        (rows[:2], SHAPE, "breast-stretch@1"),
        ([make_row(row.file, mirrored=True) for row in rows], SHAPE, "breast-stretch@1"),
    ):
        build_cache(chosen, shape, folder, recipe)
    assert len(list(folder.glob("*.u8"))) == 5
    shutil.copytree(tmp_path / "set", tmp_path / "moved" / "set")
    build_cache([make_row(tmp_path / "moved" / "set" / row.file.name) for row in rows], SHAPE, folder)
    assert len(list(folder.glob("*.u8"))) == 5, "a moved data folder keeps its cache"
    cv2.imwrite(str(rows[0].file), np.zeros((10, 10), np.uint8))
    build_cache(rows, SHAPE, folder)
    assert len(list(folder.glob("*.u8"))) == 6, "another file under the same name is another table"


def test_unknown_recipe_and_empty_table_are_clear_errors(tmp_path: Path) -> None:
    rows = draw_files(tmp_path / "set", 1)
    with pytest.raises(RecipeUnknown, match="nonsense@9"):
        build_cache(rows, SHAPE, tmp_path, "nonsense@9")
    with pytest.raises(ValueError, match="no images to cache"):
        build_cache([], SHAPE, tmp_path)


def test_broken_and_missing_files_are_named_and_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = draw_files(tmp_path / "set", 6)
    rows[1].file.write_bytes(rows[1].file.read_bytes()[:200])
    rows[3].file.unlink()
    rows[4].file.write_text("not a picture at all")
    for _ in range(2):  # built, then read back
        with caplog.at_level(logging.WARNING):
            cached = build_cache(rows, SHAPE, tmp_path / "cache")
        assert cached.rows == [rows[0], rows[2], rows[5]] and cached.pixels.shape == (3, *SHAPE)
        assert [(Path(skipped.what).name, skipped.why) for skipped in cached.skipped] == [
            ("001.png", "the PNG file is truncated or damaged"),
            ("003.png", "No such file or directory"),
            ("004.png", "the file is neither DICOM nor PNG, JPEG or PGM"),
        ]
        assert "001.png" in caplog.text and "003.png" in caplog.text
        caplog.clear()
    for row, pixels in zip(cached.rows, cached.pixels, strict=True):
        assert np.array_equal(pixels, read_crop(row, SHAPE))


def test_nothing_readable_is_an_error_that_says_why(tmp_path: Path) -> None:
    rows = draw_files(tmp_path / "set", 2)
    for row in rows:
        row.file.write_bytes(b"")
    with pytest.raises(ValueError, match="none of the 2 images"):
        build_cache(rows, SHAPE, tmp_path / "cache")


def test_a_killed_build_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real SIGKILL in the middle of a build by another process; this process then decodes only what is missing."""
    rows = draw_files(tmp_path / "set", 12)
    rows[2].file.write_bytes(b"broken")
    script = textwrap.dedent(
        f"""
        import time
        from pathlib import Path
        from tests.unit.training.data.test_cache import SHAPE, make_row
        from training.data import cache
        cache.CHUNK = 4
        known = cache.read_picture
        def slow(row):
            if row.file.stem > "005":
                time.sleep(60)
            return known(row)
        cache.read_picture = slow
        rows = [make_row(file) for file in sorted(Path({str(tmp_path / "set")!r}).iterdir())]
        cache.build_cache(rows, SHAPE, Path({str(tmp_path / "cache")!r}))
        """
    )
    child = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL, cwd=Path(__file__).parents[4])
    deadline = time.monotonic() + 60
    while not list((tmp_path / "cache").glob("*.json")) and time.monotonic() < deadline and child.poll() is None:
        time.sleep(0.05)
    child.send_signal(signal.SIGKILL)
    child.wait()
    (progress,) = (tmp_path / "cache").glob("*.json")
    assert json.loads(progress.read_text())["done"] == 4
    with progress.with_suffix(".u8").open("ab") as stream:
        stream.write(b"half a crop")  # what a kill in the middle of a chunk leaves behind

    decoded: list[str] = []
    known = read_picture

    def counting(row: Row) -> np.ndarray:
        decoded.append(row.file.stem)
        return known(row)

    monkeypatch.setattr(cache, "read_picture", counting)
    cached = build_cache(rows, SHAPE, tmp_path / "cache")
    assert sorted(decoded) == [f"{number:03d}" for number in range(4, 12)]
    assert [Path(skipped.what).name for skipped in cached.skipped] == ["002.png"]
    for row, pixels in zip(cached.rows, cached.pixels, strict=True):
        assert np.array_equal(pixels, find_recipe("breast-stretch@1").crop(known(row), SHAPE)[0])


def test_two_builders_of_one_cache_do_the_work_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the processes of one distributed run: one builds, the other waits and reads."""
    rows = draw_files(tmp_path / "set", 8)
    decoded: list[str] = []
    known = read_picture

    def counting(row: Row) -> np.ndarray:
        decoded.append(row.file.stem)
        time.sleep(0.02)
        return known(row)

    monkeypatch.setattr(cache, "read_picture", counting)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: build_cache(rows, SHAPE, tmp_path / "cache"), range(2))
    assert len(decoded) == 8 and np.array_equal(first.pixels, second.pixels) and len(first.rows) == 8


def test_a_full_disk_is_reported_with_the_bytes_that_are_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = draw_files(tmp_path / "set", 4)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9 - 100, 100))
    monkeypatch.setattr(cache, "read_picture", lambda row: pytest.fail("found out too late"))
    with pytest.raises(OSError, match=f"need {4 * SHAPE[0] * SHAPE[1]:,} more bytes in .*100 are free") as caught:
        build_cache(rows, SHAPE, tmp_path / "cache")
    assert caught.value.errno == errno.ENOSPC


def test_a_disk_that_fills_during_the_build_is_reported_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = draw_files(tmp_path / "set", 4)

    def fail(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match=r"free some space, choose a smaller shape"):
        build_cache(rows, SHAPE, tmp_path / "cache")
    monkeypatch.undo()
    assert len(build_cache(rows, SHAPE, tmp_path / "cache").rows) == 4


def test_pictures_of_every_kind_stand_the_same_way(tmp_path: Path) -> None:
    """PNG, JPEG, PGM, DICOM; white air and mirrored: `read_picture` answers the same breast at the left edge on black."""
    breast = (draw_breast(400, 300, bits=8)).astype(np.uint8)
    for suffix in ("png", "jpg", "pgm"):
        cv2.imwrite(str(tmp_path / f"plain.{suffix}"), breast)
        cv2.imwrite(str(tmp_path / f"white.{suffix}"), 255 - breast)
        cv2.imwrite(str(tmp_path / f"mirrored.{suffix}"), breast[:, ::-1])
    make_dataset(breast).save_as(tmp_path / "plain.dcm", enforce_file_format=True)
    make_dataset(255 - breast, PhotometricInterpretation="MONOCHROME1").save_as(tmp_path / "white.dcm", enforce_file_format=True)
    for name, changes in (
        *((f"{kind}.{suffix}", changes) for suffix in ("png", "jpg", "pgm") for kind, changes in (
            ("plain", {}), ("plain", {"inverted": False}), ("white", {}), ("white", {"inverted": True}), ("mirrored", {"mirrored": True}),
        )),
        ("plain.dcm", {}), ("white.dcm", {}), ("white.dcm", {"inverted": True}),
    ):  # fmt: skip
        seen = read_picture(make_row(tmp_path / name, **changes)).astype(int)
        assert seen.shape == breast.shape and np.corrcoef(seen.ravel(), breast.ravel())[0, 1] > 0.99, (name, changes)


def test_damaged_dicom_and_pgm_raise_what_the_cache_skips(tmp_path: Path) -> None:
    make_dataset(draw_breast(64, 64)).save_as(tmp_path / "x.dcm", enforce_file_format=True)
    whole = (tmp_path / "x.dcm").read_bytes()
    for length in (10, 133, 300, len(whole) - 100):
        (tmp_path / "x.dcm").write_bytes(whole[:length])
        with pytest.raises(pictures.UNREADABLE):
            read_picture(make_row(tmp_path / "x.dcm"))
    (tmp_path / "x.pgm").write_bytes(b"P5\n100 100\n255\n" + bytes(50))
    with pytest.raises(pictures.UNREADABLE):
        read_picture(make_row(tmp_path / "x.pgm"))


def test_real_crops_undo_mirroring_and_white_frames(data_folder: Path, tmp_path: Path) -> None:
    rows = read_index(data_folder, ["mini-mias"])
    rows = rows[:4] + [row for row in rows if row.image == "mdb132"]
    cached = build_cache(rows, (64, 40), tmp_path)
    for row, crop in zip(rows[:4], cached.pixels, strict=False):
        # A left breast's chest wall is at the left edge of a picture in standard orientation: the nipple's side is darker.
        left, right = crop[:, :20].mean(), crop[:, 20:].mean()
        assert (left > right) == (row.laterality == "L")
    film = cv2.imread(str(rows[4].file), cv2.IMREAD_GRAYSCALE)
    assert film is not None
    assert np.array_equal(read_picture(rows[4]), film[:, ::-1]), "its white frame is no white air"
