"""What jobs and their users wrote, with nothing in it that poses as something else.

Characters that turn the direction of the text beside them, that cannot be seen, or that a terminal
would obey, are shown as JSON writes them.
"""

from __future__ import annotations

CONTROLS = {*range(0x20), *range(0x7F, 0xA0)} - {ord(sign) for sign in "\t\n\r"}
DIRECTIONS = {0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)}
SURROGATES = range(0xD800, 0xE000)  # half a character, which no page can be encoded with
# As JSON writes them, so that JSON with its controls replaced is the same JSON.
LEGIBLE = {code: f"\\u{code:04x}" for code in {*CONTROLS, *DIRECTIONS, *SURROGATES}}
BREAKS = {
    ord("\t"): "\\t",
    ord("\n"): "\\n",
    ord("\r"): "\\r",
    0x2028: "\\u2028",
    0x2029: "\\u2029",
}
IN_ONE_LINE = {**LEGIBLE, **BREAKS}


def legible(value: object) -> str:
    """Return `value` as text that cannot pose as another; None is the empty text.

    >>> legible("a\\x1b[2J\\u202eb")
    'a\\\\u001b[2J\\\\u202eb'
    """
    return "" if value is None else str(value).translate(LEGIBLE)


def in_one_line(value: object) -> str:
    """Return `value` as legible text that has no second line.

    >>> in_one_line("done\\nprogram b is finished")
    'done\\\\nprogram b is finished'
    """
    return "" if value is None else str(value).translate(IN_ONE_LINE)
