"""What happens in a run, kept as it happens: steps, calls, seconds, estimates. Others listen."""

from __future__ import annotations

import copy
import functools
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import comfy.model_management
import torch

from ....ralu_core.latents.space import Space
from ....ralu_core.latents.states import State
from ....ralu_core.latents.views import PAPER
from ....ralu_core.tasks import StageTask
from .keys import WORK


@dataclass
class StageRecord:
    """What one stage did.

    number   of the stage in its plan, from 1; grid tells its kind, words say it.
    steps    sampling steps.
    tokens   per picture of the batch.
    calls    evaluations of the guided model; some samplers make two in a step.
    loading  seconds before the first call, when the model is moved to its device.
    seconds  from then to the end of the stage.
    share    of the blocks' work in these calls, what ran; RALU Temporal Acceleration skips some.
    is_cold  whether weights were still on their way to the device in these calls.
    rows     of the network for one estimate: 2 where guidance takes a second call.
    views    how tokens of two sizes saw each other, one of `views.VIEWS_KNOWN`.
    """

    number: int
    grid: str
    words: str
    steps: int
    tokens: list[int]
    calls: int = 0
    loading: float = 0.0
    seconds: float = 0.0
    share: float = 1.0
    is_cold: bool = False
    rows: int = 1
    views: str = PAPER


class Listener:
    """Told of a run while it goes; a listener overrides what it shows."""

    def stage_began(self, record: StageRecord) -> None:
        """Before the stage's first step."""

    def step_done(
        self,
        record: StageRecord,
        step: int,
        denoised: torch.Tensor | None,
        x: torch.Tensor | None = None,
    ) -> None:
        """After a step, counted from 1 within the stage.

        denoised, x  its clean estimate, and the state that it began with, in the host's form; None
                     where the stage is over, whatever its sampler reported.
        """

    def regions_sought(self) -> None:
        """Before a picture is decoded to look for regions."""

    def regions_chosen(self, picture: torch.Tensor | None, chosen: torch.Tensor) -> None:
        """The chosen coarse tokens (B, rows, columns), on the picture if one was decoded."""

    def run_ended(self) -> None:
        """After the last stage, or where the run stopped."""


@dataclass
class Watch:
    """`records` tells afterwards what was run.

    patcher    the MODEL that is sampled.
    space      of its latents.
    listeners  who is told.
    """

    patcher: Any
    space: Space = field(default_factory=Space)
    listeners: tuple[Listener, ...] = ()
    records: list[StageRecord] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._denoised: torch.Tensor | None = None
        self._history: list[State] = []
        self._last: State | None = None
        self._sums: list[tuple[torch.Tensor, torch.Tensor]] = []

    @contextmanager
    def stage(self, task: StageTask, tokens: list[int], rows: int) -> Iterator[Any]:
        """Yields the callback that the host's sampling calls at every step of the stage."""
        stage = task.stage
        grid = stage.grid
        record = StageRecord(
            stage.number, grid.name, grid.words, stage.steps, tokens, views=stage.views, rows=rows
        )
        self.records.append(record)
        self._history.clear()
        self._last = None
        self._sums.clear()
        started = time.perf_counter()
        for listener in self.listeners:
            listener.stage_began(record)

        def callback(step: int, denoised: torch.Tensor, x: torch.Tensor, _total: int) -> None:
            comfy.model_management.throw_exception_if_processing_interrupted()
            self._denoised = denoised
            sigma, enter = stage.sigmas[min(step, stage.steps)], self.space.enter
            if task.keep_history:
                self._history.append(State(sigma, enter(x).clone(), enter(denoised)))
            if task.keep_last:
                self._last = State(sigma, enter(x), enter(denoised))
            for listener in self.listeners:
                listener.step_done(record, step + 1, denoised, x)

        yield callback
        for listener in self.listeners:
            listener.step_done(record, stage.steps, None)
        record.seconds = time.perf_counter() - started - record.loading

    def timed(self, sampler: Any) -> Any:
        """A copy of a SAMPLER that notes when the model is loaded, its calls, and what they ran."""
        function, started = sampler.sampler_function, time.perf_counter()

        @functools.wraps(function)
        def sample(model, *args, **kwargs):
            record = self.records[-1]
            record.loading = time.perf_counter() - started
            loaded = self.patcher.loaded_size()
            samples = function(_Counted(model, record, self._sums), *args, **kwargs)
            record.is_cold = self.patcher.loaded_size() > loaded
            record.share = _share_of((kwargs.get("extra_args") or {}).get("model_options", {}))
            return samples

        timed = copy.copy(sampler)
        timed.sampler_function = sample
        return timed

    def take_denoised(self) -> torch.Tensor:
        """The clean estimate of the last step, in the model's own scaling, in its space. ValueError
        where the SAMPLER reported none."""
        if self._denoised is None:
            raise ValueError(
                "RALU reads the clean estimate that samplers report at each step, and this SAMPLER "
                "reported none: use one of ComfyUI's own samplers."
            )
        denoised, self._denoised = self._denoised, None
        return self.space.enter(denoised)

    def came_from_model(self) -> bool:
        """Whether what is no number in this stage was first seen in what the model returned."""
        for given, returned in self._sums:
            if not torch.isfinite(given):
                return False
            if not torch.isfinite(returned):
                return True
        return False

    def take_history(self) -> tuple[State, ...]:
        """The steps of the stage, where its task asked for them."""
        history = tuple(self._history)
        self._history.clear()
        return history

    def take_last(self) -> State | None:
        """Where the last step of the stage began, where its task asked for that. Not a copy: of use
        after steps alone that write into nothing, as those of `second_order` do."""
        last, self._last = self._last, None
        return last

    def regions_sought(self) -> None:
        for listener in self.listeners:
            listener.regions_sought()

    def regions_chosen(self, picture: torch.Tensor | None, chosen: torch.Tensor) -> None:
        for listener in self.listeners:
            listener.regions_chosen(picture, chosen)

    def close(self) -> None:
        for listener in self.listeners:
            listener.run_ended()


class _Counted:
    """The guided model as a sampler sees it, counting calls.

    sums  of what each call was given and returned, left on the device: nobody waits for them, and
          they are read only where a stage ends in what is no number.
    """

    __slots__ = ("_model", "_record", "_sums")

    def __init__(self, model: Any, record: StageRecord, sums: list):
        self._model, self._record, self._sums = model, record, sums

    def __call__(self, x, *args, **kwargs):
        self._record.calls += 1
        given = x.sum()
        returned = self._model(x, *args, **kwargs)
        self._sums.append((given, returned.sum()))
        return returned

    def __getattr__(self, name: str) -> Any:
        # A copy that is still being made has none, and must not ask for it here again.
        return getattr(object.__getattribute__(self, "_model"), name)

    def __setattr__(self, name: str, value: Any) -> None:
        """On the model: samplers that call it in tiles give it the noise and latent of each."""
        if name in _Counted.__slots__:
            object.__setattr__(self, name, value)
        else:
            setattr(self._model, name, value)

    def __delattr__(self, name: str) -> None:
        """From the model: samplers that call it at another size give it back its own after."""
        delattr(self._model, name)


def came_through_model(error: BaseException) -> bool:
    """Whether an error that a sampler lets out was raised in a call of its model."""
    calls = (frame.f_code for frame, _ in traceback.walk_tb(error.__traceback__))
    return _Counted.__call__.__code__ in calls


def _share_of(model_options: dict) -> float:
    """What an acceleration of these options has run so far; 1 without one."""
    work = model_options.get("transformer_options", {}).get(WORK)
    return 1.0 if work is None else work.share
