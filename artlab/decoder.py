"""The child process that opens strangers' picture files, so that a file which breaks a decoder breaks only this process.

It is run by its path with `python -I`, imports nothing of artlab, and answers each JSON line on stdin, `{"source", "target",
"kind", "longest"}`, with one JSON line on stdout: `{"id", "size"}` of the fresh PNG it wrote to `target`, or `{"error"}` in
words that finish the sentence "this file ...". `images.decode` is its only caller.
"""

import contextlib
import hashlib
import io
import json
import os
import resource
import struct
import sys
import warnings
from collections.abc import Callable, Mapping

from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

MAX_PIXELS = 80_000_000
MEMORY = 2 << 30
SECONDS = 20
OUTPUT_BYTES = 512 << 20

SRGB = ImageCms.createProfile("sRGB")


def read(path: str, kind: str, longest: int | None) -> Image.Image:
    """The first frame of the file: upright, sRGB, transparency over white, 8 bits, no side longer than `longest`."""
    if kind == "HEIF":
        import pillow_heif  # noqa: PLC0415  (a third of the start-up time, for one format)

        pillow_heif.register_heif_opener()
    with Image.open(path, formats=[kind]) as image:
        if longest:
            image.draft(None, (2 * longest, 2 * longest))  # JPEG only: decode no more than is needed
        image.load()
        picture = over_white(upright(image))
    if longest:
        picture.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    clean = Image.new("RGB", picture.size)  # a new object has no metadata to write
    clean.paste(picture)
    return clean


def upright(image: Image.Image) -> Image.Image:
    """The picture turned as its EXIF orientation asks; one whose EXIF is broken stays as it lies."""
    try:
        return ImageOps.exif_transpose(image)
    except (OSError, SyntaxError, ValueError, TypeError, KeyError, struct.error, OverflowError):
        return image


def over_white(image: Image.Image) -> Image.Image:
    """The picture in sRGB, what is transparent in it shown on white paper."""
    alpha = transparency(image)
    colour = to_srgb(eight_bits(image), image.info.get("icc_profile"))
    return Image.composite(colour, Image.new("RGB", colour.size, "white"), alpha) if alpha else colour


def transparency(image: Image.Image) -> Image.Image | None:
    if image.mode in ("RGBA", "RGBa", "LA", "La", "PA"):
        return image.convert("RGBA").getchannel("A")
    if "transparency" in image.info and image.mode in ("1", "L", "P", "RGB"):
        return image.convert("RGBA").getchannel("A")
    return None


def eight_bits(image: Image.Image) -> Image.Image:
    """The picture as L, RGB, CMYK or LAB without alpha. Greys of 16 bits are scaled: Pillow's own conversion clips them."""
    if image.mode == "F":
        raise ValueError("is a picture of floating-point numbers; export it with 8 or 16 bits")
    if image.mode.startswith("I"):
        wide = image.convert("I")
        brightest = wide.getextrema()[1]
        assert isinstance(brightest, int | float)  # one band has one maximum
        scale = 255 / max(65535, brightest)
        return wide.point(lambda value: value * scale).convert("L")
    if image.mode in ("L", "CMYK", "LAB"):
        return image
    if image.mode in ("RGBa", "La"):
        image = image.convert("RGBA")
    if image.mode in ("1", "LA"):
        return image.convert("L")
    return image.convert("RGB")


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Colours as the file's own ICC profile means them; a broken or unfitting profile is passed over."""
    if image.mode == "LAB":
        return convert(image, ImageCms.createProfile("LAB"))
    if profile:
        with contextlib.suppress(ImageCms.PyCMSError, OSError, ValueError, TypeError):
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if source.profile.xcolor_space.strip() == "RGB" and image.mode == "L":
                image = image.convert("RGB")
            return convert(image, source)
    return image.convert("RGB")


def convert(image: Image.Image, source: ImageCms.ImageCmsProfile | ImageCms.core.CmsProfile) -> Image.Image:
    converted = ImageCms.profileToProfile(image, source, SRGB, outputMode="RGB")
    return converted if converted is not None else image


def decode(job: Mapping[str, str | int | None]) -> dict[str, str | tuple[int, int]]:
    """One file decoded and written, whole or not at all."""
    source, target, longest = str(job["source"]), str(job["target"]), job["longest"]
    picture = read(source, str(job["kind"]), int(longest) if longest else None)
    part = f"{target}.part"
    try:
        picture.save(part, "PNG", compress_level=2)
        os.replace(part, target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)
        raise
    pixels = hashlib.sha256(f"{picture.size}".encode() + picture.tobytes())
    return {"id": pixels.hexdigest()[:16], "size": picture.size}


def explain(error: BaseException, kind: str) -> str:
    """Why a file was not decoded, for people who do not read tracebacks."""
    if isinstance(error, Image.DecompressionBombWarning | Image.DecompressionBombError):
        return f"has more than {MAX_PIXELS // 1_000_000} million pixels; save a smaller copy"
    if isinstance(error, MemoryError):
        return "needs more memory to open than a picture may take; save a smaller or simpler copy"
    if isinstance(error, UnidentifiedImageError):
        return f"begins like a {kind} picture but is damaged or cut short"
    if isinstance(error, ValueError) and str(error).startswith("is a "):
        return str(error)
    if isinstance(error, OSError) and error.errno:
        return f"could not be read or written ({os.strerror(error.errno)})"
    return f"is damaged or cut short ({' '.join(str(error).split())[:120] or type(error).__name__})"


def limit() -> Callable[[], None]:
    """Bound memory and output for good. The function returned grants one more file its `SECONDS` of processor time."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    for kind, value in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_FSIZE, OUTPUT_BYTES), (resource.RLIMIT_CORE, 0)):
        with contextlib.suppress(ValueError, OSError):  # macOS knows no RLIMIT_AS
            resource.setrlimit(kind, (value, value))

    def allow() -> None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + SECONDS, hard))

    return allow


def main() -> None:
    """Answer until stdin ends. The real stdout is kept for answers: a C library that prints cannot forge or garble one."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    allow = limit()
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    warnings.simplefilter("ignore")
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    for line in sys.stdin:
        job = json.loads(line)
        allow()
        try:
            answer: Mapping[str, object] = decode(job)
        except Exception as error:  # any decoder may raise anything; whatever it is, it is this file's fault
            answer = {"error": explain(error, str(job["kind"]))}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
