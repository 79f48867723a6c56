"""The studio under load: its start, a hundred artists with the page open, a gallery of a thousand pictures, a folder of 500 works.

    python benchmarks/studio_load.py --artists 100 --seconds 30 --folder WORKS

A studio of its own in an empty home, without a worker. The artists are sessions of one client on the same cores: each asks `/news` every
two seconds, as her page does, and one in ten has a job in the line; then there are a hundred jobs, and one of them uses her page in Chromium.
The thousand pictures are opened in headless Chromium, if it is there:
from the click on the tab until the first thumbnail is drawn. `--folder` is a folder of works (as many as `--works` of them): sent by
Chromium as an artist sends it, then taken in as the worker does. Give it an idle machine.
"""

import argparse
import asyncio
import contextlib
import io
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

PASSWORD = "four random words here"
EVERY = 2.0


def main() -> None:
    """Measure one thing after the other and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--artists", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--works", type=int, default=500)
    parser.add_argument("--folder", type=Path, help="of real works, to be sent by the browser")
    given = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores", file=sys.stderr)
    rows = started_with_a_worker()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        os.environ["ARTLAB_HOME"] = home
        process, address, seconds = start(home, "--devices")
        rows.append(("from the command to the address on the terminal, without a worker", f"{seconds:.1f} s"))
        began = time.monotonic()
        httpx.get(f"{address}/register").raise_for_status()
        rows.append(("the first page after it", f"{time.monotonic() - began:.2f} s"))
        try:
            tokens = [register(address, f"Artist {number}") for number in range(given.artists)]
            rows += asyncio.run(polled(address, tokens, given.seconds, process.pid))
            rows += uploaded(address, tokens[0], given.works)
            fill(tokens[1], given.pictures)
            if shutil.which("chromium"):
                rows += looked_at(address, tokens[1], given.pictures)
                rows += busy(address, tokens, process.pid)
            if given.folder and shutil.which("chromium"):
                rows += sent_as_a_folder(address, tokens[2], given.folder, given.works)
        finally:
            process.terminate()
            process.wait(60)
    print("| what | figure |\n|---|---|")
    for row in rows:
        print("| " + " | ".join(row) + " |")


def started_with_a_worker() -> list[tuple[str, str]]:
    """As an artist starts it; three times, each in an empty home."""
    times = []
    for _ in range(3):
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
            process, _, seconds = start(home)
            times.append(seconds)
            process.terminate()
            process.wait(60)
    told = ", ".join(f"{one:.1f}" for one in sorted(times))
    return [("from the command to the address on the terminal, a worker started", f"{statistics.median(times):.1f} s ({told})")]


def start(home: str, *flags: str) -> tuple[subprocess.Popen, str, float]:
    """A studio, its address, and how long it took to say it."""
    words = [sys.executable, "-m", "artlab.cli", "studio", "--port", "0", *flags]
    began = time.monotonic()
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=os.environ | {"ARTLAB_HOME": home})
    assert process.stdout is not None
    found = re.search(r"http://[^/ ]+", process.stdout.readline())
    assert found is not None
    return process, found[0], time.monotonic() - began


def register(address: str, name: str) -> str:
    """A new artist; her session's cookie."""
    answer = httpx.post(f"{address}/register", data={"name": name, "password": PASSWORD}, headers={"Origin": address}, timeout=60)
    return next(value for key, value in answer.cookies.items() if key)


def cookie(token: str) -> dict[str, str]:
    """The header that a browser would send."""
    from artlab import accounts  # noqa: PLC0415 - after ARTLAB_HOME is set

    return {"Cookie": f"{accounts.COOKIE}={token}"}


async def polled(address: str, tokens: list[str], seconds: float, pid: int) -> list[tuple[str, str]]:
    """How long `/news` takes when everybody asks every two seconds."""
    from artlab import accounts, jobs  # noqa: PLC0415

    for token in tokens[::10]:
        artist = accounts.by_token(token)
        assert artist is not None
        jobs.submit(artist.id, "generate", {"prompt": ["a fox"]})
    times: list[float] = []
    end, used = time.monotonic() + seconds, processor(pid)

    async def page(client: httpx.AsyncClient, token: str) -> None:
        await asyncio.sleep(random.random() * EVERY)
        while time.monotonic() < end:
            began = time.monotonic()
            (await client.get("/news", headers=cookie(token))).raise_for_status()
            times.append(time.monotonic() - began)
            await asyncio.sleep(max(0.0, EVERY - times[-1]))

    async with httpx.AsyncClient(base_url=address, timeout=60, limits=httpx.Limits(max_connections=200)) as client:
        await asyncio.gather(*(page(client, token) for token in tokens))
    times.sort()
    middle, late = statistics.median(times), times[int(0.95 * len(times))]
    share = (processor(pid) - used) / len(times)
    told = f"median {1000 * middle:.0f} ms, 95th percentile {1000 * late:.0f} ms"
    return [
        (f"{len(tokens)} artists asking `/news` every 2 s", f"{told}; {1000 * share:.1f} ms of the server's processor time each")
    ]


