"""Put the acceleration on a copy of a MODEL, and refuse what cannot stand beside it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from comfy.patcher_extension import WrappersMP

from ..families.blocks import Blocks
from ..families.inspect import copy_of, unwrapped
from ..sampling.arguments import Arguments
from ..sampling.keys import CACHE, FORECASTS, WORK
from .acceleration import Acceleration
from .caches import RunState
from .call import Call

CACHE_WORDS = ("cache", "taylorseer")  # in the names of other packs' functions

log = logging.getLogger(__name__)


def accelerate(
    patcher,
    settings: Acceleration,
    *,
    blocks: type[Blocks],
    depth: int,
    tell: Callable[[str], None],
):
    """A copy of the MODEL that skips as `settings` say. ValueError where it cannot.

    blocks  the form of this MODEL's; a copy on another GPU is another network.
    depth   how many they are.
    tell    is given a line about each sampling call when it is over; "" where there is nothing to
            say.
    The copy holds three wrappers and no state; an acceleration that was already there is replaced.
    """
    settings.policy.check(blocks)
    settings.policy.blocks(depth)  # refuses an empty range before anything is sampled
    check_neighbours(patcher.model_options, patcher.wrappers)
    clone = copy_of(patcher)
    if clone.get_wrappers(WrappersMP.OUTER_SAMPLE, FORECASTS):
        log.warning("RALU Temporal Acceleration replaces the one in front of it.")
    wrappers = {
        WrappersMP.OUTER_SAMPLE: Sampling(settings, tell),
        WrappersMP.PREDICT_NOISE: count_evaluation,
        WrappersMP.APPLY_MODEL: NetworkCalls(blocks),
    }
    for kind, wrapper in wrappers.items():
        clone.remove_wrappers_with_key(kind, FORECASTS)
        clone.add_wrapper_with_key(kind, FORECASTS, wrapper)
    return clone


class Sampling:
    """An OUTER_SAMPLE wrapper: the caches live as long as one sampling call, so one RALU stage."""

    def __init__(self, settings: Acceleration, tell: Callable[[str], None]):
        self.settings, self.tell = settings, tell

    def __call__(self, executor, *args, **kwargs):
        guider = executor.class_obj
        options = guider.model_options
        inner = options.get("transformer_options", {})
        check_neighbours(options, inner.get("wrappers", {}))
        state = RunState(self.settings)
        inner = {**inner, FORECASTS: state, WORK: state}
        guider.model_options = {**options, "transformer_options": inner}
        try:
            result = executor(*args, **kwargs)
        finally:
            guider.model_options = options
            state.close()
        if self.settings.policy.computes_all:
            self.tell("")
        else:
            log.info("RALU Temporal Acceleration, %s", state.line())
            self.tell(state.line())
        return result


def count_evaluation(executor, x, timestep, model_options, seed):
    """A PREDICT_NOISE wrapper, so that a prompt's gaps are known without reading noise levels."""
    state = model_options.get("transformer_options", {}).get(FORECASTS)
    if state is not None:
        state.evaluation += 1
    return executor(x, timestep, model_options, seed)


class NetworkCalls:
    """An APPLY_MODEL wrapper, outside of RALU's mixed call: its rows are whole pictures."""

    def __init__(self, blocks: type[Blocks]):
        self.blocks = blocks

    def __call__(self, executor, *args, **kwargs):
        given = Arguments.of(*args, **kwargs)
        state = given.options.get(FORECASTS)
        if state is None or not given.options.get("uuids") or state.settings.policy.computes_all:
            return executor(*args, **kwargs)
        blocks = self.blocks(unwrapped(executor.class_obj.diffusion_model))
        call = Call(state, blocks, given.options, given.t)
        return replace(given, options=call.options).given_to(executor)


def check_neighbours(model_options: dict, wrappers: dict[str, dict[str, list]]) -> None:
    """Refuse other caches by name; name a model_function_wrapper, which may be one."""
    holder = model_options.get("transformer_options", {}).get(CACHE)
    if holder is not None:
        refuse(getattr(holder, "name", "EasyCache"))
    for kinds in wrappers.values():
        for key, functions in kinds.items():
            for function in functions:
                if _is_cache(f"{key} {_name(function)}"):
                    refuse(_name(function))
    function = model_options.get("model_function_wrapper")
    if function is None:
        return
    if _is_cache(_name(function)):
        refuse(_name(function))
    log.warning(
        "RALU Temporal Acceleration runs inside the model_function_wrapper %s.", _name(function)
    )


def refuse(name: str) -> None:
    raise ValueError(
        f"Two caches would skip steps on each other's guesses, and this MODEL has {name}: remove "
        "it or RALU Temporal Acceleration."
    )


def _is_cache(name: str) -> bool:
    return any(word in name.lower() for word in CACHE_WORDS)


def _name(function: Any) -> str:
    """Module and name of a function, or of the class of a callable object.

    ComfyUI names the modules of a pack by their path; the folders above the pack say nothing.
    """
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{PurePath(named.__module__).name}.{named.__qualname__}"
