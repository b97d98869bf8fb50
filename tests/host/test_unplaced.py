"""Flow models of no family of the pack run what stays at full size, as the host would sample it."""

from __future__ import annotations

import math
from dataclasses import replace
from unittest.mock import patch

import comfy.sample
import comfy.samplers
import pytest
import torch
from comfy.model_base import Chroma, Flux, ModelType
from comfy_extras.nodes_model_advanced import ModelSamplingSD3
from in_core import steps_of_second_order
from nodes import common_ksampler

from lab.models import tiny, unplaced
from lab.models.networks import NETWORKS
from ralu_pack.nodes.apply import Apply
from ralu_pack.nodes.host.families.inspect import _cfg_of, inspect_model
from ralu_pack.nodes.host.families.table import family_named
from ralu_pack.nodes.host.inputs import latent_samples
from ralu_pack.nodes.sampler import Sampler
from ralu_pack.nodes.schedule import Schedule
from ralu_pack.ralu_core.plans import plain

SIDES, PICTURE_SIDES = (17, 26), (35, 50)  # in latent pixels, none of whole tokens
SEED, CFG = 7, 3.0
# Picture pixels along one of the latent, else 8; of the latent along one token, else 2.
PIXELS = {"HunyuanImage21": 32, "Lens": 16, "Ideogram4": 16, "ChromaRadiance": 1, "PixelDiTT2I": 1}
PATCHES = {"HunyuanImage21": 1, "Lens": 1, "Ideogram4": 1, "ChromaRadiance": 16, "PixelDiTT2I": 16}
PICTURES = ("ChromaRadiance", "PixelDiTT2I")  # sampled without a VAE


@pytest.fixture(scope="module", params=unplaced.KINDS)
def kind(request):
    if not unplaced.is_known(request.param):
        pytest.skip("a newer ComfyUI runs it")
    return request.param


@pytest.fixture(scope="module")
def loaded(kind):
    return unplaced.load(kind)


def sides_of(kind):
    return PICTURE_SIDES if kind in PICTURES else SIDES


def conds(kind):
    return unplaced.prompt(kind, 5), unplaced.prompt(kind, 6)


def empty(kind, model, batch=2) -> dict:
    latents = model.model.latent_format
    frames = (unplaced.LAYERS if kind == unplaced.LAYERED else 1,) * (latents.latent_dimensions - 2)
    return {"samples": torch.zeros(batch, latents.latent_channels, *frames, *sides_of(kind))}


def ksampler(kind, model, latent, steps=20, denoise=1.0):
    options = steps, CFG, "euler", "simple"
    return common_ksampler(model, SEED, *options, *conds(kind), latent, denoise)[0]["samples"]


def of_ralu(kind, model, steps=0, **options):
    positive, negative = conds(kind)
    out = Sampler.execute(
        model=model,
        positive=positive,
        negative=negative,
        latent_image=empty(kind, model),
        seed=SEED,
        cfg=CFG,
        sampler_name="euler",
        denoise=1.0,
        plain_steps=steps,
        **options,
    )
    return out.args[0]["samples"], out.args[1]


@pytest.mark.parametrize("order", [1, 2])
def test_a_plan_of_full_size_is_the_hosts_own_run(kind, loaded, order):
    plan = replace(plain(3.0, (3,), order=order), model_shift=None)
    samples, mask = of_ralu(kind, loaded, schedule=plan)
    guider = comfy.samplers.CFGGuider(loaded)
    guider.set_conds(*conds(kind))
    guider.set_cfg(CFG)
    latent = empty(kind, loaded)["samples"]
    noise = comfy.sample.prepare_noise(latent, SEED)
    euler = comfy.samplers.sampler_object("euler")
    sampler = steps_of_second_order() if order == 2 else euler
    levels = torch.tensor(plan.stages[0].sigmas)
    by_host = guider.sample(noise, latent, sampler, levels, disable_pbar=True, seed=SEED)
    assert torch.equal(samples, by_host)
    side = PIXELS.get(kind, 8)
    assert mask.shape == (2, *(side * length for length in sides_of(kind))) and not mask.any()


