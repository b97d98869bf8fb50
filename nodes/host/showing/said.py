"""Sentences that the server makes and the browser may say in another language."""

from __future__ import annotations

from typing import Any


class Said:
    """A part of a sentence: str() has it in English.

    key      by which `web/words` find it in their languages.
    english  what is said, with the names of values in braces.
    values   plain ones.
    """

    def __init__(self, key: str, english: str, **values: str | int):
        self.key, self.values = key, values
        self.text = english.format(**values)

    def __str__(self) -> str:
        return self.text

    def as_data(self) -> dict[str, Any]:
        """Plain JSON values: `key`, `text` and `values`."""
        return {"key": self.key, "text": self.text, "values": self.values}
