"""What each template's card says: the model, how it is sampled, and what that saves.

Everything is read from the workflow's own nodes; FLOPs are counted as the schedule node does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from lab.comfy.workflow import read_workflow
from lab.models.stand_ins import STAND_INS, StandIn
from lab.showcase.authoring.recipes import BALANCED, EARLY, RECIPES, SHARE
from lab.showcase.demo import FULL_SIZE
from ralu_core.cost import CallCost
from ralu_core.forecast import is_computed
from ralu_core.plans import named_plan
from ralu_core.plans.presets import PUBLISHED_SHIFT, matched_plan, preset

FINE = FULL_SIZE // 16  # tokens a side
PLAIN_STEPS = 9  # place of that widget of RALU Sampler
UPSCALER = 4  # times as wide as its input is what the upscaling model makes
# How a workflow is used, where its sampler alone does not say it; {} is what the sampler says.
USES = {
    "begin_here_flux_dev": "Begin here: one file",
    "edge_mask_preview": "Which regions grow early",
    "flux_dev_advanced": "{}, advanced sampler",
    "flux_dev_compare": "Plain beside {}",
    "flux_dev_compare_slider": "Plain or RALU: drag the line",
    "flux_dev_controlnet_lora": "{} + ControlNet + LoRA",
    "flux_dev_in_front": "RALU in front of a KSampler",
    "flux_dev_inpaint": "Inpaint with {}",
    "flux_dev_two_pass": "{} in two passes",
    "qwen_image_edit": "Edit with references",
}
# Its region mask adds regions, so nobody knows beforehand what it saves.
UNKNOWN_SAVING = {"flux_dev_inpaint": "What you paint grows early"}
DIALLED = {BALANCED: EARLY}  # of Flux, which the workflow with the node RALU loads
Node = dict[str, Any]


@dataclass(frozen=True)
class Words:
    """Lines of a card, from large to small."""

    model: str
    use: str
    saving: str


@dataclass(frozen=True)
class Sampling:
    """The steps of a workflow.

    title     what makes them fewer.
    computed  for each stage, which of its steps run the network's blocks.
    tokens    for each stage, at FULL_SIZE.
    plain     full-size steps that they are compared with.
    """

    title: str
    computed: list[list[bool]]
    tokens: list[int]
    plain: int

    @property
    def steps(self) -> str:
        """How many, and how many of them are computed where some are skipped."""
        total, run = sum(map(len, self.computed)), sum(map(sum, self.computed))
        return f"{total} steps" if run == total else f"{run} of {total} steps computed"

    def saving(self, cost: CallCost) -> float:
        """How many times fewer FLOPs than the plain steps; a skipped step counts as nothing."""
        stages = zip(self.computed, self.tokens, strict=True)
        return self.plain * cost.flops(FINE**2) / sum(sum(c) * cost.flops(n) for c, n in stages)


def words(name: str) -> Words:
    """What the card of that workflow says."""
    if name in RECIPES:
        return _recipe_words(name)
    nodes = read_workflow(name)["nodes"]
    model, sampling = model_of(nodes), sampling_of(nodes)
    if model is None or sampling is None:
        return Words("Any picture", USES[name], "No model needed")
    fewer = f"{sampling.saving(model.size):.1f}x fewer FLOPs than {sampling.plain} steps"
    use = USES.get(name, "{}").format(sampling.title)
    saving = UNKNOWN_SAVING.get(name) or _sizes(nodes) or fewer
    return Words(model.title, use, saving)


def _recipe_words(name: str) -> Words:
    """Of a model that nothing small stands for."""
    recipe = RECIPES[name]
    how = f"{recipe.planned().total_steps} steps" if recipe.is_distilled else BALANCED
    saving = f"{recipe.saving():.1f}x fewer FLOPs than {recipe.steps} steps"
    return Words(recipe.title, USES.get(name, f"RALU Sampler, {how}"), saving)


def model_of(nodes: list[Node]) -> StandIn | None:
    """What stands in for the model that a workflow loads; it knows title and size."""
    files = [value for node in nodes for value in _values(node) if isinstance(value, str)]
    return next((STAND_INS[file] for file in files if file in STAND_INS), None)


def sampling_of(nodes: list[Node]) -> Sampling | None:
    """How a workflow samples; None where it does not."""
    ralu, plain = _first(nodes, "RALU_Schedule"), _first(nodes, "KSampler")
    skipping = _first(nodes, "RALU_TemporalAcceleration")
    in_front, dialled = _first(nodes, "RALU_Apply"), _first(nodes, "RALU_Sampler")
    if ralu is not None:
        chosen = preset(ralu[0])
        tokens = list(matched_plan(chosen, PUBLISHED_SHIFT).tokens(FINE, FINE))
        title = f"RALU {chosen.name.split()[-1]}"
        steps, baseline = chosen.steps, chosen.baseline_steps
    elif plain is not None and in_front is not None:
        plan = named_plan(DIALLED[in_front[0]])
        title, steps, baseline = in_front[0], plan.steps, plain[2]
        tokens = list(plan.tokens(FINE, FINE))
    elif plain is not None:
        title, tokens, baseline = "", [FINE**2], plain[2]
        steps = (baseline,)
    elif dialled is not None:  # of a distilled model
        baseline = dialled[PLAIN_STEPS]
        steps = (math.ceil(SHARE * baseline),)
        title, tokens = f"RALU, {steps[0]} steps", [FINE**2]
    else:
        return None
    if skipping is None:
        return Sampling(title, [[True] * count for count in steps], tokens, baseline)
    method, interval, _, warm_up = skipping[:4]
    computed = [[is_computed(k, interval, warm_up) for k in range(count)] for count in steps]
    return Sampling(f"{title} + {method}".lstrip(" +"), computed, tokens, baseline)


def _sizes(nodes: list[Node]) -> str:
    """How large both pictures are where an upscaled one is sampled again, else nothing."""
    scale, width = _first(nodes, "ImageScaleBy"), _first(nodes, "PrimitiveInt")
    if scale is None or width is None:
        return ""
    return f"{width[0]}, then {width[0] * UPSCALER * scale[1]:.0f} pixels a side"


def _first(nodes: list[Node], kind: str) -> list[Any] | None:
    """The widgets of the first node of that type."""
    return next((_values(node) for node in nodes if node["type"] == kind), None)


def _values(node: Node) -> list[Any]:
    return node.get("widgets_values") or []
