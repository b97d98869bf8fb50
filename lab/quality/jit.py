"""Just-in-Time (arXiv 2603.10744), a rival: all tokens exist, and a growing share is computed.

Anchors keep their own places, in Flux's ids or in SD3's table, so the network sees a picture with
holes. What follows the paper: shares, ends of stages, noise levels, the filling between anchors and
the choice of new ones by local variance of the velocity.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import torch
from kornia.filters import gaussian_blur2d
from scipy.stats import beta

from lab.comfy import ralu_pack
from lab.quality.probe import velocity
from lab.quality.rivals import Batch
from lab.quality.subject import Subject

SHARES = {18: (0.35, 0.62, 1.0), 11: (0.32, 0.6, 1.0)}  # by the steps they were published with
ENDS = 0.4, 0.65  # of the first two stages, as shares of the steps
LEVELS = 1.4, 0.425  # of the Beta distribution of noise levels
ROWS, COLUMNS = 1, 2  # among a token's ids
BLUR, LEAST_BLUR = 0.4, 1.0  # in latent pixels


def levels(steps: int) -> list[float]:
    """steps + 1 noise levels from 1 to 0."""
    return [float(beta.ppf(1 - k / steps, *LEVELS)) for k in range(steps + 1)]


def sample(batch: Batch, steps: int, shares: Sequence[float], order: int = 1) -> torch.Tensor:
    """Latents as a KSampler returns them. order 2: as the pack's second-order steps."""
    import comfy.model_management

    subject, sigmas = batch.subject, levels(steps)
    comfy.model_management.load_models_gpu([subject.patcher])
    noise, prompts = batch.noise(batch.latent), [pair.prompt for pair in batch.pairs]
    field = Field(noise, shares[0])
    x, before = noise, None
    turns = {round(end * steps): share for end, share in zip(ENDS, shares[1:], strict=True)}
    for step, (sigma, following) in enumerate(itertools.pairwise(sigmas)):
        if step in turns and before is not None:
            x = field.grow(x, sigma, before[1], turns[step])
        v = field.filled(guided(subject, prompts, x, sigma, field))
        ahead, slope = following - sigma, v
        if order == 2 and before is not None:
            slope = v + ahead / (2 * (sigma - before[0])) * (v - before[1])
        before, x = (sigma, v), x + ahead * slope
    return subject.patcher.model.process_latent_out(x)


def guided(subject: Subject, prompts: list[str], x: torch.Tensor, sigma: float, call: Any):
    """The velocity at the cfg that the subject's guider has: two calls, or one at cfg 1."""
    said, cfg = velocity(subject, prompts, x, sigma, call), subject.cfg
    if cfg == 1:
        return said
    unsaid = velocity(subject, [""] * len(prompts), x, sigma, call)
    return unsaid + cfg * (said - unsaid)


class Field:
    """Which tokens are anchors, and what lies between them; an APPLY_MODEL wrapper.

    noise  (B, C, H, W), the same for tokens that come later.
    """

    def __init__(self, noise: torch.Tensor, share: float):
        self.noise, self.side = noise, noise.shape[-1] // 2
        self._take(self._scores("even", noise), share)

    def _scores(self, name: str, velocity: torch.Tensor) -> torch.Tensor:
        """(B, tokens) by one of the pack's scores."""
        still = torch.zeros_like(velocity)
        states = ralu_pack.states
        end = states.StageEnd(velocity, still, (states.State(1.0, velocity, still),))
        evidence = ralu_pack.scores.Evidence(end, (self.side, self.side))
        return ralu_pack.scores.score_named(name)(evidence).flatten(1)

    def _take(self, scores: torch.Tensor, share: float) -> None:
        count = max(1, round(share * scores.shape[1]))
        self.index = scores.argsort(dim=1, descending=True)[:, :count].sort(1).values
        self.is_anchor = torch.zeros_like(scores, dtype=torch.bool).scatter_(1, self.index, True)

    @property
    def is_whole(self) -> bool:
        return self.index.shape[1] == self.side**2

    def __call__(self, executor, x, t, concat=None, context=None, control=None, options=None, **kw):
        if self.is_whole:
            return executor(x, t, concat, context, control, options, **kw)
        tokens = ralu_pack.tokens
        chosen = self._at_anchors(tokens.patchify(x))
        network = executor.class_obj.diffusion_model
        strip = tokens.unpatchify(chosen, 1, chosen.shape[1])
        table = not hasattr(network, "process_img")
        name = "cropped_pos_embed" if table else "process_img"
        placed = (self._read if table else self._placed)(getattr(network, name))
        with ralu_pack.shadow.shadowed(network, name, placed):
            out = executor(strip, t, concat, context, control, options, **kw)
        done = tokens.patchify(x).clone()
        index = self.index[..., None].expand(-1, -1, done.shape[-1])
        return self._picture(done.scatter(1, index, tokens.patchify(out)))

    def _placed(self, original):
        def process_img(x, **kwargs):
            made, ids, *rest = original(x, **kwargs)
            ids = ids.clone()
            ids[..., ROWS] = self.index // self.side
            ids[..., COLUMNS] = self.index % self.side
            return made, ids, *rest

        return process_img

    def _read(self, original):
        """The anchors' rows of SD3's table."""

        def cropped_pos_embed(_size, device=None):
            rows = original((2 * self.side, 2 * self.side), device=device)[0]
            return rows[self.index.to(rows.device)]

        return cropped_pos_embed

    def filled(self, values: torch.Tensor) -> torch.Tensor:
        """A map (B, C, H, W) with what its anchors say put between them."""
        if self.is_whole:
            return values
        tokens = ralu_pack.tokens.patchify(values)
        place = torch.arange(self.side**2)
        places = torch.stack([place // self.side, place % self.side], -1).float()
        nearest = torch.cdist(places.expand(len(values), -1, -1), places[self.index]).argmin(2)
        anchors = self._at_anchors(tokens)
        spread = anchors.gather(1, nearest[..., None].expand(-1, -1, tokens.shape[-1]))
        density = self.index.shape[1] / self.side**2
        sigma = max(LEAST_BLUR, BLUR / density**0.5)
        size = 2 * round(2 * sigma) + 1
        smooth = gaussian_blur2d(self._picture(spread), size, (sigma, sigma), "replicate")
        smooth = ralu_pack.tokens.patchify(smooth)
        return self._picture(torch.where(self.is_anchor[..., None], tokens, smooth))

    def grow(self, x: torch.Tensor, sigma: float, v: torch.Tensor, share: float) -> torch.Tensor:
        """More anchors; the new ones are set on the noise level of what lies around them."""
        clean, before = self.filled(x - sigma * v), self.is_anchor
        scores = self._scores("velocity_variance", v)
        self._take(scores.masked_fill(before, torch.inf), share)
        target = ralu_pack.tokens.patchify((1 - sigma) * clean + sigma * self.noise)
        new = (self.is_anchor & ~before)[..., None]
        return self._picture(torch.where(new, target, ralu_pack.tokens.patchify(x)))

    def _at_anchors(self, tokens: torch.Tensor) -> torch.Tensor:
        return tokens.gather(1, self.index[..., None].expand(-1, -1, tokens.shape[-1]))

    def _picture(self, tokens: torch.Tensor) -> torch.Tensor:
        return ralu_pack.tokens.unpatchify(tokens, self.side, self.side)
