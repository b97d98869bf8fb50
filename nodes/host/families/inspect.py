"""Which family a MODEL is of, and what a run needs to know of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import comfy.model_base
import comfy.model_sampling
import torch
from comfy.model_patcher import create_model_options_clone

from ....ralu_core.cost import CallCost
from ....ralu_core.latents.checks import MAX_SHIFT
from ....ralu_core.latents.frame import Frame
from ....ralu_core.latents.space import Space
from ....ralu_core.plans import Plan
from ....ralu_core.plans.presets import fits, preset
from .family import Family, Size
from .full_size import OWN
from .refused import FULL_SIZE, OLDER, PLACES, STRANGERS, why_refused
from .table import FAMILIES, supported
from .unplaced import SINGLE, Unplaced

USUAL_STEPS = 20
USUAL_CFG = 1, 7


@dataclass(frozen=True)
class ModelFacts:
    """What is read off a MODEL, or known of a family's published one.

    shift      the paper's h_ori of the model as it is patched now.
    own_shift  the same without the node in front of the MODEL that set it; None where none did.
    takes_many whether its user's own steps are too many for a distilled model.
    """

    family: Family
    shift: float
    size: Size
    own_shift: float | None = None
    takes_many: bool = False

    @classmethod
    def published(cls, family: Family, shift: float) -> ModelFacts:
        """Of the full-size model of a family, without a MODEL."""
        return cls(family, shift, family.full)

    @property
    def space(self) -> Space:
        return self.family.space

    @property
    def is_sized(self) -> bool:
        """Whether the shift depends on the picture."""
        return self.family.sized and self.own_shift is None

    def shift_for(self, frame: Frame, baseline: int | None) -> float:
        """The shift of a plain run of such a picture, which a plan of that baseline stands for; at
        most MAX_SHIFT, which is the greatest that plans take."""
        return min(self.unbounded_shift(frame, baseline), MAX_SHIFT)

    def check_plan(self, plan: Plan, frame: Frame) -> None:
        """ValueError for a plan of several sizes where the MODEL runs at full size alone, or has a
        shift above all that such plans were made for."""
        if plan.is_full:
            return
        if self.family.why_full is not None:
            raise ValueError(
                f"RALU runs this MODEL ({self.family.short}) at full size alone, and {plan.name} "
                f"changes size: {self.family.why_full}; choose fine, balanced or draft, or use a "
                "KSampler."
            )
        shift = self.unbounded_shift(frame, plan.shift_steps or plan.baseline_steps)
        if shift > MAX_SHIFT:
            size = f" for {frame.size}" if self.is_sized else ""
            raise ValueError(
                f"Plans of several sizes go up to a shift of {MAX_SHIFT:g}, and this MODEL has "
                f"{shift:.0f}{size}: choose fine, balanced or draft, or set a smaller width and "
                "height in a ModelSamplingFlux in front."
            )

    def unbounded_shift(self, frame: Frame, baseline: int | None) -> float:
        """The same, however great."""
        if not self.is_sized:
            return self.shift
        usual = self.family.plain_steps or USUAL_STEPS
        steps = usual if baseline is None else self.plain_steps(baseline)
        return self.family.shift_for(self.shift, frame, steps)

    def plain_steps(self, baseline: int) -> int:
        """Steps to compare with: `baseline` of a preset, or fewer where people take fewer."""
        return min(baseline, self.family.plain_steps or baseline)

    @property
    def cost(self) -> CallCost:
        return self.family.cost(self.size)

    @property
    def preset_name(self) -> str:
        """The preset for this model where no schedule is connected."""
        return self.family.preset(self._told_by)

    def dialled_name(self, quality: str) -> str:
        """The plan that one of `dials.DIALLED` means for this model, if it is not distilled."""
        return self.family.dialled(quality)

    @property
    def distilled_steps(self) -> int | None:
        """Steps that the model is made for, where its shift tells that they are few."""
        name = self.family.few_steps_preset(self._told_by)
        return None if name is None else preset(name).baseline_steps

    @property
    def _told_by(self) -> float:
        """The shift that tells a distilled model: a node's may tell that it is none, no more."""
        return math.inf if self.takes_many else max(self.shift, self.own_shift or 0.0)


