"""The req service: the edge router. `core` decides, `edge` moves bytes, `feed` keeps the table current."""

from router.native import choose

COMPILED = choose()
