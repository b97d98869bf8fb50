"""Offers where a MODEL comes to a sampler by other ways than a wire from where it was made."""

from __future__ import annotations

import graphs
import pytest
from offers import IN_FRONT, OFFERED, PROMPT, REPLACE, SAMPLER, SWITCH_ON, command
from playwright.sync_api import expect

# As packs make them: no wire joins Set and Get, and a pipe carries a MODEL among other things.
NODES = """() => {
  class Set extends LiteGraph.LGraphNode {
    constructor() { super('Set'); this.isVirtualNode = true; this.addInput('*', '*'); } }
  class Get extends LiteGraph.LGraphNode {
    constructor() { super('Get'); this.isVirtualNode = true; this.addOutput('*', '*'); }
    setter(graph) { return graph.nodes.find(node => node.type === 'test/Set'); }
    getInputLink(slot) { return this.setter(this.graph)?.getInputLink(slot) ?? null; }
    resolveVirtualOutput(slot) {
      const there = this.graph.isRootGraph ? null : this.setter(this.graph.rootGraph);
      const link = there?.getInputLink(slot);
      return link && { node: there.graph.getNodeById(link.origin_id), slot: link.origin_slot }; } }
  class Pipe extends LiteGraph.LGraphNode {
    constructor() { super('Pipe'); this.addInput('model', 'MODEL');
      this.addOutput('pipe', 'PIPE_LINE'); this.addOutput('model', 'MODEL'); } }
  class Passed extends LiteGraph.LGraphNode {
    constructor() { super('Passed'); this.addInput('pipe', 'PIPE_LINE');
      this.addOutput('pipe', 'PIPE_LINE'); } }
  class Piped extends LiteGraph.LGraphNode {
    constructor() { super('Piped'); this.addInput('pipe', 'PIPE_LINE');
      this.addInput('other', 'MODEL'); this.addOutput('latent', 'LATENT'); } }
  for (const type of [Set, Get, Pipe, Passed, Piped])
    LiteGraph.registerNodeType(`test/${type.name}`, type); }"""
ADD = """([type, from, slot]) => { const node = LiteGraph.createNode(type), graph = app.rootGraph;
  node.pos = [300 * graph.nodes.length, -600]; graph.add(node);
  if (from) graph.getNodeById(from).connect(slot, node, 0);
  return node.id; }"""
JOIN = (
    "([from, slot, to, name]) => { const graph = app.rootGraph, node = graph.getNodeById(to);"
    + (" graph.getNodeById(from).connect(slot, node, node.findInputSlot(name)); }")
)
CLOSE = """(ids) => { const graph = app.rootGraph;
  graph.convertToSubgraph(new Set(ids.map(id => graph.getNodeById(id))));
  return graph.nodes.find(node => node.subgraph).id; }"""
OPEN = "(id) => app.canvas.setGraph(app.rootGraph.getNodeById(id).subgraph)"
MUTED, BYPASSED = 2, 4
SET_MODE = "([id, mode]) => { app.rootGraph.getNodeById(id).mode = mode; }"
MODE = "(id) => app.rootGraph.getNodeById(id).mode"
# As cg-use-everywhere notes what its node 99 hands to inputs without wires.
HAND = """([from, to]) => { const graph = app.rootGraph;
  graph.getNodeById(to).disconnectInput(0);
  graph.extra.ue_links = [{ downstream: graph.getNodeById(to).id, downstream_slot: 0,
    upstream: String(from), upstream_slot: 0, controller: 99, type: 'MODEL' }]; }"""
INTO = """([id, name]) => { const node = app.rootGraph.getNodeById(id);
  const from = node.getInputNode(node.findInputSlot(name));
  return from && [from.id, from.type]; }"""


@pytest.fixture
def plain(tab):
    """A KSampler, and nodes of packs to wire it by."""
    tab.page.evaluate(NODES)
    tab.load(graphs.ksampler(seed=1, accelerated=False))
    return tab


def add(tab, type: str, source: int = 0, slot: int = 0) -> int:
    return tab.page.evaluate(ADD, [type, source, slot])


def join(tab, source: int, target: int, name: str, slot: int = 0) -> None:
    tab.page.evaluate(JOIN, [source, slot, target, name])


def through_set_and_get(tab) -> int:
    """RALU, set to fine, before Set; the KSampler behind Get. RALU's id."""
    ralu = add(tab, "RALU_Apply", 1)
    add(tab, "test/Set", ralu)
    join(tab, add(tab, "test/Get"), SAMPLER, "model")
    tab.set_widget(ralu, "quality", "fine")
    return ralu


