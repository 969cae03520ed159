"""Where runtimes are taken from."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kernel.errors import ShipoffError
from orchestrator.drivers.local import runtimes


def unpacked(root: Path) -> Path:
    """Debian's PHP as `dpkg-deb -x` leaves it."""
    for name in ("php8.2", "phar8.2"):
        (root / "php/usr/bin").mkdir(parents=True, exist_ok=True)
        (root / "php/usr/bin" / name).write_text("")
    (root / "php/usr/lib/x86_64-linux-gnu").mkdir(parents=True)
    extensions = root / "php/usr/lib/php/20220829"
    extensions.mkdir(parents=True)
    for name in ("ctype", "opcache", "pdo", "pdo_sqlite"):
        (extensions / f"{name}.so").write_text("")
    return root


def test_unpacked_php_finds_its_libraries_and_extensions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    found = runtimes.php(unpacked(tmp_path))
    ((wrapper, path),) = found.files
    assert path == Path("/etc/shipoff/bin/php")
    assert found.path == ("/etc/shipoff/bin",)
    assert 'LD_LIBRARY_PATH="/runtimes/php/usr/lib/x86_64-linux-gnu" exec /runtimes/php/usr/bin/php8.2 -n' in wrapper
    assert "extension_dir=/runtimes/php/usr/lib/php/20220829" in wrapper
    assert "zend_extension=opcache" in wrapper
    assert wrapper.index("extension=pdo ") < wrapper.index("extension=pdo_sqlite")


def test_a_missing_runtime_is_an_error_with_a_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    for directory in (None, tmp_path):
        with pytest.raises(ShipoffError, match="RUNTIME_MISSING"):
            runtimes.php(directory)


def test_python_is_always_there_because_the_agent_needs_it() -> None:
    inside = [path for mount in runtimes.mounts_for("none", None) for _, path in (*mount.binds, *mount.links)]
    assert runtimes.INSIDE / "python" in inside
