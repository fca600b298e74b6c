"""Chromium, driven over its own protocol: what a page logs, requests and shows."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--mute-audio",
    "--autoplay-policy=no-user-gesture-required", "--remote-debugging-port=0", "--window-size=1360,1000",
)  # fmt: skip
DOMAINS = ("Runtime", "Log", "Network", "Page")


class Tab:
    """One page that is open. `complaints` are errors and warnings of its console, `requests` addresses."""

    def __init__(self, socket):
        self.socket, self.number, self.complaints, self.requests, self.loaded = socket, 0, [], [], False

    async def call(self, method, **parameters):
        self.number += 1
        number = self.number
        await self.socket.send_json({"id": number, "method": method, "params": parameters})
        while True:
            message = await self.socket.receive_json(timeout=60)
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]
            self.note(message)

    def note(self, message):
        method, said = message.get("method"), message.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(said["request"]["url"])
        elif method == "Page.loadEventFired":
            self.loaded = True
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(said["exceptionDetails"])
        elif method == "Log.entryAdded" and said["entry"]["level"] in ("error", "warning"):
            self.complaints.append(said["entry"])
        elif method == "Runtime.consoleAPICalled":
            self.complaints.append(said)

    async def see(self, expression):
        """The value of an expression."""
        answer = await self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True, userGesture=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def until(self, expression):
        """Waits for an expression to hold."""
        for _ in range(200):
            if await self.see(expression):
                return
            await asyncio.sleep(0.05)
        raise AssertionError(expression)

    async def press(self, key):
        for kind in ("keyDown", "keyUp"):
            await self.call("Input.dispatchKeyEvent", type=kind, key=key)

    async def open(self, path):
        for domain in DOMAINS:
            await self.call(f"{domain}.enable")
        await self.call("Page.navigate", url=Path(path).as_uri())
        await self.until("document.readyState === 'complete'")


@asynccontextmanager
async def tab(path):
    """A page from a file, in a browser that knows nothing else."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = subprocess.Popen(
            [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", "about:blank"], stderr=subprocess.PIPE, text=True
        )
        try:
            line = next(line for line in browser.stderr if "DevTools listening on" in line)
            address = line.split("/devtools")[0].split("ws://")[1]
            async with aiohttp.ClientSession() as session:
                async with session.get(f"http://{address}/json/list") as answer:
                    pages = [page for page in await answer.json() if page["type"] == "page"]
                async with session.ws_connect(pages[0]["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                    opened = Tab(socket)
                    await opened.open(path)
                    yield opened
        finally:
            browser.kill()
            browser.wait(20)
            browser.stderr.close()
