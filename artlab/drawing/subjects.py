"""What can be drawn: a name, the hand that draws it, its English, and where it is at home."""

from collections.abc import Callable
from functools import partial

from numpy.random import Generator

from artlab.drawing import subjects_beasts as beasts
from artlab.drawing import subjects_birds as birds
from artlab.drawing import subjects_buildings as buildings
from artlab.drawing import subjects_flowers as flowers
from artlab.drawing import subjects_nature as nature
from artlab.drawing import subjects_people as people
from artlab.drawing import subjects_small as small
from artlab.drawing import subjects_things as things
from artlab.drawing import subjects_trees as trees
from artlab.drawing import subjects_vehicles as vehicles
from artlab.drawing.scene import Shape
from artlab.drawing.shapes import boxed, mirrored

Draw = Callable[[Generator], list[Shape]]

_DRAW: dict[str, Draw] = {
    "sun": nature.sun, "moon": nature.moon, "star": nature.a_star, "cloud": nature.cloud, "mountain": nature.mountain,
    "volcano": nature.volcano, "tree": trees.tree, "pine": trees.pine, "palm": trees.palm, "birch": trees.birch,
    "forest": trees.forest, "flower": flowers.flower, "tulip": flowers.tulip, "sunflower": flowers.sunflower,
    "rose": flowers.rose, "mushroom": flowers.mushroom, "leaf": trees.leaf, "cactus": trees.cactus, "house": buildings.house,
    "cottage": buildings.cottage, "castle": buildings.castle, "tower": buildings.tower, "church": buildings.church,
    "windmill": buildings.windmill, "lighthouse": buildings.lighthouse, "bridge": buildings.bridge, "city": buildings.city,
    "tent": buildings.tent, "boat": vehicles.boat, "ship": vehicles.ship, "car": vehicles.car, "train": vehicles.train,
    "balloon": vehicles.balloon, "umbrella": things.umbrella, "lamp": things.lamp, "vase": things.vase, "cup": things.cup,
    "teapot": things.teapot, "chair": things.chair, "bottle": things.bottle, "apple": things.apple, "pear": things.pear,
    "candle": things.candle, "guitar": things.guitar, "person": people.figure, "dancer": people.dancer, "face": people.face,
    "angel": people.angel, "bird": birds.bird, "swallow": birds.swallow, "owl": birds.owl, "swan": birds.swan,
    "duck": birds.duck, "penguin": birds.penguin, "rooster": birds.rooster, "cat": beasts.cat, "dog": beasts.dog,
    "fox": beasts.fox, "rabbit": beasts.rabbit, "horse": beasts.horse, "deer": beasts.deer, "bear": beasts.bear,
    "elephant": beasts.elephant, "hedgehog": beasts.hedgehog, "fish": small.fish, "whale": small.whale,
    "butterfly": small.butterfly, "snail": small.snail, "turtle": small.turtle,
}  # fmt: skip

SKY = frozenset({"sun", "moon", "star", "cloud", "balloon", "swallow", "butterfly", "angel"})
WATER = frozenset({"boat", "ship", "swan", "fish", "whale"})
INDOOR = frozenset({"vase", "cup", "teapot", "bottle", "apple", "pear", "candle", "lamp", "chair", "guitar"})
GROUND = frozenset(_DRAW) - SKY - WATER - INDOOR - {"leaf", "face", "umbrella"}

NOUNS = {"pine": "pine tree", "palm": "palm tree", "birch": "birch tree", "boat": "sailing boat", "ship": "sailing ship",
         "balloon": "hot-air balloon"}  # fmt: skip
PLURALS = {"person": "people", "fish": "fish", "deer": "deer", "city": "cities", "church": "churches", "fox": "foxes",
           "leaf": "leaves", "cactus": "cacti", "butterfly": "butterflies", "volcano": "volcanoes"}  # fmt: skip
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def draw(name: str, rng: Generator) -> tuple[Shape, ...]:
    """One drawing of the named subject in the unit box: standing on y = 1, or centred if it belongs to the sky."""
    facing_right = rng.random() < 0.5
    shapes = boxed((s for s in _DRAW[name](rng) if len(s.outline) > 2), standing=name not in SKY and name not in {"leaf", "face"})
    return mirrored(shapes) if facing_right else shapes


SUBJECTS: dict[str, Callable[[Generator], tuple[Shape, ...]]] = {name: partial(draw, name) for name in _DRAW}


def article(words: str) -> str:
    """The words with "a" or "an" before them."""
    return f"{'an' if words[0].lower() in 'aeiou' else 'a'} {words}"


def noun(name: str) -> str:
    """What a caption calls one of them: `pine` -> "pine tree"."""
    return NOUNS.get(name, name)


def plural(name: str) -> str:
    """What a caption calls several of them: `fox` -> "foxes"."""
    return PLURALS.get(name) or noun(name) + "s"


def counted(name: str, count: int = 1) -> str:
    """The subject with its number: "an owl", "three birds"."""
    return article(noun(name)) if count == 1 else f"{NUMBERS[count] if count < len(NUMBERS) else count} {plural(name)}"
