"""One plain or one RALU run in ComfyUI, the way its nodes run it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch

from lab.comfy import ralu_pack
from lab.models.architectures import Architecture, conditioning

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
    """What one row of a table runs: `steps` plain steps, or a RALU preset.

    ratio  replaces the preset's share of early regions.
    """

    name: str
    steps: int = 0
    preset: str = ""
    ratio: float | None = None

    def schedule(self, subject: Subject):
        """The stage schedule solved for the subject's model, as the node solves it."""
        presets = ralu_pack.presets
        chosen = presets.preset(self.preset)
        if self.ratio is not None:
            chosen = replace(chosen, ratio=self.ratio)
        facts = ralu_pack.gate.inspect_model(subject.patcher)
        return presets.matched_plan(chosen, facts.shift)

    def run(self, subject: Subject, width: int, height: int) -> torch.Tensor:
        """Sample and decode; the picture (1, height, width, 3)."""
        with torch.inference_mode():
            if self.preset:
                latent = ralu(subject, self.schedule(subject), width, height).samples
            else:
                latent = plain(subject, self.steps, width, height)
            return subject.vae.decode(latent)


def settings(architecture: Architecture) -> list[Setting]:
    """The plain run of an architecture, then every preset for it."""
    plain_run = Setting(f"{architecture.steps} plain steps", steps=architecture.steps)
    presets = ralu_pack.presets.PRESETS
    names = [preset.name for preset in presets if preset.family == architecture.presets]
    return [plain_run, *(Setting(f"RALU {name}", preset=name) for name in names)]


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


def ralu(subject: Subject, schedule, width: int, height: int, detector: str = "canny"):
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
    return run.sample(wires, run.Settings(schedule, detector=detector))


def empty_latent(width: int, height: int) -> torch.Tensor:
    return torch.zeros(1, 16, height // 8, width // 8)


def draw_noise(latent: dict) -> Any:
    import comfy.sample

    return comfy.sample.prepare_noise(latent["samples"], SEED)
