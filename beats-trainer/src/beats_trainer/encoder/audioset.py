"""What AudioSet calls its labels; alone in a file because the table has a licence of its own.

Fine-tuned checkpoints know the ids. `audioset.csv` is ids and names of Google's AudioSet ontology, https://research.google.com/audioset/ontology,
which is licensed under CC BY-SA 4.0, https://creativecommons.org/licenses/by-sa/4.0; so is this table.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType


@lru_cache(maxsize=1)
def display_names() -> Mapping[str, str]:
    """The name of each id, as in `{"/m/09x0r": "Speech", ...}`; all 632 of the ontology."""
    table = files("beats_trainer.encoder").joinpath("audioset.csv").read_text(encoding="utf-8")
    return MappingProxyType({row["mid"]: row["display_name"] for row in csv.DictReader(table.splitlines())})
