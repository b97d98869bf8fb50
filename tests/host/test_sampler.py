"""Whole runs of the sampler nodes: the same seed, the same picture; nothing left behind."""

from __future__ import annotations

import comfy.cli_args
import comfy.model_management
import comfy.sample
import comfy.samplers
import comfy.utils
import pytest
import torch
from applying import ksampler, sampler_node
from comfy_extras.nodes_custom_sampler import Noise_RandomNoise

from driving import guider_for, plain, quick_schedule, ralu
from ralu_pack.nodes.host import request, run
from ralu_pack.nodes.host.families.inspect import inspect_model
from ralu_pack.nodes.host.own_run import OwnRun
from ralu_pack.nodes.host.showing.work import Work
from ralu_pack.nodes.sampler_advanced import SamplerAdvanced
from ralu_pack.ralu_core.__main__ import FLUX_DEV
from ralu_pack.ralu_core.latents.frame import Frame
from ralu_pack.ralu_core.plans import named_plan

CFG = {"Flux": 1.0, "SD3": 4.0}


def cfg_of(model) -> float:
    return CFG[type(model.model).__name__]


def test_same_seed_same_picture_and_another_seed_another(model, vae):
    first, mask = ralu(model, vae, cfg=cfg_of(model))
    again, same_mask = ralu(model, vae, cfg=cfg_of(model))
    other, _ = ralu(model, vae, cfg=cfg_of(model), seed=8)
    assert torch.equal(first, again) and torch.equal(mask, same_mask)
    assert (first - other).abs().max() > 0.1
    assert first.shape == (1, 16, 32, 32) and mask.shape == (1, 256, 256)
    assert torch.isfinite(first).all()


def test_other_random_numbers_change_nothing(flux, vae):
    first, _ = ralu(flux, vae)
    torch.manual_seed(123)
    torch.randn(17)
    assert torch.equal(first, ralu(flux, vae)[0])


