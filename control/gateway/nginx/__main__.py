"""Prints the configuration: `python -m control.gateway.nginx`."""

from __future__ import annotations

import sys

from control.gateway.nginx.render import render
from control.gateway.nginx.settings import NginxSettings


def main() -> None:
    """Prints."""
    sys.stdout.write(render(NginxSettings.from_process("nginx")))


if __name__ == "__main__":
    main()
