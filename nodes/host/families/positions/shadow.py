"""Replace one method of one instance for a while."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def shadowed(owner: Any, name: str, replacement: Callable) -> Iterator[None]:
    """While open, `owner.name` is the replacement; afterwards what it was."""
    before = owner.__dict__.get(name)
    setattr(owner, name, replacement)
    try:
        yield
    finally:
        delattr(owner, name)
        if before is not None:
            setattr(owner, name, before)
