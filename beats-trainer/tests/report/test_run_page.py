"""The page about a training: its mistakes are the worst there are, and nothing in a label runs in it."""

from __future__ import annotations

import asyncio
import json
import re

import numpy as np
import pytest
import soundfile
from beats_trainer.report.mistakes import confusion, worst_mistakes
from beats_trainer.report.run_page import is_run, write_run_page
from beats_trainer.train.annotations import Annotation, Labels, LabelsError
from beats_trainer.train.evaluate import Predictions
from beats_trainer.train.run import HEAD, METRICS, fit
from beats_trainer.train.settings import TrainSettings
from browser import CHROMIUM, tab
from learning import RATE, call, clouds, write_clips

EVIL = "</script><img src=x onerror=window.hacked=1>"


def predictions(scores, targets, known=None):
    scores, targets = np.array(scores, np.float32), np.array(targets, np.float32)
    names = tuple(f"{number}.wav" for number in range(len(scores)))
    whole = np.ones(scores.shape, bool) if known is None else np.array(known, bool)
    zeros = np.zeros(len(scores))
    return Predictions(
        ("robin", "wren"), names, zeros, zeros + 1, ("test",) * len(names), scores, targets, whole
    )


def test_the_furthest_from_right_comes_first_and_each_example_once():
    found = predictions([[0.9, 0.8], [0.2, 0.95], [0.6, 0.1], [0.9, 0.1]], [[0, 0], [1, 1], [0, 1], [1, 0]])
    worst = worst_mistakes(found, (), 10)
    assert [(one.recording, one.label, one.heard) for one in worst] == [
        ("0.wav", "robin", False), ("2.wav", "wren", True), ("1.wav", "robin", True)
    ]  # fmt: skip
    assert [one.instead for one in worst] == ["", "robin", "wren"]
    assert worst_mistakes(found, (), 1) == worst[:1]


def test_what_nobody_knows_is_no_mistake_and_thresholds_are_heeded():
    found = predictions([[0.9, 0.4]], [[0, 0]], known=[[False, True]])
    assert worst_mistakes(found, (), 10) == []
    assert [one.label for one in worst_mistakes(found, (0.5, 0.3), 10)] == ["wren"]


def test_what_is_taken_for_what_is_counted_where_one_label_is_so():
    found = predictions([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]], [[1, 0], [0, 1], [0, 1]])
    assert confusion(found).tolist() == [[1, 0], [1, 1]]
    assert confusion(predictions([[0.9, 0.8]], [[1, 1]])) is None


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A training on vectors that hardly tell the labels apart; some of its recordings are there."""
    monkeypatch.chdir(tmp_path)
    vectors, recordings, _ = clouds(60, labels=("robin", EVIL, "wren"), apart=0.8)
    safe = [re.sub(r"calls/.*/", f"calls/{number // 60}/", name) for number, name in enumerate(recordings)]
    said = [Annotation(name, ("robin", EVIL, "wren")[i // 60]) for i, name in enumerate(safe)]
    for number, name in enumerate(safe):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        if number % 5:
            soundfile.write(tmp_path / name, call("robin", number), RATE)
    table = write_clips(tmp_path / "t.parquet", vectors, safe)
    fit(Labels(tuple(said), exhaustive=True), table, tmp_path / "run", TrainSettings(method="probe"))
    return tmp_path / "run"


def data_of(page):
    return json.loads(
        re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1]
    )


def test_a_page_has_the_figures_and_the_mistakes_with_their_sound(run, beats):
    done = beats("report", run, "-o", run / "page.html")
    page = (run / "page.html").read_text(encoding="utf-8")
    figures = json.loads((run / METRICS).read_text())["test"]
    assert f"{figures['cmap']:.3f}" in page
    assert "What is taken for what" in page
    shown = page.count('class="note"><bdi>calls/')
    assert 5 < shown <= 24
    heard = len(data_of(page)["sounds"])
    assert 0 < heard < shown
    assert f"test: {shown} mistakes, {heard} with sound" in done.stderr
    assert "of them cannot be heard" in page
    assert "onerror=window" not in page.replace("&lt;img src=x onerror=window", "")


def test_fewer_clips_can_be_asked_for(run, beats):
    beats("report", run, "-o", run / "page.html", "--clips", 2)
    assert (run / "page.html").read_text(encoding="utf-8").count('class="note"><bdi>calls/') == 2


def test_a_folder_without_a_head_is_no_run(run):
    assert is_run(run)
    (run / HEAD).unlink()  # as what `beats evaluate` writes
    assert not is_run(run)


def test_a_run_without_figures_says_what_to_do(run):
    (run / METRICS).write_text(json.dumps({"method": "probe", "labels": 3, "leak": False, "alike": 0}))
    with pytest.raises(LabelsError, match=r"has no figures.*--exhaustive"):
        write_run_page(run, run / "page.html")


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
def test_a_browser_paints_and_plays_them_and_complains_of_nothing(run):
    write_run_page(run, run / "page.html")

    async def look():
        async with tab(run / "page.html") as page:
            painted = await page.see(
                "[...document.querySelectorAll('canvas')].filter((c) => "
                "new Set(c.getContext('2d').getImageData(0, 0, 160, 64).data).size > 20).length"
            )
            ready = "document.querySelectorAll('[data-play]:enabled')"
            await page.see(f"{ready}[0].click()")
            await page.until(
                "!document.getElementById('audio').paused || document.getElementById('audio').ended"
            )
            await page.see(f"{ready}[1].click()")
            await page.until(f"{ready}[0].textContent.includes('Play')")
            wide = await page.see("document.documentElement.scrollWidth <= innerWidth")
            buttons = await page.see(f"{ready}.length")
            return painted, buttons, wide, await page.see("window.hacked"), page.complaints, page.requests

    painted, buttons, wide, hacked, complaints, requests = asyncio.run(look())
    assert painted == buttons > 0
    assert wide
    assert hacked is None
    assert complaints == []
    assert [one for one in requests if not one.startswith(("file:", "data:"))] == []
