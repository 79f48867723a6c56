"""The bench of bad files decoded in children, and pictures laid out."""

import os
import struct
import subprocess
import sys
from pathlib import Path

import bad_files
import numpy as np
import PIL
import pillow_heif
import pytest
from PIL import Image, ImageCms

from artlab import images


def decoded(folder: Path, name: str, data: bytes, **options) -> Image.Image:
    (folder / name).write_bytes(data)
    return images.open_image(images.decode(folder / name, folder / "out" / f"{name}.png", **options).path)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> dict[str, images.Decoded | images.DecodeError]:
    """Every file of the bench, decoded in one stream, so that each is tried in a child that others went through before."""
    folder = tmp_path_factory.mktemp("bench")
    names = [*bad_files.REFUSED, *bad_files.EITHER, *bad_files.TAKEN]
    jobs = [(bad_files.write(folder, name), folder / "out" / f"{name}.png") for name in names]
    results = dict(zip(names, images.decode_all(jobs), strict=True))
    assert not list(folder.rglob("*.part"))
    return results


@pytest.mark.parametrize("name", bad_files.REFUSED)
def test_a_bad_file_is_refused_with_its_reason(bench, name):
    result = bench[name]
    assert isinstance(result, images.DecodeError)
    assert bad_files.REFUSED[name][1] in str(result)
    assert not str(result).endswith(".")


@pytest.mark.parametrize("name", bad_files.TAKEN)
def test_an_odd_file_is_decoded_to_a_plain_png(bench, name):
    result = bench[name]
    assert isinstance(result, images.Decoded), result
    assert result.size == bad_files.TAKEN[name][1]
    with Image.open(result.path) as image:
        assert (image.format, image.mode, image.size, image.info) == ("PNG", "RGB", result.size, {})


@pytest.mark.parametrize("name", bad_files.EITHER)
def test_a_doubtful_file_ends_either_way(bench, name):
    assert isinstance(bench[name], images.Decoded | images.DecodeError)


def test_a_tail_behind_the_picture_does_not_survive(bench):
    data = bench["polyglot.jpg"].path.read_bytes()
    assert b"script" not in data
    assert b"PK\x03\x04" not in data


def test_the_id_is_that_of_the_pixels(bench):
    assert bench["plain.jpg"].id == bench["misnamed.png"].id == bench["polyglot.jpg"].id
    assert bench["plain.png"].id == bench["plain.tif"].id != bench["plain.jpg"].id


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_stand_upright(tmp_path, orientation):
    image = decoded(tmp_path, "a.jpg", bad_files.oriented(orientation))
    assert image.size == (40, 20)
    red = [image.getpixel(at)[1] < 60 for at in ((8, 4), (32, 4), (8, 16), (32, 16))]
    assert red == [True, False, False, False]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "HEIF"])
def test_no_place_and_no_camera_are_left(tmp_path, kind):
    data = bad_files.with_gps(kind)
    assert b"SECRETCAMERA" in data
    decoded(tmp_path, "a.bin", data)
    clean = (tmp_path / "out" / "a.bin.png").read_bytes()
    assert not any(trace in clean for trace in (b"SECRETCAMERA", b"GPS", b"48.8584", b"eXIf", b"iTXt", b"tEXt", b"xmp"))


def test_greys_of_sixteen_bits_are_scaled_not_clipped(tmp_path):
    ramp = Image.fromarray(np.tile(np.linspace(0, 65535, 256).astype(np.uint16), (4, 1)))
    levels = np.unique(np.asarray(decoded(tmp_path, "a.png", bad_files.bytes_of(ramp, "PNG")))[0, :, 0])
    assert len(levels) > 250


@pytest.mark.parametrize(
    ("mode", "colour", "kind"),
    [("RGBA", (200, 0, 0, 0), "PNG"), ("LA", (10, 0), "PNG"), ("RGBA", (200, 0, 0, 0), "WEBP"), ("RGBA", (200, 0, 0, 0), "TIFF")],
)
def test_the_transparent_is_white_paper_and_hides_no_colour(tmp_path, mode, colour, kind):
    image = decoded(tmp_path, "a", bad_files.bytes_of(Image.new(mode, (8, 8), colour), kind))
    assert np.asarray(image).min() >= 254


