"""The files of the page hang together, and ask nothing of the outside."""

import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest
from page_server import PAGE

SCRIPTS = sorted(PAGE.rglob("*.js"))
VOID = {"meta", "link", "img", "input", "br"}


class Document(HTMLParser):
    """Which elements a page has; complains of what is not closed, or closed and not open."""

    def __init__(self, text):
        super().__init__()
        self.elements, self._open = [], []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self._open += [] if tag in VOID else [tag]

    def handle_endtag(self, tag):
        assert self._open and self._open.pop() == tag, (tag, self.getpos())


@pytest.fixture(scope="module")
def document():
    return Document((PAGE / "index.html").read_text())


def test_every_id_that_is_spoken_of_is_there_once(document):
    ids = [attributes["id"] for _, attributes in document.elements if "id" in attributes]
    assert len(ids) == len(set(ids)) > 10
    asked = re.findall(r'\$\("([\w-]+)"\)', (PAGE / "main.js").read_text())
    named = [a[key] for _, a in document.elements for key in ("aria-labelledby", "for", "aria-controls") if key in a]
    anchors = [a["href"][1:] for _, a in document.elements if a.get("href", "").startswith("#") and len(a["href"]) > 1]
    assert set(asked) | set(named) | set(anchors) <= set(ids) and asked


def test_nothing_comes_from_elsewhere(document):
    for _, attributes in document.elements:
        for name in ("src", "href"):
            assert name not in attributes or attributes[name].startswith("#") or (PAGE / attributes[name]).is_file()
        assert not any(name.startswith("on") or name == "style" for name in attributes)  # the policy forbids them
    for path in [path for path in PAGE.rglob("*") if path.suffix in (".html", ".js", ".css", ".svg")]:
        addresses = re.findall(r"(?:https?:)?//[\w-]+\.\w[\w./-]*", path.read_text())
        assert set(addresses) <= {"http://www.w3.org/2000/svg"}, path


def test_modules_import_what_others_export():
    assert len(SCRIPTS) > 15
    for path in SCRIPTS:
        imports = re.findall(r'^import (?:\{([^}]*)\}|\* as \w+) from "([^"]+)";', path.read_text(), re.MULTILINE)
        assert len(imports) == len(re.findall(r"^import ", path.read_text(), re.MULTILINE)), path
        for names, target in imports:
            other = (path.parent / target).resolve().read_text()
            for name in filter(None, re.split(r"[\s,]+", names)):
                assert re.search(rf"^export (?:async )?(?:function|class|const) {name}\b", other, re.MULTILINE), name


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node, an optional tool: apt-get install nodejs")
def test_syntax():
    parse = "process.argv.slice(1).forEach(p => new vm.SourceTextModule(fs.readFileSync(p, 'utf8'), {identifier: p}))"
    checked = subprocess.run(
        ["node", "--no-warnings", "--experimental-vm-modules", "-e", parse, *SCRIPTS], capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stderr
