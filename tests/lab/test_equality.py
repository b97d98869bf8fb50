"""What `make equality` is asked for is done or refused."""

from __future__ import annotations

import pytest

from lab.comfy import HostError, find_host, locate
from lab.equality.__main__ import parse


@pytest.mark.parametrize("option", ["--version 0.3.75", "--only x", "--jobs 1", "--base HEAD"])
def test_recording_refuses_what_it_does_not_read(option, capsys):
    parse(option.split())
    with pytest.raises(SystemExit):
        parse(["--record", *option.split()])
    assert f"got {option.split()[0]} with it" in capsys.readouterr().err


def test_a_missing_version_tells_a_way_that_leads_to_it(tmp_path, monkeypatch):
    """`make host` with COMFYUI_PATH installs none."""
    monkeypatch.setattr(locate, "REPOSITORY", tmp_path)
    with pytest.raises(HostError, match="run `make host` first, without COMFYUI_PATH"):
        find_host("0.3.75", {})
