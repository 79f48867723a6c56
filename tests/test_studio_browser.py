"""The studio as an artist meets it: a real server, a real worker, a real browser (headless Chromium). Skipped by name without one.

One story is told in `test_the_whole_story`, which trains and takes minutes; the others open a studio without a worker.
"""

import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from artlab import recipe
from artlab.recipe import BaseUsed, Recipe

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed; see README, The studio")
expect = playwright.expect
expect.set_options(timeout=90_000)

CHROMIUM = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed; see README, The studio"),
    pytest.mark.timeout(1500),
]
PATIENCE = 90_000
PASSWORD = "four random words here"
XSS = '<img src=x onerror="window.xss=1">'


class Studio:
    """A running studio: its home, its address, its process."""

    def __init__(self, home: Path, *flags: str) -> None:
        self.home, self.flags, self.port = home, flags, 0
        self.start()

    def start(self) -> None:
        """Start the server, on the port that it had before if it had one, and wait for its address."""
        words = [sys.executable, "-m", "artlab.cli", "studio", "--port", str(self.port), *self.flags]
        environment = os.environ | {"ARTLAB_HOME": str(self.home), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        began = time.monotonic()
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)
        line = self.process.stdout.readline()
        self.seconds = time.monotonic() - began
        self.address = re.search(r"http://[^ ]+?(?=/)", line[len("artlab is at ") :])[0]
        self.port = int(self.address.rsplit(":", 1)[1])

    def kill(self) -> None:
        """As a power cut does it."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)
        self.process.stdout.close()

    def stop(self) -> None:
        """As a person does it; what still works in the background is ended too."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(40)
        self.process.kill()
        self.process.stdout.close()
        for line in subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=False).stdout.splitlines():
            number, _, words = line.strip().partition(" ")
            if ("artlab.worker" in words or "artlab.hand" in words) and self._is_mine(number):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(int(number), signal.SIGKILL)

    def _is_mine(self, number: str) -> bool:
        with contextlib.suppress(OSError):
            return f"ARTLAB_HOME={self.home}".encode() in Path(f"/proc/{number}/environ").read_bytes().split(b"\0")
        return False


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as machine:
        opened = machine.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def studio(tmp_path):
    running = Studio(tmp_path / "home", "--devices")
    yield running
    running.stop()


class Visitor:
    """Somebody at a browser of her own; what goes wrong in it is noted."""

    def __init__(self, browser, studio: Studio, name: str, **how) -> None:
        self.trouble: list[str] = []
        self.context = browser.new_context(viewport={"width": 1360, "height": 900}, **how)
        self.context.set_default_timeout(PATIENCE)
        self.page = self.context.new_page()
        self.page.on(
            "console", lambda said: self.trouble.append(f"console: {said.text} {said.location}") if said.type == "error" else None
        )
        self.page.on("pageerror", lambda error: self.trouble.append(f"error: {error}"))
        self.page.on("request", lambda asked: self._outside(asked.url, studio.address))
        self.page.on("dialog", lambda dialog: dialog.accept())
        self.page.goto(studio.address)
        if "/register" not in self.page.url:
            self.page.get_by_role("link", name="Make an account").click()
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Make my account").click()
        self.page.wait_for_selector("#drop")
        expect(self.page.locator(".masthead .who")).to_contain_text(name)

    def _outside(self, url: str, address: str) -> None:
        if not url.startswith((address, "data:", "blob:")):
            self.trouble.append(f"asked for {url}")

    def reload(self) -> None:
        """Load the page again. What Gradio's client says of the streams that it closes on the way out is no trouble."""
        before = len(self.trouble)
        self.page.reload()
        self.trouble[before:] = [one for one in self.trouble[before:] if not re.search(r"AbortError|Connection errored out", one)]

    def open(self, tab: str) -> None:
        """Go to a tab."""
        self.page.get_by_role("tab", name=tab).click()

    def upload(self, folder: Path) -> None:
        """Choose a folder and wait until every file has arrived or was refused."""
        count = sum(path.is_file() for path in folder.rglob("*"))
        self.page.locator("#drop .consent input").check()
        self.page.set_input_files("#choose-folder", str(folder))
        expect(self.page.locator("#sent summary")).to_contain_text(f"{count} of {count}", timeout=PATIENCE)


