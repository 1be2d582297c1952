"""What your own images show: a file tags.txt beside them, one line an image.

anna.jpg: glasses, hair=red
sub/ben.png: hair=black, smile
"""

import sys
from pathlib import Path

from kgan.errors import UsageError

FILE = "tags.txt"
NAMED = 5  # broken lines are named one by one up to here, then only counted


def read(root: Path, names: list[str], strict: bool) -> list[dict] | None:
    """Return the tags of each of these images, e.g. {"glasses": True, "hair": "red"}; None where there is no tags.txt.

    A line is the image's path within the folder, a colon, and tags with commas between them, each a word or phrase, or
    name=value. An image without a line has no tags; a line that is not so is named and skipped.

    Args:
        root: the folder.
        names: paths of images within it, with "/".
        strict: refuse a line that is not so.

    Raises:
        UsageError: for such a line (strict), or a file that is no UTF-8 text.
    """
    path = root / FILE
    if not path.is_file():
        return None
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text ({error.reason}): save it as UTF-8.") from None
    found, broken = {}, 0
    for number, line in enumerate(lines, 1):
        name, colon, words = line.partition(":")
        tags = [tuple(part.strip() for part in word.split("=", 1)) for word in words.split(",") if word.strip()]
        if not line.strip() or line.startswith("#"):
            continue
        if not colon or not name.strip() or any("" in tag for tag in tags):
            sentence = f"line {number} of {path} is {line[:60]!r}, not like 'anna.jpg: glasses, hair=red'"
            if strict:
                raise UsageError(f"{sentence}: mend or remove it, or go without strict.")
            broken += 1
            if broken <= NAMED:
                print(f"skipped: {sentence}.", file=sys.stderr)
            continue
        found[name.strip()] = {tag[0]: tag[1] if len(tag) == 2 else True for tag in tags}
    if broken > NAMED:
        print(f"skipped {broken} lines of {path} in all.", file=sys.stderr)
    return [found.get(name, {}) for name in names]
