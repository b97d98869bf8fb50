"""Every workflow, from the Templates dialog to a picture, as a first-time user goes."""

from __future__ import annotations

import re

import pytest

from demo.host.locate import REPOSITORY
from demo.workflow import LOADERS, nodes_of, with_size, with_stand_ins

TEMPLATES = sorted(path.stem for path in (REPOSITORY / "workflows").glob("*.json"))
SIDE = 256
THUMBNAIL = 512  # pixels; the frontend's stand-in for a missing one is larger
CLICKS = 4


def on_small_models(prompt):
    """The frontend's prompt, with stand-ins for files that nobody downloads for a test."""
    if not any(nodes_of(prompt, loader) for loader in LOADERS):
        return prompt
    return with_size(with_stand_ins(prompt), SIDE, SIDE)


def open_template(tab, name: str) -> None:
    tab.click(tab.page.get_by_role("button", name="Templates").first)
    tab.click(tab.page.get_by_text("ralu", exact=True))
    card = tab.page.get_by_test_id(f"template-workflow-{name}")
    card.scroll_into_view_if_needed()  # pictures further down are not loaded before
    picture = card.locator("img").first.element_handle()
    tab.page.wait_for_function("([img, n]) => img.naturalWidth === n", arg=[picture, THUMBNAIL])
    tab.click(card)
    tab.page.wait_for_function("() => app.rootGraph.nodes.some(n => n.type.startsWith('RALU_'))")
    tab.settle()


@pytest.mark.parametrize("name", TEMPLATES)
def test_template_makes_a_picture_in_four_clicks(tab, server, name):
    if name == "edge_mask_preview":
        copy_example(server)
    open_template(tab, name)
    unknown = tab.page.evaluate(
        "() => app.rootGraph.nodes.map(n => n.type)"
        ".filter(t => !(t in LiteGraph.registered_node_types))"
    )
    assert not unknown
    tab.change_prompts(on_small_models)
    tab.run()
    assert tab.clicks <= CLICKS
    pictures = tab.page.evaluate(
        "() => app.rootGraph.nodes.filter(n => n.imgs?.length || app.nodeOutputs[n.id]?.images)"
        ".map(n => n.type)"
    )
    assert {"SaveImage", "PreviewImage"} & set(pictures)
    tab.fit()
    tab.screenshot(f"template_{name}")
    if tab.page.evaluate("() => app.rootGraph.nodes.some(n => n.type === 'RALU_Sampler')"):
        panel = tab.page.locator(".ralu_run").first
        assert re.search(r"stage 3.*plain steps.*predicted \d", panel.inner_text(), re.S)


def copy_example(server) -> None:
    """The picture that LoadImage shows on a fresh installation."""
    example = server.host.tree / "input" / "example.png"
    (server.base / "input").mkdir(exist_ok=True)
    (server.base / "input" / "example.png").write_bytes(example.read_bytes())