@pytest.mark.parametrize("denoise", [1.0, 0.4])
def test_the_dial_in_front_of_a_ksampler_is_the_ralu_samplers(kind, loaded, denoise):
    """Seven steps of the model, and none of what wraps them stays on it."""
    latent, calls = empty(kind, loaded), []
    hook = loaded.model.diffusion_model.register_forward_pre_hook(lambda *_: calls.append(1))
    front = Apply.execute(model=loaded).args[0]
    samples = ksampler(kind, front, latent, denoise=denoise)
    hook.remove()
    assert len(calls) == 7 and not loaded.wrappers
    assert torch.isfinite(samples).all()
    if denoise == 1:
        assert torch.equal(samples, of_ralu(kind, loaded, quality="balanced")[0])


def test_of_few_steps_three_quarters_are_left(kind, loaded):
    calls = []
    hook = loaded.model.diffusion_model.register_forward_pre_hook(lambda *_: calls.append(1))
    of_ralu(kind, loaded, steps=8, quality="balanced")
    hook.remove()
    assert len(calls) == 6


def test_plans_of_several_sizes_are_refused(kind, loaded):
    named = rf"this MODEL \({kind}(, which ComfyUI runs by its class \w+)?\) at full size alone"
    told = f"{named}, and FLUX 5x changes size: .*; choose fine, "
    with pytest.raises(ValueError, match=f"{told}balanced or draft, or use a KSampler"):
        of_ralu(kind, loaded, quality="paper")
    with pytest.raises(ValueError, match=f"{named}, and 8-step distilled changes size"):
        of_ralu(kind, loaded, steps=8, quality="paper")
    with pytest.raises(ValueError, match=f"{told}balanced or draft, or bypass the RALU node"):
        Apply.execute(model=loaded, quality="paper")
    with pytest.raises(ValueError, match=told):
        Schedule.execute("FLUX 5x", "match the model", 1024, 1024, model=loaded)


@pytest.mark.parametrize(
    ("channels", "says", "pixels"), [(16, 8, 8), (16, None, 8), (3, None, 1), (64, None, 32)]
)
def test_how_large_a_latent_pixel_is(channels, says, pixels):
    model = unplaced.load("AuraFlow")
    told = {} if says is None else {"spacial_downscale_ratio": says}
    told |= {"latent_channels": channels, "latent_dimensions": 2}
    model.model.latent_format = type("Latents", (), told)()
    space = inspect_model(model).space
    assert (space.channels, space.pixels, space.has_frames) == (channels, pixels, False)


@pytest.mark.parametrize(
    ("told", "patch"), [(2, 2), ((1, 2, 2), 2), ([1, 1], 1), (16, 16), (None, 1), ("large", 1)]
)
def test_how_large_a_token_is(told, patch):
    """As the node's line counts them; networks of other packs may not tell."""
    model = unplaced.load("AuraFlow")
    model.model.diffusion_model.patch_size = told
    assert inspect_model(model).space.patch == patch


def test_the_log_counts_the_tokens_of_the_network(kind, loaded, caplog):
    caplog.set_level("INFO")
    of_ralu(kind, loaded, quality="draft")
    side = PATCHES.get(kind, 2)
    rows, columns = (math.ceil(length / side) for length in sides_of(kind))
    frames = unplaced.LAYERS if kind == unplaced.LAYERED else 1
    assert f"stage 1: 6 steps x {frames * rows * columns} tokens" in caplog.text


