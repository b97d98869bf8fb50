"""RALU Fit Latent Enlarger: what it learns, where it saves that, and what it refuses."""

from __future__ import annotations

import os
from dataclasses import replace

import comfy.sd
import folder_paths
import pytest
import torch

from lab.models import tiny
from ralu_pack.nodes.fit_enlarger import FitEnlarger
from ralu_pack.nodes.host.enlarger import files
from ralu_pack.nodes.host.enlarger.encoding import check_pictures, encoded_pair, fitted_to, middle
from ralu_pack.nodes.host.enlarger.fit_report import told
from ralu_pack.ralu_core.latents.space import Space

VIDEO = Space(has_frames=True)


def pictures(count: int = 5, side: int = 224, seed: int = 1) -> torch.Tensor:
    """Soft colours, which a random VAE encodes at two sizes to much the same."""
    noise = torch.rand(count, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
    grown = torch.nn.functional.interpolate(noise, size=(side, side), mode="bilinear")
    return grown.movedim(1, -1)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_paths, "models_dir", str(tmp_path))
    return tmp_path / "ralu_enlargers"


@pytest.fixture(scope="module")
def fitted(vae):
    with torch.inference_mode():
        return fitted_to(vae, [*pictures(3), pictures(1, 333)[0], pictures(1, 448)[0, :, 100:400]])


@pytest.fixture(scope="module")
def video_vae():
    return tiny.load_vae(tiny.vae_weights(VIDEO, seed=5))


def test_it_fits_saves_and_tells(folder, video_vae):
    out = FitEnlarger.execute(vae=video_vae, image=pictures())
    enlarger, report = out.args
    assert enlarger.channels == 16
    shown = {"text": report, "workflow": None}  # no server runs it
    assert out.ui == {"text": (report,), "ralu_report": [shown]}
    assert "Enlarger of 16 channels, fitted on 5 pictures." in report
    assert all(f"{name} " in report for name in ("nearest", "bicubic", "dct"))
    (file,) = folder.glob("*")
    assert str(file) in report
    found = files.saved_for(video_vae)
    assert torch.equal(found.weights, enlarger.weights) and torch.equal(found.bias, enlarger.bias)
    half, full = encoded_pair(video_vae, pictures(1, seed=9)[0])
    error = (enlarger.enlarge(half) - full).square().mean()
    assert error < 0.5 * (full - full.mean((2, 3), keepdim=True)).square().mean()


def test_flux_2_is_fitted_in_the_space_that_is_sampled():
    vae = tiny.load_vae(tiny.vae_weights(Space(channels=32, fold=2)))
    half, full = encoded_pair(vae, pictures(1, 128)[0])
    assert half.shape == (1, 32, 8, 8) and full.shape == (1, 32, 16, 16)


def test_a_vae_is_known_by_its_weights_in_any_precision():
    weights = tiny.taesd_weights(seed=3)
    vae = tiny.load_vae(weights)
    assert files.fingerprint(comfy.sd.VAE(sd=dict(weights), dtype=torch.bfloat16)) == (
        files.fingerprint(vae)
    )
    assert files.fingerprint(tiny.load_vae(tiny.taesd_weights(seed=4))) != files.fingerprint(vae)
    assert files.fingerprint(object()) is None


def test_pictures_may_have_any_sizes(fitted):
    assert fitted.pictures == 5 and fitted.enlarger.channels == 16


def test_without_saving_nothing_is_written(folder, vae, fitted):
    assert "Not saved: connect ENLARGER" in told(fitted, False, None) and not folder.exists()
    assert files.known_files() == [] and files.saved_for(vae) is None
    os.utime(files.save(vae, fitted), (0, 0))
    before = files.known_files()
    files.save(vae, fitted)
    assert len(before) == len(files.known_files()) == 1 and files.saved_for(vae) is not None
    assert before != files.known_files()  # ComfyUI is not to take what ran with the one before


def test_a_map_that_does_not_help_is_told(fitted):
    best = min(share for name, share in fitted.wrong.items() if name != "enlarger")
    for share in (best, 2.0):
        worse = replace(fitted, wrong={**fitted.wrong, "enlarger": share})
        assert "It is no better than they are: fit it on more" in told(worse, False, None)
    assert "no better" not in told(fitted, False, None)


