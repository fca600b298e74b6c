"""The page about a table: what is in it, that nothing of a table runs in it, and how a browser shows it."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import io
import json
import sys
import threading
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
from beats_trainer.errors import MissingExtraError
from beats_trainer.report.census import count_clips
from beats_trainer.report.projection import fit_projection
from beats_trainer.report.sounds import spread_points
from beats_trainer.table import read_table
from beats_trainer.table.report_csv import COLUMNS as REPORT
from browser import CHROMIUM, tab
from sounds import TINY, noise

EVIL = "</script><script>window.hacked=1</script><img src=x onerror=window.hacked=1>\"'&\u2028/a{{1+1}}.wav"
VOID = {"meta", "link", "img", "input", "br", "hr"}


class Page(HTMLParser):
    """The elements of a page, with their attributes and text; refuses what is not closed in order."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open = [], []
        self.feed(text)
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append([tag, dict(attrs), ""])
        if tag not in VOID:
            self.open.append(len(self.elements) - 1)

    def handle_endtag(self, tag):
        assert self.elements[self.open.pop()][0] == tag

    def handle_data(self, data):
        for place in self.open:
            self.elements[place][2] += data

    def all(self, tag, **wanted):
        wanted = {key.rstrip("_"): value for key, value in wanted.items()}
        return [e for e in self.elements if e[0] == tag and wanted.items() <= e[1].items()]

    def text(self, tag, **wanted):
        return self.all(tag, **wanted)[0][2]

    @property
    def data(self):
        return json.loads(self.text("script", id="data"))


@pytest.fixture
def report(table, tmp_path, beats):
    """Writes a page; returns it parsed."""

    def write(source=table, *words):
        done = beats("report", source, "-o", tmp_path / "report.html", *words)
        assert done.exit_code == 0, done.output
        assert done.stdout.strip() == str(tmp_path / "report.html")
        return Page((tmp_path / "report.html").read_text(encoding="utf-8"))

    return write


@pytest.fixture
def evil(tmp_path, write_table, table):
    """A table and a report whose every text was chosen by an enemy."""
    out = tmp_path / "evil"
    columns = {"device": lambda i: EVIL, "datetime": lambda i: dt.datetime(2024, 5, 1, i % 24)}  # noqa: DTZ001
    write_table(
        out, 40, columns=columns, settings=read_table(table).metadata | {"dim": 16, "checkpoint": EVIL}
    )
    part = next((out / "shard=1").iterdir())
    rows = pq.read_table(part)
    rows = rows.set_column(0, "recording", [[EVIL] * 40]).replace_schema_metadata(rows.schema.metadata)
    pq.write_table(rows, part)
    (out / "_beats").mkdir()
    quoted = EVIL.replace('"', '""')
    (out / "_beats" / "report.csv").write_text(
        f"{','.join(REPORT)}\n" + ",".join(f'"{quoted}"' for _ in REPORT) + "\n", encoding="utf-8"
    )
    return out


def test_every_clip_is_on_the_map_with_what_is_known_of_it(report, table):
    ours, data = read_table(table), report().data
    assert [data["recordings"][i] for i in data["recording"]] == ours.recordings
    assert data["start"] == ours.start_s.tolist()
    assert data["hour"] == [int(name[-10:-8]) for name in ours.recordings]
    assert set(data["site"]) == {name.rpartition("/")[0] for name in ours.recordings}
    assert 0 <= min(data["x"] + data["y"]) <= max(data["x"] + data["y"]) <= 1


def lag(heard, original):
    """Where in a recording something was taken from, in samples: the peak of their correlation."""
    size = len(heard) + len(original)
    product = np.fft.rfft(original, size) * np.fft.rfft(heard, size).conj()
    return int(np.fft.irfft(product, size).argmax())


def test_the_sound_of_a_clip_is_that_clip(report):
    data = report().data
    assert len(data["sounds"]) == len(data["x"])
    for number, sound in data["sounds"].items():
        start, end = (data[key][int(number)] for key in ("start", "end"))
        original, _ = soundfile.read(data["recordings"][data["recording"][int(number)]])
        heard, rate = soundfile.read(io.BytesIO(base64.b64decode(sound["audio"])))
        assert rate == 16_000
        assert sound["seconds"] == end - start
        assert abs(lag(heard, original) - start * rate) < 0.1 * rate  # an MP3 begins with a little silence
        assert len(base64.b64decode(sound["picture"])) == data["picture"]["columns"] * data["picture"]["mels"]


def test_only_so_many_clips_are_heard_as_are_asked_for(report, table):
    assert len(report(table, "--clips", 3).data["sounds"]) == 3


def test_sites_and_hours_are_counted(report, table):
    page, ours = report(), read_table(table)
    cells = [int(e[1]["title"]) for e in page.all("td") if "title" in e[1]]
    assert sum(cells) == len(ours)
    assert sum(int(e[2]) for e in page.all("td", class_="sum")) == len(ours)
    census = count_clips(table)
    assert (census.clips, census.recordings) == (len(ours), len(set(ours.recordings)))
    assert census.seconds == pytest.approx(float((ours.end_s - ours.start_s).sum()))
    assert {s.name[-9:]: s.hours[3] for s in census.sites} == {"recorder0": 0, "recorder1": 3}


