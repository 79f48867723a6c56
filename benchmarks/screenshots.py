"""Pictures of the studio for the docs: a studio of its own, an artist who uploads, trains and creates, and a picture of every tab.

    python benchmarks/screenshots.py WORKS FOLDER [--steps 120]

WORKS is a folder of works that may be shown in public (artlab draws some: `artlab portfolio draw vask --output WORKS`). Needs Chromium
and `pip install playwright`; takes some minutes, because the training in the pictures is a real one.
"""

import argparse
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

TABS = ("Portfolio", "Train", "Create", "Gallery", "Study")
LARGEST = 80_000


def main() -> None:
    """Start a studio, live in it, take the pictures, end it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("works", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=120)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        words = [sys.executable, "-m", "artlab.cli", "studio", "--port", "0", "--devices", "cpu"]
        studio = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=os.environ | {"ARTLAB_HOME": home})
        try:
            assert studio.stdout is not None
            address = re.search(r"http://[^/ ]+", studio.stdout.readline())
            assert address is not None
            live(address[0], given.works, given.folder, given.steps)
        finally:
            studio.terminate()
            studio.wait(60)


def live(address: str, works: Path, folder: Path, steps: int) -> None:
    """What an artist does on her first day."""
    expect.set_options(timeout=900_000)
    with sync_playwright() as machine:
        browser = machine.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 1360, "height": 940}, color_scheme="light")
        context.set_default_timeout(900_000)
        page = context.new_page()
        page.goto(address)
        page.get_by_label("Name").fill(works.name.replace("-", " ").title())
        page.get_by_label("Password").fill("four random words here")
        page.get_by_role("button", name="Make my account").click()
        page.locator("#drop .consent input").check()
        page.set_input_files("#choose-folder", str(works))
        expect(page.locator(".bar-of h2").first).to_contain_text("works to learn from")
        page.reload()
        page.wait_for_selector(".grid .card img")
        train(page, steps)
        create(page)
        study(page)
        for side in ("light", "dark"):
            for tab in TABS:
                page.get_by_role("tab", name=tab).click()
                page.wait_for_timeout(2500)
                save(page, folder / f"studio-{tab.lower()}-{side}.webp")
            page.get_by_role("button", name="Light or dark").click()
        browser.close()


def train(page: Page, steps: int) -> None:
    """A short training, until its end."""
    page.get_by_role("tab", name="Train").click()
    page.get_by_text("Quick: a first look").click()
    page.get_by_role("button", name="Advanced").first.click()
    for heading in ("How long", "How it learns", "What you see on the way"):
        page.get_by_role("button", name=heading).click()
    asked = {"max_train_steps": steps, "sample_steps": steps // 2, "validation_steps": max(1, steps // 8)}
    for name, value in asked.items():
        page.locator(f"#set-{name} textarea, #set-{name} input").first.fill(str(value))
    page.locator("#train").click()
    expect(page.locator(".training .said")).to_contain_text("chosen")
    page.reload()
    page.wait_for_selector(".training .strips img")


def create(page: Page) -> None:
    """A batch of two prompts; a star."""
    page.get_by_role("tab", name="Create").click()
    page.locator("#prompt textarea").fill("a tree on a hill\na house by the sea")
    page.locator("#make").click()
    expect(page.locator(".stage .strip li")).to_have_count(8)
    page.locator(".stage .star").click()
    expect(page.locator(".stage .star")).to_contain_text("Starred")


def study(page: Page) -> None:
    """The report, until it is there."""
    page.get_by_role("tab", name="Study").click()
    page.get_by_role("button", name="Make the report").click()
    page.frame_locator("iframe.report").locator("h1").first.wait_for()


def save(page: Page, path: Path) -> None:
    """What is to be seen now, as a WebP of no more than 80 KB."""
    image = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    for quality in range(88, 20, -6):
        stream = io.BytesIO()
        image.save(stream, "WEBP", quality=quality, method=6)
        if stream.tell() <= LARGEST:
            break
    path.write_bytes(stream.getvalue())
    print(path, stream.tell())


if __name__ == "__main__":
    main()
