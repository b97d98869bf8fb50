"""Muting, bypassing, subgraphs, group nodes and prompts' files, as the frontend resolves them."""

from __future__ import annotations

import json

import graphs
import pytest
from panels import LINES
from playwright.sync_api import expect

from lab.comfy.browser import DROP

MUTED, BYPASSED = 2, 4


def resolved(tab, **modes: int) -> dict:
    """The prompt of the sampling graph, with nodes of these types muted or bypassed."""
    graph = graphs.sampling()
    for node in graph["nodes"]:
        node["mode"] = modes.get(node["type"], 0)
    tab.load(graph)
    return tab.page.evaluate("async () => (await app.graphToPrompt()).output")


def test_bypassed_sampler_hands_its_latent_on(tab):
    prompt = resolved(tab, RALU_Sampler=BYPASSED)
    assert "5" not in prompt
    assert prompt["6"]["inputs"]["samples"] == ["3", 0]


def test_muted_sampler_takes_nothing_else_with_it(tab):
    prompt = resolved(tab, RALU_Sampler=MUTED)
    assert "5" not in prompt and "samples" not in prompt["6"]["inputs"]
    assert prompt["4"]["inputs"]["model"] == ["1", 0]


def test_without_its_schedule_node_a_sampler_takes_the_recommended_preset(tab):
    for mode in (MUTED, BYPASSED):
        prompt = resolved(tab, RALU_Schedule=mode)
        assert "4" not in prompt and "schedule" not in prompt["5"]["inputs"]
        assert prompt["5"]["inputs"]["model"] == ["1", 0]
    event = tab.wait_until_done(tab.queue())
    assert event["type"] == "execution_success", json.dumps(event["detail"])[:2000]


@pytest.mark.parametrize("inside", [(4, 5), (4,), (5,)], ids=["both", "RALU", "KSampler"])
def test_ralu_in_front_tells_its_stages_with_a_subgraph(tab, inside):
    """RALU and the sampler behind it may lie on two sides of a subgraph's edge."""
    tab.load(graphs.in_front(seed=60 + len(tab.name) + sum(inside)))
    tab.page.evaluate(
        "(ids) => { app.rootGraph.convertToSubgraph("
        "new Set(ids.map(id => app.rootGraph.getNodeById(id)))); }",
        list(inside),
    )
    tab.run()
    if 4 in inside:
        tab.page.evaluate(
            "() => app.canvas.setGraph(app.rootGraph.nodes.find(node => node.subgraph).subgraph)"
        )
    told = tab.page.locator(".ralu_lines")
    expect(told).to_have_count(1)
    lines = told.locator("p")
    expect(lines).to_have_count(4)
    for number in (1, 2, 3):
        expect(lines.nth(number - 1)).to_contain_text(f"KSampler: Stage {number} of 3")
    expect(lines.last).to_contain_text("20 plain steps of")  # faster, on a calm machine
    expect(told).to_be_visible()
    tab.screenshot(f"subgraph_in_front_{'_'.join(map(str, inside))}")


def test_skipped_steps_are_told_inside_a_subgraph(tab):
    tab.load(graphs.ksampler(seed=50 + len(tab.name)))
    tab.page.evaluate(
        "() => { app.rootGraph.convertToSubgraph("
        "new Set([4, 5].map(id => app.rootGraph.getNodeById(id)))); }"
    )
    tab.run()
    tab.page.evaluate(
        "() => { app.canvas.setGraph(app.rootGraph.nodes.find(node => node.subgraph).subgraph); }"
    )
    expect(tab.page.locator(".ralu_lines")).to_contain_text("KSampler: TaylorSeer: 4 of 8")
    expect(tab.page.locator(".ralu_lines")).to_be_visible()
    tab.screenshot("subgraph")


TELL = """([node, by]) => window.comfyAPI.api.api.dispatchCustomEvent('ralu_line',
  { prompt_id: 'one', node, by, text: 'Of the run.' })"""


