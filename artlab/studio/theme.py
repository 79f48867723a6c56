"""How the studio looks: Gradio's theme, one style sheet, one script, two typefaces. All of it lies in the package; nothing is fetched.

The page is paper and ink with one warm accent, and the pictures are what is bright. Light or dark follows the system until the
artist chooses; her choice stays in her browser.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from artlab.studio import status

if TYPE_CHECKING:
    from gradio.themes import Base


STATIC = Path(__file__).with_name("static")
WHERE = "/look"
"""Where the page finds the folder `STATIC`."""

# Light, dark. The contrast of every ink on every paper is at least 4.5 to 1; `tests/test_studio_tabs.py` computes it.
COLOURS = {
    "paper": ("#faf8f4", "#171614"),
    "sheet": ("#ffffff", "#201e1b"),
    "ink": ("#1f1c18", "#efeae1"),
    "soft": ("#635c52", "#aba294"),
    "line": ("#e3ddd2", "#38342e"),
    "accent": ("#9c3d1c", "#f2a07b"),
    "on-accent": ("#ffffff", "#2a1208"),
    "good": ("#2f6b3c", "#8fcf9c"),
    "bad": ("#a3222b", "#ff9c98"),
    "warn": ("#7a5200", "#e8bd6a"),
}


# Which of the colours each of Gradio's parts takes.
SAID = {
    "body_background_fill": "paper",
    "body_text_color": "ink",
    "body_text_color_subdued": "soft",
    "background_fill_primary": "sheet",
    "background_fill_secondary": "paper",
    "block_background_fill": "paper",
    "block_label_background_fill": "paper",
    "block_label_text_color": "soft",
    "block_title_text_color": "ink",
    "block_info_text_color": "soft",
    "block_border_color": "line",
    "border_color_primary": "line",
    "border_color_accent": "accent",
    "color_accent_soft": "paper",
    "input_background_fill": "sheet",
    "input_border_color": "line",
    "input_border_color_focus": "accent",
    "input_placeholder_color": "soft",
    "button_primary_background_fill": "accent",
    "button_primary_background_fill_hover": "accent",
    "button_primary_text_color": "on-accent",
    "button_primary_border_color": "accent",
    "button_secondary_background_fill": "sheet",
    "button_secondary_background_fill_hover": "paper",
    "button_secondary_text_color": "ink",
    "button_secondary_border_color": "line",
    "button_cancel_background_fill": "sheet",
    "button_cancel_background_fill_hover": "paper",
    "button_cancel_text_color": "bad",
    "button_cancel_border_color": "line",
    "checkbox_background_color": "sheet",
    "checkbox_background_color_selected": "accent",
    "checkbox_border_color": "soft",
    "checkbox_border_color_selected": "accent",
    "checkbox_label_background_fill": "sheet",
    "checkbox_label_background_fill_selected": "sheet",
    "checkbox_label_text_color": "ink",
    "checkbox_label_text_color_selected": "ink",
    "checkbox_label_border_color": "line",
    "checkbox_label_border_color_selected": "accent",
    "slider_color": "accent",
    "panel_background_fill": "paper",
    "panel_border_color": "line",
    "link_text_color": "accent",
    "link_text_color_hover": "accent",
    "link_text_color_visited": "accent",
    "link_text_color_active": "accent",
    "error_text_color": "bad",
    "error_background_fill": "sheet",
    "error_border_color": "bad",
    "table_even_background_fill": "sheet",
    "table_odd_background_fill": "paper",
    "accordion_text_color": "ink",
}


def theme() -> "Base":
    """Gradio's plain theme in artlab's colours; what a theme cannot say is in `studio.css`."""
    import gradio as gr

    plain = gr.themes.Base(
        primary_hue=gr.themes.colors.orange,
        neutral_hue=gr.themes.colors.stone,
        radius_size=gr.themes.sizes.radius_sm,
        text_size=gr.themes.sizes.text_md,
        spacing_size=gr.themes.sizes.spacing_md,
        font=[gr.themes.Font("Figtree"), gr.themes.Font("system-ui"), gr.themes.Font("sans-serif")],
        font_mono=[gr.themes.Font("ui-monospace"), gr.themes.Font("monospace")],
    )
    coloured = {key: COLOURS[name][0] for key, name in SAID.items()}
    coloured |= {f"{key}_dark": COLOURS[name][1] for key, name in SAID.items()}
    return plain.set(
        **coloured,
        color_accent="var(--accent)",
        block_border_width="0px",
        block_shadow="none",
        block_padding="0px",
        input_border_width="1px",
    )


def css() -> str:
    """The style sheet, the colours first."""
    light, dark = ("".join(f"--{name}:{pair[side]};" for name, pair in COLOURS.items()) for side in (0, 1))
    return f":root{{{light}color-scheme:light}}.dark{{{dark}color-scheme:dark}}\n{(STATIC / 'studio.css').read_text()}"


def head() -> str:
    """What goes into the page's head: the script for what Gradio has no parts for."""
    return f'<link rel="icon" href="data:image/svg+xml,{quote(icon())}"><script src="{WHERE}/studio.js" defer></script>'


def icon() -> str:
    """The studio's mark, an SVG."""
    colour = COLOURS["accent"][0]
    return f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 9 9'><circle cx='4.5' cy='4.5' r='4' fill='{colour}'/></svg>"


def banner() -> tuple[Any, Any]:
    """What stands above the tabs; its places, for `watch`."""
    return status.build()
