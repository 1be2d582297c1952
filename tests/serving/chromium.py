"""Headless Chromium, driven through its own DevTools protocol over a pipe: nothing to install but the browser."""

import base64
import contextlib
import itertools
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OPTIONS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --disable-dev-shm-usage --no-first-run --hide-scrollbars "
    "--disable-background-networking --disable-component-update --disable-sync --remote-debugging-pipe about:blank"
).split()


class Page:
    """One page of a browser of its own; a context, at the end of which the browser is gone."""

    def __enter__(self):
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        # The protocol is spoken on file descriptors 3 and 4.
        command = f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}'
        self._process = subprocess.Popen(
            ["bash", "-c", command, "bash", BROWSER, f"--user-data-dir={self._profile.name}", *OPTIONS],
            pass_fds=(theirs_in, theirs_out), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(theirs_in), os.close(theirs_out)
        self._ids, self._buffer, self._session = itertools.count(1), b"", None
        self.problems = []  # what the page threw, or logged as an error
        (target,) = (t for t in self.send("Target.getTargets")["targetInfos"] if t["type"] == "page")
        attached = self.send("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.send(f"{domain}.enable")
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            self._session = None
            self.send("Browser.close")
            self._process.wait(5)
        self._process.kill()
        self._process.wait()
        os.close(self._in), os.close(self._out)
        self._profile.cleanup()

    def send(self, method, **params):
        """A command of the protocol, and what it answers."""
        number = next(self._ids)
        message = {"id": number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while (answer := self._read()).get("id") != number:
            self._note(answer)
        assert "error" not in answer, (method, answer["error"])
        return answer["result"]

    def _read(self):
        deadline = time.monotonic() + 60
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._in], [], [], max(0, deadline - time.monotonic()))
            if not (chunk := os.read(self._in, 1 << 20) if ready else b""):
                raise OSError("Chromium has ended, or does not answer.")
            self._buffer += chunk
        message, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(message)

    def _note(self, event):
        params = event.get("params", {})
        if event.get("method") == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.problems.append(details.get("exception", {}).get("description", details["text"]))
        elif event.get("method") == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.problems.append(params["entry"]["text"])

    def run(self, script):
        """The value of an expression, of a promise what it comes to."""
        result = self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, (script, result["exceptionDetails"])
        return result["result"].get("value")

    def wait(self, condition, seconds=60):
        """Until an expression is true; its value."""
        deadline = time.monotonic() + seconds
        while not (value := self.run(condition)):
            assert time.monotonic() < deadline, f"not within {seconds} s: {condition}; {self.problems}"
            time.sleep(0.05)
        return value

    def open(self, url):
        """Go there."""
        self.send("Page.navigate", url="about:blank")
        self.send("Page.navigate", url=url)
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")

    def look(self, width=1280, height=860, **media):
        """The window's size, and what the system prefers, such as prefers_color_scheme="dark"."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        features = [{"name": name.replace("_", "-"), "value": value} for name, value in media.items()]
        self.send("Emulation.setEmulatedMedia", features=features)

    def press(self, *keys):
        """Press keys of these names, or characters, one after another where the focus is."""
        for key in keys:
            text = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
            code = {"Tab": 9, "Enter": 13, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, " ": 32}
            common = {"key": key, "code": "Space" if key == " " else key, "windowsVirtualKeyCode": code.get(key, 0)}
            self.send("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **common, **text)
            self.send("Input.dispatchKeyEvent", type="keyUp", **common)

    def drag(self, selector, start, end, steps=8):
        """Press the mouse at one place of an element (0 to 1 across and down), and let go at another."""
        box = self.run(f"(({json.dumps(selector)}, document.querySelector({json.dumps(selector)})"
                       ".scrollIntoView({block: 'center'}), document.querySelector("
                       f"{json.dumps(selector)}).getBoundingClientRect().toJSON()))")  # fmt: skip
        for i in range(steps + 1):
            x, y = (start[k] + (end[k] - start[k]) * i / steps for k in (0, 1))
            where = {"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"], "button": "left"}
            kind = "mousePressed" if i == 0 else "mouseMoved"
            self.send("Input.dispatchMouseEvent", type=kind, buttons=1, clickCount=1, **where)
        self.send("Input.dispatchMouseEvent", type="mouseReleased", clickCount=1, **where)

    def choose(self, selector, path):
        """Choose a file."""
        found = self.send("Runtime.evaluate", expression=f"document.querySelector({json.dumps(selector)})")
        self.send("DOM.setFileInputFiles", files=[str(path)], objectId=found["result"]["objectId"])

    def picture(self, path, whole=False):
        """Write what is seen, or the whole page, as a PNG."""
        data = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        Path(path).write_bytes(base64.b64decode(data))
