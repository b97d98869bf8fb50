"""One step at a time through what the released code computed, from its own stored inputs.

The files hold runs of github.com/ignoww/RALU at 23c21fd with tiny random models, float32 on a CPU.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from ralu_core import Evidence, Layout, Packing, Regions, StageEnd, ralu
from ralu_core.crossings import Matched, Place
from ralu_core.growth.nearest import Token
from ralu_core.latents.flow import signal_scale, stage_start
from ralu_core.latents.grid import FULL, HALF, MIXED
from ralu_core.latents.tokens import patchify, pick, unpatchify
from ralu_core.scores.canny import Canny
from ralu_core.scores.canny_gpu import CannyGpu
from ralu_core.scores.regions import select_ratio

DATA = Path(__file__).parents[1] / "data"
TOLERANCE = {"rtol": 0, "atol": 1e-6}
COARSE, FINE = (8, 8), (16, 16)  # tokens


@dataclass(frozen=True)
class Golden:
    """A stored run; tensors under the names of the file."""

    info: dict
    tensors: dict[str, torch.Tensor]

    def __getitem__(self, name: str) -> torch.Tensor:
        return self.tensors[name]

    @property
    def layout(self) -> Layout:
        fine = torch.zeros(1, 64, dtype=torch.bool)
        fine[:, self["indices_2x_sorted"].long()] = True
        return Layout(fine.reshape(1, *COARSE))

    @property
    def packing(self) -> Packing:
        (packing,) = Packing.parts(self.layout)
        return packing

    def crossing(self, stage: int) -> Matched:
        end = 1 - self.info["e"][stage - 1]
        return Matched(end, self.info["Z"], "token", kept="released")

    def in_our_order(self, tokens: torch.Tensor) -> torch.Tensor:
        """From [kept, children of each parent in turn] to [kept, fine tokens row by row]."""
        kept, parents = (self[name].long() for name in ("indices_1x", "indices_2x_sorted"))
        row, column = (2 * (parents // 8))[:, None], (2 * (parents % 8))[:, None]
        down, right = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 0, 1])
        place = (row + down) * 16 + column + right
        return torch.cat(
            [tokens[:, : len(kept)], tokens[:, len(kept) + place.flatten().argsort()]], 1
        )

    def row_by_row(self, tokens: torch.Tensor) -> torch.Tensor:
        """From [children of each kept parent, old fine tokens] to the plain full grid."""
        return tokens[:, self["stage3_sort_permutation"].long()]


@pytest.fixture(params=["level4", "custom222"])
def golden(request: pytest.FixtureRequest) -> Golden:
    with safe_open(DATA / f"flux_tiny_{request.param}.safetensors", framework="pt") as file:
        info = json.loads(file.metadata()["info"])
        return Golden(info, {name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118


def uncorrelated(noise: torch.Tensor, c: float) -> torch.Tensor:
    """The white noise that `sibling_noise` turns into this: its mean of siblings grows back."""
    return noise + ((1 - 4 * c) ** -0.5 - 1) * Token().mean_of_siblings(noise, 2)


def test_stage_1_starts_from_every_second_sample(golden: Golden) -> None:
    assert torch.equal(patchify(pick(golden["init_unpacked"])), golden["stage1_latents_in"])


def test_edge_scores_are_the_same_to_the_pixel(golden: Golden) -> None:
    """The released code takes the decoder's raw [-1, 1] for an image and loses what is dark."""
    image = golden["vae_out_stage2"].permute(0, 2, 3, 1)
    for score in (Canny(), CannyGpu()):
        scores = score.of_picture(image, COARSE)
        assert torch.equal(scores[0] * 16 * 16 * 255, golden["edge_scores_raw"])


def test_regions_are_the_same(golden: Golden) -> None:
    """The released code breaks ties with random numbers of 1e-6.

    They vanish beside float32 scores of 255 and more, so they only decide between tokens without
    any edge. Both runs have enough tokens with edges.
    """
    assert golden["edge_scores_raw"].flatten().sort().values[-19] >= 255
    regions = select_ratio(golden["edge_scores_raw"][None], golden.info["up_ratio"])
    assert torch.equal(regions, golden.layout.fine)
    image = golden["vae_out_stage2"].permute(0, 2, 3, 1)
    estimate = golden["tweedie_x0_unpacked"]
    evidence = Evidence(StageEnd(estimate, estimate), COARSE, lambda _: image)
    assert torch.equal(Regions().choose(evidence, 0.3), golden.layout.fine)


