"""What the menu of somebody else's sampler offers, and what is left of its wires and values."""

from __future__ import annotations

import graphs
import pytest
from offers import IN_FRONT, OFFERED, PROMPT, REPLACE, SAMPLER
from playwright.sync_api import expect

ICONS = {REPLACE: ".pi-sync", IN_FRONT: ".pi-bolt"}
MENU_SINCE = (1, 40)  # before, Nodes 2.0 showed an extension's entries in the toolbox alone
TITLE = """(id) => { const node = app.canvas.graph.getNodeById(id);
  const { scale, offset } = app.canvas.ds;
  const box = document.querySelector('#graph-canvas').getBoundingClientRect();
  return [box.x + (node.pos[0] + 90 + offset[0]) * scale,
          box.y + (node.pos[1] - 15 + offset[1]) * scale]; }"""
SEEN = """() => { const { scale, offset } = app.canvas.ds, { width, height } = app.canvas.canvas;
  const isSeen = ({ pos: [x, y], size: [w, h] }) =>
    x + offset[0] >= 0 && (x + w + offset[0]) * scale <= width
    && y - 30 + offset[1] >= 0 && (y + h + offset[1]) * scale <= height;
  return app.canvas.graph.nodes.filter(isSeen).map(node => node.type); }"""
ROOM = """(id) => { const sampler = app.rootGraph.getNodeById(id);
  const { pos, size } = app.rootGraph.nodes.find(node => node.type === 'RALU_Apply');
  return sampler.pos[1] - 30 - pos[1] - size[1]; }"""
GONE = """() => [app.rootGraph, ...app.rootGraph.subgraphs.values()]
  .every(graph => graph.nodes.every(node => node.type !== 'RALU_Apply'))"""
SELECTED = "() => [...app.canvas.selectedItems].map(node => node.type)"
SAVED = "() => JSON.stringify(app.rootGraph.serialize().nodes.map(n => [n.id, n.type]).sort())"


def pick(tab, label: str, node: int = SAMPLER) -> None:
    """Right-click the sampler's title and choose from its menu."""
    tab.fit()
    title = title_of(tab, node)
    if has_toolbox_alone(tab):
        tab.page.mouse.click(*title)
        tab.page.locator(f".p-button:has({ICONS[label]})").click()
    else:
        tab.page.mouse.click(*title, button="right")
        tab.page.get_by_text(label, exact=True).first.click()
    tab.page.wait_for_timeout(
        700
    )  # it is one change with the size that the node then gets, then a pan


def has_toolbox_alone(tab) -> bool:
    return tab.name == "nodes2" and tab.frontend < MENU_SINCE


def title_of(tab, node: int) -> tuple[float, float]:
    if tab.name == "classic":
        return tuple(tab.page.evaluate(TITLE, node))
    box = tab.page.locator(f"[data-node-id='{node}']").bounding_box()
    return box["x"] + 60, box["y"] + 10


def test_a_ksampler_becomes_a_ralu_sampler_and_back(tab):
    graph = graphs.ksampler(seed=len(tab.name), accelerated=False)
    sampler = next(node for node in graph["nodes"] if node["id"] == SAMPLER)
    sampler["widgets_values"] = [11, "increment", 8, 1.5, "dpmpp_2m", "simple", 0.9]
    sampler.update(title="My sampler", color="#223", bgcolor="#335")
    tab.load(graph)
    before = tab.page.evaluate(SAVED)
    old = tab.page.evaluate(PROMPT)
    place = tab.page.evaluate(f"() => [...app.rootGraph.getNodeById({SAMPLER}).pos]")
    pick(tab, REPLACE)
    new = tab.page.evaluate(PROMPT)
    inputs = new[str(SAMPLER)]["inputs"]
    assert new[str(SAMPLER)]["class_type"] == "RALU_Sampler"
    for name in ("model", "positive", "negative", "latent_image"):
        assert inputs[name] == old[str(SAMPLER)]["inputs"][name]
    assert (inputs["quality"], inputs["plain_steps"]) == ("balanced", 8)
    given = {"seed": 11, "cfg": 1.5, "sampler_name": "dpmpp_2m", "denoise": 0.9, "vae": ["1", 2]}
    assert {name: inputs[name] for name in given} == given
    assert new["6"]["inputs"]["samples"] == [str(SAMPLER), 0]
    node = tab.page.evaluate(f"() => app.rootGraph.getNodeById({SAMPLER}).serialize()")
    kept = {"title": "My sampler", "color": "#223", "bgcolor": "#335"}
    assert {name: node[name] for name in kept} == kept
    assert node["pos"] == pytest.approx(place, abs=0.01)
    assert "increment" in node["widgets_values"]
    assert (
        node["properties"]["Node name for S&R"] == "KSampler"
    )  # for %KSampler.seed% in file names
    assert tab.page.evaluate(SELECTED) == ["RALU_Sampler"]
    tab.screenshot("replaced")
    tab.page.keyboard.press("Control+z")
    tab.page.wait_for_function(f"(old) => ({SAVED})() === old", arg=before)
    assert tab.page.evaluate(PROMPT) == old
    tab.page.keyboard.press("Control+y")
    tab.page.wait_for_function("() => app.rootGraph.nodes.some(n => n.type === 'RALU_Sampler')")
    tab.settle()
    assert tab.page.evaluate(PROMPT) == new
    tab.run()