def works(folder: Path, count: int = 12) -> Path:
    """A folder of works and five files that are none. The works are those of `$ARTLAB_STORY_WORKS`, if there is such a folder."""
    folder.mkdir()
    real = os.environ.get("ARTLAB_STORY_WORKS")
    for path in sorted(Path(real).glob("*.jpg"))[:count] if real else []:
        shutil.copy(path, folder)
    if real:
        shutil.copy(Path(real) / "metadata.jsonl", folder)
    for number in range(0 if real else count):
        picture(random.Random(number)).save(folder / f"garden {number}.png")
    (folder / "page.jpg").write_text("<html><script>window.xss=1</script>")
    (folder / "empty.png").write_bytes(b"")
    first = sorted(folder.glob("*[0-9].*"))[0]
    (folder / f"cut{first.suffix}").write_bytes(first.read_bytes()[:3000])
    (folder / "drawing.png").write_text('<svg xmlns="http://www.w3.org/2000/svg" onload="window.xss=1"/>')
    (folder / "paper <img src=x onerror=window.xss=1>.jpg").write_bytes(b"%PDF-1.4 nothing")
    return folder


def picture(luck: random.Random) -> Image.Image:
    """Blots of colour, different for every seed."""
    image = Image.new("RGB", (240, 200), (luck.randrange(180, 256), luck.randrange(180, 256), luck.randrange(150, 256)))
    draw = ImageDraw.Draw(image)
    for _ in range(14):
        x, y, size = luck.randrange(240), luck.randrange(200), luck.randrange(12, 90)
        draw.ellipse((x - size, y - size // 2, x + size, y + size // 2), fill=tuple(luck.randrange(256) for _ in range(3)))
    return image


def test_the_page_is_quiet_and_can_be_used_by_everybody(browser, studio, tmp_path):
    """No console error, no request to elsewhere, no script from a prompt or a file name; axe finds nothing serious in five tabs."""
    visitor = Visitor(browser, studio, "Ada")
    page = visitor.page
    visitor.upload(works(tmp_path / "works", 2))
    refused = page.locator("#sent li.refused")
    expect(refused).to_have_count(4)  # the cut one is found when it is opened
    found = {}
    for tab in ("Portfolio", "Train", "Create", "Gallery", "Study"):
        visitor.open(tab)
        page.wait_for_timeout(600)
        found[tab] = serious(page)
    assert found == {tab: [] for tab in found}
    visitor.open("Create")
    page.locator("#prompt textarea").fill(" ".join(["word"] * 40))
    page.keyboard.press("Control+Enter")
    expect(page.locator(".trouble:visible")).to_contain_text("would be lost")
    page.locator("#prompt textarea").fill(XSS)
    page.keyboard.press("Control+Enter")
    expect(page.locator(".jobs")).to_contain_text("Making pictures")
    visitor.reload()
    expect(page.locator("#prompt textarea")).to_have_value(XSS)
    expect(page.locator(".jobs")).to_contain_text("Making pictures")
    page.locator(".jobs .acts button", has_text="Cancel").last.click()
    page.get_by_role("button", name="Light or dark").click()
    assert "dark" in page.locator("body").get_attribute("class")
    assert page.evaluate("() => window.xss") is None
    assert visitor.trouble == []


def serious(page) -> list[str]:
    """What axe finds serious or critical on the page as it is; nothing when axe is not installed."""
    axe = pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
    script = (Path(axe.__file__).parent / "axe.min.js").read_text()
    page.evaluate(script)
    found = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']}: {node['html'][:160]}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


def test_two_artists_see_nothing_of_each_other(browser, studio, tmp_path):
    folder = tmp_path / "works"
    folder.mkdir()
    picture = Image.new("RGB", (200, 160), "teal")
    ImageDraw.Draw(picture).ellipse((40, 40, 120, 120), fill="gold")
    picture.save(folder / "secret meadow.png")
    ada, bea = Visitor(browser, studio, "Ada"), Visitor(browser, studio, "Bea")
    ada.upload(folder)
    ada.open("Create")
    ada.page.locator("#prompt textarea").fill("a secret garden")
    ada.page.keyboard.press("Control+Enter")
    expect(ada.page.locator(".jobs")).to_contain_text("Making pictures")
    bea.reload()
    for tab in ("Portfolio", "Train", "Create", "Gallery", "Study"):
        bea.open(tab)
        bea.page.wait_for_timeout(400)
    assert "secret" not in bea.page.content()
    expect(bea.page.locator(".jobs .job")).to_have_count(0)
    assert ada.trouble == bea.trouble == []


LATE = """() => { const fetch = window.fetch; window.fetch = async (...how) => {
    const answer = await fetch(...how);
    if (!new URL(answer.url).pathname.endsWith("/queue/data")) return answer;
    const late = new TransformStream({ async transform(some, to) {
        if (new TextDecoder().decode(some).includes("close_stream")) { window.ends = true; await new Promise(ok => setTimeout(ok, 1500)); }
        to.enqueue(some) } });
    return new Response(answer.body.pipeThrough(late), { status: answer.status, headers: answer.headers }) } }"""


def test_an_answer_that_is_lost_with_the_end_of_a_stream_comes_by_the_next_one(browser, studio):
    """What a page asks Gradio for while the end of its stream is on the way is answered to nobody: no job is shown, a button stays busy."""
    visitor = Visitor(browser, studio, "Ada")
    page = visitor.page
    page.add_init_script(f"({LATE})()")
    visitor.reload()
    visitor.open("Create")
    page.locator("#prompt textarea").fill("a fox")
    for number in range(1, 4):
        page.evaluate("() => { window.ends = false }")
        page.keyboard.press("Control+Enter")
        page.wait_for_function("() => window.ends")
        page.keyboard.press("Control+Enter")
        expect(page.locator(".jobs .job")).to_have_count(2 * number, timeout=15_000)


def test_everything_can_be_done_without_a_mouse(browser, studio, tmp_path):
    """From the upload to a star in the gallery, with the keyboard alone."""
    visitor = Visitor(browser, studio, "Ada")
    page, keys = visitor.page, visitor.page.keyboard
    page.on("filechooser", lambda _: None)  # Chromium needs a moment to learn that no dialog is wanted: long before the key
    work = works(tmp_path / "works", 1) / "garden 0.png"
    with page.expect_response("**/news"):  # the page is whole
        reach(page, "#drop .consent input")
    keys.press("Space")
    expect(page.locator("#drop .consent input")).to_be_checked()
    reach(page, "#drop button", "Choose files")
    with page.expect_file_chooser() as chooser:
        keys.press("Enter")
    chooser.value.set_files(work)
    expect(page.locator("#sent summary")).to_contain_text("1 of 1")
    go(page, "Create")
    reach(page, "#prompt textarea")
    keys.type("a fox")
    keys.press("Control+Enter")
    expect(page.locator(".jobs")).to_contain_text("Making pictures")
    own = next((studio.home / "artists").iterdir())
    used = BaseUsed(name="mini", fingerprint="ab")
    told = Recipe(prompt="a fox", seed=1, width=64, height=64, steps=2, sampler="dpm++", guidance=2, base=used)
    recipe.embed(picture(random.Random(1)), told, own / "pictures" / "2026-01-01" / "fox.png")
    go(page, "Gallery")
    expect(page.locator(".gallery-grid img")).to_have_count(1)
    reach(page, ".gallery-grid [data-look]")
    keys.press(".")
    expect(page.locator(".gallery-grid .star")).to_have_attribute("aria-pressed", "true")
    reach(page, ".gallery-grid [data-look]")
    keys.press("Enter")
    expect(page.locator("dialog.look[open]")).to_contain_text("a fox")
    keys.press("Escape")
    expect(page.locator("dialog.look[open]")).to_have_count(0)
    assert visitor.trouble == []


def go(page, tab: str) -> None:
    """To a tab, by the Tab key to the first of them and the arrows from there."""
    reach(page, '[role="tab"]')
    for _ in range(5):
        if page.evaluate("() => document.activeElement.textContent.trim()") == tab:
            break
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator('[role="tab"][aria-selected="true"]')).to_have_text(tab)


def reach(page, selector: str, text: str = "") -> None:
    """Press Tab until the focus is on something that fits; fail when all has been gone through."""
    for _ in range(120):
        found = page.evaluate(
            "([what, words]) => { const one = document.activeElement; return one.matches(what) && one.textContent.includes(words) }",
            [selector, text],
        )
        if found:
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"The Tab key never comes to {selector} {text}")


