"""What the tests of the schedule node's plot share."""

from __future__ import annotations

PLOT = ".ralu_plot"
POINTS = "() => document.querySelector('.ralu_plot .stage1 polyline')?.getAttribute('points')"


def wait_for_plot(tab, other_than: str | None = None) -> str:
    tab.page.wait_for_function(
        "(old) => { const p = document.querySelector('.ralu_plot .stage1 polyline');"
        " return p && p.getAttribute('points') !== old; }",
        arg=other_than,
    )
    return tab.page.evaluate(POINTS)


def plot_text(tab) -> str:
    return tab.page.locator(PLOT).inner_text()