def test_what_the_new_node_does_not_offer_is_told_and_set(tab):
    graph = graphs.ksampler(seed=1, accelerated=False)
    sampler = next(node for node in graph["nodes"] if node["id"] == SAMPLER)
    sampler["widgets_values"] = [11, "fixed", 8, 1.5, "dpm_adaptive", "simple", 0.0]
    tab.load(graph)
    pick(tab, REPLACE)
    inputs = tab.page.evaluate(PROMPT)[str(SAMPLER)]["inputs"]
    assert (inputs["sampler_name"], inputs["denoise"], inputs["cfg"]) == ("euler", 0.01, 1.5)
    for told in ("sampler_name dpm_adaptive: euler is set", "denoise 0: 0.01 is set"):
        expect(tab.page.get_by_text(told).first).to_be_visible()
    offered = f"""() => app.rootGraph.getNodeById({SAMPLER}).widgets
      .find(({{ name }}) => name === 'sampler_name').options.values"""
    assert "dpm_adaptive" not in tab.page.evaluate(offered)
    tab.run()


def test_replaced_behind_ralu_it_has_that_nodes_settings(tab):
    tab.load(graphs.ksampler(seed=1, accelerated=False))
    pick(tab, IN_FRONT)
    tab.page.evaluate("() => app.canvas.deselectAll()")
    (front,) = (
        id for id, one in tab.page.evaluate(PROMPT).items() if one["class_type"] == "RALU_Apply"
    )
    tab.set_widget(int(front), "quality", "fine")
    pick(tab, REPLACE)
    new = tab.page.evaluate(PROMPT)
    inputs = new[str(SAMPLER)]["inputs"]
    assert (inputs["quality"], inputs["model"], inputs["cfg"]) == ("fine", ["1", 0], 1)
    assert new[front]["inputs"]["model"] == ["1", 0]  # it stays, and nothing asks for it
    expect(tab.page.get_by_text("settings and wires of RALU").first).to_be_visible()


def test_a_wire_that_has_no_effect_is_not_missed(tab):
    tab.load(graphs.ksampler(seed=1, accelerated=False))
    tab.page.evaluate(
        """() => { const graph = app.rootGraph, sampler = graph.getNodeById(5);
          for (const name of ['scheduler', 'seed']) {
            const primitive = LiteGraph.createNode('PrimitiveNode');
            graph.add(primitive);
            primitive.connect(0, sampler, sampler.findInputSlot(name)); } }"""
    )
    wired = "() => app.rootGraph.getNodeById(5).inputs.filter(i => i.link != null).map(i => i.name)"
    assert {"scheduler", "seed"} <= set(tab.page.evaluate(wired))
    pick(tab, REPLACE)
    assert "seed" in tab.page.evaluate(wired)
    assert tab.page.get_by_text("Not wired again").count() == 0


