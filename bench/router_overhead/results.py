"""The JSON of a run, read back: `shape / proxy / measure` -> figure."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from bench.router_overhead.shapes import SHAPES

Figure = dict[str, Any]
ORDER = ("ours", "ours pure", "nginx", "haproxy", "envoy", "traefik", "caddy", "direct")


@dataclass(frozen=True)
class Results:
    """What a run wrote.

    Attributes:
        figures: (shape or part, proxy, measure) -> figure.
    """

    content: dict[str, Any]
    figures: dict[tuple[str, str, str], Figure] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Results:
        """Of a file."""
        return cls.of(orjson.loads(path.read_bytes()))

    @classmethod
    def of(cls, content: dict[str, Any]) -> Results:
        """Of the JSON's content."""
        figures = {}
        for one in content["figures"]:
            part, peer, measure = one["name"].split(" / ", 2)
            figures[part, peer, measure] = one
        return cls(content, figures)

    def peers(self) -> list[str]:
        """The proxies that took part, ours first."""
        here = {peer for _, peer, _ in self.figures}
        return [peer for peer in ORDER if peer in here]

    def shapes(self) -> list[str]:
        """The shapes that were measured."""
        here = {part for part, _, _ in self.figures}
        return [shape.name for shape in SHAPES if shape.name in here]

    def costs(self, shape: str) -> dict[str, Figure]:
        """Proxy -> CPU for each request, message or GB."""
        found = {
            peer: one
            for (part, peer, measure), one in self.figures.items()
            if part == shape and measure.startswith("CPU per ") and "relative" not in measure
        }
        return {peer: found[peer] for peer in ORDER if peer in found}

    def of_part(self, part: str, measure: str) -> dict[str, Figure]:
        """Proxy -> figure of one measure."""
        found = {peer: one for (own, peer, name), one in self.figures.items() if own == part and name == measure}
        return {peer: found[peer] for peer in ORDER if peer in found}

    def goals(self) -> list[Figure]:
        """Figures that have a goal."""
        return [one for one in self.content["figures"] if one["goal"] is not None]
