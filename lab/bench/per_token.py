"""Whether the mixed stage's attention stays on fused kernels: its time per token against plain."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch

from lab.bench.clock import FORWARD, Clock, instrumented
from lab.bench.results import markdown
from lab.bench.runs import Setting, Subject, plain, ralu, with_steps
from ralu_core.latents.views import ONE_TEXT, PAPER, VIEWS, view_named

PIXELS = 16  # each way, of a token at full size
STEPS = 2  # of each plain run here, and of stage 2
MOST = 1.1  # times the seconds per token of a plain call of as many tokens
PREFIX = "stage 2 of RALU"


@dataclass(frozen=True)
class PerToken:
    """Seconds of a forward pass per picture token; every pass of every repeat.

    like  the run whose tokens a plain call of a smaller picture has; "" for others.
    """

    size: str
    run: str
    tokens: int
    seconds: list[float] = field(repr=False)
    like: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def measure(
    subject: Subject, presets: Sequence[str], width: int, height: int, repeats: int
) -> list[PerToken]:
    """Plain at full size; stage 2 of every preset, the same with its views corrected where the
    family can, and plain at as many tokens. In turn."""
    size, grid = f"{width}x{height}", (height // PIXELS, width // PIXELS)
    runs = [PerToken(size, "plain", math.prod(grid), [])]
    calls: list[Callable[[], Any]] = [lambda: plain(subject, STEPS, width, height)]
    for name in presets:
        plan = Setting(name, preset=name).plan(subject, width, height)
        tokens = plan.tokens(*grid)[1]
        short = with_steps(plan, (1, STEPS, 1))
        small = side_of(tokens)
        for views in _views_of(subject):
            told = "" if views == PAPER else f", {views}"
            runs.append(PerToken(size, f"{PREFIX} {name}{told}", tokens, []))
            seen = short.seeing(views)
            calls.append(lambda plan=seen: ralu(subject, plan, width, height))
        runs.append(PerToken(size, "plain, a smaller picture", math.prod(small), [], name))
        calls.append(lambda h=small[0], w=small[1]: plain(subject, STEPS, w * PIXELS, h * PIXELS))
    for repeat in range(repeats + 1):
        for run, call in zip(runs, calls, strict=True):
            passes = _passes(subject, call, run.run.startswith(PREFIX))
            if repeat:  # the first is a warm-up
                run.seconds.extend(seconds / run.tokens for seconds in passes)
    return runs


def _views_of(subject: Subject) -> list[str]:
    """As published, and corrected as well as the family can be."""
    family = subject.facts.family
    for corrected in (VIEWS, ONE_TEXT):
        try:
            family.views.check(view_named(corrected), {}, family.short)
        except ValueError:
            continue
        return [PAPER, corrected]
    return [PAPER]


def side_of(tokens: int) -> tuple[int, int]:
    """Rows and columns of a picture of about as many tokens, even, as latents are packed by two."""
    rows = max(2, 2 * round(math.sqrt(tokens) / 2))
    return rows, max(2, 2 * round(tokens / rows / 2))


def _passes(subject: Subject, call, mixed: bool) -> list[float]:
    clock = Clock(subject.patcher.load_device)
    with torch.inference_mode(), instrumented(subject, clock):
        call()
    return clock.visits(FORWARD, "stage 2" if mixed else None)


def table(found: list[PerToken]) -> str:
    """Markdown; each row of stage 2 beside plain sampling at both sizes."""
    rows = []
    for one in found:
        against = [f"{one.median / other.median:.3f}" for other in _beside(one, found)]
        micro = [1e6 * seconds for seconds in (one.median, min(one.seconds), max(one.seconds))]
        rows.append(
            (
                one.size,
                f"{one.run}{f' (for {one.like})' if one.like else ''}",
                one.tokens,
                f"{micro[0]:.3f}",
                f"{micro[1]:.3f} to {micro[2]:.3f}",
                *(against or ("", "")),
            )
        )
    head = ("size", "forward pass of", "tokens", "median us per token", "range")
    return markdown((*head, "of plain", "of plain, as many tokens"), rows)


def _beside(one: PerToken, found: list[PerToken]) -> list[PerToken]:
    """Of a stage 2, plain sampling at full size and at as many tokens; of others, nothing."""
    if not one.run.startswith(PREFIX):
        return []
    same = [other for other in found if other.size == one.size]
    full = next(other for other in same if other.run == "plain")
    return [full, next(o for o in same if o.like and one.run.startswith(f"{PREFIX} {o.like}"))]


def verdicts(found: list[PerToken]) -> list[str]:
    lines = []
    for one in found:
        for other in _beside(one, found)[1:]:
            ratio = one.median / other.median
            kept = "kept" if ratio <= MOST else "MISSED"
            lines.append(
                f"- {one.run} at {one.size}: {ratio:.3f} of a plain call's time per token at as "
                f"many tokens, most {MOST:g}: {kept}"
            )
    return lines


def records(found: list[PerToken]) -> list[dict]:
    return [asdict(one) for one in found]
