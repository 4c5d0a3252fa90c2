"""docs/operations.md says of every hold what the bot itself says of it; `python tests/docs/test_operations_page.py` writes that part anew."""

from pathlib import Path

from autoscaler.core.why import Why
from autoscaler.report.sentences import WORDS

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
BEGIN, END = "sentences.py, and checked by tests/docs/test_operations_page.py -->\n", "<!-- /holds -->"
CALM = {Why.GO, Why.STEADY}


def table() -> str:
    """Every hold, in order of precedence."""
    rows = [
        f"| {'✋ ' if why.needs_a_person else ''}`{why}` | {WORDS[why].meaning} | {WORDS[why].action} |"
        for why in Why
        if why not in CALM
    ]
    return "\n".join(("| hold | what it means | what to do |", "|---|---|---|", *rows)) + "\n"


def test_the_page_says_of_every_hold_what_the_bot_says():
    text = PAGE.read_text()
    assert text[text.index(BEGIN) + len(BEGIN) : text.index(END)] == table()


if __name__ == "__main__":
    text = PAGE.read_text()
    PAGE.write_text(text[: text.index(BEGIN) + len(BEGIN)] + table() + text[text.index(END) :])
