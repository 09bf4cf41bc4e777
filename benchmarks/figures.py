"""How figures are written."""


def number(value: float) -> str:
    """With three digits that count, or whole."""
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"
