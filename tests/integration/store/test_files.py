"""Files on a real disk: whole or absent, and never where a sender says."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from service.store.files import FileStore


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "data")


def spooled(store: FileStore, content: bytes = b"pixels") -> Path:
    path = store.spool_dir / "one.part"
    path.write_bytes(content)
    return path


def test_a_committed_file_leaves_the_spool_for_a_place_named_by_hashes(store: FileStore) -> None:
    relative = store.commit(spooled(store), "1.2.3", "a" * 64)
    assert not relative.is_absolute() and relative.parts[0] == "instances" and "1.2.3" not in str(relative)
    assert store.path(relative).read_bytes() == b"pixels"
    assert list(store.spool_dir.iterdir()) == []


def test_other_bytes_under_the_same_uid_lie_beside_the_first(store: FileStore) -> None:
    first, second = store.commit(spooled(store), "1.2.3", "a" * 64), store.commit(spooled(store, b"other"), "1.2.3", "b" * 64)
    assert (store.path(first).read_bytes(), store.path(second).read_bytes()) == (b"pixels", b"other")
    assert first.parent == second.parent


def test_a_file_is_flushed_before_it_is_renamed_and_its_folder_after(store: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.commit(spooled(store), "1.2.3", "a" * 64)
    order: list[str] = []
    flush, rename = os.fsync, Path.replace

    def watch_flush(descriptor: int) -> None:
        order.append("flush " + Path(f"/proc/self/fd/{descriptor}").readlink().name)
        flush(descriptor)

    def watch_rename(path: Path, target: Path) -> Path:
        order.append("rename")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", watch_flush)
    monkeypatch.setattr(Path, "replace", watch_rename)
    relative = store.commit(spooled(store), "1.2.3", "b" * 64)
    assert order == ["flush one.part", "rename", f"flush {relative.parent.name}"]


def test_results_are_replaced_as_a_whole(store: FileStore) -> None:
    store.write_result("1.2.3", "heatmap.png", b"old")
    assert store.write_result("1.2.3", "heatmap.png", b"new") == store.results_dir("1.2.3") / "heatmap.png"
    assert (store.results_dir("1.2.3") / "heatmap.png").read_bytes() == b"new"
    assert list(store.spool_dir.iterdir()) == []


@pytest.mark.parametrize("name", ["../escape.png", "a/b.png", "/etc/x"])
def test_a_result_cannot_leave_its_folder(store: FileStore, name: str) -> None:
    with pytest.raises(ValueError, match="plain file name"):
        store.write_result("1.2.3", name, b"")


@pytest.mark.parametrize("uid", ["../../etc/passwd", "/absolute", "1.2\x00.3"])
def test_a_hostile_uid_is_only_a_hash(store: FileStore, uid: str) -> None:
    for path in (store.path(store.commit(spooled(store), uid, "a" * 64)), store.results_dir(uid), store.produced_path(uid)):
        assert path.resolve().is_relative_to(store.data_dir)
    assert store.produced_path(uid).parent.is_dir()


def test_the_spool_is_swept_by_age(store: FileStore) -> None:
    old, fresh = store.spool_dir / "old.dcm", spooled(store)
    old.write_bytes(b"half a file")
    os.utime(old, (time.time() - 1000, time.time() - 1000))
    assert store.sweep_spool(older_than_s=600) == 1
    assert list(store.spool_dir.iterdir()) == [fresh]
