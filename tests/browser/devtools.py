"""A headless Chromium that opens one page, spoken to over a pipe in the DevTools protocol; nothing but the standard library.

with Browser() as browser:
    page = browser.open(path, width=360)
    assert page.errors == [] and page.evaluate("document.title") == "..."
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
PATIENCE = 60  # s that any one command may take


def installed() -> str | None:
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """The process; it talks on its descriptors 3 and 4, one JSON object after another, each ended by a zero byte."""

    def __init__(self) -> None:
        program = installed()
        assert program is not None
        self._home = tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True)
        to_read, self._out = os.pipe()
        self._in, to_write = os.pipe()
        # away from 3 and 4, which they are to become
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (to_read, to_write)]

        def take_places() -> None:
            for end, place in zip(ends, (3, 4), strict=True):
                os.dup2(end, place)

        arguments = [
            program, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe",
            "--no-first-run", "--disable-dev-shm-usage", f"--user-data-dir={self._home.name}", "about:blank",
        ]  # fmt: skip
        self._process = subprocess.Popen(
            arguments, pass_fds=(3, 4), preexec_fn=take_places, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for end in (to_read, to_write, *ends):
            os.close(end)
        self._number = 0
        self._bytes = b""
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._in)
        os.close(self._out)
        self._home.cleanup()

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """One command and its answer; events that come in between are kept."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._number:
            self.events.append(answer)
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def _next(self) -> dict[str, Any]:
        end = time.monotonic() + PATIENCE
        while b"\0" not in self._bytes:
            ready, _, _ = select.select([self._in], [], [], max(0.0, end - time.monotonic()))
            assert ready, "the browser does not answer"
            read = os.read(self._in, 1 << 20)
            assert read, "the browser is gone"
            self._bytes += read
        message, _, self._bytes = self._bytes.partition(b"\0")
        return json.loads(message)

    def open(
        self, path: Path, *, width: int = 1280, height: int = 900, dark: bool = False, script: bool = True
    ) -> Page:
        return Page(self, path, width, height, dark, script)


class Page:
    """A file shown in a tab of its own."""

    def __init__(self, browser: Browser, path: Path, width: int, height: int, dark: bool, script: bool):
        self.browser = browser
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime", "Security"):
            self.call(f"{domain}.enable")
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        if not script:
            self.call("Emulation.setScriptExecutionDisabled", value=True)
        self.url = path.resolve().as_uri()
        browser.events.clear()
        self.call("Page.navigate", url=self.url)
        while not any(e.get("method") == "Page.loadEventFired" for e in browser.events):
            browser.events.append(browser._next())

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self.browser.call(method, self.session, **parameters)

    def _events(self, method: str) -> list[dict[str, Any]]:
        self.call("Runtime.getIsolateId")  # what the page said before is in by then
        return [
            e["params"] for e in self.browser.events if e.get("method") == method and e.get("sessionId") == self.session
        ]

    @property
    def errors(self) -> list[str]:
        """What the page wrote to the console, violations of its policy and failed loads included."""
        logged = [entry["entry"]["text"] for entry in self._events("Log.entryAdded")]
        said = [str(call["args"]) for call in self._events("Runtime.consoleAPICalled")]
        thrown = [str(e["exceptionDetails"]) for e in self._events("Runtime.exceptionThrown")]
        return logged + said + thrown

    @property
    def requests(self) -> list[str]:
        """Everything it asked for but itself."""
        urls = [request["request"]["url"] for request in self._events("Network.requestWillBeSent")]
        return [url for url in urls if url.partition("#")[0] != self.url]

    def evaluate(self, expression: str) -> Any:
        """Of an expression, or a promise, in the page; policies for its own scripts do not bind this."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str, code: int) -> None:
        for kind in ("rawKeyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def screenshot(self, path: Path) -> None:
        """The whole page, however long."""
        image = self.call("Page.captureScreenshot", captureBeyondViewport=True, format="png")["data"]
        path.write_bytes(base64.b64decode(image))

    def pdf(self, path: Path) -> None:
        path.write_bytes(
            base64.b64decode(self.call("Page.printToPDF", preferCSSPageSize=True, printBackground=True)["data"])
        )
