"""Two dicts that say nearly the same, made to share what they say: what a resync brings is mostly there already."""

from __future__ import annotations

from itertools import islice
from typing import Final, TypeVar

K = TypeVar("K")
V = TypeVar("V")
_SAMPLE: Final = 16


def alike(made: dict[K, V], before: dict[K, V]) -> dict[K, V]:
    """What `made` says, in the objects of `before` where they are equal; both are used up.

    Two tables stand while one is read anew. Freed one value here and one there, the new one's memory goes on being
    taken for the few values that stay; freed nearly whole, it goes back to the system.
    """
    sample = list(islice(before.items(), _SAMPLE))
    if 2 * sum(made.get(key) == value for key, value in sample) <= len(sample):
        before.clear()  # little is equal, or nothing was there: the old one is what goes
        return made
    shared = {}
    for key, value in before.items():
        found = made.pop(key, None)
        if found is not None:
            shared[key] = value if found == value else found
    shared.update(made)
    before.clear()
    return shared
