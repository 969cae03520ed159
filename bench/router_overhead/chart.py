"""The chart of the results: each shape a row, each proxy a dot, nginx the line that all are measured by."""

from __future__ import annotations

from typing import Any, Final

from bench.router_overhead.results import Results
from bench.svg import Scale, element

_WIDTH: Final = 860
_LEFT: Final = 212
_RIGHT: Final = 24
_TOP: Final = 84
_ROW: Final = 34
_FOOT: Final = 46
_TICKS: Final = (0.1, 0.2, 0.5, 1.0, 2.0)
# Okabe and Ito's colours, told apart by most eyes; ours are larger and filled as well.
_STYLE: Final = """
svg{--ink:#1f2328;--soft:#656d76;--line:#d8dee4;--back:#fff;--ours:#0969da;--pure:#0969da;--nginx:#1a7f37;
--haproxy:#cf222e;--envoy:#8250df;--traefik:#9a6700;--caddy:#57606a;background:var(--back);
font:13px system-ui,-apple-system,"Segoe UI",sans-serif}
@media (prefers-color-scheme:dark){svg{--ink:#e6edf3;--soft:#9198a1;--line:#30363d;--back:#0d1117;--ours:#58a6ff;
--pure:#58a6ff;--nginx:#3fb950;--haproxy:#ff7b72;--envoy:#bc8cff;--traefik:#d29922;--caddy:#9198a1}}
text{fill:var(--ink)}.soft{fill:var(--soft)}.line{stroke:var(--line)}.one{stroke:var(--nginx);stroke-dasharray:4 3}
.title{font-size:16px;font-weight:600}
""".strip()


def draw(results: Results) -> str:
    """The SVG as text."""
    rows = [(shape, values) for shape in results.shapes() if (values := _relative(results, shape))]
    height = _TOP + _ROW * len(rows) + _FOOT
    seen = [value for _, values in rows for value in values.values()]
    x = Scale(min([0.1, *seen]) * 0.9, max([2.0, *seen]) * 1.1, _LEFT, _WIDTH - _RIGHT, log=True)
    parts = [
        element("style", text=_STYLE),
        element("rect", width="100%", height="100%", fill="var(--back)"),
        element("text", text="Work per CPU-second, relative to nginx", x=20, y=28, class_="title"),
        *_legend([peer for peer in results.peers() if any(peer in values for _, values in rows)]),
        *_axis(x, height),
    ]
    for number, (shape, values) in enumerate(rows):
        parts += _row(x, _TOP + _ROW * (number + 0.5), shape, values)
    note = "One worker on one core each; further right is better; logarithmic. 10 MB rows: bytes per CPU-second."
    parts.append(element("text", text=note, x=20, y=height - 12, class_="soft", font_size=12))
    return (
        element(
            "svg",
            *parts,
            xmlns="http://www.w3.org/2000/svg",
            viewBox=f"0 0 {_WIDTH} {height}",
            width=_WIDTH,
            height=height,
            role="img",
            aria_label="Requests per CPU-second of each proxy relative to nginx, for each shape of traffic",
        )
        + "\n"
    )


def _relative(results: Results, shape: str) -> dict[str, float]:
    """Proxy -> its work per CPU-second over nginx's."""
    costs = results.costs(shape)
    base = costs.get("nginx")
    return {peer: base["value"] / one["value"] for peer, one in costs.items()} if base else {}


def _legend(peers: list[str]) -> list[str]:
    parts, x = [], 20.0
    for peer in peers:
        parts += [_mark(peer, x + 7, 52.0, peer), element("text", text=peer, x=x + 19, y=56.5)]
        x += 40 + 7.2 * len(peer)
    return parts


def _axis(x: Scale, height: int) -> list[str]:
    parts = []
    bottom = height - _FOOT
    for tick in _TICKS:
        if x.low <= tick <= x.high:
            at, kind = x(tick), "one" if tick == 1 else "line"
            parts += [
                element("line", x1=at, x2=at, y1=_TOP - 6, y2=bottom, class_=kind),
                element(
                    "text", text=f"{tick:g}×", x=at, y=bottom + 16, text_anchor="middle", class_="soft", font_size=12
                ),
            ]
    return parts


def _row(x: Scale, y: float, shape: str, values: dict[str, float]) -> list[str]:
    parts = [
        element("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=y, y2=y, class_="line"),
        element("text", text=shape, x=_LEFT - 14, y=y + 4.5, text_anchor="end"),
    ]
    ordered = sorted(values.items(), key=lambda pair: pair[0].startswith("ours"))  # ours on top of the others
    return parts + [_mark(peer, x(value), y, f"{shape}, {peer}: {value:.2f} × nginx") for peer, value in ordered]


def _mark(peer: str, x: float, y: float, title: str) -> str:
    name = element("title", text=title)
    if peer == "ours pure":
        ring: dict[str, Any] = {"fill": "var(--back)", "stroke": "var(--pure)", "stroke_width": 3}
        return element("circle", name, cx=x, cy=y, r=6.0, **ring)
    if peer == "ours":
        return element("circle", name, cx=x, cy=y, r=7.5, fill="var(--ours)")
    if peer == "nginx":
        return element("rect", name, x=x - 5, y=y - 5, width=10, height=10, fill="var(--nginx)")
    if peer == "haproxy":
        points = f"{x:.1f},{y - 7:.1f} {x + 7:.1f},{y:.1f} {x:.1f},{y + 7:.1f} {x - 7:.1f},{y:.1f}"
        return element("polygon", name, points=points, fill="var(--haproxy)")
    return element("circle", name, cx=x, cy=y, r=4.5, fill=f"var(--{peer})")
