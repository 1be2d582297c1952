"""`python -m kgan`: the apps, one line each."""

import ast
from pathlib import Path


def apps() -> dict[str, str]:
    """Each app's name and the first line of its docstring, read without importing it."""
    folder = Path(__file__).parent.parent / "apps"
    scripts = sorted(path for path in folder.glob("*.py") if not path.name.startswith("_"))
    return {path.stem: ast.get_docstring(ast.parse(path.read_text(encoding="utf8"))).split("\n")[0] for path in scripts}


if __name__ == "__main__":
    listed = apps()
    width = max(map(len, listed))
    for name, summary in listed.items():
        print(f"  python -m apps.{name:<{width}}  {summary}")
    print("\nEach has train, sample, evaluate and export; --help tells the rest.")