@pytest.mark.parametrize("size", [(256, 256), (264, 200)])
def test_batch_item_is_the_single_run(model, vae, size):
    batch, masks = ralu(model, vae, batch=3, size=size, cfg=cfg_of(model))
    assert len({m.numpy().tobytes() for m in masks}) == 3
    for i in range(3):
        empty = torch.zeros(1, 16, size[0] // 8, size[1] // 8)
        latent = {"samples": empty, "batch_index": [i]}
        single, mask = ralu(model, vae, latent=latent, cfg=cfg_of(model))
        assert torch.equal(mask, masks[i : i + 1])
        torch.testing.assert_close(single, batch[i : i + 1], atol=1e-3, rtol=1e-3)


def test_mask_covers_the_ratio(flux, vae):
    _, mask = ralu(flux, vae, schedule=quick_schedule(ratio=0.3))
    assert mask.mean().item() == pytest.approx(19 / 64)


@pytest.mark.parametrize("size", [(256, 384), (264, 1000), (1080 // 5, 1920 // 5), (64, 512)])
@pytest.mark.parametrize("family", ["flux", "sd3"])
def test_any_size(request, family, size, vae):
    model = request.getfixturevalue(family)
    samples, mask = ralu(model, vae, size=size, cfg=cfg_of(model))
    assert samples.shape == (1, 16, size[0] // 8, size[1] // 8)
    assert mask.shape == (1, size[0] // 8 * 8, size[1] // 8 * 8)
    assert torch.isfinite(samples).all()


def test_nothing_stays_on_the_model(model, vae):
    x = torch.randn(1, 16, 32, 32, generator=torch.Generator().manual_seed(3))
    before = plain(model, x, cfg=cfg_of(model))
    keys = set(model.model.diffusion_model.__dict__), set(model.model.__dict__)
    ralu(model, vae, cfg=cfg_of(model))
    assert (set(model.model.diffusion_model.__dict__), set(model.model.__dict__)) == keys
    assert model.wrappers == {} and model.object_patches == {}
    assert torch.equal(before, plain(model, x, cfg=cfg_of(model)))


def test_weights_are_not_loaded_again(model, vae, monkeypatch):
    """Stage 2 samples on a clone of the MODEL, which shares what is already loaded."""
    ralu(model, vae, cfg=cfg_of(model))
    loads = []
    load = type(model).load

    def counted(patcher, *args, **kwargs):
        loads.append(patcher)
        return load(patcher, *args, **kwargs)

    monkeypatch.setattr(type(model), "load", counted)
    ralu(model, vae, cfg=cfg_of(model))
    assert not any(patcher.model is model.model for patcher in loads)


@pytest.fixture
def previews():
    """Live previews on; without them the host passes on only a few of these fast steps."""
    import latent_preview
    from comfy.cli_args import LatentPreviewMethod

    latent_preview.args.preview_method = LatentPreviewMethod.Latent2RGB
    yield
    latent_preview.args.preview_method = LatentPreviewMethod.NoPreviews


@pytest.mark.parametrize("call", [1, 4, 6])  # the third shows the regions
def test_interrupt_in_any_stage_leaves_nothing(flux, vae, previews, call):
    undisturbed, _ = ralu(flux, vae)
    keys = set(flux.model.diffusion_model.__dict__)
    calls = []

    def interrupt_later(value, total, preview=None, **_):
        calls.append(value)
        if len(calls) == call:
            comfy.model_management.interrupt_current_processing()

    comfy.utils.set_progress_bar_global_hook(interrupt_later)
    try:
        with pytest.raises(comfy.model_management.InterruptProcessingException):
            ralu(flux, vae)
    finally:
        comfy.utils.set_progress_bar_global_hook(None)
        comfy.model_management.interrupt_current_processing(False)
    assert len(calls) == call
    assert set(flux.model.diffusion_model.__dict__) == keys and flux.wrappers == {}
    assert torch.equal(undisturbed, ralu(flux, vae)[0])


def test_interrupt_before_the_decode(flux, vae, monkeypatch):
    undisturbed, _ = ralu(flux, vae)
    decode = vae.decode

    def interrupted(*args):
        comfy.model_management.interrupt_current_processing()
        comfy.model_management.throw_exception_if_processing_interrupted()

    monkeypatch.setattr(vae, "decode", interrupted)
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        ralu(flux, vae)
    monkeypatch.setattr(vae, "decode", decode)
    assert torch.equal(undisturbed, ralu(flux, vae)[0])


def test_one_progress_bar_with_previews(flux, vae, previews):
    seen = []
    comfy.utils.set_progress_bar_global_hook(
        lambda value, total, preview=None, **_: seen.append((value, total, preview))
    )
    try:
        ralu(flux, vae)
    finally:
        comfy.utils.set_progress_bar_global_hook(None)
    values = [value for value, *_ in seen]
    assert values == sorted(values) and len(set(values)) == 6 and values[1] == values[2]
    assert {total for _, total, _ in seen} == {values[-1]} == {1000}
    sizes = [preview[1].size for *_, preview in seen]
    assert sizes == [(16, 16)] * 2 + [(512, 512)] * 3 + [(32, 32)] * 2  # regions drawn on three


def test_the_bar_shows_work_not_steps(flux, vae, monkeypatch):
    """When stage 3 of FLUX 5x begins, 9 of 15 steps are done, and a third of the FLOPs."""
    facts, frame = inspect_model(flux), Frame.of_picture(1024, 1024)
    plan, full = named_plan("FLUX 5x", facts.shift), FLUX_DEV.flops(64 * 64)
    work = Work.of(plan, FLUX_DEV, frame.fine_grid)
    reached = [work.done(stage.number, stage.steps, stage.steps) for stage in plan.stages]
    assert reached[1] == pytest.approx(1 - 6 * full / FLUX_DEV.plan_flops(plan, 64, 64))
    assert 0.30 < reached[1] < 0.36 and reached[2] == 1.0
    # Newer hosts leave out what comes within a tenth of a second.
    monkeypatch.setattr(comfy.utils, "PROGRESS_THROTTLE_MIN_INTERVAL", 0.0, raising=False)
    seen = []
    comfy.utils.set_progress_bar_global_hook(lambda value, total, *_, **__: seen.append(value))
    try:
        ralu(flux, vae, schedule=quick_schedule())
    finally:
        comfy.utils.set_progress_bar_global_hook(None)
    tokens = quick_schedule().tokens(16, 16)
    flops = [2 * facts.cost.flops(count) for count in tokens]
    assert round(1000 * sum(flops[:2]) / sum(flops)) in seen and seen[-1] == 1000


def test_advanced_equals_the_simple_node(model, vae):
    cfg = cfg_of(model)
    simple, mask = ralu(model, vae, cfg=cfg)
    out = SamplerAdvanced.execute(
        noise=Noise_RandomNoise(7),
        guider=guider_for(model, cfg),
        sampler=comfy.samplers.sampler_object("euler"),
        latent_image={"samples": torch.zeros(1, 16, 32, 32)},
        denoise=1.0,
        vae=vae,
        schedule=quick_schedule(),
    )
    assert torch.equal(out.args[0]["samples"], simple)
    assert torch.equal(out.args[2], mask)
    # The last Euler step to sigma 0 lands on the clean estimate.
    torch.testing.assert_close(out.args[1]["samples"], simple, atol=1e-5, rtol=0)


def test_region_mask_adds_its_regions(flux, vae):
    _, edges = ralu(flux, vae)
    painted = torch.zeros(1, 256, 256)
    painted[:, 40:50, 200:210] = 1
    _, mask = ralu(flux, vae, region_mask=painted)
    assert mask[:, 32:64, 192:224].all()
    assert mask.sum() >= edges.sum()


def test_region_masks_of_different_size_per_picture(flux, vae):
    painted = torch.zeros(2, 256, 256)
    painted[0, :128] = 1
    painted[1, :32, :32] = 1
    latent, mask = ralu(flux, vae, batch=2, region_mask=painted)
    assert mask[0, :128].all() and mask[1, :32, :32].all()
    assert mask[0].sum() > mask[1].sum()
    single, _ = ralu(flux, vae, region_mask=painted[:1])
    torch.testing.assert_close(latent[:1], single, atol=1e-3, rtol=1e-3)


def test_adaptive_ratio_differs_between_pictures(flux, vae):
    _, mask = ralu(flux, vae, batch=2, edge_detector="canny_gpu", edge_threshold=0.3)
    shares = mask.mean(dim=(1, 2)).tolist()
    assert 0 < min(shares) < max(shares) < 1


def test_every_expert_widget_changes_something(flux, vae):
    default, _ = ralu(flux, vae)
    for widget in (
        {"edge_detector": "latent_gradient"},
        {"edge_threshold": 0.02},
        {"upsampling": "token"},
        {"upsampling": "lanczos"},
        {"sampler_name": "dpmpp_2m"},
        {"denoise": 0.9},
        {"cfg": 3.0},
    ):
        assert not torch.equal(default, ralu(flux, vae, **widget)[0]), widget


def test_without_a_schedule_the_models_own_preset_is_solved(flux, sd3, vae, caplog):
    caplog.set_level("INFO")
    ralu(flux, vae, schedule=None)
    assert "RALU 15 steps" in caplog.text and "stage 2: 5 steps x 100 tokens" in caplog.text
    caplog.clear()
    ralu(sd3, vae, schedule=None, cfg=4.0)
    assert "RALU 20 steps" in caplog.text and "stage 2: 6 steps x 121 tokens" in caplog.text


def test_latent_gradient_needs_no_vae(flux):
    samples, _ = ralu(flux, None, edge_detector="latent_gradient")
    assert torch.isfinite(samples).all()


@pytest.mark.parametrize(("denoise", "stages"), [(0.99, [1, 2, 3]), (0.65, [2, 3]), (0.4, [3])])
def test_img2img_skips_stages(flux, vae, denoise, stages):
    picture = torch.randn(1, 16, 32, 32, generator=torch.Generator().manual_seed(9))
    wires = request.Wires(
        guider_for(flux),
        comfy.samplers.sampler_object("euler"),
        {"samples": picture},
        vae,
        lambda latent: comfy.sample.prepare_noise(latent["samples"], 7),
        7,
    )
    sampled = run.sample(wires, request.Settings(quick_schedule(), OwnRun(denoise=denoise)))
    assert [record.number for record in sampled.report.stages] == stages
    assert torch.isfinite(sampled.samples).all()


def test_img2img_from_the_last_stage_is_a_plain_sampler(flux):
    """With stages 1 and 2 skipped, RALU is the host's own sampling of the same noise levels."""
    picture = torch.randn(1, 16, 32, 32, generator=torch.Generator().manual_seed(9))
    schedule = quick_schedule()
    samples, mask = ralu(flux, None, latent={"samples": picture}, denoise=0.1)
    sigma = float(flux.get_model_object("model_sampling").percent_to_sigma(0.9))
    (sigmas,) = (stage.sigmas for stage in schedule.begun_at(sigma).stages)
    noise = comfy.sample.prepare_noise(picture, 7)
    native = guider_for(flux).sample(
        noise,
        picture,
        comfy.samplers.sampler_object("euler"),
        torch.tensor(sigmas),
        disable_pbar=True,
        seed=7,
    )
    torch.testing.assert_close(samples, native, atol=1e-5, rtol=0)
    assert not mask.any()


@pytest.mark.parametrize("quality", ["balanced", "paper"])
def test_it_hands_on_the_type_that_a_ksampler_does(flux, monkeypatch, quality):
    """--fp16-intermediates of newer hosts."""
    monkeypatch.setattr(comfy.cli_args.args, "fp16_intermediates", True, raising=False)
    whole = sampler_node(flux, schedule=None, quality=quality)
    assert whole.dtype == ksampler(flux).dtype and whole.isfinite().all()
