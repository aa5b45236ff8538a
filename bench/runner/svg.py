"""The picture: small multiples of horizontal bars, one panel for each figure of a workload."""

from xml.sax.saxutils import escape

PANEL_WIDTH, COLUMNS = 380, 3
MARGIN, GAP = 24, 18
BAR, BAR_GAP = 20, 9
LABEL_WIDTH, VALUE_WIDTH = 80, 60
HEAD, FOOT = 46, 22

COLOURS = {"weft": "#2563a8", "weft shared": "#7da7d3", "go": "#9aa5b1", "tokio": "#b7a892"}
OTHER = "#c5c9ce"
TARGET, TEXT, FAINT = "#c2410c", "#1f2933", "#6b7682"
PAPER = "#fbfbfa"


def _text(x, y, content, size=12, colour=TEXT, anchor="start", weight="normal"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" '
            f'text-anchor="{anchor}" font-weight="{weight}" paint-order="stroke" '
            f'stroke="{PAPER}" stroke-width="3">{escape(content)}</text>')


def _line(x1, y1, x2, y2, colour, width=1.0, dash=""):
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
            f'stroke-width="{width}"{dashed}/>')


def _panel_height(bars):
    return HEAD + bars * (BAR + BAR_GAP) + FOOT


def _panel(x, y, figure, number):
    """One figure: `bars` is a list of (program, statistics or None when it failed)."""
    bars = figure["bars"]
    out = [_text(x, y + 14, figure["title"], 13, weight="600"),
           _text(x, y + 30, f'{figure["label"]}, {figure["unit"]} · {figure["better"]} is better',
                 11, FAINT)]
    top = y + HEAD
    left = x + LABEL_WIDTH
    room = PANEL_WIDTH - LABEL_WIDTH - VALUE_WIDTH
    measured = [s["max"] for _, s in bars if s]
    limit = figure["limit"]
    # The scale belongs to the panel, and starts at zero.
    full = max(measured + ([limit] if limit else []) + [1e-9])
    scale = room / full

    values = []  # Drawn last, so that no line crosses them.
    for i, (program, stats) in enumerate(bars):
        bar_top = top + i * (BAR + BAR_GAP)
        middle = bar_top + BAR / 2
        weight = "600" if program == "weft" else "normal"
        out.append(_text(left - 8, middle + 4, program, 12, anchor="end", weight=weight))
        if stats is None:
            values.append(_text(left + 4, middle + 4, "failed", 12, TARGET))
            continue
        width = max(stats["median"] * scale, 1.0)
        out.append(f'<rect x="{left:.1f}" y="{bar_top:.1f}" width="{width:.1f}" height="{BAR}" '
                   f'rx="2" fill="{COLOURS.get(program, OTHER)}"/>')
        low, high = left + stats["min"] * scale, left + stats["max"] * scale
        if high > low:
            out.append(_line(low, middle, high, middle, TEXT, 1.2))
            out += [_line(end, middle - 3, end, middle + 3, TEXT, 1.2) for end in (low, high)]
        values.append(_text(max(left + width, high) + 6, middle + 4, number(stats["median"]), 12,
                            weight=weight))

    bottom = top + len(bars) * (BAR + BAR_GAP) - BAR_GAP + 4
    out.append(_line(left, top - 4, left, bottom, FAINT))
    if limit:
        at = left + limit * scale
        out.append(_line(at, top - 4, at, bottom, TARGET, 1.4, "4 3"))
        anchor = "end" if at > left + room * 0.8 else "start" if at < left + 40 else "middle"
        words = figure["target"].replace("<=", "\u2264").replace(">=", "\u2265")
        out.append(_text(at, bottom + 13, f"target {words}", 10.5, TARGET, anchor))
    return out + values


def draw(figures, caption, number):
    """The whole picture as text. `number` writes a value; `caption` is a list of lines."""
    rows = [figures[i:i + COLUMNS] for i in range(0, len(figures), COLUMNS)]
    width = 2 * MARGIN + COLUMNS * PANEL_WIDTH + (COLUMNS - 1) * GAP
    body, y = [], MARGIN + 40 + 16 * len(caption)
    for row in rows:
        for i, figure in enumerate(row):
            body += _panel(MARGIN + i * (PANEL_WIDTH + GAP), y, figure, number)
        y += max(_panel_height(len(f["bars"])) for f in row) + GAP
    head = [_text(MARGIN, MARGIN + 14, "weft beside its peers", 18, weight="600")]
    head += [_text(MARGIN, MARGIN + 34 + 16 * i, line, 11.5, FAINT)
             for i, line in enumerate(caption)]
    return "\n".join(
        [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {y:.0f}" width="{width}" '
         f'height="{y:.0f}" font-family="Helvetica, Arial, sans-serif">',
         f'<rect width="100%" height="100%" fill="{PAPER}"/>'] + head + body + ["</svg>", ""])
