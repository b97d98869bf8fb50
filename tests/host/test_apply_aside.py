"""Where the RALU node samples plainly, byte for byte, and says so; and what it refuses."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
import torch
from applying import PicturePatch, custom, empty, ksampler, on, quickly, sampler_node
from comfy_execution.utils import CurrentNodeContext

from driving import schedule_for
from ralu_pack.nodes.apply import Apply
from ralu_pack.nodes.host.dial import QUALITIES, dialled_plan
from ralu_pack.nodes.host.families.dials import DIALLED, LEAST_SIDE
from ralu_pack.nodes.host.families.inspect import ModelFacts, inspect_model
from ralu_pack.nodes.host.families.table import FAMILIES
from ralu_pack.nodes.host.showing import status
from ralu_pack.ralu_core.latents.flow import spaced_levels
from ralu_pack.ralu_core.latents.frame import Frame
from ralu_pack.ralu_core.latents.grid import FULL
from ralu_pack.ralu_core.plans.presets import FLUX_DEV_SHIFT

SLIVER = {"samples": torch.zeros(1, 16, 40, 4)}
ASIDE = {
    "few steps": ({}, {"steps": 3}, "of 3 steps none can be spared(?!;)"),
    "few steps of paper": (
        {"quality": "paper"},
        {"steps": 4},
        "of 4 steps none can be spared; for a distilled model take fine, balanced or draft, else ",
    ),
    "three of paper": ({"quality": "paper"}, {"steps": 3}, "of 3 steps none can be spared(?!;)"),
    "the last steps": ({}, {"start_step": 17}, "of 3 steps none can be spared(?!;)"),
    "a small picture": (
        {"quality": "paper"},
        {"latent": empty(side=32)},
        "half of 256x256 is too small to draw in",
    ),
    "a sliver": ({}, {"latent": SLIVER}, "32 pixels a side are too few"),
    "an early end": (
        {"quality": "paper"},
        {"steps": 40, "last_step": 8},
        "this sampler stops at noise level 0.93, before",
    ),
    "no noise": ({}, {"disable_noise": True}, "this sampler goes on with the noise of its latent"),
    "a part without noise of paper": (
        {"quality": "paper"},
        {"start_step": 1, "disable_noise": True},
        "this sampler goes on with the noise of its latent",
    ),
    "few plain steps": (
        {"quality": "fine"},
        {"steps": 10},
        r"fine \(early second order 10, from 2.5 times the shift\) takes 100% of the compute of "
        "these 10 steps; set more, or a cheaper quality",
    ),
    "a part of few steps": ({}, {"steps": 3, "denoise": 0.7}, "of 3 steps none can be spared"),
    "a schedule": ({"quality": "custom"}, {"steps": 2}, r"RALU takes 1\d\d% .* of these 2 steps"),
}


class Server:
    client_id, sockets = "someone", {"someone": None}

    def __init__(self):
        self.lines = []

    def send_sync(self, event, data, client):
        self.lines.append(data["text"])


@pytest.mark.parametrize("case", ASIDE)
def test_where_it_cannot_help_it_samples_plainly(flux, case, monkeypatch, caplog):
    caplog.set_level("INFO")
    inputs, options, why = ASIDE[case]
    if inputs.get("quality") == "custom":
        inputs = {**inputs, "schedule": schedule_for(flux)}
    server = Server()
    monkeypatch.setattr(status, "running_server", lambda: server)
    monkeypatch.setattr(Apply, "hidden", SimpleNamespace(unique_id="4"), raising=False)
    with CurrentNodeContext("prompt", "12"):
        samples = ksampler(on(flux, **inputs), **options)
    assert torch.equal(samples, ksampler(flux, **options))
    (line,) = server.lines
    assert re.fullmatch(f"Sampled plainly: {why}.*\\.", line), line
    (logged,) = [record for record in caplog.records if "plainly" in record.message]
    assert logged.message == f"RALU sampled plainly: {line.removeprefix('Sampled plainly: ')}"


ODD_LEVELS = {
    "they rise": torch.linspace(0.1, 1, 10),
    "one is there twice": torch.tensor([*torch.linspace(1, 0.5, 5), *torch.linspace(0.5, 0, 5)]),
    "all are the same": torch.full((10,), 0.7),
    "they begin again": torch.tensor([*torch.linspace(1, 0.2, 5), *torch.linspace(0.6, 0, 5)]),
}


@pytest.mark.parametrize("levels", ODD_LEVELS.values(), ids=ODD_LEVELS)
def test_levels_that_do_not_fall_are_sampled_plainly(flux, levels, caplog):
    """As unsampling has them, and restarts."""
    caplog.set_level("INFO")
    samples, _ = custom(on(flux), levels)
    assert torch.equal(samples, custom(flux, levels)[0])
    assert "RALU sampled plainly: these noise levels do not fall at each step." in caplog.text


@pytest.mark.parametrize("options", [{}, {"denoise": 0.3}, {"denoise": 0.1, "sampler": "uni_pc"}])
def test_with_more_steps_of_the_same_run_it_helps(flux, options, caplog):
    caplog.set_level("INFO")
    ksampler(on(flux), steps=12, **options)
    assert "RALU 7 steps" in caplog.text and "plainly" not in caplog.text


@pytest.mark.parametrize(
    ("put", "heads"),
    [
        (quickly, ["Stage 1 of 3", "Stage 2 of 3", "Stage 3 of 3"]),
        (on, ["7 steps at full size, 1024 tokens"]),
    ],
    ids=["stages", "one"],
)
def test_a_stage_of_a_run_is_told_on_the_node(flux, monkeypatch, put, heads):
    server = Server()
    monkeypatch.setattr(status, "running_server", lambda: server)
    monkeypatch.setattr(Apply, "hidden", SimpleNamespace(unique_id="4"), raising=False)
    with CurrentNodeContext("prompt", "12"):
        ksampler(put(flux))
    *began, ended = server.lines
    assert [line.split(":")[0] for line in began] == heads
    assert "20 plain steps of" in ended and ("in stage 3; p" in ended) is (put is quickly)


LEFT_OUT = "nothing grows early in this plan, so that it leaves {} out"
MASKED = {"region_mask": torch.ones(1, 512, 512)}
OF_ANOTHER_PICTURE = {"region_mask": torch.ones(3, 512, 1024)}
OTHERS_STEPS = "steps are those of heun, and the plan was made for steps of second order"
REMARKS = [
    ({}, {}, None),
    (MASKED, {}, LEFT_OUT.format("region_mask")),
    (OF_ANOTHER_PICTURE, {}, LEFT_OUT.format("region_mask")),
    (MASKED | {"edge_threshold": 0.1}, {}, LEFT_OUT.format("region_mask, edge_threshold")),
    ({"upsampling": "dct"}, {}, LEFT_OUT.format("upsampling")),
    ({"edge_detector": "random"}, {}, LEFT_OUT.format("edge_detector")),
    ({"references": "pooled at half size"}, {}, "all references are read in full"),
    (MASKED | {"quality": "paper", "upsampling": "dct"}, {}, None),
    ({}, {"sampler": "heun"}, OTHERS_STEPS),
    ({"quality": "paper"}, {"sampler": "heun", "denoise": 0.5}, None),
]
WORDS = ("grows early", "those of", "in full", "another sampler's run")  # of remarks


@pytest.mark.parametrize(("inputs", "options", "told"), REMARKS)
def test_what_has_no_effect_is_told_on_the_node(flux, monkeypatch, inputs, options, told):
    server = Server()
    monkeypatch.setattr(status, "running_server", lambda: server)
    monkeypatch.setattr(Apply, "hidden", SimpleNamespace(unique_id="4"), raising=False)
    with CurrentNodeContext("prompt", "12"):
        ksampler(on(flux, **{"quality": "draft", **inputs}), steps=30, **options)
    if told is None:
        assert "plain steps of" in server.lines[-1]
        said = " ".join(server.lines)
        assert not any(word in said for word in WORDS)
    else:
        assert told in server.lines[-1]


# The dial


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_every_quality_is_a_plan_for_every_family(family):
    facts = ModelFacts.published(family, family.full_shift)
    frame = Frame.of_picture(1024, 1024, facts.space)
    plans = [dialled_plan(quality, facts, frame) for quality in DIALLED]
    costs = [facts.cost.plan_flops(plan, *frame.fine_grid) for plan in plans]
    assert costs == sorted(costs, reverse=True)
    assert all(plan.model_shift == facts.shift_for(frame, plan.baseline_steps) for plan in plans)
    assert all(stage.guided for plan in plans for stage in plan.stages)  # as its user set it
    paper = dialled_plan("paper", facts, frame)
    assert paper.name == facts.preset_name


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_no_quality_of_the_dial_halves_a_picture_that_is_small(family):
    """Else the node would step aside; at full size each is the plan for large pictures."""
    facts = ModelFacts.published(family, family.full_shift)
    for quality in DIALLED:
        small, large = (
            dialled_plan(quality, facts, Frame.of_picture(side, 1024, facts.space))
            for side in (LEAST_SIDE - 32, LEAST_SIDE)
        )
        assert all(stage.grid is FULL for stage in small.stages)
        assert small.name == large.name


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_steps_are_closer_at_high_noise_where_guidance_takes_a_second_call(family):
    facts = ModelFacts.published(family, 3.0)
    frame = Frame.of_picture(1024, 1024, facts.space)
    is_second_call = family.cfg[1] > 1
    for quality in DIALLED:
        plan = dialled_plan(quality, facts, frame)
        times = 4.0 if is_second_call else 2.5
        assert plan.stages[0].shift == pytest.approx(min(times * plan.model_shift, 12))
        assert plan.name.endswith("the shift") is not is_second_call


def test_a_model_of_few_steps_is_told_by_its_shift(flux):
    schnell = ModelFacts.published(inspect_model(flux).family, 1.0)
    frame = Frame.of_picture(1024, 1024)
    plans = [dialled_plan(quality, schnell, frame) for quality in DIALLED]
    assert {plan.name for plan in plans} == {"plain, 3 of 4 steps as for a distilled model"}
    assert {plan.baseline_steps for plan in plans} == {4}
    assert dialled_plan("paper", schnell, frame).name == "4-step distilled"


@pytest.mark.parametrize(
    ("options", "left", "of"),
    [({"steps": 4}, 3, 4), ({"steps": 8}, 6, 8), ({"steps": 5, "denoise": 0.7}, 4, 5)],
)
def test_a_distilled_model_takes_three_quarters_of_its_steps(flux, options, left, of, caplog):
    """On its own levels, in the sampler's own way."""
    caplog.set_level("INFO")
    samples = ksampler(on(flux), **options)
    if "denoise" not in options:
        levels = torch.tensor(spaced_levels(FLUX_DEV_SHIFT, 1.0, 0.0, left))
        torch.testing.assert_close(samples, custom(flux, levels)[0], atol=1e-5, rtol=0)
    assert f"plain, {left} of {of} steps as for a distilled model" in caplog.text
    assert "plainly" not in caplog.text and f"RALU {left} steps" in caplog.text


