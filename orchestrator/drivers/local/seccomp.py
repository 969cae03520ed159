"""The system calls that no tenant needs, refused: a classic BPF program for `bwrap --seccomp` (seccomp(2), BPF).

It is a second wall behind namespaces and dropped capabilities, against what a kernel's rarely used doors have let
through before. It is a list of refusals, not of permissions: an app must never fail for a harmless new call.
"""

from __future__ import annotations

import platform
import struct
from typing import Final

_LOAD: Final = 0x20  # BPF_LD | BPF_W | BPF_ABS
_EQUAL: Final = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_AT_LEAST: Final = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_ANY_BIT: Final = 0x45  # BPF_JMP | BPF_JSET | BPF_K
_RETURN: Final = 0x06  # BPF_RET | BPF_K
_NUMBER, _ARCH, _ARGUMENT_0 = 0, 4, 16  # struct seccomp_data; the low half of the argument on little-endian machines

_ALLOW: Final = 0x7FFF0000
_EPERM: Final = 0x00050000 | 1
_ENOSYS: Final = 0x00050000 | 38

# CLONE_NEWNS, CGROUP, UTS, IPC, USER, PID, NET (clone(2)) and NEWTIME, which unshare(2) alone takes.
NEW_NAMESPACE: Final = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000
_NEW_TIME: Final = 0x80

# Numbers per machine: (AUDIT_ARCH, refused with EPERM, clone, unshare, refused with ENOSYS so that callers fall back).
_COMMON_EPERM: Final = {  # numbers above 424 are the same everywhere
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "fspick": 433,
    "pidfd_getfd": 438,
    "mount_setattr": 442,
}
_COMMON_ENOSYS: Final = {"io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "clone3": 435}
_X86_64: Final = {
    "ptrace": 101,
    "syslog": 103,
    "vhangup": 153,
    "pivot_root": 155,
    "adjtimex": 159,
    "chroot": 161,
    "acct": 163,
    "settimeofday": 164,
    "mount": 165,
    "umount2": 166,
    "swapon": 167,
    "swapoff": 168,
    "reboot": 169,
    "sethostname": 170,
    "setdomainname": 171,
    "iopl": 172,
    "ioperm": 173,
    "init_module": 175,
    "delete_module": 176,
    "quotactl": 179,
    "lookup_dcookie": 212,
    "clock_settime": 227,
    "kexec_load": 246,
    "add_key": 248,
    "request_key": 249,
    "keyctl": 250,
    "migrate_pages": 256,
    "move_pages": 279,
    "perf_event_open": 298,
    "fanotify_init": 300,
    "name_to_handle_at": 303,
    "open_by_handle_at": 304,
    "setns": 308,
    "process_vm_readv": 310,
    "process_vm_writev": 311,
    "kcmp": 312,
    "finit_module": 313,
    "kexec_file_load": 320,
    "bpf": 321,
    "userfaultfd": 323,
}
_AARCH64: Final = {
    "lookup_dcookie": 18,
    "umount2": 39,
    "mount": 40,
    "pivot_root": 41,
    "chroot": 51,
    "vhangup": 58,
    "quotactl": 60,
    "acct": 89,
    "kexec_load": 104,
    "init_module": 105,
    "delete_module": 106,
    "clock_settime": 112,
    "syslog": 116,
    "ptrace": 117,
    "reboot": 142,
    "sethostname": 161,
    "setdomainname": 162,
    "settimeofday": 170,
    "adjtimex": 171,
    "add_key": 217,
    "request_key": 218,
    "keyctl": 219,
    "swapon": 224,
    "swapoff": 225,
    "migrate_pages": 238,
    "move_pages": 239,
    "perf_event_open": 241,
    "fanotify_init": 262,
    "name_to_handle_at": 264,
    "open_by_handle_at": 265,
    "setns": 268,
    "process_vm_readv": 270,
    "process_vm_writev": 271,
    "kcmp": 272,
    "finit_module": 273,
    "bpf": 280,
    "userfaultfd": 282,
    "kexec_file_load": 294,
}
_MACHINES: Final = {  # AUDIT_ARCH, refused, clone, unshare
    "x86_64": (0xC000003E, _X86_64, 56, 272),
    "aarch64": (0xC00000B7, _AARCH64, 220, 97),
}


def program(machine: str = "") -> bytes:
    """The filter for a machine, as an array of struct sock_filter.

    Args:
        machine: as `uname -m` says; "" is this one.

    Returns:
        The program, or b"" for a machine whose call numbers we do not know: namespaces and uids still hold there.
    """
    machine = machine or platform.machine()
    if machine not in _MACHINES:
        return b""
    arch, refused, clone, unshare = _MACHINES[machine]
    code = [
        *_unless(_ARCH, arch, _EPERM),  # a 32-bit call table has other numbers
        _op(_LOAD, _NUMBER),
        *([_op(_AT_LEAST, 0x40000000, 0, 1), _op(_RETURN, _ENOSYS)] if machine == "x86_64" else []),  # x32
    ]
    for number in sorted({*refused.values(), *_COMMON_EPERM.values()}):
        code += [_op(_EQUAL, number, 0, 1), _op(_RETURN, _EPERM)]
    for number in sorted(_COMMON_ENOSYS.values()):
        code += [_op(_EQUAL, number, 0, 1), _op(_RETURN, _ENOSYS)]
    code += _refuse_flags(clone, NEW_NAMESPACE) + _refuse_flags(unshare, NEW_NAMESPACE | _NEW_TIME)
    return b"".join([*code, _op(_RETURN, _ALLOW)])


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, value)


def _unless(offset: int, value: int, verdict: int) -> list[bytes]:
    return [_op(_LOAD, offset), _op(_EQUAL, value, 1, 0), _op(_RETURN, verdict)]


def _refuse_flags(number: int, flags: int) -> list[bytes]:
    """For this call: load its first argument, refuse when any flag is set; afterwards the number is loaded again."""
    return [
        _op(_EQUAL, number, 0, 4),
        _op(_LOAD, _ARGUMENT_0),
        _op(_ANY_BIT, flags, 0, 1),
        _op(_RETURN, _EPERM),
        _op(_LOAD, _NUMBER),
    ]
