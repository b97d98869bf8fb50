"""The laws that every region score obeys, and a score that reads the steps of a stage."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from closed_form import gaussian
from runs import LATENT, PLAN, SIZE, choose_by, normal

from ralu_core import Evidence, Regions, Source, StageEnd, multistep, run_plan, sample
from ralu_core.latents.states import State
from ralu_core.scores import SCORES, Need, Score, score_named, select_ratio

GRID = (4, 6)


def picture_of(denoised: torch.Tensor) -> torch.Tensor:
    """A stand-in for a decoder: the first channels as colours, eight times as large."""
    colours = torch.sigmoid(4 * denoised[:, :3])
    return F.interpolate(colours, scale_factor=8).movedim(1, -1)


def evidence_of(denoised: torch.Tensor, grid: tuple[int, int] = GRID) -> Evidence:
    """All that a score may read."""
    history = tuple(State(level, denoised / 3, level * denoised) for level in (0.9, 0.8))
    attention = denoised.abs().mean(1)
    attention = F.adaptive_avg_pool2d(attention, grid)
    noise = F.adaptive_avg_pool2d(denoised, grid)[:, 0]
    end = StageEnd(denoised, denoised, history)
    return Evidence(end, grid, picture_of, attention, lambda: noise)


@pytest.fixture(params=SCORES)
def score(request: pytest.FixtureRequest) -> Score:
    assert SCORES[request.param].name == request.param
    return SCORES[request.param]


def test_it_says_what_it_does_and_reads(score: Score) -> None:
    assert score.words.startswith(score.name) and isinstance(score.needs, Need) and score.needs
    assert score_named(score.name) is score
    score.check()


@pytest.mark.parametrize("patch", [1, 2])
def test_a_score_for_every_coarse_token(score: Score, patch: int) -> None:
    denoised = normal(1, 3, 4, 4 * patch, 6 * patch)
    scores = score(evidence_of(denoised))
    assert scores.shape == (3, *GRID) and scores.dtype == torch.float32
    assert scores.device == denoised.device
    assert scores.min() >= 0 and scores.max() <= 1 and scores.isfinite().all()
    assert len(scores.unique()) > 1
    for i in range(3):
        alone = score(evidence_of(denoised[i : i + 1]))
        torch.testing.assert_close(alone[0], scores[i])


def test_it_leaves_its_evidence_alone(score: Score) -> None:
    denoised = normal(1, 1, 4, 8, 12)
    before = denoised.clone()
    score(evidence_of(denoised))
    assert torch.equal(denoised, before)


def test_nothing_to_see_is_scored_too(score: Score) -> None:
    scores = score(evidence_of(torch.full((1, 4, 8, 12), 0.5)))
    assert scores.isfinite().all() and select_ratio(scores, 0.3).sum() == 7


def test_it_chooses_the_regions_of_a_run(score: Score) -> None:
    source = Source.from_noise(normal(3, *SIZE))
    if Need.ATTENTION in score.needs:
        with pytest.raises(ValueError, match=f"{score.name} reads .* and nobody watches it here"):
            sample(gaussian(0.2, 0.8), None, source, PLAN, 0, Regions(score.name))
        return
    result = sample(gaussian(0.2, 0.8), picture_of, source, PLAN, 0, Regions(score.name))
    assert result.layout is not None and result.layout.counts == [24 + 3 * 7] * 2


def test_what_it_needs_is_refused_in_a_sentence_when_missing(score: Score) -> None:
    denoised = normal(1, 1, 4, 8, 12)
    bare = Evidence(StageEnd(denoised, denoised), GRID)
    if score.needs is Need.LATENT:
        assert score(bare).shape == (1, *GRID)
        return
    with pytest.raises(ValueError, match=r"^This score (looks at|reads) [^.]*: [^.]*\.$"):
        score(bare)


def test_unknown_names_are_answered_with_the_names() -> None:
    assert list(SCORES)[:3] == ["canny", "canny_gpu", "latent_gradient"]
    with pytest.raises(ValueError, match=f"one of {', '.join(SCORES)}, got 'sobel'"):
        score_named("sobel")


@pytest.mark.parametrize(
    "name", [name for name, one in SCORES.items() if one.needs is Need.PICTURE]
)
def test_a_missing_decoder_is_told_before_anything_is_sampled(name: str) -> None:
    def never(*_) -> torch.Tensor:
        raise AssertionError

    source = Source.from_noise(normal(3, *SIZE))
    with pytest.raises(ValueError, match="decode is None: pass a decoder, or choose a score"):
        sample(never, None, source, PLAN, 0, Regions(name))
    late = PLAN.begun_at(0.3)  # has no mixed stage, so it needs none
    sample(gaussian(0.2, 0.8), None, source, late, 0, Regions(name))


def test_unwatched_attention_is_refused() -> None:
    denoised = normal(1, 1, 4, 8, 12)
    with pytest.raises(ValueError, match="that tokens pay to the text, and nobody watched it"):
        _ = Evidence(StageEnd(denoised, denoised), GRID).to_text
    assert evidence_of(denoised).to_text.shape == (1, *GRID)


class Unsettled(Score):
    """How much the clean estimate of a coarse token changed over the steps of the stage."""

    name = words = "unsettled"
    needs = Need.HISTORY

    def __call__(self, evidence: Evidence) -> torch.Tensor:
        estimates = torch.stack([state.denoised for state in evidence.history])
        change = estimates.var(dim=0, correction=0).mean(dim=1, keepdim=True)
        scores = F.adaptive_avg_pool2d(change, evidence.grid)[:, 0]
        return scores / scores.amax(dim=(1, 2), keepdim=True)


@pytest.fixture(params=["by name", "itself"])
def unsettled(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Regions:
    if request.param == "itself":
        return Regions(Unsettled())
    monkeypatch.setitem(SCORES, "unsettled", Unsettled())
    return Regions("unsettled")


def test_a_score_says_what_it_needs() -> None:
    class Silent(Score):
        name = words = "silent"

        def __call__(self, evidence: Evidence) -> torch.Tensor:
            raise AssertionError

    class Wrong(Silent):
        needs = "history"  # type: ignore[assignment]

    for score in (Silent(), Wrong()):
        with pytest.raises(ValueError, match=r"needs, got (Silent|Wrong): set its `name` and"):
            Regions(score)


def restless(x: torch.Tensor, sigma: float, layout: object) -> torch.Tensor:
    """An estimate that changes from step to step in token column 2 alone."""
    estimate = torch.zeros_like(x)
    side = x.shape[-1] // 6
    estimate[..., 2 * side : 3 * side] = sigma
    return estimate


def test_a_score_of_all_steps_chooses_regions(unsettled: Regions) -> None:
    plan = PLAN
    source = Source.from_noise(normal(3, *SIZE))
    result = sample(restless, None, source, plan, 0, unsettled)
    assert result.layout is not None and result.layout.fine[:, :, 2].all()


def test_history_is_every_step_of_the_stage_before_the_choice() -> None:
    ends: list[StageEnd] = []
    seen: list[tuple[float, torch.Tensor]] = []

    def denoise(x: torch.Tensor, sigma: float, layout: object) -> torch.Tensor:
        seen.append((sigma, x))
        return gaussian(0.2, 0.8)(x, sigma, None)

    def choose(end: StageEnd, ratio: float) -> torch.Tensor:
        ends.append(end)
        return choose_by(LATENT)(end, ratio)

    source = Source.from_noise(normal(3, *SIZE))
    draw = lambda number: normal(number, *SIZE)  # noqa: E731
    run_plan(PLAN, source, multistep(denoise), choose, draw, keep_history=True)
    (end,) = ends
    assert [state.sigma for state in end.history] == list(PLAN.stages[0].sigmas[:-1])
    for state, (sigma, x) in zip(end.history, seen, strict=False):
        assert state.sigma == sigma and state.x is x
    assert end.history[-1].denoised is end.denoised


def test_only_the_stage_before_a_choice_keeps_its_steps() -> None:
    kept: list[bool] = []
    run = multistep(gaussian(0.2, 0.8))

    def watched(task, start) -> StageEnd:
        end = run(task, start)
        kept.append(bool(end.history))
        return end

    source = Source.from_noise(normal(3, *SIZE))
    draw = lambda number: normal(number, *SIZE)  # noqa: E731
    run_plan(PLAN, source, watched, choose_by(LATENT), draw, keep_history=True)
    assert kept == [True, False, False]


def test_a_history_that_was_not_kept_is_refused(unsettled: Regions) -> None:
    source = Source.from_noise(normal(3, *SIZE))
    run = multistep(gaussian(0.2, 0.8))
    draw = lambda number: normal(number, *SIZE)  # noqa: E731
    with pytest.raises(ValueError, match=r"none were kept: run the plan with keep_history=True"):
        run_plan(PLAN, source, run, choose_by(unsettled), draw)
    with pytest.raises(ValueError, match=r"begin before the stage that the score follows\.$"):
        sample(gaussian(0.2, 0.8), None, source, PLAN.begun_at(0.9369), 0, unsettled)
