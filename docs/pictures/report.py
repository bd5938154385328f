"""The picture of the comparison's page: ``python docs/pictures/report.py``, in a checkout with Chromium.

A short comparison of everybody is made in a folder of its own, and the top of its page photographed.
"""

import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from train.compare import main as compare

WIDTH, HEIGHT = 1280, 1500
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]


def main() -> None:
    """Compare and photograph."""
    with tempfile.TemporaryDirectory() as folder:
        where = ["--out", folder, "--parts", f"{folder}/parts", "--trials", f"{folder}/trials.jsonl"]
        names = ["do-nothing", "random", "microprice-maker", "glft", "avellaneda-stoikov", "momentum"]
        compare(["--policies", *names, "--env.market", "poisson", "--episodes", "100", *where])
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
            page.goto((Path(folder) / "comparison.html").as_uri())
            page.wait_for_timeout(500)
            page.screenshot(path=Path(__file__).with_name("report.png"))
            browser.close()


if __name__ == "__main__":
    main()