def test_a_folder_of_the_users_choice_is_taken(tmp_path, monkeypatch, vae, fitted):
    chosen = tmp_path / "elsewhere"
    known = {**folder_paths.folder_names_and_paths, files.FOLDER: ([str(chosen)], set())}
    monkeypatch.setattr(folder_paths, "folder_names_and_paths", known)
    assert files.save(vae, fitted).parent == chosen and files.saved_for(vae) is not None


def test_a_folder_that_cannot_be_written_is_told(folder, vae, fitted, caplog):
    folder.write_text("a file in its place")
    path = files.save(vae, fitted)
    assert "Not saved, the log says why: connect ENLARGER" in told(fitted, True, path)
    assert "the enlarger was not saved, as" in caplog.text


def test_what_could_not_be_put_in_place_is_not_left(folder, vae, fitted, caplog):
    (path := files.save(vae, fitted)).unlink()
    path.mkdir()
    assert files.save(vae, fitted) is None and list(folder.iterdir()) == [path]
    assert "the enlarger was not saved, as" in caplog.text


@pytest.mark.parametrize("content", [b"", b"no tensors", bytes(64)])
def test_a_broken_file_is_named(folder, vae, fitted, content):
    file = files.save(vae, fitted)
    file.write_bytes(content)
    with pytest.raises(ValueError, match=rf"read from {file} .*: delete that file, and fit anew"):
        files.saved_for(vae)


class Unused:
    """A VAE that must not be asked, as the pictures are refused before."""

    def encode(self, picture):
        raise AssertionError("encoded")

    decode = encode


@pytest.mark.parametrize(
    "image, message",
    [
        (pictures(4, 96), "at least 128 pixels each way, got 96x96: connect larger ones"),
        (pictures(4, 256)[:, :96], "at least 128 pixels each way, got 256x96: connect larger"),
        (pictures(3, 128)[[0, 1, 2, 0]], "and here one comes twice: connect different ones"),
        (torch.full((4, 128, 128, 3), 0.5), "these are of one colour each: connect photographs"),
        (torch.full((4, 128, 128, 3), float("nan")), "IMAGE holds values that are not numbers"),
        (pictures(3, 128), "4 pictures or more, half of which measure it, got 3: add some"),
    ],
)
def test_pictures_that_teach_nothing_are_refused_before_they_are_encoded(image, message):
    with pytest.raises(ValueError, match=message):
        FitEnlarger.execute(vae=Unused(), image=image)


def test_one_picture_of_one_colour_among_others_teaches_no_less():
    check_pictures([*pictures(3, 128), torch.full((128, 128, 3), 0.5)])


def test_the_middle_of_what_does_not_split_is_taken():
    rows, columns = torch.meshgrid(torch.arange(133), torch.arange(70), indexing="ij")
    taken = middle(torch.stack([rows, columns, rows], -1))
    assert taken.shape == (128, 64, 3) and taken[0, 0].tolist() == [2, 3, 2]


def test_a_vae_is_given_numbers_from_0_to_1(vae, monkeypatch):
    """A picture may go beyond, and half of hard edges does."""
    given, encode = [], vae.encode
    monkeypatch.setattr(vae, "encode", lambda picture: given.append(picture) or encode(picture))
    stripes = torch.arange(128).div(4).long() % 2 * 1.5
    encoded_pair(vae, stripes[None, :, None].expand(128, -1, 3))
    assert len(given) == 2 and all(one.min() == 0 and one.max() == 1 for one in given)


def test_small_pictures_are_refused_after_one(vae):
    seen = []
    with pytest.raises(
        ValueError, match=r"one half has 128 latent pixels .* and 576 are the least"
    ):
        fitted_to(vae, list(pictures(4, 128)), lambda: seen.append(1))
    assert not seen


@pytest.mark.parametrize("vae", [None, type("Decoder", (), {"decode": len})()], ids=str)
def test_a_vae_that_encodes_is_needed(vae):
    with pytest.raises(
        ValueError, match=r"takes a VAE that encodes pictures, got .*: connect Load"
    ):
        FitEnlarger.execute(vae=vae, image=pictures(4))


def test_a_vae_of_no_model_that_is_sampled_is_refused():
    from comfy.taesd.taesd import TAESD

    vae = tiny.load_vae(tiny.seeded(TAESD(latent_channels=4).state_dict(), 1))
    with pytest.raises(
        ValueError, match=r"makes latents of shape \(1, 4, 16, 16\) of a picture 128"
    ):
        encoded_pair(vae, pictures(1, 256)[0])
