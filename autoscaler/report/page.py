"""A backtest as one HTML page that needs nothing else: words, tables and the chart."""

from collections.abc import Sequence
from html import escape

from autoscaler.core.backtest import Backtest, Difference
from autoscaler.report import backtests
from autoscaler.report.charts import chart
from autoscaler.report.tables import Table
from autoscaler.report.text import one_line

_STYLE = """
body { margin: 2rem auto; max-width: 62rem; padding: 0 1rem; color: #1f2933; background: #fff; line-height: 1.5;
  font-family: system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
p.open { border-left: 4px solid #d97706; padding: .4rem .8rem; background: #fffbeb; }
table { border-collapse: collapse; font-size: .85rem; width: 100%; }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #e4e7eb; vertical-align: top; }
th { color: #52606d; font-weight: 600; }
td:first-child { white-space: nowrap; font-variant-numeric: tabular-nums; }
svg { width: 100%; height: auto; }
pre { white-space: pre-wrap; font-size: .8rem; color: #52606d; }
"""


def page(done: Sequence[Backtest], found: Sequence[Difference] = ()) -> str:
    """One policy, or two side by side with the times at which they differ."""
    title = "Backtest: " + " and ".join(one_line(one.name) for one in done)
    parts = [f"<h1>{escape(title)}</h1>", f'<p class="open">{escape(backtests.OPEN_LOOP)}</p>']
    parts.append(_table(backtests.summary(done), ""))
    if len(done) == 2:
        pair = (done[0], done[1])
        parts.append("<h2>Where they differ</h2>")
        parts.append(_table(backtests.differing(pair, found), "They ran the same tiers all along."))
    for one in done:
        parts += _one(one)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def _one(done: Backtest) -> list[str]:
    remarks = "\n".join(backtests.remarks(done))
    return [
        f"<h2>{escape(one_line(done.name))}</h2>",
        f"<p>{escape(backtests.headline(done))}</p>",
        *([f"<pre>{escape(remarks)}</pre>"] if remarks else []),
        chart(done),
        "<h2>Changes</h2>",
        _table(backtests.changes(done), "It would have changed nothing."),
        "<h2>Verdicts</h2>",
        _table(backtests.verdicts(done), ""),
    ]


def _table(table: Table, empty: str) -> str:
    if not table.rows:
        return f"<p>{escape(empty)}</p>"
    head = "".join(f"<th>{escape(cell)}</th>" for cell in table.headers)
    rows = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
