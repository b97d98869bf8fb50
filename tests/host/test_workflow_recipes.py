"""Workflows of today's models: what they say is what the pack does and ComfyUI's templates name."""

from __future__ import annotations

import io

import pytest
from PIL import Image
from workflow_bench import calls_of, family_of, shift_at, skip_if_newer, small

from lab.comfy import workflow
from lab.comfy.locate import find_host
from lab.showcase.authoring import recipes
from lab.showcase.authoring.recipes import RECIPES
from lab.templates.flatten import Flat
from lab.templates.package import templates_of
from ralu_pack.nodes.host.few_steps import MOST, SHARE, fewer_plain
from ralu_pack.ralu_core.latents.frame import Frame
from ralu_pack.ralu_core.plans import Plan, named_plan

pytest_plugins = ["workflow_server"]

NEWEST = "0.30.0"


def balanced(name: str, shift: float) -> Plan:
    """What the pack takes for the template's steps."""
    recipe = RECIPES[name]
    if recipe.is_distilled:
        return fewer_plain(shift, recipe.steps, 1.0).whole
    return named_plan(family_of(name).dialled("balanced"), shift)


def test_recipes_know_which_models_are_distilled():
    assert (recipes.MOST, recipes.SHARE) == (MOST, SHARE)


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_knows_what_the_pack_knows(name):
    recipe, family = RECIPES[name], family_of(name)
    frame = Frame.of_picture(recipe.side, recipe.side, family.space)
    shift = shift_at(name, frame)
    assert recipe.shift == pytest.approx(shift, rel=1e-4)
    plan = balanced(name, shift)
    assert [(stage.steps, stage.order) for stage in recipe.planned().stages] == [
        (stage.steps, stage.order) for stage in plan.stages
    ]
    saving = family.cost(family.full).speed_up(
        plan, *frame.fine_grid, recipe.steps, recipe.is_guided
    )
    assert recipe.saving() == pytest.approx(saving, rel=0.01)


@pytest.mark.parametrize("name", RECIPES)
def test_files_and_numbers_are_those_of_comfyuis_own_template(name):
    host = find_host()
    if host.version != NEWEST:
        pytest.skip(f"the recipes are of the templates of ComfyUI {NEWEST}")
    recipe = RECIPES[name]
    (saved,) = [one.read() for one in templates_of(host) if one.name == recipe.template]
    graphs = [saved, *saved.get("definitions", {}).get("subgraphs", [])]
    named = [
        file
        for graph in graphs
        for node in graph["nodes"]
        for file in node.get("properties", {}).get("models") or []
    ]
    assert all(vars(file) in named for file in recipe.files)
    flat = list(Flat(saved).nodes.values())
    samplers = [tuple(node.values[2:4]) for node in flat if node.type == "KSampler"]
    cfgs = [node.values[0] for node in flat if node.type == "CFGGuider"] or [1]
    steps = [part for node in flat if "Scheduler" in node.type for part in node.values]
    told = samplers or [(part, cfg) for part in steps for cfg in cfgs]
    assert (recipe.steps, recipe.cfg) in told
    assert [recipe.clip_type] == [node.values[1] for node in flat if node.type == "CLIPLoader"][:1]


@pytest.mark.parametrize("name", RECIPES)
def test_runs_the_plan_that_its_note_tells(bench, name):
    skip_if_newer(bench, name)
    recipe, prompt = RECIPES[name], small(bench, name)
    run = bench.run(prompt)
    picture = bench.picture(run, workflow.titled(prompt, "Picture"))
    width, height = Image.open(io.BytesIO(picture)).size
    frame = Frame.of_picture(height, width, family_of(name).space)
    plan = balanced(name, shift_at(name, frame))
    references = 256 * len(workflow.nodes_of(prompt, "ReferenceLatent")) // 2  # of each prompt
    assert run.calls == calls_of(name, plan, frame, references)
    (line,) = run.reports
    assert line.startswith(f"RALU {plan.total_steps} steps") and plan.name in line
    assert f" {recipe.steps} plain steps" in line
