"""A server of set answers in the place of a ComfyUI."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import web

ENDED = {"type": "executing", "data": {"prompt_id": "1", "node": None}}
SOUND = {"/system_stats": {}, "/prompt": {"prompt_id": "1"}, "/history/1": {"1": {"outputs": {}}}}


@contextmanager
def serving(answers: dict[str, Any], seconds: float = 0.0) -> Iterator[str]:
    """Address of a server of those answers by path, whose prompts end after so many seconds."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path != "/ws":
            return web.json_response(answers[request.path])
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await asyncio.sleep(seconds)
        await socket.send_json(ENDED)
        async for _ in socket:
            pass
        return socket

    async def start() -> tuple[web.AppRunner, int]:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return runner, runner.addresses[0][1]

    loop = asyncio.new_event_loop()
    runner, port = loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
