"""TeaCache: compute when the first block's input has changed enough (Liu et al., 2411.19108)."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ...families.blocks import Blocks
from ...sampling.keys import LEVELS, STAGE_LEVELS
from ..passes import Evaluation, Group
from ..policy import Policy


@dataclass(frozen=True, kw_only=True)
class TeaCache(Policy):
    """Decides each picture by the relative L1 change of the first block's modulated input.

    Changes add up over skipped evaluations; below the threshold the last residual is held. The
    published polynomial that rescales the change is left out: it is fitted to 28 even steps of one
    model at one size. The first and the last step of every stage are computed.

    threshold  delta >= 0: accumulated relative change that is still skipped.
    """

    threshold: float

    def __post_init__(self) -> None:
        if not self.threshold >= 0:
            raise ValueError(
                f"The threshold must not be negative, got {self.threshold:g}: try 0.25, or 0 to "
                "skip nothing."
            )

    @property
    def computes_all(self) -> bool:
        return self.threshold == 0

    def may_skip(self, evaluation: int) -> bool:
        return True

    def parts(self, count: int) -> list[slice]:
        return [slice(k, k + 1) for k in range(count)]

    def cost(self, args: dict, tokens: torch.Tensor, blocks: Blocks) -> int:
        return 2 * super().cost(args, tokens, blocks)

    def decide(self, evaluation: Evaluation) -> list[bool]:
        if not evaluation.blocks.is_even(evaluation.args):
            return [False] * len(evaluation.groups)
        signal = evaluation.blocks.modulated_input(evaluation.args)
        totals = [
            _accumulated(evaluation, group, signal[group.rows]) for group in evaluation.groups
        ]
        # The only value that the host waits for, once in a call.
        small = (torch.stack(totals) < self.threshold).tolist()
        decisions = []
        for is_small, group in zip(small, evaluation.groups, strict=True):
            skips = is_small and evaluation.fits(group)
            if not skips:
                extra = group.memory.extra
                extra["change"] = torch.zeros_like(extra["change"])
            decisions.append(skips)
        return decisions


def _accumulated(evaluation: Evaluation, group: Group, signal: torch.Tensor) -> torch.Tensor:
    """The change since the last computed evaluation: a number on the device, inf at the end."""
    memory = group.memory
    before = memory.extra.get("input")
    memory.extra["input"] = signal
    if before is None or before.shape != signal.shape or before.device != signal.device:
        memory.forget()
        memory.extra["change"] = signal.new_zeros((), dtype=torch.float32)
        return memory.extra["change"]
    change = (signal - before).abs().float().mean() / before.abs().float().mean()
    memory.extra["change"] = memory.extra["change"] + change
    steps = evaluation.options.get(STAGE_LEVELS, evaluation.options.get(LEVELS))
    if steps is None or len(steps) < 2:
        return memory.extra["change"]
    is_last = evaluation.sigma_of(group)[0] <= steps[-2].to(signal.device)
    return memory.extra["change"].masked_fill(is_last, torch.inf)
