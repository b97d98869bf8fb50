"""What the tests of the panels on samplers, and on nodes before them, share."""

from __future__ import annotations

from typing import Any

PANEL, LINES = ".ralu_run", ".ralu_lines"
# Into its own tab, as an undone step is.
RELOAD = """async () => await app.loadGraphData(app.rootGraph.serialize(), true, true,
  app.extensionManager.workflow.activeWorkflow)"""
SHOW = "(runs) => app.rootGraph.getNodeById(5).onExecuted({ralu_run: runs})"


def a_run(comparison: str, **more: Any) -> dict[str, Any]:
    """What a sampler sends after it, in short."""
    stage = {"number": 3, "steps": 6, "calls": 6, "tokens": [256], "seconds": 2, "share": 1}
    run = {
        "stages": [stage],
        "steps": 6,
        "seconds": 9,
        "loading": 1,
        "regions": [],
        "comparison": comparison,
    }
    return {**run, **more}


def undo_a_step(tab, id: int = 7) -> None:
    """Move a node and undo it, which makes all nodes anew."""
    tab.page.evaluate(
        """(id) => { app.canvas.emitBeforeChange(); app.rootGraph.getNodeById(id).pos = [1300, 150];
          app.canvas.emitAfterChange(); window.before = app.rootGraph.getNodeById(id); }""",
        id,
    )
    tab.page.keyboard.press("Control+z")
    tab.page.wait_for_function("(id) => window.before !== app.rootGraph.getNodeById(id)", arg=id)


def dispatch(tab, event: str, detail: dict[str, Any]) -> None:
    """As if the server had sent it."""
    script = "([event, detail]) => window.comfyAPI.api.api.dispatchCustomEvent(event, detail)"
    tab.page.evaluate(script, [event, detail])


def tell_line(tab, text: str, **more: Any) -> None:
    """A line of a sampler, node 5, on node 4."""
    dispatch(tab, "ralu_line", {"prompt_id": "one", "node": "4", "by": "5", "text": text, **more})


def tell_run(tab, said: str, node: str = "5", **more: Any) -> None:
    output = {"ralu_run": [a_run(said, **more)]}
    dispatch(tab, "executed", {"prompt_id": "one", "node": node, "output": output})
