"""Runs of one model on one prompt and seed, by the pack's own code."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import comfy.sample
import comfy.samplers
import node_helpers
import torch

from lab.comfy import ralu_pack
from lab.real.loading import Loaded


@dataclass(frozen=True)
class Case:
    """One prompt and seed at one size in pixels."""

    prompt: str
    seed: int
    size: int


@dataclass(frozen=True)
class Sampling:
    """How a loaded model is sampled.

    cfg       of its guider.
    guidance  as a distilled Flux reads it.
    encoded   prompts, each encoded once.
    """

    loaded: Loaded
    cfg: float
    guidance: float
    encoded: dict[str, list] = field(default_factory=dict)

    @property
    def facts(self) -> Any:
        return ralu_pack.inspect.inspect_model(self.loaded.model)

    def shift(self, size: int) -> float:
        """The MODEL's own for such a picture."""
        frame = ralu_pack.frame.Frame.of_picture(size, size, self.facts.space)
        return self.facts.shift_for(frame, None)

    def latent(self, case: Case) -> dict:
        space, side = self.facts.space, case.size // 8
        channels = self.loaded.model.model.latent_format.latent_channels
        return {"samples": space.leave(torch.zeros(1, channels, side, side))}

    def guider(self, case: Case) -> comfy.samplers.CFGGuider:
        guider = comfy.samplers.CFGGuider(self.loaded.model)
        positive, negative = (self._encoded(text) for text in (case.prompt, ""))
        guider.set_conds(positive, negative)
        guider.set_cfg(self.cfg)
        return guider

    def _encoded(self, text: str) -> list:
        if text not in self.encoded:
            clip = self.loaded.clip
            conds = clip.encode_from_tokens_scheduled(clip.tokenize(text))
            values = {"guidance": self.guidance}
            self.encoded[text] = node_helpers.conditioning_set_values(conds, values)
        return self.encoded[text]

    def plain(self, case: Case, steps: int, order: int) -> torch.Tensor:
        """A KSampler's steps on the MODEL's own schedule: Euler's or of second order."""
        latent = self.latent(case)
        sampling = self.loaded.model.get_model_object("model_sampling")
        euler = comfy.samplers.sampler_object("euler")
        return self.guider(case).sample(
            _noise(latent, case.seed),
            latent["samples"],
            euler if order == 1 else ralu_pack.second_order.second_order(),
            comfy.samplers.calculate_sigmas(sampling, "simple", steps),
            disable_pbar=True,
            seed=case.seed,
        )

    def by_plan(self, case: Case, plan: Any) -> torch.Tensor:
        """What the RALU Sampler node does with a plan."""
        run, request = ralu_pack.run, ralu_pack.request
        wires = request.Wires(
            self.guider(case),
            comfy.samplers.sampler_object("euler"),
            self.latent(case),
            self.loaded.vae,
            lambda latent: _noise(latent, case.seed),
            case.seed,
        )
        return run.sample(wires, request.Settings(plan)).samples


def _noise(latent: dict, seed: int) -> torch.Tensor:
    noise = comfy.sample.prepare_noise(latent["samples"], seed)
    assert isinstance(noise, torch.Tensor)  # nested for latents of videos only
    return noise
