"""Broken and doubled installations: ComfyUI starts, and the pack says one sentence."""

from __future__ import annotations

import asyncio
import logging
import shutil
import sys
from pathlib import Path
from types import ModuleType

import nodes as host
import pytest
import torch

from driving import ralu
from lab.comfy.locate import REPOSITORY
from ralu_pack.nodes.edge_mask_preview import EdgeMaskPreview

PARTS = ("__init__.py", "pyproject.toml", "nodes", "ralu_core", "web")
NODES = ("RALU_Sampler", "RALU_Schedule", "RALU_SamplerAdvanced")


@pytest.fixture(autouse=True)
def loaded(monkeypatch):
    """What ComfyUI has loaded, for the length of a test."""
    for name in ("NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS", "EXTENSION_WEB_DIRS"):
        monkeypatch.setattr(host, name, dict(getattr(host, name)))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def installed(folder: Path) -> Path:
    folder.mkdir()
    for part in PARTS:
        source = Path(REPOSITORY) / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / part)
    return folder


def load(folder: Path) -> bool:
    return asyncio.run(host.load_custom_node(str(folder)))


def test_two_copies(tmp_path, caplog):
    first, second = (installed(tmp_path / name) for name in ("ralu", "comfyui-ralu-main"))
    assert load(first)
    kept = {name: host.NODE_CLASS_MAPPINGS[name] for name in NODES}
    with caplog.at_level(logging.WARNING):
        assert not load(second)
    assert caplog.text.count("RALU is installed twice") == 1 and "Traceback" not in caplog.text
    assert f"in {first} and in {second}, and ComfyUI uses the first" in caplog.text
    assert {name: host.NODE_CLASS_MAPPINGS[name] for name in NODES} == kept
    assert not any(str(second) in str(web) for web in host.EXTENSION_WEB_DIRS.values())


def test_two_links_to_one_folder(tmp_path):
    folder = installed(tmp_path / "ralu")
    (tmp_path / "link").symlink_to(folder)
    assert load(folder) and not load(tmp_path / "link")


def test_the_same_copy_again(tmp_path):
    """As packs that reload others while ComfyUI runs do."""
    folder = installed(tmp_path / "ralu")
    assert load(folder) and load(folder)


BROKEN = {
    "missing": ("", "this Python has none: run `pip install opencv-python`"),
    "system library": (
        "raise ImportError('libGL.so.1: cannot open shared object file', name='cv2')",
        "libGL.so.1.*pip install --force-reinstall opencv-python-headless",
    ),
    "other numpy": (
        "raise AttributeError('_ARRAY_API not found')",
        "_ARRAY_API not found.*opencv-python-headless",
    ),
    "leftover folder": (None, "holds none.*opencv-python-headless"),
}


@pytest.mark.parametrize(("code", "phrase"), BROKEN.values(), ids=BROKEN)
def test_opencv_of_another_kind(flux, vae, tmp_path, monkeypatch, code, phrase):
    """Said before sampling, and canny_gpu, which the sentence names, runs."""
    for name in [name for name in sys.modules if name.split(".")[0] == "cv2"]:
        monkeypatch.delitem(sys.modules, name)
    if code is None:
        leftover = ModuleType("cv2")  # what a folder without files is imported as
        leftover.__path__ = [str(tmp_path)]
        monkeypatch.setitem(sys.modules, "cv2", leftover)
    elif code == "":
        monkeypatch.setitem(sys.modules, "cv2", None)
    else:
        (tmp_path / "cv2.py").write_text(code)
        monkeypatch.syspath_prepend(str(tmp_path))
    handle = flux.model.diffusion_model.register_forward_pre_hook(_called)
    with pytest.raises(ImportError, match=phrase) as raised:
        ralu(flux, vae, edge_detector="canny")
    handle.remove()
    assert "canny_gpu" in str(raised.value) and str(raised.value).count(". ") == 0
    with pytest.raises(ImportError, match=phrase):
        EdgeMaskPreview.execute(0.3, "canny", image=torch.zeros(1, 64, 64, 3))
    ralu(flux, vae, edge_detector="canny_gpu")


def _called(*_):
    raise AssertionError("The network was called.")