# Refusals


def test_what_no_family_runs_is_refused_at_the_node(flux):
    flux.model.__class__ = type("LTXV", (type(flux.model),), {})
    refused = r"RALU cannot run this MODEL \(LTXV\): it is made for .*; bypass the RALU node for it"
    with pytest.raises(ValueError, match=refused):
        on(flux)


def test_who_samples_with_a_ksampler_is_not_told_to_use_one(flux):
    patched = quickly(flux)
    patched.set_model_patch(PicturePatch(), "post_input")
    with pytest.raises(ValueError, match=r"use a ControlNet instead, or bypass the RALU node\.$"):
        ksampler(patched)
    flux.set_model_patch(PicturePatch(), "post_input")
    with pytest.raises(ValueError, match=r"use a ControlNet instead, or use a KSampler\.$"):
        sampler_node(flux)


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ({"quality": "custom"}, "custom takes its plan from the socket schedule, and nothing is"),
        ({"quality": "best"}, r"must be one of fine, .*, custom, got 'best'"),
        ({"quality": 3}, "quality must be one of fine, balanced, draft, paper, custom, got int 3"),
        ({"edge_detector": "sobel"}, "Edge detector must be one of canny, .*, got 'sobel'"),
        ({"vae": "a name"}, "socket vae takes a VAE, got str 'a name'"),
        ({"model": None}, "socket model takes a MODEL, got nothing"),
        (
            {"edge_detector": "canny", "quality": "paper"},
            "The edge detector canny looks .*: connect one, or set",
        ),
    ],
)
def test_what_the_wires_tell_is_refused_at_the_node(flux, inputs, sentence):
    with pytest.raises(ValueError, match=sentence):
        Apply.execute(**{"model": flux, **inputs})


def test_qualities_are_the_choices():
    (dial,) = [one for one in Apply.define_schema().inputs if one.id == "quality"]
    assert tuple(dial.options) == QUALITIES and dial.default == "balanced"