def test_a_transparent_palette_colour_is_white_paper(tmp_path):
    image = Image.new("P", (8, 8), 1)
    image.putpalette([0, 0, 0, 10, 20, 30])
    data = bad_files.bytes_of(image, "PNG", transparency=1)
    assert decoded(tmp_path, "a.png", data).getpixel((4, 4)) == (255, 255, 255)


def swapped_profile() -> bytes:
    """sRGB in which red and blue have changed places."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    tags = {bytes(data[at : at + 4]): at for at in range(132, 132 + 12 * struct.unpack_from(">I", data, 128)[0], 12)}
    data[tags[b"rXYZ"] : tags[b"rXYZ"] + 4], data[tags[b"bXYZ"] : tags[b"bXYZ"] + 4] = b"bXYZ", b"rXYZ"
    return bytes(data)


@pytest.mark.parametrize(("mode", "colour"), [("RGB", (255, 0, 0)), ("RGBA", (255, 0, 0, 255))])
def test_colours_are_what_the_files_profile_means(tmp_path, mode, colour):
    data = bad_files.bytes_of(Image.new(mode, (8, 8), colour), "PNG", icc_profile=swapped_profile())
    red, _, blue = decoded(tmp_path, "a.png", data).getpixel((4, 4))
    assert blue > 240
    assert red < 20


def test_printing_colours_become_screen_colours(tmp_path):
    for number, data in enumerate((bad_files.cmyk(), bad_files.cmyk(inverted=True))):
        red, green, blue = decoded(tmp_path, f"{number}.bin", data).getpixel((4, 4))
        assert red > 200 > 60 > max(green, blue)


def test_large_works_are_reduced(tmp_path):
    data = bad_files.bytes_of(bad_files.painting((900, 300)), "JPEG")
    assert decoded(tmp_path, "a.jpg", data, longest=300).size == (300, 100)
    assert decoded(tmp_path, "b.jpg", data).size == (900, 300)


@pytest.mark.parametrize(
    "name", ["new\nline.jpg", "-rf.jpg", "\u202egpj.exe", "e\u0301 \u00e9 🎨.jpg", os.fsdecode(b"caf\xe9.jpg")]
)
def test_a_name_does_not_matter(tmp_path, name):
    assert decoded(tmp_path, name, bad_files.jpeg()).size == (96, 72)


@pytest.mark.parametrize("make", [lambda path: path.mkdir(), os.mkfifo, lambda path: path.symlink_to("gone")])
def test_what_is_no_regular_file_is_not_opened(tmp_path, make):
    make(tmp_path / "a.jpg")
    with pytest.raises(images.DecodeError, match="no regular file"):
        images.kind_of(tmp_path / "a.jpg")


# A decoder that dies or hangs on cue, and otherwise answers with its process id.
FAKE = """
import json, os, sys, time
for line in sys.stdin:
    source = json.loads(line)["source"]
    if "crash" in source: os.kill(os.getpid(), 11)
    if "hang" in source: time.sleep(60)
    print(json.dumps({"id": str(os.getpid()), "size": [1, 1]}), flush=True)