def test_a_large_table_is_sampled_and_says_so(report, tmp_path, write_table, table):
    write_table(tmp_path / "u", 9_000, 3_000, settings=read_table(table).metadata | {"dim": 16})
    page = report(tmp_path / "u", "--points", 500, "--clips", 7)
    assert len(page.data["x"]) == 500
    assert page.data["sounds"] == {}
    text = page.text("section", id="map")
    assert "500 of 12,000 clips, taken by chance" in text
    assert "7 chosen clips cannot be heard" in text
    assert sum(site.clips for site in count_clips(tmp_path / "u").sites) == 12_000


def test_a_table_without_rows_has_a_page(report, tmp_path, write_table, table):
    write_table(tmp_path / "u", 0, settings=read_table(table).metadata | {"dim": 16})
    page = report(tmp_path / "u")
    assert "The table has no rows" in page.text("main")
    assert "There is no report beside this table" in page.text("main")
    assert not page.all("canvas")


def test_the_damage_is_listed_worst_first(report, tmp_path, beats):
    (tmp_path / "sounds").mkdir()
    soundfile.write(tmp_path / "sounds" / "whole.wav", noise(3, 16_000, 1, 0), 16_000)
    whole = (tmp_path / "sounds" / "whole.wav").read_bytes()
    (tmp_path / "sounds" / "cut.wav").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "sounds" / "broken.wav").write_bytes(b"no sound")
    beats("embed", tmp_path / "sounds", "-o", tmp_path / "t", "--model", TINY, "--clip-s", 1)
    page = report(tmp_path / "t")
    lines = [e for e in page.all("tr") if "data-kinds" in e[1]]
    assert [e[1]["data-kinds"] for e in lines] == ["undecodable", "truncated"]
    assert "cut.wav" in lines[1][2]
    assert "2 of 3 recordings have something to report" in page.text("main")


def test_nothing_that_a_table_says_becomes_part_of_the_page(report, evil):
    page = report(evil, "--title", EVIL)
    assert len(page.all("script")) == 2
    assert not page.all("img")
    assert page.data["recordings"] == [EVIL]
    assert EVIL in page.text("h1")
    assert EVIL in [e[2] for e in page.all("bdi")]
    assert all(not key.startswith("on") and key != "style" for e in page.elements for key in e[1])