def test_a_sampler_in_an_old_group_node_is_named(tab, is_newer):
    """The newest frontends make a subgraph of it as they open the file."""
    inner = graphs.node(-1, "KSampler", 0, outputs=graphs.outputs("LATENT"), index=0)
    inner["inputs"] = [
        {"name": name, "type": kind, "link": None}
        for name, kind in [("model", "MODEL"), ("latent_image", "LATENT")]
    ]
    models = graphs.node(1, "RALUDemo_Models", 0, values=["flux1-dev.safetensors", False])
    models["outputs"] = graphs.outputs("MODEL", "CLIP", "VAE")
    ralu = graphs.node(2, "RALU_Apply", 420, values=["paper"], outputs=graphs.outputs("MODEL"))
    group = graphs.node(3, "workflow>mine", 840, outputs=graphs.outputs("LATENT"))
    wires = [[1, 0, 2, "model", "MODEL"], [2, 0, 3, "model", "MODEL"]]
    graph = graphs.graph(models, ralu, group, links=wires)
    graph["extra"] = {"groupNodes": {"mine": {"nodes": [inner], "links": [], "external": []}}}
    tab.load(graph)
    prompt = tab.page.evaluate("async () => (await app.graphToPrompt()).output")
    (by,) = (id for id, one in prompt.items() if one["class_type"] == "KSampler")
    assert prompt[by]["inputs"]["model"] == ["2", 0] and ":" in by
    tab.page.evaluate(TELL, ["2", by])
    title = "KSampler" if is_newer else "mine"
    expect(tab.page.locator(LINES)).to_contain_text(f"{title}: Of the run.")


@pytest.mark.parametrize("quality", [None, "draft"])
def test_a_prompts_file_without_the_dial_is_opened_as_it_runs(tab, quality):
    """A server that is sent such a prompt runs it as before there was a dial."""
    tab.load(graphs.sampling())
    prompt = tab.page.evaluate("async () => (await app.graphToPrompt()).output")
    inputs = prompt["5"]["inputs"]
    del inputs["quality"]
    if quality:  # as the last or the first of its inputs
        prompt["5"]["inputs"] = {**inputs, "quality": quality}
        prompt["8"] = {**prompt["5"], "inputs": {"quality": quality, **inputs}}
    open_prompt(tab, prompt)
    opened = tab.page.evaluate("async () => (await app.graphToPrompt()).output")
    assert [one["inputs"]["quality"] for one in samplers(opened)] == (
        [quality] * 2 if quality else ["paper"]
    )
    tab.page.evaluate("() => { app.rootGraph.add(LiteGraph.createNode('RALU_Sampler')); }")
    new = "() => app.rootGraph.nodes.at(-1).widgets.find(w => w.name === 'quality').value"
    assert tab.page.evaluate(new) == "balanced"


def test_a_node_that_a_prompts_file_names_as_of_a_subgraph_tells_its_lines(tab):
    tab.load(graphs.in_front(seed=1))
    prompt = tab.page.evaluate("async () => (await app.graphToPrompt()).output")
    text = json.dumps(prompt)
    for id in ("4", "5"):
        text = text.replace(f'"{id}"', f'"9:{id}"')
    open_prompt(tab, json.loads(text))
    ralu, sampler = (
        tab.page.evaluate("(type) => app.rootGraph.nodes.find(n => n.type === type).id", type)
        for type in ("RALU_Apply", "KSampler")
    )
    tab.page.evaluate(TELL, [str(ralu), str(sampler)])
    # Nodes 2.0 draws no widget of a node with such an id.
    told = """() => app.rootGraph.nodes.find(n => n.type === 'RALU_Apply').widgets
      .find(({ name }) => name === 'ralu_lines').element.textContent"""
    assert tab.page.evaluate(told) == "KSampler: Of the run."


def open_prompt(tab, prompt: dict) -> None:
    """Drop the file of a prompt in the API's format onto the canvas."""
    tab.page.evaluate("() => { app.rootGraph.extra.before = true; }")
    tab.page.evaluate(DROP, {"name": "prompt.json", "text": json.dumps(prompt)})
    tab.page.wait_for_function(
        "(n) => !app.rootGraph.extra.before && app.rootGraph.nodes.length === n", arg=len(prompt)
    )
    tab.settle()


def samplers(prompt: dict) -> list:
    return [one for one in prompt.values() if one["class_type"] == "RALU_Sampler"]
