"""Two dicts that say nearly the same, made to share what they say: what a resync brings is mostly there already."""

from __future__ import annotations

from itertools import islice
from typing import Final, TypeVar

K = TypeVar("K")
V = TypeVar("V")
_SAMPLE: Final = 16


def share(made: dict[K, V], before: dict[K, V]) -> None:
    """Lets `made` say the same in the objects of `before` where they are equal, and empties `before`.

    Two tables stand while one is read anew. Freed one value here and one there, the new one's memory goes on being
    taken for the few values that stay; freed nearly whole, it goes back to the system. For the same reason no object
    is made here that outlives the call.
    """
    sample = list(islice(before.items(), _SAMPLE))
    if 2 * sum(made.get(key) == value for key, value in sample) > len(sample):
        shared = {}
        for key, value in before.items():
            found = made.pop(key, None)
            if found is not None:
                shared[key] = value if found == value else found
        shared.update(made)
        made.clear()
        made.update(shared)
    before.clear()
