"""The workflow files at a small size, and what a server did with them."""

from __future__ import annotations

import re

import pytest

from lab.comfy import workflow
from lab.comfy.watched import Bench, Call, Run
from lab.models.by_file import kind_of
from lab.models.stand_in_prompt import with_number, with_stand_ins
from lab.showcase.authoring.newer import NEWER
from lab.showcase.authoring.recipe_workflows import REFERENCES
from lab.showcase.authoring.recipes import RECIPES
from lab.templates.substitute import on_stand_ins
from ralu_pack.nodes.host.families.family import Family
from ralu_pack.nodes.host.families.table import family_named
from ralu_pack.ralu_core.latents.frame import Frame
from ralu_pack.ralu_core.plans import Plan

NAMES = sorted(file.stem for file in workflow.WORKFLOWS.glob("*.json"))
WIDTH, HEIGHT = 256, 192
PAINTED, BOX = "painted.png", (80, 80, 160, 160)  # a picture of 320 x 240, and what is painted
ANNOUNCED = re.compile(r"stage \d: (\d+) steps?, .* (\d+) tokens")
LOGGED = re.compile(r"stage \d: (\d+) steps? x (\d+) tokens")


def family_of(name: str) -> Family:
    """The family of the model that a workflow of a recipe loads."""
    kind = kind_of(RECIPES[name].files[0].name)
    assert kind is not None
    return family_named(kind.family)


def shift_at(name: str, frame: Frame) -> float:
    """Of its published model, sampled in the template's steps."""
    family = family_of(name)
    return family.shift_for(family.full_shift, frame, RECIPES[name].steps)


def skip_if_newer(bench: Bench, name: str) -> None:
    """Skip a workflow with a model, a node or a way to place references that this ComfyUI lacks."""
    if name in RECIPES and not family_of(name).is_known:
        pytest.skip(f"this ComfyUI has no class {family_of(name).model_class}")
    for node in workflow.read_workflow(name)["nodes"]:
        if node["type"] in NEWER and node["type"] not in bench.object_info:
            pytest.skip(f"{node['type']} came with ComfyUI {NEWER[node['type']].version}")
        wanted = REFERENCES in node["widgets_values"]
        if wanted and REFERENCES not in str(bench.object_info[node["type"]]["input"]):
            pytest.skip(f"{node['type']} of this ComfyUI has no {REFERENCES}")


def calls_of(name: str, plan: Plan, frame: Frame, references: int) -> list[Call]:
    """The network's calls in a run of that plan, of one picture and so many reference tokens."""
    guided = 2 if RECIPES[name].is_guided else 1
    return [
        Call(guided if stage.guided else 1, tokens + references)
        for stage, tokens in zip(plan.stages, plan.tokens(*frame.fine_grid), strict=True)
        for _ in range(stage.steps)
    ]


def small(bench: Bench, name: str, number: int = 0) -> workflow.Prompt:
    """The workflow at a small size on its stand-in; each number samples anew."""
    prompt = workflow.to_prompt(workflow.read_workflow(name), bench.object_info)
    if name in RECIPES:
        return with_number(on_stand_ins(prompt), number)
    if name == "flux_dev_inpaint":
        prompt[workflow.nodes_of(prompt, "LoadImage")[0]]["inputs"]["image"] = PAINTED
    return with_stand_ins(workflow.with_size(prompt, WIDTH, HEIGHT), number=number)


def with_latent(prompt: workflow.Prompt, sampler: str = "RALU_Sampler") -> workflow.Prompt:
    """The same prompt, which also saves what the sampler returns, bit for bit."""
    (node,) = workflow.nodes_of(prompt, sampler)
    inputs = {"samples": [node, 0], "filename_prefix": "latent"}
    latent = {"class_type": "SaveLatent", "inputs": inputs, "_meta": {"title": "Latent"}}
    return {**prompt, "latent": latent}


def latent_of(bench: Bench, run: Run) -> bytes:
    assert run.calls, "the result came from the cache"
    return bench.client.view(**run.outputs["latent"]["latents"][0])


def announced(prompt: workflow.Prompt, run: Run) -> list[tuple[int, int]]:
    """Steps and tokens of each stage, as the schedule's report says."""
    (report,) = workflow.nodes_of(prompt, "PreviewAny")
    return stages(ANNOUNCED, run.outputs[report]["text"][0])


def stages(pattern: re.Pattern, text: str) -> list[tuple[int, int]]:
    return [(int(steps), int(tokens)) for steps, tokens in pattern.findall(text)]


def skipping(prompt: workflow.Prompt) -> tuple[int, int]:
    """Interval and warm-up of the acceleration; without one every step is computed."""
    nodes = workflow.nodes_of(prompt, "RALU_TemporalAcceleration")
    inputs = prompt[nodes[0]]["inputs"] if nodes else {"interval": 1, "warm_up": 1}
    return inputs["interval"], inputs["warm_up"]
