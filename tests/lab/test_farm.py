"""What a farm makes of a server that answers nonsense; the rest is tested on real servers."""

from __future__ import annotations

import pytest
from answering import SOUND, serving

from lab.comfy.errors import HostError
from lab.comfy.farm import Farm


def test_prompts_end_on_a_sound_server():
    with serving(SOUND) as url:
        jobs = list(Farm([url]).run([{}, {}]))
    assert [(job.url, job.errors) for job in jobs] == [(url, [])] * 2


@pytest.mark.parametrize(
    ("path", "answer", "lacks"),
    [
        ("/prompt", {}, "KeyError"),
        ("/prompt", [], "AttributeError"),
        ("/history/1", {"1": {"outputs": {"9": {"images": [{}]}}}}, "KeyError"),
        ("/history/1", {"1": {"outputs": {"9": {"images": 4}}}}, "TypeError"),
    ],
)
def test_a_broken_answer_is_told_and_ends_the_prompt(path, answer, lacks):
    with serving({**SOUND, path: answer}) as url:
        (job,) = Farm([url], attempts=2).run([{}])
    assert not job.url and len(job.errors) == 2
    assert all(isinstance(error, HostError) for error in job.errors)
    assert f"The run at {url} broke: {lacks}" in str(job.errors[-1])
