"""A gallery: made once, the same whatever the batch, order, engine and interruption; on a tiny base of the real classes."""

import errno
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import save as tensors_to_bytes

from artlab import drawing, files, gallery, recipe, settings, style
from artlab.bases import load_base, lora
from artlab.gallery import GalleryError, items, local, maker, plan, scores
from artlab.gallery.items import Item
from artlab.gallery.maker import Maker
from artlab.gallery.store import MANIFEST, Claims, Store
from artlab.transfer import TransferError, transfer


@pytest.fixture(scope="module")
def base(tiny_base_folder):
    return load_base(str(tiny_base_folder), device="cpu", precision="fp32")


def teach(base, name="wren", trigger="wrn", value=0.5, **about) -> style.Style:
    """A style with weights that show."""
    lora.attach(base, 2, 2.0, "attention")
    tensors = {key: torch.full_like(part, value) if "lora_up" in key else part for key, part in lora.state(base).items()}
    lora.detach(base)
    card = {"name": name, "trigger": trigger, "base": base.describe() | about}
    return style.save(files.styles() / name, card, {"lora.safetensors": tensors_to_bytes(tensors)})


@pytest.fixture(autouse=True)
def loaded(base, monkeypatch) -> list[str]:
    """The bases that were asked for; the tiny one is handed out, so that no test loads it again."""
    asked: list[str] = []
    monkeypatch.setattr(maker, "load_base", lambda name, **how: asked.append(name) or base)
    return asked


@pytest.fixture
def planned(tiny_base_folder, tmp_path):
    """Write a plan of small pictures on the tiny base; returns its path."""

    def write(**given) -> str:
        path = tmp_path / "plan.yaml"
        small = {"base": str(tiny_base_folder), "sizes": [64], "num_inference_steps": 2, "prompts": ["a fox", "a wren"]}
        path.write_text(yaml.safe_dump(small | given))
        return str(path)

    return write


@pytest.fixture
def make(tmp_path):
    """Run the gallery in this process; what was reported is in `make.heard`."""

    def call(path: str, out: str | Path = "", **changes):
        call.heard = []
        given = {"workers": 0, "scores": False, "devices": ("cpu",), "output_dir": str(out or tmp_path / "out")}
        return gallery.gallery(settings.Gallery(plan=path, **(given | changes)), call.heard.append)

    return call


def contents(out: Path) -> dict[str, bytes]:
    """What a gallery is: its pictures and its manifest."""
    return {path.name: path.read_bytes() for path in [*sorted((out / "pictures").iterdir()), out / MANIFEST]}


def rows(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / MANIFEST).read_text().splitlines()]


def test_everything_is_combined_and_each_picture_carries_its_recipe(make, planned, base, tmp_path):
    teach(base)
    made = make(planned(styles=["none", {"style": "wren", "weights": [0.5, 1]}], count=2))
    out = tmp_path / "out"
    assert (made.made, made.there, len(rows(out))) == (12, 0, 12)
    assert made.path == str(out / "index.html")
    for row in rows(out):
        read = recipe.read(out / row["file"])
        assert read.model_copy(update={"extra": {**read.extra}}).seed == row["recipe"]["seed"]
        assert read.extra.pop("device") == "cpu"
        assert read.model_dump(mode="json") == row["recipe"]
    assert [(row["recipe"]["prompt"], row["recipe"]["seed"]) for row in rows(out)][:4] == [
        ("a fox", 0), ("a fox", 1), ("a fox, by wrn", 0), ("a fox, by wrn", 1),
    ]  # fmt: skip
    assert (out / "sheets" / "sheet-001.jpg").exists()
    assert not list((out / "claims").iterdir())


def test_a_second_run_makes_nothing_and_a_damaged_or_missing_picture_is_made_anew(make, planned, tmp_path, monkeypatch):
    path, out = planned(), tmp_path / "out"
    make(path)
    before = contents(out)
    one, other = sorted((out / "pictures").iterdir())
    one.write_bytes(one.read_bytes()[:-20])
    other.unlink()
    assert make(path).made == 2
    assert contents(out) == before
    monkeypatch.setattr(Maker, "make", lambda *_: pytest.fail("made again"))
    again = make(path)
    assert (again.made, again.there) == (0, 2)


