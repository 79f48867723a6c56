"""What goes out of a gallery: contact sheets, signed copies, one ZIP with a note on the licence."""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from artlab import bases, images, provenance
from artlab.gallery.items import Item
from artlab.gallery.store import MANIFEST, Row, Store

A_SHEET, SHEETS, SIGNED = 48, "sheets", "signed"
There = Sequence[tuple[Item, Row]]


def write(store: Store, name: str, there: There) -> None:
    """Contact sheets of 48 pictures each, in the plan's order, as JPEG."""
    for number, at in enumerate(range(0, len(there), A_SHEET), 1):
        part = there[at : at + A_SHEET]
        pictures = [picture(store, row) for _, row in part]
        captions = [f"{item.recipe.prompt or item.shown} · {item.styled}" for item, _ in part]
        of = f"{name}, {number} of {-(-len(there) // A_SHEET)}" if len(there) > A_SHEET else name
        sheet = images.contact_sheet(pictures, columns=min(8, max(3, round(len(part) ** 0.5))), captions=captions, title=of)
        stream = io.BytesIO()
        sheet.save(stream, "JPEG", quality=88)
        store.write(f"{SHEETS}/sheet-{number:03d}.jpg", stream.getvalue())


def picture(store: Store, row: Row) -> Image.Image:
    """A picture of the gallery, loaded."""
    with Image.open(io.BytesIO(store.read(row["file"])), formats=["PNG"]) as image:
        return image.convert("RGB")


def sign(store: Store, there: There) -> list[str]:
    """Copies of the pictures with a signed C2PA manifest; their names. A signature is another one each time, so they are no items."""
    names = []
    for item, row in there:
        name = f"{SIGNED}/{Path(row['file']).name}"
        store.write(name, provenance.sign(store.read(row["file"]), title=Path(row["file"]).name, software=item.recipe.artlab))
        names.append(name)
    return names


def licence_note(there: There) -> str:
    """What may be done with the pictures, as far as artlab can know it."""
    named = {item.recipe.base.name: bases.card(bases.detect(bases.locate(item.base))).licence for item, _ in there if item.base}
    styles = sorted({name for item, _ in there for name, _ in item.mix})
    lines = [
        "These pictures were made with artlab: by a trained model, or out of other pictures. Each says which in its metadata (IPTC",
        "trainedAlgorithmicMedia or algorithmicallyEnhanced), carries its whole recipe, and most carry an invisible watermark. Please leave",
        "the marks in when you pass the pictures on; in the European Union the AI Act (Art. 50) asks for them.",
        "",
        *(f"Base “{name}”: {licence}." for name, licence in sorted(named.items())),
        *(
            [f"Styles: {', '.join(styles)}. A style belongs to the artist whose works it was taught on; ask before you publish."]
            if styles
            else []
        ),
    ]
    return "\n".join(lines) + "\n"


def archive(store: Store, there: There, signed: Sequence[str] = ()) -> bytes:
    """A ZIP of the pictures, the manifest, the page and the licence note. The same gallery gives the same bytes."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as file:
        names = [MANIFEST, "index.html", *(row["file"] for _, row in there), *signed]
        for name, data in [("LICENCE.txt", licence_note(there).encode()), *((name, store.read(name)) for name in names)]:
            file.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)
    return stream.getvalue()
