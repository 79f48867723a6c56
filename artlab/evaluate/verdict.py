"""The verdict: three plain sentences for the artist. Every one is derived from the figures, and says so when they do not suffice."""

from typing import Any

NOUNS = {"palette": "your palette", "brushwork": "your brushwork", "form": "your forms", "motifs": "your motifs"}
WELL, BEGUN = 0.4, 0.1


def verdict(numbers: dict[str, Any]) -> list[str]:
    """What was learned, what was copied, whether the prompts are still followed."""
    said = [learned(numbers), copied(numbers), follows(numbers)]
    if numbers["subject"]["kind"] == "style":
        return said
    return [
        sentence.replace("the bare base", "the control") for sentence in said
    ]  # a folder's pictures are compared with another folder's


def learned(numbers: dict[str, Any]) -> str:
    """The first sentence: how far towards the works, aspect by aspect, and what the critic says."""
    measured = [way for way in numbers["ways"] if "value" in way]
    well = [way for way in measured if way["value"] >= WELL and way["interval"][0] > BEGUN]
    some = [way for way in measured if way not in well and way["value"] >= BEGUN and way["interval"][0] > 0]
    critic = _critic(numbers)
    if not numbers["ways"]:
        return _without_control(numbers) + critic
    if not measured:
        return f"Whether it learned your voice cannot be said: {numbers['ways'][0]['refused'].rstrip('.')}{critic}"
    if well:
        rest = f", and has begun to learn {_and(some)}" if some else ""
        return f"It learned {_and(well)} ({_shares(well)} of the way from the bare base to your works){rest}{critic}"
    if some:
        return f"It has begun to learn {_and(some)} ({_shares(some)} of the way from the bare base to your works), and no more yet{critic}"
    return f"It has not learned your voice: its pictures lie about as far from your works as the bare base's{critic}"


def copied(numbers: dict[str, Any]) -> str:
    """The second sentence: how many pictures repeat a work, against what chance gives."""
    copying = numbers["copying"]
    if "refused" in copying:
        return f"Whether it copies cannot be said: {copying['refused']}"
    one = copying["sets"]["style"]
    share = f"{one['flagged']} of {one['n']} pictures"
    if one["surely"]:
        return f"Careful, it copies: {share} lie nearer to one of your works than a new work of yours would; look at the pairs below before you show them."
    if one["flagged"]:
        return f"It copied nothing that chance does not explain: {share} lie unusually near to one of your works; look at the pairs below."
    return f"It copied nothing that we can see: none of the {one['n']} pictures lies nearer to one of your works than a new work of yours would."


def follows(numbers: dict[str, Any]) -> str:
    """The third sentence: the prompts, and from which step on they are forgotten."""
    kept, curve = numbers["prompts"], numbers.get("curve") or {}
    if "refused" in kept:
        said = f"Whether it follows your prompts cannot be said: {kept['refused'].rstrip('.')}"
    elif kept["interval"][1] < 0.5:
        said = f"It has forgotten the prompts: of what the bare base painted as asked, {_percent(kept['value'])} is left"
    elif kept["interval"][0] >= 0.5:
        more = kept["value"] > 1
        said = "It follows your prompts " + (
            "as well as the bare base" if more else f"nearly as the bare base does ({_percent(kept['value'])} is kept)"
        )
    else:
        low, high = kept["interval"]
        said = (
            f"It still follows your prompts, though how well is not sure ({_percent(low)} to {_percent(high)} of the bare base's)"
        )
    if not curve.get("chosen"):
        return said + "."
    if curve.get("forgets_from") is not None:
        return f"{said}; from step {curve['forgets_from']} on it forgets them, so step {curve['chosen']} is the one to keep."
    if curve.get("copies_from") is not None:
        return f"{said}; from step {curve['copies_from']} on it repeats your works, so step {curve['chosen']} is the one to keep."
    return f"{said}; of the checkpoints, step {curve['chosen']} is the one to keep."


def _critic(numbers: dict[str, Any]) -> str:
    critic = numbers["critic"]
    if "refused" in critic or "style" not in critic.get("says", {}):
        return "."
    mine, base = critic["says"]["style"], critic["says"].get("base")
    said = f"; the critic takes {mine['hers']} of its {mine['n']} pictures for yours"
    return said + (f", and {base['hers']} of the base's {base['n']}." if base else ".")


def _without_control(numbers: dict[str, Any]) -> str:
    row: dict[str, Any] = next((row for row in numbers["fidelity"] if row["figure"] == "style similarity"), {})
    if "value" not in row:
        return "Whether it learned your voice cannot be said without pictures to compare with"
    if row["z"] < 1.645:
        return f"Its hand and palette cannot be told from yours (style similarity {row['value']:.2f})"
    return (
        f"Its hand and palette can still be told from yours (style similarity {row['value']:.2f}, by chance {row['null'][0]:.2f})"
    )


def _and(found: list[dict[str, Any]]) -> str:
    words = [NOUNS[way["aspect"]] for way in found]
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def _shares(found: list[dict[str, Any]]) -> str:
    shares = [_percent(min(1.0, way["value"])) for way in found]
    return shares[0] if len(set(shares)) == 1 else ", ".join(shares[:-1]) + " and " + shares[-1]


def _percent(share: float) -> str:
    return f"{max(0.0, share):.0%}".replace("%", " %")
