"""What the README and docs/compatibility.md say of presets and samplers is what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ralu_core.plans.presets import PRESETS, Preset, matched_plan
from ralu_pack.nodes.host.families.dials import CONDITIONED, GUIDED, STEPS
from ralu_pack.nodes.host.families.table import FAMILIES, family_named
from ralu_pack.nodes.host.own_steps import REPLACED
from ralu_pack.nodes.host.samplers import REFUSED_SAMPLERS
from ralu_pack.nodes.shared_inputs import quality_input

PAGES = "".join(
    (Path(__file__).parents[2] / page).read_text(encoding="utf-8")
    for page in ("README.md", "docs/compatibility.md")
)
SIDE = 64  # tokens of 1024 pixels


def cells(start: str) -> list[str]:
    (row,) = re.findall(rf"^\| {re.escape(start)}.*$", PAGES, re.MULTILINE)
    return [cell.strip() for cell in row.strip("| ").split("|")]


def test_the_samplers_whose_place_is_taken_are_all_named() -> None:
    told = PAGES[PAGES.index("**Leave the sampler") : PAGES.index("steps of their own instead")]
    quality_names = {"fine", "balanced", "draft"}
    assert set(re.findall(r"\*([a-z0-9_]+)\*", told)) - quality_names == set(REPLACED)


def test_the_refused_samplers_are_all_named() -> None:
    names, _ = cells("samplers `dpm_fast`")
    assert tuple(re.findall(r"`(\w+)`", names)) == REFUSED_SAMPLERS


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_every_family_has_a_line(family) -> None:
    _, presets, *_ = cells(f"{family.label} |")
    assert family.presets.default in presets.split(", ")


@pytest.mark.parametrize("quality", STEPS)
def test_the_dials_steps_and_what_they_save(quality: str) -> None:
    steps = STEPS[quality]
    assert f"*{quality}* {'takes ' if quality == 'fine' else ''}{steps}" in PAGES
    _, told, *saved = cells(f"*{quality}* |")
    assert told == str(steps)
    for times, plain in zip(saved, (20, 28, 50), strict=True):
        assert float(times.rstrip("x")) == pytest.approx(plain / steps, abs=0.05)


@pytest.mark.parametrize("quality", STEPS)
def test_the_page_of_the_core_names_the_dials_plans(quality: str) -> None:
    page = (Path(__file__).parents[2] / "docs" / "core.md").read_text(encoding="utf-8")
    assert f"| *{quality}* | `{GUIDED[quality]}` | `{CONDITIONED[quality]}` |\n" in page


@pytest.mark.parametrize("quality", STEPS)
def test_the_tooltip_tells_the_dials_steps(quality: str) -> None:
    (told,) = re.findall(rf"{quality} \((\d+)[ )]", quality_input().tooltip)
    assert int(told) == STEPS[quality]


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