@pytest.mark.parametrize("changes", [{"batch_size": 1}, {"batch_size": 3}, {"limit": 5}], ids=str)
def test_the_bytes_do_not_depend_on_batch_or_order(make, planned, base, tmp_path, changes):
    teach(base)
    path = planned(styles=["wren:0.7", "none"], seeds=[5, 3], count=2)
    make(path, tmp_path / "a", batch_size=8)
    while make(path, tmp_path / "b", **changes).made:
        pass
    assert contents(tmp_path / "b") == contents(tmp_path / "a")


@pytest.mark.parametrize("changes", [{"batch_size": 1}, {"batch_size": 9}, {"limit": 3}], ids=str)
def test_a_plan_in_fours_gives_the_same_bytes_too(make, planned, base, tmp_path, monkeypatch, changes):
    """Fours are filled up, so that a picture never sees another number of rows, whoever its neighbours are."""
    teach(base)
    path = planned(styles=["wren:0.7", "none"], seeds=[5, 3], count=3, prompts=["a fox"], together=4)
    seen, sample = [], base.sample
    monkeypatch.setattr(
        base, "sample", lambda condition, seeds, **given: seen.append(len(seeds)) or sample(condition, seeds, **given)
    )
    make(path, tmp_path / "a", batch_size=8)
    assert seen == [4, 4, 4, 4], "twice six of them"
    while make(path, tmp_path / "b", **changes).made:
        pass
    assert set(seen) == {4}
    assert contents(tmp_path / "b") == contents(tmp_path / "a")
    assert {row["recipe"]["extra"]["together"] for row in rows(tmp_path / "a")} == {4}


def test_switched_adapters_are_those_that_generate_attaches(planned, base):
    first, second = teach(base), teach(base, "ember", "emb", -0.3)
    settled = items.settle(
        plan.read(planned(prompts=["a fox"], styles=[{"wren": 0.5, "ember": 0.25}, "ember", "none"])).requests, "float32"
    )
    switching = Maker("cpu", {settled.items[0].base: [str(one.weights) for one in (first, second)]})
    switched = [switching._sampled(switching._ready(item), [item], lambda index: None)[0].tobytes() for item in settled.items]
    for item, picture in zip(settled.items, switched, strict=True):
        lora.load_styles(base, [(Path(path), weight) for path, weight in item.weights])
        (alone,) = base.sample(
            base.condition([item.recipe.prompt]), [item.recipe.seed], steps=2, guidance=item.recipe.guidance, size=(64, 64)
        )
        lora.detach(base)
        assert alone.tobytes() == picture
    assert len(set(switched)) == 3


def test_a_base_is_loaded_once_and_a_prompt_is_read_once(make, planned, base, loaded, monkeypatch):
    read, real = [], type(base).condition
    monkeypatch.setattr(type(base), "condition", lambda self, texts: read.extend(texts) or real(self, texts))
    make(planned(count=3))
    assert len(loaded) == 1
    assert sorted(read) == ["", "a fox", "a wren"]


def test_an_impossible_row_is_named_and_the_rest_is_made(make, planned, base, tmp_path):
    teach(base)
    teach(base, "old", fingerprint="0123456789abcdef")
    path = planned(styles=["none", "nosuch", "old", "wren:9"], prompts=["a fox", {"prompt": "a wren", "width": 65, "height": 64}])
    with pytest.raises(GalleryError) as caught:
        make(path)
    said = str(caught.value)
    for reason in ("no style “nosuch”", "taught on", "outside -2 to 2", "65x64 does not fit", "1 pictures are there"):
        assert reason in said
    assert len(rows(tmp_path / "out")) == 1
    assert "Not made" in (tmp_path / "out" / "index.html").read_text()


def test_a_plan_without_any_possible_row_says_so_before_it_begins(make, planned):
    with pytest.raises(GalleryError, match=r"no row that can be made.*no style “nosuch”"):
        make(planned(styles=["nosuch"]))


def test_an_error_in_a_batch_is_told_and_the_rest_is_made(make, planned, tmp_path, monkeypatch):
    real = Maker._sampled

    def sampled(self, base, part, on_step):
        if part[0].recipe.prompt == "a fox":
            raise RuntimeError("the kernel is broken")
        return real(self, base, part, on_step)

    monkeypatch.setattr(Maker, "_sampled", sampled)
    with pytest.raises(GalleryError, match=r"“a fox”.*the kernel is broken.*The other 1"):
        make(planned(), batch_size=1)
    assert [row["recipe"]["prompt"] for row in rows(tmp_path / "out")] == ["a wren"]


