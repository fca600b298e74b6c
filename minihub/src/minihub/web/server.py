"""The Hub over HTTP, in a thread of its own or in this one."""

import logging
import signal
import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

START_TIMEOUT_S = 30


@dataclass(frozen=True)
class Certificate:
    """What a Hub shows to be trusted over https: its chain and its key, in PEM files."""

    chain: Path
    key: Path


class Server:
    """One application on one address; over https where there is a certificate."""

    def __init__(
        self, app: ASGIApp, host: str = "127.0.0.1", port: int = 0, certificate: Certificate | None = None
    ) -> None:
        self._config = uvicorn.Config(
            app,
            *(host, port),
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=1,
            timeout_keep_alive=30,
            ssl_certfile=certificate.chain if certificate else None,
            ssl_keyfile=certificate.key if certificate else None,
        )
        # Its lines hold queries, and queries hold secrets.
        logging.getLogger("uvicorn.access").disabled = True
        self._server = uvicorn.Server(self._config)
        self._socket = _listen(host, port)
        self._thread = threading.Thread(target=self.run, name="minihub", daemon=True)
        shown = f"[{host}]" if ":" in host else host
        scheme = "https" if certificate else "http"
        self.endpoint = f"{scheme}://{shown}:{self._socket.getsockname()[1]}"

    def run(self) -> None:
        """Serve until told to stop."""
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._socket.close()

    def start(self) -> None:
        """Serve in a thread; returns when requests are answered."""
        self._thread.start()
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                message = f"The Hub did not start on {self.endpoint} within {START_TIMEOUT_S} s."
                raise RuntimeError(message)
            time.sleep(0.005)

    def wait(self) -> None:
        """Serve until the process is interrupted or told to end."""
        ended = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: ended.set())
        while not ended.wait(timeout=1.0):  # without a timeout Windows would not see Ctrl+C
            pass
        self.stop()

    def stop(self) -> None:
        """End the thread."""
        self._server.should_exit = True
        self._thread.join()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(512)
    except OSError as error:
        listener.close()
        message = f"The Hub cannot listen on {host} port {port}: {error}. Choose another port, or 0 for any."
        raise OSError(message) from error
    return listener
