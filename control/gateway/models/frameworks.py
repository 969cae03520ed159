"""Framework presets, as kernel/frameworks.py has them."""

from __future__ import annotations

from typing import TypedDict

from kernel.frameworks import Framework


class FrameworkShape(TypedDict):
    """A preset: what a usual project of this framework becomes; settings and `shipoff.toml` win over it.

    Attributes:
        id: what settings name it by.
        name: for people.
        kind: `static` (files are served) or `dynamic` (a process runs).
        runtime: `python`, `node`, `php` or `none`.
        detection: what a repository that is one has, in words.
        install_command: the usual one; empty for none.
        build_command: the usual one; empty for none.
        run_command: of the web process; empty for static sites.
        output_dir: of a static site's files; empty is the root.
        spa: whether unknown paths are answered with /index.html.
        needs: what the owner has to provide; null for nothing.
    """

    id: str
    name: str
    kind: str
    runtime: str
    detection: str
    install_command: str
    build_command: str
    run_command: str
    output_dir: str
    spa: bool
    needs: str | None


class FrameworkList(TypedDict):
    """The presets.

    Attributes:
        frameworks: in the order in which they are looked for.
    """

    frameworks: list[FrameworkShape]


def framework(one: Framework) -> FrameworkShape:
    """A preset as the API shows it."""
    return {
        "id": one.id,
        "name": one.name,
        "kind": one.kind,
        "runtime": one.runtime,
        "detection": one.detection,
        "install_command": one.install,
        "build_command": one.build,
        "run_command": one.run,
        "output_dir": one.output,
        "spa": one.spa,
        "needs": one.needs or None,
    }
