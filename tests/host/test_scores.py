"""Region scores in the nodes: those without a decode need no VAE, and say what they need."""

from __future__ import annotations

import pytest
import torch

from driving import ralu, schedule_for
from lab.models import tiny
from ralu_pack.nodes.apply import Apply
from ralu_pack.nodes.edge_mask_preview import EdgeMaskPreview
from ralu_pack.nodes.host.families.table import family_named
from ralu_pack.ralu_core.latents.frame import Frame
from ralu_pack.ralu_core.latents.states import StageEnd
from ralu_pack.ralu_core.scores import SCORES, Evidence, Need, Regions, Score

UNDECODED = [name for name, score in SCORES.items() if score.needs is not Need.PICTURE]


@pytest.mark.parametrize("detector", UNDECODED)
def test_no_vae_is_needed_and_pictures_are_as_alone(flux, detector):
    options = {"schedule": schedule_for(flux), "edge_detector": detector}
    both, regions = ralu(flux, None, batch=2, **options)
    latent = {"samples": torch.zeros(1, 16, 32, 32), "batch_index": [1]}
    alone, own = ralu(flux, None, latent=latent, **options)
    assert torch.equal(regions[1:], own)
    torch.testing.assert_close(both[1:], alone, atol=1e-3, rtol=1e-3)
    if detector != "even":
        assert not torch.equal(regions[0], regions[1])


def test_random_regions_follow_the_seed(flux):
    options = {"schedule": schedule_for(flux), "edge_detector": "random"}
    masks = [ralu(flux, None, seed=seed, **options)[1] for seed in (1, 1, 2)]
    assert torch.equal(masks[0], masks[1]) and not torch.equal(masks[0], masks[2])


@pytest.mark.parametrize(
    "options", [{"denoise": 0.68}, {"steps": (1, 2, 2)}], ids=["begins mixed", "one step before"]
)
def test_steps_to_compare_are_asked_for_before_anything_is_sampled(flux, options):
    plan = schedule_for(flux, steps=options.pop("steps", (2, 2, 2)))
    with pytest.raises(ValueError, match=r"needs 2 steps of the stage before .* takes [01] there"):
        ralu(flux, None, schedule=plan, edge_detector="step_variance", **options)


def test_the_last_velocity_is_there_after_one_step(flux):
    plan = schedule_for(flux, steps=(1, 2, 2))
    mask = ralu(flux, None, schedule=plan, edge_detector="velocity_variance")[1]
    assert 0 < mask.mean() < 1
    with pytest.raises(ValueError, match=r"velocity_variance .* needs 1 step of .* takes 0 there"):
        ralu(flux, None, schedule=plan, edge_detector="velocity_variance", denoise=0.68)


@pytest.mark.parametrize("node", ["sampler", "in front"])
@pytest.mark.parametrize("detector", [*UNDECODED, "auto"])
def test_a_threshold_is_of_edge_pixels(flux, detector, node):
    """Without a VAE, so that auto finds none."""
    name, way_out = detector, "choose canny or canny_gpu"
    if detector == "auto":
        name, way_out = "latent_gradient", "connect a vae"
    told = rf"the {name} detector counts none, got 0.1: set edge_threshold to 0, or {way_out}"
    plan = schedule_for(flux, steps=(3, 2, 2))
    options = {"edge_detector": detector, "edge_threshold": 0.1, "schedule": plan}
    with pytest.raises(ValueError, match=told):
        ralu(flux, None, **options) if node == "sampler" else Apply.execute(flux, **options)


def test_a_preview_knows_no_threshold_of_a_latents_gradient():
    with pytest.raises(ValueError, match="choose canny or canny_gpu"):
        EdgeMaskPreview.execute(0.3, "latent_gradient", 0.1, image=torch.zeros(1, 64, 64, 3))


class Seen(Score):
    """Reads the picture and the steps."""

    name = words = "seen"
    needs = Need.PICTURE | Need.HISTORY

    def __call__(self, evidence: Evidence) -> torch.Tensor:
        raise AssertionError


def test_a_score_of_a_picture_and_more_needs_a_vae_at_once(flux, monkeypatch):
    monkeypatch.setitem(SCORES, Seen.name, Seen())
    plan = schedule_for(flux, steps=(3, 2, 2))
    with pytest.raises(ValueError, match="detector seen looks at the decoded picture, so RALU nee"):
        ralu(flux, None, schedule=plan, edge_detector="seen")


def test_a_threshold_is_no_matter_where_nothing_grows_early(flux):
    options = {"schedule": None, "quality": "draft", "edge_threshold": 0.1}
    assert ralu(flux, None, edge_detector="auto", **options)[0].isfinite().all()


def test_a_picture_alone_has_no_steps():
    with pytest.raises(ValueError, match=r"settled detector reads what only a run has, .*: choo"):
        EdgeMaskPreview.execute(0.3, "settled", image=torch.zeros(1, 64, 64, 3))


@pytest.mark.parametrize("name", ["flux1", "flux2", "qwen_image"])
def test_a_preview_of_a_latent_reads_it_as_a_run_does(name):
    """Also where the host folds it, or it has a frame."""
    family = family_named(name)
    space, vae = family.space, tiny.small_vae(family.space)
    generator = torch.Generator().manual_seed(2)
    latent = torch.randn(1, space.channels, 32, 32, generator=generator)
    latent = latent * torch.rand(1, 1, 32, 32, generator=generator)
    given = {"samples": space.leave(latent)}
    shown = EdgeMaskPreview.execute(0.3, "latent_gradient", latent=given, vae=vae).args[0]
    frame, half = Frame(32, 32, space), torch.nn.functional.avg_pool2d(latent, 2)
    evidence = Evidence(StageEnd(half, half), frame.grid)
    assert torch.equal(shown, frame.mask(Regions("latent_gradient").choose(evidence, 0.3)))


def test_a_preview_of_frames_by_their_latent_is_refused(vae):
    latent = {"samples": torch.zeros(1, 16, 3, 16, 16)}
    with pytest.raises(ValueError, match="got one of 3 frames: choose a canny detector"):
        EdgeMaskPreview.execute(0.3, "latent_gradient", latent=latent, vae=vae)
