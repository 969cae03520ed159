"""The house rules that no linter has: `python .ci/lint.py` prints each breach as `path:line: rule: text` and exits 1.

What each rule refuses, and the one way round it where there is one:

- `task`: `anything.create_task(...)`, `ensure_future`; background work starts through kernel/tasks.py. A
  `TaskGroup`'s own `create_task` is fine: the group holds the task and raises what it raises.
- `environ`: `os.environ`, `os.getenv` outside kernel/settings.py. A file that must (a program that runs alone in a
  sandbox, a test that starts processes, a command that reads where the user's home is) says why, in a comment
  `# environ: <reason>` in the file.
- `host`: an address of a package registry, or an absolute path of somebody's machine, in lock and config files.
- `readme`: a folder of Python files, or an example, without a README.md.
- `length`: a module of more than 400 lines without `Long because <reason>` in its first 20 lines.

It refuses to fix anything and reads only what git knows or would add.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

MAX_LINES: Final = 400
GENERATED: Final = re.compile(r"^proto/.*_pb2(_grpc)?\.pyi?$")
SETTINGS: Final = "kernel/settings.py"
TASKS: Final = "kernel/tasks.py"


@dataclass(frozen=True, slots=True, order=True)
class Breach:
    """One broken rule: where, which, and what to do."""

    path: str
    line: int
    rule: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.text}"


# --- Python files -----------------------------------------------------------------------------------------------------


def raw_tasks(path: str, source: str) -> Iterator[Breach]:
    """Tasks started past kernel/tasks.py."""
    if path == TASKS:
        return
    tree = ast.parse(source, path)
    groups = _task_groups(tree)
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr="create_task")) if owner in groups:
                continue
            case ast.Call(func=ast.Attribute(attr="create_task" | "ensure_future" as called)):
                yield Breach(path, node.lineno, "task", f"{called}: use kernel.tasks.spawn")
            case ast.ImportFrom(module="asyncio", names=names):
                for name in names:
                    if name.name in {"create_task", "ensure_future"}:
                        yield Breach(path, node.lineno, "task", f"import of {name.name}: use kernel.tasks.spawn")


def _task_groups(tree: ast.AST) -> set[str]:
    """The names that `async with asyncio.TaskGroup() as NAME` binds."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.AsyncWith):
            for item in node.items:
                match item:
                    case ast.withitem(
                        context_expr=ast.Call(func=ast.Attribute(attr="TaskGroup") | ast.Name(id="TaskGroup")),
                        optional_vars=ast.Name(id=name),
                    ):
                        found.add(name)
    return found


def environment(path: str, source: str) -> Iterator[Breach]:
    """Reads of the process environment outside the one place."""
    if path == SETTINGS or re.search(r"# environ: \S.{7}", source):
        return
    for node in ast.walk(ast.parse(source, path)):
        match node:
            case ast.Attribute(value=ast.Name(id="os"), attr="environ" | "environb" | "getenv" | "putenv"):
                yield Breach(
                    path, node.lineno, "environ", "read it in kernel/settings.py, or give the reason in the file"
                )
            case ast.ImportFrom(module="os", names=names) if {n.name for n in names} & {
                "environ",
                "environb",
                "getenv",
            }:
                yield Breach(
                    path, node.lineno, "environ", "read it in kernel/settings.py, or give the reason in the file"
                )


def length(path: str, source: str) -> Iterator[Breach]:
    """Modules that grew without saying why."""
    lines = source.splitlines()
    if len(lines) > MAX_LINES and not any(re.search(r"[Ll]ong because \S", line) for line in lines[:20]):
        yield Breach(
            path, MAX_LINES + 1, "length", f"{len(lines)} lines: split it, or say `Long because ...` at its top"
        )


# --- lock and config files --------------------------------------------------------------------------------------------

_CONFIG: Final = re.compile(
    r"(^|/)(Makefile|Dockerfile[^/]*|\.npmrc|pip\.conf|[^/]+\.(toml|cfg|ini|lock|ya?ml|sh)|[^/]*requirements[^/]*\.txt|"
    r"package(-lock)?\.json|composer\.(json|lock)|yarn\.lock)$"
)
_HOSTS: Final = (
    (
        re.compile(r'"resolved"\s*:\s*"https?:'),
        "a registry address; set omit-lockfile-registry-resolved=true in .npmrc",
    ),
    (re.compile(r"^\s*(-i|--(extra-)?index-url|--find-links|--trusted-host)\b"), "an index option"),
    (re.compile(r"^\s*(@[\w-]+:)?registry\s*=", re.I), "a registry setting"),
    (
        re.compile(r"https?://[^\s\"'/]*(pypi|pythonhosted|npmjs|artifactory|nexus|packagist|registry)[^\s\"']*", re.I),
        "a registry address",
    ),
    (re.compile(r"(?<![\w.$})~])/(home|root|Users|work)/[\w.-]"), "an absolute path of one machine"),
    (re.compile(r"\bfile:///"), "an absolute path of one machine"),
)


def hosts(path: str, source: str) -> Iterator[Breach]:
    """Registry hosts and machine paths in files that install or configure."""
    if not _CONFIG.search(path):
        return
    for number, line in enumerate(source.splitlines(), 1):
        for pattern, text in _HOSTS:
            if pattern.search(line):
                yield Breach(path, number, "host", text)
                break


# --- folders ----------------------------------------------------------------------------------------------------------


def readmes(paths: Iterable[str]) -> Iterator[Breach]:
    """Folders of code that nobody explains. Tests are explained once, at tests/ and its direct folders."""
    known = set(paths)
    wanted = {str(PurePosixPath(path).parent) for path in known if path.endswith(".py") and _needs_readme(path)}
    wanted |= {"/".join(path.split("/")[:2]) for path in known if path.startswith("examples/") and path.count("/") > 1}
    wanted |= {
        "/".join(path.split("/")[:n])
        for path in known
        if path.startswith("tests/")
        for n in (1, 2)
        if path.count("/") > 1
    }
    for folder in sorted(wanted):
        if f"{folder}/README.md" not in known:
            yield Breach(f"{folder}/README.md", 1, "readme", "every folder of code maps its files for a newcomer")


def _needs_readme(path: str) -> bool:
    return "/" in path and not path.startswith(("tests/", "examples/", ".ci/", "proto/")) and not GENERATED.match(path)


# --- the run ----------------------------------------------------------------------------------------------------------

PYTHON_RULES: Final[tuple[Callable[[str, str], Iterator[Breach]], ...]] = (raw_tasks, environment, length)


def check(root: Path, paths: list[str]) -> list[Breach]:
    """Every breach among the files, in order of path and line.

    Args:
        root: the repository.
        paths: files relative to it, with `/`.
    """
    found = list(readmes(paths))
    for path in paths:
        if GENERATED.match(path) or not (path.endswith(".py") or _CONFIG.search(path)):
            continue
        source = (root / path).read_text()
        found.extend(hosts(path, source))
        if path.endswith(".py") and not path.startswith("examples/"):
            for rule in PYTHON_RULES:
                found.extend(rule(path, source))
    return sorted(found)


def tracked(root: Path) -> list[str]:
    """The files that git has or would add, that exist, and are no links."""
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    names = sorted({name for name in listed.split("\0") if name})
    return [name for name in names if (root / name).is_file() and not (root / name).is_symlink()]


def main() -> int:
    """Checks the repository that this file lies in (or the one named by the only argument)."""
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    breaches = check(root, tracked(root))
    for breach in breaches:
        print(breach)
    print(f"house rules: {len(breaches)} breaches" if breaches else "house rules: kept")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
