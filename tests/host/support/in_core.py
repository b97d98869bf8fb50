"""Runs of second-order plans in the host and in the core, on models of each form of latents."""

from __future__ import annotations

from dataclasses import replace

import comfy.sample
import comfy.samplers
import pytest
import torch
from limits import guider, native

from driving import advanced
from lab.models import tiny
from ralu_pack.nodes.host.families.inspect import inspect_model
from ralu_pack.nodes.host.families.table import family_named
from ralu_pack.nodes.second_order import SecondOrder
from ralu_pack.ralu_core.latents.frame import Frame

SIZE = (128, 192)
# One of each form of the host's latents: as the pack's own, folded, with frames.
FORMS = ("flux1", "sd3", "flux2", "qwen_image")


@pytest.fixture(params=FORMS)
def any_model(request):
    family = family_named(request.param)
    if not family.is_known:
        pytest.skip(f"this ComfyUI has no {family.model_class}")
    return tiny.load_model(tiny.family_weights(family), family)


def steps_of_second_order(**options):
    return SecondOrder.execute(**options).args[0]


def denoiser(model, cfg: float):
    """The host's clean estimate in the core's form: one Euler step of its own down to 0."""
    facts = inspect_model(model)
    space, network = facts.space, model.model

    def denoise(x: torch.Tensor, sigma: float, layout=None) -> torch.Tensor:
        noise = space.leave(x / sigma)
        out = native(guider(model, cfg=cfg), noise, sigmas=torch.tensor([sigma, 0.0]))
        return space.enter(network.process_latent_in(out))

    return denoise


def shift_of(model) -> float:
    facts = inspect_model(model)
    return facts.shift_for(Frame.of_picture(*SIZE, facts.space), None)


def with_stages(plan, **changes):
    """The plan with something changed in each of its stages."""
    return replace(plan, stages=tuple(replace(stage, **changes) for stage in plan.stages))


def white(model, seed: int = 7) -> torch.Tensor:
    """What a KSampler draws, in the form of the core."""
    space = inspect_model(model).space
    picture = torch.zeros(1, space.channels, *(side // space.pixels for side in SIZE))
    return space.enter(comfy.sample.prepare_noise(space.leave(picture), seed))


def assert_near(samples: torch.Tensor, expected: torch.Tensor) -> None:
    scale = max(1.0, float(expected.std()))
    torch.testing.assert_close(samples, expected, atol=2e-4 * scale, rtol=0)


def run(model, sampler, schedule, **changes) -> torch.Tensor:
    sampler = comfy.samplers.sampler_object(sampler) if isinstance(sampler, str) else sampler
    return advanced(model, sampler=sampler, schedule=schedule, **changes).args[0]["samples"]
