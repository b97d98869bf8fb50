"""What each method costs: FLOPs of the network's calls, counted while the method runs."""

from __future__ import annotations

from dataclasses import dataclass

from lab.bench.counting import MetaVae, meta_patcher
from lab.quality.methods import Method
from lab.quality.rivals import Batch
from lab.quality.subject import Subject, architecture, list_pairs, of_patcher


@dataclass(frozen=True)
class Cost:
    """giga: FLOPs of the network for one picture, attention included, in 10^9; calls of it."""

    giga: float
    calls: int


def meta_subject(kind: str) -> Subject:
    """The miniature's class and size without weights."""
    return of_patcher(kind, meta_patcher(architecture(kind)), MetaVae())


def cost(method: Method, subject: Subject) -> Cost:
    """Counted on one picture. Where the ratio adapts to the picture, noise stands for it."""
    calls = subject.patcher.model.diffusion_model.calls
    calls.clear()
    method.run(Batch(subject, list_pairs(1)))
    total = sum(call.count.total for call in calls)
    return Cost(total / 1e9, len(calls))
