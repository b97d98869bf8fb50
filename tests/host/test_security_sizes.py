"""Sizes that would exhaust memory are refused before anything of them is allocated."""

from __future__ import annotations

import resource
import time
from contextlib import contextmanager

import pytest
import torch

from driving import ralu
from ralu_pack.nodes.edge_mask_preview import EdgeMaskPreview
from ralu_pack.nodes.host.inputs import MAX_PIXELS


@contextmanager
def without_allocating(limit=64 << 20, seconds=2.0):
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    yield
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10
    assert grown < limit and time.process_time() - started < seconds


BOMBS = {
    "side": ((1, 16, 32, 10**6), "at most 16384 pixels each way"),
    "both sides": ((1, 1, 10**6, 10**6), "at most 16384 pixels each way"),
    "batch": ((4096, 16, 2048, 2048), f"at most {MAX_PIXELS >> 20} million pixels at once"),
    "channels": ((1, 1000, 32, 32), "latents of 16 channels, got"),
    "nothing": ((0, 16, 32, 32), "holds no picture: connect"),
}


@pytest.mark.promise("Sizes that would exhaust memory")
@pytest.mark.parametrize(("shape", "message"), BOMBS.values(), ids=BOMBS)
def test_latents_too_large_are_refused_before_allocation(model, vae, shape, message):
    ralu(model, vae)
    latent = {"samples": torch.ones(1, 1, 1, 1).expand(shape) if shape[0] else torch.ones(shape)}
    with without_allocating(), pytest.raises(ValueError, match=message):
        ralu(model, vae, latent=latent)


@pytest.mark.promise("Sizes that would exhaust memory")
def test_pictures_beyond_the_models_position_table_are_refused_before_sampling(sd3, vae):
    latent = {"samples": torch.zeros(1, 1, 1, 1).expand(1, 16, 388, 16)}
    with pytest.raises(ValueError, match="at most 3072 pixels each way, got 128x3104"):
        ralu(sd3, vae, latent=latent)


@pytest.mark.promise("Sizes that would exhaust memory")
@pytest.mark.parametrize("image", [(1, 256, 10**7, 3), (10**7, 256, 256, 3)])
def test_edge_mask_preview_of_pictures_too_large(image):
    picture = torch.zeros(1, 1, 1, 1).expand(image)
    with without_allocating(), pytest.raises(ValueError, match="at most"):
        EdgeMaskPreview.execute(ratio=0.3, image=picture)