def test_positions_are_the_same(golden: Golden) -> None:
    ids = golden["stage2_img_ids"][None, :, 1:]
    assert torch.equal(golden.in_our_order(ids), golden.layout.positions)
    native = Layout(torch.ones(1, *COARSE, dtype=torch.bool)).positions
    assert torch.equal(golden["stage3_img_ids"][None, :, 1:], native)
    coarse = Layout(torch.zeros(1, *COARSE, dtype=torch.bool)).positions
    assert torch.equal(golden["stage1_img_ids"][None, :, 1:], coarse)


def test_sigmas_are_the_same(golden: Golden) -> None:
    info = golden.info
    ends = tuple(1 - e for e in info["e"])
    plan = ralu(info["N"], ends, info["h"], info["Z"], info["up_ratio"], 3.0)
    for stage in plan.stages:
        stored = golden[f"stage{stage.number}_timesteps_x1000"] / 1000
        torch.testing.assert_close(torch.tensor(stage.sigmas), stored, **TOLERANCE)


def test_coefficients_are_the_same(golden: Golden) -> None:
    for stage in (1, 2):
        end = 1 - golden.info["e"][stage - 1]
        assert signal_scale(golden.info["Z"], end) == pytest.approx(
            golden.info["betas"][stage - 1], abs=1e-12
        )
        assert stage_start(golden.info["Z"], end) == pytest.approx(
            golden.info["alphas"][stage - 1], abs=1e-12
        )


def test_scale_and_stored_noise_give_the_next_stage(golden: Golden) -> None:
    """a * Up(x) + b * z with the stored z, for both crossings."""
    layout, packing, z = golden.layout, golden.packing, golden.info["Z"]
    ends = [1 - e for e in golden.info["e"]]

    coarse = unpatchify(golden["stage1_latents_out"], *COARSE)
    grown = packing.gather(patchify(coarse), patchify(Token().grow(coarse, 2)))
    noise = golden.in_our_order(golden["n_prime_stage2"])
    mixed = signal_scale(z, ends[0]) * grown + stage_start(z, ends[0]) * noise
    expected = golden.in_our_order(golden["stage2_latents_in"])
    torch.testing.assert_close(mixed, expected, **TOLERANCE)

    state = packing.unpack(golden.in_our_order(golden["stage2_latents_out"]))
    grown = torch.where(layout.fine_pixels, state, Token().grow(pick(state), 2))
    noise = unpatchify(golden.row_by_row(golden["n_prime_stage3"]), *FINE)
    full = signal_scale(z, ends[1]) * grown + stage_start(z, ends[1]) * noise
    torch.testing.assert_close(patchify(full), golden["stage3_latents_in"], **TOLERANCE)


def test_crossing_into_stage_2(golden: Golden) -> None:
    layout, packing, crossing = golden.layout, golden.packing, golden.crossing(1)
    noise = packing.unpack(golden.in_our_order(golden["n_prime_stage2"]))
    white = torch.where(layout.fine_pixels, uncorrelated(noise, crossing.jump.c), noise)
    coarse = unpatchify(golden["stage1_latents_out"], *COARSE)
    place = Place(HALF, MIXED, layout, 2)
    mixed = packing.pack(crossing.cross(StageEnd(coarse, coarse), white, place))
    expected = golden.in_our_order(golden["stage2_latents_in"])
    torch.testing.assert_close(mixed, expected, **TOLERANCE)


def test_crossing_into_stage_3(golden: Golden) -> None:
    layout, crossing = golden.layout, golden.crossing(2)
    noise = unpatchify(golden.row_by_row(golden["n_prime_stage3"]), *FINE)
    white = torch.where(layout.fine_pixels, noise, uncorrelated(noise, crossing.jump.c))
    mixed = golden.packing.unpack(golden.in_our_order(golden["stage2_latents_out"]))
    full = crossing.cross(StageEnd(mixed, mixed), white, Place(MIXED, FULL, layout, 2))
    torch.testing.assert_close(patchify(full), golden["stage3_latents_in"], **TOLERANCE)


def test_the_result_is_the_last_stages_tokens(golden: Golden) -> None:
    final = unpatchify(golden["stage3_latents_out"], *FINE)
    assert torch.equal(final, golden["final_unpacked"])
