"""The command that fits an enlarger from a folder of pictures."""

from __future__ import annotations

import folder_paths
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from lab.real import enlarger
from ralu_core.growth.enlarger import Enlarger


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    draw = np.random.default_rng(1)
    for number, side in enumerate((256, 256, 272, 256, 300)):
        colours = Image.fromarray(draw.integers(0, 256, (12, 12, 3), dtype=np.uint8))
        colours.resize((side, 256)).save(folder / f"{number}.png")
    return folder


def test_a_folder_is_fitted_told_and_saved(tmp_path, pictures, monkeypatch):
    monkeypatch.setattr(folder_paths, "models_dir", str(tmp_path))
    sheet = tmp_path / "sheet.png"
    stand_in = ["--stand-in", "flux1-dev.safetensors", "--pictures", str(pictures)]
    text = enlarger.report(enlarger.parse([*stand_in, "--sheet", str(sheet)]))
    _, *shares, path = next(row for row in text.splitlines() if "miniature" in row).split(" | ")
    head = next(row for row in text.splitlines() if "nearest" in row)
    names = [name.strip() for name in head.split("|")[2:6]]
    wrong = dict(zip(names, (float(share.split()[0]) for share in shares), strict=True))
    assert wrong["enlarger"] < min(wrong[name] for name in ("nearest", "bicubic", "dct"))
    found = Enlarger.of_tensors(load_file(path.strip(" |")))
    assert found.channels == 16 and str(tmp_path / "ralu_enlargers") in path
    assert Image.open(sheet).width > 5 * 256
    out = tmp_path / "here.safetensors"
    enlarger.report(enlarger.parse([*stand_in, "--out", str(out)]))
    again = Enlarger.of_tensors(load_file(out))
    torch.testing.assert_close(again.weights, found.weights, rtol=0, atol=1e-4)


def test_a_folder_may_be_thinned(pictures):
    assert len(enlarger.read_pictures(pictures, 3)) == 3
    assert enlarger.read_pictures(pictures)[2].shape == (256, 272, 3)


def test_an_empty_folder_and_no_vae_are_told(tmp_path, pictures):
    with pytest.raises(ValueError, match=r"holds no pictures \(.*: name a folder with some"):
        enlarger.report(enlarger.parse(["--vae", "a.safetensors", "--pictures", str(tmp_path)]))
    with pytest.raises(ValueError, match="Say which VAE to fit: --vae FILE"):
        enlarger.report(enlarger.parse(["--pictures", str(pictures)]))
