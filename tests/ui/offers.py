"""What the tests of the offers for a sampler share."""

from __future__ import annotations

REPLACE, IN_FRONT = "Replace with RALU Sampler", "Put RALU in front"
SWITCH_ON = "Switch RALU on again"
SAMPLER = 5
PROMPT = "async () => (await app.graphToPrompt()).output"
OFFERED = """(id) => app.extensions.find(e => e.name === 'ralu')
  .getNodeMenuItems(app.canvas.graph.getNodeById(id)).map(item => item.content)"""


def command(tab, name: str, node: int) -> None:
    """Run a command on a node of the graph that is shown, as a key of one's own does."""
    tab.page.evaluate("(id) => app.canvas.selectItems([app.canvas.graph.getNodeById(id)])", node)
    tab.page.evaluate(f"() => app.extensionManager.command.execute('ralu.{name}')")
    tab.page.wait_for_timeout(700)  # one change with the size that the node then gets
