"""What users wire in, on every family of the table: the limits stay exact, and it matters."""

from __future__ import annotations

import functools
import inspect
from types import SimpleNamespace

import comfy.controlnet
import comfy.latent_formats
import comfy.sd
import pytest
import torch
from applying import PicturePatch
from controls import applied
from limits import LATENT, assert_limits, assert_matters, guider, mixed, native, noise, scattered

from driving import ralu, short_plan
from lab.models import tiny
from lab.models.controlnets import FP32
from lab.models.networks import NETWORKS
from ralu_pack.nodes.host.families.family import Family
from ralu_pack.nodes.host.families.inspect import inspect_model, network_of
from ralu_pack.nodes.host.families.table import FAMILIES, family_named
from ralu_pack.nodes.sampler import Sampler

pytestmark = pytest.mark.promise("Every model family: references, LoRAs, masks, regional prompts")

# Ways to place references. index_timestep_zero fails in ComfyUI itself but for one of Flux.2.
ZERO = "index_timestep_zero"
REFERENCES = {
    "flux1": ("offset", "index", "uxo"),
    "flux2": ("index", "offset", "uxo", ZERO),
    "qwen_image": ("index", "offset", "negative_index", ZERO),
    "krea2": ("index", ZERO),
    "longcat": ("offset", "index", "uxo"),
    "mage_flow": ("index",),
}
BLOCKS = ("blocks.", "layers.")
PLACED = [(family, way) for family, ways in REFERENCES.items() for way in ways]


@pytest.fixture(scope="module")
def loaded():
    """Weights and autoencoders, made once."""
    return {}


def model_of(family: Family, loaded: dict):
    if not family.is_known:
        pytest.skip(f"this ComfyUI has no {family.model_class}")
    if family.name not in loaded:
        loaded[family.name] = tiny.family_weights(family)
    return tiny.load_model(loaded[family.name], family)


@pytest.fixture(params=FAMILIES, ids=lambda family: family.name)
def model(request, loaded):
    return model_of(request.param, loaded)


@pytest.fixture
def vae(model, loaded):
    return vae_of(inspect_model(model).space, loaded)


def vae_of(space, loaded):
    key = (space.has_frames, space.fold)
    if key not in loaded:
        loaded[key] = tiny.small_vae(space, seed=3)
    return loaded[key]


def picture(space, seed=9, size=LATENT) -> torch.Tensor:
    return noise(seed, 1, space, size)


def edited(model, way: str, cfg: float = 4.0):
    """A guider that reads two references of other sizes, placed that way."""
    source = inspect.getsource(type(network_of(model)))
    if way.startswith(("negative", "index_")) and f'"{way}"' not in source:
        pytest.skip("this ComfyUI has no such references")
    space = inspect_model(model).space
    two = [picture(space, 4, (16, 16)), picture(space, 5, (24, 16))]
    text = tiny.conditioning(5, guidance=3.0)
    text = tiny.with_values(text, reference_latents=two, reference_latents_method=way)
    return guider(model, text, text, cfg)


@pytest.mark.parametrize(("name", "way"), PLACED)
def test_references_stay_in_both_limits(name, way, loaded):
    model = model_of(family_named(name), loaded)
    cfg = 1.0 if (name, way) == ("flux2", ZERO) else 4.0
    reads = edited(model, way, cfg)
    assert_limits(reads, 1)
    text = tiny.conditioning(5, guidance=3.0)
    assert_matters(reads, guider(model, text, text, cfg), batch=1)


ROWS = [("flux1", 1.0, 1), ("longcat", 1.0, 1), ("flux2", 4.0, 1), ("flux2", 1.0, 2)]


@pytest.mark.parametrize(("name", "cfg", "batch"), ROWS)
def test_what_fluxs_network_cannot_place_fails_without_ralu_too(name, cfg, batch, loaded):
    model = model_of(family_named(name), loaded)
    x = noise(batch=batch, space=inspect_model(model).space)
    with pytest.raises(RuntimeError, match=r"must match|doesn't match"):
        native(edited(model, ZERO, cfg), x)


