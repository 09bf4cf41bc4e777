"""How audiences are told: templates of the operator's, in a sandbox. Pure.

What they may do takes no longer than they are long: there are no loops, calls or arithmetic, and few filters.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from jinja2 import StrictUndefined, Template, TemplateError, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from tocsin.api import Message, did_you_mean, listed
from tocsin_reminders.events import Moment

LONGEST_TEMPLATE = 2000


@dataclass(frozen=True)
class Wording:
    """What is said at each moment, as a template; empty for what is usual."""

    declared: str = ""
    updated: str = ""
    mitigated: str = ""
    all_clear: str = ""
    withdrawn: str = ""
    resolved: str = ""
    closed: str = ""
    late: str = ""
    reopened: str = ""

    def of(self, moment: Moment) -> str:
        found: str = getattr(self, moment)
        return found


_NEXT = "{% if next %} \u00b7 next by {{ next }}{% endif %}"

USUAL = Wording(
    declared=f"{{{{ severity }}}} declared: {{{{ title }}}}{_NEXT}",
    updated=f"{{{{ severity }}}} {{{{ title }}}}: {{{{ text }}}}{_NEXT}",
    mitigated=f"{{{{ severity }}}} {{{{ title }}}}: mitigated, users are hurt no more{_NEXT}",
    all_clear=f"{{{{ severity }}}} {{{{ title }}}}: all clear{{% if text %}}: {{{{ text }}}}{{% endif %}}{_NEXT}",
    withdrawn=f"{{{{ severity }}}} {{{{ title }}}}: not clear after all{{% if text %}}: {{{{ text }}}}{{% endif %}}{_NEXT}",
    resolved="{{ severity }} {{ title }}: it is over",
    closed="{{ severity }} {{ title }}: closed{% if text %}: {{ text }}{% endif %}",
    late="{{ severity }} {{ title }}: the promised update is late; the next one comes as soon as possible",
    reopened=f"{{{{ severity }}}} {{{{ title }}}}: it goes on after all{_NEXT}",
)
"""For people of one's own."""

_PUBLIC_NEXT = "{% if next %} Next update by {{ next }}.{% endif %}"

_PUBLIC_MITIGATED = "You should not notice the problem any more; we are still working on its cause."
_PUBLIC_CLEAR = "Everything works as before; we keep watching it."
_PUBLIC_OVER = "The problem is over."

# What an update says is not told: how it stands by then is, lest somebody read that what is over goes on.
_PUBLIC_UPDATED = (
    "{% if state == 'mitigated' %}"
    f"{_PUBLIC_MITIGATED}"
    "{% elif state == 'all-clear' %}"
    f"{_PUBLIC_CLEAR}"
    "{% elif state in ('resolved', 'closed') %}"
    f"{_PUBLIC_OVER}"
    "{% else %}We are working on it.{% endif %}"
)

PUBLIC = Wording(
    declared=f"We are looking into a problem.{_PUBLIC_NEXT}",
    updated=f"{_PUBLIC_UPDATED}{_PUBLIC_NEXT}",
    mitigated=f"{_PUBLIC_MITIGATED}{_PUBLIC_NEXT}",
    all_clear=f"{_PUBLIC_CLEAR}{_PUBLIC_NEXT}",
    withdrawn=f"The problem is not over after all; we are working on it.{_PUBLIC_NEXT}",
    resolved=_PUBLIC_OVER,
    closed="All that was to be done about it is done.",
    late="The update that we promised is late. The next one comes as soon as possible.",
    reopened=f"The problem is back.{_PUBLIC_NEXT}",
)
"""For all the world: nothing that somebody typed in a hurry, where names of people and hosts may stand."""

FIELDS = ("number", "severity", "title", "state", "text", "next", "link", "drill")

_SAMPLES: tuple[Mapping[str, str | bool], ...] = (
    {
        "number": "42",
        "severity": "sev2",
        "title": "the disks are full",
        "state": "declared",
        "text": "half of them are back",
        "next": "14:30 UTC",
        "link": "https://status.example.org",
        "drill": False,
    },
    {
        "number": "42",
        "severity": "sev1",
        "title": "mail is slow",
        "state": "closed",
        "text": "",
        "next": "",
        "link": "",
        "drill": True,
    },
)

_FILTERS = ("capitalize", "default", "lower", "title", "trim", "truncate", "upper")
_TESTS = ("defined", "equalto", "in", "none", "undefined")

_ALLOWED = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Const,
    nodes.If,
    nodes.CondExpr,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Concat,
    nodes.Filter,
    nodes.Test,
    nodes.Keyword,
    nodes.Tuple,
    nodes.List,
)

_SANDBOX = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)


def problems(template: str) -> Iterator[str]:
    """What is wrong with a template, in words for whoever wrote it."""
    if len(template) > LONGEST_TEMPLATE:
        yield f"is longer than {LONGEST_TEMPLATE:,} characters"
        return
    try:
        parsed = _SANDBOX.parse(template)
    except TemplateError as error:
        yield f"can't be read: {error}"
        return
    # What is forbidden first: to look for names, jinja2 works out what is constant, which may take for ever.
    wrong = list(_forbidden(parsed)) or list(_unknown(parsed))
    yield from wrong
    if wrong:
        return
    for sample in _SAMPLES:
        try:
            _compiled(template).render(sample)
        except (TemplateError, TypeError, ValueError) as error:
            yield f"fails with a sample: {error}"
            return


def _unknown(parsed: nodes.Template) -> Iterator[str]:
    for name in sorted(meta.find_undeclared_variables(parsed) - {*FIELDS}):
        yield f"nothing is called {name!r}{did_you_mean(name, FIELDS) or f'; there is {listed(FIELDS)}'}"


def _forbidden(parsed: nodes.Template) -> Iterator[str]:
    for node in parsed.find_all(nodes.Node):
        if isinstance(node, nodes.Filter) and node.name not in _FILTERS:
            yield f"the filter {node.name!r} can't be used here; there is {listed(_FILTERS)}"
        elif isinstance(node, nodes.Test) and node.name not in _TESTS:
            yield f"the test {node.name!r} can't be used here; there is {listed(_TESTS)}"
        elif not isinstance(node, _ALLOWED):
            yield f"line {node.lineno}: {type(node).__name__.lower()} can't be used here: only fields, if and filters"


def rendered(template: str, values: Mapping[str, str | bool]) -> str:
    """A text in one line that hides nothing. template: one without problems."""
    return Message(_compiled(template).render(values)).text


@lru_cache(maxsize=256)
def _compiled(template: str) -> Template:
    return _SANDBOX.from_string(template)
