"""The table: one line for each figure, aligned for a terminal and valid as Markdown."""


def number(value):
    """Three significant digits, and no more than that pretends to."""
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if size < 10 else f"{value:.1f}"


def cell(stats, ratio, failures):
    """median (min..max) ratio, and how many runs failed."""
    words = []
    if stats:
        words.append(number(stats["median"]))
        if stats["rounds"] > 1:
            words.append(f'({number(stats["min"])}..{number(stats["max"])})')
        if ratio is not None:
            digits = 0 if ratio >= 9.95 else 1 if ratio >= 1.95 else 2
            words.append(f"{ratio:.{digits}f}x")
    if failures:
        words.append(f"{len(failures)} failed")
    return " ".join(words)


def render(header, rows):
    """Lines of text. `rows` hold as many strings as `header`."""
    widths = [max(len(row[i]) for row in [header] + rows) for i in range(len(header))]

    def line(row):
        return "| " + " | ".join(text.ljust(w) for text, w in zip(row, widths)) + " |"

    return [line(header), "|" + "|".join("-" * (w + 2) for w in widths) + "|"] + [
        line(row) for row in rows]