@pytest.mark.parametrize("name", ["z_image", "lumina2"])
def test_words_and_views_of_references_do_nothing_without_them(name, loaded):
    """As of TextEncodeZImageOmni without a VAE: ComfyUI reads them beside reference latents."""
    model = model_of(family_named(name), loaded)
    seen = SimpleNamespace(image_sizes=[(3, 32, 32)], last_hidden_state=torch.ones(1, 4, 8))
    words = [tiny.conditioning(7)[0][0]]
    told = {"reference_latents_text_embeds": words, "clip_vision_outputs": [seen]}
    described = guider(
        model, *(tiny.with_values(tiny.conditioning(seed), **told) for seed in (5, 6))
    )
    assert_limits(described, 1)
    x = noise(space=inspect_model(model).space)
    assert torch.equal(mixed(described, x, scattered()), mixed(guider(model), x, scattered()))


def test_who_reads_references_is_tested_or_refuses_them(model):
    family, space = inspect_model(model).family, inspect_model(model).space
    if family.name in REFERENCES or "ref_latents" not in inspect.getsource(type(network_of(model))):
        return
    reads = tiny.with_values(tiny.conditioning(5), reference_latents=[picture(space)])
    model.model.diffusion_model.register_forward_pre_hook(lambda *_: pytest.fail("It was called."))
    with pytest.raises(ValueError, match=f"reference pictures of {family.short}"):
        ralu(
            model,
            None,
            schedule=short_plan(model),
            edge_detector="latent_gradient",
            positive=reads,
        )


