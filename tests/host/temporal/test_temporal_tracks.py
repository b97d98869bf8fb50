"""RALU Temporal Acceleration where rows of one prompt are not the same rows."""

from __future__ import annotations

import comfy.samplers
import pytest
import torch
from accelerating import METHODS, SIGMAS, Runs, accelerated, noise, sample

from lab.models import tiny

methods = pytest.mark.parametrize("name", ["TaylorSeer", "ToCa", "TeaCache"])
AREA = (8, 16, 8, 0)  # the lower half, in latent pixels


@pytest.fixture
def runs(monkeypatch):
    return Runs(monkeypatch)


def with_area(prompt: list) -> list:
    (vectors, rest), *_ = prompt
    return [[vectors, {**rest, "area": AREA, "strength": 1.0}]]


def both_sides(model, negative: list) -> torch.Tensor:
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(with_area(tiny.conditioning(5)), negative)
    guider.set_cfg(2.0)
    x = noise()
    euler = comfy.samplers.sampler_object("euler")
    return guider.sample(x, torch.zeros_like(x), euler, SIGMAS, disable_pbar=True, seed=0)


@pytest.mark.promise("RALU Temporal Acceleration")
@methods
def test_an_area_prompts_copy_among_the_negative_is_no_part_of_it(model, runs, name):
    """As where the negative prompt for the area is wired in, so that the host copies none."""
    fast, negative = accelerated(model, METHODS[name]), tiny.conditioning(6)
    wired = both_sides(fast, negative + with_area(negative))
    copied = both_sides(fast, negative)
    assert torch.equal(copied, wired)
    assert runs.patterns[0] == runs.patterns[1] and set("sp") & set(runs.patterns[0])


@pytest.mark.promise("RALU Temporal Acceleration")
@methods
@pytest.mark.parametrize("cfg", [1.0, 2.0])
def test_tiles_are_sampled_as_alone(model, name, cfg):
    """A function wrapper that calls the network for the left half and then for the right one."""

    def tiled(apply_model, options):
        x, t = options["input"], options["timestep"]
        return torch.cat([apply_model(half, t, **options["c"]) for half in x.chunk(2, -1)], -1)

    fast = accelerated(model, METHODS[name])
    wrapped = fast.clone()
    wrapped.set_model_unet_function_wrapper(tiled)
    x = noise()
    alone = torch.cat([sample(fast, x=half, cfg=cfg) for half in x.chunk(2, -1)], -1)
    torch.testing.assert_close(sample(wrapped, x=x, cfg=cfg), alone, atol=1e-4, rtol=0)
