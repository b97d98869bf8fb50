"""Offers where a MODEL comes to a sampler by other ways than a wire from where it was made."""

from __future__ import annotations

import graphs
import pytest
from offers import IN_FRONT, OFFERED, PROMPT, REPLACE, SAMPLER, command
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
