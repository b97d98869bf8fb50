"""Short ways to sample behind a RALU node, with core's samplers, and by a RALU Sampler."""

from __future__ import annotations

import comfy.samplers
import nodes as core_nodes
import torch
from comfy_extras.nodes_custom_sampler import Noise_RandomNoise, SamplerCustomAdvanced

from driving import guider_for, ralu, schedule_for
from lab.models import tiny
from ralu_pack.nodes.apply import Apply

SIDE = 64  # of the latent: 512 pixels, the least that RALU draws at half size
EULER = comfy.samplers.sampler_object("euler")
FULL = torch.linspace(1, 0, 21)
CFG = {"Flux": 1.0, "SD3": 4.0}


def cfg_of(model) -> float:
    return CFG.get(type(model.model).__name__, 1.0)


def empty(batch: int = 1, side: int = SIDE) -> dict:
    return {"samples": torch.zeros(batch, 16, side, side)}


def picture(seed: int = 9, side: int = SIDE) -> torch.Tensor:
    return torch.randn(1, 16, side, side, generator=torch.Generator().manual_seed(seed))


class PicturePatch:
    """A model patch that fits a picture to the latent, as Fun control's."""

    def __init__(self, channels: int = 3):
        self.image = torch.zeros(1, 64, 64, channels)

    def __call__(self, *args, **kwargs):
        raise AssertionError("A patch that is refused is not called.")


def on(model, **inputs):
    """The MODEL behind a RALU node."""
    return Apply.execute(model=model, **inputs).args[0]


def quickly(model, **inputs):
    """The same with two steps in each stage."""
    return on(model, schedule=schedule_for(model), **inputs)


def custom(
    model, sigmas=FULL, noise=None, latent=None, cfg=None, sampler=EULER, guider=None
) -> tuple:
    """Both outputs of core's SamplerCustomAdvanced."""
    guider = guider or guider_for(model, cfg_of(model) if cfg is None else cfg)
    noise = noise or Noise_RandomNoise(7)
    outputs = SamplerCustomAdvanced.execute(noise, guider, sampler, sigmas, latent or empty())
    return tuple(one["samples"] for one in outputs.args)


def ksampler(model, latent=None, steps=20, **options) -> torch.Tensor:
    """The samples of KSampler, of its Advanced form, or of a detailer, which share this."""
    given = {"denoise": 1.0, "sampler": "euler", "scheduler": "simple", "seed": 7, **options}
    given.setdefault("cfg", cfg_of(model))
    (out,) = core_nodes.common_ksampler(
        model,
        given.pop("seed"),
        steps,
        given.pop("cfg"),
        given.pop("sampler"),
        given.pop("scheduler"),
        given.pop("positive", tiny.conditioning(5)),
        tiny.conditioning(6),
        empty() if latent is None else latent,
        **given,
    )
    return out["samples"]


def sampler_node(model, vae=None, latent=None, **options) -> torch.Tensor:
    """The samples of a RALU Sampler, with the same settings as `quickly`."""
    settings = {"cfg": cfg_of(model), "edge_detector": "auto", **options}
    if "schedule" not in settings:
        settings["schedule"] = schedule_for(model)
    return ralu(model, vae, latent=latent or empty(), **settings)[0]
