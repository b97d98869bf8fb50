"""Guiders, extra model calls and other nodes' patches work in every stage as they do in plain."""

from __future__ import annotations

import logging

import comfy.samplers
import comfy_extras.nodes_post_processing  # noqa: F401 -- it and nodes_latent import each other
import pytest
import torch
from applying import FULL, custom, empty, on, quickly
from comfy_extras import nodes_custom_sampler
from comfy_extras.nodes_apg import APG
from comfy_extras.nodes_cfg import CFGNorm, CFGZeroStar
from comfy_extras.nodes_custom_sampler import Noise_RandomNoise
from comfy_extras.nodes_fresca import FreSca
from comfy_extras.nodes_latent import (
    LatentApplyOperationCFG,
    LatentOperationSharpen,
    LatentOperationTonemapReinhard,
)
from comfy_extras.nodes_mahiro import Mahiro
from comfy_extras.nodes_model_advanced import ModelSamplingFlux, ModelSamplingSD3, RescaleCFG
from comfy_extras.nodes_sd3 import SkipLayerGuidanceSD3
from comfy_extras.nodes_slg import SkipLayerGuidanceDiT, SkipLayerGuidanceDiTSimple
from comfy_extras.nodes_tcfg import TCFG
from limits import all_fine, assert_limits, assert_matters, guider, mixed, native, noise

from driving import Calls, advanced, quick_schedule, ralu, schedule_for
from lab.models import tiny
from lab.models.guiders import dual, perp_neg, stepped, without_negative
from ralu_pack.nodes.sampler_advanced import SamplerAdvanced


def made_by(node, *args, **kwargs):
    """The MODEL that a core node returns, in either of the host's forms."""
    out = node(*args, **kwargs)
    return (out.args if hasattr(out, "args") else out)[0]


def dual_model(model, negative=None):
    """The negative prompt on a MODEL of its own; newer hosts have it."""
    make = getattr(nodes_custom_sampler, "Guider_DualModel", None)
    if make is None:
        pytest.skip("this ComfyUI has no DualModelGuider")
    made = make(model, negative or model.clone())
    made.set_conds(tiny.conditioning(1), tiny.conditioning(2))
    made.set_cfg(3.0)
    return made


GUIDERS = {
    "DualCFG": dual,
    "DualModel": dual_model,
    "PerpNeg": perp_neg,
    "Basic": without_negative,
    "per-step": stepped,
}


@pytest.mark.promise("Guiders: Basic, CFG, DualCFG, PerpNeg and per-step CFG")
@pytest.mark.parametrize("make", GUIDERS.values(), ids=GUIDERS)
def test_guider_limits(model, make):
    # PerpNeg projects over the whole picture: limits meet where all regions are alike
    assert_limits(make(model), atol=1e-4)
    if make is not without_negative:
        assert_matters(make(model), guider(model, tiny.conditioning(1), cfg=1.0))


@pytest.mark.promise("Guiders: Basic, CFG, DualCFG, PerpNeg and per-step CFG")
@pytest.mark.parametrize("make", GUIDERS.values(), ids=GUIDERS)
def test_guider_in_a_whole_run(model, vae, make):
    made = make(model)
    conds, options = dict(made.original_conds), made.model_options
    out = SamplerAdvanced.execute(
        noise=Noise_RandomNoise(7),
        guider=made,
        sampler=comfy.samplers.sampler_object("euler"),
        latent_image={"samples": torch.zeros(2, 16, 32, 32)},
        denoise=1.0,
        vae=vae,
        schedule=schedule_for(model),
    )
    assert torch.isfinite(out.args[0]["samples"]).all()
    assert made.original_conds == conds and made.model_options is options


