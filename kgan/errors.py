"""How kgan tells a person that something they gave cannot work."""

import difflib
from collections.abc import Iterable, Mapping
from typing import TypeVar

T = TypeVar("T")


class UsageError(ValueError):
    """A mistake that the user can mend: one sentence with the value, what was expected and the fix.

    The apps print the sentence and exit with status 2; as a library it is an ordinary ValueError.
    """


def lookup(kind: str, name: str, table: Mapping[str, T]) -> T:
    """Return ``table[name]``, or raise a UsageError that lists the names nearest to ``name``.

    Args:
        kind: what is being looked up, for the sentence, e.g. ``"objective"``.
        name: what the person typed.
        table: the known names and what they stand for.
    """
    if name in table:
        return table[name]
    raise UsageError(f"unknown {kind} {name!r}: {suggestion(name, table)}.")


def suggestion(name: str, known: Iterable[str]) -> str:
    """Say which of the ``known`` names are near ``name``, or all of them when none is."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if near:
        return "did you mean " + " or ".join(repr(n) for n in near) + f"? (all: {', '.join(known)})"
    return f"choose one of {', '.join(known)}"
