"""`python -m tests.fuzz`: changes good messages at random for a while and checks what the router makes of them.

It knows nothing of coverage: messages are small, the readers are a few patterns, a minute gives a million cases.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from typing import Final

from tests.agreement import FORMS, check, check_answer, judge

_REQUESTS: Final = (
    b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n",
    b"POST /x?y HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nX: 1\r\n\r\n",
    b"POST /x HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\nConnection: x, close\r\n\r\nabcGET / HTTP/1.1\r\n\r\n",
    b"GET http://b.test/x HTTP/1.1\r\nHost: a.test\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: a.test\r\nMax-Forwards: 3\r\nTE: trailers\r\nX_Forwarded_For: 1\r\n\r\n",
    b"PUT / HTTP/1.0\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: 2\r\nKeep-Alive: 5\r\n\r\nab",
)
_ANSWERS: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nDate: x\r\n\r\nabc",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: x, close\r\nX: 1\r\n\r\n0\r\n\r\n",
    b"HTTP/1.0 204 No\r\nKeep-Alive: timeout=5\r\nConnection: keep-alive\r\nX-Request-Id: 1\r\n\r\n",
    b"HTTP/1.1 101 Up\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
)
_PIECES: Final = (
    *(b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b"\x0b", b":", b";", b",", b"0", b"+", b"_", b"\xff", b"\x85"),
    *(
        b"Content-Length: 3\r\n",
        b"Content-Length: 0\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"chunked",
        b"Host: b\r\n",
    ),
    *(
        b"Connection: content-length\r\n",
        b"0\r\n\r\n",
        b"\r\n\r\n",
        b"GET /s HTTP/1.1\r\nHost: s\r\n\r\n",
        b"identity, ",
    ),
)


def change(raw: bytes, rng: random.Random) -> bytes:
    """A message with one to four random changes."""
    made = bytearray(raw)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(made) + 1)
        match rng.randrange(5):
            case 0:
                made[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                made[at:at] = rng.choice(_PIECES)
            case 2:
                del made[at : at + rng.randint(1, 4)]
            case 3:
                made[at : at + 1] = made[at : at + 1].swapcase()
            case _:
                start = rng.randrange(len(made) + 1)
                made[at:at] = made[start : start + rng.randint(1, 30)]
    return bytes(made)


def one(rng: random.Random, seen: Counter[str]) -> bytes:
    """Makes and checks one message; returns it when it was taken wrongly, else b""."""
    asks = rng.random() < 0.75
    raw = change(rng.choice(_REQUESTS if asks else _ANSWERS), rng)
    try:
        if asks:
            verdict = check(raw)
            sizes = [rng.randint(1, 40) for _ in range(rng.randrange(6))]
            assert all(judge(form, raw, sizes) == verdict for form in FORMS), f"split {sizes} decides otherwise"
            seen[verdict.refused or "forwarded"] += 1
        else:
            seen["answer " + (check_answer(raw) or "passed")] += 1
    except (AssertionError, ValueError) as error:
        print(f"{type(error).__name__}: {error}\n  {raw!r}", file=sys.stderr)
        return raw
    return b""


def main() -> int:
    """Runs until the time is up or something is found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    options = parser.parse_args()
    rng, seen = random.Random(options.seed), Counter[str]()
    print(f"seed {options.seed}, forms: {', '.join(form.name for form in FORMS)}")
    end = time.monotonic() + options.seconds
    while time.monotonic() < end:
        if one(rng, seen):
            return 1
    for name, count in seen.most_common():
        print(f"{count:>10}  {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