def test_ralu_is_found_before_nodes_without_wires_between(plain):
    ralu = through_set_and_get(plain)
    assert plain.page.evaluate(PROMPT)["5"]["inputs"]["model"] == [str(ralu), 0]
    assert plain.page.evaluate(OFFERED, SAMPLER) == [REPLACE]
    command(plain, "replace", SAMPLER)
    inputs = plain.page.evaluate(PROMPT)["5"]["inputs"]
    assert (inputs["quality"], inputs["model"]) == ("fine", [str(ralu), 0])
    expect(plain.page.get_by_text("settings and wires of RALU").first).to_be_visible()


def test_ralu_is_found_before_such_a_node_of_another_graph(plain):
    through_set_and_get(plain)
    get = plain.find_node("test/Get")
    plain.page.evaluate(OPEN, plain.page.evaluate(CLOSE, [SAMPLER, get]))
    assert plain.page.evaluate(OFFERED, SAMPLER) == [REPLACE]


def test_ralu_is_found_over_the_edge_of_a_subgraph(plain):
    ralu = add(plain, "RALU_Apply", 1)
    plain.set_widget(ralu, "quality", "fine")
    join(plain, ralu, SAMPLER, "model")
    around = plain.page.evaluate(CLOSE, [SAMPLER])
    assert plain.page.evaluate(OFFERED, around) == []
    plain.page.evaluate(OPEN, around)
    assert plain.page.evaluate(OFFERED, SAMPLER) == [REPLACE]
    command(plain, "replace", SAMPLER)
    sampler = plain.page.evaluate(PROMPT)[f"{around}:{SAMPLER}"]["inputs"]
    assert (sampler["quality"], sampler["model"]) == ("fine", [str(ralu), 0])
    # What is inside samples as it says; a node in front would do nothing.
    plain.page.evaluate("() => app.canvas.setGraph(app.rootGraph)")
    join(plain, 1, around, "model")
    assert plain.page.evaluate(OFFERED, around) == []


def test_ralu_is_found_inside_of_a_subgraph_that_gives_a_model(plain):
    ralu = add(plain, "RALU_Apply", 1)
    join(plain, ralu, SAMPLER, "model")
    plain.page.evaluate(CLOSE, [1, ralu])
    assert plain.page.evaluate(OFFERED, SAMPLER) == [REPLACE]


def test_without_a_wire_it_says_that_ralu_needs_one(plain):
    """Nodes that hand a MODEL out as a prompt is made leave no wire to see."""
    plain.page.evaluate("() => { app.rootGraph.getNodeById(5).disconnectInput(0); }")
    command(plain, "in_front", SAMPLER)
    expect(plain.page.get_by_text("No wire brings a MODEL").first).to_be_visible()
    new = plain.page.evaluate(PROMPT)
    (ralu,) = [id for id, entry in new.items() if entry["class_type"] == "RALU_Apply"]
    assert new["5"]["inputs"]["model"] == [ralu, 0] and "model" not in new[ralu]["inputs"]


def test_a_pipes_own_model_goes_through_ralu(plain):
    pipe = add(plain, "test/Pipe", 1)
    piped = add(plain, "test/Piped", pipe)
    command(plain, "in_front", piped)
    ralu = plain.find_node("RALU_Apply")
    assert plain.page.evaluate(INTO, [piped, "other"]) == [ralu, "RALU_Apply"]
    assert plain.page.evaluate(INTO, [ralu, "model"]) == [pipe, "test/Pipe"]
    assert plain.page.evaluate(INTO, [piped, "pipe"]) == [pipe, "test/Pipe"]
    assert plain.page.evaluate(OFFERED, piped) == []


def test_a_pipe_that_shows_no_model_is_left_alone(plain):
    passed = add(plain, "test/Passed", add(plain, "test/Pipe", 1))
    piped = add(plain, "test/Piped", passed)
    assert plain.page.evaluate(OFFERED, piped) == [IN_FRONT]
    command(plain, "in_front", piped)
    expect(plain.page.get_by_text("Piped gets its MODEL through a pipe").first).to_be_visible()
    assert plain.page.evaluate(INTO, [piped, "other"]) is None
    assert not any(
        one["class_type"] == "RALU_Apply" for one in plain.page.evaluate(PROMPT).values()
    )


def test_ralu_is_found_before_a_pipe(plain):
    ralu = add(plain, "RALU_Apply", 1)
    piped = add(plain, "test/Piped", add(plain, "test/Passed", add(plain, "test/Pipe", ralu)))
    assert plain.page.evaluate(OFFERED, piped) == []


