"""What one sampling call remembers: residuals per prompt, counted and bounded."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from dataclasses import dataclass, field

import torch

from .settings import DELTA_DIT, GIGABYTE, TAYLORSEER, TOCA, Settings

KEY = "ralu_temporal"  # of the node's wrappers, and of the run's state in transformer_options


@dataclass
class Memory:
    """Residuals of some rows of one prompt, newest first. The rows are always the same.

    values     (rows, n, C) each: the tokens after the blocks less those before.
    sigmas     (rows,) noise levels of the evaluations they come from.
    extra      what else a method keeps for these rows.
    attention  ToCa: keys and values of all tokens, by the order of the attention calls.
    text       how many of those tokens are text.
    """

    values: list[torch.Tensor] = field(default_factory=list)
    sigmas: list[torch.Tensor] = field(default_factory=list)
    extra: dict[str, torch.Tensor] = field(default_factory=dict)
    attention: dict[int, tuple[torch.Tensor, torch.Tensor]] = field(default_factory=dict)
    text: int = 0

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


@dataclass
class Track:
    """One prompt, seen by one kind of guidance: how often it was evaluated, and its memories.

    seen      the sampler's evaluation that it was last part of.
    memories  by the items of the batch that share a token count; None is the whole batch.
    """

    evaluations: int = 0
    seen: int = 0
    memories: dict[Hashable, Memory] = field(default_factory=dict)


@dataclass
class RunState:
    """The caches of one sampling call, thus of one RALU stage; nothing outlives it.

    computed, skipped  calls of the network that ran its blocks, and that did not.
    partial            calls that ran them for some tokens.
    reserved           bytes that the caches take when they are full.
    evaluation         how often the sampler has asked for a prediction.
    """

    settings: Settings
    computed: int = 0
    skipped: int = 0
    partial: int = 0
    reserved: int = 0
    evaluation: int = 0
    pattern: str = ""

    def __post_init__(self) -> None:
        self._tracks: dict[Hashable, Track] = {}
        self._lock = threading.Lock()  # ComfyUI may run prompts on several GPUs at once

    def track(self, key: Hashable) -> Track:
        """The prompt's track; anew where it was left out of evaluations, as guiders may do."""
        with self._lock:
            track = self._tracks.setdefault(key, Track())
            if self.evaluation - track.seen > 1:
                track.evaluations = 0
                for memory in track.memories.values():
                    memory.forget()
            track.seen = self.evaluation
            return track

    def reserve(self, size: int) -> None:
        """Account for a cache before it is made. ValueError where it would exceed the bound."""
        with self._lock:
            limit = self.settings.max_memory * GIGABYTE
            if self.reserved + size > limit:
                raise ValueError(
                    f"{self.settings.method} would keep {(self.reserved + size) / GIGABYTE:.2g} GB "
                    f"beside the model, and max_memory allows {self.settings.max_memory:g} GB: "
                    f"raise it, {_cheaper(self.settings)}or make a smaller picture or batch."
                )
            self.reserved += size

    def note(self, kind: str) -> None:
        """Count a call: "computed", "partial" or "skipped"."""
        with self._lock:
            setattr(self, kind, getattr(self, kind) + 1)
            self.pattern += {"computed": "F", "partial": "p", "skipped": "s"}[kind]

    def close(self) -> None:
        """Let go of every tensor, also where something still refers to this state."""
        self._tracks.clear()

    @property
    def share(self) -> float:
        """Of the work of the network's blocks, what was run: 1 where nothing was skipped."""
        total = self.computed + self.partial + self.skipped
        chosen = self.settings
        beside = 1 - (chosen.range_end - chosen.range_start) if chosen.method == DELTA_DIT else 0
        run = self.computed + self.partial * (1 - chosen.cached_ratio) + self.skipped * beside
        return run / total if total else 1.0

    def line(self) -> str:
        """What happened, for the log and the node."""
        some = f", {self.partial} for some tokens" if self.partial else ""
        total = self.computed + self.partial + self.skipped
        return (
            f"{self.settings.method}: {self.computed} of {total} network calls computed{some}, "
            f"{self.skipped} skipped ({self.pattern}); caches of {self.reserved / 1e6:.0f} MB"
        )


def _cheaper(settings: Settings) -> str:
    """What would keep less, in the middle of an advice; nothing where no widget helps."""
    if settings.method == TOCA:
        return "choose TaylorSeer, "
    return "lower the order, " if settings.method == TAYLORSEER and settings.order > 0 else ""


def share_of(model_options: dict) -> float:
    """What the accelerated call of these options has run so far; 1 without an acceleration."""
    state = model_options.get("transformer_options", {}).get(KEY)
    return 1.0 if state is None else state.share
