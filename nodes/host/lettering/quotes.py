"""Words in quotes in a prompt: what the picture is to show as lettering."""

from __future__ import annotations

import re

PAIRS = ("“”", "„“", "””", "«»", "»«", "\u2018\u2019", "「」", "『』", "《》")
# A straight single quote is an apostrophe, too: one opens after no letter and closes before none. A
# double one is an inch mark after a number.
SINGLE, DOUBLE = r"(?<!\w)'[^'\n]+'(?!\w)", r'(?<!\d)"[^"]*"'
QUOTED = "|".join([DOUBLE, *(f"{a}[^{a}{b}]*{b}" for a, b in PAIRS), SINGLE])


def quoted(prompt: str) -> list[str]:
    """Each of the words in quotes, as written, with its quotes."""
    return [found for found in re.findall(QUOTED, prompt) if len(found) > 2]


def without_quoted(prompt: str) -> str:
    """The prompt with its quotes empty."""
    return re.sub(QUOTED, lambda found: found[0][0] + found[0][-1], prompt)