@pytest.mark.parametrize("masks", [1, unplaced.LAYERS])
def test_layers_with_a_reference_are_inpainted_as_the_host_does(masks):
    """By one mask, and by one for each layer, of prompts, too."""
    if not unplaced.is_known(unplaced.LAYERED):
        pytest.skip("a newer ComfyUI runs it")
    model = unplaced.load(unplaced.LAYERED)
    numbers = torch.Generator().manual_seed(1)
    layers = torch.randn(1, 16, unplaced.LAYERS, *SIDES, generator=numbers)
    mask = (torch.rand(masks, *(8 * side for side in SIDES), generator=numbers) > 0.5).float()
    latent = {"samples": layers, "noise_mask": mask}
    picture = {"reference_latents": [torch.randn(1, 16, 1, *SIDES, generator=numbers)]}
    picture |= {"mask": 1 - mask, "mask_strength": 1.0}
    wires = [tiny.with_values(one, **picture) for one in conds(unplaced.LAYERED)]
    plan = replace(plain(3.0, (3,)), model_shift=None)
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(*wires)
    guider.set_cfg(CFG)
    own = guider.sample(
        comfy.sample.prepare_noise(layers, SEED),
        layers,
        comfy.samplers.sampler_object("euler"),
        torch.tensor(plan.stages[0].sigmas),
        denoise_mask=mask,
        disable_pbar=True,
        seed=SEED,
    )
    names = "model", "positive", "negative", "latent_image"
    more = {"seed": SEED, "cfg": CFG, "sampler_name": "euler", "denoise": 1.0, "schedule": plan}
    out = Sampler.execute(**dict(zip(names, (model, *wires, latent), strict=True)), **more)
    assert torch.equal(out.args[0]["samples"], own) and not torch.equal(own, layers)


def test_a_latent_of_many_frames_is_refused_but_of_layers():
    family = family_named("qwen_image")
    model = tiny.load_model(tiny.family_weights(family), family)
    with pytest.raises(ValueError, match="still pictures, got a latent of 3 frames: set its leng"):
        latent_samples(model, {"samples": torch.zeros(1, 16, 3, *SIDES)}, family)


def test_wan_from_pictures_runs_the_dial_alone():
    """The host takes Wan 2.2's for text to video, as it reads the picture beside the latent."""
    family = family_named("wan")
    wan = NETWORKS["wan"]
    wider = replace(wan, config={**wan.config, "in_dim": 36})
    with patch.dict(NETWORKS, wan=wider):
        model = tiny.load_model(tiny.family_weights(family), family)
    assert model.model.diffusion_model.in_dim == 36
    with pytest.raises(ValueError, match=r"\(WAN21\) at full size alone, .* it reads a picture"):
        Apply.execute(model=model, quality="paper")
    wide = tiny.conditioning(5, family=family), tiny.conditioning(6, family=family)
    latent = {"samples": torch.zeros(1, 16, 1, *SIDES)}
    front = Apply.execute(model=model).args[0]
    faster = common_ksampler(front, SEED, 20, CFG, "euler", "simple", *wide, latent)[0]["samples"]
    own = common_ksampler(model, SEED, 50, CFG, "euler", "simple", *wide, latent)[0]["samples"]
    assert faster.shape == own.shape and not torch.equal(faster, own)
    assert torch.isfinite(faster).all()


def test_a_node_may_make_a_model_a_flow():
    """As fine-tunes of models of another prediction need it."""
    model = unplaced.load("AuraFlow")
    model.model.model_type = ModelType.EPS
    facts = inspect_model(ModelSamplingSD3().patch(model, 2.5, 1.0)[0])
    assert facts.shift == facts.own_shift == pytest.approx(2.5)


def test_sound_is_no_picture():
    model = unplaced.load("AuraFlow")
    model.model.latent_format = type("Sound", (), {"latent_channels": 64, "latent_dimensions": 1})()
    with pytest.raises(ValueError, match=r"cannot run this MODEL \(AuraFlow\): it supports Flux"):
        inspect_model(model)


@pytest.mark.parametrize(("known", "cfg"), [(Chroma, (3, 5)), (Flux, (1, 1))])
def test_the_nearest_relative_tells_the_cfg(known, cfg):
    """Chroma, and what is made of it, is also a Flux to the host."""
    assert _cfg_of(object.__new__(type("Relative", (known,), {}))) == cfg
