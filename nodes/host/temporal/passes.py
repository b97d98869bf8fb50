"""One run of the network's blocks over one group of rows: as they are, forecast, or mixed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch

from ....ralu_core.forecast import extrapolate
from ..families.blocks import Blocks
from .hooks import Span, joined, run_block
from .memory import Memory


@dataclass(frozen=True)
class Group:
    """Rows of one prompt that are decided together.

    rows        where they lie among the tokens.
    evaluation  0, 1, ... of the prompt since its caches were empty.
    """

    memory: Memory
    rows: slice
    evaluation: int


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a policy sees right before the first of its blocks. It holds tokens: not to be kept.

    args     of that block, as the host calls its replacement.
    tokens   (rows, n, C) those whose residuals are remembered.
    sigma    (rows,) noise levels.
    options  the call's transformer_options.
    """

    groups: Sequence[Group]
    args: dict
    tokens: torch.Tensor
    sigma: torch.Tensor
    span: Span
    blocks: Blocks
    options: dict

    def fits(self, group: Group) -> bool:
        """Whether the group's memory can forecast its tokens."""
        return group.memory.fits(self.tokens[group.rows])

    def sigma_of(self, group: Group) -> torch.Tensor:
        """The group's noise levels, on the device of its tokens."""
        return self.sigma[group.rows].to(self.tokens.device)

    def forecast(self, group: Group) -> torch.Tensor:
        """The group's tokens after the blocks, from what it remembers."""
        memory = group.memory
        residual = extrapolate(memory.values, memory.sigmas, self.sigma_of(group))
        return residual.add_(self.tokens[group.rows])


class Pass:
    """Runs all blocks, and remembers nothing. The base of the others.

    kind  how it is counted: "computed", "partial" or "skipped".
    """

    kind: ClassVar[str] = "computed"

    def block(self, args: dict, extra: dict, previous: Callable | None) -> dict:
        """What stands for one block. previous: another node's replacement, if any."""
        return run_block(previous, args, extra)

    def attend(self, k, v, axis: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys and values for one call of the attention; tokens lie along `axis`."""
        return k, v

    def end(self, out: dict) -> dict:
        """What stands for the last block's output."""
        return out


Keep = Callable[[Group, torch.Tensor, torch.Tensor], None]


class Computed(Pass):
    """Runs all blocks and remembers what they added; puts forecasts in rows that have one."""

    def __init__(
        self, evaluation: Evaluation, forecasts: Sequence[torch.Tensor | None], keep: Keep
    ):
        self.groups, self.forecasts, self.keep = evaluation.groups, forecasts, keep
        self.sigma, self.span = evaluation.sigma, evaluation.span
        tokens = evaluation.tokens
        # Blocks may write into the image tokens that they are given.
        self.before = tokens.clone() if tokens is evaluation.args["img"] else tokens

    def end(self, out: dict) -> dict:
        after = self.span.read_out(out, self.before.shape[1])
        pairs = list(zip(self.groups, self.forecasts, strict=True))
        for group, forecast in pairs:
            if forecast is None:
                residual = after[group.rows] - self.before[group.rows]
                self.keep(group, residual, self.sigma[group.rows].to(self.before.device))
        if all(forecast is None for forecast in self.forecasts):
            return out
        parts = [after[group.rows] if one is None else one for group, one in pairs]
        return self.span.write(out, joined(parts))


class Skipped(Pass):
    """Runs no block: the tokens after them are forecast."""

    kind = "skipped"

    def __init__(self, span: Span, forecasts: list[torch.Tensor]):
        self.span, self.forecasts = span, forecasts

    def block(self, args: dict, extra: dict, previous: Callable | None) -> dict:
        return {key: args[key] for key in ("img", "txt") if key in args}

    def end(self, out: dict) -> dict:
        return self.span.write(out, joined(self.forecasts))


def forecasting(evaluation: Evaluation, skips: Sequence[bool], keep: Keep) -> Pass:
    """The pass that forecasts the groups that are skipped, and computes the others."""
    pairs = zip(evaluation.groups, skips, strict=True)
    forecasts = [evaluation.forecast(group) if skip else None for group, skip in pairs]
    made = [forecast for forecast in forecasts if forecast is not None]
    if len(made) == len(forecasts):
        return Skipped(evaluation.span, made)
    return Computed(evaluation, forecasts, keep)
