"""What a run tells the graph and the log."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from types import SimpleNamespace

import comfy.patcher_extension
import comfy.samplers
import comfy.utils
import pytest
import torch
from applying import ksampler, quickly

from driving import guider_for, quick_schedule, ralu
from ralu_pack.nodes.host import prepare, request, run
from ralu_pack.nodes.host.own_run import OwnRun
from ralu_pack.nodes.host.sampling import stages
from ralu_pack.nodes.host.sampling.watch import StageRecord
from ralu_pack.nodes.host.showing import status
from ralu_pack.nodes.host.showing.overlay import OUTLINE, Overlay, region_overlay
from ralu_pack.nodes.host.showing.report import RunReport
from ralu_pack.nodes.outputs import run_view
from ralu_pack.ralu_core.cost import CallCost, References
from ralu_pack.ralu_core.latents.grid import FULL, HALF, MIXED
from ralu_pack.ralu_core.plans.presets import PRESETS, matched_plan


def sampled(model, vae, sampler="euler", **settings):
    def draw(latent):
        return torch.randn(latent["samples"].shape, generator=torch.Generator().manual_seed(7))

    latent = {"samples": torch.zeros(1, 16, 32, 32)}
    chosen = comfy.samplers.sampler_object(sampler)
    wires = request.Wires(guider_for(model), chosen, latent, vae, draw, 7)
    return run.sample(wires, request.Settings(quick_schedule(), **settings))


def strict_json(values) -> str:
    return json.dumps(values, allow_nan=False)


# A run


def test_stages_are_counted_and_timed(flux, vae):
    report = sampled(flux, vae).report
    assert [(s.number, s.steps, s.calls) for s in report.stages] == [
        (1, 2, 2),
        (2, 2, 2),
        (3, 2, 2),
    ]
    assert [max(s.tokens) for s in report.stages] == [64, 64 + 3 * 19, 256]
    assert all(stage.seconds > 0 and stage.loading > 0 for stage in report.stages)
    assert sum(s.seconds + s.loading for s in report.stages) < report.seconds


def test_samplers_of_two_calls_a_step_are_counted_as_such(flux, vae):
    stages = sampled(flux, vae, "heun").report.stages
    assert [stage.calls for stage in stages] == [4, 4, 3]  # heun ends with a single call at 0


def test_view_is_json_in_lists(flux, vae):
    result = sampled(flux, vae)
    view = run_view(result)
    assert all(isinstance(value, list | tuple) for value in view.values())
    shown = json.loads(strict_json(view["ralu_run"][0]))
    assert [file["type"] for file in shown["regions"]] == ["temp"]
    assert shown["steps"] == 6 and len(shown["stages"]) == 3
    assert shown["plain_steps"] is None  # two steps per stage are nobody's preset


def test_no_regions_no_picture(flux, vae):
    result = sampled(flux, vae, own=OwnRun(denoise=0.1))
    (shown,) = run_view(result)["ralu_run"]
    assert result.regions is None and shown["regions"] == []
    assert [stage["number"] for stage in shown["stages"]] == [3]


def test_regions_are_drawn_as_soon_as_they_are_known(flux, vae):
    events = []
    comfy.utils.set_progress_bar_global_hook(
        lambda value, total, preview=None, **_: events.append((value, preview))
    )
    try:
        result = sampled(flux, vae)
    finally:
        comfy.utils.set_progress_bar_global_hook(None)
    shown = [(value, preview[1]) for value, preview in events if preview is not None]
    # After stage 1, with live previews switched off.
    after = result.report.stages[0].steps * result.report.cost.flops(64)
    whole = sum(s.steps * result.report.cost.flops(max(s.tokens)) for s in result.report.stages)
    assert [value for value, _ in shown] == [round(1000 * after / whole)]
    outlined = (torch.tensor(OUTLINE) - result.regions.drawn[0]).abs().amax(-1) < 1e-3
    chosen = result.edge_mask[0, ::32, ::32]
    assert torch.equal(outlined[::64, ::64], chosen > 0)


def test_nothing_is_drawn_when_nobody_watches(flux, vae, monkeypatch):
    result = sampled(flux, vae)
    assert "drawn" not in vars(result.regions)  # no bar is shown, and the picture not yet asked for
    watched, empty = (SimpleNamespace(sockets=sockets) for sockets in ({"browser": None}, {}))
    for server, pictures in ((empty, 0), (watched, 1)):
        monkeypatch.setattr(status, "running_server", lambda server=server: server)
        (shown,) = run_view(result)["ralu_run"]
        assert len(shown["regions"]) == pictures


def test_what_waits_for_a_look_is_small_and_on_the_cpu(flux, vae, monkeypatch):
    kept = sampled(flux, vae).regions.picture
    assert kept.shape == (1, 512, 512, 3)
    monkeypatch.setattr(status, "running_server", lambda: SimpleNamespace(sockets={}))
    assert sampled(flux, vae).regions.picture is None


def test_behind_another_sampler_which_shows_no_regions_none_are_drawn(flux, vae, monkeypatch):
    monkeypatch.setattr(Overlay, "of", None)  # which nobody can call
    assert torch.isfinite(ksampler(quickly(flux, vae=vae))).all()
    with pytest.raises(TypeError):
        sampled(flux, vae)


def test_overlay_without_a_picture_is_grey():
    chosen = torch.zeros(1, 4, 2, dtype=torch.bool)
    chosen[0, 1, 1] = True
    overlay = region_overlay(None, chosen)
    assert overlay.shape == (1, 512, 256, 3)
    assert overlay[0, 200, 192].tolist() == pytest.approx([0.5] * 3)
    assert overlay[0, 10, 10, 0] < 0.3


def test_regions_of_a_large_picture_are_wide_enough_for_their_outline():
    chosen = torch.ones(1, 2, 100, dtype=torch.bool)
    overlay = region_overlay(torch.full((1, 64, 3200, 3), 1.5), chosen)
    assert overlay.shape == (1, 16, 800, 3)
    assert overlay[0, 4, 4].tolist() == [1.0] * 3  # no brighter than white
    for row, column in ((0, 4), (4, 0), (7, 4), (4, 7)):
        assert overlay[0, row, column].tolist() == pytest.approx(OUTLINE)


# The comparison with plain sampling


def report_of(seconds: list[float], loading: float, total: float, plain: int | None) -> RunReport:
    tokens = (64, 121, 256)
    stages = [
        StageRecord(k + 1, grid.name, grid.words, 2, [n], 2, loading if k == 0 else 0.0, s)
        for k, (grid, n, s) in enumerate(zip((HALF, MIXED, FULL), tokens, seconds, strict=True))
    ]
    return RunReport(stages, total, CallCost(2, 256, 8), (8, 8), plain)


def test_speed_is_measured_by_stage_3_and_leaves_the_first_loading_out():
    report = report_of([1.0, 2.0, 4.0], loading=10.0, total=18.0, plain=20)
    assert report.seconds_per_full_step() == 2.0
    assert report.measured_equivalents() == 4.0
    told = "5.00x as fast as 20 plain steps of 2.00 s, as measured in stage 3; predicted "
    assert told in report.line() and told in report.summary()
    assert report.values()["comparison"].startswith(told)
    assert report.values()["loading"] == 10.0


def test_the_users_own_steps_come_first_and_less_is_said_the_right_way_round():
    report = replace(report_of([1.0, 2.0, 4.0], 0.0, 8.0, 2), published=50)
    predicted = report.full_step_equivalents()
    assert report.comparison == (
        "2.00x slower than 2 plain steps of 2.00 s, as measured in stage 3; predicted "
        f"{predicted / 2:.2f}x slower; published against 50: {50 / predicted:.2f}x; "
        "the plan does not pay here, plain steps are faster"
    )
    assert "does not pay" not in replace(report, plain_steps=4).comparison
    assert report.values()["published_steps"] == 50


def test_as_many_plain_steps_are_no_slower_than_plain_ones():
    stage = StageRecord(1, FULL.name, FULL.words, 2, [256], 2, 0.0, 4.0)
    report = RunReport([stage], 4.5, CallCost(2, 256, 8), (8, 8), 2)
    assert report.measured_equivalents() > report.full_step_equivalents() == 2
    assert "does not pay" not in report.comparison
    one = replace(report, plain_steps=1).comparison
    assert " 1 plain step of " in one and "does not pay" in one


@pytest.mark.parametrize("quality", ["balanced", "paper"])
def test_a_plan_is_told_by_its_quality_and_a_schedule_in_its_place(flux, caplog, quality):
    caplog.set_level("INFO")
    ralu(flux, None, schedule=None, quality=quality, edge_detector="latent_gradient")
    told = {"balanced": "balanced (early second order 7, from 2.5 times the shift)"}
    assert f"; plan: {told.get(quality, 'FLUX 5x')}" in caplog.text
    caplog.clear()
    ralu(flux, None, quality=quality, edge_detector="latent_gradient")
    has_remark = f"schedule is the plan, so that {quality} has no effect" in caplog.text
    assert has_remark is (quality == "balanced")


def test_steps_to_compare_with_are_the_widgets(flux, vae):
    reports = [sampled(flux, vae, own=OwnRun(steps)).report for steps in (0, 7)]
    assert [report.plain_steps for report in reports] == [None, 7]
    assert " 7 plain steps of " in reports[1].summary()


@pytest.mark.parametrize(("half", "told"), [(None, ""), (9, ", 9 at half size")])
def test_the_log_counts_references(half, told):
    report = replace(report_of([1.0, 2.0, 4.0], 0.0, 8.0, 20), references=References(36, half))
    assert f"; 36 tokens of references in each call{told}): " in report.line()


def test_speed_is_measured_by_the_last_stage_at_full_size():
    report = report_of([1.0, 2.0, 4.0], 0.0, 8.0, 20)
    full = StageRecord(4, FULL.name, FULL.words, 4, [256], 4, 0.0, 4.0)
    five = replace(report, stages=[*report.stages, full, replace(report.stages[0], number=5)])
    assert five.seconds_per_full_step() == 1.0
    assert five.full_step_equivalents() < five.steps  # of which none is more than a full one
    assert "as measured in stage 4;" in five.line()


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_a_run_that_still_loaded_weights_is_not_compared(flux, vae, stage):
    """As newer hosts do: a weight reaches the GPU when it is first needed.

    In stage 2 it does so again, which is part of what the run takes.
    """
    calls = []

    def load_more(executor, *args, **kwargs):
        calls.append(1)
        flux.model.model_loaded_weight_memory += (len(calls) + 1) // 2 == stage  # two calls each
        return executor(*args, **kwargs)

    cold = flux.clone()
    cold.add_wrapper_with_key(comfy.patcher_extension.WrappersMP.APPLY_MODEL, "test", load_more)
    loaded = flux.model.model_loaded_weight_memory
    try:
        report = sampled(cold, vae).report
    finally:
        flux.model.model_loaded_weight_memory = loaded
    assert report.values()["is_cold"] == (stage != 2) == ("not measured" in report.summary())


def test_a_stage_lasts_until_its_numbers_are_there(flux, vae, monkeypatch):
    """The first look at them waits for the device."""
    original = stages.all_finite
    monkeypatch.setattr(stages, "all_finite", lambda x: time.sleep(0.2) or original(x))
    assert all(stage.seconds > 0.2 for stage in sampled(flux, vae).report.stages)


def test_unknown_baselines_are_not_made_up():
    report = report_of([1.0, 2.0, 4.0], 0.0, 8.0, None)
    told = "as long as 4.0 plain steps of 2.00 s, as measured in stage 3; predicted "
    assert told in report.line() and report.values()["comparison"].lower().startswith(told)


@pytest.mark.parametrize("chosen", PRESETS, ids=lambda p: p.name)
def test_baseline_of_presets(chosen):
    plan = matched_plan(chosen, 3.0)
    assert plan.baseline_steps == chosen.baseline_steps
    assert quick_schedule().baseline_steps is None


def test_img2img_is_compared_with_as_many_steps_as_a_ksampler_takes(flux, vae):
    latent = {"samples": torch.zeros(1, 16, 32, 32)}
    chosen = comfy.samplers.sampler_object("euler")
    wires = request.Wires(guider_for(flux), chosen, latent, vae, lambda x: x["samples"] + 1, 7)
    for denoise, plain in ((1.0, 50), (0.5, 25), (0.31, 16)):
        settings = request.Settings(own=OwnRun(denoise=denoise))
        assert prepare.prepare(wires, settings).plain_steps == plain


# The status line
