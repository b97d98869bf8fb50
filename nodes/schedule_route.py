"""The numbers of the schedule node's plot before a run, for the browser."""

from __future__ import annotations

import asyncio

from aiohttp import web

from .host.showing.status import running_server
from .schedule import preview_values

PATH = "/ralu/schedule"


def add_schedule_route() -> None:
    """Let the running server, if there is one, answer GET /ralu/schedule?preset=...

    It computes and reads nothing else. Answers 400 with one sentence where the node would raise.
    """
    server = running_server()
    if server is not None:
        server.routes.get(PATH)(answer_schedule)


async def answer_schedule(request: web.Request) -> web.Response:
    try:
        # Solving takes tens of milliseconds, in which the server serves others.
        return web.json_response(await asyncio.to_thread(preview_values, request.query))
    except ValueError as error:
        return web.json_response({"error": str(error)}, status=400)
