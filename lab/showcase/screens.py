"""`python -m lab.showcase.screens`: the pictures of the nodes in the README and in the help pages.

A real ComfyUI server with the pack, the real frontend in Chromium (`make browser`), the workflows
as they are shipped, every setting at its default. Writes to web/docs:

wiring.jpg        begin_here_flux_dev after a run on the miniature Flux, moved together, without its
                  notes.
schedule.png      the schedule node's plot before a run.
run.png           the panel of the sampler after a run of flux_dev_5x on the miniature Flux.
run_temporal.png  the same of flux_dev_5x_taylorseer, which skips steps.

Seconds in the pictures of runs are those of the computer that made them.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw
from playwright.sync_api import Browser, FloatRect

from lab.comfy import HostError
from lab.comfy.browser import Tab, chromium, open_tab
from lab.comfy.locate import REPOSITORY
from lab.comfy.server import comfy_server
from lab.comfy.watched import PACK
from lab.comfy.workflow import Prompt, read_workflow
from lab.showcase.shots import SIDE, Subject, on_miniature

DOCS = REPOSITORY / "web" / "docs"
WIRED = "begin_here_flux_dev"
STAGED, SKIPPING = "flux_dev_5x", "flux_dev_5x_taylorseer"
SUBJECT = "frog face on purple"
CAPTION = f"miniature Flux at {SIDE}x{SIDE} pixels, on a CPU"
VIEW, DENSITY = (1800, 1500), 1.5
WIDTH, EDGE = 1600, 20  # pixels of wiring.jpg; canvas units around its nodes
INK, BACKGROUND = (160, 166, 178), (24, 26, 31)
# The loaders draw a file that the server does not list in red.
FILES = (
    "checkpoints/flux1-dev-fp8.safetensors",
    "diffusion_models/flux1-dev.safetensors",
    "text_encoders/clip_l.safetensors",
    "text_encoders/t5xxl_fp16.safetensors",
    "vae/ae.safetensors",
)
# Left edge, top and width of the nodes in wiring.jpg; the rest of the workflow is left out.
PLACES = {
    "Model": (0, 0, 270),
    "Prompt": (330, 430, 250),
    "RALU": (330, 0, 250),
    "Guidance": (640, 110, 250),
    "No negative prompt": (640, 220, 250),
    "Empty picture": (640, 310, 250),
    "KSampler, as in any workflow": (940, 0, 280),
    "Decode": (1270, 0, 260),
    "Picture": (1270, 120, 260),
}
# What its nodes say otherwise than the workflow, as the miniature is run.
SAID = {"Prompt": [SUBJECT], "Empty picture": [SIDE, SIDE, 1]}


def wired(workflow: dict[str, Any]) -> dict[str, Any]:
    """The workflow's nodes of PLACES at their places, and the links between them."""
    nodes = [node for node in workflow["nodes"] if node.get("title") in PLACES]
    kept = {node["id"] for node in nodes}
    links = [link for link in workflow["links"] if {link[1], link[3]} <= kept]
    numbers = {link[0] for link in links}
    placed = [_placed(node, numbers) for node in nodes]
    return {**workflow, "nodes": placed, "links": links, "groups": []}


def _placed(node: dict[str, Any], links: set[int]) -> dict[str, Any]:
    """The node at its place, with what SAID says, and of its wires those alone."""
    x, y, width = PLACES[node["title"]]
    return {
        **node,
        "pos": [x, y],
        "size": [width, 0],
        "inputs": [
            {**one, "link": one["link"] if one["link"] in links else None} for one in node["inputs"]
        ],
        "outputs": [
            {**one, "links": [k for k in one["links"] if k in links]} for one in node["outputs"]
        ],
        "widgets_values": SAID.get(node["title"], node["widgets_values"]),
    }


def node_box(tab: Tab, nodes: list[int], edge: float = 0) -> FloatRect:
    """Where these nodes are on the page, with their titles and `edge` canvas units around."""
    script = """([ids, edge]) => {
      const boxes = ids.map(id => app.rootGraph.getNodeById(id).getBounding());
      const { scale, offset } = app.canvas.ds;
      const page = document.querySelector('#graph-canvas').getBoundingClientRect();
      const least = k => Math.min(...boxes.map(b => b[k])) - edge;
      const most = k => Math.max(...boxes.map(b => b[k] + b[k + 2])) + edge;
      return { x: page.x + (least(0) + offset[0]) * scale,
               y: page.y + (least(1) + offset[1]) * scale,
               width: (most(0) - least(0)) * scale, height: (most(1) - least(1)) * scale }; }"""
    return tab.page.evaluate(script, [nodes, edge])


