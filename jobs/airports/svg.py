"""Drawing in SVG: no more than the chart of the airports needs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.utils.html import escape

INK, FAINT, ACCENT = "#1f2937", "#6b7280", "#0f766e"
ROW = 20  # pixels from one bar to the next
LABEL = 110  # pixels left of the bars
COUNT = 60  # pixels right of the longest bar


def drawing(width: float, height: float, title: str, *parts: str) -> str:
    """Return a whole SVG document; `title` is read out to those who cannot see it."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="12">\n'
        f"<title>{escape(title)}</title>\n{''.join(parts)}</svg>\n"
    )


def text(x: float, y: float, content: str, *, anchor: str = "start", fill: str = INK) -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" fill="{fill}">{escape(content)}</text>\n'
    )


def heading(x: float, y: float, content: str) -> str:
    return f'<g font-size="15" font-weight="600">{text(x, y, content)}</g>\n'


def bars(
    x: float, y: float, width: float, title: str, rows: Sequence[tuple[str, int]]
) -> tuple[str, float]:
    """Return a block of horizontal bars with (label, count), and the y below it."""
    parts = [heading(x, y + 15, title)]
    scale = (width - LABEL - COUNT) / max([count for _, count in rows], default=1)
    top = y + 28
    for label, count in rows:
        middle, start, length = top + ROW / 2 + 4, x + LABEL, count * scale
        parts += [
            text(start - 8, middle, label, anchor="end", fill=FAINT),
            f'<rect x="{start:g}" y="{top + 3:g}" width="{length:.1f}" height="{ROW - 6}" '
            f'fill="{ACCENT}"/>\n',
            text(start + length + 6, middle, f"{count:,}"),
        ]
        top += ROW
    return "".join(parts), top


def dots(points: Iterable[tuple[float, float]], size: float, opacity: float) -> str:
    """Return round dots, all in one path: lines of no length with round ends."""
    path = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in points)
    return (
        f'<path d="{path}" fill="none" stroke="{ACCENT}" stroke-width="{size:g}" '
        f'stroke-linecap="round" stroke-opacity="{opacity:g}"/>\n'
    )
