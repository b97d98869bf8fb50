"""Forecasts of a network's features across steps: which evaluations to compute, and the rest.

TaylorSeer (Liu et al., arXiv 2503.06923) extrapolates features along the step index, with finite
differences as derivatives. Here the variable is sigma, whose distances are uneven in RALU's
stages: the forecast is the polynomial through the newest computed features, as Newton's divided
differences would give it, so it is exact for features that are polynomials of its order in sigma.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

SAME_SIGMA = 1e-6  # noise levels closer than this are one node: two would divide by zero
AGE_WEIGHT = 0.25  # ToCa's released weight of a token's age


def is_computed(evaluation: int, interval: int, warm_up: int) -> bool:
    """Whether an evaluation of a run is computed or forecast, as in TaylorSeer's released code.

    evaluation  0, 1, ... of the network since the caches were empty.
    interval    N >= 1: after the warm-up every N-th evaluation is computed.
    warm_up     W >= 1: the first W are computed.
    """
    return evaluation < warm_up or (evaluation - warm_up + 1) % interval == 0


def extrapolate(
    values: Sequence[torch.Tensor], sigmas: Sequence[torch.Tensor], sigma: torch.Tensor
) -> torch.Tensor:
    """The polynomial in sigma through `values`, read at another sigma.

    values  computed features, newest first, at least one; (B, L, C) each.
    sigmas  (B,) noise levels where they were computed.
    sigma   (B,) where to read. No value is read on the host, so a GPU does not wait.
    Returns (B, L, C), a new tensor. The order is one less than the number of distinct noise levels;
    of equal ones the newest counts.
    """
    newest = values[0]
    if len(values) == 1:
        return newest.clone()
    weights, result = lagrange_weights(sigmas, sigma), newest
    for value, weight in zip(values[1:], weights[1:], strict=True):
        # Weights sum to 1, so differences from the newest keep constants exact in any dtype.
        change = (value - newest).mul_(weight.to(value.dtype)[:, None, None])
        result = change.add_(result)
    return result


def lagrange_weights(sigmas: Sequence[torch.Tensor], sigma: torch.Tensor) -> list[torch.Tensor]:
    """What each of the values counts in the polynomial through them: (B,) each, their sum is 1."""
    distinct: list[torch.Tensor] = []
    for k, node in enumerate(sigmas):
        distances = [(node - newer).abs() > SAME_SIGMA for newer in sigmas[:k]]
        distinct.append(torch.stack([torch.ones_like(node, dtype=torch.bool), *distances]).all(0))
    weights = []
    for k, node in enumerate(sigmas):
        weight = distinct[k].to(node)
        for other, counts in zip(
            [*sigmas[:k], *sigmas[k + 1 :]], [*distinct[:k], *distinct[k + 1 :]], strict=True
        ):
            gap = torch.where(counts & distinct[k], node - other, torch.ones_like(node))
            weight = weight * torch.where(counts & distinct[k], (sigma - other) / gap, 1.0)
        weights.append(weight)
    return weights


def urgent_tokens(
    change: torch.Tensor, age: torch.Tensor, interval: int, count: int
) -> torch.Tensor:
    """ToCa's choice (Zou et al., arXiv 2410.05317) of tokens to compute: (B, count) indices.

    change  (B, L) how much a token's residual moved between computed evaluations, >= 0. The paper
            scores by attention received, which fused attention does not tell.
    age     (B, L) evaluations since the token was computed; weighs 0.25 per interval, as released.
    """
    relative = change / change.mean(dim=1, keepdim=True).clamp(min=1e-12)
    score = relative + AGE_WEIGHT * age / interval
    return score.topk(count, dim=1).indices
