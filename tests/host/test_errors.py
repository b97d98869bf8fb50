"""What cannot run stops before sampling with one sentence: the rule, the value, the way out."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from functools import partial

import comfy.k_diffusion.sampling as k_diffusion
import comfy.model_sampling
import comfy.samplers
import pytest
import torch
from comfy_extras.nodes_custom_sampler import Noise_RandomNoise

from driving import guider_for, quick_schedule, ralu
from ralu_pack.nodes.edge_mask_preview import EdgeMaskPreview
from ralu_pack.nodes.sampler_advanced import SamplerAdvanced
from ralu_pack.nodes.schedule import Schedule
from ralu_pack.ralu_core.latents.frame import Frame


def advanced(model, **changes):
    wires = {
        "noise": Noise_RandomNoise(7),
        "guider": guider_for(model),
        "sampler": comfy.samplers.sampler_object("euler"),
        "latent_image": {"samples": torch.zeros(1, 16, 32, 32)},
        "denoise": 1.0,
        "schedule": quick_schedule(),
        "edge_detector": "latent_gradient",
    }
    return SamplerAdvanced.execute(**{**wires, **changes})


def resampled(model, kind: type):
    class Sampling(comfy.model_sampling.ModelSamplingDiscreteFlow, kind):
        pass

    class Discrete(comfy.model_sampling.ModelSamplingDiscrete, kind):
        pass

    patched = model.clone()
    base = Sampling if kind is comfy.model_sampling.CONST else Discrete
    patched.add_object_patch("model_sampling", base(model.model.model_config))
    return patched


def test_unsupported_model(flux, vae):
    class Other(type(flux.model)):
        pass

    flux.model.__class__ = Other
    with pytest.raises(ValueError, match=r"MODEL \(Other\): it supports Flux.1.*; use a KS"):
        ralu(flux, vae)


def test_model_that_is_no_flow(flux, vae):
    with pytest.raises(ValueError, match="samples flow models, and this MODEL is set to V_PRED"):
        ralu(resampled(flux, comfy.model_sampling.V_PREDICTION), vae)


def test_noise_levels_that_fit_no_shift(flux, vae):
    patched = resampled(flux, comfy.model_sampling.CONST)
    patched.object_patches["model_sampling"].percent_to_sigma = lambda percent: 1 - percent**2
    with pytest.raises(ValueError, match="must follow one shift map"):
        ralu(patched, vae)


def test_schedule_of_another_model(flux, vae):
    with pytest.raises(ValueError, match=r"for a model of shift 1, and this MODEL has .* 3.16"):
        ralu(flux, vae, schedule=quick_schedule(model_shift=1.0))


def test_missing_vae(flux):
    with pytest.raises(ValueError, match="edge detector canny looks at the decoded picture"):
        ralu(flux, None)


def test_foreign_vae(flux, vae, monkeypatch):
    monkeypatch.setattr(vae, "latent_channels", 4)
    with pytest.raises(ValueError, match="VAE of 16 latent channels, got one of 4"):
        ralu(flux, vae)


@pytest.mark.parametrize("size", [(32, 512), (256, 24)])
def test_picture_too_small_for_a_coarse_grid(flux, vae, size):
    with pytest.raises(ValueError, match="at least 64 pixels each way"):
        ralu(flux, vae, size=size)


def test_region_mask_of_another_shape(flux, vae):
    with pytest.raises(ValueError, match="must have the shape of the picture, 256x256"):
        ralu(flux, vae, region_mask=torch.ones(1, 256, 512))


def test_region_masks_of_another_count(flux, vae):
    with pytest.raises(ValueError, match=r"per picture \(1\), got 3: .* ImageFromBatch"):
        ralu(flux, vae, region_mask=torch.ones(3, 256, 256))


def test_empty_conditioning(flux, vae):
    guider = guider_for(flux)
    guider.original_conds["positive"] = []
    with pytest.raises(ValueError, match="the positive input is empty"):
        advanced(flux, guider=guider)


def test_samplers_that_do_not_keep_to_noise_levels(flux):
    with pytest.raises(ValueError, match="the sampler dpm_adaptive does not keep to them"):
        advanced(flux, sampler=comfy.samplers.sampler_object("dpm_adaptive"))


def test_latent_of_a_video(flux, vae):
    with pytest.raises(ValueError, match="still pictures, got a latent of 5 dimensions"):
        ralu(flux, vae, latent={"samples": torch.zeros(1, 16, 3, 32, 32)})


def test_latent_of_another_model(flux, vae):
    with pytest.raises(ValueError, match="latents of 16 channels, got 4"):
        ralu(flux, vae, latent={"samples": torch.ones(1, 4, 32, 32)})


@pytest.mark.parametrize("denoise", [0.0, 1.5])
def test_denoise_out_of_range(flux, vae, denoise):
    with pytest.raises(ValueError, match=r"Denoise must lie in \(0, 1\]"):
        ralu(flux, vae, denoise=denoise)


def test_model_that_returns_nothing_finite(flux, vae):
    flux.model.diffusion_model.final_layer.linear.bias.data.fill_(float("nan"))
    with pytest.raises(ValueError, match="values that are not numbers in stage 1"):
        ralu(flux, vae)


@pytest.mark.parametrize(
    ("changes", "phrase"),
    [
        ({"end_sigma_1": 0.4, "end_sigma_2": 0.5}, "set end_sigma_2 below end_sigma_1"),
        ({"preset": "FLUX 6x"}, "FLUX 5x"),
        ({"ratio": 1.0}, "Ratio must lie between 0 and 1"),
        ({"width": 32}, "at least 64 pixels"),
        ({"steps_2": 5000}, "from 1 to 1000"),
    ],
)
def test_schedule_node_refuses(changes, phrase):
    widgets = {"preset": "FLUX 5x", "shifts": "match the model", "width": 1024, "height": 1024}
    with pytest.raises(ValueError, match=phrase):
        Schedule.execute(**{**widgets, **changes})


@pytest.mark.parametrize(
    ("sockets", "phrase"),
    [
        ({}, "got neither"),
        ({"image": torch.zeros(1, 64, 64, 3), "latent": {}}, "got both"),
        ({"latent": {"samples": torch.zeros(1, 16, 8, 8)}}, "its VAE .* none is connected: c"),
        (
            {"image": torch.zeros(1, 64, 64, 3), "edge_detector": "latent_gradient"},
            "reads a latent, and an image is connected",
        ),
    ],
)
def test_edge_mask_preview_refuses(sockets, phrase):
    with pytest.raises(ValueError, match=phrase):
        EdgeMaskPreview.execute(ratio=0.3, **sockets)


def test_sizes_are_checked_in_pixels():
    assert Frame(135, 240).padded == (136, 240)
    assert Frame(135, 240).grid == (34, 60)
    with pytest.raises(ValueError, match="got 32x512"):
        Frame(64, 4)


def test_messages_are_one_sentence(flux):
    with pytest.raises(ValueError) as raised:
        ralu(flux, None)
    message = str(raised.value)
    assert message.endswith(".") and message.count(". ") == 0 and len(message) < 300


class OwnSampling(comfy.samplers.CFGGuider):
    """A guider that samples by itself, past the wrappers of ComfyUI's sampling."""

    def sample(self, noise, latent_image, sampler, sigmas, denoise_mask, callback, *args, **kwargs):
        options = comfy.model_patcher.create_model_options_clone(self.model_options)
        self.conds = {
            name: [dict(one) for one in conds] for name, conds in self.original_conds.items()
        }
        self.model_options = options
        comfy.sampler_helpers.prepare_model_patcher(self.model_patcher, self.conds, options)
        return self.outer_sample(
            noise, latent_image, sampler, sigmas, denoise_mask, callback, seed=kwargs["seed"]
        )


