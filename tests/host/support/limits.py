"""The mixed stage in both limits, with all that a user wired in, beside the host's own sampling."""

from __future__ import annotations

import comfy.samplers
import torch
import torch.nn.functional as F

from driving import SIGMAS
from lab.models import tiny
from ralu_pack.nodes.host.families.inspect import inspect_model
from ralu_pack.nodes.host.sampling.conds import fit_to_frame
from ralu_pack.nodes.host.sampling.stages import GuiderStages
from ralu_pack.nodes.host.sampling.watch import Watch
from ralu_pack.ralu_core.latents.frame import Frame
from ralu_pack.ralu_core.latents.grid import MIXED
from ralu_pack.ralu_core.latents.layout import Layout
from ralu_pack.ralu_core.latents.space import Space
from ralu_pack.ralu_core.latents.tokens import pick, spread
from ralu_pack.ralu_core.latents.views import PAPER
from ralu_pack.ralu_core.plans import Stage
from ralu_pack.ralu_core.sampler import Source
from ralu_pack.ralu_core.tasks import StageTask, Start

GRID = (6, 8)
LATENT = (4 * GRID[0], 4 * GRID[1])


def noise(
    seed: int = 0,
    batch: int = 2,
    space: Space | None = None,
    size: tuple[int, int] | None = None,
) -> torch.Tensor:
    """White noise in the form of the host's latents."""
    space = space or Space()
    generator = torch.Generator().manual_seed(seed)
    return space.leave(torch.randn(batch, space.channels, *(size or LATENT), generator=generator))


def all_fine(batch: int = 2, views: str = PAPER) -> Layout:
    return Layout(torch.ones(batch, *GRID, dtype=torch.bool), views=views)


def none_fine(batch: int = 2, views: str = PAPER) -> Layout:
    return Layout(torch.zeros(batch, *GRID, dtype=torch.bool), views=views)


def scattered(batch: int = 2, views: str = PAPER) -> Layout:
    """A third of the regions, others in each picture."""
    order = torch.rand(batch, 48, generator=torch.Generator().manual_seed(1)).argsort(1).argsort(1)
    return Layout((order < 16).reshape(batch, *GRID), views=views)


def guider(model, positive: list | None = None, negative: list | None = None, cfg: float = 4.0):
    made = comfy.samplers.CFGGuider(model)
    made.set_conds(positive or tiny.conditioning(5), negative or tiny.conditioning(6))
    made.set_cfg(cfg)
    return made


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
    """The same as one mixed stage of the pack; x in the host's form, and what comes back."""
    latent = torch.zeros_like(x) if latent is None else latent
    model, family = guider.model_patcher.model, inspect_model(guider.model_patcher).family
    space = family.space
    clean = space.enter(model.process_latent_in(latent) if latent.any() else latent)
    latent = space.enter(latent)
    stages = GuiderStages(
        guider=guider,
        sampler=_sampler(sampler),
        conds=fit_to_frame(guider.original_conds, Frame(*latent.shape[-2:], space)),
        family=family,
        latent=latent,
        mask=mask,
        seed=0,
        watch=Watch(guider.model_patcher, space),
    )
    source = Source(space.enter(x), clean, F.avg_pool2d(clean, 2), patch=space.patch)
    stage = Stage(MIXED, tuple(sigmas.tolist()), ratio=0.3, views=layout.views)
    white = MIXED.noise(source.noise, layout)
    task = StageTask(stage, white, source.clean_on(MIXED, layout), layout)
    start = sigmas[0] * task.white + (1 - sigmas[0]) * task.clean
    return space.leave(stages(task, Start(start)).x)


def assert_limits(guider, batch=2, atol=0.0, latent=None, views=PAPER, **options):
    """All fine is plain sampling; none fine is plain sampling of the half-size picture."""
    space = inspect_model(guider.model_patcher).space
    x = noise(batch=batch, space=space)
    fine = mixed(guider, x, all_fine(batch, views), latent, **options)
    torch.testing.assert_close(fine, native(guider, x, latent, **options), atol=atol, rtol=0)
    coarse = mixed(guider, x, none_fine(batch, views), latent, **options)
    small = None if latent is None else half(latent, space, F.avg_pool2d)
    native_small = native(guider, half(x, space), small, **options)
    expected = space.leave(spread(space.enter(native_small)))
    torch.testing.assert_close(coarse, expected, atol=atol, rtol=0)


def half(latent, space, shrink=None):
    """A host's latent at half size: every second latent pixel, or by `shrink` of a factor."""
    entered = space.enter(latent)
    return space.leave(pick(entered) if shrink is None else shrink(entered, 2))


def assert_matters(guider, without, views=PAPER, batch=2, **options):
    """In a mixed layout, what was wired in changes the picture."""
    x = noise(batch=batch, space=inspect_model(guider.model_patcher).space)
    layout = scattered(batch, views)
    one, other = (mixed(g, x, layout, **options) for g in (guider, without))
    assert torch.isfinite(one).all()
    assert (one - other).abs().max() > 1e-3


def _sampler(sampler):
    return comfy.samplers.sampler_object(sampler) if isinstance(sampler, str) else sampler
