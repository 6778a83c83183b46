"""A headless Chromium that is asked over its DevTools pipe: no driver, no port, nothing to install but the browser."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NO_CHROMIUM = "CHROMIUM IS MISSING: the pages are NOT opened in a browser; apt-get install chromium"

PLAY_ALL = """
Promise.all([...document.querySelectorAll('audio')].map(async player => {
  player.muted = true;
  const heard = new Promise(done => player.addEventListener('timeupdate', () => player.currentTime > 0 && done()));
  await player.play();
  await heard;
  player.pause();
  return [player.duration, player.error && player.error.message];
}))
"""
"""Gives the length of every player of a page, once each of them has played."""


class Tab:
    """A page in the browser, and what it complained of and asked for since it was opened."""

    def __init__(self, to_browser: Any, from_browser: Any) -> None:
        self._to, self._from = to_browser, from_browser
        self._n_sent = 0
        self._session: str | None = None
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self._n_loads = 0
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Runtime", "Log", "Network", "Page"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command, and return its answer; what the page does meanwhile is noted."""
        self._n_sent += 1
        number = self._n_sent
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._to.write(json.dumps(message).encode() + b"\0")
        self._to.flush()
        while (heard := self._hear()).get("id") != number:
            self._note(heard)
        assert "error" not in heard, heard
        return heard["result"]

    def open(self, page: Path, *, width: int = 1280, is_dark: bool = False) -> None:
        """Open a page and wait until everything in it was loaded."""
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}]
        self.ask("Emulation.setEmulatedMedia", features=scheme)
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self.complaints, self.requests, self._n_loads = [], [], 0
        self.ask("Page.navigate", url=page.as_uri())
        while not self._n_loads:
            self._note(self._hear())

    def run(self, script: str) -> Any:
        """Run a script in the page and return its value, waited for where it is promised."""
        answer = self.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def printed(self) -> bytes:
        """Return the page as it prints, PDF."""
        return base64.b64decode(self.ask("Page.printToPDF", printBackground=True)["data"])

    def _hear(self) -> dict[str, Any]:
        letters = bytearray()
        while (letter := self._from.read(1)) != b"\0":
            assert letter, "the browser has gone"
            letters += letter
        return json.loads(letters)

    def _note(self, heard: dict[str, Any]) -> None:
        method, said = heard.get("method"), heard.get("params", {})
        if method in {"Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"}:
            self.complaints.append(json.dumps(said))
        elif method == "Network.requestWillBeSent":
            self.requests.append(said["request"]["url"])
        elif method == "Page.loadEventFired":
            self._n_loads += 1


@contextlib.contextmanager
def chromium(profile: Path) -> Iterator[Tab]:
    """Start the browser with an empty profile; it ends with the block."""
    assert CHROMIUM is not None
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
    options += ["--disable-background-networking", "--disable-component-update", "--mute-audio"]
    options += ["--autoplay-policy=no-user-gesture-required", "--remote-debugging-pipe", f"--user-data-dir={profile}"]
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    # It reads from descriptor 3 and writes to 4: the pipes are moved out of the way before they become these.
    high = [fcntl.fcntl(one, fcntl.F_DUPFD, 20) for one in (theirs_in, theirs_out)]
    process = subprocess.Popen(
        ["/bin/bash", "-c", 'exec "${@:3}" 3<&"$1" 4>&"$2"', "bash", *map(str, high), CHROMIUM, *options],
        pass_fds=high,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for one in (theirs_in, theirs_out, *high):
        os.close(one)
    with os.fdopen(ours_out, "wb") as to_browser, os.fdopen(ours_in, "rb") as from_browser:
        try:
            tab = Tab(to_browser, from_browser)
            yield tab
            tab.ask("Target.closeTarget", targetId=tab.ask("Target.getTargetInfo")["targetInfo"]["targetId"])
        finally:
            process.terminate()
            process.wait()
