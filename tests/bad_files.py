"""A bench of bad picture files, made on the spot: each builder writes one file into a folder and says what must become of it.

`REFUSED` files must be refused with words that contain the given ones. `TAKEN` files must be decoded to the given size.
`EITHER` files may be refused or decoded, but must not hang, crash the caller or leave anything behind.
"""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image, ImageCms, PngImagePlugin

Builder = Callable[[Path], None]


def painting(size: tuple[int, int] = (96, 72), seed: int = 0) -> Image.Image:
    """A picture with soft areas, lines and grain; another for each seed."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 255, (6, 8, 3), dtype=np.uint8)).resize(size, Image.Resampling.BICUBIC)
    grain = rng.normal(0, 6, (size[1], size[0], 3))
    return Image.fromarray(np.clip(np.asarray(coarse) + grain, 0, 255).astype(np.uint8))


def bytes_of(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def jpeg(**options) -> bytes:
    return bytes_of(painting(), "JPEG", quality=90, **options)


def heif(image: Image.Image, **options) -> bytes:
    buffer = io.BytesIO()
    pillow_heif.from_pillow(image).save(buffer, quality=90, **options)
    return buffer.getvalue()


def png(width: int, height: int, rows: bytes, *extra: tuple[bytes, bytes], depth: int = 8, colour: int = 0) -> bytes:
    """A PNG by hand: `rows` are the packed pixel data, `extra` chunks come before them."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    chunks = [header, *(chunk(*one) for one in extra), chunk(b"IDAT", rows), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


def scrambled(data: bytes, start: int) -> bytes:
    """Every fortieth byte from `start` on turned over, markers left alone."""
    body = bytearray(data)
    for at in range(start, len(body) - 4, 40):
        if 0xFF not in body[at - 1 : at + 2]:
            body[at] ^= 0x55
    return bytes(body)


def bomb() -> bytes:
    """30,000 x 30,000 pixels in a hundred kilobytes."""
    squeeze = zlib.compressobj(9)
    row = squeeze.compress(bytes(1 + 3750) * 3000)
    return png(30000, 30000, row + squeeze.flush(), depth=1)


def text_bomb() -> bytes:
    """A small picture with 100 MB of text packed into a zTXt chunk."""
    return png(4, 4, zlib.compress(bytes(5) * 4), (b"zTXt", b"Comment\0\0" + zlib.compress(bytes(100 << 20), 9)))


def profile_bomb() -> bytes:
    return png(4, 4, zlib.compress(bytes(5) * 4), (b"iCCP", b"icc\0\0" + zlib.compress(bytes(100 << 20), 9)))


def long_gif() -> bytes:
    frames = [Image.new("P", (24, 16), number % 200) for number in range(200)]
    return bytes_of(frames[0], "GIF", save_all=True, append_images=frames[1:])


def pages(count: int) -> bytes:
    frames = [Image.new("L", (24, 16), number % 250) for number in range(count)]
    return bytes_of(frames[0], "TIFF", save_all=True, append_images=frames[1:])


def looping_tiff() -> bytes:
    """A TIFF whose second page is its first again, for ever."""
    data = bytearray(bytes_of(Image.new("L", (24, 16), 128), "TIFF"))
    first = struct.unpack_from("<I", data, 4)[0]
    entries = struct.unpack_from("<H", data, first)[0]
    struct.pack_into("<I", data, first + 2 + 12 * entries, first)
    return bytes(data)


