"""What a picture shows, in the artist's own words where there are any, and the word that calls her style.

A caption comes from the first of these that says something:

1. a text file of the same name beside the picture (`rose.txt` or `rose.caption` for `rose.jpg`);
2. a row of `metadata.jsonl` beside the picture: `file_name` with `text`, `caption` or `title`, and perhaps `series`;
3. a folder named `<repeats>_<token class>`, as kohya's trainer has it: "10_hln garden" says "garden", and to repeat it 10 times;
4. the names of the file and of its folder, unless they are a camera's, a scanner's or a hash.
"""

import html
import json
import re
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from artlab import files
from artlab.portfolio.work import PortfolioError

LONGEST = 300
READ_AT_MOST = 64 << 10
MAX_REPEATS = 200
CHOICES = "artlab.toml"

_TAG = re.compile(r"<(script|style)\b.*?(</\1\s*>|$)|<!--.*?(-->|$)|</?[a-z!][^<>]*(>|$)", re.IGNORECASE | re.DOTALL)
_WEIGHTED = re.compile(r"[(\[]([^()\[\]]*?):-?\d+(?:\.\d+)?[)\]]")
_KOHYA = re.compile(r"([1-9]\d{0,2})_(.+)")
_NUMBER = re.compile(r"[\d\s.,()_+-]*")
_HEX = re.compile(r"(?=.*\d)[0-9a-f]{8,}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
# What cameras, phones, scanners and programs call a file; numbers may follow.
_SAYS_NOTHING = re.compile(
    r"""[(]?(imgs?|images?|dscn?|dscf|dcim|pxl|mvi|gopr|pict|pictures?|pics?|photos?|foto|scan(s|ned|ner)?|screenshot|screen|shot
    |bildschirmfoto|capture|copy|final|new|untitled|unnamed|unbenannt|files?|downloads?|uploads?|whats|app|whatsapp|signal|telegram
    |at|am|pm|of|v|p|wa|edit(ed)?|export|crop(ped)?|page|plate|fig|figure|works?|art|artworks?|drawings?|paintings?|portfolio|dataset
    |data|train(ing)?|originals?|jpe?g|png|tiff?|webp|heic|avif|gif)\d*[)]?""",
    re.IGNORECASE | re.VERBOSE,
)
_AT_THE_END = re.compile(r"[(]?(copy|final|edit|edited|crop|cropped|scan|v)\d*[)]?", re.IGNORECASE)


@dataclass(frozen=True)
class Words:
    """What the surroundings of a picture say of it."""

    caption: str = ""
    series: str = ""
    repeats: int = 1


def words(name: str, texts: Mapping[str, Path], rows: Mapping[str, Mapping[str, object]], common: str = "") -> Words:
    """Caption, series and weight of the picture `name` (a relative path with slashes).

    `texts` are the sidecar files by their names, `rows` the rows of metadata by picture (`metadata_rows`). `common` is the
    folder that all pictures of the portfolio share, which tells none of them apart.
    """
    path = PurePosixPath(name)
    row = rows.get(name, {})
    folders = [part for part in path.parent.parts if part not in ("/", "..")][len(PurePosixPath(common).parts) :]
    repeats, subject = next((parsed for part in reversed(path.parent.parts) if (parsed := kohya(part))), (1, ""))
    series = clean(row.get("series")) or " / ".join(readable(folder) or clean(folder) for folder in folders)
    sidecars = [texts[key] for suffix in (".txt", ".caption") if (key := str(path.with_suffix(suffix))) in texts]
    caption = next((text for sidecar in sidecars if (text := _sidecar(sidecar))), "") or next(
        (text for key in ("text", "caption", "title") if (text := clean(row.get(key)))), ""
    )
    return Words(caption or subject or _from_names(path.stem, folders), series, repeats)


def choices(texts: Mapping[str, Path]) -> dict[str, object]:
    """What a portfolio chooses for itself in its `artlab.toml`: `flips` (true or false) and `trigger` (a word)."""
    path = texts.get(CHOICES)
    if path is None:
        return {}
    wanted = {"flips": bool, "trigger": str}
    try:
        made = tomllib.loads(path.read_bytes()[:READ_AT_MOST].decode())
    except ValueError as error:  # no UTF-8, or no TOML
        raise PortfolioError(f'{CHOICES} cannot be read ({error}). It may say flips = true and trigger = "a word".') from error
    for key, value in made.items():
        if key not in wanted or not isinstance(value, wanted[key]):
            raise PortfolioError(f'{CHOICES} says {key} = {value!r}; it may say flips = true or false, and trigger = "a word".')
    return made


def metadata_rows(texts: Mapping[str, Path]) -> dict[str, Mapping[str, object]]:
    """The rows of every `metadata.jsonl` by the relative path of the picture they speak of; unreadable lines are passed over."""
    rows: dict[str, Mapping[str, object]] = {}
    for name, path in texts.items():
        if PurePosixPath(name).name != "metadata.jsonl":
            continue
        for line in path.read_bytes().splitlines():
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(row, dict) and isinstance(row.get("file_name"), str):
                rows[unicodedata.normalize("NFC", str(PurePosixPath(name).parent / row["file_name"]))] = row
    return rows


def kohya(folder: str) -> tuple[int, str] | None:
    """The repeats and the class words of a folder called `<repeats>_<token class>`; None for other folders.

    A single word is the class. A number with leading zeros or beyond 200 is a number or a year, not a weight.
    """
    match = _KOHYA.fullmatch(folder)
    if not match or int(match[1]) > MAX_REPEATS:
        return None
    token, _, subject = match[2].replace("_", " ").strip().partition(" ")
    return int(match[1]), clean(subject or token)


def clean(value: object) -> str:
    """One line of plain text, 300 characters at most: no markup, invisible characters, prompt weights or spreadsheet formula.

    Anything but a string is "".
    """
    if not isinstance(value, str):
        return ""
    text, before = value[:READ_AT_MOST], None
    while text != before:  # markup may hide in markup: "&lt;b&gt;" is "<b>" only after the first round
        before, text = text, _once(text)
    return text


def _once(text: str) -> str:
    text = unicodedata.normalize("NFC", _TAG.sub(" ", html.unescape(text)))
    text = _WEIGHTED.sub(r"\1", text)
    text = "".join(
        " " if letter.isspace() else letter for letter in text if letter.isspace() or unicodedata.category(letter)[0] != "C"
    )
    text = " ".join(text.split()).lstrip("=+-@ ")
    if len(text) > LONGEST:
        text = text[:LONGEST].rsplit(" ", 1)[0].rstrip(" ,;:-")
    return text


def readable(stem: str) -> str:
    """A file or folder name as words; "" for one that a camera, a scanner or a program gave: "IMG_1234", "scan 3", a hash."""
    if _HEX.fullmatch(stem.strip()):
        return ""
    text = re.sub(r"(?<=[a-zà-ÿ])(?=[A-ZÀ-Þ])", " ", stem)  # camelCase
    text = clean(re.sub(r"[_\-.+\s]+", " ", text))
    text = re.sub(r"\(\d+\)", " ", text)  # "rose (2)"
    said = [word for word in re.split(r"\s+", text) if not _NUMBER.fullmatch(word)]
    telling = "".join(word for word in said if not _SAYS_NOTHING.fullmatch(word) and not _HEX.fullmatch(word))
    if not telling or (telling.isascii() and sum(letter.isalpha() for letter in telling) < 3):
        return ""
    while _AT_THE_END.fullmatch(said[-1]):
        said.pop()
    return " ".join(said)


def _from_names(stem: str, folders: list[str]) -> str:
    parts = [readable(stem), *(readable(folder) for folder in reversed(folders))]
    said: list[str] = []
    for part in parts:
        if part and part.lower() not in " ".join(said).lower():
            said.append(part)
    return clean(", ".join(said))


def _sidecar(path: Path) -> str:
    with open(path, "rb") as file:
        head = file.read(READ_AT_MOST)
    encoding = "utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    return clean(head.decode(encoding, "replace").replace("\ufffd", ""))


def trigger_word(name: str) -> str:
    """The word that calls an artist's style: her last name and "vu" ("seen"), as in "allinghamvu".

    One lower-case ASCII word that can be said aloud; no English word ends so. Two artists of one last name share it: give one
    of them a trigger of her own.
    """
    parts = [part for part in files.slug(name).split("-") if part.isalpha()]
    if not parts or (parts == ["untitled"] and "untitled" not in name.lower()):  # a name in another script
        parts = [_syllables(files.fingerprint(name.encode("utf-8", "surrogatepass")))]
    last = next((part for part in reversed(parts) if len(part) > 2 and part not in ("junior", "senior")), "".join(parts))
    return last[:14] + "vu"


def _syllables(digits: str) -> str:
    """Three syllables from six hex digits."""
    consonants, vowels = "bdfgklmnprstvzjh", "aeiouaeiouaeioua"
    return "".join(consonants[int(a, 16)] + vowels[int(b, 16)] for a, b in zip(digits[0:6:2], digits[1:6:2], strict=True))


def with_trigger(caption: str, trigger: str) -> str:
    """The caption with the style's trigger, as training and generation both say it; one that has it already is left as it is."""
    caption = caption.strip().rstrip(".,; ")
    if not trigger or re.search(rf"(?<!\w){re.escape(trigger)}(?!\w)", caption, re.IGNORECASE):
        return caption or "a picture"
    return f"{caption or 'a picture'}{',' if caption else ''} by {trigger}"
