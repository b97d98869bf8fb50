"""What core's batch nodes hand on: numbers of pictures within a seed, and masks of every form."""

from __future__ import annotations

import math

import comfy.samplers
import comfy_extras.nodes_post_processing  # noqa: F401 -- it and nodes_latent need each other
import pytest
import torch
from comfy_extras.nodes_custom_sampler import Noise_EmptyNoise, Noise_RandomNoise
from comfy_extras.nodes_latent import LatentBatch, LatentBatchSeedBehavior
from limits import LATENT, assert_limits, guider
from nodes import LatentFromBatch, RepeatLatentBatch

from driving import guider_for, sample, schedule_for
from ralu_pack.nodes.sampler_advanced import SamplerAdvanced

CLOSE = {"atol": 1e-3, "rtol": 1e-3}  # rows of a batch are computed together


def empty(count: int) -> dict:
    return {"samples": torch.zeros(count, 16, 32, 32)}


def made_by(node, *args) -> dict:
    out = node.execute(*args)
    return (out.args if hasattr(out, "args") else out)[0]


def last_two() -> dict:
    return LatentFromBatch().frombatch(empty(3), 1, 2)[0]


@pytest.fixture
def three(flux, vae) -> torch.Tensor:
    """The pictures 0, 1 and 2 of the seed."""
    return sample(flux, vae, latent=empty(3))


BATCHES = {
    "one of a batch": (lambda: LatentFromBatch().frombatch(empty(3), 2, 1)[0], [2]),
    "the same seed for all": (
        lambda: made_by(
            LatentBatchSeedBehavior, LatentFromBatch().frombatch(empty(3), 1, 2)[0], "fixed"
        ),
        [1, 1],
    ),
    "other seeds for all": (
        lambda: made_by(
            LatentBatchSeedBehavior, LatentFromBatch().frombatch(empty(3), 1, 2)[0], "random"
        ),
        [0, 1],
    ),
    "repeated": (
        lambda: RepeatLatentBatch().repeat(LatentFromBatch().frombatch(empty(3), 1, 1)[0], 2)[0],
        [1, 2],
    ),
    "joined": (lambda: made_by(LatentBatch, empty(1), empty(2)), [0, 0, 1]),
    "in another order": (lambda: {**empty(3), "batch_index": [2, 0, 1]}, [2, 0, 1]),
}


@pytest.mark.promise("Batches")
@pytest.mark.parametrize(("make", "numbers"), BATCHES.values(), ids=BATCHES)
def test_pictures_are_those_of_their_numbers(flux, vae, three, make, numbers):
    samples = sample(flux, vae, latent=make())
    torch.testing.assert_close(samples, three[numbers], **CLOSE)
    assert (three[0] - three[1]).abs().max() > 0.1


def advanced(model, vae, noise, latent: dict) -> torch.Tensor:
    return SamplerAdvanced.execute(
        noise=noise,
        guider=guider_for(model),
        sampler=comfy.samplers.sampler_object("euler"),
        latent_image=latent,
        denoise=1.0,
        vae=vae,
        schedule=schedule_for(model),
    ).args[0]["samples"]


@pytest.mark.promise("Batches")
def test_numbers_reach_the_noise_of_the_advanced_node(flux, vae, three):
    latent = {**empty(2), "batch_index": [2, 1]}
    samples = advanced(flux, vae, Noise_RandomNoise(7), latent)
    torch.testing.assert_close(samples, three[[2, 1]], **CLOSE)


@pytest.mark.promise("Batches")
def test_numbers_of_another_count_are_refused(flux, vae):
    with pytest.raises(ValueError, match=r"each of its 2 pictures, got 1"):
        sample(flux, vae, latent={**empty(2), "batch_index": [0]})


MASKS = {
    "fewer than pictures": (2, 1, 192, 256),
    "more than pictures": (5, 1, 192, 256),
    "without a channel": (3, 192, 256),
    "one plane": (192, 256),
    "smaller than the picture": (3, 1, 96, 128),
    "larger than the picture": (1, 1, 384, 512),
}


@pytest.mark.promise("Inpaint masks")
@pytest.mark.parametrize("shape", MASKS.values(), ids=MASKS)
def test_masks_of_every_form_mean_what_they_mean_in_core(flux, shape):
    plane = torch.linspace(0, 1, math.prod(shape[-2:])).reshape(shape[-2:]).sin()
    count = math.prod(shape[:-2])
    mask = torch.stack([plane.roll(16 * i, -1) for i in range(count)]).reshape(shape)
    latent = torch.randn(3, 16, *LATENT, generator=torch.Generator().manual_seed(2))
    assert_limits(guider(flux), batch=3, latent=latent, mask=mask, atol=1e-4)


@pytest.mark.promise("Inpaint masks")
@pytest.mark.parametrize("shape", MASKS.values(), ids=MASKS)
def test_masks_of_every_form_keep_what_they_cover(flux, vae, shape):
    """Also where the picture is sampled on a larger canvas."""
    latent = torch.randn(3, 16, 22, 31, generator=torch.Generator().manual_seed(2))
    mask = torch.zeros(shape)
    mask[..., shape[-1] // 2 :] = 1
    samples = sample(flux, vae, latent={"samples": latent, "noise_mask": mask})
    torch.testing.assert_close(samples[..., :14], latent[..., :14], atol=1e-4, rtol=0)
    assert (samples - latent)[..., 17:].abs().mean() > 0.1


def test_disabled_noise_is_refused_where_stages_make_their_own(flux, vae):
    """DisableNoise gives zeros, for a latent that holds its noise: it would be averaged away."""
    latent = {"samples": torch.randn(1, 16, 32, 32, generator=torch.Generator().manual_seed(2))}
    with pytest.raises(ValueError, match=r"this NOISE is empty.*: set denoise below 0"):
        advanced(flux, vae, Noise_EmptyNoise(), latent)
    assert torch.isfinite(advanced(flux, vae, Noise_RandomNoise(0), latent)).all()
