"""Attention in two calls over disjoint queries: those of coarse tokens, and those of fine ones."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

OVERRIDE = "optimized_attention_override"  # the host's hook around its attention
Turn = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Joint:
    """How the tokens of an attention call lie: text, its second copy, coarse, fine, others.

    text    tokens of one copy; copies of it, 1 or 2.
    coarse  tokens that stay coarse; fine those that grew, four by four.
    Others follow: references belong to the fine tokens' view, padding to the text's, the coarse.
    padded  whether the others are padding.
    """

    text: int
    copies: int
    coarse: int
    fine: int
    padded: bool = False

    def split(self, tokens: torch.Tensor, axis: int) -> list[torch.Tensor]:
        """First text, second text, coarse, fine, others; the second is empty with one copy."""
        second = self.text * (self.copies - 1)
        sizes = [self.text, second, self.coarse, self.fine]
        return list(tokens.split([*sizes, tokens.shape[axis] - sum(sizes)], dim=axis))


class SplitAttention:
    """Stands in for the host's attention in one packed call. No masks, so that any kernel runs.

    Coarse queries see the text, coarse keys, and for each place that grew the mean of its four keys
    and values there: a half-size picture. Fine queries see their own copy of the text, or the one
    there is, each coarse key `near` times in the middle of its four, and all fine keys. All see
    the keys of others.

    joint   (queries, keys) of a call -> how its tokens lie; None for calls of other tokens.
    turns   of keys into the other view: coarse to fine, fine to coarse, text to fine.
    near    how often fine queries see each coarse key.
    before  another node's attention, under this one; None for the host's.
    calls   how many were split.
    """

    def __init__(
        self,
        joint: Callable[[int, int], Joint | None],
        turns: tuple[Turn, Turn, Turn],
        near: int,
        before: Callable | None,
    ):
        self.joint, self.near, self.before, self.calls = joint, near, before, 0
        self.to_fine, self.to_coarse, self.text_to_fine = turns

    def __call__(self, function: Callable, q, k, v, heads: int, mask=None, *rest, **kwargs):
        if self.before is not None:
            function = functools.partial(self.before, function)
        is_apart = kwargs.get("skip_reshape", False)
        axis = 2 if is_apart else 1
        joint = self.joint(q.shape[axis], k.shape[axis])
        if joint is None:
            return function(q, k, v, heads, mask, *rest, **kwargs)
        self.calls += 1
        if not is_apart:  # (n, L, heads * d) -> (n, heads, L, d)
            q, k, v = (one.unflatten(2, (heads, -1)).movedim(2, 1) for one in (q, k, v))
            kwargs = {**kwargs, "skip_reshape": True}

        def attend(queries, keys, values, bias):
            parts = (torch.cat(part, dim=2) for part in (queries, keys, values))
            return function(*parts, heads, bias, *rest, **kwargs)

        place = 2 if kwargs.get("skip_output_reshape", False) else 1
        return self._both(attend, joint, (q, k, v), mask, place)

    def _both(self, attend: Callable, joint: Joint, qkv: tuple, mask: Any, place: int):
        (q1, q2, qc, qf, qo), (k1, k2, kc, kf, ko), (v1, v2, vc, vf, vo) = (
            joint.split(one, 2) for one in qkv
        )
        text_k, text_v = (k2, v2) if joint.copies == 2 else (self.text_to_fine(k1), v1)
        near = self.to_fine(kc)
        ours, theirs = ((qo,), ()) if joint.padded else ((), (qo,))
        coarse = attend(
            (q1, qc, *ours),
            (k1, kc, _mean_of_four(self.to_coarse(kf), 2), ko),
            (v1, vc, _mean_of_four(vf, 2), vo),
            _coarse_mask(joint, mask),
        )
        fine = attend(
            (q2, qf, *theirs),
            (text_k, *[near] * self.near, kf, ko),
            (text_v, *[vc] * self.near, vf, vo),
            _fine_mask(joint, mask, self.near),
        )
        first, last = coarse.split([q1.shape[2], coarse.shape[place] - q1.shape[2]], dim=place)
        second, late = fine.split([q2.shape[2], fine.shape[place] - q2.shape[2]], dim=place)
        last, padding = last.split([joint.coarse, last.shape[place] - joint.coarse], dim=place)
        return torch.cat([first, second, last, late, padding], dim=place)


def _mean_of_four(tokens: torch.Tensor, axis: int) -> torch.Tensor:
    """Four by four along an axis; of a mask of bools, whether any of the four is seen."""
    fours = tokens.unflatten(axis, (-1, 4))
    return fours.any(axis + 1) if tokens.dtype == torch.bool else fours.mean(axis + 1)


def _coarse_mask(joint: Joint, mask: torch.Tensor | None) -> torch.Tensor | None:
    if mask is None:
        return None
    if mask.shape[-2] > 1:
        text, _, coarse, _, others = joint.split(mask, mask.ndim - 2)
        mask = torch.cat([text, coarse, others] if joint.padded else [text, coarse], dim=-2)
    text, _, coarse, fine, others = joint.split(mask, mask.ndim - 1)
    return torch.cat([text, coarse, _mean_of_four(fine, mask.ndim - 1), others], dim=-1)


def _fine_mask(joint: Joint, mask: torch.Tensor | None, near: int) -> torch.Tensor | None:
    if mask is None:
        return None
    if mask.shape[-2] > 1:
        _, second, _, fine, others = joint.split(mask, mask.ndim - 2)
        mask = torch.cat([second, fine] if joint.padded else [second, fine, others], dim=-2)
    first, second, coarse, fine, others = joint.split(mask, mask.ndim - 1)
    text = second if joint.copies == 2 else first
    return torch.cat([text, *[coarse] * near, fine, others], dim=-1)