def test_a_guider_that_replaces_the_hosts_sampling(flux, vae):
    guider = OwnSampling(flux)
    guider.original_conds = guider_for(flux).original_conds
    with unsampled(flux), pytest.raises(ValueError, match="GUIDER OwnSampling replaces it: use a"):
        advanced(flux, guider=guider, vae=vae)


class Outer(comfy.samplers.CFGGuider):
    """A guider that leaves the sampling to another one."""

    def sample(self, *args, **kwargs):
        inner = self.inner(self.model_patcher)
        inner.original_conds = self.original_conds
        return inner.sample(*args, **kwargs)


@pytest.mark.parametrize("inner", [OwnSampling, comfy.samplers.CFGGuider])
def test_a_guider_inside_another_that_the_mixed_stage_cannot_join(flux, inner):
    guider = Outer(flux)
    guider.inner = inner
    guider.original_conds = guider_for(flux).original_conds
    with unsampled(flux), pytest.raises(ValueError, match="the GUIDER Outer replaces it: use a"):
        advanced(flux, guider=guider)


def test_a_guider_of_any_kind_where_no_stage_is_mixed(flux):
    """Only the full-size stage is left at that denoise."""
    guider = Outer(flux)
    guider.inner = OwnSampling
    guider.original_conds = guider_for(flux).original_conds
    out = advanced(flux, guider=guider, denoise=0.3).args[0]["samples"]
    assert torch.equal(out, advanced(flux, denoise=0.3).args[0]["samples"])


