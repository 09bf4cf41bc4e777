"""A status page: files that any web server can give to all the world. Pure."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment


@dataclass(frozen=True)
class Update:
    at: datetime
    text: str


@dataclass(frozen=True)
class Shown:
    """An incident as all the world may see it. over_at: when it was resolved. next_at: when more is said; late: that has passed.
    updates: the newest first.
    """

    number: str
    severity: str
    state: str
    drill: bool
    began_at: datetime
    over_at: datetime | None
    next_at: datetime | None
    late: bool
    updates: Sequence[Update]


def as_json(shown: Sequence[Shown], now: datetime) -> str:
    """For programs."""
    incidents = [
        {
            "number": one.number,
            "severity": one.severity,
            "state": one.state,
            "drill": one.drill,
            "began_at": _instant(one.began_at),
            "over_at": _instant(one.over_at),
            "next_update_at": _instant(one.next_at),
            "update_late": one.late,
            "updates": [{"at": _instant(update.at), "text": update.text} for update in one.updates],
        }
        for one in shown
    ]
    return json.dumps({"as_of": _instant(now), "incidents": incidents}, indent=1, ensure_ascii=False) + "\n"


def as_html(shown: Sequence[Shown], now: datetime) -> str:
    """For people: on a phone, by day and by night, without anything that would have to be fetched."""
    still = [one for one in shown if one.over_at is None]
    over = [one for one in shown if one.over_at is not None]
    return _PAGE.render(still=still, over=over, now=now)


def _instant(at: datetime | None) -> str | None:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}" if at is not None else None


_PAGE = ImmutableSandboxedEnvironment(
    undefined=StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True
).from_string("""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="color-scheme" content="light dark">
<title>Status</title>
<style>
:root { color-scheme: light dark; --text: #1b1b1f; --soft: #55555f; --back: #fff; --box: #f3f3f6; --bad: #b3261e; --good: #1b6b3a }
@media (prefers-color-scheme: dark) {
  :root { --text: #ececf1; --soft: #a9a9b5; --back: #141417; --box: #212126; --bad: #ff8a80; --good: #7ddc9c }
}
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 42rem; padding: 1rem; font: 1rem/1.5 system-ui, sans-serif; color: var(--text); background: var(--back); overflow-wrap: anywhere }
h1 { font-size: 1.4rem } h2 { font-size: 1.1rem; margin: 0 } .bad { color: var(--bad) } .good { color: var(--good) }
article { background: var(--box); border-radius: .5rem; padding: .8rem 1rem; margin: 1rem 0 }
p { margin: .3rem 0 } ul { list-style: none; margin: .6rem 0 0; padding: 0 } li { margin: .5rem 0 }
time, footer { color: var(--soft); font-size: .875rem }
</style>
</head>
<body>
<main>
{% macro instant(at) %}
<time datetime="{{ at.strftime('%Y-%m-%dT%H:%M:%SZ') }}">{{ at.strftime('%d %b %H:%M') }} UTC</time>
{%- endmacro %}
{% macro incident(one) %}
<article>
<h2>{{ "Drill: " if one.drill }}Incident {{ one.number }}: {{ one.state }}</h2>
<p>{{ one.severity }}, since {{ instant(one.began_at) }}
{%- if one.over_at %}, over {{ instant(one.over_at) }}{% endif %}</p>
{% if one.late %}
<p class="bad">The promised update is late.</p>
{% elif one.next_at %}
<p>Next update by {{ instant(one.next_at) }}</p>
{% endif %}
<ul>
{% for update in one.updates %}
<li>{{ instant(update.at) }}<br>{{ update.text }}</li>
{% endfor %}
</ul>
</article>
{% endmacro %}
{% if still %}
<h1 class="bad">{{ still|length }} open incident{{ "s" if still|length > 1 }}</h1>
{% else %}
<h1 class="good">No open incident</h1>
{% endif %}
{% for one in still %}
{{ incident(one) }}
{%- endfor %}
{% if over %}
<h1>Over in the last 7 days</h1>
{% for one in over %}
{{ incident(one) }}
{%- endfor %}
{% endif %}
</main>
<footer>As of {{ instant(now) }}</footer>
</body>
</html>
""")
