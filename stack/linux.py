"""The few system calls that Python has no door to: parent-death signals, subreapers, user namespaces.

Most of it runs between fork and exec (`preexec_fn`), so it allocates little and imports nothing.
"""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Final

_libc: Final = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NAME: Final = 15
_PR_SET_CHILD_SUBREAPER: Final = 36
_CLONE_NEWUSER: Final = 0x10000000
_SYS_PROCESS_MADVISE: Final = 440  # the same number on every architecture
_MADV_PAGEOUT: Final = 21


class _Span(ctypes.Structure):
    """struct iovec."""

    _fields_ = (("start", ctypes.c_void_p), ("size", ctypes.c_size_t))


def die_with_parent(parent: int, number: int = signal.SIGKILL) -> None:
    """Asks the kernel to signal this process when the thread that forked it ends (prctl(2)).

    Call it last before exec: a change of uid clears it. A parent that died in between is noticed here.

    Args:
        parent: the pid that forked this process.
        number: the signal to get.

    Raises:
        OSError: the kernel refused.
    """
    _prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        os._exit(1)


def become_subreaper() -> None:
    """Makes orphaned descendants children of this process instead of init's, so that it can end them (prctl(2))."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def set_name(name: str) -> None:
    """Names this process for `top` and `/proc/self/comm`; 15 bytes count."""
    _libc.prctl(_PR_SET_NAME, name.encode(), 0, 0, 0)


def enter_user_namespace(uid: int, gid: int) -> Callable[[], None]:
    """A function that moves the calling process into a user namespace where it appears as `uid`, `gid`.

    Outside it keeps its real uid, so it reaches every file that it reached before; this is how a program that refuses
    root is run by root in directories that no other uid may enter (user_namespaces(7)).
    """
    outer_uid, outer_gid = os.geteuid(), os.getegid()

    def enter() -> None:
        if _libc.unshare(_CLONE_NEWUSER) != 0:
            raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWUSER)")
        _write("/proc/self/setgroups", b"deny")
        _write("/proc/self/uid_map", b"%d %d 1" % (uid, outer_uid))
        _write("/proc/self/gid_map", b"%d %d 1" % (gid, outer_gid))

    return enter


def drop_to(uid: int, gid: int) -> Callable[[], None]:
    """A function that gives up root for another uid for good."""

    def drop() -> None:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)

    return drop


def release_file_pages(pid: int, program: Path) -> None:
    """Lets the kernel have the pages of a process's program back; it reads those again that are still needed.

    A large binary touches most of itself while it starts and a third of that afterwards. Without CAP_SYS_NICE nothing
    happens, and the kernel takes the pages when it is short of memory, as ever (process_madvise(2)).

    Args:
        pid: the process; one that has ended is fine.
        program: the file whose mappings are meant; those that are written to are left alone.
    """
    try:
        descriptor = os.pidfd_open(pid)
        lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        span, permissions, *_, path = line.split(maxsplit=5)
        if path == str(program) and "w" not in permissions:
            start, end = (int(one, 16) for one in span.split("-"))
            one = _Span(start, end - start)
            _libc.syscall(_SYS_PROCESS_MADVISE, descriptor, ctypes.byref(one), 1, _MADV_PAGEOUT, 0)
    os.close(descriptor)


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option})")


def _write(path: str, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, data)
    finally:
        os.close(descriptor)
