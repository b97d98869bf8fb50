"""The check of real weights runs on a miniature in the place of a checkpoint."""

from __future__ import annotations

import folder_paths
import pytest
import torch

from lab.comfy import ralu_pack
from lab.real import __main__ as command
from lab.real import checks, vae_scales
from lab.real.loading import load
from lab.real.sampling import Case, Sampling
from ralu_core.growth.enlarger import Enlarger


def options(tmp_path, *more: str):
    small = ("--size", "128", "--many", "6", "--counts", "2", "3", "--prompts", "red apple")
    return command.parse([*small, "--out", str(tmp_path), *more])


def test_an_enlarger_that_is_saved_for_the_vae_is_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_paths, "models_dir", str(tmp_path))
    sampling = Sampling(load(options(tmp_path, "--stand-in", "flux1-dev.safetensors")), 1.0, 3.5)
    before = {one.name for one in checks.methods(sampling, 128, (2,))}
    core = ralu_pack.enlarger_encoding
    fitted = core.Fitted(Enlarger(torch.zeros(64, 144), torch.zeros(64)), {}, 4)
    ralu_pack.enlarger_files.save(sampling.loaded.vae, fitted)
    more = {one.name for one in checks.methods(sampling, 128, (2,))} - before
    assert more == {f"{name}, enlarger" for name in before if name.startswith("own noise 4-")}


@pytest.mark.parametrize(
    "file, cfg",
    [("flux1-dev.safetensors", 1.0), ("sd3_medium_incl_clips_t5xxlfp8.safetensors", 4.0)],
)
def test_the_dials_own_plans_are_checked(tmp_path, file, cfg):
    sampling = Sampling(load(options(tmp_path, "--stand-in", file)), cfg, 3.5)
    counts = command.parse(["--stand-in", file]).counts
    names = {one.name for one in checks.methods(sampling, 128, counts)}
    assert set(ralu_pack.dials.dial_for((cfg, cfg)).values()) <= names


@pytest.mark.parametrize(
    "file, cfg",
    [("flux1-dev.safetensors", "1"), ("sd3_medium_incl_clips_t5xxlfp8.safetensors", "4")],
)
def test_a_report_says_what_each_method_keeps(tmp_path, file, cfg):
    chosen = options(tmp_path, "--stand-in", file, "--cfg", cfg)
    command.report(chosen, "a test")
    text = (tmp_path / "real.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in text.splitlines() if line.startswith("| plain")]
    snr = {row[1].strip(): float(row[3]) for row in rows}
    # More steps come closer to many.
    assert snr["plain, Euler, 3 steps"] > snr["plain, Euler, 2 steps"]
    assert "own noise 4-5, switch 0.8" in text and "RALU, " in text
    assert ("guided at half size, switch 0.7" in text) is (cfg == "4")
    assert "not measured, 1 pictures are too few" in text


def test_seconds_are_those_of_sampling(tmp_path, monkeypatch):
    """A prompt is encoded once, before any method is timed."""
    chosen = options(tmp_path, "--stand-in", "flux1-dev.safetensors", "--seeds", "2")
    loaded, texts = load(chosen), []
    encode = loaded.clip.encode_from_tokens_scheduled
    monkeypatch.setattr(
        loaded.clip,
        "encode_from_tokens_scheduled",
        lambda tokens, *rest: texts.append(tokens) or encode(tokens, *rest),
    )
    sampling = Sampling(loaded, 1.0, 3.5)
    for seed in range(2):
        case = Case("red apple", seed, 128)
        sampling.plain(case, 2, 1)
        sampling.plain(case, 2, 2)
    assert len(texts) == 2  # with the empty prompt


def test_four_pictures_measure_the_vae(tmp_path):
    sampling = Sampling(load(options(tmp_path, "--stand-in", "flux1-dev.safetensors")), 1.0, 3.5)
    pictures = torch.rand(4, 64, 64, 3, generator=torch.Generator().manual_seed(1)).split(1)
    entered = sampling.loaded.model.model.process_latent_in
    full, half = vae_scales.latents_at_both_sizes(sampling.loaded.vae, entered, pictures)
    assert full.shape == (4, 16, 8, 8) and half.shape == (4, 16, 4, 4)
    wrong = vae_scales.energies_left_wrong(full, half)
    assert len(wrong) == 6 and all(0 <= share < 10 for share in wrong.values())


def test_weights_that_are_not_there_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"has no missing\.safetensors among its diffusion_models"):
        load(options(tmp_path, "--unet", "missing.safetensors"))
    with pytest.raises(ValueError, match="Say which weights to check"):
        load(options(tmp_path))
