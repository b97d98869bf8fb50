"""NOISE of any kind: sampled as the host would, or refused in one sentence before sampling."""

from __future__ import annotations

import comfy.samplers
import pytest
import torch
from comfy_extras.nodes_custom_sampler import Noise_EmptyNoise, Noise_RandomNoise
from limits import native

from driving import guider_for, quick_schedule, schedule_for
from ralu_pack.nodes.sampler_advanced import SamplerAdvanced
from ralu_pack.ralu_core.latents.flow import shift_sigma
from ralu_pack.ralu_core.plans import Plan


class Given:
    """A NOISE of another pack: what it is given, and a seed or none."""

    def __init__(self, noise, **seed):
        self.noise = noise
        self.__dict__.update(seed)

    def generate_noise(self, input_latent):
        return self.noise


def drawn(batch: int = 1, size=(32, 32)) -> torch.Tensor:
    return torch.randn(batch, 16, *size, generator=torch.Generator().manual_seed(1))


def advanced(model, noise, batch=1, **changes):
    wires = {
        "noise": noise,
        "guider": guider_for(model),
        "sampler": comfy.samplers.sampler_object("euler"),
        "latent_image": {"samples": torch.zeros(batch, 16, 32, 32)},
        "denoise": 1.0,
        "schedule": schedule_for(model),
        "edge_detector": "latent_gradient",
    }
    return SamplerAdvanced.execute(**{**wires, **changes}).args[0]["samples"]


def test_a_negative_seed_is_a_seed(flux):
    """As torch counts: -1 is the last of 2^64."""
    made = advanced(flux, Given(drawn(), seed=-1))
    assert torch.equal(made, advanced(flux, Given(drawn(), seed=2**64 - 1)))
    assert not torch.equal(made, advanced(flux, Given(drawn(), seed=0)))


def test_a_seed_of_another_type(flux):
    import numpy as np

    made = advanced(flux, Given(drawn(), seed=np.int64(7)))
    assert torch.equal(made, advanced(flux, Given(drawn(), seed=7)))


@pytest.mark.parametrize("seed", [{}, {"seed": None}, {"seed": "7"}, {"seed": 7.5}], ids=repr)
def test_no_seed(flux, seed):
    with pytest.raises(ValueError, match=r"seed of the NOISE, .* Given has .*: use RandomNoise"):
        advanced(flux, Given(drawn(), **seed))


def test_one_noise_for_all_pictures(flux):
    """The host repeats it."""
    one = advanced(flux, Given(drawn(), seed=7), batch=2)
    assert torch.equal(one, advanced(flux, Given(drawn().repeat(2, 1, 1, 1), seed=7), batch=2))


@pytest.mark.parametrize(
    "noise",
    [
        drawn(3),
        torch.randn(1, 4, 32, 32),
        torch.randn(1, 16, 16, 16),
        torch.randn(16, 32, 32),
        None,
        "noise",
    ],
    ids=["count", "channels", "size", "dimensions", "nothing", "text"],
)
def test_noise_of_another_shape(flux, noise):
    with pytest.raises(ValueError, match=r"shape of the latent, \(2, 16, 32, 32\).*: use Random"):
        advanced(flux, Given(noise, seed=7), batch=2)


@pytest.mark.parametrize("denoise", [1.0, 0.9, 0.7])
@pytest.mark.parametrize(("batch", "size"), [(1, (32, 32)), (2, (32, 32)), (1, (31, 33))])
def test_no_noise_where_stages_are_smaller(flux, capsys, denoise, batch, size):
    """The latent holds the noise, which shrinking would average away."""
    latent = {"samples": drawn(batch, size)}
    with pytest.raises(ValueError, match=r"this NOISE is empty.*: set denoise below 0"):
        advanced(flux, Noise_EmptyNoise(), latent_image=latent, denoise=denoise)
    assert not capsys.readouterr().err  # no bar of a run that never began


def test_the_denoise_that_is_named_runs(flux):
    with pytest.raises(ValueError) as raised:
        advanced(flux, Noise_EmptyNoise(), latent_image={"samples": drawn()})
    named = float(str(raised.value).split("set denoise below ")[1].split(",")[0])
    advanced(flux, Noise_EmptyNoise(), latent_image={"samples": drawn()}, denoise=named - 1e-6)


def test_no_noise_for_one_picture_of_several(flux):
    one_empty = torch.cat([drawn(), torch.zeros_like(drawn())])
    with pytest.raises(ValueError, match="this NOISE is empty"):
        advanced(flux, Given(one_empty, seed=7), batch=2)


def test_no_noise_at_all(flux):
    """At sigma 1 the latent does not count, so that there is none."""
    whole = quick_schedule()
    full = Plan.of("full", [whole.stages[-1]], [], model_shift=whole.model_shift)
    begun = [type(whole.stages[-1])(whole.stages[-1].grid, (1.0, 0.5, 0.0))]
    alone = Plan.of("alone", begun, [], model_shift=full.model_shift)
    with pytest.raises(ValueError, match="this NOISE is empty"):
        advanced(flux, Noise_EmptyNoise(), schedule=alone)


@pytest.mark.parametrize("size", [(32, 32), (31, 33)])
def test_leftover_noise_is_sampled_on_at_full_size(flux, size):
    """A KSampler that stopped at sigma leaves x / (1 - sigma); RALU goes on from x."""
    denoise = 0.3
    sigma = float(shift_sigma(3.158193, denoise))
    x = torch.randn(1, 16, *size, generator=torch.Generator().manual_seed(3))
    left = {"samples": flux.model.process_latent_out(x / (1 - sigma))}
    made = advanced(flux, Noise_EmptyNoise(), latent_image=left, denoise=denoise)
    sigmas = torch.tensor(schedule_for(flux).begun_at(sigma).stages[0].sigmas)
    plain = native(guider_for(flux), torch.zeros_like(x), left["samples"], sigmas=sigmas)
    torch.testing.assert_close(made, plain, atol=1e-4, rtol=1e-4)
    noisy = advanced(flux, Noise_RandomNoise(3), latent_image=left, denoise=denoise)
    assert not torch.allclose(made, noisy, atol=1e-2)
