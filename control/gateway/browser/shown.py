"""A view whose refusals a person reads: as a page for browsers, as a problem for programs."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable

from aiohttp import web

from control.gateway.browser.page import problem, wants_page
from control.gateway.call import Call
from kernel.errors import ShipoffError

View = Callable[[Call], Awaitable[web.Response]]


def shown(view: View) -> View:
    """The view, with its refusals as pages."""

    @functools.wraps(view)
    async def run(call: Call) -> web.Response:
        try:
            return await view(call)
        except ShipoffError as error:
            if not wants_page(call.request):
                raise
            return problem(call, error)

    return run
