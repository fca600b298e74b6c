"""Each request of a fetch, spoiled in each way: the right message or success, and never a wrong file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import version

import pytest
from fault_table import ALWAYS, FAULTS, FOREIGN, MOST, REQUESTS, Scene, play, scene

OK = "ok"
MISMATCH = "DigestMismatchError: .*expected "
NO_HUB = "FetchError: .*(is no Hub|This is no Hub).*HF_ENDPOINT"
CLOSED = "FetchError: .*(broke again and again|no connection to)"  # requests, in 0.34, tells them not apart
LONGER = f"{MISMATCH}[0-9,]+ bytes, got "
PACKED = "FetchError: .*is packed \\('gzip'\\).*HTTPS_PROXY"
BROKE = "FetchError: .*broke again and again.*what arrived is kept"
# requests, in 0.34, keeps the last 16 kB before each cut to itself: where no more arrives, nothing does.
CUT = f"(ok$|{BROKE})" if version("huggingface_hub").startswith("0.") else OK

# The columns are those of REQUESTS: repo_info, listing HEAD and GET, file HEAD, GET, and GET with Range.
STAYS: dict[str, list[str]] = {
    "401": ["AccessError: .*does not accept the token.*hf auth login"] * 6,
    "403": ["AccessError: .*the token that is set may not read.*403.*read access"] * 6,
    "403 gated": ["AccessError: .*is gated.*Accept its terms on http"] * 6,
    "404": ["FetchError: .*nothing is there.*404.*HF_ENDPOINT"] * 6,
    "404 repository": ["AccessError: .*Either there is no (model|dataset) alice/"] * 6,
    "404 revision": ["FetchError: .*has no revision"] * 6,
    "404 file": ["FetchError: .*has no file"] * 6,
    "416": ["FetchError: .*refused the request.*416"] * 6,
    "429": ["FetchError: .*too many requests.*Try again"] * 6,
    "500": ["FetchError: .*the Hub has a fault.*500"] * 6,
    "timeout": ["FetchError: .*no answer in time.*HF_HUB_DOWNLOAD_TIMEOUT"] * 6,
    "cut": [BROKE, CLOSED, CUT, CLOSED, CUT, CUT],
    # Of a listing only the md5 is pinned: what the head says of its SHA-256 is no matter.
    "wrong bytes": [NO_HUB, OK, f"{MISMATCH}md5", *[f"{MISMATCH}sha256"] * 3],
    "too long": [
        NO_HUB,
        "FetchError: .*416",
        *[LONGER] * 4,
    ],
    "too short": [NO_HUB, LONGER, BROKE, f"{MISMATCH}300,000", BROKE, BROKE],
    "HTML page": [NO_HUB, NO_HUB, BROKE, NO_HUB, BROKE, BROKE],
    "redirect": [OK] * 6,
    "slow drip": [OK] * 6,
    "endless": [f"FetchError: .*does not end.*{MOST:,}", OK, LONGER, OK, LONGER, LONGER],
    "endless refusal": ["AccessError: .*may not read.*403"] * 6,
    # A head has no body: of a packed one it says no size.
    "packed": [PACKED, OK, PACKED, OK, PACKED, PACKED],
    "hostile ETag": [NO_HUB, NO_HUB, OK, NO_HUB, OK, OK],
    "hostile commit": [NO_HUB, NO_HUB, OK, NO_HUB, OK, OK],
    "hostile name": [r"PinError: the name of a file in a repository is '\.\./.*a way out", *[OK] * 5],
    FOREIGN: [OK] * 6,
}
# What is otherwise when the fault comes once.
PASSES: dict[str, list[str]] = {
    **dict.fromkeys(("429", "500", "timeout", "cut"), [OK] * 6),
    "wrong bytes": [*STAYS["wrong bytes"][:5], OK],
    "too long": [*STAYS["too long"][:5], OK],
    "endless": [*STAYS["endless"][:5], OK],
    "too short": [NO_HUB, LONGER, OK, f"{MISMATCH}300,000", OK, OK],
    "HTML page": [NO_HUB, NO_HUB, OK, NO_HUB, OK, OK],
}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with scene(tmp_path_factory.mktemp("faults")) as opened:
        yield opened


def test_no_cell_of_the_table_is_empty():
    assert list(STAYS) == list(FAULTS)
    assert {len(row) for row in [*STAYS.values(), *PASSES.values()]} == {len(REQUESTS)}


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_stays_is_named_or_got_around(stage: Scene, fault: str):
    check(stage, fault, ALWAYS, STAYS[fault])


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_passes_is_got_around_or_named(stage: Scene, fault: str):
    check(stage, fault, 1, PASSES.get(fault, STAYS[fault]))


def check(stage: Scene, fault: str, times: int, expected: list[str]) -> None:
    """A row of the table; that no wrong file and no token went anywhere, `play` itself sees to."""
    for request, wanted in zip(REQUESTS, expected, strict=True):
        outcome = " ".join(play(stage, request, fault, times).split())
        if wanted == OK:
            assert outcome == OK, request
        else:
            assert re.search(f"^{wanted}", outcome), f"{request}: {outcome}"
