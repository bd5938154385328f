"""The notebook's pictures for the README: ``python -m docs.notebooks.pictures``, in a checkout with Chromium.

The notebook is executed, and the charts of its cells tagged ``picture-NAME`` are photographed.
"""

import shutil
from pathlib import Path

import nbformat
import plotly.io
from nbclient import NotebookClient
from playwright.sync_api import sync_playwright

from tests.browser import FLAGS

HERE = Path(__file__).resolve().parent
PICTURES = HERE.parent / "pictures"
SIZES = {"picture-strategies": (1100, 640), "picture-attribution": (1100, 420)}


def main() -> None:
    """Execute and photograph."""
    notebook = nbformat.read(HERE / "demonstration.ipynb", as_version=4)
    NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    PICTURES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(FLAGS))
        for cell in notebook.cells:
            for tag in set(cell.metadata.get("tags", ())) & SIZES.keys():
                width, height = SIZES[tag]
                chart = cell.outputs[0]["data"]["application/vnd.plotly.v1+json"]
                figure = plotly.io.from_json(plotly.io.json.to_json_plotly({k: chart[k] for k in ("data", "layout")}))
                figure.update_layout(width=width, height=height)
                page = browser.new_page(viewport={"width": width, "height": height})
                page.set_content(
                    f"<body style='margin:0;background:#111'>{figure.to_html(full_html=False, include_plotlyjs=True)}"
                )
                page.wait_for_selector(".main-svg")
                page.wait_for_timeout(500)
                page.screenshot(path=PICTURES / f"notebook-{tag.removeprefix('picture-')}.png")
        browser.close()


if __name__ == "__main__":
    main()
