"""The workflow files at a small size, and what a server did with them."""

from __future__ import annotations

import re

import pytest

from lab.comfy import workflow
from lab.comfy.watched import Bench, Run
from lab.models.stand_in_prompt import with_stand_ins
from lab.showcase.authoring.newer import NEWER

NAMES = sorted(file.stem for file in workflow.WORKFLOWS.glob("*.json"))
WIDTH, HEIGHT = 256, 192
PAINTED, BOX = "painted.png", (80, 80, 160, 160)  # a picture of 320 x 240, and what is painted
ANNOUNCED = re.compile(r"stage \d: (\d+) steps?, .* (\d+) tokens")
LOGGED = re.compile(r"stage \d: (\d+) steps? x (\d+) tokens")


def skip_if_newer(bench: Bench, name: str) -> None:
    """Skip a workflow with a node that this ComfyUI has not yet."""
    for node in workflow.read_workflow(name)["nodes"]:
        if node["type"] in NEWER and node["type"] not in bench.object_info:
            pytest.skip(f"{node['type']} came with ComfyUI {NEWER[node['type']].version}")


def small(bench: Bench, name: str, number: int = 0) -> workflow.Prompt:
    """The workflow at a small size on its stand-in; each number samples anew."""
    prompt = workflow.to_prompt(workflow.read_workflow(name), bench.object_info)
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
