"""The parts of the bench that need no ComfyUI."""

from __future__ import annotations

import pytest

from lab.bench import components
from lab.bench.__main__ import DEFAULT, chosen_benches, parse
from lab.bench.results import limit, markdown, record


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


@pytest.mark.parametrize(
    ("asked", "chosen"),
    [
        ("", list(DEFAULT)),
        ("--record all.md", list(DEFAULT)),
        ("--device cpu", ["latency"]),
        ("--sizes 512 --repeats 3", ["latency"]),
        ("trace --sizes 512 --preset X", ["trace"]),
        ("temporal --prompts 2", ["temporal"]),
    ],
)
def test_options_of_a_bench_ask_for_it(asked, chosen):
    assert chosen_benches(parse(asked.split())) == chosen


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("--prompts 2", "--prompts is of temporal alone, got flops, families, overhead, latency"),
        ("flops --sizes 512", "--sizes is of latency and trace alone, got flops"),
        ("latency --record all.md", "--record keeps flops, families, overhead, latency together"),
    ],
)
def test_what_a_bench_does_not_read_is_refused(asked, said, capsys):
    with pytest.raises(SystemExit):
        parse(asked.split())
    assert said in capsys.readouterr().err


def test_a_record_holds_what_was_asked_for_alone(tmp_path):
    for name in ("flops", "latency-sd3-medium", "temporal"):
        (tmp_path / f"{name}.md").write_text(f"of {name}\n")
    record(tmp_path, tmp_path / "all.txt", DEFAULT)
    said = (tmp_path / "all.txt").read_text()
    assert "of flops" in said and "of latency-sd3" in said and "of temporal" not in said
