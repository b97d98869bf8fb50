"""What the pack shows on nodes lets the mouse through to the canvas, in both renderers."""

from __future__ import annotations

import graphs
import pytest
from plots import PLOT

VIEW = "() => [...app.canvas.ds.offset, app.canvas.ds.scale]"
MENU = """() => [...document.querySelectorAll('.litecontextmenu, .p-contextmenu')]
  .some((menu) => menu.getClientRects().length)"""


@pytest.fixture
def place(tab) -> tuple[float, float]:
    """Over the plot of the schedule node, with the mouse there."""
    tab.load(graphs.sampling(seed=1))
    tab.page.locator(f"{PLOT} svg").first.wait_for()
    box = tab.page.locator(PLOT).bounding_box()
    place = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    tab.page.mouse.move(*place)
    return place


def test_the_canvas_is_moved_by_the_middle_button(tab, place):
    x, y, scale = tab.page.evaluate(VIEW)
    tab.page.mouse.down(button="middle")
    for part in (0.5, 1):
        tab.page.mouse.move(place[0] - 60 * part, place[1] - 40 * part)
    tab.page.mouse.up(button="middle")
    tab.settle()
    now = tab.page.evaluate(VIEW)
    assert now == pytest.approx([x - 60 / scale, y - 40 / scale, scale], abs=1)
    tab.page.mouse.move(place[0] + 100, place[1])  # which moves nothing any more
    tab.settle()
    assert tab.page.evaluate(VIEW) == now


def test_the_canvas_is_zoomed_by_the_wheel(tab, place):
    scale = tab.page.evaluate(VIEW)[2]
    tab.page.mouse.wheel(0, -120)
    tab.settle()
    assert tab.page.evaluate(VIEW)[2] > scale


def test_the_right_button_opens_the_nodes_menu(tab, is_newer, place):
    if tab.name == "nodes2" and not is_newer:
        pytest.skip("its first Nodes 2.0 opens no menu on a node")
    assert not tab.page.evaluate(MENU)
    tab.page.mouse.click(*place, button="right")
    tab.page.wait_for_function(MENU)
    tab.screenshot("menu_over_the_plot")
