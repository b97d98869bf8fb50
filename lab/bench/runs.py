"""One plain or one RALU run in ComfyUI, the way its nodes run it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from lab.comfy import ralu_pack
from lab.models.architectures import ARCHITECTURES, Architecture, conditioning

SEED = 20


@dataclass(frozen=True)
class Subject:
    """A MODEL with its VAE and the conditioning it is measured with."""

    architecture: Architecture
    patcher: Any
    vae: Any
    positive: list
    negative: list

    @classmethod
    def of(cls, architecture: Architecture, patcher, vae, text_tokens: int) -> Subject:
        texts = [conditioning(architecture, text_tokens, seed) for seed in (1, 2)]
        return cls(architecture, patcher, vae, *texts)

    def guider(self):
        import comfy.samplers

        guider = comfy.samplers.CFGGuider(self.patcher)
        guider.set_conds(self.positive, self.negative)
        guider.set_cfg(self.architecture.cfg)
        return guider


@dataclass(frozen=True)
class Setting:
    """What one row of a table runs: `steps` plain steps, or a plan by name, mostly a preset.

    ratio  replaces the preset's share of early regions.
    views  of its mixed stages.
    """

    name: str
    steps: int = 0
    preset: str = ""
    ratio: float | None = None
    views: str = "paper"

    def plan(self, subject: Subject):
        """The plan solved for the subject's model, as the node solves it."""
        shift = ralu_pack.inspect.inspect_model(subject.patcher).shift
        if self.preset in ralu_pack.plans.PLANS:
            return ralu_pack.plans.named_plan(self.preset, shift)
        presets = ralu_pack.presets
        chosen = presets.preset(self.preset)
        if self.ratio is not None:
            chosen = replace(chosen, ratio=self.ratio)
        return presets.matched_plan(chosen, shift).seeing(self.views)

    def run(self, subject: Subject, width: int, height: int) -> torch.Tensor:
        """Sample and decode; the picture (1, height, width, 3)."""
        with torch.inference_mode():
            if self.preset:
                latent = ralu(subject, self.plan(subject), width, height).samples
            else:
                latent = plain(subject, self.steps, width, height)
            return subject.vae.decode(latent)


def settings(architecture: Architecture) -> list[Setting]:
    """The plain run of an architecture, then every preset for it, then the plans of the dial."""
    plain_run = Setting(f"{architecture.steps} plain steps", steps=architecture.steps)
    names = preset_names(architecture)
    presets = [Setting(f"RALU {name}", preset=name) for name in names]
    others = [Setting(name, preset=name) for name in dialled_names(architecture)]
    return [plain_run, *presets, *(one for one in others if one.preset not in names)]


def dialled_names(architecture: Architecture) -> list[str]:
    """The plans of fine, balanced and draft for such a model; distilled ones keep their preset."""
    family = ralu_pack.table.family_named(architecture.family)
    dial = ralu_pack.dials.dial_for(family.cfg)
    return [] if architecture.distilled else list(dict.fromkeys(dial.values()))


def preset_names(architecture: Architecture) -> list[str]:
    """The preset that the family names for such a model, and those published beside it.

    A distilled model of a family that names none takes another family's.
    """
    families, presets = ralu_pack.table.FAMILIES, ralu_pack.presets
    named = ralu_pack.table.family_named(architecture.family).presets
    first = named.default
    if architecture.distilled:
        few = [named.few_steps, *(family.presets.few_steps for family in families)]
        first = next(filter(None, few))
    chosen = presets.preset(first)
    made_for = (chosen.family, chosen.model_shift)
    return [p.name for p in presets.PRESETS if (p.family, p.model_shift) == made_for]


def published() -> dict[str, str]:
    """Of each family in the pack's table the model whose size it names, by its key here."""
    found = {}
    for family in ralu_pack.table.FAMILIES:
        size = vars(family.cost(family.full))
        keys = [
            key
            for key, one in ARCHITECTURES.items()
            if one.family == family.name and vars(one.cost) == size
        ]
        found |= {family.name: keys[0]} if keys else {}
    return found


def unpublished() -> list[str]:
    """The families of the pack's table whose networks are not built here at full size."""
    built = published()
    return [one.short for one in ralu_pack.table.FAMILIES if one.name not in built]


def with_steps(plan, steps: Sequence[int]):
    """RALU's plan in other numbers of steps, on the same ends, shifts and noise jump."""
    shifts, z = [stage.shift for stage in plan.stages], plan.crossings[0].z
    return ralu_pack.plans.ralu(steps, plan.ends, shifts, z, plan.ratio, plan.model_shift)


def plain(subject: Subject, steps: int, width: int, height: int) -> torch.Tensor:
    """A KSampler's work: Euler on the model's own noise levels. Returns the latent."""
    import comfy.samplers

    sampling = subject.patcher.get_model_object("model_sampling")
    latent = empty_latent(width, height)
    return subject.guider().sample(
        draw_noise({"samples": latent}),
        latent,
        comfy.samplers.sampler_object("euler"),
        comfy.samplers.calculate_sigmas(sampling, "simple", steps),
        disable_pbar=True,
        seed=SEED,
    )


def ralu(subject: Subject, plan, width: int, height: int, detector: str = "canny"):
    """A RALU Sampler's work. Returns its `Sampled`."""
    import comfy.samplers

    run = ralu_pack.run
    wires = run.Wires(
        subject.guider(),
        comfy.samplers.sampler_object("euler"),
        {"samples": empty_latent(width, height)},
        subject.vae,
        draw_noise,
        SEED,
    )
    return run.sample(wires, run.Settings(plan, detector=detector))


def empty_latent(width: int, height: int) -> torch.Tensor:
    return torch.zeros(1, 16, height // 8, width // 8)


def draw_noise(latent: dict) -> Any:
    import comfy.sample

    return comfy.sample.prepare_noise(latent["samples"], SEED)
