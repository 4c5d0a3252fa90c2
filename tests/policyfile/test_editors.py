"""The schema in the real YAML language server: what an editor completes, shows and marks."""

from pathlib import Path

import pytest

from tests.support.language_server import command, editing
from tests.support.policy_texts import SOUND, edited

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(
    command() is None,
    reason="no yaml-language-server: `npm install yaml-language-server` in a folder and name it in YAML_LANGUAGE_SERVER",
)


@pytest.fixture
async def editor(tmp_path: Path):
    async with editing(ROOT / "docs" / "policy.schema.json", tmp_path) as editor:
        yield editor


async def test_sound_policies_have_no_mark(editor):
    assert await editor.diagnostics(SOUND) == []
    for path in (ROOT / "policies" / "holisticos.yaml", ROOT / "policies" / "demo.yaml"):
        text = path.read_text(encoding="utf-8").replace("# yaml-language-server:", "# here it is the editor's setting:")
        assert await editor.diagnostics(text) == []


async def test_mistakes_are_marked_at_their_places(editor):
    text = edited(("mode: act", "mode: akt"), ("plan: starter", "plan: tiny"), ("400MB for 30m", "400MB since 30m"))
    found = await editor.diagnostics(text)
    assert [mark.split(" ")[0] for mark in found] == ["2:7", "9:11", "13:11"]
    assert '"observe", "ask", "act"' in found[0]
    assert found[2].endswith("such as 'avg_response_time > 8s for 1h'.")


async def test_a_misspelled_key_is_marked(editor):
    (mark,) = await editor.diagnostics(edited(("mode: act", "mood: act")))
    assert mark == "2:1 Property mood is not allowed."


@pytest.mark.parametrize(
    ("word", "shown"),
    (
        ("mode:", "How far the bot may go."),
        ("url:", "The address of the scaling health endpoint"),
        ("plan: starter", "Render's instance type."),
        ("scale_up:", "What sends this tier up."),
        ("all:", "All of these must hold."),
        ("memory_usage > 400MB", "metric, comparison, bound with its unit, window"),
    ),
)
async def test_hover_explains_a_key(editor, word: str, shown: str):
    assert shown in (await editor.hover(SOUND, word)).replace("&nbsp;", " ").replace("\\", "")


async def test_hover_shows_examples(editor):
    assert "memory_percent > 95% for 2m" in (
        await editor.hover(SOUND + "emergency: {any: [oom_kills >= 2 within 10m]}\n", "emergency")
    ).replace("\\", "").replace("&gt;", ">")


async def test_keys_are_completed(editor):
    offered = await editor.completions(SOUND + "|")
    assert {"mode", "emergency", "alerts", "guards", "approval", "verify", "notify", "evidence"} - {"mode"} <= set(
        offered
    )
    assert "tiers" not in offered


async def test_keys_of_a_section_are_completed(editor):
    assert set(await editor.completions(SOUND + "guards:\n  |")) >= {
        "cooldown",
        "max_changes",
        "headroom",
        "budget",
        "not_during",
    }


async def test_values_are_completed(editor):
    assert set(await editor.completions(edited(("mode: act", "mode: |")))) >= {"observe", "ask", "act"}
    assert {"starter", "standard", "pro_plus"} <= set(await editor.completions(edited(("plan: starter", "plan: |"))))


async def test_conditions_are_completed_by_metric(editor):
    offered = await editor.completions(edited(("        - memory_usage > 400MB for 30m", "        - |")))
    assert "avg_response_time > ${1:8s} for ${2:1h}" in offered["avg_response_time"]
    assert "oom_kills >= ${1:3} within ${2:24h}" in offered["oom_kills"]
