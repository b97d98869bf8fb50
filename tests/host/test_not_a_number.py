"""What is no number is told by its name, before anything is sampled where it can be known."""

from __future__ import annotations

import comfy.k_diffusion.sampling as k_diffusion
import comfy.samplers
import pytest
import torch
from comfy_extras.nodes_custom_sampler import Noise_RandomNoise
from controls import applied, hint

from driving import guider_for, quick_schedule
from lab.models import tiny
from lab.models.controlnets import controlnet
from lab.models.guiders import dual
from ralu_pack.nodes.edge_mask_preview import EdgeMaskPreview
from ralu_pack.nodes.sampler_advanced import SamplerAdvanced

NAN = float("nan")


def latent(**values) -> dict:
    samples = torch.randn(1, 16, 32, 32, generator=torch.Generator().manual_seed(1))
    return {"samples": samples, **values}


def advanced(model, vae=None, **changes):
    wires = {
        "noise": Noise_RandomNoise(7),
        "guider": guider_for(model),
        "sampler": comfy.samplers.sampler_object("euler"),
        "latent_image": latent(),
        "denoise": 0.9,
        "vae": vae,
        "schedule": quick_schedule(),
        "edge_detector": "latent_gradient" if vae is None else "canny",
    }
    return SamplerAdvanced.execute(**{**wires, **changes}).args[0]["samples"]


def prompted(model, positive=None, negative=None):
    made = comfy.samplers.CFGGuider(model)
    made.set_conds(positive or tiny.conditioning(5), negative or tiny.conditioning(6))
    made.set_cfg(2.0)  # at 1 no call reads the negative
    return made


def spoiled(conditioning: list, what: str = "text") -> list:
    [[text, options]] = conditioning
    text, options = text.clone(), dict(options)
    (text if what == "text" else options[what])[0, 0] = NAN
    return [[text, options]]


class BrokenNoise(Noise_RandomNoise):
    def generate_noise(self, input_latent):
        return super().generate_noise(input_latent) * NAN


def guided(model, cfg):
    made = guider_for(model)
    made.cfg = cfg
    return made


def holding(model, **values):
    return prompted(model, tiny.with_values(tiny.conditioning(5), **values))


BEFORE = {
    "latent": (
        lambda m, v: {"latent_image": {"samples": torch.full((1, 16, 32, 32), NAN)}},
        "LATENT holds values that are not numbers: .*--fp32-vae",
    ),
    "infinite latent": (
        lambda m, v: {"latent_image": {"samples": torch.full((1, 16, 32, 32), float("inf"))}},
        "LATENT holds values that are not numbers: .*--fp32-vae",
    ),
    "prompt": (
        lambda m, v: {"guider": prompted(m, spoiled(tiny.conditioning(5)))},
        "cross_attn of the positive input .*--fp32-text-enc",
    ),
    "pooled": (
        lambda m, v: {"guider": prompted(m, None, spoiled(tiny.conditioning(6), "pooled_output"))},
        "pooled_output of the negative input .*--fp32-text-enc",
    ),
    "reference": (
        lambda m, v: {"guider": holding(m, reference_latents=[torch.full((1, 16, 8, 8), NAN)])},
        "reference_latents of the positive input .*--fp32-vae",
    ),
    "guidance": (
        lambda m, v: {"guider": holding(m, guidance=NAN)},
        "guidance of the positive input must be a number",
    ),
    "ControlNet": (
        lambda m, v: {
            "guider": prompted(
                m, *applied(controlnet(m, "flux instantx"), v, image=hint(size=(256, 256)) * NAN)
            )
        },
        "hint of the ControlNet at the positive input .*numbers",
    ),
    "strength of a ControlNet": (
        lambda m, v: {
            "guider": prompted(
                m, *applied(controlnet(m, "flux instantx"), v, NAN, image=hint(size=(256, 256)))
            )
        },
        "strength of the ControlNet at the positive input must be a number, got nan",
    ),
    "noise": (lambda m, v: {"noise": BrokenNoise(7)}, "NOISE holds values that are not numbers"),
    "inpaint mask": (
        lambda m, v: {"latent_image": latent(noise_mask=torch.full((1, 1, 256, 256), NAN))},
        "inpaint mask holds values that are not numbers",
    ),
    "region mask": (
        lambda m, v: {"region_mask": torch.full((1, 256, 256), NAN)},
        "region_mask holds values that are not numbers",
    ),
    "cfg": (lambda m, v: {"guider": guided(m, NAN)}, "cfg of the GUIDER CFGGuider must be"),
    "endless cfg": (
        lambda m, v: {"guider": guided(m, float("inf"))},
        "cfg of the GUIDER CFGGuider must be a number, got inf",
    ),
    "second cfg": (
        lambda m, v: {"guider": dual(m, cfg=(3.0, NAN))},
        "cfg2 of the GUIDER Guider_DualCFG must be",
    ),
    "edge_threshold": (lambda m, v: {"edge_threshold": NAN}, "edge_threshold must be a number"),
    "edge_threshold below": (lambda m, v: {"edge_threshold": -1.0}, "threshold must lie in"),
}


@pytest.mark.parametrize(("make", "phrase"), BEFORE.values(), ids=BEFORE)
def test_the_culprit_is_named_before_sampling(flux, vae, make, phrase):
    def call(*_):
        raise AssertionError("The network was called.")

    changes = make(flux, vae)
    handle = flux.model.diffusion_model.register_forward_pre_hook(call)
    try:
        with pytest.raises(ValueError, match=phrase) as raised:
            advanced(flux, vae, **changes)
    finally:
        handle.remove()
    message = str(raised.value)
    assert message.endswith(".") and message.count(". ") == 0 and "MODEL" not in message


@pytest.mark.parametrize("at", ["the end", "a step"])
def test_a_sampler_that_makes_no_numbers(flux, at):
    """Its model calls were right, so neither the MODEL nor its weights are to blame."""

    def spoiling(model, x, sigmas, extra_args=None, callback=None, **options):
        if at == "a step":
            x = x.clone()
            model(x, sigmas[:1], **extra_args)
            x[0, 0, 0, 0] = NAN
        out = k_diffusion.sample_euler(model, x, sigmas, extra_args, callback, **options)
        return out * NAN

    with pytest.raises(
        ValueError,
        match="The SAMPLER spoiling returned values that are not numbers in stage 1, though",
    ):
        advanced(flux, sampler=comfy.samplers.KSAMPLER(spoiling), denoise=1.0)


def test_attention_that_leaves_tokens_out_is_none_of_it(flux):
    """Redux at strength 0 makes minus infinities."""
    tokens = tiny.TEXT_TOKENS + 256
    bias = torch.zeros(1, tokens, tokens)
    bias[:, tiny.TEXT_TOKENS :, 3:6] = -torch.inf
    redux = {"attention_mask": bias, "attention_mask_img_shape": (16, 16)}
    assert torch.isfinite(advanced(flux, guider=holding(flux, **redux))).all()


@pytest.mark.parametrize("socket", ["image", "latent"])
def test_edge_mask_preview(vae, socket):
    given = {
        "image": {"image": torch.full((1, 64, 64, 3), NAN)},
        "latent": {"latent": {"samples": torch.full((1, 16, 8, 8), NAN)}, "vae": vae},
    }[socket]
    with pytest.raises(ValueError, match=f"(?i)the {socket} holds values that are not numbers"):
        EdgeMaskPreview.execute(ratio=0.3, **given)
