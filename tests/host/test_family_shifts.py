"""Shifts that depend on the picture, ends that move with the shift, and who is told of it."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from applying import EULER, ksampler, on, picture
from comfy_extras import nodes_flux
from comfy_extras.nodes_model_advanced import ModelSamplingFlux

from driving import ralu
from lab.models import tiny, unplaced
from ralu_pack.nodes.host.families.flux2 import scheduler_mu
from ralu_pack.nodes.host.families.inspect import inspect_model
from ralu_pack.nodes.host.families.table import family_named
from ralu_pack.nodes.host.inputs import AUTO
from ralu_pack.nodes.host.own_run import OwnRun
from ralu_pack.nodes.host.planning import planned
from ralu_pack.nodes.host.remarks import remarks
from ralu_pack.nodes.host.request import Settings
from ralu_pack.nodes.schedule import MATCH, PUBLISHED, Schedule
from ralu_pack.ralu_core.latents.frame import Frame
from ralu_pack.ralu_core.plans import plain


@pytest.fixture(scope="module")
def weights():
    return tiny.family_weights(family_named("flux2"))


@pytest.fixture
def model(weights):
    return tiny.load_model(weights, family_named("flux2"))


@pytest.mark.parametrize("steps", [4, 20, 50])
@pytest.mark.parametrize("tokens", [256, 4096, 4300, 4301, 16384])
def test_the_shift_is_the_hosts(tokens, steps):
    expected = nodes_flux.compute_empirical_mu(tokens, steps)
    assert scheduler_mu(tokens, steps) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("side", "shift"), [(512, 6.80), (768, 7.64), (1024, 9.01), (1280, 4.67), (2048, 25.28)]
)
def test_flux2_has_the_shift_of_its_scheduler(model, side, shift):
    facts = inspect_model(model)
    found = facts.shift_for(Frame.of_picture(side, side, facts.space), 50)
    assert found == pytest.approx(shift, abs=0.01)
    assert facts.plain_steps(50) == 20 and facts.plain_steps(4) == 4


@pytest.mark.parametrize("steps", [4, 20])
@pytest.mark.parametrize(("width", "height"), [(832, 1216), (1216, 832), (1000, 1016)])
def test_flux2_has_the_levels_of_its_scheduler(model, width, height, steps):
    """Of upright, lying and padded pictures, and of klein's few steps."""
    facts = inspect_model(model)
    shift = facts.shift_for(Frame.of_picture(height, width, facts.space), steps)
    (stage,) = plain(shift, (steps,)).stages
    own = nodes_flux.Flux2Scheduler.execute(steps, width, height).args[0]
    torch.testing.assert_close(torch.tensor(stage.sigmas), own, atol=1e-5, rtol=0)


@pytest.mark.parametrize("sides", [(512, 512), (1024, 1024), (768, 1344), (2048, 2048)])
def test_ideogram_has_nearly_the_levels_of_its_scheduler(sides):
    nodes_ideogram4 = pytest.importorskip("comfy_extras.nodes_ideogram4")
    facts = inspect_model(unplaced.load("Ideogram4"))
    width, height = sides
    shift = facts.shift_for(Frame.of_picture(height, width, facts.space), 20)
    (stage,) = plain(shift, (20,)).stages
    own = nodes_ideogram4.ideogram4_sigmas(20, width, height, 0.0, 1.75)
    torch.testing.assert_close(torch.tensor(stage.sigmas), own, atol=0.022, rtol=0)


def test_a_model_sampling_node_in_front_wins(model):
    patched = ModelSamplingFlux().patch(model, 1.15, 0.5, 1024, 1024)[0]
    facts = inspect_model(patched)
    assert facts.shift_for(Frame.of_picture(2048, 2048, facts.space), 50) == facts.shift
    assert facts.shift == pytest.approx(math.exp(1.15), rel=1e-4)


@pytest.mark.parametrize("node", [None, 2560], ids=["its own", "a node's"])
def test_a_shift_above_all_plans_leaves_full_size(model, node):
    """As of Flux.2 at 2816 pixels, and of ModelSamplingFlux at the size of a second pass."""
    patched = ModelSamplingFlux().patch(model, 1.15, 0.5, node, node)[0] if node else model
    facts = inspect_model(patched)
    frame = Frame.of_picture(2816, 2816, facts.space)
    for own in (OwnRun(20, levels=(1.0, 0.0)), OwnRun(4, denoise=0.5), OwnRun(20, denoise=0.3)):
        settings = Settings(own=own, detector=AUTO, quality="balanced")
        chosen = planned(settings, facts, frame)
        assert chosen.shift == chosen.whole.model_shift == 100.0
        assert chosen.unbounded > 100
        told = f"the MODEL's shift, {chosen.unbounded:.3g}, is taken as 100, the greatest that"
        assert any(str(one).startswith(told) for one in remarks(chosen, settings, EULER, {}))
        assert chosen.plan.total_steps == (3 if own.steps == 4 else 7)
    told = "ModelSamplingFlux" if node else "for 2816x2816: .*ModelSamplingFlux"
    with pytest.raises(ValueError, match=f"up to a shift of 100, and this MODEL has .*{told}"):
        planned(replace(settings, quality="paper"), facts, frame)


@pytest.mark.parametrize("sampler", ["euler", "er_sde"])
def test_a_second_pass_at_a_great_shift_runs(flux, sampler):
    patched = ModelSamplingFlux().patch(flux, 1.15, 0.5, 2560, 2560)[0]
    behind = on(patched, quality="balanced")
    out = ksampler(behind, {"samples": picture()}, denoise=0.3, sampler=sampler)
    assert out.isfinite().all()
    with pytest.raises(ValueError, match="this MODEL has 120: choose fine, balanced or draft"):
        on(patched, quality="paper")


def schedule(model, side, shifts=MATCH, **changes):
    made = Schedule.execute("FLUX 5x", shifts, side, side, model=model, **changes)
    return made.args[0]


def test_the_schedule_takes_the_pictures_size(model):
    plan = schedule(model, 256)
    samples, _ = ralu(model, None, schedule=plan, edge_detector="latent_gradient")
    assert samples.shape == (1, 128, 16, 16)
    with pytest.raises(ValueError, match="and its width and height to the picture's"):
        ralu(model, None, schedule=schedule(model, 1280), edge_detector="latent_gradient")


@pytest.mark.parametrize("changes", [{"steps_3": 3}, {"end_sigma_1": 0.97}, {}])
def test_a_changed_schedule_keeps_the_steps_that_its_shift_is_of(model, changes):
    """Of 4 steps here, whose shift is another than that of the usual 20."""
    plan = Schedule.execute("4-step distilled", MATCH, 256, 256, model=model, **changes).args[0]
    samples, _ = ralu(model, None, schedule=plan, edge_detector="latent_gradient")
    assert samples.shape == (1, 128, 16, 16)


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_as_many_plain_steps_have_the_shift_of_so_many(model, steps):
    samples, _ = ralu(model, None, schedule=None, quality="balanced", plain_steps=steps)
    assert samples.shape == (1, 128, 16, 16)


def test_ends_move_with_the_shift_unless_they_are_given(model, flux):
    assert schedule(flux, 1024).ends == (0.7, 0.55, 0.0)
    moved = schedule(model, 1024).ends
    assert moved == pytest.approx((0.8751, 0.7858, 0.0), abs=1e-4)
    assert schedule(model, 1024, PUBLISHED).ends == (0.7, 0.55, 0.0)
    given = schedule(model, 1024, end_sigma_1=0.8)
    assert given.ends == pytest.approx((0.8, 0.7858, 0.0), abs=1e-4)
