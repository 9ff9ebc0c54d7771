"""A folder that several judges share, that is damaged, that is full, that lies where others may write."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import time
from pathlib import Path

import pytest

from geak_evaluator.machine_code.cache import Cache, CacheError


def key(name: object) -> str:
    return hashlib.sha256(str(name).encode()).hexdigest()


def entries(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("??/*") if path.is_file())


def test_what_was_put_is_got(folder: Path) -> None:
    Cache(folder).put(key(1), b"value" * 100)
    assert Cache(folder).get(key(1)) == b"value" * 100
    assert Cache(folder).get(key(2)) is None


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "0" * 63, "G" * 64, key(1).upper(), f"{key(1)}\n"])
def test_a_key_is_a_hash_and_never_a_path(folder: Path, name: str) -> None:
    for use in (lambda: Cache(folder).get(name), lambda: Cache(folder).put(name, b"")):
        with pytest.raises(ValueError, match="SHA-256"):
            use()


def test_a_truncated_entry_is_none_and_goes(folder: Path) -> None:
    cache = Cache(folder)
    cache.put(key(1), os.urandom(1000))
    (path,) = entries(folder)
    for size in (500, 32, 31, 0):
        os.truncate(path, size)
        assert cache.get(key(1)) is None
        assert not path.exists()
        cache.put(key(1), b"anew")
        assert cache.get(key(1)) == b"anew"


def test_a_changed_entry_is_none(folder: Path) -> None:
    cache = Cache(folder)
    cache.put(key(1), b"value")
    (path,) = entries(folder)
    for at in (0, -1):
        data = bytearray(path.read_bytes())
        data[at] ^= 1
        path.write_bytes(data)
        assert cache.get(key(1)) is None
        cache.put(key(1), b"value")


def test_an_entry_under_another_name_is_none(folder: Path) -> None:
    cache = Cache(folder)
    cache.put(key(1), b"value")
    (path,) = entries(folder)
    other = folder / key(2)[:2] / key(2)
    other.parent.mkdir(exist_ok=True)
    path.rename(other)
    assert cache.get(key(2)) is None


def test_a_folder_or_a_link_in_the_place_of_an_entry_is_none(folder: Path) -> None:
    cache = Cache(folder)
    place = folder / key(1)[:2]
    (place / key(1)).mkdir(parents=True)
    assert cache.get(key(1)) is None
    cache.put(key(1), b"value")  # and nothing is raised
    (place / key(2)).symlink_to("/etc/passwd")
    assert cache.get(key(2)) is None


def test_what_was_not_used_for_longest_goes_first(folder: Path) -> None:
    cache = Cache(folder, max_bytes=10_000)
    for name in range(8):
        cache.put(key(name), os.urandom(1000))
        path = folder / key(name)[:2] / key(name)
        os.utime(path, (1_000_000 + name,) * 2)
    assert cache.get(key(0)) is not None  # used just now: the next oldest is 1
    for name in range(8, 12):
        cache.put(key(name), os.urandom(1000))
        os.utime(folder / key(name)[:2] / key(name), (2_000_000 + name,) * 2)
    kept = [name for name in range(12) if cache.get(key(name)) is not None]
    assert kept == [0, 4, 5, 6, 7, 8, 9, 10, 11]
    assert sum(path.stat().st_size for path in entries(folder)) <= 10_000


def test_a_value_larger_than_the_cache_is_not_kept(folder: Path) -> None:
    cache = Cache(folder, max_bytes=10_000)
    cache.put(key(1), b"small")
    cache.put(key(2), os.urandom(20_000))
    assert cache.get(key(1)) == b"small"
    assert cache.get(key(2)) is None


def test_what_a_killed_process_left_is_removed(folder: Path) -> None:
    cache = Cache(folder)
    place = folder / "aa"
    place.mkdir()
    old, new = place / ".new-old", place / ".new-new"
    old.write_bytes(b"half")
    new.write_bytes(b"half")
    os.utime(old, (time.time() - 10_000,) * 2)
    cache.put(key(1), b"value")
    assert not old.exists()
    assert new.exists()


def test_a_folder_that_others_may_write_is_refused(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(CacheError, match="others may write"):
        Cache(folder)


def test_a_new_folder_is_ours_alone(folder: Path) -> None:
    Cache(folder / "deep" / "down").put(key(1), b"value")
    assert (folder / "deep" / "down").stat().st_mode & 0o777 == 0o700
    (path,) = entries(folder / "deep" / "down")
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_full_disk_costs_the_entry_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(folder)

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        cache.put(key(1), b"value")
    assert cache.get(key(1)) is None
    assert not list(folder.rglob(".new-*"))


def _hammer(folder: Path, seed: int) -> None:
    cache = Cache(folder, max_bytes=200_000)
    for turn in range(150):
        name = (turn * 7 + seed) % 40
        cache.put(key(name), str(name).encode() * 5000)
        other = (name + 3) % 40
        assert cache.get(key(other)) in (None, str(other).encode() * 5000)


def test_two_processes_write_at_once(folder: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_hammer, args=(folder, seed)) for seed in (0, 1)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        worker.kill()
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert not list(folder.rglob(".new-*"))
    assert len(entries(folder)) == 40
