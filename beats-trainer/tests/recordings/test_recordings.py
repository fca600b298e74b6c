"""Thousands of real recordings, which `scripts/recordings.py` installs: all are decoded or reported."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from beats_trainer.audio.read import read_waveform
from beats_trainer.table import read_table

RECORDINGS = os.environ.get("BEATS_TEST_RECORDINGS", "")
SILENT = ["birds/nandou.ogg", "lizards/iguana.ogg", "mammals/giraffe.ogg", "marsupials/wombat.ogg"]

pytestmark = [
    pytest.mark.skipif(
        not RECORDINGS,
        reason="needs recordings that are not ours to pass on: make embed-recordings installs them",
    ),
    pytest.mark.timeout(3600),
]


@pytest.fixture(scope="module")
def outcome(tmp_path_factory, model):
    from beats_trainer.embed.encode import Encoding
    from beats_trainer.embed.run import Run
    from beats_trainer.recordings.sources import find_sources
    from beats_trainer.table.settings import Settings

    settings = Settings("tiny", "0" * 64, layers=(0,), dim=model.config.encoder_embed_dim)
    sources = find_sources([RECORDINGS], relative_to=RECORDINGS)
    return Run(sources, Encoding(model, settings), tmp_path_factory.mktemp("real") / "table")()


def found(outcome, kind):
    """The recordings with a finding, and its detail."""
    return {
        line.recording: finding.detail
        for line in outcome.lines
        for finding in line.facts.findings
        if finding.kind == kind
    }


def test_every_recording_is_embedded_or_in_the_report_with_a_reason(outcome):
    embedded = set(read_table(outcome.output.path).recordings)
    assert len(outcome.lines) > 2000
    assert all(line.status != "ok" for line in outcome.lines if line.recording not in embedded)
    assert {line.recording for line in outcome.lines if line.embedded != "no"} == embedded
    assert not outcome.failed


def test_the_silent_ones_are_named(outcome):
    assert sorted("/".join(name.split("/")[-2:]) for name in found(outcome, "silent")) == SILENT


def test_ogg_files_that_stop_inside_a_packet_are_told_from_those_that_only_have_no_end(outcome):
    cut = {name for name, why in found(outcome, "truncated").items() if "goes on" in why}
    unended = found(outcome, "unended")
    assert len(cut) > len(unended) > 10
    assert not cut & set(unended)


def test_exact_twins_are_named_and_are_twins(outcome):
    twins = found(outcome, "duplicate")
    assert len(twins) > 100
    for name, detail in twins.items():
        pair = [Path(RECORDINGS, one) for one in (name, detail.removeprefix("sounds exactly as "))]
        one, other = (read_waveform(path, truncated="keep") for path in pair)
        assert np.array_equal(one, other), pair
