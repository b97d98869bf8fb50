"""The templates' cards, the pictures of the help pages, and what they are made of."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from lab.comfy.workflow import WORKFLOWS, read_workflow
from lab.showcase.cards import Words, model_of, sampling_of, words
from lab.showcase.screens import DOCS, PLACES, WIDTH, WIRED, wired
from lab.showcase.shots import painted, passed_by
from lab.showcase.thumbnails import CARD, EDGE, PANES, SUBJECTS, Pane, card

NAMES = sorted(path.stem for path in WORKFLOWS.glob("*.json"))
LARGEST = 300_000  # bytes of a picture in a page
DIFFERENT = 15  # of 255, mean over the pictures of two cards


def pixels(name: str) -> np.ndarray:
    return np.asarray(Image.open(WORKFLOWS / f"{name}.jpg"), dtype=np.float32)


def test_every_workflow_has_its_card():
    assert sorted(path.stem for path in WORKFLOWS.glob("*.jpg")) == NAMES
    assert {pixels(name).shape for name in NAMES} == {(CARD, CARD, 3)}


def test_no_two_cards_show_or_say_the_same():
    for one, other in combinations(NAMES, 2):
        between = np.abs(pixels(one)[: PANES // 2] - pixels(other)[: PANES // 2]).mean()
        assert between > DIFFERENT, (one, other, between)
    assert len({words(name) for name in NAMES}) == len(NAMES)
    assert len({(subject.text, subject.seed) for subject in SUBJECTS.values()}) == len(SUBJECTS)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "begin_here_flux_dev",
            Words("FLUX.1-dev", "Begin here: one file", "2.9x fewer FLOPs than 20 steps"),
        ),
        ("flux_dev_5x", Words("FLUX.1-dev", "RALU 5x", "5.6x fewer FLOPs than 50 steps")),
        ("flux_dev_7x", Words("FLUX.1-dev", "RALU 7x", "7.7x fewer FLOPs than 50 steps")),
        (
            "flux_dev_taylorseer",
            Words("FLUX.1-dev", "TaylorSeer", "2.8x fewer FLOPs than 50 steps"),
        ),
        (
            "flux_dev_in_front",
            Words("FLUX.1-dev", "RALU in front of a KSampler", "2.9x fewer FLOPs than 20 steps"),
        ),
        ("sd3_medium_2x", Words("SD3 Medium", "RALU 2x", "2.2x fewer FLOPs than 28 steps")),
        ("edge_mask_preview", Words("Any picture", "Which regions grow early", "No model needed")),
    ],
)
def test_words_of_a_card(name, said):
    assert words(name) == said


def test_skipped_steps_save_what_they_leave_out():
    nodes = read_workflow("flux_dev_taylorseer")["nodes"]
    model, sampling = model_of(nodes), sampling_of(nodes)
    assert model is not None and sampling is not None
    assert sampling.steps == "18 of 50 steps computed"
    assert sampling.saving(model.size) == pytest.approx(50 / 18)


def test_long_words_stay_on_the_card():
    grey = Image.new("RGB", (8, 8), "grey")
    made = card(
        [Pane("caption", grey)] * 2, Words("model " * 20, "use " * 30, "saving " * 20), "note " * 40
    )
    below = np.asarray(made, dtype=np.float32)[PANES:]
    ground = below[0, 0]
    assert (below != ground).any()
    assert (below[:, CARD - EDGE + 2 :] == ground).all()


def test_what_has_no_miniature_is_passed_by():
    prompt = {
        "1": {"class_type": "UNETLoader", "inputs": {}},
        "2": {"class_type": "LoraLoaderModelOnly", "inputs": {"model": ["1", 0], "strength": 1}},
        "3": {"class_type": "KSampler", "inputs": {"model": ["2", 0], "seed": 2}},
    }
    without = passed_by(prompt, "LoraLoaderModelOnly")
    assert list(without) == ["1", "3"]
    assert without["3"]["inputs"] == {"model": ["1", 0], "seed": 2}
    assert prompt["3"]["inputs"]["model"] == ["2", 0]


def test_a_mask_is_where_alpha_is_nothing():
    alpha = np.asarray(painted(Image.new("RGB", (8, 8)), (2, 2, 5, 5)))[..., 3]
    assert (alpha[2:6, 2:6] == 0).all() and alpha.sum() == 255 * (64 - 16)


def test_the_wiring_keeps_whole_wires():
    graph = wired(read_workflow(WIRED))
    assert {node["title"] for node in graph["nodes"]} == set(PLACES)
    numbers = {link[0] for link in graph["links"]}
    ends = [end["link"] for node in graph["nodes"] for end in node["inputs"] if end["link"]]
    starts = [k for node in graph["nodes"] for out in node["outputs"] for k in out["links"]]
    assert set(ends) == numbers == set(starts) and len(ends) == len(starts) == len(numbers)


def test_pictures_of_the_pages_are_small_files():
    names = ("wiring.jpg", "run.png", "run_temporal.png", "schedule.png", "regions.jpg")
    assert all((DOCS / name).stat().st_size < LARGEST for name in names)
    assert Image.open(DOCS / "wiring.jpg").width == pytest.approx(WIDTH, abs=2)
