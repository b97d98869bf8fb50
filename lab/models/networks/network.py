"""How a network at toy size is made, and what the host is told of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch


@dataclass(frozen=True)
class Network:
    """make    the host's class, or what calls it; imported when it is first needed, as older hosts
            have not all of them.
    config  its own configuration's keys that the host cannot tell from the weights.
    kind    the host's class in `comfy.supported_models`, where the sizes hide it.
    """

    make: Callable[..., torch.nn.Module]
    config: Mapping[str, Any] = field(default_factory=dict)
    kind: str | None = None

    def build(self, **options: Any) -> torch.nn.Module:
        """options  of the maker, and dtype, device and operations."""
        return self.make(**self.config, **options)
