"""Deploys the examples as a developer would, over the REST API and by `git push`: `python -m stack.demo`.

Prints JSON lines: {"say": text}, {"project": name, "url": url} or {"failed": name, "why": text}. The token stands in
the environment only; git gets it from a credential helper that reads it there.
"""

# environ: git runs with the operator's PATH and the token, which must not stand in its arguments.

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import orjson

from kernel.settings import Settings

EXAMPLES: Final = Path(__file__).resolve().parent.parent / "examples"
CALL_S: Final = 15.0
_HELPER: Final = '!f() { test "$1" = get && echo username=shipoff && echo "password=$SHIPOFF_DEMO_TOKEN"; }; f'


class DemoSettings(Settings):
    """Read from SHIPOFF_DEMO_….

    Attributes:
        gateway: its URL.
        apps_url: template of a project's address.
        token: of the owner.
        names: comma-separated folders of examples/.
    """

    gateway: str
    apps_url: str
    token: str
    names: str


def chosen() -> list[str]:
    """The examples of a first run: the static one and one that runs; nothing outside a checkout of the repository."""
    dynamic = [name for name in ("node-express", "python-flask") if (EXAMPLES / name).is_dir()]
    if not shutil.which("node"):
        dynamic.reverse()
    return [name for name in ["static-html", *dynamic[:1]] if (EXAMPLES / name).is_dir()]


def _say(**fields: str) -> None:
    os.write(sys.stdout.fileno(), orjson.dumps(fields) + b"\n")  # one write: lines of two threads never mix


def _create(settings: DemoSettings, name: str) -> None:
    """POST /v1/projects; that it exists already is fine."""
    # Imported here, because `shipoff up` imports this module for its list of examples.
    import urllib.error
    import urllib.request

    request = urllib.request.Request(  # noqa: S310 — the address is our own gateway's
        f"{settings.gateway}/v1/projects",
        orjson.dumps({"name": name}),
        {"Authorization": f"Bearer {settings.token}", "Content-Type": "application/json"},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback: never through a proxy
    try:
        with opener.open(request, timeout=CALL_S):
            pass
    except urllib.error.HTTPError as error:
        if error.code != 409:
            raise RuntimeError(error.read(4096).decode(errors="replace")) from error


def _push(settings: DemoSettings, name: str, folder: Path) -> None:
    """Commits a copy of an example and pushes it, passing on what the remote says."""
    shutil.copytree(EXAMPLES / name, folder, ignore=shutil.ignore_patterns("node_modules", "__pycache__", ".venv"))
    env = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    env |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}
    env |= {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost", "SHIPOFF_DEMO_TOKEN": settings.token}
    identity = ["-c", "user.name=Shipoff", "-c", "user.email=examples@localhost"]
    remote = f"{settings.gateway}/git/{name}.git"
    for arguments in (
        ["init", "--quiet", "--initial-branch=main"],
        ["add", "--all"],
        [*identity, "commit", "--quiet", "-m", f"Deploy the example {name}"],
    ):
        subprocess.run(["git", *arguments], cwd=folder, env=env, check=True, timeout=60, stdout=sys.stderr)
    push = ["git", "-c", "credential.helper=", "-c", f"credential.helper={_HELPER}", "push", "--force", remote, "main"]
    with subprocess.Popen(push, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None  # noqa: S101 — a pipe was asked for
        lines = []
        for raw in process.stdout:
            line = raw.decode(errors="replace").rpartition("\r")[2].strip()
            lines.append(line)
            said = line.removeprefix("remote:").strip() if line.startswith("remote:") else ""
            if said:
                _say(say=f"{name}: {said}")
    if process.returncode != 0:
        raise RuntimeError(" / ".join(lines[-6:]))


def _deploy(settings: DemoSettings, name: str) -> None:
    _say(say=f"{name}: pushing")
    try:
        with tempfile.TemporaryDirectory(prefix="shipoff-example-") as scratch:
            _create(settings, name)
            _push(settings, name, Path(scratch) / name)
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        _say(failed=name, why=str(error))
        return
    _say(project=name, url=settings.apps_url.format(project=name))


def main() -> None:
    """Deploys them side by side."""
    from concurrent.futures import ThreadPoolExecutor

    settings = DemoSettings.from_process("demo")
    names = settings.names.split(",")
    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(lambda name: _deploy(settings, name), names))


if __name__ == "__main__":
    main()