"""


@pytest.fixture
def fake(tmp_path, monkeypatch):
    script = tmp_path / "fake.py"
    script.write_text(FAKE)
    monkeypatch.setattr(images, "_DECODER", script)
    monkeypatch.setattr(images, "PATIENCE", 4.0)

    def run(*names: str) -> list:
        for name in names:
            (tmp_path / name).write_bytes(bad_files.jpeg())
        return list(images.decode_all([(tmp_path / name, tmp_path / f"{name}.png") for name in names], workers=1))

    return run


def test_the_file_that_kills_the_decoder_is_refused_and_the_rest_goes_on(fake):
    before, crash, between, hang, after = fake("a.jpg", "crash.jpg", "b.jpg", "hang.jpg", "c.jpg")
    assert "crash" in str(crash)
    assert "longer than" in str(hang)
    assert len({before.id, between.id, after.id}) == 3


def test_a_child_decodes_many_files_and_is_renewed(fake, monkeypatch):
    monkeypatch.setattr(images, "FILES_PER_CHILD", 3)
    children = [result.id for result in fake(*(f"{number}.jpg" for number in range(7)))]
    assert [children.count(child) for child in dict.fromkeys(children)] == [3, 3, 1]
    with pytest.raises(ProcessLookupError):
        os.kill(int(children[-1]), 0)


def test_the_decoder_takes_no_more_memory_than_allowed(tmp_path):
    """The limits hold in the real child: a script that takes 3 GB after `limit()` fails."""
    code = (
        f"import sys; sys.path.insert(0, {str(images._DECODER.parent)!r}); import decoder; decoder.limit()(); bytearray(3 << 30)"
    )
    assert b"MemoryError" in subprocess.run([sys.executable, "-I", "-c", code], capture_output=True).stderr


def test_the_readers_are_new_enough():
    """Older ones have known holes (TRUST: Pillow before 12.3, libheif before 1.22)."""
    assert tuple(map(int, PIL.__version__.split(".")[:2])) >= (12, 3)
    assert tuple(map(int, pillow_heif.libheif_version().split(".")[:2])) >= (1, 22)


def test_only_our_own_pngs_are_opened_without_a_child(tmp_path):
    (tmp_path / "a.png").write_bytes(bad_files.jpeg())
    with pytest.raises(PIL.UnidentifiedImageError):
        images.open_image(tmp_path / "a.png")


def test_fit_keeps_the_whole_picture_and_crop_fills():
    wide = Image.new("RGB", (400, 100))
    assert images.fit(wide, 200).size == (200, 50)
    assert images.fit(wide, (1000, 50)).size == (200, 50)
    assert images.fit(wide, 800).size == (400, 100)
    assert images.fit(Image.new("RGB", (1, 5000)), 64).size == (1, 64)
    assert images.crop(wide, 64).size == (64, 64)
    left = Image.new("RGB", (200, 100), "white")
    left.paste((0, 0, 0), (0, 0, 100, 100))
    assert images.crop(left, 50, centre=(0, 0.5)).getextrema()[0][1] < 50


def test_a_contact_sheet_has_rows_of_one_height_that_fill_the_width():
    colours = ["red", "green", "blue", "black", "orange", "purple", "grey"]
    shapes = [(300, 200), (200, 300), (100, 100), (400, 100), (50, 60), (500, 500), (10, 900)]
    pictures = [Image.new("RGB", shape, colour) for shape, colour in zip(shapes, colours, strict=True)]
    sheet = images.contact_sheet(
        pictures, 3, captions=["A caption – much too long for one picture " * 3] * 7, title="Doré", width=900
    )
    pixels = np.asarray(sheet)
    boxes = []
    for picture in pictures:
        rows, columns = np.nonzero((pixels == picture.getpixel((0, 0))).all(2))
        boxes.append((rows.min(), rows.max(), columns.min(), columns.max()))
    for row in (boxes[:3], boxes[3:6]):
        assert len({box[:2] for box in row}) == 1
        assert abs(row[0][2] - (sheet.width - 1 - row[-1][3])) <= 1
    assert (pixels[:10] == 255).all()
    assert (pixels < 60).any()


def test_a_contact_sheet_of_one_picture_without_words_is_no_poster():
    assert images.contact_sheet([Image.new("RGB", (100, 100))]).width == 1600
    with pytest.raises(ValueError, match="at least one"):
        images.contact_sheet([])
    with pytest.raises(ValueError, match="2 captions for 1"):
        images.contact_sheet([Image.new("RGB", (9, 9))], captions=["a", "b"])


def test_a_label_is_cut_to_its_width_and_has_no_boxes():
    assert images.shorten("Short", 500, 16) == "Short"
    assert images.shorten("A long caption that goes on", 80, 16).endswith("…")
    assert images.shorten("Doré 葛", 500, 16).strip() == "Dore"
    assert images.shorten("word", 0, 16) == ""


def test_a_stream_broken_off_leaves_no_process(fake, tmp_path):
    for number in range(4):
        (tmp_path / f"{number}.jpg").write_bytes(bad_files.jpeg())
    stream = images.decode_all([(tmp_path / f"{n}.jpg", tmp_path / f"{n}.png") for n in range(4)], workers=2)
    child = int(next(stream).id)
    stream.close()
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