def test_the_page_names_nothing_outside(report):
    page = report()
    places = [value for e in page.elements for key, value in e[1].items() if key in ("src", "href")]
    assert all(place.startswith(("data:", "#")) for place in places)
    assert "http" not in page.text("style") + page.all("script")[1][2].replace(
        "http://www.w3.org/2000/svg", ""
    )
    policy = page.all("meta", **{"http-equiv": "Content-Security-Policy"})[0][1]["content"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy


def test_clips_that_are_heard_lie_far_apart():
    points = np.array([[0, 0], [0.01, 0], [1, 0], [0, 1], [0.99, 0], [0.5, 0.5]], np.float32)
    assert set(spread_points(points, 4)) >= {2, 3}
    assert sorted(spread_points(points, 99)) == [0, 1, 2, 3, 4, 5]
    assert list(spread_points(points[:0], 3)) == []


def test_principal_components_are_those_of_the_svd():
    vectors = np.random.default_rng(0).standard_normal((200, 9)).astype(np.float32) * np.arange(1, 10)
    projection = fit_projection(vectors, "pca")
    scaled = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    left, size, _ = np.linalg.svd(scaled - scaled.mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(np.abs(projection.fitted), np.abs(left[:, :2] * size[:2]), atol=1e-5)
    np.testing.assert_allclose(projection.points(vectors[:5]), projection.fitted[:5], atol=1e-6)


def test_umap_keeps_neighbours():
    pytest.importorskip("umap", reason="needs pip install 'beats-trainer[umap]'")
    rng = np.random.default_rng(0)
    vectors = np.repeat(rng.standard_normal((3, 16)), 40, axis=0) + rng.standard_normal((120, 16)) / 20
    projection = fit_projection(vectors.astype(np.float32))
    centres = projection.fitted.reshape(3, 40, 2).mean(axis=1)
    nearest = ((projection.fitted[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
    assert projection.name == "UMAP"
    assert nearest.tolist() == np.repeat([0, 1, 2], 40).tolist()


def test_without_umap_there_are_principal_components(monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    vectors = np.random.default_rng(0).standard_normal((40, 16)).astype(np.float32)
    assert fit_projection(vectors).name == "principal components"
    with pytest.raises(MissingExtraError, match=r"pip install 'beats-trainer\[umap\]'"):
        fit_projection(vectors, "umap")


@pytest.fixture
def behind_url(beats, embedded, tmp_path):
    """A table of the same recordings, read from a server; and the paths that were asked of it."""
    asked = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            asked.append((self.command, self.path))

    served = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=embedded[1]))
    threading.Thread(target=served.serve_forever, daemon=True).start()
    files = sorted(path.relative_to(embedded[1]).as_posix() for path in embedded[1].rglob("*.wav"))
    urls = [f"http://127.0.0.1:{served.server_address[1]}/{name}" for name in files]
    done = beats("embed", *urls, "-o", tmp_path / "remote", "--model", TINY, "--clip-s", 2)
    assert done.exit_code == 0, done.output
    asked.clear()
    yield tmp_path / "remote", asked
    served.shutdown()
    served.server_close()


def test_recordings_behind_urls_are_heard_if_they_may_be_fetched(report, behind_url, embedded):
    remote, asked = behind_url
    page = report(remote, "--map", "pca")
    assert page.data["sounds"] == {}
    assert "--fetch" in page.all("body")[0][2]
    assert asked == []
    page, local = report(remote, "--map", "pca", "--fetch"), report(embedded[0], "--map", "pca")
    assert page.data["sounds"] == local.data["sounds"]
    assert len(page.data["sounds"]) == 8
    fetched = [path for command, path in asked if command == "GET"]
    assert sorted(fetched) == sorted(set(fetched))


def test_a_recording_that_is_gone_from_its_server_is_silent(report, behind_url, embedded, monkeypatch):
    monkeypatch.setattr(SimpleHTTPRequestHandler, "do_GET", lambda self: self.send_error(404))
    page = report(behind_url[0], "--map", "pca", "--fetch")
    assert page.data["sounds"] == {}
    assert "cannot be fetched" in page.all("body")[0][2]


PICTURE = "document.getElementById('picture').getContext('2d')"
in_a_browser = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")


@in_a_browser
def test_a_page_runs_without_a_complaint_or_a_request(report, tmp_path):
    report()

    async def look():
        async with tab(tmp_path / "report.html") as page:
            await page.until("document.querySelector('#facts strong') !== null")
            await page.see("document.getElementById('points').focus()")
            first = await page.see("document.getElementById('count').textContent")
            for key in ("ArrowRight", "ArrowUp", "ArrowLeft", "ArrowDown"):
                await page.press(key)
            await page.see("document.getElementById('next').click()")
            await page.until(
                "!document.getElementById('audio').paused || document.getElementById('audio').ended"
            )
            await page.until("document.getElementById('audio').duration > 1.9")
            painted = await page.see(f"new Set({PICTURE}.getImageData(0, 0, 160, 64).data).size")
            second = await page.see("document.getElementById('count').textContent")
            wide = await page.see("document.documentElement.scrollWidth <= innerWidth")
            return first, second, painted, wide, page.complaints, page.requests

    first, second, painted, wide, complaints, requests = asyncio.run(look())
    assert first == "1 of 8"
    assert second.endswith("of 8")
    assert painted > 20
    assert wide
    assert complaints == []
    assert [r for r in requests if not r.startswith(("file:", "data:"))] == []
    assert len([r for r in requests if r.startswith("file:")]) == 1


@in_a_browser
def test_a_map_without_sound_can_be_walked_over(report, table, tmp_path):
    report(table, "--clips", 0)

    async def look():
        async with tab(tmp_path / "report.html") as page:
            await page.see("document.getElementById('points').focus()")
            seen = set()
            for key in ("ArrowRight", "ArrowLeft", "ArrowUp", "ArrowDown") * 2:
                await page.press(key)
                seen.add(await page.see("document.getElementById('facts').textContent"))
            return seen, await page.see("document.getElementById('play').disabled"), page.complaints

    seen, disabled, complaints = asyncio.run(look())
    assert len(seen) > 2
    assert disabled
    assert complaints == []


@in_a_browser
def test_an_enemy_runs_nothing(report, evil, tmp_path):
    report(evil, "--title", EVIL)

    async def look():
        async with tab(tmp_path / "report.html") as page:
            await page.see("document.getElementById('colour').dispatchEvent(new Event('change'))")
            return await page.see("[window.hacked, document.title]"), page.complaints, page.requests

    (hacked, title), complaints, requests = asyncio.run(look())
    assert hacked is None
    assert title.startswith("</script>")
    assert complaints == []
    assert len([r for r in requests if not r.startswith("data:")]) == 1


@in_a_browser
def test_the_policy_of_the_page_stops_a_script_that_got_in(report, tmp_path):
    """The second wall: what would happen had the first one a hole."""
    report()
    path = tmp_path / "report.html"
    text = path.read_text(encoding="utf-8").replace(
        "</h1>", "</h1><script>window.hacked=1</script><img src=http://127.0.0.1:9/>"
    )
    path.write_text(text, encoding="utf-8")

    async def look():
        async with tab(path) as page:
            return await page.see("window.hacked"), page.complaints

    hacked, complaints = asyncio.run(look())
    assert hacked is None
    assert len(complaints) >= 2