@contextmanager
def unsampled(model):
    """Fail where the network is called."""

    def call(*_):
        raise AssertionError("The network was called.")

    handle = model.model.diffusion_model.register_forward_pre_hook(call)
    try:
        yield
    finally:
        handle.remove()


def holding(sampler):
    """SAMPLERs that hold another one, in the ways that packs do."""

    def wrapping(model, x, sigmas, wrapped=None, **options):
        return sampler.sampler_function(model, x, sigmas, **options)

    def plain(model, x, sigmas, inner=None, **options):
        return inner.sampler_function(model, x, sigmas, **options)

    class Own(comfy.samplers.Sampler):
        def __init__(self):
            self.inner = sampler
            self.sampler_function = plain

    kinds = {
        "option": comfy.samplers.KSAMPLER(plain, {"inner": sampler}),
        "options": comfy.samplers.KSAMPLER(plain, {"inner": {"each": [sampler]}}),
        "function": comfy.samplers.KSAMPLER(plain, {"inner": sampler.sampler_function}),
        "closure": comfy.samplers.KSAMPLER(wrapping),
        "partial": comfy.samplers.KSAMPLER(partial(plain, inner=sampler)),
        "attribute": Own(),
        "twice": comfy.samplers.KSAMPLER(
            plain, {"inner": comfy.samplers.KSAMPLER(plain, {"x": sampler})}
        ),
    }
    return kinds


WAYS = tuple(holding(comfy.samplers.sampler_object("euler")))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("refused", ["dpm_fast", "dpm_adaptive", "sa_solver", "ddpm"])
def test_a_refused_sampler_inside_another(flux, way, refused):
    sampler = holding(comfy.samplers.sampler_object(refused))[way]
    with unsampled(flux), pytest.raises(ValueError, match=f"the sampler {refused} does not keep"):
        advanced(flux, sampler=sampler)


def test_a_refused_sampler_by_its_name(flux):
    sampler = comfy.samplers.KSAMPLER(k_diffusion.sample_euler, {"sampler_name": "dpm_fast"})
    with pytest.raises(ValueError, match="the sampler dpm_fast does not keep"):
        advanced(flux, sampler=sampler)


@pytest.mark.parametrize("way", ["option", "closure"])
def test_a_sampler_inside_another(flux, way, caplog):
    """The steps of one stage at a time are all that it sees, and the log says so."""
    sampler = holding(comfy.samplers.sampler_object("euler"))[way]
    with caplog.at_level(logging.INFO):
        out = advanced(flux, sampler=sampler).args[0]["samples"]
    assert torch.equal(out, advanced(flux).args[0]["samples"])
    assert ("holds another, and RALU gives it the steps of one stage" in caplog.text) == (
        way == "option"
    )


def counting(model, x, sigmas, steps=20, extra_args=None, **options):
    """A sampler of a pack that holds its own number of steps."""
    for k in range(steps):
        x = x + sigmas[k + 1] - sigmas[k]
    return x


def test_a_sampler_that_counts_on_its_own_steps(flux):
    phrase = r"each stage its own steps, here 2, and the SAMPLER counting .*index 3.*: set its own"
    with pytest.raises(ValueError, match=phrase) as raised:
        advanced(flux, sampler=comfy.samplers.KSAMPLER(counting))
    assert isinstance(raised.value.__cause__, IndexError)


def test_an_index_error_of_the_model_is_its_own(flux):
    def fail(*_):
        raise IndexError("of the model")

    handle = flux.model.diffusion_model.register_forward_pre_hook(fail)
    try:
        with pytest.raises(IndexError, match="of the model"):
            advanced(flux)
    finally:
        handle.remove()