@pytest.mark.promise("Guiders: Basic, CFG, DualCFG, PerpNeg and per-step CFG")
@pytest.mark.parametrize("ralu_on", [on, quickly], ids=["balanced", "three stages"])
def test_of_two_models_the_positive_ones_node_counts(sd3, ralu_on):
    """A RALU node on `model_negative` does nothing, beside one on `model` neither."""
    other = tiny.load_model(tiny.sd3_weights(seed=5))
    calls: list[str] = []
    for name, model in (("positive", sd3), ("negative", other)):
        network = model.model.diffusion_model
        network.register_forward_pre_hook(lambda *_, name=name: calls.append(name))

    def sampled(*models) -> tuple[torch.Tensor, int]:
        calls.clear()
        made = dual_model(*models)
        out, _ = custom(sd3, guider=made, latent=empty(side=64))
        assert calls.count("positive") == calls.count("negative")
        return out, len(calls) // 2

    plain, faster = sampled(sd3, other), sampled(ralu_on(sd3), other)
    beside, both = sampled(sd3, ralu_on(other)), sampled(ralu_on(sd3), ralu_on(other))
    assert plain[1] == beside[1] == len(FULL) - 1 and torch.equal(plain[0], beside[0])
    assert faster[1] == both[1] < plain[1] and torch.equal(faster[0], both[0])
    assert faster[0].isfinite().all()


POST = {
    "RescaleCFG": lambda m: (
        made_by(RescaleCFG().patch, m, 0.7)
        if hasattr(RescaleCFG, "patch")
        else made_by(RescaleCFG.execute, m, 0.7)
    ),
    "APG": lambda m: made_by(APG.execute, m, 0.5, 0.0, 0.3),
    "CFG-Zero*": lambda m: made_by(CFGZeroStar.execute, m),
    "CFGNorm": lambda m: made_by(CFGNorm.execute, m, 0.9),
    "Mahiro": lambda m: (
        made_by(Mahiro.execute, m) if hasattr(Mahiro, "execute") else made_by(Mahiro().patch, m)
    ),
    "TCFG": lambda m: made_by(TCFG.execute, m),
}


@pytest.mark.promise("CFG patches of other nodes (RescaleCFG, APG, CFG-Zero*, Mahiro, TCFG)")
@pytest.mark.parametrize("patch", POST.values(), ids=POST)
def test_cfg_patch_limits(model, patch):
    patched = guider(patch(model))
    assert_limits(patched, atol=5e-3)  # what TCFG's decomposition of 24576 numbers loses
    assert_matters(patched, guider(model))


def filtered(operation, *numbers):
    def patch(model):
        made = made_by(operation.execute, *numbers)
        return made_by(LatentApplyOperationCFG.execute, model, made)

    return patch


FILTERS = {
    "Sharpen": filtered(LatentOperationSharpen, 9, 1.0, 0.5),
    "Tonemap": filtered(LatentOperationTonemapReinhard, 0.5),
    "FreSca": lambda m: made_by(FreSca.execute, m, 0.8, 1.5, 5),
}


@pytest.mark.promise("Latent filters at every step (LatentApplyOperationCFG, FreSca)")
@pytest.mark.parametrize("cfg", [1.0, 4.0])
@pytest.mark.parametrize("patch", FILTERS.values(), ids=FILTERS)
def test_latent_filter_limits(model, patch, cfg):
    """They look at neighbours, and see coarse regions at their own size."""
    patched = guider(patch(model), cfg=cfg)
    assert_limits(patched, atol=1e-3)
    if cfg > 1:
        assert_matters(patched, guider(model, cfg=cfg))


@pytest.mark.promise("Latent filters at every step (LatentApplyOperationCFG, FreSca)")
def test_filters_of_other_packs_are_named(flux, vae, caplog):
    def blur(args):
        return torch.nn.functional.avg_pool2d(args["denoised"], 3, 1, 1)

    patched = flux.clone()
    patched.set_model_sampler_post_cfg_function(blur)
    with caplog.at_level(logging.INFO):
        ralu(POST["APG"](flux), vae, cfg=2.0)
        assert "neighbours" not in caplog.text
        ralu(patched, vae, cfg=2.0)
    assert "blur, which another node put on the MODEL, looks at a pixel's neigh" in caplog.text


def test_cfg_patch_that_measures_the_picture(model):
    """APG's threshold is a norm over all pixels, so it means less in a larger picture: in plain
    sampling too. All fine is still plain sampling."""
    patched = guider(made_by(APG.execute, model, 1.0, 5.0, 0.3))
    assert torch.equal(mixed(patched, noise(), all_fine()), native(patched, noise()))


