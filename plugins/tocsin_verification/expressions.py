"""What an alert's own expression says: which metric it watches, and from where on that is bad. Pure.

A check that watches the wrong thing is worse than none: whatever can't be taken apart for sure is left, with the reason.
"""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import promql_parser as promql

from tocsin.api import Series, TocsinError
from tocsin_verification.judge.verdict import Direction

LONGEST = 1500
MOST_SIGNS = 200
"""In characters, and so many of them signs: the parser takes four times as long for what is twice as deep, and all else
waits for it; 30 ms for the worst of these.
"""

_SIGNS = "+-*/%^<>=!("

_ABOVE = {">": True, ">=": True, "<": False, "<=": False}
_TURNED = {">": "<", ">=": "<=", "<": ">", "<=": ">=", "==": "==", "!=": "!="}
_SETS = ("and", "or", "unless")
_SOME = ("topk", "bottomk", "limitk", "limit_ratio", "count_values")
_ABSENCE = ("absent", "absent_over_time")
_PARTS = ("expr", "lhs", "rhs", "param", "vector_selector")
_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_FOLDS: Mapping[str, Callable[[float, float], float]] = {
    "+": lambda one, other: one + other,
    "-": lambda one, other: one - other,
    "*": lambda one, other: one * other,
    "/": lambda one, other: one / other,
    "^": lambda one, other: one**other,
}


class Unfit(TocsinError):
    """No check can be made of it; the text says why, as the end of a sentence about the alert's expression."""


@dataclass(frozen=True)
class Own:
    """What an alert watches. expression: without its comparison. threshold: the number that it compares with, and above:
    whether it fires above that; None where it fires at a value, or at any other.
    """

    expression: str
    threshold: float | None
    above: bool
    direction: Direction


def take_apart(expression: str) -> Own:
    """What an alert with this expression watches. Raises Unfit."""
    text = expression.strip()
    if not text or len(text) > LONGEST or sum(map(text.count, _SIGNS)) > MOST_SIGNS:
        raise Unfit("is too long to be read" if text else "is not known")
    tree = _parsed(text)
    text, tree = _inside(text, tree)
    tree, sign = _comparison(tree)
    right, left = _constant(tree.rhs), _constant(tree.lhs)
    if right is not None:
        # A number holds no such sign, so the last one is the comparison's; and below the first.
        watched, threshold, cut = tree.lhs, right, text.rpartition(sign)[0].strip()
    elif left is not None:
        watched, threshold, cut = tree.rhs, left, text.partition(sign)[2].strip()
        sign = _TURNED[sign]
    else:
        raise Unfit("compares two metrics with one another, and not one with a number")
    cut, watched = _inside(cut, watched)
    if not _is(cut, watched):
        raise Unfit("can't be taken apart")
    _check(watched, sign)
    if sign not in _ABOVE:
        return Own(cut, None, above=True, direction=Direction.BOTH)
    above = _ABOVE[sign]
    return Own(cut, threshold, above, Direction.HIGH if above else Direction.LOW)


@lru_cache(maxsize=256)
def compared(expression: str) -> str:
    """What an expression compares with a number, for which it gives data only while the number is passed; empty if that can't
    be told for sure.
    """
    try:
        return take_apart(expression).expression
    except Unfit:
        return ""


def choose(found: Sequence[Series], labels: Mapping[str, str]) -> Series:
    """Which of the series is the alert's: the only one of which no label differs from the alert's. Raises Unfit."""
    fitting = [
        one
        for one in found
        if all(labels[name] == value for name, value in one.labels.items() if name in labels)
    ]
    if not found:
        raise Unfit("gives nothing now")
    if len(fitting) != 1:
        raise Unfit(f"gives {len(found)} series now, and {len(fitting) or 'none'} of them may be the alert's")
    return fitting[0]


def narrowed(expression: str, chosen: Series, found: Sequence[Series]) -> str:
    """An expression that gives this one alone of the series that were found: of many no more than that is read.

    Raises Unfit where its labels don't tell it from the others.
    """
    labels = {
        name: value
        for name, value in sorted(chosen.labels.items())
        if name != "__name__" and _LABEL.fullmatch(name)
    }
    if sum(all(one.labels.get(name) == labels[name] for name in labels) for one in found) != 1:
        raise Unfit(f"gives {len(found)} series now, and the alert's can't be told from the others")
    one = "vector(1)"
    for name, value in labels.items():
        one = f'label_replace({one}, "{name}", {_quoted(value.replace("$", "$$"))}, "{name}", "")'
    return f"({expression}) and on ({', '.join(labels)}) {one}"


