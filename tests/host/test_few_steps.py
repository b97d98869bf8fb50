"""A user whose own run has few steps has a distilled model, and gets the plan for it."""

from __future__ import annotations

import itertools

import pytest
import torch
from comfy.sample import prepare_noise

from driving import advanced, plain, ralu
from lab.models import tiny
from ralu_pack.nodes.host.dial import QUALITIES, dialled_plan
from ralu_pack.nodes.host.families.inspect import ModelFacts
from ralu_pack.nodes.host.families.table import FAMILIES, family_named
from ralu_pack.nodes.host.few_steps import as_denoised
from ralu_pack.nodes.host.own_run import OwnRun
from ralu_pack.nodes.host.planning import planned
from ralu_pack.nodes.host.request import Settings
from ralu_pack.nodes.sampler import Sampler
from ralu_pack.nodes.schedule import MATCH, Schedule
from ralu_pack.nodes.shared_inputs import plain_steps_input
from ralu_pack.ralu_core.latents.checks import MAX_STEPS
from ralu_pack.ralu_core.latents.flow import shift_sigma, spaced_levels
from ralu_pack.ralu_core.latents.frame import Frame
from ralu_pack.ralu_core.plans.presets import FLUX_DEV_SHIFT, preset

FOUR, EIGHT = "4-step distilled", "8-step distilled"
TAKEN = [quality for quality in QUALITIES if quality != "custom"]
DIALLED = [quality for quality in TAKEN if quality != "paper"]
WORTH = 1.3  # of the FLOPs of the model's own few steps
SAMPLED = {"z_image": 8, "flux2": 4, "sd3": 4, "qwen_image": 8}


@pytest.fixture(params=FAMILIES, ids=lambda family: family.name)
def facts(request) -> ModelFacts:
    return ModelFacts.published(request.param, request.param.full_shift)


def frame_of(facts: ModelFacts, side: int = 1024) -> Frame:
    return Frame.of_picture(side, side, facts.space)


def test_the_dial_leaves_three_quarters_of_few_steps(facts):
    """In the pack's own samplers, and in those of others."""
    few = ((4, 3), (5, 4), (6, 5), (7, 6), (8, 6), (9, 7))
    frame = frame_of(facts)
    for (steps, left), quality, levels in itertools.product(few, DIALLED, (None, (1.0, 0.0))):
        settings = Settings(quality=quality, own=OwnRun(steps, levels=levels))
        chosen = planned(settings, facts, frame)
        assert chosen.plan.name == LEFT.format(left, steps) and chosen.published == steps
        (stage,) = chosen.plan.stages
        shift = facts.shift_for(frame, steps)
        assert stage.order == 1 and stage.sigmas == spaced_levels(shift, 1.0, 0.0, left)


@pytest.mark.parametrize(("steps", "name"), [(4, FOUR), (8, EIGHT)])
def test_few_steps_choose_papers_plan_and_it_saves(facts, steps, name):
    for side in (1024, 2048):
        frame = frame_of(facts, side)
        chosen = planned(Settings(quality="paper", own=OwnRun(steps)), facts, frame)
        if steps < facts.family.few_from:
            assert facts.family.name == "mage_flow"
            assert chosen.plan.name == PLAIN.format(f"{steps} steps")
            assert chosen.plan.steps == (steps,)
            continue
        assert chosen.plan.name == name and chosen.published == steps
        assert chosen.plan.steps == preset(name).steps
        assert chosen.plan.model_shift == facts.shift_for(frame, steps)
        assert facts.cost.speed_up(chosen.plan, *frame.fine_grid, steps) > WORTH


@pytest.mark.parametrize("quality", TAKEN)
@pytest.mark.parametrize("steps", [0, 10, 20, 50])
def test_more_steps_or_none_leave_the_plan_to_the_quality(facts, steps, quality):
    frame = frame_of(facts)
    chosen = planned(Settings(quality=quality, own=OwnRun(steps)), facts, frame)
    assert chosen.plan == dialled_plan(quality, facts, frame)


@pytest.mark.parametrize(("denoise", "steps"), [(0.14, 7), (0.28, 14), (0.56, 28), (0.57, 29)])
def test_a_part_is_compared_with_that_part_of_the_published_steps(denoise, steps):
    facts = ModelFacts.published(family_named("flux1"), FLUX_DEV_SHIFT)
    assert planned(Settings(own=OwnRun(denoise=denoise)), facts, frame_of(facts)).published == steps