@pytest.mark.parametrize("name", ["flux1", "chroma", "longcat"])
def test_style_models_weigh_text_for_every_part_of_the_picture(name, loaded):
    """Those that get the host's attention bias of Apply Style Model, over text and picture."""
    model = model_of(family_named(name), loaded)
    h, w = (side // 2 for side in LATENT)
    bias = torch.zeros(1, tiny.TEXT_TOKENS + h * w, tiny.TEXT_TOKENS + h * w)
    place = torch.rand(h * w, generator=torch.Generator().manual_seed(35))
    bias[:, tiny.TEXT_TOKENS :, 3:6] = place[:, None].log()
    text = tiny.conditioning(5)
    styled = tiny.with_values(text, attention_mask=bias, attention_mask_img_shape=(h, w))
    assert_limits(guider(model, styled, styled), atol=1e-4)
    assert_matters(guider(model, styled, styled), guider(model, text, text))


PICTURE_PATCHES = {
    "an object": PicturePatch(),
    "with alpha": PicturePatch(channels=4),
    "a partial": functools.partial(PicturePatch(), 1.0),
    "a partial's keyword": functools.partial(print, end=PicturePatch()),
}


@pytest.mark.parametrize("patch", PICTURE_PATCHES.values(), ids=PICTURE_PATCHES)
def test_patches_with_a_picture_are_refused(patch, model, vae):
    model.model.diffusion_model.register_forward_pre_hook(lambda *_: pytest.fail("It was called."))
    model.set_model_patch(patch, "noise_refiner")
    with pytest.raises(ValueError, match=r"model patch (PicturePatch|partial) fits a picture to"):
        ralu(model, vae, schedule=None)


def test_mask_prompts(model):
    left = torch.zeros(1, *(8 * side for side in LATENT))
    left[..., : 4 * LATENT[1]] = 1
    two = tiny.with_values(
        tiny.conditioning(5), mask=left, mask_strength=1.0, set_area_to_bounds=False
    )
    two = two + tiny.with_values(tiny.conditioning(8), mask=1 - left, mask_strength=1.0)
    assert_limits(guider(model, two))
    assert_matters(guider(model, two), guider(model))


def test_area_prompts_become_masks(model):
    space = inspect_model(model).space
    h, w = (side // space.fold for side in LATENT)
    area = tiny.with_values(tiny.conditioning(8), area=(h, w // 2, 0, w // 2), strength=1.0)
    assert_matters(guider(model, tiny.conditioning(5) + area), guider(model))


def test_inpaint_masks(model):
    space = inspect_model(model).space
    freed = torch.zeros(1, 1, *(8 * side for side in LATENT))
    freed[..., 64:128, 64:192] = 1
    assert_limits(guider(model, cfg=1.0), 1, atol=1e-4, latent=picture(space), mask=freed)


def lora_of(model) -> tuple[str, torch.Tensor, torch.Tensor]:
    """The weight that a LoRA of rank 4 changes, and what it is made of: up and down."""
    weights = model.model.diffusion_model.state_dict()
    name = next(
        name
        for name, weight in sorted(weights.items())
        if weight.ndim == 2 and "adapter" not in name and any(part in name for part in BLOCKS)
    )
    rows, columns = weights[name].shape
    generator = torch.Generator().manual_seed(3)
    up = torch.randn(rows, 4, generator=generator)
    return name, up, torch.randn(4, columns, generator=generator) / 4


def with_lora(model, name: str, up: torch.Tensor, down: torch.Tensor):
    key = f"diffusion_model.{name.removesuffix('.weight')}"
    lora = {f"{key}.lora_up.weight": up, f"{key}.lora_down.weight": down}
    return comfy.sd.load_lora_for_models(model, None, lora, 1.0, 0.0)[0]


def test_loras(model):
    patched = with_lora(model, *lora_of(model))
    assert_limits(guider(patched, cfg=1.0), 1)
    assert_matters(guider(patched, cfg=1.0), guider(model, cfg=1.0))


def test_a_lora_is_changed_weights_until_it_is_taken_off(model, loaded):
    family, (name, up, down) = inspect_model(model).family, lora_of(model)
    weights = loaded[family.name]
    changed = tiny.load_model({**weights, name: weights[name] + up @ down}, family)
    options = {"schedule": short_plan(model), "edge_detector": "latent_gradient"}
    before, expected, samples, after = (
        ralu(one, None, **options)[0]
        for one in (model, changed, with_lora(model, name, up, down), model)
    )
    close = 1e-4 * max(1.0, float(expected.std()))
    torch.testing.assert_close(samples, expected, atol=close, rtol=0)
    assert (samples - before).abs().max() > 100 * close and torch.equal(after, before)


@pytest.mark.parametrize("cfg", [1.0, 4.0])
def test_qwens_controlnets(cfg, loaded):
    from comfy.ldm.qwen_image.controlnet import QwenImageControlNetModel

    family = family_named("qwen_image")
    model = model_of(family, loaded)
    config = NETWORKS[family.name].config
    network = QwenImageControlNetModel(num_layers=2, in_channels=64, **config, **FP32)
    network.load_state_dict(tiny.seeded(network.state_dict(), 11))
    net = comfy.controlnet.ControlNet(
        network,
        compression_ratio=1,
        latent_format=comfy.latent_formats.Wan21(),
        load_device=model.load_device,
    )
    controlled = guider(model, *applied(net, vae_of(family.space, loaded)), cfg=cfg)
    assert_limits(controlled)
    assert_matters(controlled, guider(model, cfg=cfg))


def test_the_report_counts_references(loaded):
    family = family_named("flux2")
    model, space = model_of(family, loaded), family.space
    text = tiny.conditioning(5)
    reads = tiny.with_values(text, reference_latents=[picture(space, 4, (16, 16))])
    plain, with_one = (
        Sampler.execute(
            model=model,
            positive=positive,
            negative=text,
            latent_image={"samples": torch.zeros(1, 128, 16, 16)},
            seed=1,
            cfg=1.0,
            sampler_name="euler",
            denoise=1.0,
            edge_detector="latent_gradient",
        ).ui["ralu_run"][0]
        for positive in (text, reads)
    )
    assert (plain["reference_tokens"], with_one["reference_tokens"]) == (0, 64)
    assert with_one["predicted_equivalents"] > plain["predicted_equivalents"]
    assert plain["plain_steps"] == 20


def test_a_run_looks_for_edges_in_the_decoded_picture(model, vae):
    height, width = 200, 264
    samples, mask = ralu(model, vae, size=(height, width), schedule=None, cfg=2.0)
    assert torch.isfinite(samples).all() and samples.std() > 0.05
    pixels = inspect_model(model).space.host_pixels
    assert mask.shape[1:] == (height // pixels * pixels, width // pixels * pixels)
    assert 0 < mask.mean() < 0.5
    decoded = vae.decode(samples)
    assert decoded.shape[-3:-1] == mask.shape[1:]


def test_a_foreign_vae_is_refused(model, loaded):
    space = inspect_model(model).space
    others = {family.space for family in FAMILIES}
    for other in others:
        if (other.has_frames, other.fold) == (space.has_frames, space.fold):
            continue
        with pytest.raises(ValueError, match="This MODEL needs a VAE of"):
            ralu(model, vae_of(other, loaded), schedule=None)
