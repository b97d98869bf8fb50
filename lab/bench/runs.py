"""One plain or one RALU run in ComfyUI, the way its nodes run it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from lab.comfy import ralu_pack
from lab.models.blueprint import Blueprint, conditioning
from lab.models.full_size import MODELS

SEED = 20


@dataclass(frozen=True)
class Subject:
    """A MODEL with its VAE and the conditioning it is measured with."""

    model: Blueprint
    patcher: Any
    vae: Any
    positive: list
    negative: list

    @classmethod
    def of(cls, model: Blueprint, patcher, vae, text_tokens: int = 0) -> Subject:
        """text_tokens of its prompts; 0 takes the model's own."""
        family = ralu_pack.table.family_named(model.family)
        tokens = text_tokens or model.text_tokens or family.text_tokens
        width = family.text_width(patcher.model.diffusion_model) or model.text
        return cls(
            model, patcher, vae, *(conditioning(model, tokens, width, seed) for seed in (1, 2))
        )

    @property
    def facts(self):
        """What the pack reads off the MODEL."""
        return ralu_pack.inspect.inspect_model(self.patcher)

    def frame(self, width: int, height: int):
        return ralu_pack.frame.Frame.of_picture(height, width, self.facts.space)

    def empty_latent(self, width: int, height: int) -> torch.Tensor:
        """As the host carries it."""
        space = self.facts.space
        sides = (height // space.pixels, width // space.pixels)
        return space.leave(torch.zeros(1, space.channels, *sides))

    def guider(self):
        import comfy.samplers

        guider = comfy.samplers.CFGGuider(self.patcher)
        guider.set_conds(self.positive, self.negative)
        guider.set_cfg(self.model.cfg)
        return guider


@dataclass(frozen=True)
class Setting:
    """What one row of a table runs: `steps` plain steps, or a plan by name, mostly a preset.

    ratio  replaces the preset's share of early regions.
    """

    name: str
    steps: int = 0
    preset: str = ""
    ratio: float | None = None

    def plan(self, subject: Subject, width: int, height: int):
        """The plan solved for the subject's model and such a picture, as the node solves it."""
        frame, facts = subject.frame(width, height), subject.facts
        if self.preset in ralu_pack.plans.PLANS:
            return ralu_pack.plans.named_plan(self.preset, facts.shift_for(frame, None))
        presets = ralu_pack.presets
        chosen = presets.preset(self.preset)
        shift = facts.shift_for(frame, chosen.baseline_steps)
        if self.ratio is not None:
            chosen = replace(chosen, ratio=self.ratio)
        return presets.matched_plan(chosen.at(shift), shift)

    def run(self, subject: Subject, width: int, height: int) -> torch.Tensor:
        """Sample and decode; the picture (1, height, width, 3)."""
        with torch.inference_mode():
            if self.preset:
                latent = ralu(subject, self.plan(subject, width, height), width, height).samples
            else:
                latent = plain(subject, self.steps, width, height)
            return subject.vae.decode(latent)


def settings(model: Blueprint, presets: Sequence[str]) -> list[Setting]:
    """The plain run of a model, then presets for it, then the plans of the dial."""
    plain_run = Setting(f"{model.steps} plain steps", steps=model.steps)
    named = [Setting(f"RALU {name}", preset=name) for name in presets]
    others = [Setting(name, preset=name) for name in dialled_names(model)]
    return [plain_run, *named, *(one for one in others if one.preset not in presets)]


def dialled_names(model: Blueprint) -> list[str]:
    """The plans of fine, balanced and draft for such a model; distilled ones keep their preset."""
    family = ralu_pack.table.family_named(model.family)
    dial = ralu_pack.dials.dial_for(family.cfg)
    return [] if model.is_distilled else list(dial.values())


def preset_names(model: Blueprint) -> list[str]:
    """The preset for such a model, and those published beside it."""
    presets = ralu_pack.presets
    chosen = presets.preset(model.preset)
    made_for = (chosen.family, chosen.model_shift)
    return [p.name for p in presets.PRESETS if (p.family, p.model_shift) == made_for]


def published() -> list[Blueprint]:
    """The first model of each family in the pack's table."""
    first: dict[str, Blueprint] = {}
    for model in MODELS:
        first.setdefault(model.family, model)
    return list(first.values())


def with_steps(plan, steps: Sequence[int]):
    """RALU's plan in other numbers of steps, on the same ends, shifts and noise jump."""
    shifts, z = [stage.shift for stage in plan.stages], plan.crossings[0].z
    return ralu_pack.plans.ralu(steps, plan.ends, shifts, z, plan.ratio, plan.model_shift)


def plain(subject: Subject, steps: int, width: int, height: int) -> torch.Tensor:
    """A KSampler's work: Euler on the model's own noise levels. Returns the latent."""
    import comfy.samplers

    sampling = subject.patcher.get_model_object("model_sampling")
    latent = subject.empty_latent(width, height)
    return subject.guider().sample(
        draw_noise({"samples": latent}),
        latent,
        comfy.samplers.sampler_object("euler"),
        comfy.samplers.calculate_sigmas(sampling, "simple", steps),
        disable_pbar=True,
        seed=SEED,
    )


def ralu(subject: Subject, plan, width: int, height: int):
    """A RALU Sampler's work. Returns its `Sampled`."""
    import comfy.samplers

    run, request = ralu_pack.run, ralu_pack.request
    wires = request.Wires(
        subject.guider(),
        comfy.samplers.sampler_object("euler"),
        {"samples": subject.empty_latent(width, height)},
        subject.vae,
        draw_noise,
        SEED,
    )
    return run.sample(wires, request.Settings(plan))


def draw_noise(latent: dict) -> Any:
    import comfy.sample

    return comfy.sample.prepare_noise(latent["samples"], SEED)