@pytest.mark.parametrize("mode", [MUTED, BYPASSED], ids=["muted", "bypassed"])
def test_ralu_that_is_off_is_switched_on_again(tab, mode):
    graph = graphs.in_front(seed=1)
    (ralu,) = [node for node in graph["nodes"] if node["type"] == "RALU_Apply"]
    ralu["mode"] = mode
    tab.load(graph)
    assert tab.page.evaluate(OFFERED, SAMPLER) == [REPLACE, SWITCH_ON]
    command(tab, "in_front", SAMPLER)
    assert tab.page.evaluate(OFFERED, SAMPLER) == [REPLACE]
    prompt = tab.page.evaluate(PROMPT)
    assert prompt["5"]["inputs"]["model"] == ["4", 0]
    assert prompt["4"]["inputs"]["quality"] == "paper"
    assert tab.page.evaluate("() => [...app.canvas.selectedItems].map(n => n.title)") == ["RALU"]
    tab.screenshot(f"switched_on_{mode}")
    tab.page.keyboard.press("Control+z")
    tab.page.wait_for_function(f"() => ({MODE})(4) === {mode}")


@pytest.mark.parametrize("mode", [MUTED, BYPASSED], ids=["muted", "bypassed"])
def test_replaced_behind_ralu_that_is_off_it_has_that_nodes_settings(plain, mode):
    ralu = add(plain, "RALU_Apply", 1)
    join(plain, ralu, SAMPLER, "model")
    plain.set_widget(ralu, "quality", "fine")
    plain.page.evaluate(SET_MODE, [ralu, mode])
    command(plain, "replace", SAMPLER)
    inputs = plain.page.evaluate(PROMPT)["5"]["inputs"]
    assert (inputs["quality"], inputs["model"]) == ("fine", ["1", 0])
    expect(plain.page.get_by_text("settings and wires of RALU").first).to_be_visible()


def test_ralu_that_acts_counts_before_one_that_is_off(plain):
    acting = add(plain, "RALU_Apply", 1)
    off = add(plain, "RALU_Apply", acting)
    join(plain, off, SAMPLER, "model")
    plain.page.evaluate(SET_MODE, [off, BYPASSED])
    assert plain.page.evaluate(OFFERED, SAMPLER) == [REPLACE]
    plain.page.evaluate(SET_MODE, [acting, BYPASSED])
    command(plain, "in_front", SAMPLER)
    assert [plain.page.evaluate(MODE, id) for id in (acting, off)] == [BYPASSED, 0]


def test_ralu_that_is_off_outside_of_a_subgraph_is_switched_on_from_inside(plain):
    ralu = add(plain, "RALU_Apply", 1)
    join(plain, ralu, SAMPLER, "model")
    plain.page.evaluate(SET_MODE, [ralu, BYPASSED])
    around = plain.page.evaluate(CLOSE, [SAMPLER])
    plain.page.evaluate(OPEN, around)
    assert plain.page.evaluate(OFFERED, SAMPLER) == [REPLACE, SWITCH_ON]
    command(plain, "in_front", SAMPLER)
    assert plain.page.evaluate(MODE, ralu) == 0
    expect(plain.page.get_by_text("RALU in another graph was muted").first).to_be_visible()


@pytest.mark.parametrize("off", ["node", "subgraph"])
def test_ralu_that_is_off_inside_of_a_subgraph_is_none(plain, off):
    """The subgraph is then a sampler, or gives a MODEL, as if there were no RALU in it."""
    ralu = add(plain, "RALU_Apply", 1)
    join(plain, ralu, SAMPLER, "model")
    if off == "node":
        plain.page.evaluate(SET_MODE, [ralu, BYPASSED])
        assert plain.page.evaluate(OFFERED, plain.page.evaluate(CLOSE, [ralu, SAMPLER])) == [
            IN_FRONT
        ]
    else:
        around = plain.page.evaluate(CLOSE, [ralu])
        assert plain.page.evaluate(OFFERED, SAMPLER) == [REPLACE]
        plain.page.evaluate(SET_MODE, [around, BYPASSED])
        assert plain.page.evaluate(OFFERED, SAMPLER) == [REPLACE, IN_FRONT]


def test_ralu_is_found_before_a_broadcast(plain):
    ralu = add(plain, "RALU_Apply", 1)
    plain.set_widget(ralu, "quality", "fine")
    plain.page.evaluate(HAND, [ralu, SAMPLER])
    assert plain.page.evaluate(OFFERED, SAMPLER) == [REPLACE]
    command(plain, "replace", SAMPLER)
    assert plain.page.evaluate(PROMPT)["5"]["inputs"]["quality"] == "fine"


def test_a_model_that_is_broadcast_goes_through_ralu(plain):
    plain.page.evaluate(HAND, [1, SAMPLER])
    assert plain.page.evaluate(OFFERED, SAMPLER) == [REPLACE, IN_FRONT]
    command(plain, "in_front", SAMPLER)
    prompt = plain.page.evaluate(PROMPT)
    (ralu,) = [id for id, entry in prompt.items() if entry["class_type"] == "RALU_Apply"]
    assert prompt["5"]["inputs"]["model"] == [ralu, 0]
    assert prompt[ralu]["inputs"]["model"] == ["1", 0]
    assert plain.page.get_by_text("No wire brings a MODEL").count() == 0
