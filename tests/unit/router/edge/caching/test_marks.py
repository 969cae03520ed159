"""What is noted of forgotten answers: for one URL, for all, by whichever worker, and for no other URL."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import pytest

from router.edge.caching.marks import Marks


def digest(url: int) -> str:
    return hashlib.blake2b(b"%d" % url, digest_size=16).hexdigest()


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "marks")


def test_only_what_was_asked_for_before_is_outdated(path: str) -> None:
    marks, before = Marks(path), time.time()
    assert not marks.since(digest(1), before)
    Marks(path).put(digest(1))  # another worker
    assert marks.since(digest(1), before)
    assert not marks.since(digest(1), time.time() + 1)


def test_other_urls_are_left_alone(path: str) -> None:
    marks, before = Marks(path), time.time()
    for url in range(100):
        marks.put(digest(url))
    assert sum(marks.since(digest(url), before) for url in range(100, 2100)) < 20


def test_one_mark_stands_for_every_url(path: str) -> None:
    marks, before = Marks(path), time.time()
    marks.put()
    assert all(marks.since(digest(url), before) for url in range(5))


def test_a_file_that_somebody_removed_is_made_anew(path: str) -> None:
    marks, before = Marks(path), time.time()
    marks.put(digest(1))
    Path(path).unlink()
    assert not marks.since(digest(1), before)
    marks.put(digest(1))
    assert marks.since(digest(1), before)
