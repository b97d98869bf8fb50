"""Whether a network asks where its tokens lie, which a mixed stage tells it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..families.inspect import unwrapped
from ..families.positions import counted


class PlaceProbe:
    """An APPLY_MODEL wrapper for the first stage of a run with a mixed one: RuntimeError after its
    first call where the network places its tokens without asking.

    hook  that it asks by, see `Family.hooks`.

    It changes no numbers. Compiled networks are left alone, as they would be compiled once more.
    """

    def __init__(self, hook: str):
        self.hook, self.is_done = hook, False

    def __call__(self, executor, *args, **kwargs):
        network = executor.class_obj.diffusion_model
        if self.is_done or unwrapped(network) is not network:
            return executor(*args, **kwargs)
        self.is_done = True
        with counted(network, self.hook) as asked:
            out = executor(*args, **kwargs)
        check_asked(network, asked)
        return out


def check_asked(network: Any, asked: Sequence) -> None:
    """RuntimeError where a network did not ask where its tokens lie."""
    if not asked:
        raise RuntimeError(
            f"RALU tells {type(network).__name__} where the tokens of its mixed stage lie, and the "
            "model does not ask, because another node replaced the forward pass: remove that node, "
            "or use a KSampler for this MODEL."
        )
