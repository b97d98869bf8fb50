"""What the README says of presets and samplers is what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ralu_core.plans.presets import PRESETS, Preset, matched_plan
from ralu_pack.nodes.host.families.table import FAMILIES, family_named
from ralu_pack.nodes.host.inputs import REFUSED_SAMPLERS

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
SIDE = 64  # tokens of 1024 pixels


def cells(start: str) -> list[str]:
    (row,) = re.findall(rf"^\| {re.escape(start)}.*$", README, re.MULTILINE)
    return [cell.strip() for cell in row.strip("| ").split("|")]


def test_the_refused_samplers_are_all_named() -> None:
    names, _ = cells("samplers `dpm_fast`")
    assert tuple(re.findall(r"`(\w+)`", names)) == REFUSED_SAMPLERS


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_every_family_has_a_line(family) -> None:
    _, presets, *_ = cells(f"{family.label} |")
    assert family.presets.default in presets.split(", ")


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_the_presets_and_what_they_cost(preset: Preset) -> None:
    name, steps, ends, ratio, equal, against, saved = cells(f"{preset.name} |")
    assert name == preset.name
    assert steps == ", ".join(map(str, preset.steps))
    assert tuple(map(float, ends.split(", "))) == preset.end_sigmas
    assert ratio == f"{preset.ratio:.0%}".replace("%", " %")
    assert against == f"{preset.baseline_steps} steps"
    family = family_named(preset.family)
    cost = family.cost(family.full)
    speed_up = cost.speed_up(matched_plan(preset, 3.0), SIDE, SIDE, preset.baseline_steps)
    assert saved == f"{speed_up:.1f}x"
    assert float(equal.split()[0]) == pytest.approx(preset.baseline_steps / speed_up, abs=0.05)