def inspect_model(patcher: Any) -> ModelFacts:
    """Read the facts off a MODEL, or ValueError where RALU cannot run it."""
    network = network_of(patcher)
    sampling = patcher.get_model_object("model_sampling")
    is_flow = isinstance(sampling, comfy.model_sampling.CONST)
    family = _family(patcher.model, network, is_flow)
    if not is_flow:
        kind = type(sampling).__bases__[-1].__name__
        raise ValueError(
            f"RALU samples flow models, and this MODEL is set to {kind} prediction: "
            "remove the ModelSampling node in front of it."
        )
    if getattr(sampling, "noise_scale", 1.0) != 1.0:
        raise ValueError(
            f"RALU needs a model with noise scale 1, got {sampling.noise_scale:g}: "
            "remove the node that changes it."
        )
    shift, own_shift = family.shift(sampling), None
    if "model_sampling" in patcher.object_patches:
        model = patcher.model
        own = comfy.model_base.model_sampling(model.model_config, model.model_type)
        is_own = isinstance(own, comfy.model_sampling.CONST)  # else the node made it a flow
        own_shift = family.shift(own) if is_own else shift
    return ModelFacts(family, shift, family.size(network), own_shift)


def check_shift_fits(plan_shift: float | None, model_shift: float, sized: bool) -> None:
    """A schedule solved for one shift puts another model off its trajectory: refuse the pair.

    sized  whether the MODEL's shift depends on the picture.
    """
    if plan_shift is not None and not fits(plan_shift, model_shift):
        size = ", and its width and height to the picture's" if sized else ""
        raise ValueError(
            f"The schedule was made for a model of shift {plan_shift:.3g}, and this MODEL has "
            f"shift {model_shift:.3g}: connect the same MODEL to RALU NT-Matching Schedule and set "
            f"its shifts to match the model{size}."
        )


def network_of(patcher: Any) -> Any:
    """The diffusion model of a MODEL as it is patched now, compiled or not."""
    return unwrapped(patcher.get_model_object("diffusion_model"))


def copy_of(patcher: Any) -> Any:
    """A copy of a MODEL that holds the same patches. Older hosts copy a patch with all that it is
    made of, so that two patches which share something no longer do."""
    clone = patcher.clone()
    clone.model_options = create_model_options_clone(patcher.model_options)
    return clone


def unwrapped(network: Any) -> Any:
    """The network inside of one that torch.compile wrapped."""
    return getattr(network, "_orig_mod", network)


def has_foreign_blocks(network: Any) -> bool:
    """Whether another pack put blocks of its own class among a network's."""
    lists = (part for part in network.children() if isinstance(part, torch.nn.ModuleList))
    blocks = (unwrapped(one) for part in lists for one in part)
    return any(not type(one).__module__.startswith("comfy.") for one in blocks)


def _family(model: Any, network: Any, is_flow: bool) -> Family:
    for family in FAMILIES:
        if family.matches(model, network):
            return family
    why = why_refused(model)
    latents = getattr(model, "latent_format", None)
    if why is None and is_flow and getattr(latents, "latent_dimensions", 1) > 1:
        name = _stranger(model, network) or type(model).__name__
        why_full = STRANGERS.get(name) or FULL_SIZE.get(name) or _why_unplaced(model, network)
        patch, shown = _patch_of(model, network), _shown(model, network)
        return OWN.get(name, Unplaced)(shown, why_full, latents, patch, _cfg_of(model))
    why = why or f"it supports {supported()}, and other flow models at full size"
    raise ValueError(
        f"RALU cannot run this MODEL ({_shown(model, network)}): {why}; use a KSampler for it."
    )


def _why_unplaced(model: Any, network: Any) -> str:
    """A family's network without its hooks is of a host that had them later."""
    classes = {family.model_class for family in FAMILIES}
    is_hosts = type(network).__module__.startswith("comfy.")
    return OLDER if is_hosts and type(model).__name__ in classes else PLACES


def _stranger(model: Any, network: Any) -> str | None:
    """Name of a model that the host runs by some family's class."""
    strangers = (family.stranger(model, network) for family in FAMILIES)
    return next(filter(None, strangers), None)


def _cfg_of(model: Any) -> tuple[float, float]:
    """From where to where people set it, by the family whose class the model is of."""
    of_class = {family.model_class: family.cfg for family in reversed(FAMILIES)}
    kinds = (kind.__name__ for kind in type(model).__mro__)
    return next((of_class[kind] for kind in kinds if kind in of_class), USUAL_CFG)


def _patch_of(model: Any, network: Any) -> int:
    """Latent pixels along one token of a network of no family; 1 where it does not tell."""
    told = 1 if type(model).__name__ in SINGLE else getattr(network, "patch_size", 1)
    side = told[-1] if isinstance(told, Sequence) and told else told
    return side if isinstance(side, int) and side > 0 else 1


def _shown(model: Any, network: Any) -> str:
    """What a MODEL of no family is, and what stands in it in the place of the host's network."""
    name, known = type(model).__name__, _stranger(model, network)
    if known is not None:
        return f"{known}, which ComfyUI runs by its class {name}"
    if not type(network).__module__.startswith("comfy."):
        return f"{name}, whose network a {type(network).__name__} of another pack replaces"
    return name
