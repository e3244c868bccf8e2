#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""shot.py URL FILE WIDTH HEIGHT SECONDS: a picture of what a headless Chromium shows SECONDS after it opened
the page, which its own --screenshot does not wait for."""
import base64
import json
import os
import subprocess
import sys
import tempfile
import time

url, file, width, height, seconds = sys.argv[1:6]


class Browser:
    """Speaks to it over two pipes, which it takes as descriptors 3 and 4: JSON, each text ended by a zero."""

    def __init__(self, folder):
        theirs_in, self.out = os.pipe()
        self.into, theirs_out = os.pipe()
        self.sent = 0
        self.rest = b""
        self.process = subprocess.Popen(
            ["sh", "-c", f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}', "sh",
             "chromium-headless-shell", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             "--disable-dev-shm-usage", f"--user-data-dir={folder}", f"--window-size={width},{height}",
             "--remote-debugging-pipe"],
            pass_fds=(theirs_in, theirs_out), stderr=subprocess.DEVNULL)
        os.close(theirs_in)
        os.close(theirs_out)

    def call(self, method, session=None, **params):
        self.sent += 1
        text = {"id": self.sent, "method": method, "params": params}
        if session:
            text["sessionId"] = session
        os.write(self.out, json.dumps(text).encode() + b"\0")
        while True:
            while b"\0" not in self.rest:
                more = os.read(self.into, 1 << 20)
                if not more:
                    sys.exit("shot: the browser ended")
                self.rest += more
            one, self.rest = self.rest.split(b"\0", 1)
            answer = json.loads(one)
            if answer.get("id") == self.sent:
                if "error" in answer:
                    sys.exit(f"shot: {method}: {answer['error']['message']}")
                return answer["result"]


with tempfile.TemporaryDirectory() as directory:
    browser = Browser(directory)
    try:
        target = browser.call("Target.createTarget", url=url)["targetId"]
        attached = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        time.sleep(float(seconds))
        picture = browser.call("Page.captureScreenshot", attached, format="png", optimizeForSpeed=False)
        with open(file, "wb") as out:
            out.write(base64.b64decode(picture["data"]))
    finally:
        browser.process.kill()
        browser.process.wait()