def test_a_whole_run_of_another_node_is_compared_with_as_many_steps(facts):
    settings = Settings(), Settings(own=OwnRun(levels=(1.0, 0.0)))
    own, others = (planned(one, facts, frame_of(facts)).published for one in settings)
    assert own == others


PLAIN = "plain, as of {} none can be spared"
LEFT = "plain, {} of {} steps as for a distilled model"
BALANCED = "early second order 7, from 2.5 times the shift"
OF_PAPER = [(1, PLAIN.format("1 step")), (3, PLAIN.format("3 steps"))]
OF_PAPER += [(4, FOUR), (6, FOUR), (7, EIGHT), (9, EIGHT)]
CHOSEN = [
    (1, 1.0, PLAIN.format("1 step"), 1),
    (3, 1.0, PLAIN.format("3 steps"), 3),
    (4, 1.0, LEFT.format(3, 4), 3),
    (9, 1.0, LEFT.format(7, 9), 7),
    (10, 1.0, BALANCED, 7),
    (2, 0.7, PLAIN.format("2 steps"), 2),
    (2, 0.5, PLAIN.format("2 steps"), 2),
    (4, 0.5, LEFT.format(3, 4), 3),
    (4, 0.3, LEFT.format(3, 4), 3),
    (8, 0.4, LEFT.format(6, 8), 6),
    (9, 0.15, LEFT.format(7, 9), 7),
    (10, 0.5, BALANCED, 7),
    (20, 0.15, BALANCED, 7),
]


@pytest.mark.parametrize(("steps", "denoise", "name", "calls"), CHOSEN)
def test_a_picture_that_is_sampled_again_takes_its_own_steps(steps, denoise, name, calls):
    """As a KSampler does, which takes all of its steps within the part that it denoises."""
    facts = ModelFacts.published(family_named("flux1"), FLUX_DEV_SHIFT)
    start = float(shift_sigma(FLUX_DEV_SHIFT, denoise))
    for own in (OwnRun(steps, denoise), OwnRun(steps, levels=(start, 0.0))):
        settings = Settings(quality="balanced", own=own)
        chosen = planned(settings, facts, frame_of(facts))
        assert (chosen.plan.name, chosen.plan.total_steps) == (name, calls)
        assert chosen.is_guessed is (name == LEFT.format(calls, steps))


@pytest.mark.parametrize(
    ("steps", "levels", "name"),
    [
        (7, (0.8, 0.0), BALANCED),  # of a run of 13
        (4, (0.76, 0.0), LEFT.format(3, 4)),  # of one of 8
        (8, (1.0, 0.8), BALANCED),
    ],
)
def test_who_shares_a_run_is_counted_as_the_whole(steps, levels, name):
    facts = ModelFacts.published(family_named("flux1"), FLUX_DEV_SHIFT)
    own = OwnRun(steps, levels=levels, continues=levels[0] < 1)
    settings = Settings(quality="balanced", own=own)
    assert planned(settings, facts, frame_of(facts)).whole.name.startswith(name)


def test_who_knows_the_whole_run_takes_its_share_of_it():
    """Half of eight steps, however little noise is left for them."""
    facts = ModelFacts.published(family_named("flux1"), FLUX_DEV_SHIFT)
    own = OwnRun(4, levels=(0.3, 0.0), continues=True, whole_steps=8)
    chosen = planned(Settings(quality="balanced", own=own), facts, frame_of(facts))
    assert (chosen.whole.total_steps, chosen.plan.total_steps) == (6, 3)


@pytest.mark.parametrize(
    ("steps", "part", "counted", "nearest"),
    [(7, 0.7, 10, 10), (3, 0.3 * (1 + 1e-9), 10, 10), (3, 0.31, 9, 10), (9, 1e-3, MAX_STEPS, 9000)],
)
def test_of_which_whole_run_so_many_steps_are_a_part(steps, part, counted, nearest):
    """As ComfyUI counts them, which cuts off, and the nearest number; levels tell a part nearly."""
    assert (as_denoised(steps, part), OwnRun(steps, part).of_whole(3.0)) == (counted, nearest)


