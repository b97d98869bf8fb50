"""Muting, bypassing and subgraphs, as the frontend resolves them, and what then runs."""

from __future__ import annotations

import json

import graphs
from playwright.sync_api import expect

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
    expect(tab.page.locator(".ralu_lines")).to_contain_text("KSampler, TaylorSeer: 4 of 8")
    expect(tab.page.locator(".ralu_lines")).to_be_visible()
    tab.screenshot("subgraph")
