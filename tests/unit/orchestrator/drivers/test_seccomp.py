"""The filter, run by a small interpreter of classic BPF."""

from __future__ import annotations

import struct

import pytest

from orchestrator.drivers.local.seccomp import program

ALLOW, EPERM, ENOSYS = 0x7FFF0000, 0x00050001, 0x00050026
X86_64, AARCH64, I386 = 0xC000003E, 0xC00000B7, 0x40000003
MACHINES = {"x86_64": X86_64, "aarch64": AARCH64}


def verdict(code: bytes, number: int, arch: int, argument: int = 0) -> int:
    data = struct.pack("<iIQ6Q", number, arch, 0, argument, 0, 0, 0, 0, 0)
    steps = list(struct.iter_unpack("<HBBI", code))
    at, loaded = 0, 0
    while True:
        operation, if_true, if_false, value = steps[at]
        at += 1
        match operation:
            case 0x20:
                (loaded,) = struct.unpack_from("<I", data, value)
            case 0x15:
                at += if_true if loaded == value else if_false
            case 0x35:
                at += if_true if loaded >= value else if_false
            case 0x45:
                at += if_true if loaded & value else if_false
            case 0x06:
                return int(value)
            case _:
                raise AssertionError(f"unknown operation {operation:#x}")


@pytest.mark.parametrize(
    ("machine", "names"),
    [
        (
            "x86_64",
            {"read": 0, "clone": 56, "execve": 59, "setresuid": 117, "prctl": 157, "openat": 257, "seccomp": 317},
        ),
        ("aarch64", {"read": 63, "clone": 220, "execve": 221, "setresuid": 147, "prctl": 167, "openat": 56}),
    ],
)
def test_what_apps_do_is_allowed(machine: str, names: dict[str, int]) -> None:
    for number in names.values():
        assert verdict(program(machine), number, MACHINES[machine]) == ALLOW


@pytest.mark.parametrize(
    ("machine", "numbers"),
    [
        ("x86_64", [101, 155, 161, 165, 166, 175, 246, 248, 250, 298, 308, 310, 313, 320, 321, 323, 428, 430, 442]),
        ("aarch64", [40, 41, 39, 51, 104, 105, 117, 217, 219, 241, 268, 270, 273, 280, 282, 294, 428, 430, 442]),
    ],
)
def test_what_no_app_needs_is_refused(machine: str, numbers: list[int]) -> None:
    for number in numbers:
        assert verdict(program(machine), number, MACHINES[machine]) == EPERM, number


@pytest.mark.parametrize(("machine", "clone", "unshare"), [("x86_64", 56, 272), ("aarch64", 220, 97)])
def test_new_namespaces_are_refused_and_threads_are_not(machine: str, clone: int, unshare: int) -> None:
    code, arch = program(machine), MACHINES[machine]
    threads, user_namespace, fork = 0x3D0F00, 0x10000000, 17
    assert verdict(code, clone, arch, threads) == ALLOW
    assert verdict(code, clone, arch, fork) == ALLOW
    assert verdict(code, clone, arch, user_namespace | fork) == EPERM
    assert verdict(code, unshare, arch, user_namespace) == EPERM
    assert verdict(code, unshare, arch, 0x400) == ALLOW


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_calls_whose_arguments_no_filter_can_read_look_unknown(machine: str) -> None:
    for number in (425, 435):
        assert verdict(program(machine), number, MACHINES[machine]) == ENOSYS


def test_other_call_tables_are_refused() -> None:
    code = program("x86_64")
    assert verdict(code, 4, I386) == EPERM
    assert verdict(code, 0x40000000 | 59, X86_64) == ENOSYS


def test_an_unknown_machine_gets_no_filter() -> None:
    assert program("riscv64") == b""