@pytest.mark.parametrize("shift", [0.06, 0.1, 0.45])
def test_small_shifts_begin_at_pure_noise(shift):
    facts = ModelFacts.published(family_named("sd3"), shift)
    (stage,) = planned(Settings(quality="balanced"), facts, frame_of(facts)).plan.stages
    assert stage.start == 1.0


@pytest.mark.parametrize(("steps", "name"), OF_PAPER)
def test_papers_steps_are_those_that_the_widget_tells(steps, name):
    facts = ModelFacts.published(family_named("flux1"), FLUX_DEV_SHIFT)
    settings = Settings(quality="paper", own=OwnRun(steps))
    assert planned(settings, facts, frame_of(facts)).plan.name == name


def test_the_widget_says_which_steps_choose_what():
    four, eight = (sorted(n for n, one in OF_PAPER if one == name) for name in (FOUR, EIGHT))
    told = plain_steps_input().tooltip
    paper = f"{FOUR} ({four[0]} to {four[1]}) or {EIGHT} ({eight[0]} to {eight[1]})"
    assert f"paper the preset {paper}" in told
    assert f"{four[0]} to {eight[1]} are taken for a turbo model's" in told
    assert FOUR not in plain_steps_input(in_a_run=False).tooltip


def test_a_schedule_and_another_nodes_sampler_are_left_alone():
    facts = ModelFacts.published(family_named("flux1"), FLUX_DEV_SHIFT)
    frame = frame_of(facts)
    schedule = dialled_plan("paper", facts, frame)
    for settings in (
        Settings(schedule=schedule, own=OwnRun(4)),
        Settings(own=OwnRun(4, levels=(1.0, 0.0))),
        Settings(own=OwnRun(3, levels=(1.0, 0.0))),
    ):
        assert planned(settings, facts, frame).plan == schedule


@pytest.fixture(scope="module", params=SAMPLED)
def weights(request):
    return request.param, tiny.family_weights(family_named(request.param))


@pytest.fixture
def model(weights):
    name, tensors = weights
    return tiny.load_model(tensors, family_named(name))


@pytest.mark.parametrize("denoise", [1.0, 0.9])
def test_a_run_is_that_of_the_connected_schedule(weights, model, denoise):
    family, steps = family_named(weights[0]), SAMPLED[weights[0]]
    name = {4: FOUR, 8: EIGHT}[steps]
    schedule = Schedule.execute(name, MATCH, 256, 256, model=model).args[0]
    sides = (256 // family.space.host_pixels,) * 2
    picture = {"samples": torch.ones(1, family.space.host_channels, *sides)}
    options = {"denoise": denoise, "plain_steps": round(steps * denoise)}
    wired, own = (
        ralu(
            model,
            None,
            schedule=chosen,
            quality="paper",
            edge_detector="latent_gradient",
            latent=picture,
            **options,
        )
        for chosen in (schedule, None)
    )
    assert torch.equal(own[0], wired[0]) and torch.equal(own[1], wired[1])
    own, wired = (
        advanced(model, schedule=chosen, latent_image=picture, **options).args[0]["samples"]
        for chosen in (None, schedule)
    )
    assert torch.equal(own, wired)


def test_fewer_steps_than_any_plan_has_are_plain_ones_and_told_so(flux, caplog):
    caplog.set_level("INFO")
    latent = {"samples": torch.zeros(1, 16, 32, 32)}
    out = Sampler.execute(
        model=flux,
        positive=tiny.conditioning(5),
        negative=tiny.conditioning(6),
        latent_image=latent,
        seed=7,
        cfg=1.0,
        sampler_name="euler",
        denoise=1.0,
        edge_detector="latent_gradient",
        quality="balanced",
        plain_steps=2,
    )
    sigmas = torch.tensor(spaced_levels(FLUX_DEV_SHIFT, 1.0, 0.0, 2))
    expected = plain(flux, prepare_noise(latent["samples"], 7), sigmas=sigmas)
    torch.testing.assert_close(out.args[0]["samples"], expected, atol=1e-5, rtol=0)
    (shown,) = out.ui["ralu_run"]
    assert shown["plan"] == "plain, as of 2 steps none can be spared"
    assert (shown["plain_steps"], shown["published_steps"]) == (2, None)  # of one number
    assert shown["plan"] in shown["comparison"] and shown["plan"] in caplog.text
