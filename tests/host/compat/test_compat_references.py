"""Flux models that read more than text: Fill, control LoRAs, Kontext references, Redux masks."""

from __future__ import annotations

import pytest
import torch
from limits import (
    LATENT,
    all_fine,
    assert_limits,
    assert_matters,
    guider,
    mixed,
    native,
    noise,
    scattered,
)

from driving import quick_schedule, ralu
from lab.models import tiny

GUIDANCE = tiny.with_values(tiny.conditioning(5), guidance=3.5)


def picture(seed=30, size=LATENT):
    return torch.randn(1, 16, *size, generator=torch.Generator().manual_seed(seed))


def hole(size=(8 * LATENT[0], 8 * LATENT[1])):
    mask = torch.rand(1, 1, *size, generator=torch.Generator().manual_seed(31))
    mask[..., : size[1] // 2] = 0
    return mask


@pytest.fixture(scope="module")
def fill():
    return tiny.load_model(tiny.flux_weights(seed=40, in_channels=96))


@pytest.fixture(scope="module")
def depth():
    return tiny.load_model(tiny.flux_weights(seed=41, in_channels=32))


@pytest.mark.promise("Flux Fill")
def test_fill_limits(fill):
    positive = tiny.with_values(GUIDANCE, concat_latent_image=picture(), concat_mask=hole())
    filling = guider(fill, positive, positive, cfg=1.0)
    assert_limits(filling, atol=1e-5)
    other = tiny.with_values(positive, concat_mask=1 - hole())
    assert_matters(filling, guider(fill, other, other, cfg=1.0))
    other = tiny.with_values(positive, concat_latent_image=picture(32))
    assert_matters(filling, guider(fill, other, other, cfg=1.0))


@pytest.mark.promise("Flux Fill")
@pytest.mark.parametrize("size", [(256, 256), (176, 248)])
def test_fill_in_a_whole_run(fill, vae, size):
    latent = {"samples": picture(33, (size[0] // 8, size[1] // 8)), "noise_mask": hole(size)}
    values = {"concat_latent_image": latent["samples"], "concat_mask": hole(size)}
    positive = tiny.with_values(GUIDANCE, **values)
    samples, _ = ralu(fill, vae, latent=latent, positive=positive)
    left = samples[..., : size[1] // 16 - 1]
    torch.testing.assert_close(left, latent["samples"][..., : left.shape[-1]], atol=1e-5, rtol=0)
    assert torch.isfinite(samples).all()


@pytest.mark.promise("Flux control LoRA and Canny/Depth models")
def test_depth_limits(depth):
    positive = tiny.with_values(GUIDANCE, concat_latent_image=picture())
    guided = guider(depth, positive, positive)
    assert_limits(guided, atol=1e-5)
    other = tiny.with_values(GUIDANCE, concat_latent_image=picture(32))
    assert_matters(guided, guider(depth, other, other))


@pytest.mark.promise("Flux control LoRA and Canny/Depth models")
def test_control_lora_widens_a_plain_model(flux):
    """A control LoRA makes img_in wider at run time; the host then adds the concat channels."""
    wide = tiny.flux_weights(seed=41, in_channels=32)["img_in.weight"]
    lora = flux.clone()
    lora.add_patches({"diffusion_model.img_in.weight": ("diff", [wide, {"pad_weight": True}])})
    positive = tiny.with_values(GUIDANCE, concat_latent_image=picture())
    guided = guider(lora, positive, positive)
    assert_limits(guided, atol=1e-5)
    other = tiny.with_values(GUIDANCE, concat_latent_image=picture(32))
    assert_matters(guided, guider(lora, other, other))


def test_unknown_concat_channels_are_refused(flux, vae):
    wide = tiny.load_model(tiny.flux_weights(seed=42, in_channels=32))
    wide.model.concat_cond = lambda **kwargs: torch.zeros(
        kwargs["noise"].shape[0], 20, 1, 1
    ).expand(-1, -1, *kwargs["noise"].shape[-2:])
    with pytest.raises(ValueError, match="16 or 80 channels, got 20"):
        mixed(guider(wide, GUIDANCE, cfg=1.0), noise(), scattered())


METHODS = ["offset", "index", "uxo"]


@pytest.mark.promise("Kontext reference pictures")
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("count", [1, 2])
def test_reference_limits(flux, method, count):
    references = [picture(34 + i, (20 + 4 * i, 16)) for i in range(count)]
    values = {"reference_latents": references, "reference_latents_method": method}
    positive = tiny.with_values(GUIDANCE, **values)
    referring = guider(flux, positive, positive)
    assert_limits(referring, atol=1e-5)
    other = tiny.with_values(positive, reference_latents=[picture(50, (20, 16))])
    assert_matters(referring, guider(flux, other, other))


@pytest.mark.promise("Kontext reference pictures")
def test_reference_of_one_prompt(flux):
    positive = tiny.with_values(GUIDANCE, reference_latents=[picture()])
    assert_limits(guider(flux, positive), atol=1e-5)


@pytest.mark.promise("Kontext reference pictures")
@pytest.mark.parametrize("method", METHODS)
def test_references_in_pictures_of_unequal_counts(flux, vae, method):
    values = {"reference_latents": [picture()], "reference_latents_method": method}
    painted = torch.zeros(2, 256, 256)
    painted[0, :128] = 1
    options = {"positive": tiny.with_values(GUIDANCE, **values), "schedule": quick_schedule()}
    both, _ = ralu(flux, vae, batch=2, region_mask=painted, **options)
    for i in range(2):
        latent = {"samples": torch.zeros(1, 16, 32, 32), "batch_index": [i]}
        alone, _ = ralu(flux, vae, latent=latent, region_mask=painted[i : i + 1], **options)
        torch.testing.assert_close(both[i : i + 1], alone, atol=1e-3, rtol=1e-3)


def redux_mask(strength=0.3, size=(LATENT[0] // 2, LATENT[1] // 2)):
    """An attention bias as core's Apply Style Model node builds it, here over text and picture."""
    tokens = tiny.TEXT_TOKENS + size[0] * size[1]
    bias = torch.zeros(1, tokens, tokens)
    place = torch.rand(size, generator=torch.Generator().manual_seed(35)).flatten()
    bias[:, tiny.TEXT_TOKENS :, 3:6] = (strength * place)[:, None].log()
    bias[:, 3:6, tiny.TEXT_TOKENS :] = (strength * place).log()
    return {"attention_mask": bias, "attention_mask_img_shape": size}


@pytest.mark.promise("Redux attention masks")
@pytest.mark.parametrize("cfg", [1.0, 4.0])
def test_attention_mask_limits(flux, cfg):
    positive = tiny.with_values(GUIDANCE, **redux_mask())
    masked = guider(flux, positive, positive, cfg=cfg)
    assert_limits(masked, atol=1e-4)
    assert_matters(masked, guider(flux, GUIDANCE, GUIDANCE, cfg=cfg))


@pytest.mark.promise("Redux attention masks")
def test_attention_mask_made_for_another_size(flux):
    positive = tiny.with_values(GUIDANCE, **redux_mask(size=(10, 10)))
    x = noise()
    masked = guider(flux, positive, positive)
    assert torch.equal(mixed(masked, x, all_fine()), native(masked, x))


@pytest.mark.promise("Redux attention masks")
def test_attention_mask_in_a_whole_run(flux, vae):
    values = redux_mask(size=(16, 16))
    samples, _ = ralu(flux, vae, positive=tiny.with_values(GUIDANCE, **values))
    plain, _ = ralu(flux, vae, positive=GUIDANCE)
    assert torch.isfinite(samples).all() and (samples - plain).abs().max() > 1e-2
    painted = torch.zeros(2, 256, 256)
    painted[0, :128] = 1
    uneven, _ = ralu(
        flux, vae, batch=2, region_mask=painted, positive=tiny.with_values(GUIDANCE, **values)
    )
    assert torch.isfinite(uneven).all()
