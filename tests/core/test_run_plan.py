"""What a plan's run gives to the runner of its stages, and what it keeps."""

from __future__ import annotations

import weakref

import pytest
import torch
from closed_form import gaussian
from runs import LATENT, PLAN, SIZE, choose_by, normal

from ralu_core import Source, StageEnd, StageTask, Start, run_plan, sample
from ralu_core.latents.grid import FULL, HALF, MIXED
from ralu_core.latents.tokens import pick, spread
from ralu_core.plans import plain


def test_a_crossing_is_computed_where_the_stage_ended() -> None:
    begun = []

    def elsewhere(task: StageTask, start: Start) -> StageEnd:
        x = start.take()
        begun.append(x.device.type)
        assert task.white.device.type == task.clean.device.type == "cpu"
        return StageEnd(x.to("meta"), x.to("cpu") if task.stage.grid is HALF else x)

    run_plan(
        PLAN,
        Source.from_noise(normal(3, *SIZE)),
        elsewhere,
        choose_by(LATENT),
        lambda number: normal(number, *SIZE),
    )
    assert begun == ["cpu", "meta", "meta"]


def test_noise_is_drawn_once_for_each_crossing_and_may_be_drawn_ahead() -> None:
    drawn: list[int] = []
    seen: list[list[int]] = []

    def draw(number: int) -> torch.Tensor:
        drawn.append(number)
        return normal(number, *SIZE)

    def run_stage(task: StageTask, start: Start) -> StageEnd:
        if task.draw_ahead is not None:
            task.draw_ahead()
        assert (task.draw_ahead is None) == (task.stage is PLAN.stages[-1])
        seen.append(list(drawn))
        x = start.take()
        return StageEnd(x, x)

    source = Source.from_noise(normal(3, *SIZE))
    run_plan(PLAN, source, run_stage, choose_by(LATENT), draw)
    assert drawn == [1, 2] and seen == [[1], [1, 2], [1, 2]]


@pytest.mark.parametrize(("start", "crossings"), [(1.0, [1, 2]), (0.94, [2]), (0.5, [])])
def test_a_crossing_keeps_its_number_where_a_run_begins_later(
    start: float, crossings: list[int]
) -> None:
    drawn: list[int] = []

    def draw(number: int) -> torch.Tensor:
        drawn.append(number)
        return normal(number, *SIZE)

    def run_stage(task: StageTask, start: Start) -> StageEnd:
        x = start.take()
        return StageEnd(x, x)

    source = Source.from_noise(normal(3, *SIZE))
    run_plan(PLAN.begun_at(start), source, run_stage, choose_by(LATENT), draw)
    assert drawn == crossings


def test_a_start_is_taken_once() -> None:
    x = normal(1, *SIZE)
    start = Start(x)
    assert start.take() is x
    with pytest.raises(RuntimeError, match="asked for again"):
        start.take()


def test_a_stage_alone_keeps_the_memory_of_its_state() -> None:
    others: list[weakref.ref] = []
    alive: list[int] = []

    def run_stage(task: StageTask, start: Start) -> StageEnd:
        x = start.take()
        others.append(weakref.ref(x))
        x = x + 1
        alive.append(sum(other() is not None for other in others))
        end = StageEnd(x, x + 1)
        others.extend((weakref.ref(end.x), weakref.ref(end.denoised)))
        return end

    source = Source.from_noise(normal(3, *SIZE))
    run_plan(PLAN, source, run_stage, choose_by(LATENT), lambda number: normal(number, *SIZE))
    assert alive == [0, 0, 0] and len(others) == 9


@pytest.mark.parametrize(
    ("patch", "size", "larger"),
    [(2, (16, 22), "16x24"), (2, (6, 8), "8x8"), (1, (16, 21), "16x22")],
)
def test_a_latent_must_split_into_coarse_tokens(patch: int, size: tuple, larger: str) -> None:
    side, (h, w) = 2 * patch, size
    odd = Source.from_noise(torch.zeros(1, 4, *size), patch)
    with pytest.raises(ValueError, match=f"{side}x{side}, got {h}x{w}: draw noise of {larger}, "):
        sample(gaussian(0.2, 0.8), None, odd, PLAN, 0, LATENT)
    odd.check(plain(3.0))
    Source.from_noise(torch.zeros(1, 4, 2 * h, 2 * w), patch).check(PLAN)


def test_a_source_from_noise_is_clean_of_content() -> None:
    source = Source.from_noise(normal(3, *SIZE))
    assert source.clean.shape == SIZE and not source.clean.any()
    assert source.coarse.shape == (2, 4, 8, 12) and not source.coarse.any()


def test_stages_hold_noise_and_content_in_their_own_form() -> None:
    noise, clean, coarse = normal(1, *SIZE), normal(2, *SIZE), normal(3, 2, 4, 8, 12)
    regions = normal(4, 2, 4, 6) > 0
    tasks: list[StageTask] = []

    def run_stage(task: StageTask, start: Start) -> StageEnd:
        tasks.append(task)
        x = start.take()
        return StageEnd(x, x)

    whites = {number: normal(4 + number, *SIZE) for number in (1, 2)}
    run_plan(PLAN, Source(noise, clean, coarse), run_stage, lambda *_: regions, whites.__getitem__)
    low, mixed, full = tasks
    assert torch.equal(low.white, pick(noise)) and low.clean is coarse and low.layout is None

    assert mixed.layout is not None and torch.equal(mixed.layout.fine, regions)
    fine = mixed.layout.fine_pixels
    assert torch.equal(mixed.white, torch.where(fine, whites[1], spread(pick(whites[1]))))
    assert torch.equal(mixed.clean, torch.where(fine, clean, spread(coarse)))

    assert full.white is whites[2] and full.clean is clean and full.layout is None
    assert [task.stage.grid for task in tasks] == [HALF, MIXED, FULL]
    assert [task.before_choice for task in tasks] == [True, False, False]
    assert not any(task.keep_history for task in tasks)
