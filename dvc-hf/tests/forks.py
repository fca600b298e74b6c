"""Runs DVC's command line many times: a process that has imported DVC forks one process for each command.

It reads one JSON object a line (``argv``, ``cwd``, ``env``, ``out``, ``err``, and ``before``: Python that the
command's process runs first), and answers with the process's ``pid``, then with its ``status``.
"""

import atexit
import gc
import json
import os
import signal
import sys
import threading
import traceback
from importlib import import_module
from typing import Any

PRELOADED = (
    "dvc.cli.parser",
    "dvc.repo",
    "dvc.repo.index",
    "dvc.repo.push",
    "dvc.repo.fetch",
    "dvc.repo.gc",
    "dvc.repo.checkout",
    "dvc.repo.worktree",
    "dvc.scm",
    "dvc.stage.loader",
    "dvc.cachemgr",
    "dvc_data.index.push",
    "dvc_data.index.fetch",
    "dvc_data.hashfile.state",
    "scmrepo.git",
    "dulwich.repo",
    "huggingface_hub.hf_api",
    "huggingface_hub.file_download",
    "dvc_hf.filesystem.remote",
    "dvc_hf.hooks.indexes",
    "dvc_hf.hooks.collection",
    "dvc_hf.hooks.push",
    "dvc_hf.hooks.versions",
    "dvc_hf.hooks.dvcfiles",
    "dvc_hf.hooks.wanted",
)


def serve() -> None:
    """Fork a process for each line, one after another."""
    for name in PRELOADED:
        import_module(name)
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            obey(order)
        say(pid=pid)
        _, status = os.waitpid(pid, 0)
        say(status=os.waitstatus_to_exitcode(status))


def say(**answer: int) -> None:
    """Answer with a line."""
    os.write(1, json.dumps(answer).encode() + b"\n")


def obey(order: dict[str, Any]) -> None:
    """Be the command's process, to its end."""
    status = 1
    try:
        become(order)
        exec(compile(order["before"], "before", "exec"), {})
        from dvc.cli import main

        status = main(order["argv"])
    except BaseException:  # noqa: BLE001 - the end of the process, whatever the reason
        traceback.print_exc()
    finally:
        threading._shutdown()
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def become(order: dict[str, Any]) -> None:
    """Take over the folder, environment and streams that the order names."""
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    streams = ((os.devnull, os.O_RDONLY), (order["out"], os.O_WRONLY), (order["err"], os.O_WRONLY))
    for number, (path, mode) in enumerate(streams):
        source = os.open(path, mode | os.O_CREAT)
        os.dup2(source, number)
        os.close(source)
    sys.argv = ["dvc", *order["argv"]]


if __name__ == "__main__":
    serve()