def busy(address: str, tokens: list[str], pid: int) -> list[tuple[str, str]]:
    """One artist at her page while a hundred jobs are in the line and everybody's page asks for news."""
    from artlab import accounts, jobs  # noqa: PLC0415

    for number in range(100 - len(tokens[::10])):
        artist = accounts.by_token(tokens[number % len(tokens)])
        assert artist is not None
        jobs.submit(artist.id, "generate", {"prompt": [f"a fox {number}"]})
    asking = threading.Thread(target=lambda: asyncio.run(polled(address, tokens, 40, pid)))
    asking.start()
    times: dict[str, list[float]] = {"Ctrl+Enter to the job in the strip": [], "a star to its light": []}
    with page_of(address, tokens[1]) as page:
        page.goto(address)
        page.wait_for_selector("#drop")
        for number in range(5):
            page.get_by_role("tab", name="Create").click()
            page.locator("#prompt textarea").fill(f"a hare {number}")
            before = page.locator(".jobs .job").count()
            began = time.monotonic()
            page.keyboard.press("Control+Enter")
            page.wait_for_function(f"() => document.querySelectorAll('.jobs .job').length > {before}", timeout=60_000)
            times["Ctrl+Enter to the job in the strip"].append(time.monotonic() - began)
            page.get_by_role("tab", name="Gallery").click()
            star = page.locator(".gallery-grid .star[aria-pressed=false]").first
            which = star.get_attribute("data-id")
            began = time.monotonic()
            star.click()
            page.wait_for_selector(f'.gallery-grid .star[data-id="{which}"][aria-pressed=true]')
            times["a star to its light"].append(time.monotonic() - began)
    asking.join()
    return [
        (
            f"a hundred jobs in the line, {len(tokens)} pages asking: from {what}, five times",
            f"median {statistics.median(one):.1f} s, at most {max(one):.1f} s",
        )
        for what, one in times.items()
    ]


def processor(pid: int) -> float:
    """Processor seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def uploaded(address: str, token: str, count: int) -> list[tuple[str, str]]:
    """A folder of small works sent one after the other over one connection; a browser sends three at once."""
    luck = random.Random(0)
    began = time.monotonic()
    with httpx.Client(base_url=address, timeout=60) as client:
        for number in range(count):
            stream = io.BytesIO()
            Image.new("RGB", (64, 64), (luck.randrange(256), luck.randrange(256), number % 256)).save(stream, "PNG")
            told = {"X-Name": f"work {number}.png", "X-Consent": "yes", "X-Batch": "load", "Origin": address}
            client.post("/upload", content=stream.getvalue(), headers=cookie(token) | told).raise_for_status()
    return [(f"{count} small works sent one after the other", f"{time.monotonic() - began:.1f} s")]


def fill(token: str, count: int) -> None:
    """Pictures with recipes on an artist's shelf."""
    from artlab import accounts, recipe  # noqa: PLC0415
    from artlab.recipe import BaseUsed, Recipe  # noqa: PLC0415

    artist = accounts.by_token(token)
    assert artist is not None
    folder = accounts.home_of(artist.id) / "pictures" / "2026-01-01"
    for number in range(count):
        used = BaseUsed(name="mini", fingerprint="ab")
        told = Recipe(
            prompt=f"a fox {number}", seed=number, width=512, height=512, steps=20, sampler="dpm++", guidance=2, base=used
        )
        picture = Image.effect_noise((128, 128), 60).resize((512, 512)).convert("RGB")
        recipe.embed(picture, told, folder / f"{number}.png")


@contextlib.contextmanager
def page_of(address: str, token: str) -> Iterator[Any]:
    """A page in headless Chromium, as this session's artist, not yet gone anywhere."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    from artlab import accounts  # noqa: PLC0415

    with sync_playwright() as machine:
        browser = machine.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 1360, "height": 900})
        context.add_cookies([{"name": accounts.COOKIE, "value": token, "url": address}])
        yield context.new_page()
        browser.close()


def looked_at(address: str, token: str, count: int) -> list[tuple[str, str]]:
    """From the click on the gallery's tab to its first thumbnail, in Chromium."""
    with page_of(address, token) as page:
        began = time.monotonic()
        page.goto(address)
        page.wait_for_selector("#drop")
        opened = time.monotonic() - began
        began = time.monotonic()
        page.get_by_role("tab", name="Gallery").click()
        page.wait_for_function(
            "() => { const one = document.querySelector('.gallery-grid img'); return one && one.complete && one.naturalWidth }"
        )
        seen = time.monotonic() - began
    return [
        (f"the page, with {count} pictures on the shelf", f"{opened:.1f} s"),
        ("from the click on Gallery to its first thumbnail", f"{seen:.2f} s"),
    ]


def sent_as_a_folder(address: str, token: str, folder: Path, count: int) -> list[tuple[str, str]]:
    """Works chosen as a folder in Chromium, until the last has arrived; then their intake, in a process of its own as the worker's."""
    from playwright.sync_api import expect  # noqa: PLC0415

    from artlab import accounts  # noqa: PLC0415

    works = sorted(path for path in folder.rglob("*") if path.suffix.lower() in {".jpg", ".jpeg", ".png", ".webp"})[:count]
    artist = accounts.by_token(token)
    assert artist is not None
    with tempfile.TemporaryDirectory() as place, page_of(address, token) as page:
        for number, path in enumerate(works):
            shutil.copy(path, Path(place) / f"{number:03} {path.parent.name}{path.suffix}")
        page.goto(address)
        page.locator("#drop .consent input").check()
        began = time.monotonic()
        page.set_input_files("#choose-folder", place)
        expect(page.locator("#sent summary")).to_contain_text(f"{len(works)} of {len(works)}", timeout=600_000)
        sent = time.monotonic() - began
    home = next(path.parent for path in accounts.home_of(artist.id).rglob("uploads") if path.is_dir())
    began = time.monotonic()
    subprocess.run([sys.executable, "-m", "artlab.cli", "intake", str(home)], check=True, capture_output=True)
    return [
        (f"{len(works)} real works sent as a folder by Chromium", f"{sent:.1f} s"),
        ("their intake: opened, captioned, compared with each other, marked", f"{time.monotonic() - began:.1f} s"),
    ]


if __name__ == "__main__":
    main()