def test_offers_are_in_the_toolbox_only_where_the_menu_lacks_them(tab):
    tab.load(graphs.ksampler(seed=1, accelerated=False))
    offered = """(version) => { const real = window.__COMFYUI_FRONTEND_VERSION__;
      window.__COMFYUI_FRONTEND_VERSION__ = version;
      try { return app.extensions.find(({ name }) => name === 'ralu')
        .getSelectionToolboxCommands(app.rootGraph.getNodeById(5)); }
      finally { window.__COMFYUI_FRONTEND_VERSION__ = real; } }"""
    older = ["ralu.replace", "ralu.in_front"] if tab.name == "nodes2" else []
    versions = {"1.39.19": older, "1.40.0": [], "2.0.3": []}
    assert {one: tab.page.evaluate(offered, one) for one in versions} == versions


def test_none_is_offered_behind_a_reroute_that_has_one_before_it(tab):
    tab.load(graphs.in_front(seed=1))
    assert tab.page.evaluate(OFFERED, SAMPLER) == [REPLACE]
    tab.page.evaluate(
        """() => { const reroute = LiteGraph.createNode('Reroute');
          app.rootGraph.add(reroute);
          const sampler = app.rootGraph.getNodeById(5), ralu = sampler.getInputNode(0);
          ralu.connect(0, reroute, 0); reroute.connect(0, sampler, 0); }"""
    )
    assert tab.page.evaluate("() => app.rootGraph.getNodeById(5).getInputNode(0).type") == "Reroute"
    assert tab.page.evaluate(OFFERED, SAMPLER) == [REPLACE]


@pytest.mark.parametrize(
    ("command", "told"),
    [("in_front", "Select one node that samples a MODEL"), ("replace", "Select one KSampler.")],
)
def test_a_command_with_nothing_to_do_says_so(tab, command, told):
    tab.load(graphs.ksampler(seed=1, accelerated=False))
    tab.page.evaluate("() => app.canvas.deselectAll()")
    tab.page.evaluate(f"() => app.extensionManager.command.execute('ralu.{command}')")
    expect(tab.page.get_by_text(told).first).to_be_visible()


@pytest.mark.parametrize(
    ("sampler", "offered"), [("SamplerCustomAdvanced", [IN_FRONT]), ("RALU_SamplerAdvanced", [])]
)
def test_a_guider_takes_ralu_where_another_samples(tab, sampler, offered):
    """RALU Sampler (Advanced) would leave its plan out."""
    tab.load(graphs.guided(sampler))
    for id in (2, 3):
        assert tab.page.evaluate(OFFERED, id) == offered


def test_a_subgraph_that_samples_takes_ralu_in_front(tab):
    tab.load(graphs.ksampler(seed=1, accelerated=False))
    tab.page.evaluate(
        "() => { app.rootGraph.convertToSubgraph(new Set([app.rootGraph.getNodeById(5)])); }"
    )
    old = tab.page.evaluate(PROMPT)
    around = "app.rootGraph.nodes.find(node => node.subgraph)"
    tab.page.evaluate(f"() => app.canvas.select({around})")
    tab.page.evaluate("() => app.extensionManager.command.execute('ralu.in_front')")
    tab.page.wait_for_function("() => app.rootGraph.nodes.some(n => n.type === 'RALU_Apply')")
    new = tab.page.evaluate(PROMPT)
    (apply,) = [id for id, entry in new.items() if entry["class_type"] == "RALU_Apply"]
    assert new[apply]["inputs"]["model"] == ["1", 0]
    (sampler,) = [id for id, entry in new.items() if entry["class_type"] == "KSampler"]
    assert new[sampler]["inputs"] == {**old[sampler]["inputs"], "model": [apply, 0]}


def test_inside_a_subgraph_all_wires_stay(tab):
    if has_toolbox_alone(tab):
        pytest.skip("this frontend's Nodes 2.0 shows no toolbox in a subgraph")
    tab.load(graphs.ksampler(seed=3, accelerated=False))
    tab.page.evaluate(
        "() => { app.rootGraph.convertToSubgraph(new Set([app.rootGraph.getNodeById(5)]));"
        "  app.canvas.setGraph(app.rootGraph.nodes.find(node => node.subgraph).subgraph); }"
    )
    old = sampler_in(tab.page.evaluate(PROMPT))
    sampler = tab.page.evaluate("() => app.canvas.graph.nodes[0].id")
    pick(tab, REPLACE, sampler)
    new = sampler_in(tab.page.evaluate(PROMPT))
    assert (old.pop("class_type"), new.pop("class_type")) == ("KSampler", "RALU_Sampler")
    wires = {name: value for name, value in old["inputs"].items() if isinstance(value, list)}
    assert len(wires) == 4 and wires.items() <= new["inputs"].items()
    # The VAE is outside: nothing goes through the subgraph's edge for it.
    assert "vae" not in new["inputs"] and new["inputs"]["edge_detector"] == "auto"
    decode = tab.page.evaluate(PROMPT)["6"]["inputs"]["samples"]
    assert decode[0].endswith(f":{sampler}") and decode[1] == 0


