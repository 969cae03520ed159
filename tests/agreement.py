"""What the router decides over the bytes of one request, by both forms of its readers, and whether that is sound.

Used by the property tests and by the fuzzer (tests/fuzz). `FORMS` has the readers as they are imported, and their
source beside them when what is imported has been compiled.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from router.core.body import CHUNKED
from router.core.errors import Refused
from tests.strict import read_requests

READERS = ("router.core.body", "router.core.fields", "router.core.head")
INCOMPLETE = "incomplete"
_REST = (
    *("keep", "plain", "expects", "final", "upgrade", "minor", "length"),
    *("forwarded_for", "forwarded_proto", "request_id", "traceparent"),
)


@dataclass(frozen=True)
class Form:
    """One form of the readers."""

    name: str
    body: ModuleType
    head: ModuleType


@dataclass(frozen=True)
class Verdict:
    """What became of the bytes.

    Attributes:
        refused: the error's code, INCOMPLETE, or "" for a request that is whole.
        body: its data, without the framing.
        end: bytes that belong to it.
        forwarded, rest: what goes on, and what else was read in the head.
    """

    refused: str
    method: bytes = b""
    target: bytes = b""
    host: bytes = b""
    body: bytes = b""
    end: int = 0
    forwarded: bytes = b""
    rest: tuple[object, ...] = ()

    def __eq__(self, other: object) -> bool:
        """Without `forwarded` and `rest`, so that a test can write the others down."""
        mine = (self.refused, self.method, self.target, self.host, self.body, self.end)
        return isinstance(other, Verdict) and mine == (
            *(other.refused, other.method, other.target, other.host, other.body, other.end),
        )

    def __hash__(self) -> int:
        return hash(self.refused)


class _Sources(importlib.abc.MetaPathFinder):
    """Finds the readers' source, compiled or not."""

    def find_spec(self, name: str, path: object, target: object = None) -> importlib.machinery.ModuleSpec | None:
        if name not in READERS:
            return None
        file = Path(__file__).parent.parent.joinpath(*name.split(".")).with_suffix(".py")
        return importlib.util.spec_from_file_location(name, file)


def _imported() -> dict[str, ModuleType]:
    return {name: importlib.import_module(name) for name in READERS}


def _from_source() -> dict[str, ModuleType]:
    """Loads the readers from source, beside those that everybody else goes on using."""
    before = {name: sys.modules.pop(name) for name in READERS if name in sys.modules}
    parents = {name: getattr(sys.modules["router.core"], name.rpartition(".")[2], None) for name in READERS}
    finder = _Sources()
    sys.meta_path.insert(0, finder)
    try:
        return _imported()
    finally:
        sys.meta_path.remove(finder)
        sys.modules.update(before)
        for name, module in parents.items():
            setattr(sys.modules["router.core"], name.rpartition(".")[2], module)


def _forms() -> tuple[Form, ...]:
    found = _imported()
    forms = [Form("imported", found["router.core.body"], found["router.core.head"])]
    if any(not str(module.__file__).endswith(".py") for module in found.values()):
        source = _from_source()
        source["router.core.head"].scan_request = None  # type: ignore[attr-defined]
        source["router.core.head"].scan_response = None  # type: ignore[attr-defined]
        forms.append(Form("source", source["router.core.body"], source["router.core.head"]))
    return tuple(forms)


FORMS = _forms()


def judge(form: Form, raw: bytes, sizes: list[int]) -> Verdict:
    """What one form makes of the bytes when they come in pieces of these sizes (and a last one with the rest)."""
    edges, at = [0], 0
    for size in sizes:
        at = min(len(raw), at + size)
        edges.append(at)
    edges.append(len(raw))
    try:
        head, have = None, 0
        for have in edges[1:]:
            if have and (head := form.head.read_request(raw[:have])) is not None:
                break
        if head is None:
            return Verdict(INCOMPLETE)
        return _with_body(form, raw, head, [have, *(edge for edge in edges if edge > have)])
    except Refused as refused:
        return Verdict(refused.kind.code)


def _with_body(form: Form, raw: bytes, head: object, edges: list[int]) -> Verdict:
    length, end = head.length, head.end  # type: ignore[attr-defined]
    lines, method, target = head.lines, head.method, head.target  # type: ignore[attr-defined]
    payload: list[bytes] = []
    if length == CHUNKED:
        chunked = form.body.Chunked()
        for edge in edges:
            if not chunked.done and edge > end:
                end += chunked.feed(raw[end:edge], 0, payload)
        if not chunked.done:
            return Verdict(INCOMPLETE)
    else:
        end += length
        if end > len(raw):
            return Verdict(INCOMPLETE)
        payload.append(raw[end - length : end])
    forwarded = lines + b"X-Request-Id: 1\r\n\r\n" + raw[head.end : end]  # type: ignore[attr-defined]
    rest = tuple(getattr(head, name) for name in _REST)
    return Verdict("", method, target, head.host, b"".join(payload), end, forwarded, rest)  # type: ignore[attr-defined]


def check(raw: bytes) -> Verdict:
    """Judges the bytes with every form and holds what is forwarded against the strict reader.

    Raises:
        AssertionError: the forms disagree, or what is forwarded is not exactly the request that was routed.
    """
    verdict, *others = [judge(form, raw, []) for form in FORMS]
    for other in others:
        assert (other, other.forwarded, other.rest) == (verdict, verdict.forwarded, verdict.rest), "the forms disagree"
    if not verdict.refused and verdict.host:
        (read,) = read_requests(verdict.forwarded)
        assert (read.method, read.target, read.body) == (verdict.method, verdict.target, verdict.body)
        assert [value.lower() for value in read.all(b"host")] == [verdict.host]
        hop = {b"upgrade", b"keep-alive", b"proxy-connection", b"x-forwarded-for"}
        assert not hop & {name.lower().replace(b"_", b"-") for name, _ in read.headers}
        assert read.all(b"connection") in ([], [b"TE"])
    return verdict


def check_answer(raw: bytes) -> str:
    """The same for an answer's head: forms agree, and no line of what is passed on can be taken for two.

    Returns:
        What became of it: the error's code, INCOMPLETE or "".

    Raises:
        AssertionError: otherwise.
    """
    seen = [_answer(form, raw) for form in FORMS]
    assert all(one == seen[0] for one in seen), "the forms disagree"
    said = str(seen[0][0])
    if not said:
        lines = seen[0][1]
        assert isinstance(lines, bytes)
        first, *rest = lines.split(b"\r\n")[:-1]
        assert first[:9] == b"HTTP/1.1 "
        assert not any(octet in b"\r\n\x00" for line in (first, *rest) for octet in line)
        names = [line.partition(b":")[0].lower() for line in rest]
        assert names.count(b"content-length") + names.count(b"transfer-encoding") <= 1
        assert not {b"keep-alive", b"x-request-id"} & set(names)
    return said


def _answer(form: Form, raw: bytes) -> tuple[object, ...]:
    try:
        head = form.head.read_response(raw)
    except Refused as refused:
        return (refused.kind.code,)
    if head is None:
        return (INCOMPLETE,)
    return "", head.lines, head.status, head.length, head.keep, head.dated, head.upgrade, head.idle_s, head.end
