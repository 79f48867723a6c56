"""Whose style lies where a new one is to go: another portfolio's is never replaced without a word."""

from pathlib import Path

from artlab import style
from artlab.portfolio import Portfolio
from artlab.settings import Finetune
from artlab.style import StyleError


def refuse_to_replace(folder: Path, portfolio: Portfolio, settings: Finetune) -> None:
    """Raise StyleError when `folder` holds a style of other works, or files that are no style's; `force` lets it through.

    A portfolio of which half the works were in the style's before is the same one: the artist has added some, or left some out.
    """
    if folder.exists() and not folder.is_dir():
        raise StyleError(f"{folder} is a file; a style is a folder. Give another --output_dir.")
    card = folder / style.CARD
    if settings.force or not folder.is_dir() or not any(folder.iterdir()):
        return
    if not card.exists():
        strangers = sorted(path.name for path in folder.iterdir() if path.name not in (style.WEIGHTS, style.PREVIEW))
        if not strangers:  # a style whose card was not yet written when its training was killed
            return
        raise StyleError(f"{folder} holds other things ({strangers[0]}). Give an --output_dir that is empty or new, or --force.")
    found = style.load(folder)
    data = found.card.get("data", {})
    ids = short_ids(portfolio)
    if data.get("fingerprint") == portfolio.fingerprint or 2 * len(ids & set(data.get("ids", []))) >= len(ids):
        return
    works = data.get("kept", "some")
    raise StyleError(
        f"There is a style “{found.name}” in {folder} already, taught from {works} other works on {found.card.get('created', '?')[:10]}. "
        "Choose another --name, or give --force to replace it."
    )


def short_ids(portfolio: Portfolio) -> set[str]:
    """The kept works by the first letters of their content hashes: enough to know a work again, too little to tell of it."""
    return {work.id[:8] for work in portfolio.kept}
