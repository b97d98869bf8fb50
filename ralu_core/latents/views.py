"""How the tokens of a mixed stage see each other: as published, or corrected."""

from __future__ import annotations

from dataclasses import dataclass

PAPER, VIEWS, ONE_TEXT = "paper", "views", "views, one text"


@dataclass(frozen=True)
class View:
    """One way for coarse and fine tokens to see each other. A new one: a line in `VIEWS_KNOWN`.

    name       as a plan holds it.
    words      what it does, for people.
    corrected  whether each size of tokens sees the others in units of its own grid.
    texts      copies of the text in a call, where text and picture share their attention.
    near       how often the fine tokens see each coarse key: twice adds log 2 to its logit.
    """

    name: str
    words: str
    corrected: bool
    texts: int = 1
    near: int = 1


VIEWS_KNOWN: dict[str, View] = {
    view.name: view
    for view in (
        View(
            PAPER, "all tokens see each other in units of the coarse grid, as in the paper", False
        ),
        View(VIEWS, "each size sees the other in its own units, with a text for each", True, 2, 2),
        View(ONE_TEXT, "each size sees the other in its own units; one text for both, free", True),
    )
}


def view_named(name: str) -> View:
    """The view of that name. ValueError lists the names there are."""
    if name not in VIEWS_KNOWN:
        raise ValueError(f"Views must be one of {'; '.join(VIEWS_KNOWN)}, got {name!r}.")
    return VIEWS_KNOWN[name]