def look_at(tab: Tab, node: int, scale: float) -> None:
    """Zoom, with that node near the corner, clear of the frontend's own buttons."""
    script = """([id, scale]) => { const [x, y] = app.rootGraph.getNodeById(id).pos;
      Object.assign(app.canvas.ds, { scale, offset: [100 / scale - x, 140 / scale - y] }); }"""
    tab.page.evaluate(script, [node, scale])
    tab.page.wait_for_timeout(800)  # widgets of the page follow the canvas a little later
    tab.settle()


def shot(tab: Tab, box: FloatRect) -> Image.Image:
    return Image.open(io.BytesIO(tab.page.screenshot(clip=box))).convert("RGB")


def wiring(tab: Tab) -> Image.Image:
    graph = wired(read_workflow(WIRED))
    tab.change_prompts(for_miniature)
    tab.load(graph)
    tab.run()
    nodes = [node["id"] for node in graph["nodes"]]
    corner = next(node["id"] for node in graph["nodes"] if node["pos"] == [0, 0])
    look_at(tab, corner, 1)
    look_at(tab, corner, WIDTH / DENSITY / node_box(tab, nodes, EDGE)["width"])
    return captioned(shot(tab, node_box(tab, nodes, EDGE)), CAPTION)


def schedule(tab: Tab) -> Image.Image:
    tab.load(read_workflow(STAGED))
    tab.page.wait_for_selector(".ralu_plot .stage1 polyline", state="attached")
    look_at(tab, tab.find_node("RALU_Schedule"), 1)
    box = tab.page.locator(".ralu_plot").first.bounding_box()
    assert box is not None
    return shot(tab, box)


def for_miniature(prompt: Prompt) -> Prompt:
    """What the frontend sends, for the trained miniature; the seed stays the one on the node."""
    (seed,) = (entry["inputs"]["seed"] for entry in prompt.values() if "seed" in entry["inputs"])
    return on_miniature(prompt, Subject(SUBJECT, seed))


def panel(tab: Tab, name: str) -> Image.Image:
    """The sampler of that workflow after a run.

    Its second run changes nothing, so the node shows the panel alone, not what was live before.
    """
    tab.change_prompts(for_miniature)
    for _ in range(2):
        tab.load(read_workflow(name))
        tab.run()
    tab.page.wait_for_function("() => document.querySelector('.ralu_run img')?.naturalWidth")
    sampler = tab.find_node("RALU_Sampler")
    shrink = """(id) => { const node = app.rootGraph.getNodeById(id);
      node.setSize([node.size[0], node.computeSize()[1]]); }"""
    tab.page.evaluate(shrink, sampler)
    look_at(tab, sampler, 1)
    return captioned(shot(tab, node_box(tab, [sampler])), CAPTION)


def captioned(picture: Image.Image, text: str) -> Image.Image:
    """The picture above a line of text."""
    size, line = round(11 * DENSITY), round(20 * DENSITY)
    sheet = Image.new("RGB", (picture.width, picture.height + line), BACKGROUND)
    sheet.paste(picture)
    place = (picture.width / 2, picture.height + line / 2)
    ImageDraw.Draw(sheet).text(place, text, fill=INK, font_size=size, anchor="mm")
    return sheet


def photograph(browser: Browser, url: str, out: Path) -> None:
    """Write every picture."""

    def take(draw: Callable[..., Image.Image], *arguments: str) -> Image.Image:
        with open_tab(browser, url, "screens", {}, VIEW, DENSITY) as tab:
            return draw(tab, *arguments)

    take(wiring).save(out / "wiring.jpg", quality=85, optimize=True)
    take(schedule).save(out / "schedule.png", optimize=True)
    take(panel, STAGED).save(out / "run.png", optimize=True)
    take(panel, SKIPPING).save(out / "run_temporal.png", optimize=True)


def main() -> int:
    try:
        with comfy_server(packs=[PACK]) as server, chromium() as browser:
            for name in FILES:
                (server.base / "models" / name).parent.mkdir(parents=True, exist_ok=True)
                (server.base / "models" / name).touch()
            photograph(browser, server.url, DOCS)
    except (HostError, OSError) as error:
        print(f"screens: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
