"""The picture of a report in the README: the demo's, as headless Chromium shows it.

python3 dev run python tests/docs/picture.py
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SIZE = {"width": 1180, "height": 900}


def main() -> None:
    from playwright.sync_api import sync_playwright

    browser = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "demo"
        command = [sys.executable, "-m", "auditlens", "demo", "--out", out, "--quiet"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        with sync_playwright() as play:
            chromium = play.chromium.launch(executable_path=browser, args=["--no-sandbox"])
            page = chromium.new_page(viewport=SIZE)
            page.goto((out / "report" / "report.html").as_uri())
            page.screenshot(path=ROOT / "docs" / "report.png")
            chromium.close()


if __name__ == "__main__":
    main()