def test_a_full_disk_pauses_and_the_work_goes_on(make, planned, tmp_path, monkeypatch):
    real, full = Store.write, [2]

    def write(self, name, data):
        if name.startswith("pictures/") and full[0]:
            full[0] -= 1
            raise OSError(errno.ENOSPC, "No space left on device", name)
        real(self, name, data)

    monkeypatch.setattr(Store, "write", write)
    assert make(planned(), patience=0.5).made == 2
    assert sum("disk is full" in heard.message for heard in make.heard) == 2


def test_a_disk_that_stays_full_ends_the_run_and_the_next_one_goes_on(make, planned, tmp_path, monkeypatch):
    def write(self, name, data):
        raise OSError(errno.ENOSPC, "No space left on device", name)

    with monkeypatch.context() as patched:
        patched.setattr(Store, "write", write)
        with pytest.raises(OSError, match="No space"):
            make(planned(), patience=0)
    assert not list((tmp_path / "out" / "claims").iterdir())
    assert make(planned()).made == 2


def test_what_another_run_has_in_hand_is_left_to_it_and_taken_over_when_it_dies(make, planned, tmp_path, monkeypatch):
    path, out = planned(), tmp_path / "out"
    other = Claims(Store(out))
    wanted = items.settle(plan.read(path).requests, "float32").items
    assert all(other.take(item.id) for item in wanted)
    waited = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        other.release(wanted[0].id)  # it gives one up and is gone with the other in hand
        monkeypatch.setattr("artlab.gallery.store._started", lambda pid: "long ago")

    monkeypatch.setattr(gallery.time, "sleep", sleep)
    assert make(path).made == 2
    assert waited


def test_nothing_is_made_that_another_run_made_meanwhile(make, planned, tmp_path, monkeypatch):
    path, real = planned(), Claims.take
    make(path, tmp_path / "theirs")

    def take(self, item):
        for found in (tmp_path / "theirs").rglob("*"):
            if found.is_file() and "claims" not in found.parts:
                files.write(tmp_path / "out" / found.relative_to(tmp_path / "theirs"), found.read_bytes())
        return real(self, item)

    monkeypatch.setattr(Claims, "take", take)
    monkeypatch.setattr(Maker, "make", lambda *_: pytest.fail("made twice"))
    assert make(path).made == 0


def test_memory_that_runs_out_halves_the_batch_and_one_picture_too_much_is_told(planned, monkeypatch):
    wanted = items.settle(plan.read(planned(prompts=["a fox"], count=4)).requests, "float32").items
    sizes, most = [], [2]

    class Card(Maker):
        """A device with room for so many pictures at once."""

        def _ready(self, item):
            return SimpleNamespace(device=torch.device("cuda"))

        def _sampled(self, base, part, on_step):
            sizes.append(len(part))
            return [Image.new("RGB", (64, 64))] * len(part) if len(part) <= most[0] else []

    class Processor(Card):
        def _ready(self, item):
            return SimpleNamespace(device=torch.device("cpu"))

    assert [item.id for item, _ in Card("cuda", {}).make(wanted)] == [item.id for item in wanted]
    assert sizes == [4, 2, 2]
    most[0] = 0
    with pytest.raises(items.ItemError, match="one picture of 64x64 fills the memory"):
        list(Card("cuda", {}).make(wanted[:1]))
    fours = items.settle(plan.read(planned(prompts=["a fox"], count=4, together=4)).requests, "float32").items
    with pytest.raises(items.ItemError, match=r"a batch of 4 pictures of 64x64 fills .* leave out “together”"):
        list(Processor("cpu", {}).make(fours))


def test_a_dry_run_tells_count_time_and_space_and_makes_nothing(make, planned, tmp_path, capsys):
    said = make(planned(count=3), dry_run=True).path
    assert not capsys.readouterr().out  # the command line says it, once
    assert "6 pictures; 0 are there, 6 would be made" in said
    assert "measured just now" in said
    assert "MB" in said
    assert not (tmp_path / "out" / "pictures").exists()


