"""Writes docs/errors.md: every error code of the platform, from the modules that declare them. `--check` only compares.

Importing every module in one process is also the proof that no code is declared twice.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path

from kernel.errors import KINDS, ErrorKind

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "errors.md"
PACKAGES = ("kernel", "router", "control", "orchestrator", "logsink", "stack")
# Programs that run alone, without our packages, or that act when imported.
ALONE = ("orchestrator.drivers.local.agent", "control.gateway.git.hook")

# edge/ has modules that need each other; its program's order of imports is the one that works.
FIRST = ("router.worker",)

HEAD = """# Error codes

Made by `.ci/error_codes.py` from the modules that declare them; `make check` fails when it is stale. A code is stable:
it stands in REST answers (RFC 9457), gRPC trailers, the router's pages and header `X-Shipoff-Error`, and logs. *Source*
says who has to act: the client that asked, the upstream (a user's app), or the platform. *Retry*: the same request may
succeed later without a change.

| code | status | source | retry | what to do | declared in |
| --- | --- | --- | --- | --- | --- |
"""


def declared() -> dict[str, tuple[ErrorKind, str]]:
    """Code -> (kind, module that declares it)."""
    for name in FIRST:
        importlib.import_module(name)
    found: dict[str, tuple[ErrorKind, str]] = {code: (kind, "kernel.errors") for code, kind in KINDS.items()}
    for package in PACKAGES:
        for name in _modules(package):
            importlib.import_module(name)
            for code in KINDS.keys() - found.keys():
                found[code] = (KINDS[code], name)
    # An import may pull another module's codes in first: the module that binds the name is where it is declared.
    for name, module in sorted(sys.modules.items()):
        if name.split(".")[0] in PACKAGES:
            for value in vars(module).values():
                if isinstance(value, ErrorKind) and f'"{value.code}"' in _source(name):
                    found[value.code] = (value, name)
    return found


def _modules(package: str) -> list[str]:
    top = importlib.import_module(package)
    names = [module.name for module in pkgutil.walk_packages(top.__path__, f"{package}.")]
    return [name for name in names if not name.endswith("__main__") and name not in ALONE and _is_source(name)]


def _is_source(name: str) -> bool:
    """What is there only compiled (router/native.py) declares nothing, and can't be imported beside the Python form."""
    path = Path(name.replace(".", "/"))
    return path.is_dir() or path.with_suffix(".py").exists()


def _source(name: str) -> str:
    path = getattr(sys.modules[name], "__file__", None)
    return Path(path).read_text() if path and path.endswith(".py") else ""


def page() -> str:
    """The whole file."""
    rows = []
    for code, (kind, module) in sorted(declared().items()):
        retry = "yes" if kind.retryable else ""
        hint = kind.hint.replace("|", "\\|")
        rows.append(f"| `{code}` | {kind.status} | {kind.source} | {retry} | {hint} | `{module}` |\n")
    return HEAD + "".join(rows)


def main() -> None:
    """Writes the page, or compares it."""
    if "--check" not in sys.argv:
        PAGE.write_text(page())
    elif not PAGE.exists() or PAGE.read_text() != page():
        sys.exit("docs/errors.md is stale: run .venv/bin/python .ci/error_codes.py")


if __name__ == "__main__":
    main()
