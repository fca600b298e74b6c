# ruff: noqa: INP001 - hatchling reads this file by its path
"""Lets the wheel carry the repository's own pin, and the DVC config that says where its objects lie."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FILES = ("checkpoints.dvc", ".dvc/config")
IN_SDIST = "published"
IN_WHEEL = "beats_trainer/pins/published"


class CarriedPin(BuildHookInterface):  # type: ignore[misc]
    """Adds `checkpoints.dvc` and `.dvc/config` of the repository, when it has published anything."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Is called by hatchling before it collects files."""
        if version == "editable":
            return
        root = Path(self.root)
        # An sdist has its own copies; a checkout has the repository around it.
        source = root / IN_SDIST if (root / IN_SDIST / FILES[0]).is_file() else root.parent
        target = IN_SDIST if self.target_name == "sdist" else IN_WHEEL
        if all((source / name).is_file() for name in FILES):
            included = {str(source / name): f"{target}/{name}" for name in FILES}
            build_data["force_include"].update(included)
