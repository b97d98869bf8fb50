"""What cannot be sampled is told before the model is called."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from runs import LATENT, PLAN, SIZE, plan_of

from ralu_core import (
    Enlarged,
    Enlarger,
    Evidence,
    Guided,
    Need,
    Regions,
    Score,
    Source,
    named_plan,
    over_tokens,
    sample,
)


class Seen(Score):
    """Reads the picture, and something else."""

    name = words = "seen"
    needs = Need.PICTURE | Need.HISTORY

    def __call__(self, evidence: Evidence) -> torch.Tensor:
        raise AssertionError


def of_channels(channels: int) -> Enlarged:
    return Enlarged(Enlarger(torch.zeros(4 * channels, 9 * channels), torch.zeros(4 * channels)))


def of_noise(*size: int, patch: int = 2) -> Source:
    return Source.from_noise(torch.zeros(size), patch)


ONE_STEP = plan_of(steps=(1, 2, 2))
SMALL_MASK = Regions("latent_gradient", always=torch.ones(1, 2, 2))
WHOLE_NUMBERS = Source.from_noise(torch.zeros(SIZE, dtype=torch.int64))
FEW_PIXELS = "tokens are 1 latent pixels wide, and this network's 2: set patch=2 of `Source`"
REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("step_variance reads 2 steps before", {"regions": Regions("step_variance"), "plan": ONE_STEP}),
    (r"match the coarse grid \(", {"regions": SMALL_MASK}),
    ("decode is None: pass a decoder", {"regions": Regions(Seen())}),
    ("A seed must be a whole number, 0 or more, got -1: ", {"seed": -1}),
    (r"A seed must be a whole number, 0 or more, got 1\.5: round it", {"seed": 1.5}),
    (r"Noise is of pictures, .* got \(.*: one picture has B = 1", {"source": of_noise(*SIZE[1:])}),
    (r"Noise is of pictures, floats .*\) of torch.int64: ", {"source": WHOLE_NUMBERS}),
    (r"no dimension empty, got \(0, ", {"source": of_noise(0, *SIZE[1:])}),
    ("needs one that was fitted, got none", {"plan": PLAN.growing_by("enlarger")}),
    ("needs one that was fitted, got none", {"plan": PLAN.growing_by(Enlarged())}),
    ("fitted on latents of 16 channels, got 4: ", {"plan": PLAN.growing_by(of_channels(16))}),
    (FEW_PIXELS, {"source": of_noise(*SIZE, patch=1)}),
    (FEW_PIXELS, {"source": of_noise(*SIZE, patch=1), "plan": named_plan("Bottleneck Sampling")}),
    ("this network's 1: set patch=1 of `Source`", {"patch": 1}),
    (
        "a whole number of latent pixels wide, 1 or more, got 0",
        {"source": of_noise(*SIZE, patch=0)},
    ),
    ("whole tokens of 3x3, got 16x24", {"plan": named_plan("plain"), "patch": 3}),
    ("is told one place of each, and the views 'views' have two", {"plan": PLAN.seeing("views")}),
]


@pytest.mark.parametrize(("told", "change"), REFUSED, ids=[told for told, _ in REFUSED])
def test_what_cannot_be_sampled_is_told_before_a_call(told: str, change: dict[str, Any]) -> None:
    calls = []

    def network(tokens: torch.Tensor, _places: torch.Tensor, sigma: float) -> torch.Tensor:
        calls.append(sigma)
        return tokens

    run = {"regions": LATENT, "plan": PLAN, "seed": 0, "source": of_noise(*SIZE), "patch": 2}
    run = {**run, **change}
    denoise = over_tokens(network, run["patch"])
    with pytest.raises(ValueError, match=told):
        sample(denoise, None, run["source"], run["plan"], run["seed"], run["regions"])
    assert not calls


@pytest.mark.parametrize(
    ("told", "got"),
    [
        (lambda _: None, "NoneType"),
        (lambda tokens: (tokens,), "tuple"),
        (lambda tokens: tokens[..., :4], r"\(1, 24, 4\)"),
        (lambda tokens: Guided(tokens, tokens[:, :1]), r"\(1, 1, 16\)"),
    ],
    ids=["nothing", "a tuple", "narrow", "one of two"],
)
def test_what_is_no_estimate_of_the_tokens_is_told_at_the_first_call(told: Any, got: str) -> None:
    calls = []

    def network(tokens: torch.Tensor, _places: torch.Tensor, sigma: float) -> Any:
        calls.append(sigma)
        return told(tokens)

    source = of_noise(1, 4, 16, 24)
    with pytest.raises(ValueError, match=rf"shape \(1, 24, 16\), or `Guided` of two, got {got}: "):
        sample(over_tokens(network), None, source, PLAN, 0, LATENT)
    assert len(calls) == 1


def test_tokens_of_full_size_alone_are_the_networks() -> None:
    """The source's are read where the plan has coarse ones."""
    source, plan = of_noise(1, 4, 5, 7), named_plan("plain")
    assert sample(over_tokens(lambda x, *_: x, 1), None, source, plan, 0).x.shape == (1, 4, 5, 7)
