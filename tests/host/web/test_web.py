"""What the browser draws from the values that the nodes send; Node.js runs `markup.test.mjs`."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import ralu_pack
from ralu_pack.nodes.host.sampling.watch import StageRecord
from ralu_pack.nodes.host.showing.report import RunReport
from ralu_pack.nodes.host.showing.said import Said
from ralu_pack.nodes.schedule_plot import STAGE_COLOURS
from ralu_pack.nodes.schedule_values import schedule_values
from ralu_pack.ralu_core.cost import CallCost
from ralu_pack.ralu_core.crossings import Renoised
from ralu_pack.ralu_core.latents.frame import Frame
from ralu_pack.ralu_core.latents.grid import FULL, HALF
from ralu_pack.ralu_core.plans import Plan, Stage, named_plan, names
from ralu_pack.ralu_core.plans.text import PlanFacts

WEB = Path(ralu_pack.__file__).parent / "web"
LEVELS = ((1.0, 0.9, 0.8), (0.8, 0.7), (0.7, 0.5, 0.3), (0.3, 0.2), (0.2, 0.1, 0.0))


def up_and_down() -> Plan:
    """Five stages that follow no shift and fit any model."""
    grids = (FULL, HALF, FULL, HALF, FULL)
    stages = [Stage(grid, levels) for grid, levels in zip(grids, LEVELS, strict=True)]
    crossings = [Renoised(levels[-1]) for levels in LEVELS[:-1]]
    return Plan.of("up and down", stages, crossings)


def values_of(plan: Plan) -> dict:
    frame, cost, plain = Frame.of_picture(768, 1024), CallCost(57, 3072, 256), 50
    return schedule_values(PlanFacts(plan, frame, plain, cost.speed_up(plan, 48, 64, plain)))


def run_of(plan: Plan, **stage: object) -> dict:
    records = [
        StageRecord(one.number, one.grid.name, one.grid.words, one.steps, [tokens], one.steps)
        for one, tokens in zip(plan.stages, plan.tokens(48, 64), strict=True)
    ]
    for record in records:
        record.seconds = 0.5 * record.steps
    for name, value in stage.items():
        setattr(records[0], name, value)
    report = RunReport(records, 12.0, CallCost(57, 3072, 256), (24, 32), plan.baseline_steps)
    return report.values()


def sentences() -> list[dict]:
    """All that the pack's code may say by a `Said`, each value as its own name in brackets."""
    found = {}
    for file in (WEB.parent / "nodes").rglob("*.py"):
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and getattr(call.func, "id", None) == Said.__name__:
                key, english = (ast.literal_eval(part) for part in call.args)
                assert key not in found, key
                values = {one.arg: f"[{one.arg}]" for one in call.keywords if one.arg}
                found[key] = Said(key, english, **values).as_data()
    return list(found.values())


def test_the_browser_draws_any_number_of_stages(tmp_path):
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node.js is not installed: put `node` on the path to check the JavaScript")
    plans = [*(named_plan(name, 3.0) for name in names()), up_and_down()]
    assert {len(plan.stages) for plan in plans} >= {1, 2, 3, 5}
    runs = {plan.name: run_of(plan) for plan in plans}
    runs["cold"] = run_of(plans[0], is_cold=True)
    runs["skipping, a batch"] = run_of(plans[0], share=0.5, tokens=[768, 800])
    told = {"plans": {plan.name: values_of(plan) for plan in plans}, "runs": runs}
    told["sentences"] = sentences()
    values = tmp_path / "values.json"
    values.write_text(json.dumps(told, allow_nan=False))
    test = Path(__file__).with_name("markup.test.mjs")
    ran = subprocess.run(
        [node, "--test", "--test-reporter=tap", str(test)],
        capture_output=True,
        text=True,
        env={**os.environ, "RALU_VALUES": str(values)},
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"# pass {7 + 3 * len(plans) + 2 * len(runs)}" in ran.stdout


def test_stages_have_the_colours_of_the_picture():
    css = (WEB / "ralu.css").read_text()
    dark = css[: css.index("--stage1", css.index("--stage1") + 1)]  # a light theme has its own
    colours = dict(re.findall(r"--stage(\d): #(\w+);", dark))
    assert [colours[str(k + 1)] for k in range(len(colours))] == [
        "".join(f"{part:02x}" for part in colour) for colour in STAGE_COLOURS
    ]
    assert f"const COLOURS = {len(colours)};" in (WEB / "markup.js").read_text()
