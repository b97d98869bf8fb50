"""Plans that were made for RALU's own steps, with other SAMPLERs: who takes which steps, and on
which noise levels."""

from __future__ import annotations

import logging
import re
from functools import partial
from pathlib import Path

import comfy.samplers
import pytest
import torch
from applying import ksampler, on
from comfy.patcher_extension import WrappersMP
from in_core import run, shift_of

import ralu_pack
from ralu_pack.nodes.host.inputs import AUTO
from ralu_pack.nodes.host.own_run import OwnRun
from ralu_pack.nodes.host.own_steps import BY_THEMSELVES, REPLACED
from ralu_pack.nodes.host.planning import Planned
from ralu_pack.nodes.host.remarks import remarks
from ralu_pack.nodes.host.request import Settings
from ralu_pack.nodes.host.sampling.second_order import second_order
from ralu_pack.ralu_core import Stage
from ralu_pack.ralu_core.latents.flow import shift_sigma
from ralu_pack.ralu_core.latents.grid import FULL
from ralu_pack.ralu_core.plans import early, plain
from ralu_pack.ralu_core.plans.presets import FLUX_DEV_SHIFT

EARLY = partial(early, steps=(5,))


def known(*names: str) -> list[str]:
    """Those that this ComfyUI has."""
    return [name for name in names if name in comfy.samplers.SAMPLER_NAMES]


def levels_of(model, sampler, plan, **changes) -> torch.Tensor:
    """What the host's sampling of such a run is given."""
    seen, watched = [], model.clone()

    def watch(executor, guider, sigmas, *more):
        seen.append(sigmas.cpu())
        return executor(guider, sigmas, *more)

    watched.add_wrapper(WrappersMP.SAMPLER_SAMPLE, watch)
    run(watched, sampler, plan, **changes)
    (levels,) = seen
    return levels


@pytest.mark.parametrize("name", known(*REPLACED[1:]))
def test_the_place_of_what_draws_eulers_picture_is_taken(flux, name, caplog):
    plan = EARLY(shift_of(flux))
    caplog.set_level(logging.INFO)
    pictures = [run(flux, one, plan, edge_detector="auto") for one in (name, "euler")]
    assert torch.equal(*pictures)
    assert caplog.text.count(f"; RALU's steps of second order take the place of {name}\n") == 1
    assert "own euler" not in caplog.text
    first_order = plain(shift_of(flux), (5,))
    assert not torch.equal(run(flux, name, first_order), run(flux, "euler", first_order))


OPTIONS = [
    ("lms", {"order": 2}),
    ("ipndm", {"max_order": 2}),
    ("deis", {"max_order": 2, "deis_mode": "rhoab"}),
    ("gradient_estimation", {"ge_gamma": 1.5}),
]


@pytest.mark.every_case
@pytest.mark.parametrize(("name", "options"), OPTIONS)
def test_so_is_that_of_one_that_looks_back_otherwise(flux, name, options):
    plan, sampler = EARLY(shift_of(flux)), comfy.samplers.ksampler(name, options)
    assert torch.equal(run(flux, sampler, plan), run(flux, "euler", plan))


def test_the_page_of_the_plans_names_them():
    page = (Path(ralu_pack.__file__).parent / "docs" / "plans.md").read_text("utf-8")
    (replaced,) = re.findall(r"In many steps (.*?) all draw the same picture", page, re.S)
    assert tuple(re.findall(r"`(\w+)`", replaced)) == REPLACED
    (kept,) = re.findall(r"\n\| ([^|]*`heun`[^|]*) \|", page)
    assert set(re.findall(r"`(\w+)`", kept)) == set(BY_THEMSELVES)


def test_one_that_adds_noise_keeps_its_own_steps(flux):
    plan, sampler = (
        EARLY(shift_of(flux)),
        comfy.samplers.ksampler("res_multistep", {"s_noise": 0.9}),
    )
    assert not torch.equal(run(flux, sampler, plan), run(flux, "euler", plan))


@pytest.mark.parametrize("denoise", [1.0, 0.6])
@pytest.mark.parametrize("name", ["euler_ancestral", "dpmpp_2m_sde", "er_sde", "euler_cfg_pp"])
def test_others_take_as_many_steps_on_the_models_own_levels(flux, name, denoise, caplog):
    shift = shift_of(flux)
    caplog.set_level(logging.INFO)
    levels = levels_of(flux, name, EARLY(shift), denoise=denoise)
    start = float(shift_sigma(shift, denoise))
    expected = torch.tensor(Stage.spaced(FULL, 5, start, 0.0, shift=shift).sigmas)
    torch.testing.assert_close(levels, expected, atol=1e-5, rtol=0)
    assert f"(5 steps of {name})" in caplog.text
    assert "choose ComfyUI's own euler for these" in caplog.text


@pytest.mark.parametrize("name", known(*BY_THEMSELVES, "euler"))
def test_those_that_look_back_on_none_keep_levels_that_are_close_at_high_noise(flux, name):
    plan = EARLY(shift_of(flux))
    levels = levels_of(flux, name, plan)
    torch.testing.assert_close(levels, torch.tensor(plan.stages[0].sigmas), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["dpm_fast", "dpm_adaptive"])
def test_those_that_choose_levels_of_their_own_sample_plainly(flux, name, caplog):
    caplog.set_level(logging.INFO)
    assert torch.equal(ksampler(on(flux), sampler=name)[0], ksampler(flux, sampler=name)[0])
    assert "RALU sampled plainly: this sampler chooses noise levels of its own." in caplog.text
    with pytest.raises(
        ValueError, match=rf"The sampler .*{name}.* chooses noise levels of its own"
    ):
        run(flux, name, EARLY(shift_of(flux)))
    with pytest.raises(ValueError, match=f"the sampler {name} does not keep to them"):
        ksampler(on(flux, quality="paper"), sampler=name)


def test_what_runs_as_asked_for_is_not_told():
    """The plan's own steps by another node, and a share that is all of them."""
    plan = early(FLUX_DEV_SHIFT)
    chosen = Planned(plan, plan, FLUX_DEV_SHIFT, None)
    settings = Settings(own=OwnRun(continues=True), detector=AUTO)
    assert not list(remarks(chosen, settings, second_order(), {}))
