"""Texts of the nodes in every language: locale files and help pages."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest

import ralu_pack
from lab.showcase.texts import schema_texts, written
from ralu_pack.nodes import shared_inputs
from ralu_pack.nodes.host.families.inspect import ModelFacts
from ralu_pack.nodes.host.families.table import FAMILIES, family_named
from ralu_pack.nodes.host.inputs import AUTO
from ralu_pack.ralu_core.growth import GROWTHS
from ralu_pack.ralu_core.scores import SCORES

ROOT = Path(ralu_pack.__file__).parent
NODES = asyncio.run(asyncio.run(ralu_pack.comfy_entrypoint()).get_node_list())
LANGUAGES = ("en", "zh", "ja", "ko")
SCRIPTS = {"zh": "[\u4e00-\u9fff]", "ja": "[\u3040-\u30ff]", "ko": "[\uac00-\ud7a3]"}
DOCS = ROOT / "web" / "docs"
NAME = re.compile(r"`([A-Za-z_0-9]+)`")
PICTURE = re.compile(r"!\[([^]]+)\]\(([^)]+)\)")
BOLD, ITALIC = re.compile(r"\*\*[^*]+\*\*"), re.compile(r"(?<!\*)\*([^*\n]+)\*(?!\*)")
MARK = re.compile(r"<!-- (\w+) -->")
NAMES = re.compile(r"\d+\.\d+|canny_gpu|latent_gradient|OpenCV|euler|LoRA|4-step distilled|Turbo")
LABELS = re.compile(r"^  (\w+|\"[^\"]+\"): \{(.*)\},$", re.MULTILINE)
TRANSLATED = {"Live preview method"}  # ComfyUI's own settings have names in every language
COMFYS = {  # inputs that ComfyUI's own nodes have, too
    *("model", "positive", "negative", "latent_image", "seed", "cfg", "sampler_name", "denoise"),
    *("vae", "clip", "text", "noise", "guider", "sampler", "image", "latent", "width", "height"),
    *("save",),
}
MAX_PICTURE = 150_000  # bytes; the pack is downloaded with its help


def locale_texts(language: str) -> dict:
    return json.loads((ROOT / "locales" / language / "nodeDefs.json").read_text("utf-8"))


def leaves(texts: dict, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], str]:
    found = {}
    for key, value in texts.items():
        found |= leaves(value, (*path, key)) if isinstance(value, dict) else {(*path, key): value}
    return found


def test_english_is_what_the_nodes_say():
    assert locale_texts("en") == schema_texts()


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_missing(language):
    texts = leaves(locale_texts(language))
    assert texts.keys() == leaves(schema_texts()).keys()
    assert all(isinstance(text, str) and text.strip() for text in texts.values())


@pytest.mark.parametrize("language", SCRIPTS)
def test_sentences_are_translated(language):
    for path, text in leaves(locale_texts(language)).items():
        if path[-1] in ("tooltip", "description", "display_name"):
            assert re.search(SCRIPTS[language], text), path


@pytest.mark.parametrize("language", SCRIPTS)
def test_numbers_survive_translation(language):
    """Presets, options and ranges are the same in every language."""
    english = leaves(schema_texts())
    for path, text in leaves(locale_texts(language)).items():
        if path[-1] == "tooltip" and path[1] == "inputs":
            assert all(word in text for word in NAMES.findall(english[path])), path


@pytest.mark.parametrize("language", SCRIPTS)
def test_what_texts_call_an_input_stands_on_the_canvas(language):
    """Help pages, tooltips and messages name inputs as files do; ComfyUI names its own."""
    for node, texts in locale_texts(language).items():
        for name, said in texts.get("inputs", {}).items():
            assert name in COMFYS or name in said["name"], (node, name)


@pytest.mark.parametrize("language", LANGUAGES)
def test_nodes_are_called_by_their_names(language):
    texts = locale_texts(language)
    names = [one["display_name"] for one in texts.values()]
    known = {name for name in names if name.endswith((")", "\uff09"))}
    pages = [page.read_text("utf-8") for page in DOCS.glob(f"*/{language}.md")]
    told = "".join([*pages, *leaves(texts).values()])
    for name in known:
        base = re.split(r"\s*[(\uff08]", name)[0]
        longest = len(name) - len(base)  # what follows of another length is a remark
        called = set(re.findall(rf"{base}\s*[(\uff08]\w{{1,{longest}}}[)\uff09]", told))
        assert called and called <= known, called - known


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("node", NODES)
def test_help_page_has_headings_and_pictures(node, language):
    page = (DOCS / node.define_schema().node_id / f"{language}.md").read_text("utf-8")
    assert page.startswith("# ") and "\n## " in page
    assert page.splitlines()[0][2:] == locale_texts(language)[page_id(node)]["display_name"]
    assert "\n<!--" not in page  # which would end the paragraph
    pictures = PICTURE.findall(page)
    assert pictures
    for description, name in pictures:
        assert description and (DOCS / name).stat().st_size <= MAX_PICTURE
    if language in SCRIPTS:
        assert re.search(SCRIPTS[language], page)


def outline(page: str) -> dict[str, object]:
    """What a page has whatever its language: sections, items, pictures and the nodes' own words."""
    return {
        "lines": [line[:2] for line in page.splitlines() if re.match(r"#+ |- |\d\. |!\[", line)],
        "items": [sorted(NAME.findall(item)) for item in page.split("\n- ")[1:]],
        "bold": len(BOLD.findall(page)),
        "italic": [w for w in ITALIC.findall(page) if w.isascii() and w not in TRANSLATED],
        "names": set(NAMES.findall(page)),
        "marks": MARK.findall(page),
    }


