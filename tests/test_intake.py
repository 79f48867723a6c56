"""A folder, a ZIP or files become a portfolio; what is bad is named, and nothing of the artist's is touched."""

import errno
import hashlib
import io
import os
import stat
import struct
import zipfile
from pathlib import Path

import bad_files
import pytest

from artlab import files, images, portfolio
from artlab.portfolio import PortfolioError, intake


def quiet(_: str) -> None:
    """Say nothing."""


def works(folder: Path, count: int = 3, suffix: str = "png") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, count + 1):
        bad_files.painting(seed=number).save(folder / f"work {number}.{suffix}")
    return folder


def packed(path: Path, entries: dict[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def picture(seed: int) -> bytes:
    return bad_files.bytes_of(bad_files.painting(seed=seed), "PNG")


def reasons(made: portfolio.Portfolio) -> dict[str, str]:
    return {refusal.name: refusal.reason for refusal in made.refused}


def test_a_folder_becomes_a_portfolio_in_the_order_of_its_names(tmp_path):
    source = works(tmp_path / "helen-allingham", 11)
    (source / "work 2.txt").write_text("A garden")
    made = portfolio.gather(source, say=quiet)
    assert [work.name for work in made.works] == [f"work {number}.png" for number in range(1, 12)]
    assert (made.name, made.trigger) == ("helen-allingham", "allinghamvu")
    assert made.works[1].caption == "A garden"
    assert all(work.original == source / work.name and work.size == (96, 72) and work.kept for work in made.works)
    assert images.open_image(made.works[0].path).size == (96, 72)
    assert made.folder.is_relative_to(files.cache())
    assert portfolio.gather(source, name="Me", trigger="mevu", say=quiet).trigger == "mevu"


def test_sub_folders_are_series_and_kohya_folders_weigh(tmp_path):
    for series in ("Venice", "10_hln garden"):
        works(tmp_path / "all" / series, 2)
    bad_files.painting(seed=9).save(tmp_path / "all" / "Venice" / "IMG_0009.png")
    bad_files.painting(seed=8).save(tmp_path / "all" / "10_hln garden" / "IMG_0008.png")
    made = portfolio.gather(tmp_path / "all", say=quiet)
    by_name = {work.name: work for work in made.works}
    venice, garden = by_name["Venice/IMG_0009.png"], by_name["10_hln garden/IMG_0008.png"]
    assert (venice.series, venice.caption, venice.repeats) == ("Venice", "Venice", 1)
    assert (garden.caption, garden.repeats) == ("garden", 10)
    assert venice.series != garden.series


def test_clutter_is_passed_over_in_silence(tmp_path):
    source = works(tmp_path / "a")
    for name in (".DS_Store", "Thumbs.db", "desktop.ini", "._work 1.png"):
        (source / name).write_bytes(b"\0\1\2")
    works(source / "__MACOSX")
    works(source / ".git")
    said: list[str] = []
    made = portfolio.gather(source, say=said.append)
    assert (len(made.works), made.refused, said) == (3, (), [])


def test_thirty_bad_files_are_named_and_ten_good_ones_remain(tmp_path):
    source = works(tmp_path / "a", 10)
    bad = [name for name in bad_files.REFUSED if name != "bomb.png"]
    for name in bad:
        bad_files.write(source, name)
    said: list[str] = []
    made = portfolio.gather(source, say=said.append)
    assert len(made.works) == 10
    assert set(reasons(made)) == set(bad)
    assert len(said) == len(bad)
    assert "Left out empty.jpg: it is empty." in said


def test_links_and_pipes_are_refused_and_never_followed(tmp_path):
    source = works(tmp_path / "a")
    outside = works(tmp_path / "outside")
    (source / "link.png").symlink_to(outside / "work 1.png")
    (source / "folder").symlink_to(outside)
    os.mkfifo(source / "pipe.png")
    made = portfolio.gather(source, say=quiet)
    assert len(made.works) == 3
    assert set(reasons(made)) == {"link.png", "folder", "pipe.png"}


def test_a_second_run_decodes_only_what_changed(tmp_path, monkeypatch):
    source = works(tmp_path / "a")
    first = portfolio.gather(source, say=quiet)
    jobs: list[Path] = []
    real = images.decode_all
    monkeypatch.setattr(
        images, "decode_all", lambda todo, **options: jobs.extend(job[0] for job in todo) or real(todo, **options)
    )
    os.utime(source / "work 1.png")
    assert portfolio.gather(source, say=quiet) == first
    assert jobs == []
    bad_files.painting(seed=77).save(source / "work 2.png")
    first.works[2].path.unlink()
    second = portfolio.gather(source, say=quiet)
    assert jobs == [source / "work 2.png", source / "work 3.png"]
    assert [a.id == b.id for a, b in zip(first.works, second.works, strict=True)] == [True, False, True]


def test_the_originals_are_not_touched(tmp_path):
    source = works(tmp_path / "a", suffix="jpg")
    bad_files.write(source, "half.jpg")

    def state():
        return {path.name: (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).digest()) for path in source.iterdir()}

    before = state()
    portfolio.save(portfolio.curate(portfolio.gather(source, say=quiet)))
    assert state() == before


def test_no_place_is_left_in_anything_that_is_kept(tmp_path):
    source = works(tmp_path / "a")
    for kind in ("JPEG", "PNG", "HEIF"):
        (source / f"photo.{kind.lower()}").write_bytes(bad_files.with_gps(kind))
    made = portfolio.gather(source, say=quiet)
    portfolio.save(made)
    assert len(made.works) == 6
    for path in made.folder.rglob("*"):
        assert path.is_dir() or not any(trace in path.read_bytes() for trace in (b"SECRETCAMERA", b"GPS", b"48.8584"))


def test_equal_pixels_are_one_work_and_both_are_listed(tmp_path):
    source = works(tmp_path / "a", 2)
    bad_files.painting(seed=1).save(source / "again.tiff")
    made = portfolio.gather(source, say=quiet)
    assert [(work.name, work.kept) for work in made.works] == [("again.tiff", True), ("work 1.png", False), ("work 2.png", True)]
    assert made.works[1].marks[0].kind == "duplicate"
    assert made.works[1].marks[0].of == made.works[0].id == made.works[1].id
    assert "again.tiff" in made.works[1].marks[0].reason


def test_large_works_are_kept_reduced(tmp_path):
    source = works(tmp_path / "a")
    bad_files.painting((2600, 1300)).save(source / "large.jpg")
    made = portfolio.gather(source, say=quiet)
    assert made.works[0].size == (2048, 1024)


def test_odd_names(tmp_path):
    folder = tmp_path / "a"
    folder.mkdir()
    names = ["new\nline.png", "-rf.png", "gate\u202egpj.png", "caf\u00e9.png", "cafe\u0301.png", "🎨.png", "CON.png", "Rose.png"]
    names += ["rose.png", "x" * 251 + ".png", "=cmd().png", os.fsdecode(b"b\xe4ume.png")]
    for number, name in enumerate(names):
        bad_files.painting(seed=number).save(folder / name)
    made = portfolio.gather(folder, say=quiet)
    shown = [work.name for work in made.works]
    assert len(set(shown)) == len(names) == len(made.works)
    assert not any(letter in name for letter in "\n\u202e\udce4" for name in shown)
    assert {"café.png", "café (2).png"} <= set(shown)
    assert all(work.original.is_file() for work in made.works)
    portfolio.save(made)
    assert portfolio.load(made.folder) == made


def test_several_files_of_any_kind(tmp_path):
    folder = works(tmp_path / "one")
    archive = packed(tmp_path / "two.zip", {"in zip.png": picture(50)})
    single = works(tmp_path / "three", 1) / "work 1.png"
    made = portfolio.gather([folder, archive, single, tmp_path / "gone.png"], say=quiet)
    assert {work.name for work in made.works} == {
        "one/work 1.png",
        "one/work 2.png",
        "one/work 3.png",
        "two/in zip.png",
        "work 1.png",
    }
    assert reasons(made) == {"gone.png": "is not there any more"}
    assert made.name == "portfolio"


# -- ZIPs -------------------------------------------------------------------------------------------------------------------


def test_a_zip_becomes_a_portfolio_and_its_originals_are_private(tmp_path):
    entries = {f"me/work {number}.png": picture(number) for number in range(3)} | {
        "me/work 1.txt": b"A gate",
        "__MACOSX/me/._work 1.png": b"\0\5\x16\7",
        "me/.DS_Store": b"\0",
    }
    made = portfolio.gather(packed(tmp_path / "me.zip", entries), say=quiet)
    assert [work.caption for work in made.works] == ["", "A gate", ""]
    assert not made.refused
    for work in made.works:
        assert work.original.read_bytes() == entries[work.name]
        assert stat.S_IMODE(work.original.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(made.folder.stat().st_mode) == 0o700
    assert not list(made.folder.rglob("*.part"))


def link(name: str, kind: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (kind | 0o777) << 16
    return info


def test_what_a_hostile_zip_holds_is_refused_by_name(tmp_path):
    entries: dict[str | zipfile.ZipInfo, bytes] = {f"{number}.png": picture(number) for number in range(3)}
    entries |= {
        "../../slip.png": picture(10),
        "/etc/absolute.png": picture(11),
        "C:\\windows.png": picture(12),
        "a\\..\\..\\back.png": picture(13),
        "sub/CON.png": picture(14),
        "inner.zip": b"PK\x03\x04" + bytes(40),
        link("link.png", stat.S_IFLNK): picture(15),  # refused for what it claims to be, not for its bytes
        link("pipe.png", stat.S_IFIFO): b"",
        link("device.png", stat.S_IFCHR): b"",
    }
    made = portfolio.gather(packed(tmp_path / "a.zip", entries), say=quiet)
    assert [work.name for work in made.works] == ["0.png", "1.png", "2.png"]
    assert set(reasons(made)) == {
        *("../../slip.png", "/etc/absolute.png", "C:/windows.png", "a/../../back.png", "sub/CON.png"),
        *("inner.zip", "link.png", "pipe.png", "device.png"),
    }
    assert reasons(made)["link.png"] == reasons(made)["device.png"] == "is a link or a device, not a file"
    assert not list(tmp_path.rglob("*slip*"))
    assert not Path("/etc/absolute.png").exists()


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_twice_a_damaged_and_a_locked_entry(tmp_path):
    path = packed(tmp_path / "a.zip", {f"{number}.png": picture(number) for number in range(4)})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("0.png", picture(20))
        damaged, locked = archive.getinfo("1.png"), archive.getinfo("2.png")
        central = archive.start_dir
    data = bytearray(path.read_bytes())
    data[damaged.header_offset + 200] ^= 0xFF
    at = data.index(b"PK\x01\x02", data.index(b"2.png", central) - 60)
    while data[at + 46 : at + 51] != b"2.png":
        at = data.index(b"PK\x01\x02", at + 1)
    data[at + 8] |= 1
    data[locked.header_offset + 6] |= 1
    path.write_bytes(data)
    made = portfolio.gather(path, say=quiet)
    assert [work.name for work in made.works] == ["0.png", "3.png"]
    assert [refusal.name for refusal in made.refused] == ["0.png", "1.png", "2.png"]
    assert ["twice" in reasons(made)["0.png"], "damaged" in reasons(made)["1.png"], "password" in reasons(made)["2.png"]] == [
        True
    ] * 3


def test_a_zip_bomb_is_stopped_while_it_unpacks(tmp_path, monkeypatch):
    entries = {f"{number}.png": picture(number) for number in range(2)} | {"bomb.png": bytes(40 << 20)}
    path = packed(tmp_path / "a.zip", entries)
    made = portfolio.gather(path, say=quiet)
    assert "ZIP bombs" in reasons(made)["bomb.png"]
    assert len(made.works) == 2
    assert sum(file.stat().st_size for file in made.folder.rglob("*") if file.is_file()) < 1 << 20
    monkeypatch.setattr(intake, "ZIP_TOTAL", 40_000)
    with pytest.raises(PortfolioError, match="unpacks to more than"):
        portfolio.gather(path, say=quiet)


def test_entries_that_share_their_bytes_are_refused(tmp_path):
    path = packed(tmp_path / "a.zip", {f"{number}.png": picture(number) for number in range(3)})
    data = bytearray(path.read_bytes())
    third = data.rindex(b"PK\x01\x02")
    struct.pack_into("<I", data, third + 42, struct.unpack_from("<I", data, data.index(b"PK\x01\x02") + 42)[0])
    path.write_bytes(data)
    made = portfolio.gather(path, say=quiet)
    assert len(made.works) == 2
    assert "bombs" in next(iter(reasons(made).values()))


def test_a_zip_of_too_many_entries_and_one_with_a_huge_directory(tmp_path, monkeypatch):
    monkeypatch.setattr(intake, "MAX_FILES", 50)
    many = packed(tmp_path / "many.zip", {f"{number}.png": b"" for number in range(51)})
    with pytest.raises(PortfolioError, match="51 files, more than 50"):
        portfolio.gather(many, say=quiet)
    monkeypatch.setattr(intake, "ZIP_DIRECTORY", 1000)
    with pytest.raises(PortfolioError, match="list of files"):
        portfolio.gather(many, say=quiet)


def test_a_picture_with_an_archive_in_its_tail_is_a_picture(tmp_path):
    source = works(tmp_path / "a", 1)
    made = portfolio.gather([bad_files.write(tmp_path, "polyglot.jpg"), source / "work 1.png"], say=quiet)
    assert [work.name for work in made.works] == ["polyglot.jpg", "work 1.png"]


# -- nothing to train on: one clear sentence --------------------------------------------------------------------------------


def empty(folder: Path) -> None:
    (folder / ".DS_Store").write_bytes(b"x")


def texts(folder: Path) -> None:
    for number in range(4):
        (folder / f"{number}.md").write_text("words")


def only_sidecars(folder: Path) -> None:
    (folder / "a.txt").write_text("words")


def one(folder: Path) -> None:
    bad_files.painting().save(folder / "only.png")


def copies(folder: Path) -> None:
    for number in range(30):
        bad_files.painting().save(folder / f"{number}.png")


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (empty, "There are no pictures in .*here. Put works into it"),
        (only_sidecars, "There are no pictures in"),
        (texts, "None of the 4 files in .*here can be used .0.md is no picture.*Give works as JPEG"),
        (one, "only one work in .*here, only.png. A style needs ten"),
        (copies, "All 30 pictures in .*here are copies of one work"),
    ],
)
def test_what_cannot_be_trained_on_is_said_in_one_sentence_with_a_way_out(tmp_path, build, says):
    folder = tmp_path / "here"
    folder.mkdir()
    build(folder)
    with pytest.raises(PortfolioError, match=says):
        portfolio.gather(folder, say=quiet)


def test_a_full_disk_is_no_fault_of_the_zip(tmp_path, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    with zipfile.ZipFile(tmp_path / "works.zip", "w") as archive:
        archive.writestr("one.png", b"anything")
    monkeypatch.setattr(intake, "_pour", full)
    with pytest.raises(PortfolioError, match=r"disk is full: there is no room to unpack .*works\.zip"):
        portfolio.gather(tmp_path / "works.zip", say=quiet)


def test_a_missing_or_broken_source_is_named(tmp_path):
    with pytest.raises(PortfolioError, match=r"nothing at .*gone\. Check the spelling"):
        portfolio.gather(tmp_path / "gone", say=quiet)
    with pytest.raises(PortfolioError, match="Name one"):
        portfolio.gather([], say=quiet)
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(PortfolioError, match=r"broken.zip cannot be opened as a ZIP"):
        portfolio.gather(tmp_path / "broken.zip", say=quiet)


# -- saving -----------------------------------------------------------------------------------------------------------------


def test_a_saved_portfolio_can_be_moved(tmp_path):
    made = portfolio.gather(packed(tmp_path / "a.zip", {f"{number}.png": picture(number) for number in range(3)}), say=quiet)
    path = portfolio.save(made)
    assert path.name == "portfolio.json"
    assert portfolio.load(made.folder) == made
    moved = made.folder.rename(tmp_path / "moved")
    again = portfolio.load(moved)
    assert again.folder == moved
    assert all(work.path.is_file() and work.original.is_file() for work in again.works)
    assert again.fingerprint == made.fingerprint


def test_what_is_no_saved_portfolio_is_said(tmp_path):
    with pytest.raises(PortfolioError, match="There is no portfolio in"):
        portfolio.load(tmp_path)
    for text in ("{", "{}", '{"works": [{"path": 1}], "refused": []}', '{"works": [], "refused": [], "who": 1}'):
        (tmp_path / "portfolio.json").write_text(text)
        with pytest.raises(PortfolioError, match="Gather it again"):
            portfolio.load(tmp_path)


def test_names_sort_as_people_count():
    names = ["10", "2", "a10", "a2", "", "²", "x" * 9 + "9" * 5000]
    assert sorted(names, key=intake.natural).index("2") < sorted(names, key=intake.natural).index("10")
    assert sorted(["a10", "a2"], key=intake.natural) == ["a2", "a10"]


def test_sips_never_gulp(tmp_path, monkeypatch):
    monkeypatch.setattr(intake, "ZIP_DIRECTORY", 10)
    (tmp_path / "a").write_bytes(bytes(100))
    with intake._Sips(io.FileIO(tmp_path / "a")) as file:
        assert len(file.read()) == 10
        with pytest.raises(zipfile.BadZipFile):
            file.read(11)
