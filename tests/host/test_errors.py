"""What cannot run stops before sampling with one sentence: the rule, the value, the way out."""

from __future__ import annotations

import comfy.model_sampling
import comfy.samplers
import pytest
import torch

from driving import advanced, guider_for, quick_schedule, ralu
from ralu_pack.nodes.edge_mask_preview import EdgeMaskPreview
from ralu_pack.nodes.schedule import Schedule
from ralu_pack.ralu_core.latents.frame import Frame


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
    told = (
        r"this MODEL \(Other\) at full size alone, and .*: RALU does not know where .*, or use a KS"
    )
    with pytest.raises(ValueError, match=told):
        ralu(flux, vae)


def test_model_that_is_no_flow(flux, vae):
    with pytest.raises(ValueError, match="samples flow models, and this MODEL is set to V_PRED"):
        ralu(resampled(flux, comfy.model_sampling.V_PREDICTION), vae)


def test_noise_levels_that_fit_no_shift(flux, vae):
    patched = resampled(flux, comfy.model_sampling.CONST)
    patched.object_patches["model_sampling"].percent_to_sigma = lambda percent: 1 - percent**2
    with pytest.raises(ValueError, match="needs noise levels of one shift"):
        ralu(patched, vae)


def test_schedule_of_another_model(flux, vae):
    with pytest.raises(ValueError, match=r"for a model of shift 1, and this MODEL has .* 3.16"):
        ralu(flux, vae, schedule=quick_schedule(model_shift=1.0))


def test_missing_vae(flux):
    with pytest.raises(ValueError, match="edge detector canny looks at the decoded picture"):
        ralu(flux, None, edge_detector="canny")


def test_foreign_vae(flux, vae, monkeypatch):
    monkeypatch.setattr(vae, "latent_channels", 4)
    with pytest.raises(ValueError, match="VAE of 16 latent channels, got one of 4"):
        ralu(flux, vae)


@pytest.mark.parametrize("size", [(32, 512), (256, 24)])
def test_picture_too_small_for_a_coarse_grid(flux, vae, size):
    with pytest.raises(ValueError, match="more than 32 pixels each way"):
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
        ({"width": 32}, "more than 32 pixels"),
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
        ralu(flux, None, edge_detector="canny")
    message = str(raised.value)
    assert message.endswith(".") and message.count(". ") == 0 and len(message) < 300
