"""The quality report says in words what its intervals say."""

from __future__ import annotations

import torch

from lab.quality import report
from lab.quality.bench import figure_names
from lab.quality.methods import OURS, Cost, Method
from lab.quality.report import DISTANCES, JUDGED, Row
from lab.quality.statistics import Drawn


def figures(**changed: float) -> dict[str, Drawn]:
    """All figures at 1 with a spread of 0.1, but those named; `_` stands for a space."""
    changed = {name.replace("_", " "): value for name, value in changed.items()}
    draws = torch.linspace(-0.1, 0.1, 101)
    return {
        name: Drawn(changed.get(name, 1.0), changed.get(name, 1.0) + draws)
        for name in figure_names()
    }


def row(name: str, giga: float = 10.0, **changed: float) -> Row:
    method = Method("FLUX 5x", name, lambda batch: batch.latent["samples"])
    return Row(method, Cost(giga, 15), figures(**changed))


def test_words_follow_the_verdicts():
    rows = [
        row("plain", **dict.fromkeys(DISTANCES, 2.0)),
        row("other"),
        row(OURS, aliasing=0.5, block_8=1.5),
    ]
    found = report.verdicts(rows, figures(aliasing=0.4))
    assert set(found) == {"plain", "other"}
    assert found["plain"]["KID judge"] == "wins clearly"
    assert found["other"]["aliasing"] == "wins clearly"
    assert found["other"]["block 8"] == "loses clearly"
    words = report.in_words("FLUX 5x", found)
    assert "distance to real pictures: against plain RALU wins clearly on all" in words
    assert "against other RALU ties on all" in words
    assert "wins clearly on aliasing and ties on" in words and "loses clearly on block 8" in words
    assert words.count("\n") == 3


def test_more_is_better_for_recognition_and_likeness():
    rows = [row("plain", recognised=2.0, SSIM=0.5), row(OURS)]
    found = report.verdicts(rows, figures())["plain"]
    assert (found["recognised"], found["SSIM"]) == ("loses clearly", "wins clearly")


def test_tables_hold_every_row_and_figure():
    rows = [row("plain", 11.0), row(OURS)]
    table = report.figures_table(
        rows, JUDGED, {"held-out pictures": {"KID judge": figures()["blur"]}}
    )
    assert len(table.splitlines()) == 5
    assert all(name in table.splitlines()[0] for name in JUDGED)
    assert "1.000 [0.905, 1.095]" in table
    assert "+10.0 %" in report.cost_table(rows)
    found = report.verdicts(rows, figures())
    assert len(report.verdict_table(found).splitlines()) == 2 + len(JUDGED)
    assert len(report.verdict_lines(found, JUDGED).splitlines()) == 3


def test_data_holds_value_and_interval():
    data = report.as_data(row(OURS))
    assert data["gigaflop"] == 10.0
    assert data["figures"]["KID judge"] == [1.0, 0.905, 1.095]
    assert report.as_data(Row(row(OURS).method, None, figures()))["gigaflop"] is None
