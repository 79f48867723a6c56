"""The pages in front of the studio: log in, make an account. Plain HTML with real forms, so that password managers understand them."""

from html import escape

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · artlab</title><link rel="icon" href="data:,"><style>{css}</style></head>
<body><main><p class="mark" aria-hidden="true">artlab</p><h1>{title}</h1>{lead}{problem}{form}</main></body></html>"""

_CSS = """
@font-face{font-family:Figtree;src:url(ROOT/look/fonts/figtree-latin-wght-normal.woff2) format("woff2");font-weight:300 900;font-display:swap}
@font-face{font-family:Newsreader;src:url(ROOT/look/fonts/newsreader-latin-wght-normal.woff2) format("woff2");font-weight:200 800;font-display:swap}
:root{color-scheme:light dark;--paper:#faf8f4;--sheet:#fff;--ink:#1f1c18;--soft:#635c52;--line:#8d8478;--accent:#9c3d1c;--on:#fff;--bad:#a3222b}
@media(prefers-color-scheme:dark){:root{--paper:#171614;--sheet:#201e1b;--ink:#efeae1;--soft:#aba294;--line:#7d7568;--accent:#f2a07b;--on:#2a1208;--bad:#ff9c98}}
*{box-sizing:border-box}body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.5rem;background:var(--paper);color:var(--ink);
font:1.0625rem/1.5 Figtree,system-ui,sans-serif}main{width:100%;max-width:24rem}
.mark{font:italic 500 1.25rem Newsreader,Georgia,serif;color:var(--accent);margin:0 0 2.5rem}
h1{font:500 2.1rem/1.15 Newsreader,Georgia,serif;letter-spacing:-.01em;margin:0 0 .6rem}p{margin:0 0 1.6rem;color:var(--soft)}
label{display:block;font-weight:500;margin:0 0 1.1rem}input{display:block;width:100%;margin-top:.35rem;padding:.7rem .8rem;font:inherit;color:inherit;
background:var(--sheet);border:1px solid var(--line);border-radius:6px}small{display:block;font-weight:400;color:var(--soft);margin-top:.3rem}
button{width:100%;padding:.8rem;font:inherit;font-weight:600;color:var(--on);background:var(--accent);border:0;border-radius:6px;cursor:pointer}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}a{color:var(--accent)}.after{margin:1.4rem 0 0}
.problem{color:var(--bad);border-left:3px solid var(--bad);padding-left:.8rem}
"""


def login_page(root: str = "", *, problem: str = "", name: str = "", may_register: bool = True) -> str:
    """The page that asks for name and password."""
    after = f'<p class="after">New here? <a href="{root}/register">Make an account</a></p>' if may_register else ""
    form = (
        f'<form method="post" action="{root}/login">'
        f'<label>Name<input name="name" value="{escape(name, quote=True)}" autocomplete="username" maxlength="60" required autofocus></label>'
        '<label>Password<input name="password" type="password" autocomplete="current-password" maxlength="256" required></label>'
        f"<button>Log in</button></form>{after}"
    )
    return _page(root, "Welcome back", "", problem, form)


def register_page(root: str = "", *, problem: str = "", name: str = "", first: bool = False, code: str = "") -> str:
    """The page that makes an account; the first one on a new studio is told what it is."""
    lead = (
        "This studio is new. Its first account is yours, and you keep the studio."
        if first
        else "Your works, styles and pictures are seen by you alone."
    )
    hidden = f'<input type="hidden" name="code" value="{escape(code, quote=True)}">' if code else ""
    after = "" if first else f'<p class="after">You have one? <a href="{root}/login">Log in</a></p>'
    form = (
        f'<form method="post" action="{root}/register">{hidden}'
        f'<label>Name<input name="name" value="{escape(name, quote=True)}" autocomplete="username" maxlength="60" required autofocus></label>'
        '<label>Password<input name="password" type="password" autocomplete="new-password" minlength="10" maxlength="256" required>'
        "<small>At least 10 letters; four random words do well.</small></label>"
        f"<button>Make my account</button></form>{after}"
    )
    return _page(root, "Make your account", f"<p>{lead}</p>", problem, form)


def message_page(root: str, title: str, sentence: str) -> str:
    """A page with one sentence and the way back."""
    return _page(root, title, f"<p>{escape(sentence)}</p>", "", f'<p class="after"><a href="{root}/">Back to the studio</a></p>')


def _page(root: str, title: str, lead: str, problem: str, form: str) -> str:
    told = f'<p class="problem" role="alert">{escape(problem)}</p>' if problem else ""
    return _PAGE.format(title=escape(title), css=_CSS.replace("ROOT", root), lead=lead, problem=told, form=form)
