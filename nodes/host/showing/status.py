"""The server that runs the nodes, and lines of text on them while they run and after."""

from __future__ import annotations

import sys
from typing import Any, Protocol

from comfy_execution.utils import ExecutionContext, get_executing_context


class Tell(Protocol):
    """Shows a line of text.

    passing  whether the sampler's next line takes its place.
    run      the values of the report that it sums up, for other languages than English.
    why      likewise, why a sampler samples plainly.
    """

    def __call__(
        self,
        text: str,
        passing: bool = False,
        run: dict[str, Any] | None = None,
        why: dict[str, Any] | None = None,
    ) -> None: ...


def running_server() -> Any | None:
    """ComfyUI's PromptServer, or None where the nodes are used without one."""
    # Not imported: without a server that would load all of it, for nothing.
    module = sys.modules.get("server")
    return getattr(getattr(module, "PromptServer", None), "instance", None)


def is_watched() -> bool:
    """Whether a picture of the run could reach anybody: a browser, or a caller without a server."""
    server = running_server()
    return server is None or bool(server.sockets)


def show_status(
    text: str,
    passing: bool = True,
    run: dict[str, Any] | None = None,
    why: dict[str, Any] | None = None,
) -> None:
    """Show a text on the running node in the browser that queued it; else do nothing.

    passing and others as `Tell` has them; every one passes here, and the run's panel follows it.
    """
    if found := _addressee():
        context, server = found
        server.send_progress_text(text, context.node_id, server.client_id)


def show_line(
    node_id: str | None,
    text: str,
    passing: bool = False,
    run: dict[str, Any] | None = None,
    why: dict[str, Any] | None = None,
) -> None:
    """Show a line on another node of this pack, whose `web` keeps those of one prompt; "" for none.

    node_id  of the node to show it on, if any.
    passing, run, why
             as `Tell` has them.
    """
    found = _addressee()
    if node_id is not None and found:
        context, server = found
        line = {
            "prompt_id": context.prompt_id,
            "workflow": running_workflow(),
            "settings": asked_settings(node_id),
            "node": node_id,
            "by": context.node_id,
            "text": text,
            "passing": passing,
            "run": run,
            "why": why,
        }
        server.send_sync("ralu_line", line, server.client_id)


def running_workflow() -> str | None:
    """The id of the workflow whose prompt runs, which nodes of other tabs are not shown; None where
    a program sent it."""
    _, extra = _running()
    told = extra.get("extra_pnginfo")
    workflow = told.get("workflow") if isinstance(told, dict) else None
    return workflow.get("id") if isinstance(workflow, dict) else None


def asked_settings(node_id: str | None = None) -> list[dict[str, Any] | None] | None:
    """What the prompt that runs asks of a node and of its schedule, without what comes by wires:
    the widgets may have changed since it was queued.

    node_id  None for the node that runs.

    None where the prompt has no such node; without a schedule its part is None.
    """
    context, (prompt, _) = get_executing_context(), _running()
    if node_id is None and context is not None:
        node_id = context.node_id
    if node_id not in prompt:
        return None
    wire = prompt[node_id]["inputs"].get("schedule")
    schedule = prompt.get(wire[0]) if isinstance(wire, list) else None
    return [one and _unwired(one["inputs"]) for one in (prompt[node_id], schedule)]


def _unwired(inputs: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in inputs.items() if not isinstance(value, list)}


def _running() -> tuple[dict[str, Any], dict[str, Any]]:
    """The prompt that runs, and what was sent with it; both empty where there is no queue."""
    context, queue = get_executing_context(), getattr(running_server(), "prompt_queue", None)
    for _, prompt_id, prompt, extra, *_ in getattr(queue, "currently_running", {}).values():
        if context is not None and prompt_id == context.prompt_id:
            return prompt, extra
    return {}, {}


def _addressee() -> tuple[ExecutionContext, Any] | None:
    """What runs, and the server that tells the browser which queued it; None without one.

    Without a client's id the server would tell every browser.
    """
    context, server = get_executing_context(), running_server()
    if context is None or getattr(server, "client_id", None) is None:
        return None
    return context, server
