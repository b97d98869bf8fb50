"""The server that runs the nodes, and lines of text on them while they run and after."""

from __future__ import annotations

import sys
from typing import Any

from comfy_execution.utils import ExecutionContext, get_executing_context


def running_server() -> Any | None:
    """ComfyUI's PromptServer, or None where the nodes are used without one."""
    # Not imported: without a server that would load all of it, for nothing.
    module = sys.modules.get("server")
    return getattr(getattr(module, "PromptServer", None), "instance", None)


def is_watched() -> bool:
    """Whether a picture of the run could reach anybody: a browser, or a caller without a server."""
    server = running_server()
    return server is None or bool(server.sockets)


def show_status(text: str) -> None:
    """Show a text on the running node in the browser that queued it; else do nothing."""
    if found := _addressee():
        context, server = found
        server.send_progress_text(text, context.node_id, server.client_id)


def show_line(node_id: str | None, text: str) -> None:
    """Show a line on another node of this pack, whose `web` keeps those of one prompt; "" for none.

    node_id  of the node to show it on, if any.
    """
    found = _addressee()
    if node_id is not None and found:
        context, server = found
        prompt_id, by = context.prompt_id, context.node_id
        line = {"prompt_id": prompt_id, "node": node_id, "by": by, "text": text}
        server.send_sync("ralu_line", line, server.client_id)


def _addressee() -> tuple[ExecutionContext, Any] | None:
    """What runs, and the server that tells the browser which queued it; None without one.

    Without a client's id the server would tell every browser.
    """
    context, server = get_executing_context(), running_server()
    if context is None or getattr(server, "client_id", None) is None:
        return None
    return context, server