def test_an_untouched_page_follows_a_restart_by_itself(browser, studio):
    visitor = Visitor(browser, studio, "Ada")
    visitor.open("Create")
    with visitor.page.expect_response("**/news"):
        pass
    visitor.page.evaluate("() => { window.before = true }")
    studio.kill()
    studio.start()
    visitor.page.wait_for_function("() => !window.before", timeout=PATIENCE)
    expect(visitor.page.locator("#prompt textarea")).to_be_visible()
    visitor.page.locator("#prompt textarea").fill("a fox")
    visitor.page.keyboard.press("Control+Enter")
    expect(visitor.page.locator(".jobs")).to_contain_text("Making pictures")


def test_a_studio_that_goes_away_is_told_and_so_is_its_return(browser, studio):
    """A page with words on it is not loaded anew over the artist's head."""
    visitor = Visitor(browser, studio, "Ada")
    visitor.open("Create")
    with visitor.page.expect_response("**/news"):
        visitor.page.locator("#prompt textarea").press_sequentially("a ca")
    studio.kill()
    expect(visitor.page.locator("#away")).to_contain_text("does not answer")
    studio.start()
    expect(visitor.page.locator("#away")).to_contain_text("is back")
    expect(visitor.page.locator("#prompt textarea")).to_have_value("a ca")
    visitor.page.get_by_role("link", name="Load this page again").click()
    expect(visitor.page.locator(".masthead .who")).to_contain_text("Ada")
    expect(visitor.page.locator("#away")).to_have_count(0)
    visitor.open("Create")
    visitor.page.locator("#prompt textarea").fill("a fox")
    visitor.page.keyboard.press("Control+Enter")
    expect(visitor.page.locator(".jobs")).to_contain_text("Making pictures")


