"""The nodes as ComfyUI sees them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import ralu_pack
from driving import ralu
from lab.models import tiny
from ralu_pack.nodes.edge_mask_preview import EdgeMaskPreview
from ralu_pack.nodes.host.showing.overlay import OUTLINE
from ralu_pack.nodes.schedule import MATCH, PUBLISHED, Schedule, preview_values
from ralu_pack.ralu_core.plans.presets import PRESETS
from ralu_pack.ralu_core.plans.ralu import noise_jump

NODES = asyncio.run(asyncio.run(ralu_pack.comfy_entrypoint()).get_node_list())
ROOT = Path(ralu_pack.__file__).parent
SIZE = {"width": 1024, "height": 1024}


def run_schedule(preset="FLUX 5x", shifts=MATCH, **widgets):
    return Schedule.execute(preset=preset, shifts=shifts, **{**SIZE, **widgets}).args


def run_schedule_view(**widgets):
    asked = {"preset": "FLUX 5x", "shifts": MATCH, **SIZE, **widgets}
    (shown,) = Schedule.execute(**asked).ui["ralu_schedule"]
    return shown


def test_ids():
    ids = [node.define_schema().node_id for node in NODES]
    assert set(ids) >= {
        "RALU_Apply",
        "RALU_Schedule",
        "RALU_Sampler",
        "RALU_SamplerAdvanced",
        "RALU_EdgeMaskPreview",
    }
    assert all(node_id.startswith("RALU_") for node_id in ids) and len(set(ids)) == len(ids)


@pytest.mark.parametrize("node", NODES)
def test_everything_is_explained(node):
    schema = node.define_schema()
    assert schema.description and schema.category
    assert getattr(schema, "search_aliases", True)  # newer hosts only
    for widget in schema.inputs:
        assert widget.tooltip and len(widget.tooltip) > 15, widget.id


@pytest.mark.parametrize("node", NODES)
def test_node_info_is_json(node):
    json.dumps(node.GET_NODE_INFO_V1())


def test_version_has_one_home():
    assert 'version = "' in (ROOT / "pyproject.toml").read_text()
    assert not hasattr(ralu_pack, "__version__")


def test_requirements_agree():
    import re

    listed = re.search(r"^dependencies = \[(.*?)\]", (ROOT / "pyproject.toml").read_text(), re.M)
    assert listed is not None
    assert re.findall(r'"([^"]+)"', listed[1]) == (ROOT / "requirements.txt").read_text().split()


@pytest.mark.parametrize("preset", [p.name for p in PRESETS])
def test_every_preset_makes_a_schedule(preset):
    schedule, plot, report = run_schedule(preset)
    assert plot.shape[0] == 1 and plot.shape[-1] == 3 and 0 <= plot.min() < plot.max() <= 1
    assert f"{schedule.total_steps} steps" in report
    assert "JS distance" in report and "fewer model FLOPs" in report
    for tokens in schedule.tokens(64, 64):
        assert f"{tokens} tokens" in report


def test_a_schedule_is_compared_with_the_users_own_steps():
    shown = run_schedule_view(plain_steps=20)
    published = run_schedule_view()
    assert (shown["plain_steps"], shown["published_steps"]) == (20, 50)
    assert shown["speed_up"] == pytest.approx(0.4 * published["speed_up"])
    assert shown["published_speed_up"] == published["speed_up"]
    assert published["published_steps"] is None
    assert shown["widgets"]["plain_steps"] == 20
    assert preview_values({"preset": "FLUX 5x", "plain_steps": "20"})["saving"] == shown["saving"]
    changed = run_schedule_view(plain_steps=20, steps_1=10)  # nobody published that
    assert changed["published_steps"] is None and changed["published_speed_up"] is None
    assert changed["saving"].endswith("x fewer model FLOPs than 20 plain steps")


@pytest.mark.parametrize("name", ["width", "height", "plain_steps", "steps_1"])
def test_whole_numbers_that_come_as_fractions_are_whole(name):
    base = {"width": 512, "height": 1024, "plain_steps": 20, "steps_1": 3}
    shown = run_schedule_view(**{**base, name: float(base[name])})
    assert json.dumps(shown) == json.dumps(run_schedule_view(**base))
    with pytest.raises(
        ValueError, match=f"The {name} must be a whole number from 0 on, got float 512"
    ):
        run_schedule_view(**{**base, name: 512.5})


def test_schedule_reads_the_models_shift(flux, sd3):
    assert run_schedule(model=flux)[0].model_shift == pytest.approx(3.158193, abs=1e-5)
    assert run_schedule("SD3 2x", model=sd3)[0].model_shift == pytest.approx(3.0)


def test_sampling_nodes_upstream_are_respected(flux, sd3, vae):
    import comfy_extras.nodes_model_advanced as advanced

    (flux_2k,) = advanced.ModelSamplingFlux().patch(flux, 1.15, 0.5, 512, 512)
    (sd3_5,) = advanced.ModelSamplingSD3().patch(sd3, 5.0)
    shifted = run_schedule(model=flux_2k)[0]
    assert shifted.model_shift == pytest.approx(1.878, abs=1e-3)
    assert run_schedule("SD3 2x", model=sd3_5)[0].model_shift == pytest.approx(5.0)
    samples, _ = ralu(flux_2k, vae, schedule=shifted)
    assert torch.isfinite(samples).all()
    with pytest.raises(ValueError, match=r"this MODEL has shift 3\.16"):
        ralu(flux, vae, schedule=shifted)


@pytest.mark.parametrize("shifts", [MATCH, PUBLISHED])
def test_a_preset_of_another_family_is_right_for_the_model(sd3, vae, shifts, caplog):
    """SD3 has the shift that Flux presets were published for, or they are solved for its own."""
    caplog.set_level("INFO")
    schedule = run_schedule("FLUX 7x", shifts, model=sd3)[0]
    assert schedule.model_shift == pytest.approx(3.0)
    samples, _ = ralu(sd3, vae, schedule=schedule, cfg=4.0)
    assert torch.isfinite(samples).all()
    assert "stage 1: 2 steps x 64 tokens" in caplog.text
    assert "stage 2: 3 steps x 82 tokens" in caplog.text
    assert "stage 3: 5 steps x 256 tokens" in caplog.text


@pytest.mark.parametrize(("family", "preset"), [("flux", "FLUX 5x"), ("sd3", "SD3 2x")])
def test_a_muted_schedule_node_is_the_recommended_preset(request, vae, family, preset):
    model = request.getfixturevalue(family)
    schedule = run_schedule(preset, model=model)[0]
    without, _ = ralu(model, vae, schedule=None)
    assert torch.equal(without, ralu(model, vae, schedule=schedule)[0])


def test_published_numbers_are_refused_for_a_model_of_another_shift(vae):
    schnell = tiny.load_model(tiny.flux_weights(seed=1, guidance=False))
    with pytest.raises(ValueError, match="made for a model of shift 3, and this MODEL has shift 1"):
        ralu(schnell, vae, schedule=run_schedule("FLUX 5x", PUBLISHED)[0])


def test_published_numbers_are_one_click_away():
    schedule, _, _ = run_schedule("FLUX 7x", PUBLISHED)
    assert [stage.shift for stage in schedule.stages] == [8.14, 2.86, 2.19]
    assert noise_jump(schedule) ** -2 == pytest.approx(0.0255, abs=1e-4)


def test_every_override_is_obeyed():
    schedule, _, report = run_schedule(
        steps_1=3, steps_2=4, steps_3=7, end_sigma_1=0.6, end_sigma_2=0.5, ratio=0.4
    )
    assert schedule.steps == (3, 4, 7) and schedule.ends == (0.6, 0.5, 0.0)
    assert schedule.ratio == 0.4
    assert "stage 2: 4 steps, sigma" in report and "2251 tokens" in report


def test_edge_mask_preview_outlines_a_square():
    picture = torch.full((1, 256, 320, 3), 0.2)
    picture[:, 104:152, 136:184] = 0.9
    mask, overlay = EdgeMaskPreview.execute(ratio=0.05, image=picture).args
    expected = torch.zeros(1, 256, 320)
    expected[:, 96:160, 128:192] = 1
    assert torch.equal(mask, expected) and overlay.shape == picture.shape
    assert torch.equal(overlay[0, 96, 128], torch.tensor(OUTLINE))
    assert overlay[0, 0, 0].max() < picture[0, 0, 0].min()


@pytest.mark.parametrize("shape", [(1, 64, 8, 8), (1, 48, 1, 16, 16)], ids=str)
def test_edge_mask_preview_of_a_latent_that_no_model_here_has(shape):
    """Its picture is shown, but the detector would read pixels of another size."""
    vae = SimpleNamespace(decode=lambda samples: torch.rand(len(samples), 256, 256, 3))
    wires = {"ratio": 0.25, "latent": {"samples": torch.rand(*shape)}, "vae": vae}
    told = r"reads latents of models that RALU knows.*for a picture of 256x256: choose a canny"
    with pytest.raises(ValueError, match=told):
        EdgeMaskPreview.execute(**wires, edge_detector="latent_gradient")
    assert EdgeMaskPreview.execute(**wires, edge_detector="canny_gpu").args[0].shape[-1] == 256


@pytest.mark.parametrize("detector", ["canny", "canny_gpu", "latent_gradient"])
def test_edge_mask_preview_of_a_latent(vae, detector):
    latent = {"samples": torch.randn(2, 16, 33, 41, generator=torch.Generator().manual_seed(0))}
    mask, overlay = EdgeMaskPreview.execute(
        ratio=0.25, latent=latent, vae=vae, edge_detector=detector
    ).args
    assert mask.shape == (2, 264, 328) and overlay.shape == (2, 264, 328, 3)
    if detector != "latent_gradient":  # which knows no threshold
        adaptive, _ = EdgeMaskPreview.execute(
            ratio=0.25, latent=latent, vae=vae, edge_detector=detector, edge_threshold=0.5
        ).args
        assert not torch.equal(adaptive, mask)
