"""`artlab portfolio check|preview|draw`: look at a portfolio before training. Nothing is changed, nothing deleted."""

import io
from pathlib import Path

from artlab import drawing, files, settings, sources
from artlab.portfolio import Portfolio, PortfolioError, curate, gather
from artlab.portfolio.preview import preview


def look(settings: settings.Portfolio) -> str | Path:
    """The verb: what `check` found, in words, or the path of the contact sheet or of the drawn works. Raises PortfolioError."""
    if settings.action == "draw":
        return _draw(settings)
    portfolio = curate(gather(sources.resolve(settings.source, count=settings.count, seed=settings.seed)))
    if settings.action == "check":
        return describe(portfolio)
    path = settings.output or files.home() / "previews" / f"{files.slug(portfolio.name)}.png"
    stream = io.BytesIO()
    preview(portfolio, settings).save(stream, "PNG")
    files.write(path, stream.getvalue())
    return path


def describe(portfolio: Portfolio) -> str:
    """The works with captions and marks, a line each, and what is to be thought of it all."""
    width = max(len(work.name) for work in portfolio.works)
    lines = []
    for work in portfolio.works:
        lines.append(
            f"{'  ' if work.kept else '× '}{work.name:<{width}}  {work.size[0]}x{work.size[1]}  {work.caption or '(no caption)'}"
        )
        lines += [f"  {'':<{width}}  ! {mark.kind}: {mark.reason}" for mark in work.marks]
    lines += [f"× {refusal.name}: it {refusal.reason}" for refusal in portfolio.refused]
    out = len(portfolio.works) - len(portfolio.kept)
    without = sum(not work.caption for work in portfolio.kept)
    marked = sum(bool(work.marks) for work in portfolio.kept)
    summary = [f"{portfolio.name}: {len(portfolio.kept)} works to learn from, called by “{portfolio.trigger}”"]
    summary += [f"{out} left out"] if out else []
    summary += [f"{len(portfolio.refused)} files refused"] if portfolio.refused else []
    summary += [f"{marked} to look at again (marked !)"] if marked else []
    summary += [f"{without} without a caption"] if without else []
    return "\n".join([*lines, "", "; ".join(summary) + "."])


def _draw(settings: settings.Portfolio) -> Path:
    name = settings.source.removeprefix(sources.DRAWN)
    if name not in drawing.ARTISTS:
        who = f"There is no drawn artist “{name}”" if name else "Name the artist who shall draw"
        raise PortfolioError(f"{who}; there are {', '.join(drawing.ARTISTS)}.")
    if settings.output is None:
        return sources.resolve(sources.DRAWN + name, count=settings.count, seed=settings.seed)
    drawing.draw_portfolio(name, settings.output, count=settings.count, seed=settings.seed)
    return settings.output
