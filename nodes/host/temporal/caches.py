"""What one sampling call remembers: a track per prompt, counted and bounded."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Hashable
from dataclasses import dataclass

from .acceleration import Acceleration
from .memory import Track

GIGABYTE = 1e9


@dataclass
class RunState:
    """The caches of one sampling call, thus of one RALU stage; nothing outlives it.

    computed, skipped  calls of the network that ran its blocks, and that did not.
    partial            calls that ran them for some tokens.
    reserved, most     bytes that the caches take when they are full: now, and at most in the call.
    evaluation         how often the sampler has asked for a prediction.
    """

    settings: Acceleration
    computed: int = 0
    skipped: int = 0
    partial: int = 0
    reserved: int = 0
    most: int = 0
    evaluation: int = 0
    pattern: str = ""

    def __post_init__(self) -> None:
        self._tracks: dict[Hashable, Track] = {}
        self._lock = threading.Lock()  # ComfyUI may run prompts on several GPUs at once

    def track(self, prompt: Hashable) -> Track:
        """The prompt's next track in this evaluation: each tile of a picture has its own. Tracks
        that an evaluation left out are let go, as of prompts that are over, and begin anew."""
        with self._lock:
            self._let_go_unseen_since(self.evaluation - 1)
            for number in itertools.count():
                track = self._tracks.setdefault((prompt, number), Track())
                if track.seen != self.evaluation or not self.evaluation:  # 0: nobody counts them
                    break
            track.seen = self.evaluation
            return track

    def _let_go_unseen_since(self, evaluation: int) -> None:
        for track in self._tracks.values():
            if track.seen < evaluation:
                self.reserved -= track.reserved
                track.let_go()

    def reserve(self, track: Track, size: int) -> None:
        """Account for a track's cache before it is made. ValueError where the bound is exceeded."""
        settings = self.settings
        most = settings.max_memory * GIGABYTE
        with self._lock:
            if self.reserved + size > most:  # of a prompt that may be over
                self._let_go_unseen_since(self.evaluation)
            if self.reserved + size > most:
                raise ValueError(
                    f"{settings.method} would keep {(self.reserved + size) / GIGABYTE:.2g} GB "
                    f"beside the model, and max_memory allows {settings.max_memory:g} GB: "
                    f"raise it, {settings.policy.cheaper}or make a smaller picture or batch."
                )
            self.reserved += size
            track.reserved += size
            self.most = max(self.most, self.reserved)

    def note(self, kind: str) -> None:
        """Count a call: "computed", "partial" or "skipped"."""
        with self._lock:
            setattr(self, kind, getattr(self, kind) + 1)
            self.pattern += {"computed": "F", "partial": "p", "skipped": "s"}[kind]

    def close(self) -> None:
        """Let go of every tensor. Hooks of a call refer to its memories, and wait in a cycle for a
        collector that nobody calls before the next stage needs the room."""
        for track in self._tracks.values():
            track.let_go()
        self._tracks.clear()

    @property
    def share(self) -> float:
        """Of the work of the network's blocks, what was run: 1 where nothing was skipped."""
        total = self.computed + self.partial + self.skipped
        policy = self.settings.policy
        run = (
            self.computed + self.partial * policy.partial_work + self.skipped * policy.skipped_work
        )
        return run / total if total else 1.0

    def line(self) -> str:
        """What happened, for the log and the node."""
        some = f", {self.partial} for some tokens" if self.partial else ""
        total = self.computed + self.partial + self.skipped
        return (
            f"{self.settings.method}: {self.computed} of {total} network calls computed{some}, "
            f"{self.skipped} skipped ({self.pattern}); caches of {self.most / 1e6:.0f} MB"
        )
