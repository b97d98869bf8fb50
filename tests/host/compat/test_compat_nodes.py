"""Core's own MODEL patches that no other file covers, in both limits."""

from __future__ import annotations

import importlib

import pytest
import torch
from limits import all_fine, assert_limits, assert_matters, guider, mixed, native, noise, scattered


def patched(model, module: str, node: str, *values):
    """The MODEL from a core node; skips where this host has no such node."""
    try:
        made = getattr(importlib.import_module(f"comfy_extras.{module}"), node)
    except (ImportError, AttributeError):
        pytest.skip(f"this ComfyUI has no {node}")
    return made.execute(model, *values).args[0]


@pytest.mark.promise("ScaleROPE, NAG, Epsilon Scaling and Temporal Score Rescaling")
@pytest.mark.parametrize("cfg", [1.0, 4.0])
def test_normalized_attention_guidance(flux, cfg):
    guided = patched(flux, "nodes_nag", "NAGuidance", 5.0, 0.5, 1.5)
    assert_limits(guider(guided, cfg=cfg), atol=1e-4)
    assert_matters(guider(guided, cfg=cfg), guider(flux, cfg=cfg))


@pytest.mark.promise("ScaleROPE, NAG, Epsilon Scaling and Temporal Score Rescaling")
@pytest.mark.parametrize(
    ("node", "values"), [("EpsilonScaling", (1.05,)), ("TemporalScoreRescaling", (0.9, 1.0))]
)
def test_rescaled_estimates(model, node, values):
    """On single pictures: core's own Temporal Score Rescaling fails on a batch."""
    rescaled = patched(model, "nodes_eps", node, *values)
    assert_limits(guider(rescaled), batch=1, atol=1e-4)
    x = noise(batch=1)
    one, other = (mixed(guider(m), x, scattered(1)) for m in (rescaled, model))
    assert (one - other).abs().max() > 1e-3


def test_frequency_scaling_that_measures_the_picture(model):
    """FreSca's cut-off is in pixels of the latent; all fine is plain sampling."""
    scaled = guider(patched(model, "nodes_fresca", "FreSca", 1.0, 1.25, 5))
    x = noise()
    assert torch.equal(mixed(scaled, x, all_fine()), native(scaled, x))
