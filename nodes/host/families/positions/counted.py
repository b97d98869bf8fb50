"""Whether a network asks where its tokens lie, without telling it anything else than the host."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from .shadow import shadowed


@contextmanager
def counted(network: Any, hook: str) -> Iterator[list[str]]:
    """While open, the list grows by one each time the network calls a hook: a method of its own, or
    a part of it."""
    part = getattr(network, hook)
    owner, name = (part, "forward") if isinstance(part, torch.nn.Module) else (network, hook)
    original = getattr(owner, name)
    asked: list[str] = []

    def noting(*args, **kwargs):
        asked.append(hook)
        return original(*args, **kwargs)

    with shadowed(owner, name, noting):
        yield asked