def polyglot() -> bytes:
    """A JPEG, a ZIP and a web page in one file."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("evil.html", "<script>alert(1)</script>")
    return jpeg() + b"<html><script>alert(1)</script></html>" + archive.getvalue()


def with_gps(kind: str) -> bytes:
    """A picture that says in EXIF and XMP where it was taken (`48.8584` and "GPSLatitude")."""
    exif = Image.Exif()
    exif[0x010F] = "SECRETCAMERA"
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 51.0, 30.24), 3: "E", 4: (2.0, 17.0, 40.2)})
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><exif:GPSLatitude>48.8584N</exif:GPSLatitude></rdf:RDF></x:xmpmeta>'
    if kind == "HEIF":
        return heif(painting(), exif=exif.tobytes(), xmp=xmp)
    if kind == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", xmp.decode())
        info.add_text("Location", "48.8584 GPSLatitude")
        return bytes_of(painting(), "PNG", exif=exif.tobytes(), pnginfo=info)
    return bytes_of(painting(), kind, exif=exif.tobytes(), xmp=xmp)


def cmyk(inverted: bool = False) -> bytes:
    return bytes_of(Image.new("CMYK", (40, 30), (0, 255, 255, 0)), "TIFF" if inverted else "JPEG")


def oriented(orientation: int) -> bytes:
    """40 x 20 pixels, the upper left corner of the *upright* picture red, tagged with an EXIF orientation."""
    upright = Image.new("RGB", (40, 20), "white")
    upright.paste((255, 0, 0), (0, 0, 20, 10))
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(turns[orientation]) if orientation in turns else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    return bytes_of(stored, "JPEG", exif=exif.tobytes(), quality=95, subsampling=0)


def broken_exif() -> bytes:
    return jpeg(exif=b"Exif\0\0II*\0\xff\xff\xff\xff" + bytes(20))


def broken_profile() -> bytes:
    return jpeg(icc_profile=b"this is no colour profile" * 9)


def short_profile() -> bytes:
    return jpeg(icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()[:150])


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty.jpg": (lambda: b"", "empty"),
    "one-byte.jpg": (lambda: b"\xff", "no picture"),
    "text.png": (lambda: b"This is a letter, not a picture.", "no picture"),
    "half.jpg": (lambda: jpeg()[: len(jpeg()) // 2], "cut short"),
    "half.png": (lambda: bytes_of(painting(), "PNG")[:3000], "cut short"),
    "wrong-crc.png": (lambda: flipped(bytes_of(painting(), "PNG"), 30), "damaged"),
    "bomb.png": (bomb, "80 million pixels"),
    "postscript.jpg": (lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "PostScript"),
    "document.jpg": (lambda: b"%PDF-1.7\n", "PDF"),
    "drawing.jpg": (lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>', "SVG"),
    "page.jpg": (lambda: b"<!DOCTYPE html><html></html>", "web page"),
    "layers.jpg": (lambda: b"8BPS\0\1" + bytes(60), "Photoshop"),
    "stars.png": (lambda: b"SIMPLE  =                    T" + bytes(60), "FITS"),
    "jp2.png": (lambda: bytes_of(painting(), "JPEG2000"), "JPEG 2000"),
    "icon.png": (lambda: bytes_of(painting(), "ICO"), "icon"),
    "bitmap.png": (lambda: bytes_of(painting(), "BMP"), "BMP"),
    "float.tif": (lambda: bytes_of(Image.new("F", (9, 9), 0.5), "TIFF"), "floating-point"),
    "nested.jpg": (lambda: b"PK\x03\x04" + bytes(40), "unpack it"),
    "camera.nef": (lambda: bytes_of(painting(), "TIFF"), "camera raw"),
}

TAKEN: dict[str, tuple[Callable[[], bytes], tuple[int, int]]] = {
    "plain.jpg": (jpeg, (96, 72)),
    "plain.png": (lambda: bytes_of(painting(), "PNG"), (96, 72)),
    "plain.webp": (lambda: bytes_of(painting(), "WEBP"), (96, 72)),
    "plain.tif": (lambda: bytes_of(painting(), "TIFF"), (96, 72)),
    "plain.gif": (lambda: bytes_of(painting(), "GIF"), (96, 72)),
    "plain.avif": (lambda: bytes_of(painting(), "AVIF"), (96, 72)),
    "plain.heic": (lambda: heif(painting()), (96, 72)),
    "misnamed.png": (jpeg, (96, 72)),
    "long.gif": (long_gif, (24, 16)),
    "pages.tif": (lambda: pages(300), (24, 16)),
    "loop.tif": (looping_tiff, (24, 16)),
    "polyglot.jpg": (polyglot, (96, 72)),
    "cmyk.jpg": (cmyk, (40, 30)),
    "one-pixel.png": (lambda: bytes_of(Image.new("RGB", (1, 1)), "PNG"), (1, 1)),
    "hair.png": (lambda: bytes_of(Image.new("RGB", (1, 10_000)), "PNG"), (1, 10_000)),
    "one-bit.png": (lambda: bytes_of(Image.new("1", (9, 7), 1), "PNG"), (9, 7)),
    "broken-exif.jpg": (broken_exif, (96, 72)),
    "broken-profile.jpg": (broken_profile, (96, 72)),
    "short-profile.jpg": (short_profile, (96, 72)),
}

EITHER: dict[str, Callable[[], bytes]] = {
    "flipped-bits.jpg": lambda: scrambled(jpeg(), 700),
    "text-bomb.png": text_bomb,
    "profile-bomb.png": profile_bomb,
}


def write(folder: Path, name: str) -> Path:
    """Build one file of the bench."""
    build = REFUSED[name][0] if name in REFUSED else TAKEN[name][0] if name in TAKEN else EITHER[name]
    path = folder / name
    path.write_bytes(build())
    return path
