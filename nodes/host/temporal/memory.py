"""What is remembered of one prompt: residuals of the blocks, and what else a policy keeps."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

import torch


@dataclass
class Memory:
    """Residuals of some rows of one prompt, newest first. The rows are always the same.

    values  (rows, n, C) each: the tokens after the blocks less those before.
    sigmas  (rows,) noise levels of the evaluations they come from.
    extra   what else a policy keeps for these rows, by names of its own.
    """

    values: list[torch.Tensor] = field(default_factory=list)
    sigmas: list[torch.Tensor] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)

    def fits(self, like: torch.Tensor) -> bool:
        """Whether a forecast can be made for tokens of this shape, type and device."""
        return bool(self.values) and all(
            getattr(self.values[0], name) == getattr(like, name)
            for name in ("shape", "dtype", "device")
        )

    def push(self, value: torch.Tensor, sigma: torch.Tensor, keep: int) -> None:
        if self.values and not self.fits(value):
            self.forget()
        self.values.insert(0, value)
        self.sigmas.insert(0, sigma)
        del self.values[keep:], self.sigmas[keep:]

    def forget(self) -> None:
        """Drop the residuals, so that the next evaluation is computed."""
        self.values.clear()
        self.sigmas.clear()

    def clear(self) -> None:
        """Drop all that is kept."""
        self.forget()
        self.extra.clear()


@dataclass
class Track:
    """One prompt, seen by one kind of guidance: how often it was evaluated, and its memories.

    seen      the sampler's evaluation that it was last part of.
    reserved  bytes that its memories take when they are full.
    memories  by the items of the batch that share a token count; None is the whole batch.
    """

    evaluations: int = 0
    seen: int = 0
    reserved: int = 0
    memories: dict[Hashable, Memory] = field(default_factory=dict)

    def let_go(self) -> None:
        """Begin anew, with nothing kept."""
        for memory in self.memories.values():
            memory.clear()
        self.memories.clear()
        self.evaluations = self.reserved = 0
