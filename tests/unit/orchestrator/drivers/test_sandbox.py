"""The arguments for bubblewrap, and what stands in no argument."""

from __future__ import annotations

from pathlib import Path

from orchestrator.drivers.local.runtimes import Mounts
from orchestrator.drivers.local.sandbox import Overlay, Sandbox, agent_command, bwrap_args


def sandbox(uid: int | None, **changes: object) -> Sandbox:
    values = {"app": Path("/work/app"), "etc": Path("/work/etc"), "mounts": [], "uid": uid, "tmp_bytes": 1024}
    return Sandbox(**(values | changes))  # type: ignore[arg-type]


def has(args: list[str], *wanted: str) -> bool:
    return any(tuple(args[at : at + len(wanted)]) == wanted for at in range(len(args)))


def test_every_sandbox_is_alone() -> None:
    for uid in (None, 200_001):
        args = bwrap_args(sandbox(uid))
        for option in (
            "--unshare-pid",
            "--unshare-net",
            "--unshare-ipc",
            "--unshare-uts",
            "--clearenv",
            "--new-session",
        ):
            assert option in args
        assert "--die-with-parent" in args
        assert "--share-net" not in args
        assert args[-4:] == ["--remount-ro", "/dev", "--remount-ro", "/"]


def test_without_root_a_user_namespace_is_used_and_closed_behind() -> None:
    args = bwrap_args(sandbox(None))
    assert "--unshare-user" in args
    assert "--disable-userns" in args
    assert "--cap-add" not in args
    assert agent_command(sandbox(None))[0].startswith("/runtimes/python")


def test_as_root_the_uid_and_all_powers_are_dropped() -> None:
    args = bwrap_args(sandbox(200_001))
    assert "--unshare-user" not in args
    assert has(args, "--cap-drop", "ALL")
    command = agent_command(sandbox(200_001))
    assert command[0] == "/usr/bin/setpriv"
    for option in ("--reuid=200001", "--regid=200001", "--clear-groups", "--bounding-set=-all", "--no-new-privs"):
        assert option in command


def test_runtimes_are_read_only_and_their_parents_open_to_all() -> None:
    mounts = [
        Mounts(binds=((Path("/private/python"), Path("/runtimes/python")),), links=(("/x", Path("/runtimes/y/z")),))
    ]
    args = bwrap_args(sandbox(None, mounts=mounts))
    assert has(args, "--perms", "0755", "--dir", "/runtimes", "--ro-bind", "/private/python", "/runtimes/python")
    assert has(args, "--perms", "0755", "--dir", "/runtimes/y", "--symlink", "/x", "/runtimes/y/z")


def test_an_overlay_leaves_the_slug_as_it_is() -> None:
    args = bwrap_args(sandbox(None, app=Overlay(Path("/s"), Path("/u"), Path("/w"))))
    assert has(args, "--overlay-src", "/s", "--overlay", "/u", "/w", "/app")
    assert not has(args, "--bind", "/s", "/app")


def test_only_what_is_asked_for_is_writable() -> None:
    args = bwrap_args(sandbox(None, cache=Path("/c"), egress=Path("/e")))
    binds = [tuple(args[at + 1 : at + 3]) for at, option in enumerate(args) if option == "--bind"]
    assert binds == [("/work/app", "/app"), ("/c", "/cache")]
    assert has(args, "--ro-bind", "/e", "/run/egress")
