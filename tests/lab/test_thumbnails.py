"""Making the small pictures tells which it left as they were."""

from __future__ import annotations

from PIL import Image

from lab.showcase.demo import COMPARISON
from lab.showcase.thumbnails import keep_comparison


def test_a_comparison_that_was_not_made_is_told(tmp_path, capsys):
    made, docs = tmp_path / COMPARISON, tmp_path / "docs"
    docs.mkdir()
    assert keep_comparison(made, docs) == 1
    assert "first.jpg stay the old ones: run `make demo`" in capsys.readouterr().err
    Image.new("RGB", (40, 20)).save(made)
    assert keep_comparison(made, docs) == 0
    assert (docs / COMPARISON).is_file() and (docs / "first.jpg").is_file()