@pytest.mark.parametrize("language", SCRIPTS)
@pytest.mark.parametrize("node", NODES)
def test_help_is_as_long_in_every_language(node, language):
    pages = DOCS / page_id(node)
    english, other = (outline((pages / f"{k}.md").read_text("utf-8")) for k in ("en", language))
    assert other == english


@pytest.mark.parametrize("name", ["RALU_Sampler", "RALU_SamplerAdvanced"])
def test_what_runs_without_a_schedule_is_told(name):
    told = schema_texts()[name]["inputs"]["schedule"]["tooltip"]
    facts = [ModelFacts.published(family, family.full_shift) for family in FAMILIES]
    schnell = ModelFacts.published(family_named("flux1"), 1.0)
    assert all(one.preset_name in told for one in (*facts, schnell))
    # SD3.5 Large and its Turbo have one shift, one size and one class.
    for text in (told, (DOCS / name / "en.md").read_text("utf-8")):
        assert "set plain_steps, or connect a schedule with their preset (SD3.5 Large Tu" in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_choices_of_the_tables_are_told(language):
    nodes = locale_texts(language)
    for name in ("RALU_Sampler", "RALU_SamplerAdvanced", "RALU_EdgeMaskPreview"):
        in_a_run = name != "RALU_EdgeMaskPreview"
        scores = shared_inputs.detector_input(in_a_run).options
        assert in_a_run is (scores == [*SCORES, AUTO])
        told = nodes[name]["inputs"]["edge_detector"]["tooltip"]
        assert all(score in told for score in scores)
    for name in ("RALU_Sampler", "RALU_SamplerAdvanced"):
        told = nodes[name]["inputs"]["upsampling"]["tooltip"]
        assert all(one.name in told for one in GROWTHS.values() if one.words != one.name)


@pytest.mark.parametrize("node", NODES)
def test_choices_have_a_label_in_every_language(node):
    """Names of presets, methods and samplers stay as they are."""
    table = (ROOT / "web" / "choices.js").read_text("utf-8")
    labels = {key.strip('"'): said for key, said in LABELS.findall(table)}
    for one in node.define_schema().inputs:
        for choice in getattr(one, "options", None) or ():
            if one.id in ("method", "sampler_name") or re.match(r"(FLUX|SD3) \dx$", choice):
                continue
            assert re.findall(r"(\w+): \"[^\"]+\"", labels[choice]) == ["ja", "ko", "zh"], choice


def test_models_and_presets_are_told_as_the_tables_say():
    old = [path.name for path, text in written().items() if path.read_text("utf-8") != text]
    assert not old, "run python -m lab.showcase.texts"


def page_id(node) -> str:
    return node.define_schema().node_id


def test_help_pages_belong_to_nodes():
    pages = {path.parent.name for path in DOCS.glob("*/*.md")}
    assert pages == {page_id(node) for node in NODES}


@pytest.mark.parametrize("node", NODES)
def test_english_help_names_what_there_is(node):
    page = (DOCS / page_id(node) / "en.md").read_text("utf-8")
    known = {key for texts in schema_texts().values() for key in texts["inputs"]}
    known |= {out["name"] for texts in schema_texts().values() for out in texts["outputs"].values()}
    named = set(NAME.findall(page))
    assert named and named <= known
    own = {one.id for one in node.define_schema().inputs} - COMFYS
    assert own <= named | {f"steps_{k}" for k in range(1, 4)}
