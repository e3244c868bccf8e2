#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""terminal.py: a terminal's contents, as `tmux capture-pane -p -e` gives them, as a page of HTML."""
import html
import re
import sys

COLOURS = ["#15161e", "#f7768e", "#9ece6a", "#e0af68", "#7aa2f7", "#bb9af7", "#7dcfff", "#c0caf5",
           "#565f89", "#ff899d", "#b4e17f", "#f2c97d", "#94b6ff", "#cdb4ff", "#a3dcff", "#ffffff"]
PLAIN = {"color": "#c0caf5", "background": "#15161e"}


def change(style, codes):
    """What SGR `codes` (of one escape sequence) make of `style`."""
    style = dict(style)
    for code in (int(code or 0) for code in codes.split(";")):
        if code == 0:
            style = {}
        elif code == 1:
            style["font-weight"] = "bold"
        elif code == 2:
            style["opacity"] = ".65"
        elif code == 4:
            style["text-decoration"] = "underline"
        elif code == 7:
            style["color"], style["background"] = PLAIN["background"], PLAIN["color"]
        elif code in range(30, 38) or code in range(90, 98):
            style["color"] = COLOURS[code - 30 if code < 90 else code - 82]
        elif code in range(40, 48):
            style["background"] = COLOURS[code - 40]
        elif code in (22, 24, 27, 39, 49):
            for key in {22: ("font-weight", "opacity"), 24: ("text-decoration",),
                        27: ("color", "background"), 39: ("color",), 49: ("background",)}[code]:
                style.pop(key, None)
    return style


def page(text):
    out, style = [], {}
    for part in re.split(r"(\x1b\[[0-9;]*m)", text):
        sequence = re.fullmatch(r"\x1b\[([0-9;]*)m", part)
        if sequence:
            style = change(style, sequence[1])
        elif part:
            css = ";".join(f"{key}:{value}" for key, value in style.items())
            out.append(f'<span style="{css}">{html.escape(part)}</span>')
    return (f'<!DOCTYPE html><meta charset="utf-8"><body style="margin:0;background:{PLAIN["background"]}">'
            f'<pre style="margin:0;padding:12px;color:{PLAIN["color"]};'
            f'font:13.5px/1.35 DejaVu Sans Mono,monospace">{"".join(out)}</pre>')


print(page(sys.stdin.read()))
