"""What is answered to who looks at a button, or presses it: a line of text, or a page with nothing but that."""

import html
from base64 import b64encode
from datetime import timedelta
from hashlib import sha256

from aiohttp import web

_STYLE = (
    "body{font:1.2rem sans-serif;margin:2rem auto;max-width:30rem;padding:0 1rem}"
    "button{font:inherit;width:100%;padding:1.2rem;border-radius:.5rem}"
)
_HEADERS = {
    "Server": "tocsin",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
    "Content-Security-Policy": (
        "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
        f"style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}'"
    ),
}


def page(status: int, text: str, *, button: bool = False, plain: bool = False) -> web.Response:
    """A page that says this, or has a button with it, which posts to where the page is. plain: the line alone."""
    if plain and not button:
        return web.Response(status=status, text=f"{text}\n", headers=_HEADERS)
    shown = html.escape(text)
    inner = f'<form method="post"><button>{shown}</button></form>' if button else f"<p>{shown}</p>"
    text = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Tocsin</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{_STYLE}</style><body>{inner}</body></html>\n"
    )
    return web.Response(status=status, text=text, content_type="text/html", headers=_HEADERS)


def put_off(status: int, why: str, wait: timedelta) -> web.Response:
    """A line that asks to come again, after so long at the earliest."""
    answer = page(status, why, plain=True)
    answer.headers["Retry-After"] = str(wait.seconds)
    return answer
