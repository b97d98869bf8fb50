"""ComfyUI's own templates with RALU in their samplers' place, through a real server."""

from __future__ import annotations

import re
from itertools import chain

import pytest

from lab.comfy.locate import REPOSITORY, find_host
from lab.models.by_file import KINDS
from lab.templates.__main__ import PAGE
from lab.templates.package import templates_of, version_of
from lab.templates.running import FAILED, REFUSED, RUNS, Outcome, run_template, template_bench
from lab.templates.substitute import WAYS
from lab.templates.table import row

NEWEST = "0.30.0"
STATE = "(runs|refused|FAILS)"
ROW = re.compile(rf"^\| `(.+?)` \| .+? \| {STATE}.*? \| {STATE}")
# One for each way that samplers, subgraphs, references and refusals are wired.
FEW = {
    "image_qwen_image_edit_2511": (RUNS, RUNS),
    "image_flux2_klein_image_edit_4b_distilled": (RUNS, RUNS),
    "flux_depth_lora_example": (RUNS, RUNS),
    "image_lens_t2i": (RUNS, REFUSED),
    "image_z_image_turbo_fun_union_controlnet": (RUNS, REFUSED),
    "image_hidream_o1": (REFUSED, REFUSED),
    "image_ideogram4_t2i": (RUNS, REFUSED),
    "image_qwen_image_layered": (RUNS, REFUSED),
}
LEFT_OUT = ("sdxl_simple_example", "video_wan2_2_14B_t2v")


@pytest.fixture(scope="module")
def templates():
    host = find_host()
    if host.version != NEWEST:
        pytest.skip(f"the page is of ComfyUI {NEWEST}")
    return {template.name: template for template in templates_of(host)}


@pytest.fixture(scope="module")
def bench(templates, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        with template_bench(tmp_path_factory.mktemp("models")) as bench:
            yield bench


@pytest.fixture(scope="module")
def told() -> dict[str, tuple[str, ...]]:
    """How each template ended in each way, as the page says."""
    rows = filter(None, map(ROW.match, PAGE.read_text().splitlines()))
    return {row[1]: row.groups()[1:] for row in rows}


def states(outcome: Outcome) -> tuple[str, ...]:
    return tuple(outcome.ends[way].state for way in WAYS)


@pytest.mark.parametrize("name", FEW)
def test_some_run_or_are_refused(bench, templates, name):
    outcome = run_template(bench, templates[name])
    assert states(outcome) == FEW[name], outcome.ends
    assert outcome.kinds and all(end.samplers and end.words for end in outcome.ends.values())
    assert row(outcome) in PAGE.read_text().splitlines()


@pytest.mark.parametrize("name", LEFT_OUT)
def test_others_have_a_reason(bench, templates, name):
    assert run_template(bench, templates[name]).left_out


@pytest.mark.slow
def test_all_end_as_the_page_says(bench, templates, told):
    outcomes = [run_template(bench, template) for template in templates.values()]
    ended = {one.template.name: states(one) for one in outcomes if one.left_out is None}
    assert ended == told
    assert {kind for one in outcomes for kind in one.kinds} == set(KINDS)


def test_the_page_is_of_these_templates_and_none_fails(templates, told):
    assert version_of(find_host()) in PAGE.read_text()
    assert set(told) <= set(templates) and FAILED not in chain(*told.values())
    assert {name: told[name] for name in FEW} == FEW
    runs = sum(in_front == RUNS for in_front, _ in told.values())
    assert f"in front, {runs} of {len(told)} run" in (REPOSITORY / "README.md").read_text("utf-8")
