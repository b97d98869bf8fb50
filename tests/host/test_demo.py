"""`make demo` as a user runs it, and the parts of it that need no server."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from PIL import Image

from demo import workflow
from demo.contact_sheet import OUTLINE, outline
from demo.host import HostError
from demo.host.locate import REPOSITORY
from demo.stand_ins import STAND_INS, StandIn, load_stand_in

SIDE = 128
PICTURES = ("flux_dev_5x", "flux_dev_7x", "flux_schnell_4_steps", "sd3_medium_2x")


def run_demo(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "demo.run", *arguments]
    env = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    return subprocess.run(command, cwd=REPOSITORY, env=env, capture_output=True, text=True)


def test_demo_writes_pictures_and_counts(tmp_path):
    done = run_demo("--size", str(SIDE), "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    for name in PICTURES:
        for kind in ("", "_edges"):
            assert Image.open(tmp_path / f"{name}{kind}.png").size == (SIDE, SIDE)
    assert Image.open(tmp_path / "contact_sheet.png").height > 4 * SIDE
    table = (tmp_path / "table.md").read_text()
    assert table in done.stdout + "\n"
    for row in (
        "50 plain steps | 50 | 50 x 64 | 1.00x |",
        "RALU FLUX 5x | 15 | 4 x 16, 5 x 25, 6 x 64 | ",
        "RALU FLUX 7x | 10 | 2 x 16, 3 x 19, 5 x 64 | ",
        "28 plain steps | 28 | 28 x 64 | 1.00x |",
        "RALU SD3 2x | 20 | 5 x 16, 6 x 28, 9 x 64 | ",
    ):
        assert row in table.replace(" (random weights)", "")
    # No miniature of schnell is made, so part of the demo always is random.
    assert "FLUX.1-schnell" in table.splitlines()[0]
    assert "ARE RANDOM: these pictures mean nothing" in table


@pytest.mark.parametrize(
    ("arguments", "environment", "sentence"),
    [
        (("--size", "100"), {}, "--size must be a multiple of 32 from 64, got 100."),
        ((), {"COMFYUI_PATH": "/nowhere"}, "/nowhere is not a ComfyUI folder"),
        (("--out", "/dev/null/x"), {}, "Not a directory"),
    ],
)
def test_demo_says_what_is_wrong_in_one_line(arguments, environment, sentence):
    done = run_demo(*arguments, **environment)
    assert done.returncode == 1
    assert done.stderr.startswith("demo: ") and done.stderr.count("\n") == 1
    assert sentence in done.stderr


def test_regions_are_outlined():
    picture, early = Image.new("RGB", (64, 64), (200, 100, 40)), Image.new("L", (64, 64))
    early.paste(255, (32, 0, 64, 32))
    shown = outline(picture, early)
    assert shown.getpixel((48, 16)) == (200, 100, 40)
    assert shown.getpixel((32, 16)) == shown.getpixel((63, 31)) == OUTLINE
    assert shown.getpixel((16, 16)) == shown.getpixel((31, 16)) == (110, 55, 22)


def test_only_what_a_node_needs_is_kept():
    def entry(*links: str) -> dict:
        return {"class_type": "X", "inputs": {f"i{n}": [link, 0] for n, link in enumerate(links)}}

    prompt = {"a": entry(), "b": entry("a"), "c": entry("b", "a"), "d": entry("b")}
    assert workflow.only_for(prompt, "d").keys() == {"a", "b", "d"}


def test_workflows_that_cannot_be_converted_are_refused():
    node = {"id": 7, "type": "Known", "mode": 4, "inputs": [], "widgets_values": []}
    saved = {"nodes": [node], "links": []}
    known = {"Known": {"input": {}, "display_name": "Known"}}
    with pytest.raises(HostError, match=r"Node 7 \(Known\) is muted or bypassed"):
        workflow.to_prompt(saved, known)
    with pytest.raises(HostError, match=r"Node 7 \(Known\) is unknown to this ComfyUI"):
        workflow.to_prompt(saved, {})
    with pytest.raises(HostError, match=r"There is no workflow nothing, only .*flux_dev_5x"):
        workflow.read_workflow("nothing")


def test_missing_miniature_is_named():
    schnell = STAND_INS["flux1-schnell.safetensors"]
    assert not schnell.is_trained and isinstance(schnell, StandIn)
    with pytest.raises(HostError, match=r"FLUX\.1-schnell has no trained miniature"):
        load_stand_in("flux1-schnell.safetensors", trained=True)
