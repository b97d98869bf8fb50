"""The schedule's plot before a run: what the route answers."""

from __future__ import annotations

import asyncio
import json

import pytest
from aiohttp.test_utils import make_mocked_request

from ralu_pack.nodes.schedule import MATCH, PUBLISHED, Schedule, preview_values
from ralu_pack.nodes.schedule_route import answer_schedule
from ralu_pack.ralu_core.plans.presets import matched_plan, preset

WIDGETS = {"preset": "FLUX 5x", "shifts": MATCH, "width": 1024, "height": 768}


def query(**widgets) -> dict[str, str]:
    return {name: str(value) for name, value in {**WIDGETS, **widgets}.items()}


@pytest.mark.parametrize("shifts", [MATCH, PUBLISHED])
@pytest.mark.parametrize("name", ["FLUX 7x", "SD3 3x"])
def test_the_preview_is_what_a_run_without_model_says(name, shifts):
    widgets = {**WIDGETS, "preset": name, "shifts": shifts, "ratio": 0.25}
    (shown,) = Schedule.execute(**widgets).ui["ralu_schedule"]
    json.dumps(shown, allow_nan=False)
    assert shown.pop("widgets").items() >= widgets.items()
    assert shown.pop("workflow") is None  # no prompt runs
    assert preview_values(query(**widgets)) == shown


def test_overrides_reach_the_preview():
    changed = preview_values(query(steps_1=3, end_sigma_2=0.5, ratio=0.1))
    assert [stage["steps"] for stage in changed["stages"]] == [3, 5, 6]
    assert changed["stages"][1]["sigmas"][-1] == 0.5
    assert changed["stages"][1]["tokens"] == 768 + 3 * 76


def answer(path: str):
    return asyncio.run(answer_schedule(make_mocked_request("GET", path)))


def test_route_answers():
    given = answer("/ralu/schedule?preset=FLUX+5x&steps_1=2")
    shown = json.loads(given.text)
    assert given.status == 200 and [s["steps"] for s in shown["stages"]] == [2, 5, 6]
    plan = matched_plan(preset("FLUX 5x"), 3.158193)
    assert [s["shift"] for s in shown["stages"]] != [stage.shift for stage in plan.stages]


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ("", "A preset must be one of"),
        ("preset=FLUX+5x&end_sigma_1=0.2", "lower noise level than the one before"),
        ("preset=FLUX+5x&steps_1=x", "invalid literal"),
        ("preset=FLUX+5x&ratio=nan", "Ratio must lie"),
        ("preset=FLUX+5x&steps_1=" + "9" * 5000, "limit"),
        ("preset=FLUX+5x&width=1", "more than 32 pixels"),
        ("preset=4-step+distilled&shifts=published", "No shifts are published"),
    ],
)
def test_route_refuses_in_one_sentence(asked, sentence):
    given = answer(f"/ralu/schedule?{asked}")
    assert given.status == 400 and sentence in json.loads(given.text)["error"]
