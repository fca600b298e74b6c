"""Start a Hub for tests: a context manager, and a pytest plugin with the fixture `hub`."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from minihub.limits import Limits
from minihub.manners import STORE_LIFE_S, Manners
from minihub.state import State
from minihub.web.app import make_app
from minihub.web.faults import Fault, Faults, RequestLog
from minihub.web.server import Certificate, Server


class Hub:
    """A running Hub, and what a test may do to it.

    Attributes:
        endpoint: its address, for `HF_ENDPOINT`.
        requests: what clients asked for so far.
    """

    def __init__(self, folder: Path, certificate: Certificate | None = None, prefix: str = "") -> None:
        self.folder = folder
        self.state = State(folder)
        self._faults = Faults(make_app(self.state, prefix))
        self._server = Server(self._faults, certificate=certificate)
        self.endpoint = self._server.endpoint + prefix

    @property
    def requests(self) -> RequestLog:
        """The log of requests."""
        return self._faults.log

    def start(self) -> None:
        """Answer requests."""
        self._server.start()

    def stop(self) -> None:
        """Answer no more; the folder stays."""
        self._server.stop()
        self.state.close()

    def user(self, name: str, *, role: str = "write") -> str:
        """Make a user and return a token of theirs."""
        self.state.accounts.add_user(name)
        return self.token(name, role=role)

    def org(self, name: str, *members: str, private_by_default: bool = False) -> None:
        """Make an organisation whose members may write."""
        self.state.accounts.add_org(name, private_by_default=private_by_default)
        for member in members:
            self.state.accounts.add_member(name, member)

    def token(self, user: str, *, role: str = "write", scopes: dict[str, list[str]] | None = None) -> str:
        """Make a further token."""
        return self.state.accounts.add_token(user, role=role, scopes=scopes)

    def limit(self, *, requests: int | None = None, commits_per_hour: int | None = None) -> None:
        """Answer 429 to more requests in five minutes, or commits to one repository in an hour."""
        self.state.limits = Limits(requests=requests, commits_per_hour=commits_per_hour)

    def behave(
        self, *, redirects: bool = False, store_life_s: float = STORE_LIFE_S, lag_s: float = 0.0
    ) -> None:
        """Do as the real Hub does in what a small one need not: see `minihub.manners`."""
        self.state.manners = Manners(redirects, store_life_s, lag_s)

    def fail(
        self,
        method: str,
        path: str,
        *,
        status: int | None = None,
        delay: float = 0.0,
        answer_delay: float = 0.0,
        cut_after: int | None = None,
        corrupt: bool = False,
        headers: dict[str, str] | None = None,
        times: int | None = 1,
        skip: int = 0,
    ) -> Fault:
        """Spoil requests to come; the answer counts down how often.

        Args:
            method: of the requests; `*` for any.
            path: of the requests, as sent; `*` stands for anything, slashes too.
            status: answer with it, and do nothing.
            delay: seconds to wait first.
            answer_delay: seconds to wait between doing it and answering.
            cut_after: end the connection after so many bytes of the answer's body.
            corrupt: change the bytes of the answer's body.
            headers: of the answer with `status`.
            times: how many requests to spoil; None for all.
            skip: how many to let pass first.
        """
        fault = Fault(
            method, path, status, delay, cut_after, corrupt, headers or {}, times, skip, answer_delay
        )
        self._faults.faults.append(fault)
        return fault

    def recover(self) -> None:
        """Spoil nothing more."""
        self._faults.faults.clear()


@contextlib.contextmanager
def serve(folder: Path | str, certificate: Certificate | None = None, prefix: str = "") -> Iterator[Hub]:
    """A Hub in a thread of its own, on a free port of this machine; over https with a certificate."""
    hub = Hub(Path(folder), certificate, prefix)
    hub.start()
    try:
        yield hub
    finally:
        hub.stop()


class HubProcess:
    """A Hub in a process of its own, which a test may kill.

    Attributes:
        endpoint: its address.
        process: to kill, or to measure.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        command = [sys.executable, "-m", "minihub", "serve", str(folder), "--port", "0"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None  # noqa: S101 - it is a pipe
        self.endpoint = self.process.stdout.readline().removeprefix("minihub: ").strip()

    def user(self, name: str, *, role: str = "write") -> str:
        """Make a user and return a token of theirs."""
        state = State(self.folder, exclusive=False)
        try:
            state.accounts.add_user(name)
            return state.accounts.add_token(name, role=role)
        finally:
            state.close()

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


@contextlib.contextmanager
def serve_process(folder: Path | str) -> Iterator[HubProcess]:
    """A Hub in a process of its own, on a free port of this machine."""
    hub = HubProcess(Path(folder))
    try:
        yield hub
    finally:
        hub.kill()


@pytest.fixture
def hub_process(tmp_path: Path) -> Iterator[HubProcess]:
    """A fresh Hub in a process of its own, gone after the test."""
    with serve_process(tmp_path / "hub") as running:
        yield running


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """A fresh Hub, gone after the test."""
    with serve(tmp_path / "hub") as running:
        yield running
