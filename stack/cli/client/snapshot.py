"""The folder as it is now, as a commit: with what is not committed, without what .gitignore names.

Neither the user's branch nor index is touched, and nothing is written into the repository: objects go to a temporary
folder that borrows from it. A folder that is no repository gets a temporary one.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stack.cli.client import git
from stack.cli.client.failures import Exit, Failure
from stack.cli.client.link import FILE

# What nobody means to deploy from a folder that has no .gitignore to say so. Secrets come by `shipoff env set`.
_NEVER: Final = ("node_modules/", ".venv/", "venv/", "__pycache__/", "*.pyc", ".DS_Store", ".env", ".env.*", ".git/")
_WHOLE: Final = ("add", "--all", "--", ".", f":(exclude){FILE}")
_NOBODY: Final = {
    "GIT_AUTHOR_NAME": "shipoff deploy",
    "GIT_AUTHOR_EMAIL": "deploy@localhost",
    "GIT_COMMITTER_NAME": "shipoff deploy",
    "GIT_COMMITTER_EMAIL": "deploy@localhost",
}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A commit that can be pushed while the block lasts.

    Attributes:
        commit: its id.
        variables: that git needs to find it.
    """

    commit: str
    variables: dict[str, str]


@contextmanager
def of_folder(folder: Path) -> Iterator[Snapshot]:
    """Makes the commit.

    Raises:
        Failure: NOTHING_TO_DEPLOY, GIT_FAILED, GIT_MISSING.
    """
    with tempfile.TemporaryDirectory(prefix="shipoff-deploy-") as made:
        scratch = Path(made)
        yield _of_repository(folder, scratch) if _tracked(folder) else _of_plain_folder(folder, scratch)


def _tracked(folder: Path) -> bool:
    """Whether the folder belongs to a working tree; one that the repository ignores does not."""
    inside = git.attempt(folder, "rev-parse", "--is-inside-work-tree").stdout.strip() == "true"
    return inside and git.attempt(folder, "check-ignore", "--quiet", ".").returncode != 0


def _of_plain_folder(folder: Path, scratch: Path) -> Snapshot:
    repository = scratch / "repository"
    git.run(folder, "init", "--quiet", "--bare", "--template=", str(repository))
    (repository / "info").mkdir(exist_ok=True)
    (repository / "info" / "exclude").write_text("".join(f"{pattern}\n" for pattern in _NEVER))
    variables = {"GIT_DIR": str(repository), "GIT_WORK_TREE": str(folder)}
    git.run(folder, "config", "core.bare", "false", extra=variables)
    git.run(folder, *_WHOLE, extra=variables)
    tree = git.run(folder, "write-tree", extra=variables)
    return Snapshot(_commit(folder, tree, None, f"Deploy of {folder.name}", variables), variables)


def _of_repository(folder: Path, scratch: Path) -> Snapshot:
    index = folder / git.run(folder, "rev-parse", "--git-path", "index")
    if index.exists():
        shutil.copy2(index, scratch / "index")  # with it the stat cache: what did not change is not read again
    (scratch / "objects").mkdir()
    variables = {
        "GIT_INDEX_FILE": str(scratch / "index"),
        "GIT_OBJECT_DIRECTORY": str(scratch / "objects"),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(folder / git.run(folder, "rev-parse", "--git-path", "objects")),
    }
    git.run(folder, *_WHOLE, extra=variables)
    prefix = git.run(folder, "rev-parse", "--show-prefix")
    tree = git.attempt(
        folder, "write-tree", *([f"--prefix={prefix}"] if prefix else []), extra=variables
    ).stdout.strip()
    head = git.attempt(folder, "rev-parse", "--quiet", "--verify", "HEAD^{commit}").stdout.strip()
    # A folder further down is deployed by itself, and a shallow history cannot be pushed: neither brings its past.
    whole = head and not prefix and git.run(folder, "rev-parse", "--is-shallow-repository") == "false"
    if whole and tree == git.run(folder, "rev-parse", f"{head}^{{tree}}"):
        return Snapshot(head, variables)
    subject = git.run(folder, "log", "-1", "--format=%s", head) if head else f"Deploy of {folder.name}"
    return Snapshot(_commit(folder, tree, head if whole else None, subject, variables), variables)


def _commit(folder: Path, tree: str, parent: str | None, subject: str, variables: dict[str, str]) -> str:
    if not tree or not git.run(folder, "ls-tree", "--full-tree", tree, extra=variables):
        hint = "is everything in it ignored? git status --ignored"
        raise Failure("NOTHING_TO_DEPLOY", f"{folder} has no files to deploy", hint, Exit.USAGE)
    known = git.attempt(folder, "config", "user.email", extra=variables).returncode == 0
    message = f"{subject} (working tree)" if parent else subject
    parents = ["-p", parent] if parent else []
    extra = variables if known else {**variables, **_NOBODY}
    return git.run(folder, "commit-tree", tree, *parents, "-m", message, extra=extra)