SLG = {
    "DiT": lambda m: made_by(SkipLayerGuidanceDiT.execute, m, 3.0, 0.0, 1.0, "0", "0"),
    "DiT simple": lambda m: made_by(SkipLayerGuidanceDiTSimple.execute, m, 0.0, 1.0, "0", "0"),
    "SD3": lambda m: (
        made_by(SkipLayerGuidanceSD3.execute, m, "0", 3.0, 0.0, 1.0)
        if hasattr(SkipLayerGuidanceSD3, "execute")
        else made_by(SkipLayerGuidanceSD3().skip_guidance_sd3, m, "0", 3.0, 0.0, 1.0)
    ),
}


@pytest.mark.promise("Skip-layer and perturbed-attention guidance")
@pytest.mark.parametrize("patch", SLG.values(), ids=SLG)
def test_skip_layer_guidance_limits(model, patch):
    """Extra calls of one prompt alone: fewer rows than the other calls of the step."""
    skipping = guider(patch(model))
    assert_limits(skipping)
    if patch is not SLG["SD3"] or type(model.model).__name__ == "SD3":
        assert_matters(skipping, guider(model))


@pytest.mark.promise("Skip-layer and perturbed-attention guidance")
def test_skip_layer_guidance_by_noise_level(model):
    sampling = model.get_model_object("model_sampling")
    late = next(p / 1000 for p in range(1000) if sampling.percent_to_sigma(p / 1000) < 0.7)
    patched = made_by(SkipLayerGuidanceDiT.execute, model, 3.0, late, 1.0, "0", "0")
    assert_limits(guider(patched))
    assert_matters(guider(patched), guider(model))
    assert_matters(guider(patched), guider(SLG["DiT"](model)))


@pytest.mark.promise("Skip-layer and perturbed-attention guidance")
def test_perturbed_attention_limits(flux):
    """As the Flux forms of perturbed attention do: a block whose attention is replaced."""

    def perturbed(args, extra):
        out = extra["original_block"](args)
        return {**out, "img": out["img"] + 0.1 * args["img"]}

    def post_cfg(args):
        from comfy.model_patcher import set_model_options_patch_replace

        options = args["model_options"].copy()
        options = set_model_options_patch_replace(options, perturbed, "dit", "double_block", 0)
        (weak,) = comfy.samplers.calc_cond_batch(
            args["model"], [args["cond"]], args["input"], args["sigma"], options
        )
        return args["denoised"] + 2.0 * (args["cond_denoised"] - weak)

    patched = flux.clone()
    patched.set_model_sampler_post_cfg_function(post_cfg)
    assert_limits(guider(patched))
    assert_matters(guider(patched), guider(flux))


@pytest.mark.promise("ModelSampling nodes (Flux, SD3)")
def test_sampling_nodes(flux, sd3, vae):
    shifted = made_by(ModelSamplingFlux().patch, flux, 0.9, 0.4, 768, 512)
    assert_limits(guider(shifted))
    steeper = made_by(ModelSamplingSD3().patch, sd3, 5.0)
    assert_limits(guider(steeper))
    on_flux = made_by(ModelSamplingSD3().patch, flux, 3.0)  # tells the model 1000 sigma
    assert_limits(guider(on_flux))
    assert_matters(guider(on_flux), guider(flux))
    with pytest.raises(ValueError, match="this MODEL has shift 5"):
        ralu(steeper, vae, schedule=quick_schedule(3.0))
    samples, _ = ralu(steeper, vae, schedule=quick_schedule(5.0), cfg=4.0)
    assert torch.isfinite(samples).all()


class Pictured(comfy.samplers.CFGGuider):
    """As ImageAssistedCFGGuider leans on a picture of the size that is sampled."""

    def predict_noise(self, x, timestep, model_options=None, seed=None):
        out = super().predict_noise(x, timestep, model_options or {}, seed)
        return out + 0.1 * (self.img["samples"] - out)


def test_guider_with_a_latent_of_its_own_is_refused_where_stages_differ_in_size(flux):
    made, calls = Pictured(flux), Calls(flux)
    made.set_conds(tiny.conditioning(1), tiny.conditioning(2))
    made.img = {"samples": torch.ones(1, 16, 32, 32)}
    with pytest.raises(ValueError, match="GUIDER Pictured brings a LATENT of one size"):
        advanced(flux, guider=made, schedule=quick_schedule())
    assert not calls.tokens
    advanced(flux, guider=made, schedule=None, quality="draft")
    assert len(calls.tokens) == 6
