"""The mixed stage in both limits, with all that a user wired in, beside the host's own sampling."""

from __future__ import annotations

from typing import Any

import comfy.samplers
import torch
import torch.nn.functional as F

from driving import SIGMAS
from lab.models import tiny
from ralu_pack.nodes.host.sampling.conds import fit_to_frame
from ralu_pack.nodes.host.sampling.stages import GuiderStages
from ralu_pack.nodes.host.showing.progress import Progress
from ralu_pack.ralu_core.latents.layout import Layout
from ralu_pack.ralu_core.latents.tokens import pick, spread
from ralu_pack.ralu_core.sampler import MIXED, Source, Start

GRID = (6, 8)
LATENT = (4 * GRID[0], 4 * GRID[1])


def noise(seed: int = 0, batch: int = 2) -> torch.Tensor:
    return torch.randn(batch, 16, *LATENT, generator=torch.Generator().manual_seed(seed))


def all_fine(batch: int = 2) -> Layout:
    return Layout(torch.ones(batch, *GRID, dtype=torch.bool))


def none_fine(batch: int = 2) -> Layout:
    return Layout(torch.zeros(batch, *GRID, dtype=torch.bool))


def scattered(batch: int = 2) -> Layout:
    """A third of the regions, others in each picture."""
    order = torch.rand(batch, 48, generator=torch.Generator().manual_seed(1)).argsort(1).argsort(1)
    return Layout((order < 16).reshape(batch, *GRID))


def guider(model, positive: list | None = None, negative: list | None = None, cfg: float = 4.0):
    made = comfy.samplers.CFGGuider(model)
    made.set_conds(positive or tiny.conditioning(5), negative or tiny.conditioning(6))
    made.set_cfg(cfg)
    return made


def with_values(conditioning: list, **values: Any) -> list:
    """The conditioning with more values set, as core's nodes set them."""
    return [[context, {**options, **values}] for context, options in conditioning]


def native(guider, x, latent=None, mask=None, sampler="euler", sigmas=SIGMAS):
    """Plain sampling by the host from noise x."""
    return guider.sample(
        x,
        torch.zeros_like(x) if latent is None else latent,
        _sampler(sampler),
        sigmas.clone(),  # uni_pc writes into them
        denoise_mask=mask,
        disable_pbar=True,
        seed=0,
    )


def mixed(guider, x, layout, latent=None, mask=None, sampler="euler", sigmas=SIGMAS):
    """The same as one mixed stage of the pack."""
    latent = torch.zeros_like(x) if latent is None else latent
    model = guider.model_patcher.model
    clean = model.process_latent_in(latent) if latent.any() else latent
    stages = GuiderStages(
        guider=guider,
        sampler=_sampler(sampler),
        conds=fit_to_frame(guider.original_conds, Canvas(*x.shape[-2:])),
        latent=latent,
        mask=mask,
        seed=-MIXED,  # so that the stage's own seed is 0
        progress=Progress(guider.model_patcher, len(sigmas) - 1),
    )
    source = Source(x, clean, F.avg_pool2d(clean, 2))
    stage = source.stage(MIXED, sigmas.tolist(), x, layout)
    start = sigmas[0] * stage.white + (1 - sigmas[0]) * stage.clean
    return stages(stage, Start(start)).x


def assert_limits(guider, batch=2, atol=0.0, coarse_guider=None, latent=None, **options):
    """All fine is plain sampling; none fine is plain sampling of the half-size picture."""
    x = noise(batch=batch)
    fine = mixed(guider, x, all_fine(batch), latent, **options)
    torch.testing.assert_close(fine, native(guider, x, latent, **options), atol=atol, rtol=0)
    coarse = mixed(guider, x, none_fine(batch), latent, **options)
    small = None if latent is None else F.avg_pool2d(latent, 2)
    expected = spread(native(coarse_guider or guider, pick(x), small, **options))
    torch.testing.assert_close(coarse, expected, atol=max(atol, 1e-5), rtol=0)


def assert_matters(guider, without, **options):
    """In a mixed layout, what was wired in changes the picture."""
    x = noise()
    one, other = (mixed(g, x, scattered(), **options) for g in (guider, without))
    assert torch.isfinite(one).all()
    assert (one - other).abs().max() > 1e-3


def _sampler(sampler):
    return comfy.samplers.sampler_object(sampler) if isinstance(sampler, str) else sampler
