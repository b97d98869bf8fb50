"""What a method of acceleration decides; the engine does the rest."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import torch

from ....ralu_core.forecast import is_computed
from ..families.blocks import Blocks
from .passes import Evaluation, Group, Pass, forecasting


@dataclass(frozen=True)
class Policy(ABC):
    """One method. Its fields are the widgets it reads, and it refuses values that it cannot run.

    It holds nothing of a run: what it keeps for rows lies in their memory.
    """

    @classmethod
    def of(cls, numbers: Any) -> Policy:
        """The policy with its own of these numbers. ValueError for what cannot be run."""
        return cls(**{field.name: getattr(numbers, field.name) for field in fields(cls)})

    # What it says of itself.

    @property
    def computes_all(self) -> bool:
        """Whether nothing is ever skipped, so that nothing needs to be kept."""
        return False

    @property
    def keeps(self) -> int:
        """How many computed residuals it looks at."""
        return 1

    @property
    def skipped_work(self) -> float:
        """Of the blocks' work, what a skipped call still runs."""
        return 0

    @property
    def partial_work(self) -> float:
        """Of the blocks' work, what a call runs that is computed for some tokens."""
        return 1

    @property
    def cheaper(self) -> str:
        """What would keep less, in the middle of an advice; nothing where no widget helps."""
        return ""

    def blocks(self, depth: int) -> range:
        """Which of a network's `depth` blocks, double or joint first, the caches stand for."""
        return range(depth)

    def check(self, blocks: type[Blocks]) -> None:
        """ValueError for blocks that it cannot run."""
        return None

    # What it is asked in a call.

    def begin(self, options: dict, running: Callable[[], Pass]) -> dict:
        """The transformer_options for a call of the network; those given are not changed.

        running  tells the pass that runs when it is asked, inside of that call.
        """
        return options

    @abstractmethod
    def may_skip(self, evaluation: int) -> bool:
        """Whether a prompt's evaluation 0, 1, ... may be skipped, before anything of it is seen."""

    def parts(self, count: int) -> list[slice]:
        """Which of a prompt's `count` rows are decided together: all."""
        return [slice(0, count)]

    def cost(self, args: dict, tokens: torch.Tensor, blocks: Blocks) -> int:
        """Bytes that it will keep for each row of these tokens.

        args  of the first block, as the host calls its replacement.
        """
        return self.keeps * tokens[0].numel() * tokens.element_size()

    def decide(self, evaluation: Evaluation) -> list[bool]:
        """Which groups of rows are skipped now."""
        return [
            self.may_skip(group.evaluation) and evaluation.fits(group)
            for group in evaluation.groups
        ]

    def keep(self, group: Group, residual: torch.Tensor, sigma: torch.Tensor) -> None:
        """Remember what the blocks added to the rows that were computed, at these noise levels."""
        group.memory.push(residual, sigma, self.keeps)

    def start(self, evaluation: Evaluation) -> Pass:
        """The pass that is to run: forecasts where it decides so."""
        return forecasting(evaluation, self.decide(evaluation), self.keep)


@dataclass(frozen=True, kw_only=True)
class EveryNth(Policy):
    """After a warm-up every N-th evaluation is computed.

    interval  N >= 1.
    warm_up   W >= 1 first evaluations of every stage are computed.
    """

    interval: int
    warm_up: int

    def __post_init__(self) -> None:
        for name in ("interval", "warm_up"):
            value = getattr(self, name)
            if not value >= 1:
                raise ValueError(f"The {name} must be at least 1, got {value}: try 3.")

    @property
    def computes_all(self) -> bool:
        return self.interval == 1

    def may_skip(self, evaluation: int) -> bool:
        return not is_computed(evaluation, self.interval, self.warm_up)