def test_the_memory_file_system_and_the_disk_hold_the_same(make, planned, tmp_path):
    path = planned()
    make(path)
    made = make(path, "memory://gallery-test", archive=True)
    store = Store("memory://gallery-test")
    for name, data in contents(tmp_path / "out").items():
        assert store.read(name if name == MANIFEST else f"pictures/{name}") == data
    assert (made.made, make(path, "memory://gallery-test").made) == (2, 0)
    assert store.read("gallery.zip")[:2] == b"PK"


def test_a_picture_in_a_style_begins_from_a_picture(make, planned, base, tmp_path):
    teach(base)
    Image.linear_gradient("L").convert("RGB").save(tmp_path / "start.png")
    make(planned(method="transfer", pictures=["start.png"], prompts=[""], styles=["wren"], strength=0.5))
    (row,) = rows(tmp_path / "out")
    assert row["recipe"]["method"] == "transfer"
    assert len(row["recipe"]["extra"]["picture"]) == 64
    with pytest.raises(GalleryError, match="a transfer needs a picture"):
        make(planned(method="transfer", prompts=["a fox"]))


def test_devices():
    assert local.devices(("cpu",), 3) == ["cpu"] * 3
    assert local.devices(("cuda:0", "cuda:1"), None) == ["cuda:0", "cuda:1"]
    assert len(local.devices(("auto",), None)) >= 1


def test_ids_are_of_the_recipe_alone(planned, tiny_base_folder):
    def ids(**given) -> list[str]:
        return [item.id for item in items.settle(plan.read(planned(**given)).requests, "float32").items]

    assert ids(seeds=[1, 2]) == ids(seeds=[1], count=2)
    assert sorted(ids(prompts=["a wren", "a fox"])) == sorted(ids())
    assert not set(ids(num_inference_steps=3)) & set(ids())
    assert isinstance(items.settle([], "float32").items, list)
    assert Item.__dataclass_params__.frozen


def test_figures_need_the_works_and_say_what_is_best_by_which(make, planned, base, tmp_path):
    teach(base)
    for number, colour in enumerate(("red", "orange", "yellow", "brown", "pink", "maroon", "navy", "teal", "olive")):
        picture = Image.linear_gradient("L").convert("RGB").resize((96 + 8 * number, 96))
        picture.paste(colour, (0, 0, 48, 48))
        (tmp_path / "works").mkdir(exist_ok=True)
        picture.save(tmp_path / "works" / f"{number}.png")
    path, out = planned(prompts=["a fox"], styles=["wren"], count=2), tmp_path / "out"
    make(path, scores=True)
    assert {name for figures in json.loads((out / "scores.json").read_text()).values() for name in figures} <= {"agreement"}
    make(path, scores=True, works=(f"wren={tmp_path / 'works'}",))
    measured = json.loads((out / "scores.json").read_text())
    assert all({"style", "copy"} <= set(figures) for figures in measured.values())
    wanted = items.settle(plan.read(path).requests, "float32").items
    figures = {wanted[0].id: {"style": 0.9, "copy": 0.5}, wanted[1].id: {"style": 0.4, "copy": 1.5}}
    assert scores.best(wanted, figures, "style") == {wanted[1].recipe.prompt: wanted[1].id}
    with pytest.raises(scores.ScoreError, match="STYLE=PORTFOLIO"):
        make(path, scores=True, works=("wren",))


# -- carried over without a trained style ---------------------------------------------------------------------------------------


@pytest.fixture
def gardens(tmp_path):
    """A picture to carry over, and a folder of two works, beside the plan."""
    (tmp_path / "works").mkdir()
    for number in range(2):
        drawing.draw_work("vask", number, height=64).picture.save(tmp_path / "works" / f"{number}.png")
    drawing.draw_work("solvane", 1, height=96).picture.save(tmp_path / "garden.png")


