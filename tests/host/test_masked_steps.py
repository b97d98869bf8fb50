"""Steps of second order under inpaint masks, also such as others change at each level."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import comfy.sample
import comfy.samplers
import pytest
import torch
from applying import custom, ksampler, on
from comfy.k_diffusion.sampling import sample_euler
from comfy.patcher_extension import WrappersMP
from comfy_extras.nodes_custom_sampler import Noise_RandomNoise
from comfy_extras.nodes_differential_diffusion import DifferentialDiffusion

LATENT = torch.randn(1, 16, 32, 32, generator=torch.Generator().manual_seed(3))
QUALITIES = pytest.mark.parametrize("quality", ["fine", "balanced", "draft"])


def bands(*levels: float) -> torch.Tensor:
    """A mask (1, 1, 32, 32) of as many bands."""
    return torch.tensor(levels).repeat_interleave(32 // len(levels)).expand(1, 1, 32, 32)


@QUALITIES
@pytest.mark.parametrize("cfg", [1.0, 4.0])
def test_what_differential_diffusion_never_gives_free_comes_back(sd3, quality, cfg):
    """Its threshold falls with the level, and the last call of these runs is above .05."""
    changed = DifferentialDiffusion.execute(sd3).args[0]
    latent = {"samples": LATENT, "noise_mask": bands(0.0, 0.05, 1.0, 1.0)}
    samples = ksampler(on(changed, quality=quality), latent=latent, cfg=cfg)
    torch.testing.assert_close(samples[..., :16], LATENT[..., :16], rtol=0, atol=1e-5)
    assert (samples - LATENT)[..., 16:].abs().mean() > 0.1


@QUALITIES
def test_the_state_stays_on_the_line_of_what_is_kept(sd3, quality, monkeypatch):
    """Where the mask keeps, it is the latent with the noise of its level, at each step."""
    seen: list[float] = []
    call = comfy.samplers.KSamplerX0Inpaint.__call__

    def watched(self, x, sigma, *args, **more):
        scaling = self.inner_model.inner_model.model_sampling.noise_scaling
        line = scaling(sigma[:, None, None, None], self.noise, self.latent_image)
        seen.append(float((x - line)[..., :16].abs().max()))
        return call(self, x, sigma, *args, **more)

    monkeypatch.setattr(comfy.samplers.KSamplerX0Inpaint, "__call__", watched)
    latent = {"samples": LATENT, "noise_mask": bands(0.0, 0.0, 1.0, 1.0)}
    ksampler(on(sd3, quality=quality), latent=latent, cfg=7.0)
    assert len(seen) >= 6 and max(seen) < 1e-4, seen


@pytest.mark.parametrize("denoise", [1.0, 0.5])
@QUALITIES
def test_what_a_wrapper_makes_of_noise_and_latent_is_sampled(sd3, quality, denoise):
    """As variation seeds of other packs do it, on the MODEL."""
    other = torch.randn(1, 16, 32, 32, generator=torch.Generator().manual_seed(8))

    def varied(executor, noise, latent, *args, **more):
        return executor(noise + other, latent + 1, *args, **more)

    latent = {"samples": LATENT}
    wrapped = sd3.clone()
    wrapped.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, "varied", varied)
    samples = ksampler(on(wrapped, quality=quality), latent=latent, denoise=denoise)
    faster = on(sd3, quality=quality)
    given = comfy.sample.prepare_noise(LATENT, 7) + other
    steps = int(20 / denoise)
    levels = comfy.samplers.calculate_sigmas(
        sd3.get_model_object("model_sampling"), "simple", steps
    )[-21:]
    noise = SimpleNamespace(seed=7, generate_noise=lambda _: given)
    expected = custom(faster, levels, noise, {"samples": LATENT + 1})[0]
    torch.testing.assert_close(samples, expected, rtol=0, atol=1e-4)


def in_halves(model, x, sigmas, extra_args=None, callback=None, disable=None):
    """Euler's steps, each half of the picture in a call of its own, as tiled samplers do."""
    whole = model.latent_image, model.noise, extra_args["denoise_mask"]
    for i, (sigma, following) in enumerate(pairwise(sigmas)):
        parts = []
        for half in (slice(16), slice(16, None)):
            model.latent_image, model.noise = (one[..., half] for one in whole[:2])
            given = {**extra_args, "denoise_mask": whole[2][..., half]}
            parts.append(model(x[..., half], sigma * x.new_ones(len(x)), **given))
            model.latent_image, model.noise = whole[:2]
        denoised = torch.cat(parts, -1)
        if callback is not None:
            callback({"x": x, "i": i, "sigma": sigma, "sigma_hat": sigma, "denoised": denoised})
        x = x + (x - denoised) / sigma * (following - sigma)
    return x


def at_half_size(model, x, sigmas, extra_args=None, callback=None, disable=None):
    """Euler's steps, after one call at half size that gives back what it changed, as others do."""
    latent, noise = model.latent_image, model.noise
    model.latent_image, model.noise = latent[..., ::2, ::2], noise[..., ::2, ::2]
    given = {**extra_args, "denoise_mask": extra_args["denoise_mask"][..., ::2, ::2]}
    model(x[..., ::2, ::2], sigmas[0] * x.new_ones(len(x)), **given)
    del model.latent_image, model.noise
    model.latent_image, model.noise = latent, noise
    return sample_euler(model, x, sigmas, extra_args, callback, disable)


def from_another(model, x, sigmas, **more):
    """Euler's steps that keep another latent than they were given."""
    model.latent_image = model.latent_image + 1
    return sample_euler(model, x, sigmas, **more)


@pytest.mark.parametrize("function", [in_halves, at_half_size, from_another])
def test_what_a_sampler_sets_on_its_model_is_set(sd3, function):
    latent = {"samples": LATENT, "noise_mask": bands(0.0, 0.0, 1.0, 1.0)}
    levels = comfy.samplers.calculate_sigmas(sd3.get_model_object("model_sampling"), "simple", 20)
    given = (levels, Noise_RandomNoise(7), latent, 1.0, comfy.samplers.KSAMPLER(function))
    own, faster = custom(sd3, *given)[0], custom(on(sd3), *given)[0]
    torch.testing.assert_close(faster[..., :16], own[..., :16], rtol=0, atol=1e-4)
