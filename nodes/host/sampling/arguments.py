"""What the host calls its model with, as an APPLY_MODEL wrapper is given it and hands it on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch

from .keys import ROWS


@dataclass(frozen=True)
class Arguments:
    """The arguments of one call of the host's model; `more` holds those that pass through."""

    x: torch.Tensor
    t: torch.Tensor
    concat: torch.Tensor | None
    context: torch.Tensor | None
    control: dict | None
    options: dict
    more: dict[str, Any]

    @classmethod
    def of(
        cls,
        x: torch.Tensor,
        t: torch.Tensor,
        c_concat: torch.Tensor | None = None,
        c_crossattn: torch.Tensor | None = None,
        control: dict | None = None,
        transformer_options: dict | None = None,
        **more: Any,
    ) -> Arguments:
        """By the host's own names and places."""
        return cls(x, t, c_concat, c_crossattn, control, transformer_options or {}, more)

    def with_options(self, **more: Any) -> Arguments:
        """The same call with more in its transformer_options, which are copied."""
        return replace(self, options={**self.options, **more})

    def given_to(self, executor: Callable) -> torch.Tensor:
        """What the call answers."""
        return executor(
            self.x, self.t, self.concat, self.context, self.control, self.options, **self.more
        )

    def rows(self, rows: list[int]) -> Arguments:
        """The same call for some rows of the batch."""
        total = self.x.shape[0]
        names = ("x", "t", "concat", "context", "control", "more")
        part = {name: select_rows(getattr(self, name), rows, total) for name in names}
        return replace(self, **part).with_options(**{ROWS: rows})


def select_rows(value: Any, rows: list[int], total: int) -> Any:
    """The given rows of every tensor of `total` rows inside dicts and lists.

    Taken one by one: a list as an index would wait for the device.
    """
    if torch.is_tensor(value):
        if value.ndim and value.shape[0] == total:
            return torch.stack([value[row] for row in rows])
        return value
    if isinstance(value, dict):
        return {key: select_rows(part, rows, total) for key, part in value.items()}
    if isinstance(value, list):
        return [select_rows(part, rows, total) for part in value]
    return value
