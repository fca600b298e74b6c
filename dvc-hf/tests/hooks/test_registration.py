"""How DVC learns of the scheme: at no cost for other programs, with and without `.pth` files."""

import subprocess
import sys
from pathlib import Path

import dvc_hf
import pytest
from dvc_hf import _autoload
from dvc_hf.hooks import table

ROOT = Path(dvc_hf.__file__).parents[2]


def python(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={"HOME": "/nowhere", **env},
    )


def test_a_python_that_does_not_use_dvc_loads_the_hook_and_nothing_else() -> None:
    script = (
        "import sys; print(sorted(m for m in sys.modules if m.startswith(('dvc', 'fsspec', 'huggingface'))))"
    )
    assert python("-c", script).stdout.strip() == "['dvc_hf', 'dvc_hf._autoload']"


def test_importing_dvc_loads_the_table_of_hooks_but_not_the_hubs_client() -> None:
    script = (
        "import sys, dvc.config_schema; print({'huggingface_hub', 'dvc_hf.hooks.table'} & sys.modules.keys())"
    )
    assert python("-c", script).stdout.strip() == "{'dvc_hf.hooks.table'}"


def test_the_scheme_is_known_after_importing_dvc() -> None:
    script = "from dvc_objects.fs import known_implementations as k; print(k['hf']['class'])"
    assert python("-c", script).stdout.strip() == "dvc_hf.filesystem.remote.HfFileSystem"


@pytest.mark.parametrize("before", ["import dvc_hf", "import dvc.config_schema, dvc_objects.fs, dvc_hf"])
def test_without_pth_files_an_import_does_the_same_before_and_after_dvc(before: str) -> None:
    path = ":".join(p for p in sys.path if p)
    script = (
        f"{before}\n"
        "from dvc.config_schema import SCHEMA\n"
        "from dvc_objects.fs import known_implementations\n"
        "assert 'hf' in known_implementations\n"
        "print(SCHEMA['remote'][str]({'url': 'hf://datasets/a/b', 'publish': 'x'})['publish'])"
    )
    assert python("-S", "-c", script, PYTHONPATH=path).stdout.strip() == "x"


def test_without_pth_files_the_module_runs_dvc() -> None:
    path = ":".join(p for p in sys.path if p)
    assert "hf (dvc-hf = " in python("-S", "-m", "dvc_hf", "doctor", PYTHONPATH=path).stdout


def test_installing_twice_changes_nothing_more() -> None:
    before = list(sys.meta_path)
    _autoload.install()
    assert sys.meta_path == before


def test_a_hook_that_fails_is_a_warning_and_dvc_goes_on() -> None:
    def fail(module: object) -> None:
        message = "broken"
        raise RuntimeError(message)

    with pytest.warns(RuntimeWarning, match="could not extend json"):
        _autoload.attempt_change(fail, sys.modules["json"])


def test_a_name_that_this_dvc_lacks_is_said_once_and_the_others_are_wrapped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import json

    missing = table.Hook("json", "no_such_name", "transfer.put", "a test")
    monkeypatch.setattr(table, "HOOKS", (missing,))
    with pytest.warns(RuntimeWarning, match="no json.no_such_name"):
        table._wrap_all(json, _autoload.warn_user)


def test_every_hook_of_the_table_exists_in_the_installed_dvc() -> None:
    from importlib import import_module
    from operator import attrgetter

    for hook in (*table.EARLY, *table.HOOKS):
        assert attrgetter(hook.name)(import_module(hook.module))
        file, name = hook.wrapper.split(".")
        assert callable(getattr(import_module(f"dvc_hf.hooks.{file}"), name))


def test_the_wheel_carries_the_pth_file_and_the_start_file_of_python_3_15(tmp_path: Path) -> None:
    import zipfile

    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read("dvc_hf.pth").decode().strip() == "import dvc_hf._autoload"
        assert archive.read("dvc_hf.start").decode().strip() == "dvc_hf._autoload:install"
        assert "dvc_hf/py.typed" in archive.namelist()


def test_the_start_file_names_what_python_3_15_will_call() -> None:
    """No Python of today reads it: this does what PEP 829 says."""
    module, _, name = (ROOT / "dvc_hf.start").read_text(encoding="utf-8").strip().partition(":")
    script = (
        f"from importlib import import_module; import_module('{module}').{name}()\n"
        "from dvc_objects.fs import known_implementations as k; print(k['hf']['class'])"
    )
    path = ":".join(p for p in sys.path if p)
    said = python("-S", "-c", script, PYTHONPATH=path).stdout.strip()
    assert said == "dvc_hf.filesystem.remote.HfFileSystem"