@pytest.mark.slow
def test_the_whole_story(browser, tmp_path):
    """Register, upload with bad files among them, train, reload, kill and restart, create and see it grow, star, export, report; no error
    in the console."""
    studio = Studio(tmp_path / "home", "--devices", "cpu")
    try:
        tell_the_story(browser, studio, tmp_path)
    finally:
        studio.stop()


def tell_the_story(browser, studio: Studio, tmp_path: Path) -> None:
    folder = works(tmp_path / "works", 30)
    visitor = Visitor(browser, studio, "Helen")
    page = visitor.page
    visitor.upload(folder)
    expect(page.locator(".bar-of h2").first).to_contain_text("works to learn from", timeout=4 * PATIENCE)
    expect(page.locator("section.refused")).to_contain_text("could not be used")
    caption = page.locator("textarea.cap").first
    caption.fill("a cottage " + XSS)
    caption.press("Tab")
    page.wait_for_timeout(1500)
    page.locator(".card button", has_text="Leave out").last.click()
    expect(page.locator(".card.out")).to_have_count(1)
    # Train, reload in mid-job, kill the server and start it again: the training goes on without the page.
    visitor.open("Train")
    page.get_by_text("Quick: a first look").click()
    page.get_by_role("button", name="Advanced").first.click()
    page.get_by_role("button", name="How long").click()
    page.get_by_role("button", name="How it learns").click()
    page.get_by_role("button", name="What you see on the way").click()
    asked = {"max_train_steps": 20, "train_batch_size": 2, "sample_steps": 10, "validation_steps": 5, "checkpointing_steps": 5}
    for name, value in asked.items():
        page.locator(f"#set-{name} textarea, #set-{name} input").first.fill(str(value))
    page.locator("#train").click()
    expect(page.locator(".training")).to_contain_text("Helen", timeout=PATIENCE)
    expect(page.locator(".training .figures")).to_contain_text("of 20", timeout=6 * PATIENCE)
    visitor.reload()
    expect(page.locator(".training .figures")).to_contain_text("of 20", timeout=PATIENCE)
    visitor.trouble.clear()
    studio.kill()
    studio.start()
    visitor.reload()
    expect(page.locator(".masthead .who")).to_contain_text("Helen")
    expect(page.locator(".training .said")).to_contain_text("was chosen", timeout=8 * PATIENCE)
    visitor.trouble.clear()  # while nobody answered the browser said so
    # Create, star, look, export.
    visitor.open("Create")
    page.locator("#prompt textarea").fill("a cottage in a garden")
    page.get_by_role("button", name="Advanced").last.click()
    steps = "#set-num_inference_steps"
    page.locator(f"{steps} input:visible, {steps} textarea:visible").first.fill("60")  # long enough to be seen growing
    page.locator("#make").click()
    growing = page.locator(".stage .growing img")
    expect(growing).to_be_visible(timeout=6 * PATIENCE)
    assert growing.evaluate("image => image.decode().then(() => image.naturalWidth)") > 100
    expect(page.locator(".stage .strip li")).to_have_count(4, timeout=6 * PATIENCE)
    expect(growing).to_have_count(0)
    page.locator(".stage .star").click()
    expect(page.locator(".stage .star")).to_contain_text("Starred")
    visitor.open("Gallery")
    expect(page.locator(".gallery-grid .picture")).to_have_count(4)
    page.locator(".gallery-grid .frame").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator("dialog.look")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Delete")
    expect(page.locator(".gallery-grid .picture")).to_have_count(3)
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(page.locator(".gallery-grid .picture")).to_have_count(4)
    page.get_by_role("button", name="Export as ZIP").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Save the ZIP").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    assert len(manifest["pictures"]) == 4
    assert sum(one["starred"] for one in manifest["pictures"]) == 1
    # The report: made in the background, shown in a frame that can run nothing.
    visitor.open("Study")
    page.get_by_role("button", name="Make the report").click()
    expect(page.locator(".study, .nothing").last).to_contain_text("being made", timeout=PATIENCE)
    expect(page.frame_locator("iframe.report").locator("h1")).to_be_visible(timeout=12 * PATIENCE)
    assert page.evaluate("() => window.xss") is None
    assert visitor.trouble == []