def _comparison(tree: promql.Expr) -> tuple[promql.BinaryExpr, str]:
    """The comparison that it is, and its sign. Raises Unfit."""
    sign = str(tree.op) if isinstance(tree, promql.BinaryExpr) else ""
    if sign in _SETS:
        raise Unfit(f"has two conditions ({sign}), and which of them is the trouble can't be told")
    if isinstance(tree, promql.Call) and tree.func.name in _ABSENCE:
        raise Unfit("fires when something is missing, which has no value to look at")
    if not isinstance(tree, promql.BinaryExpr) or sign not in _TURNED:
        raise Unfit("compares with no number")
    if tree.modifier is not None and tree.modifier.return_bool:
        raise Unfit("says `bool`, so that it fires whatever the number is")
    return tree, sign


def _parsed(text: str) -> promql.Expr:
    """Raises Unfit."""
    try:
        tree: promql.Expr = promql.parse(text)
        str(tree)  # it is compared by this, which may go too deep
    except (ValueError, RecursionError):
        raise Unfit("can't be read") from None
    except BaseException as error:
        # A fault of the parser, such as of `offset Inf`, is none of Python's exceptions.
        if type(error).__name__ != "PanicException":
            raise
        raise Unfit("can't be read") from None
    return tree


def _is(text: str, tree: promql.Expr) -> bool:
    try:
        return str(_parsed(text)) == str(tree)
    except Unfit:
        return False


def _inside(text: str, tree: promql.Expr) -> tuple[str, promql.Expr]:
    """What stands inside of all parentheses that are around it, which nobody needs to read."""
    while isinstance(tree, promql.ParenExpr):
        text, tree = text.strip().removeprefix("(").removesuffix(")").strip(), tree.expr
    return text, tree


def _constant(tree: promql.Expr) -> float | None:
    """The number that it is, if it is one whatever is measured. Raises Unfit for one that nothing can be compared with."""
    try:
        value = _folded(tree)
    except (ArithmeticError, ValueError):
        raise Unfit("compares with what is no number") from None
    if value is not None and not math.isfinite(value):
        raise Unfit("compares with what is no number")
    return value


def _folded(tree: promql.Expr) -> float | None:
    match tree:
        case promql.NumberLiteral():
            return tree.val
        case promql.ParenExpr():
            return _folded(tree.expr)
        case promql.UnaryExpr():
            inner = _folded(tree.expr)
            return None if inner is None else -inner
        case promql.BinaryExpr() if str(tree.op) in _FOLDS:
            one, other = _folded(tree.lhs), _folded(tree.rhs)
            if one is None or other is None:
                return None
            value = _FOLDS[str(tree.op)](one, other)
            return value if isinstance(value, float) else math.nan  # of a negative base it may be complex
        case _:
            return None


def _check(tree: promql.Expr, sign: str) -> None:
    """Raise Unfit if its values say something else over a stretch of time than at an instant, or are there only at times."""
    if isinstance(tree, promql.VectorSelector) and (tree.name or "").endswith("_total") and sign in _ABOVE:
        raise Unfit("compares a counter, which only grows")
    for one in _all(tree):
        match one:
            case promql.BinaryExpr() if str(one.op) in _TURNED and not (
                one.modifier and one.modifier.return_bool
            ):
                raise Unfit(
                    f"has another comparison inside ({one.op}), so that it has no value while all is well"
                )
            case promql.BinaryExpr() if str(one.op) in ("and", "unless"):
                raise Unfit(
                    f"has a condition inside ({one.op}), so that it may have no value while all is well"
                )
            case promql.AggregateExpr() if str(one.op) in _SOME:
                raise Unfit(f"picks some of its series ({one.op}), now these and now others")
            case promql.Call() if one.func.name in _ABSENCE:
                raise Unfit("looks for what is missing, which has no value to look at")
            case promql.VectorSelector() if _of_alerts(one):
                raise Unfit("looks at alerts, which are not there while all is well")
            case promql.VectorSelector() | promql.SubqueryExpr() if one.at is not None:
                raise Unfit("looks at a fixed time (@)")
            case _:
                pass


def _of_alerts(selector: promql.VectorSelector) -> bool:
    names = [selector.name, *(one.value for one in selector.matchers.matchers if one.name == "__name__")]
    return any(name in ("ALERTS", "ALERTS_FOR_STATE") for name in names)


def _all(tree: promql.Expr) -> Iterator[promql.Expr]:
    """The expression and all that it is made of. The parser's own walk takes minutes for what it reads in no time."""
    waiting: list[Any] = [tree]
    while waiting:
        one = waiting.pop()
        if isinstance(one, promql.Expr):
            yield one
            waiting += [getattr(one, name, None) for name in _PARTS]
            waiting += getattr(one, "args", ())


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
