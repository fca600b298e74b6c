from __future__ import annotations

import ast
import json
from pathlib import Path

import beats_trainer
import pytest
from beats_trainer.errors import MissingExtraError
from beats_trainer.extras import needs

SOURCE = Path(beats_trainer.__file__).parent
# `fsspec` imports for itself what reads a URL; the command `doctor` looks for torch, which is no extra; the
# other commands show the sentence that was made;
# what a SOCKS proxy needs, huggingface_hub imports.
MAY_CATCH = {
    *("extras.py", "recordings/remote.py", "hub/session.py"),
    *("cli/doctor.py", "cli/report.py", "cli/export.py"),
}


def test_what_is_there_is_imported():
    assert needs("json", "onnx", "this needs JSON") is json


def test_a_missing_package_is_named_with_its_extra_and_what_else_can_be_done():
    with pytest.raises(MissingExtraError) as caught:
        needs("no_such_package", "umap", "a map needs this", ", or take pca")
    assert str(caught.value) == (
        "a map needs this (No module named 'no_such_package'). "
        "Install it: pip install 'beats-trainer[umap]', or take pca."
    )
    assert isinstance(caught.value.__cause__, ImportError)


def test_optional_packages_are_imported_in_one_way():
    catching = {
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ExceptHandler) and "ImportError" in ast.dump(node.type or ast.Constant(""))
    }
    assert catching <= MAY_CATCH
