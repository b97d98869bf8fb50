"""What the tests of the panels on samplers, and on nodes before them, share."""

from __future__ import annotations

from typing import Any

PANEL, LINES = ".ralu_run", ".ralu_lines"
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


def undo_a_step(tab) -> None:
    """Move the last node of a sampling graph and undo it, which makes all nodes anew."""
    tab.page.evaluate(
        """() => { app.canvas.emitBeforeChange(); app.rootGraph.getNodeById(7).pos = [1300, 150];
          app.canvas.emitAfterChange(); window.before = app.rootGraph.getNodeById(5); }"""
    )
    tab.page.keyboard.press("Control+z")
    tab.page.wait_for_function("() => window.before !== app.rootGraph.getNodeById(5)")
