"""Growth by an enlarger in the nodes: wired, found by the VAE, missing, or for other latents."""

from __future__ import annotations

import folder_paths
import pytest
import torch
from applying import ksampler, on

from driving import advanced, ralu, schedule_for
from lab.models import tiny
from ralu_pack.nodes.host.enlarger import files
from ralu_pack.nodes.host.enlarger.choice import scaling_of
from ralu_pack.nodes.host.families.inspect import inspect_model
from ralu_pack.nodes.host.families.table import FAMILIES
from ralu_pack.nodes.sampler import Sampler
from ralu_pack.ralu_core.growth.enlarger import Enlarger
from ralu_pack.ralu_core.growth.enlarger_fit import Fitted
from ralu_pack.ralu_core.plans import own_noise

SIZE = (128, 192)


def drawn(channels: int = 16) -> Enlarger:
    draw = torch.Generator().manual_seed(8)
    weights = torch.randn(4 * channels, 9 * channels, generator=draw) / (9 * channels) ** 0.5
    return Enlarger(weights, torch.randn(4 * channels, generator=draw))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_paths, "models_dir", str(tmp_path))


def plan_for(model):
    return own_noise(inspect_model(model).shift, (2, 2))


def grown(model, vae=None, upsampling="enlarger", **options) -> torch.Tensor:
    options = {"schedule": plan_for(model), **options}
    return ralu(model, vae, SIZE, upsampling=upsampling, **options)[0]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_it_enlarges_what_the_model_sees(family):
    if not family.is_known:
        pytest.skip(f"this ComfyUI has no {family.model_class}")
    model = tiny.load_model(tiny.family_weights(family), family).model
    space = family.space
    raw = torch.randn(2, space.channels, 4, 6, generator=torch.Generator().manual_seed(1))

    def seen(latent: torch.Tensor) -> torch.Tensor:
        return space.enter(model.process_latent_in(space.leave(latent)))

    enlarger = drawn(space.channels)
    scaled = enlarger.scaled(*scaling_of(model, space))
    torch.testing.assert_close(
        scaled.enlarge(seen(raw)), seen(enlarger.enlarge(raw)), rtol=0, atol=1e-3
    )


def test_a_wired_one_is_taken_and_told(model, caplog):
    caplog.set_level("INFO")
    out = grown(model, enlarger=drawn())
    assert "plan: own noise 2-2; grown by the enlarger" in caplog.text
    assert not torch.equal(out, grown(model, upsampling="dct"))


def test_one_that_was_saved_is_found_by_the_vae(flux, vae):
    wired = grown(flux, enlarger=drawn())
    files.save(vae, Fitted(drawn(), {}, 4))
    assert torch.equal(grown(flux, vae), wired)
    inputs = {"schedule": plan_for(flux), "upsampling": "enlarger"}
    small = {"samples": torch.zeros(1, 16, 16, 24)}
    one, other = (
        advanced(flux, **inputs, latent_image=small, **more).args[0]["samples"]
        for more in ({"vae": vae}, {"enlarger": drawn()})
    )
    assert torch.equal(one, other)


def test_in_front_of_a_sampler_it_is_the_same(flux, vae):
    files.save(vae, Fitted(drawn(), {}, 4))
    inputs = {"schedule": plan_for(flux), "upsampling": "enlarger"}
    found, wired, without = (
        ksampler(on(flux, **inputs, **more)) for more in ({"vae": vae}, {"enlarger": drawn()}, {})
    )
    assert torch.equal(found, wired) and not torch.equal(found, without)


@pytest.mark.parametrize("has_vae", [False, True])
def test_without_one_latents_grow_by_dct_which_is_told(flux, vae, has_vae, caplog):
    caplog.set_level("INFO")
    out = grown(flux, vae if has_vae else None)
    why = "no enlarger is saved for this VAE: run RALU Fit" if has_vae else "neither an enlarger"
    assert f"grown by dct, as {why}" in caplog.text
    assert torch.equal(out, grown(flux, upsampling="dct"))


def test_stages_with_early_regions_grow_by_it(model, vae):
    schedule = schedule_for(model)
    out, other = (
        grown(model, vae, how, schedule=schedule, enlarger=drawn()) for how in ("enlarger", "dct")
    )
    assert torch.isfinite(out).all() and not torch.equal(out, other)


def test_one_of_other_latents_is_refused(flux):
    with pytest.raises(ValueError, match="16 channels, and the enlarger was fitted on 32: fit it"):
        grown(flux, enlarger=drawn(32))


@pytest.mark.parametrize(
    "upsampling, plan",
    [("dct", "own noise 2-2"), ("enlarger", "early second order 7, from 2.5 times the shift")],
)
def test_one_that_nothing_grows_by_is_told(flux, upsampling, plan, caplog):
    caplog.set_level("INFO")
    options = {"schedule": None, "quality": "balanced"} if plan.startswith("early") else {}
    grown(flux, None, upsampling, enlarger=drawn(), **options)
    assert f"plan: {plan if 'own' in plan else 'balanced'}" in caplog.text
    assert "; nothing grows by an enlarger in this plan" in caplog.text


def test_a_result_from_before_the_fit_is_not_taken_again(vae):
    def seen(upsampling):
        return Sampler.fingerprint_inputs(upsampling=upsampling, seed=1)

    before = seen("enlarger"), seen("pixel"), seen(None)
    files.save(vae, Fitted(drawn(), {}, 4))
    after = seen("enlarger"), seen("pixel"), seen(None)
    assert before[0] != after[0] and before[1] == after[1] and before[2] != after[2]
