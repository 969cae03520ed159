"""Log files: whole, bounded, and independent of who reads them."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from stack import logs
from stack.logs import LogPump


def test_what_was_written_before_the_end_is_there_after_close(tmp_path: Path) -> None:
    pump = LogPump(tmp_path)
    output = pump.open("unit")
    subprocess.run(["sh", "-c", "echo first; echo last >&2"], stdout=output, stderr=output, check=True)
    os.close(output)
    pump.close()
    assert (tmp_path / "unit.log").read_text() == "first\nlast\n"
    assert pump.tail("unit", 1) == ["last"]
    assert pump.tail("nobody") == []


def test_two_processes_of_one_unit_share_its_file(tmp_path: Path) -> None:
    pump = LogPump(tmp_path)
    first, second = pump.open("unit"), pump.open("unit")
    os.write(first, b"a\n")
    os.write(second, b"b\n")
    os.close(first)  # the second stays open, like that of an app's shim: close does not wait for it
    pump.close()
    assert sorted((tmp_path / "unit.log").read_text().split()) == ["a", "b"]
    os.close(second)


def test_a_file_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "FILE_BYTES", 100_000)
    pump = LogPump(tmp_path)
    output = pump.open("unit")
    for number in range(200):
        os.write(output, b"%05d %s\n" % (number, b"x" * 4000))
    os.close(output)
    pump.close(10)
    sizes = [path.stat().st_size for path in tmp_path.iterdir()]
    assert len(sizes) == 2
    assert sum(sizes) < 500_000
    assert pump.tail("unit", 1)[0].startswith("00199 ")


def test_a_disk_that_takes_nothing_does_not_stop_the_writer(tmp_path: Path) -> None:
    (tmp_path / "unit.log").mkdir()  # so that it cannot be opened
    pump = LogPump(tmp_path)
    output = pump.open("unit")
    end = time.monotonic() + 20
    for _ in range(50):  # more than a pipe holds
        os.write(output, b"x" * 10_000)
        assert time.monotonic() < end
    os.close(output)
    pump.close()
