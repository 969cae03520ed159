"""The little of SVG that the benches' charts need: elements, scales, round numbers. No dependency, no script."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr


def element(name: str, *inside: str, text: str = "", **attributes: object) -> str:
    """One element; `_` in attribute names stands for `-`, a trailing one is dropped (`class_`)."""
    pairs = "".join(f" {key.rstrip('_').replace('_', '-')}={quoteattr(_plain(v))}" for key, v in attributes.items())
    content = escape(text) + "".join(inside)
    return f"<{name}{pairs}>{content}</{name}>" if content else f"<{name}{pairs}/>"


def _plain(value: object) -> str:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps values to pixels, in proportion or by their logarithm."""

    low: float
    high: float
    begin: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        if self.log:
            low, high = math.log(self.low), math.log(self.high)
            part = (math.log(max(value, self.low)) - low) / (high - low)
        else:
            part = (value - self.low) / (self.high - self.low)
        return self.begin + part * (self.end - self.begin)


def ticks(high: float, count: int) -> Iterator[float]:
    """Round numbers from 0 up to `high`, about `count` of them."""
    rough = high / max(1, count)
    power = 10.0 ** math.floor(math.log10(rough)) if rough > 0 else 1.0
    step = next((size * power for size in (1, 2, 5) if size * power >= rough), 10 * power)
    for number in range(int(high / step + 1e-9) + 1):
        yield number * step