def test_a_folder_of_pictures_is_carried_into_styles_that_nobody_taught(make, planned, gardens, tmp_path, loaded):
    asked = {"method": "palette", "pictures": ["garden.png"], "prompts": [""], "count": 1}
    path = planned(**asked, styles=["works", {"works": 1, "works/1.png": 0.5}, "drawn:vask:0.5"], sizes=[None, 32])
    made = make(path, archive=True)
    out = tmp_path / "out"
    assert (made.made, loaded) == (6, [])
    sizes, names = set(), set()
    for row in rows(out):
        with Image.open(out / row["file"]) as picture:
            sizes.add(picture.size)
            assert picture.size == (row["recipe"]["width"], row["recipe"]["height"])
        names.add(Path(row["file"]).name.rsplit("-", 2)[0])
        assert row["recipe"]["method"] == "transfer: palette"
        assert row["recipe"]["base"]["name"] == "none"
        assert row["recipe"]["extra"]["strength"] == 1
        assert str(tmp_path) not in json.dumps(row)
    assert {max(size) for size in sizes} == {32, max(max(size) for size in sizes)}
    assert names == {"garden"}
    page = (out / "index.html").read_text()
    assert "works 1 + 1.png 0.5" in page
    assert "drawn:vask 0.5" in page
    before = contents(out)
    victim = sorted((out / "pictures").iterdir())[2]
    victim.write_bytes(victim.read_bytes()[:200])
    assert make(path).made == 1
    assert contents(out) == before


def test_a_carried_picture_is_what_the_verb_makes_and_the_same_with_every_worker(make, planned, gardens, tmp_path):
    path = planned(method="texture", pictures=["garden.png"], prompts=[""], styles=["works"], sizes=[32], seeds=[3])
    make(path, watermark=False)
    (row,) = rows(tmp_path / "out")
    common = {"content": tmp_path / "garden.png", "style": (str(tmp_path / "works"),), "output_dir": tmp_path / "verb"}
    asked = settings.Transfer(**common, size=32, seed=3, device="cpu")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        theirs = transfer(asked, lambda progress: None)
    finally:
        torch.set_num_threads(threads)
    with Image.open(tmp_path / "out" / row["file"]) as ours, Image.open(theirs.path) as other:
        assert ours.tobytes() == other.tobytes()
    make(path, tmp_path / "again", watermark=False, workers=1)
    assert contents(tmp_path / "again") == contents(tmp_path / "out")


def test_attention_carries_over_on_the_plans_base(make, planned, gardens, tmp_path, base, monkeypatch):
    monkeypatch.setattr("artlab.transfer.warm", lambda name, device, precision: base)
    make(planned(method="attention", pictures=["garden.png"], prompts=["a garden"], styles=["works"], sizes=[64]))
    (row,) = rows(tmp_path / "out")
    assert row["recipe"]["base"]["fingerprint"] == base.fingerprint
    assert (row["recipe"]["sampler"], row["recipe"]["steps"]) == ("ddim", 2)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"styles": ["nowhere.png"]}, "There is no style"),
        ({"styles": ["drawn:vaks"]}, "Did you mean vask"),
        ({"styles": ["works:-1"]}, "shares, above 0"),
        ({"styles": ["none"]}, "there is no style"),
        ({"pictures": []}, "needs a picture"),
        ({"pictures": ["nothing.png"]}, "There is no picture"),
        ({"sizes": [5000]}, "up to 4,096"),
    ],
)
def test_what_cannot_be_carried_over_is_named_and_the_rest_is_made(make, planned, gardens, tmp_path, given, reason):
    common = {"method": "palette", "pictures": ["garden.png"], "styles": ["works"], "sizes": [32]}
    with pytest.raises(GalleryError, match=reason):
        make(planned(prompts=[""], parts=[common, common | given]))
    assert len(rows(tmp_path / "out")) == 1


def test_a_picture_that_was_changed_since_the_plan_was_settled_is_not_made(gardens, planned, tmp_path):
    path = planned(method="palette", pictures=["garden.png"], prompts=[""], styles=["works"], sizes=[32])
    (item,) = items.settle(plan.read(path).requests, "float32").items
    Image.new("RGB", (64, 64)).save(tmp_path / "garden.png")
    with pytest.raises(TransferError, match="not the one that the plan was settled with"):
        list(Maker("cpu", {}).make([item]))


def test_the_time_of_carried_pictures_is_foretold(make, planned, gardens):
    common = {"method": "palette", "pictures": ["garden.png"], "prompts": [""], "styles": ["works"], "sizes": [32, 64]}
    path = planned(parts=[{"prompts": ["a fox"]}, common])
    assert "3 would be made" in make(path, dry_run=True).path
    todo = items.settle(plan.read(path).requests, "float32").items
    seconds = gallery.timed(todo, "cpu")
    assert set(seconds) == {item.id for item in todo}
    small, large = (seconds[item.id] for item in todo[1:])
    assert small < large
