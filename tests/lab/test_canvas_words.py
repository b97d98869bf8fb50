"""Every language says on the canvas what English says."""

from __future__ import annotations

import json
import re

import pytest

from lab.comfy.locate import REPOSITORY

WORDS, LOCALES = REPOSITORY / "web" / "words", REPOSITORY / "locales"
LANGUAGES = sorted(path.stem for path in WORDS.glob("*.js"))
ENTRY = re.compile(r"^  (\w+):\s*(?:\(([^)]*)\) =>)?\s*(.*?),$", re.MULTILINE | re.DOTALL)


def words(language: str) -> dict[str, tuple[str, str]]:
    """For each key its parameters and its text."""
    text = (WORDS / f"{language}.js").read_text(encoding="utf-8")
    return {key: (parameters, said) for key, parameters, said in ENTRY.findall(text)}


def test_every_locale_has_its_words():
    assert sorted(path.name for path in LOCALES.iterdir()) == LANGUAGES


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_says_all_of_it(language):
    own, english = words(language), words("en")
    # What tells of a run comes from the server, in English.
    of_runs = [key for key in own if key.startswith("compared") or key in ("plainly", "said")]
    assert len(of_runs) == (0 if language == "en" else 12)
    own = {key: said for key, said in own.items() if key not in of_runs}
    assert list(own) == list(english) and len(english) >= 20
    for key, (parameters, said) in own.items():
        assert parameters == english[key][0], key
        # Each number or name that English tells is told.
        assert sorted(set(re.findall(r"\$\{(.*?)\}", said))) == sorted(
            set(re.findall(r"\$\{(.*?)\}", english[key][1]))
        ), key
        assert language == "en" or said != english[key][1], key


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("node", "key"), [("RALU_Apply", "in_front"), ("RALU_Sampler", "replace")])
def test_help_names_the_entry_of_the_menu(language, node, key):
    page = (REPOSITORY / "web" / "docs" / node / f"{language}.md").read_text(encoding="utf-8")
    assert f"**{json.loads(words(language)[key][1])}**" in page


@pytest.mark.parametrize("language", LANGUAGES)
def test_commands_are_called_as_in_the_menu(language):
    path = LOCALES / language / "commands.json"
    commands = json.loads(path.read_text(encoding="utf-8"))
    said = words(language)
    assert commands == {
        f"ralu_{key}": {"label": json.loads(said[key][1])} for key in ("replace", "in_front")
    }
