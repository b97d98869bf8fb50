"""RALU Temporal Acceleration in whole RALU runs with everything that a user may have wired in."""

from __future__ import annotations

from dataclasses import replace

import comfy.hooks
import comfy.sd
import pytest
import torch
from accelerating import METHODS, Acceleration, accelerated, in_stages, stages
from wires import PROMPT, SIDE, WIRES, middle, picture

from driving import lora

EAGER = {  # every method skips something in stages of 2, 3 and 3 steps
    name: replace(settings, interval=2, warm_up=1, threshold=10.0)
    for name, settings in METHODS.items()
}
STEPS = (2, 3, 3)
every_method = pytest.mark.parametrize("settings", EAGER.values(), ids=EAGER)


@pytest.mark.promise("RALU Temporal Acceleration")
@every_method
@pytest.mark.parametrize("wire", WIRES.values(), ids=WIRES)
def test_whole_runs(flux, vae, wire, settings):
    """What is computed equals the run without the node; what is skipped still makes a picture."""
    options = {"schedule": stages(flux, STEPS), **wire(flux, vae)}
    exact = in_stages(flux, vae, **options)
    idle = Acceleration(method=settings.method, warm_up=100, threshold=1e-9)
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
