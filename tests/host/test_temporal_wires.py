"""RALU Temporal Acceleration in whole RALU runs with everything that a user may have wired in."""

from __future__ import annotations

from dataclasses import replace

import comfy.hooks
import comfy.sd
import pytest
import torch
from controls import applied, controlnet, hint
from limits import with_values
from temporal import METHODS, Settings, accelerated, in_stages, stages

from demo import tiny
from driving import lora

EAGER = {  # every method skips something in stages of 2, 3 and 3 steps
    name: replace(settings, interval=2, warm_up=1, threshold=10.0)
    for name, settings in METHODS.items()
}
STEPS = (2, 3, 3)
PROMPT = tiny.conditioning(5, guidance=3.5)
SIDE = 32  # of the latent
every_method = pytest.mark.parametrize("settings", EAGER.values(), ids=EAGER)


def picture(seed: int = 9) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, 16, SIDE, SIDE, generator=generator)


def middle() -> torch.Tensor:
    """An inpaint mask in picture pixels."""
    mask = torch.zeros(1, 1, 256, 256)
    mask[..., 64:192, 64:192] = 1
    return mask


def attention_mask() -> dict:
    """As Apply Style Model of a Redux picture makes one: text tokens 3 to 5 count less."""
    tokens = tiny.TEXT_TOKENS + SIDE * SIDE // 4
    bias = torch.zeros(1, tokens, tokens)
    bias[:, tiny.TEXT_TOKENS :, 3:6] = -1
    return {"attention_mask": bias, "attention_mask_img_shape": (SIDE // 2, SIDE // 2)}


def controlled(model, vae) -> dict:
    conds = (PROMPT, PROMPT)
    net = controlnet(model, "flux instantx")
    return {"positive": applied(net, vae, end=0.6, image=hint(size=(256, 256)), conds=conds)[0]}


WIRES = {
    "batch with guidance": lambda model, vae: {"batch": 2, "cfg": 2.0},
    "img2img": lambda model, vae: {"latent": {"samples": picture()}, "denoise": 0.9},
    "inpaint mask": lambda model, vae: {"latent": {"samples": picture(), "noise_mask": middle()}},
    "ControlNet": controlled,
    "Redux": lambda model, vae: {"positive": with_values(PROMPT, **attention_mask())},
    "Kontext": lambda model, vae: {"positive": with_values(PROMPT, reference_latents=[picture()])},
}


@pytest.mark.promise("RALU Temporal Acceleration")
@every_method
@pytest.mark.parametrize("wire", WIRES.values(), ids=WIRES)
def test_whole_runs(flux, vae, wire, settings):
    """What is computed equals the run without the node; what is skipped still makes a picture."""
    options = {"schedule": stages(flux, STEPS), **wire(flux, vae)}
    exact = in_stages(flux, vae, **options)
    idle = Settings(settings.method, warm_up=100, threshold=1e-9)
    assert torch.equal(in_stages(accelerated(flux, idle), vae, **options), exact)
    skipped = in_stages(accelerated(flux, settings), vae, **options)
    assert torch.isfinite(skipped).all() and not torch.equal(skipped, exact)
    assert (skipped - exact).abs().mean() < exact.abs().mean()


@pytest.mark.promise("RALU Temporal Acceleration")
@every_method
def test_what_a_mask_keeps_is_untouched(flux, vae, settings):
    latent = {"samples": picture(), "noise_mask": middle()}
    schedule = stages(flux, STEPS)
    samples = in_stages(accelerated(flux, settings), vae, latent=latent, schedule=schedule)
    kept = torch.ones(SIDE, SIDE, dtype=torch.bool)
    kept[7:25, 7:25] = False
    torch.testing.assert_close(samples[..., kept], picture()[..., kept], atol=1e-5, rtol=0)


@pytest.mark.promise("RALU Temporal Acceleration")
@pytest.mark.parametrize("hooked", [False, True])
def test_loras(flux, vae, hooked):
    """In front of the node or behind it, or as a hook of one prompt."""
    weights, options = lora(flux), {}
    if hooked:
        hooks = comfy.hooks.create_hook_lora(weights, 1.0, 0.0)
        options["positive"] = comfy.hooks.set_hooks_for_conditioning(PROMPT, hooks)
        runs = [in_stages(accelerated(flux), vae, **options)]
    else:
        behind, _ = comfy.sd.load_lora_for_models(accelerated(flux), None, weights, 1.0, 0.0)
        before, _ = comfy.sd.load_lora_for_models(flux, None, weights, 1.0, 0.0)
        runs = [in_stages(behind, vae), in_stages(accelerated(before), vae)]
    assert all(torch.equal(run, runs[0]) for run in runs)
    assert not torch.equal(runs[0], in_stages(accelerated(flux), vae))
