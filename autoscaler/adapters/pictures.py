"""An SVG as PNG, for channels that show no SVG. It draws with the font that is shipped here: a server has none of its own."""

from pathlib import Path

_FONTS = tuple(str(Path(__file__).parent / "fonts" / name) for name in ("Inter-Regular.ttf", "Inter-SemiBold.ttf"))


def png(svg: str) -> bytes:
    """The picture, as large as it says itself; the same bytes on every machine of a kind. Some 30 ms of the processor."""
    import resvg_py  # noqa: PLC0415 - who sends no pictures has no need of its megabytes

    return resvg_py.svg_to_bytes(
        svg_string=svg,
        skip_system_fonts=True,
        font_files=list(_FONTS),
        font_family="Inter",
        serif_family="Inter",  # the last resort, whatever family is asked for
        sans_serif_family="Inter",
        monospace_family="Inter",
    )
