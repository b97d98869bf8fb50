"""Choose the coarse tokens that grow early."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from ..latents.checks import check_ratio
from ..latents.grid import selected_count
from .lettering import lettering_first
from .score import Decode, Evidence, Need, Score, needed_decoder, needed_library
from .table import SCORES, score_named


@dataclass(frozen=True, eq=False)
class Regions:
    """How to choose the regions of a picture. ValueError for a score that does not exist or that
    does not say what it reads, and for a threshold outside (0, 1].

    score      one of `scores.SCORES`, by name, or your own `Score`.
    threshold  None takes the stage's fixed ratio; in (0, 1] all tokens with this share of edge
               pixels grow early, so that the ratio adapts to the picture.
    always     (B, h, w) bool coarse tokens that grow early in any case, or None.
    lettering  whether tokens that attend to the words in quotes come before all others.
    """

    score: str | Score = "canny"
    threshold: float | None = None
    always: torch.Tensor | None = None
    lettering: bool = False

    def __post_init__(self) -> None:
        score_named(self.score)
        if self.threshold is not None:
            _check_threshold(self.threshold)

    @property
    def scorer(self) -> Score:
        return score_named(self.score)

    @property
    def needs_history(self) -> bool:
        """Whether the stage before the choice is to keep its states."""
        return Need.HISTORY in self.scorer.needs

    @property
    def watches_text(self) -> bool:
        """Whether attention to the text is watched in that stage."""
        return self._reads_text or self.lettering

    @property
    def _reads_text(self) -> bool:
        return Need.ATTENTION in self.scorer.needs

    def check(self, decode: Decode | None) -> None:
        """Before anything is sampled: ImportError or ValueError where a library or a decoder is
        lacking, for one that reads what only a network knows, and for a threshold of one that
        counts no edge pixels."""
        self.scorer.check()
        if self.threshold is None:
            needed_library("scipy")  # for pictures with too few edges
        if self.threshold is not None and not self.scorer.is_share:
            shares = " or ".join(one.name for one in SCORES.values() if one.is_share)
            raise ValueError(
                f"A threshold is a share of edge pixels, and the score {self.scorer.name} counts "
                f"none, got {self.threshold:g}: set the threshold to None, or choose {shares}."
            )
        if self.watches_text:
            who = f"The score {self.scorer.name}" if self._reads_text else "Lettering"
            raise ValueError(
                f"{who} reads the attention that tokens pay to the text, and nobody watches it "
                "here: run the plan by run_plan with a choice of regions that does, or choose "
                "regions without."
            )
        if Need.PICTURE in self.scorer.needs:
            needed_decoder(decode)

    def check_fits(self, shape: tuple[int, int, int], steps: int) -> None:
        """Before anything is sampled: ValueError for a mask that is not of the coarse tokens
        (B, h, w), and for a score of more steps than the stage before its choice takes."""
        _check_mask(self.always, shape)
        if steps < self.scorer.least_steps:
            raise ValueError(
                f"The score {self.scorer.name} reads {self.scorer.least_steps} steps before the "
                f"regions are chosen, and the plan takes {steps} there: choose another score, or a "
                "plan of more steps."
            )

    def choose(self, evidence: Evidence, ratio: float) -> torch.Tensor:
        """Coarse tokens to grow early, (B, rows, columns) bool. ValueError from the score, where
        the evidence lacks what it reads, and from `select_ratio` or `select_threshold`."""
        scores = self.scorer(evidence)
        if self.lettering:
            scores = lettering_first(scores, evidence.to_lettering)
        return self.select(scores, ratio)

    def select(self, scores: torch.Tensor, ratio: float) -> torch.Tensor:
        """The same from (B, rows, columns) scores."""
        if self.threshold is None:
            return select_ratio(scores, ratio, self.always)
        return select_threshold(scores, self.threshold, self.always)


def select_ratio(
    scores: torch.Tensor, ratio: float, always: torch.Tensor | None = None
) -> torch.Tensor:
    """The best-scoring share of coarse tokens of each picture.

    scores  (B, h, w).
    ratio   in (0, 1); floor(ratio * h * w) tokens are chosen. Of equal scores the one nearer to
            an edge is chosen, so that few edges grow with what lies around them; then the lower
            index. NaN comes last.
    always  (B, h, w) bool, tokens that grow in any case; the share comes on top, from the rest.
    Returns (B, h, w) bool on the device of `scores`; found on the CPU, alike for any device.
    ValueError for a ratio or a mask that does not fit.
    """
    check_ratio(ratio)
    b, h, w = scores.shape
    always = _forced(scores, always)
    count = selected_count(ratio, h * w)
    if count == 0:
        return always
    seen = scores.cpu()
    ranks = seen.masked_fill(always.cpu() | seen.isnan(), float("-inf")).double()
    if ((ranks > 0).sum(dim=(1, 2)) < count).any():  # with edges enough, none of the rest is chosen
        ranks -= _edge_distance(seen)  # which is 0 where there is an edge
    flat = ranks.flatten(1)
    least = flat.kthvalue(h * w - count + 1, dim=1, keepdim=True).values
    above, equal = flat > least, flat == least
    left = count - above.sum(dim=1, keepdim=True)
    chosen = above | (equal & (equal.cumsum(dim=1) <= left))
    return chosen.reshape(b, h, w).to(scores.device) | always


def _edge_distance(scores: torch.Tensor) -> torch.Tensor:
    """(B, h, w) tokens to the nearest one with a score; without any, to the picture's centre."""
    from scipy.ndimage import distance_transform_edt

    blank = scores.numpy() == 0
    blank[:, scores.shape[1] // 2, scores.shape[2] // 2] &= ~blank.all(axis=(1, 2))
    found = np.empty(blank.shape)
    for picture, distances in zip(blank, found, strict=True):
        distance_transform_edt(picture, distances=distances)
    return torch.from_numpy(found)


def select_threshold(
    scores: torch.Tensor, threshold: float, always: torch.Tensor | None = None
) -> torch.Tensor:
    """Every coarse token whose score reaches the threshold: the paper's adaptive ratio.

    scores     (B, h, w) in [0, 1].
    threshold  in (0, 1]; pictures of one batch may come out with different counts.
    always     (B, h, w) bool, tokens that grow in any case.
    Returns (B, h, w) bool on the device of `scores`. ValueError for a threshold out of range, and
    for a mask that does not fit.
    """
    _check_threshold(threshold)
    return (scores >= threshold) | _forced(scores, always)


def mask_regions(mask: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    """Coarse tokens that a painted mask touches.

    mask  (B, H, W) in [0, 1]; any pixel above one half counts.
    grid  rows and columns of coarse tokens.
    Returns (B, rows, columns) bool.
    """
    return F.adaptive_max_pool2d(mask[:, None].float(), grid)[:, 0] > 0.5


def _check_threshold(threshold: float) -> None:
    if not 0 < threshold <= 1:
        raise ValueError(f"The edge threshold must lie in (0, 1], got {threshold:g}: try 0.1.")


def _forced(scores: torch.Tensor, always: torch.Tensor | None) -> torch.Tensor:
    if always is None:
        return torch.zeros_like(scores, dtype=torch.bool)
    _check_mask(always, tuple(scores.shape))
    return always.to(scores.device)


def _check_mask(always: torch.Tensor | None, shape: tuple[int, ...]) -> None:
    if always is not None and (always.shape != shape or always.dtype != torch.bool):
        raise ValueError(
            f"The always-early mask must be bool and match the coarse grid {shape}, got "
            f"{always.dtype} of {tuple(always.shape)}: make it with `mask_regions`."
        )
