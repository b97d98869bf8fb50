"""Generated runs: sizes, batches, steps, ratios, weights and masks in every combination."""

from __future__ import annotations

import functools
import os
import random
from dataclasses import dataclass

import hypothesis
import pytest
import torch
from hypothesis import strategies as st

from driving import ralu
from lab.models import tiny
from ralu_pack.nodes.host.samplers import sampler_names
from ralu_pack.ralu_core import plans
from ralu_pack.ralu_core.growth import GROWTHS
from ralu_pack.ralu_core.latents.frame import Frame
from ralu_pack.ralu_core.scores import SCORES, Need

SEED = int(os.environ.get("RALU_SEED", random.SystemRandom().randrange(2**32)))
CASES = int(os.environ.get("RALU_CASES", 500))
SHIFT = {"flux": 3.158193, "sd3": 3.0}
DTYPES = (torch.float32, torch.bfloat16, torch.float8_e4m3fn)
FREE = ("euler", "dpmpp_2m", "euler_ancestral", "dpmpp_2m_sde", "heun", "lcm", "res_multistep")


@dataclass(frozen=True)
class Case:
    """One run; masks are seeds of generated masks, or None."""

    family: str
    dtype: torch.dtype
    size: tuple[int, int]
    batch: int
    steps: tuple[int, int, int]
    ratio: float
    z: float
    cfg: float
    sampler: str
    detector: str
    threshold: float
    upsampling: str
    denoise: float
    region_mask: int | None
    noise_mask: int | None
    seed: int

    def schedule(self) -> plans.Plan:
        levels = (0.7, 0.5, 0.0)
        return plans.ralu(
            self.steps, levels, (4.4, 2.1, 2.0), self.z, self.ratio, SHIFT[self.family]
        )


def seeds() -> st.SearchStrategy[int | None]:
    return st.none() | st.integers(0, 2**31)


CASE = st.builds(
    Case,
    family=st.sampled_from(["flux", "sd3"]),
    dtype=st.sampled_from(DTYPES),
    size=st.tuples(st.integers(8, 48), st.integers(8, 48)).map(lambda s: (8 * s[0], 8 * s[1])),
    batch=st.integers(1, 3),
    steps=st.tuples(*[st.integers(1, 3)] * 3),
    ratio=st.floats(0.01, 0.99),
    z=st.floats(2.0, 12.0),
    cfg=st.sampled_from([1.0, 3.0]),
    sampler=st.sampled_from(FREE),
    # Those that read steps are refused where none come before the regions are chosen.
    detector=st.sampled_from(
        [k for k, one in SCORES.items() if not one.needs & (Need.HISTORY | Need.ATTENTION)]
    ),
    threshold=st.sampled_from([0.0, 0.0, 0.05, 0.5, 1.0]),
    upsampling=st.sampled_from(list(GROWTHS)),
    denoise=st.sampled_from([1.0, 1.0, 0.97, 0.8, 0.3, 0.01]),
    region_mask=seeds(),
    noise_mask=seeds(),
    seed=st.integers(0, 2**64 - 1),
).filter(lambda case: case.threshold == 0 or SCORES[case.detector].is_share)


@functools.cache
def loaded(family: str, dtype: torch.dtype):
    weights = tiny.flux_weights(1) if family == "flux" else tiny.sd3_weights(2)
    return tiny.load_model(weights, dtype=dtype)


@functools.cache
def codec():
    return tiny.narrow_taesd(3)


def blocks(seed: int, masks: int, size: tuple[int, int]) -> torch.Tensor:
    """Masks (masks, H, W) of one rectangle each."""
    rng = random.Random(seed)
    made = torch.zeros(masks, *size)
    for mask in made:
        top, left = rng.randrange(size[0]), rng.randrange(size[1])
        mask[top : top + rng.randrange(1, size[0]), left : left + rng.randrange(1, size[1])] = 1
    return made


def run(case: Case):
    latent = {"samples": torch.zeros(case.batch, 16, case.size[0] // 8, case.size[1] // 8)}
    options: dict = {}
    if case.denoise < 1 or case.noise_mask is not None:
        generator = torch.Generator().manual_seed(3)
        latent["samples"] = torch.randn(latent["samples"].shape, generator=generator)
    if case.noise_mask is not None:
        latent["noise_mask"] = blocks(case.noise_mask, case.batch, case.size)[:, None]
    if case.region_mask is not None:
        options["region_mask"] = blocks(
            case.region_mask, 1 + case.seed % 2 * (case.batch - 1), case.size
        )
    samples, mask = ralu(
        loaded(case.family, case.dtype),
        codec(),
        latent=latent,
        seed=case.seed,
        cfg=case.cfg,
        schedule=case.schedule(),
        sampler_name=case.sampler,
        edge_detector=case.detector,
        edge_threshold=case.threshold,
        upsampling=case.upsampling,
        denoise=case.denoise,
        **options,
    )
    return samples, mask, latent, options.get("region_mask")


@pytest.fixture(scope="module", autouse=True)
def printed_seed(request):
    reporter = request.config.pluginmanager.get_plugin("terminalreporter")
    reporter.write_line(f"\n{CASES} generated cases from RALU_SEED={SEED}")


@pytest.mark.slow
@pytest.mark.promise("Generated combinations of sizes, batches, steps, weights and masks")
@hypothesis.seed(SEED)
@hypothesis.settings(max_examples=CASES, deadline=None, database=None, print_blob=True)
@hypothesis.given(CASE)
def test_generated_runs(case: Case):
    with torch.inference_mode():
        samples, mask, latent, painted = run(case)
        again, same_mask, *_ = run(case)
    assert samples.shape == latent["samples"].shape and torch.isfinite(samples).all()
    assert torch.equal(samples, again) and torch.equal(mask, same_mask)
    assert mask.shape == (case.batch, *case.size) and ((mask == 0) | (mask == 1)).all()
    frame = Frame(case.size[0] // 8, case.size[1] // 8)
    skipped = not mask.any() and case.denoise < 1
    if painted is not None and not skipped:
        covered = painted.expand(case.batch, -1, -1)
        assert (mask >= covered).all()
    if painted is None and case.threshold == 0 and frame.is_whole and not skipped:
        tokens = frame.grid[0] * frame.grid[1]
        early = int(case.ratio * tokens + 1e-9)
        assert torch.equal(mask.sum(dim=(1, 2)), torch.full((case.batch,), early * 1024.0))
    if "noise_mask" in latent:
        reach = torch.nn.functional.max_pool2d(latent["noise_mask"], 17, 1, 8)
        kept = torch.nn.functional.adaptive_max_pool2d(reach, samples.shape[-2:]) == 0
        kept = kept.expand_as(samples)
        difference = (samples - latent["samples"])[kept].abs()
        assert difference.numel() == 0 or difference.max() < 1e-4
    model = loaded(case.family, case.dtype)
    assert model.wrappers == {} and model.object_patches == {}
    assert {"process_img", "cropped_pos_embed"}.isdisjoint(model.model.diffusion_model.__dict__)


def test_generated_samplers_are_offered():
    assert set(FREE) <= set(sampler_names())
