"""The parts of the bench that need no ComfyUI."""

from __future__ import annotations

import pytest

from lab.bench import components
from lab.bench.results import limit, markdown


@pytest.mark.parametrize("exponent", [0.5, 1.0, 1.5])
def test_growth_is_the_exponent_of_the_number_of_tokens(exponent: float) -> None:
    seconds = [1e-6 * (side * side) ** exponent for side in components.SIDES]
    assert components.growth(components.SIDES, seconds) == pytest.approx(exponent)


def test_every_part_is_measured_at_every_size() -> None:
    found = components.measure(sides=(64, 128))
    assert {"noise", "layout", "pack", "unpack", "edges: canny"} < set(found)
    assert all(len(seconds) == 2 and min(seconds) > 0 for seconds in found.values())


def test_a_schedule_is_solved_once() -> None:
    first, again = components.schedule_seconds()
    assert again < first / 100


def test_a_limit_says_whether_it_is_kept() -> None:
    assert limit("noise", 2.5, 3, "ms") == "- noise: 2.5 ms, limit 3 ms: kept"
    assert limit("noise", 3.5, 3, "ms").endswith("MISSED")


def test_a_table_pads_its_columns() -> None:
    table = markdown(("run", "s"), [("plain", 1.5), ("7x", 10)])
    assert table.splitlines() == [
        "| run   | s   |",
        "|-------|-----|",
        "| plain | 1.5 |",
        "| 7x    | 10  |",
    ]