def test_ralu_in_front_makes_the_same_sampler_run_in_stages(tab):
    tab.load(graphs.ksampler(seed=20 + len(tab.name), accelerated=False))
    old = tab.page.evaluate(PROMPT)
    pick(tab, IN_FRONT)
    new = tab.page.evaluate(PROMPT)
    (apply,) = [id for id, entry in new.items() if entry["class_type"] == "RALU_Apply"]
    assert new[apply]["inputs"]["model"] == old["5"]["inputs"]["model"] == ["1", 0]
    assert new["5"]["inputs"] == {**old["5"]["inputs"], "model": [apply, 0]}
    assert {id: new[id] for id in old if id != "5"} == {id: old[id] for id in old if id != "5"}
    assert tab.page.evaluate(OFFERED, SAMPLER) == [REPLACE]  # one in front is enough
    tab.settle()
    (x, y), (sampler_x, sampler_y) = title_of(tab, int(apply)), title_of(tab, SAMPLER)
    assert x == pytest.approx(sampler_x, abs=2) and y < sampler_y
    # Before a run, whose line makes the node taller, which is a change to undo of its own.
    tab.page.keyboard.press("Control+z")
    tab.page.wait_for_function("() => app.rootGraph.nodes.every(n => n.type !== 'RALU_Apply')")
    assert tab.page.evaluate(PROMPT) == old
    # As a key of one's own does.
    tab.page.evaluate("() => app.canvas.select(app.rootGraph.getNodeById(5))")
    tab.page.evaluate("() => app.extensionManager.command.execute('ralu.in_front')")
    tab.page.wait_for_function("() => app.rootGraph.nodes.some(n => n.type === 'RALU_Apply')")
    tab.run()
    tab.screenshot("in_front")
    expect(tab.page.locator(".ralu_lines p")).to_have_count(1)  # that of the steps has gone
    expect(tab.page.locator(".ralu_lines")).to_contain_text("steps in")
    tab.page.wait_for_timeout(500)
    assert tab.page.evaluate(ROOM, SAMPLER) >= 20  # below all that it tells


@pytest.mark.parametrize(("zoom", "stays"), [(0.6, True), (2.0, False)])
@pytest.mark.parametrize("inside", [False, True], ids=["root", "subgraph"])
def test_what_is_put_in_front_is_selected_and_seen(tab, inside, zoom, stays):
    tab.load(graphs.ksampler(seed=1, accelerated=False))
    if inside:
        tab.page.evaluate(
            """() => { app.rootGraph.convertToSubgraph(new Set([app.rootGraph.getNodeById(5)]));
              app.canvas.setGraph(app.rootGraph.nodes.find(node => node.subgraph).subgraph); }"""
        )
        tab.page.wait_for_timeout(500)
    tab.page.evaluate(
        """(scale) => { const sampler = app.canvas.graph.nodes.find(n => n.type === 'KSampler');
          const [x, y] = sampler.pos;
          Object.assign(app.canvas.ds, { scale, offset: [200 / scale - x, 100 / scale - y] });
          app.canvas.selectItems([sampler]); }""",
        zoom,
    )
    tab.page.evaluate("() => app.extensionManager.command.execute('ralu.in_front')")
    tab.page.wait_for_timeout(800)
    assert tab.page.evaluate(SELECTED) == ["RALU_Apply"]
    assert {"RALU_Apply", "KSampler"} <= set(tab.page.evaluate(SEEN))
    assert (tab.page.evaluate("() => app.canvas.ds.scale") == zoom) == stays
    tab.screenshot(f"seen_{inside}_{zoom}")
    tab.page.keyboard.press("Control+z")
    tab.page.wait_for_function(GONE)


def sampler_in(prompt: dict) -> dict:
    return next(entry for entry in prompt.values() if "Sampler" in entry["class_type"])
