"""The page at `/`: its files hang together, and in headless Chromium every panel asks and shows what it should."""

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pytest
from chromium import BROWSER, Page
from page_server import MODELS, PAGE, answered, serving
from PIL import Image

SCRIPTS = sorted(PAGE.rglob("*.js"))
VOID = {"meta", "link", "img", "input", "br"}
in_chromium = pytest.mark.skipif(BROWSER is None, reason="needs Chromium, an optional tool: apt-get install chromium")


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


# What follows is seen in a browser.

ASKED = "!document.getElementById('request').hidden"
ALERT = "document.getElementById('alert').hidden ? '' : document.getElementById('alert').textContent"
PIXELS = """(canvas => [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data])
            (document.querySelector({selector}))"""


@pytest.fixture(scope="module")
def browser():
    with Page() as page:
        yield page


@pytest.fixture
def page(browser):
    browser.look()
    browser.problems.clear()
    yield browser
    browser.open("about:blank#left")
    assert browser.problems == []


@pytest.fixture
def served():
    with serving() as (url, state):
        yield url, state


def put(page, selector, value, event="input"):
    """Give a control a value, as somebody would."""
    page.run(
        f"(control => {{ control.value = {json.dumps(value)}; control.dispatchEvent(new Event({json.dumps(event)}, "
        f"{{bubbles: true}})); }})(document.querySelector({json.dumps(selector)}))"
    )


def click(page, text):
    page.run(f"[...document.querySelectorAll('button')].find(b => b.textContent === {json.dumps(text)}).click()")


def tabs(page):
    return page.run("[...document.querySelectorAll('[role=tab]')].map(tab => tab.textContent)")


PANELS = {
    "captions": ["Type a caption", "Every signature"],
    "codes": ["Walk through codes", "Every signature"],
    "editor": ["Paint on a photo", "Walk through codes", "Every signature"],
    "tags": ["Change attributes", "Walk through codes", "Every signature"],
    "autoencoder": ["Draw, and see it come back", "Walk through codes", "Every signature"],
    "poems": ["Write sentences", "Every signature"],
    "others": ["Every signature"],
}


@in_chromium
def test_every_model_gets_its_panels(page, served):
    url, _ = served
    page.look(width=360)
    assert PANELS.keys() == MODELS.keys()
    for name, titles in PANELS.items():
        page.open(f"{url}#{name}")
        page.wait(f"document.querySelector('#about h1')?.textContent === '{name}'")
        assert tabs(page) == titles
        for i in range(len(titles)):
            page.run(f"document.querySelectorAll('[role=tab]')[{i}].click()")
            page.wait(f"document.querySelectorAll('[role=tab]')[{i}].ariaSelected === 'true'")
            if titles[i] not in ("Every signature", "Draw, and see it come back"):
                page.wait(ASKED)
            assert page.run(ALERT) == ""
            assert page.run("document.documentElement.scrollWidth") <= 360, (name, titles[i])
            nameless = """[...document.querySelectorAll('button, input, select, textarea, canvas.large, audio')]
                .filter(e => !(e.textContent.trim() || e.labels?.length || e.ariaLabel)).map(e => e.outerHTML)"""
            assert page.run(nameless) == []
    listed = page.run("[...document.querySelectorAll('nav a')].map(link => link.textContent)")
    assert len(listed) == len(MODELS)
    assert "image generation" in listed[0] and "digits 16 × 16 · distance 17.9 · CC0" in listed[0]


@in_chromium
def test_a_dragged_slider_shows_the_newest_and_queues_nothing(page, served):
    url, state = served
    page.open(f"{url}#codes")
    page.wait("document.querySelectorAll('.pick').length === 12")
    page.wait("performance.getEntriesByType('resource').filter(e => e.name.endsWith(':predict')).length >= 4")
    state["requests"].clear()
    state["gate"].clear()
    for i in range(30):
        put(page, ".sliders input", i / 30)
    page.wait("document.getElementById('panel').ariaBusy === 'true'")
    assert len(state["requests"]) <= 1  # in flight
    shown = page.run(PIXELS.format(selector="'canvas.large'"))
    state["gate"].set()
    page.wait(f"String({PIXELS.format(selector=repr('canvas.large'))}) !== {json.dumps(','.join(map(str, shown)))}")
    page.wait("document.getElementById('panel').ariaBusy !== 'true'")
    assert len(state["requests"]) == 2
    (_, last) = state["requests"][-1]
    image = np.array(answered(MODELS["codes"][0]["decode"]["outputs"]["images"], last["inputs"], 0))[0]
    seen = np.array(page.run(PIXELS.format(selector="'canvas.large'"))).reshape(16, 16, 4)
    np.testing.assert_array_equal(seen[..., :3], image)
    code = np.array(last["inputs"]["latents"][0])
    assert code.shape == (8,) and np.isfinite(code).all()


@in_chromium
def test_walking_without_motion_arrives_at_once(page, served):
    url, state = served
    page.look(prefers_reduced_motion="reduce")
    page.open(f"{url}#codes")
    page.wait("document.querySelectorAll('.pick').length === 12")
    sheet = next(body["inputs"]["latents"] for _, body in state["requests"] if len(body["inputs"]["latents"]) == 12)
    state["requests"].clear()
    page.run("document.querySelectorAll('.pick')[3].click()")
    page.wait("document.querySelector('.walk input').value === '1'")
    page.wait("document.getElementById('panel').ariaBusy !== 'true'")
    single = [body["inputs"]["latents"][0] for _, body in state["requests"] if len(body["inputs"]["latents"]) == 1]
    assert len(single) <= 2
    np.testing.assert_allclose(single[-1], sheet[3], atol=1e-3)


@in_chromium
def test_captions_are_drawn_as_they_are_typed_or_clicked(page, served):
    url, state = served
    page.open(f"{url}#captions")
    page.wait(ASKED)
    put(page, "#panel input", "red hair")
    page.run("document.querySelector('#panel input').setSelectionRange(1, 1)")
    click(page, "blue")
    page.wait("document.querySelector('canvas.large').ariaLabel === 'What is drawn for: blue hair'")
    assert state["requests"][-1] == (
        "captions",
        {"signature_name": "generate", "inputs": {"captions": ["blue hair"], "seed": 0}},
    )


@in_chromium
def test_painting_by_keys_and_by_mouse(page, served):
    url, state = served
    page.open(f"{url}#editor")
    page.wait(ASKED)
    put(page, "#panel input[type=color]", "#10f020")
    put(page, ".tools input[type=range]", 1)
    page.run("document.querySelector('canvas.paint').focus()")
    page.press("ArrowLeft", "ArrowUp", " ", "ArrowRight", "ArrowRight", " ")
    page.wait("document.getElementById('panel').ariaBusy !== 'true'")

    def painted():
        return np.array(state["requests"][-1][1]["inputs"]["constraints"])[0]

    wanted = np.zeros([16, 16, 4])
    wanted[7, [7, 9]] = [0x10, 0xF0, 0x20, 255]
    np.testing.assert_array_equal(painted(), wanted)
    page.press("z")
    page.wait("document.getElementById('panel').ariaBusy !== 'true'")
    wanted[7, 9] = 0
    np.testing.assert_array_equal(painted(), wanted)
    before = np.array(state["requests"][-1][1]["inputs"]["images"])
    page.drag("canvas.paint", (1.5 / 16, 0.5 / 16), (5.5 / 16, 0.5 / 16))
    page.wait("document.getElementById('panel').ariaBusy !== 'true'")
    wanted[0, 1:6] = [0x10, 0xF0, 0x20, 255]
    np.testing.assert_array_equal(painted(), wanted)
    np.testing.assert_array_equal(np.array(state["requests"][-1][1]["inputs"]["images"]), before)  # the photo's own


@in_chromium
def test_a_photo_is_cropped_to_the_middle_and_no_photo_is_refused(page, served, tmp_path):
    url, state = served
    page.open(f"{url}#editor")
    page.wait(ASKED)
    photo = np.zeros([16, 48, 3], np.uint8)
    photo[:, 16:32] = np.random.default_rng(1).integers(0, 256, [16, 16, 3])
    Image.fromarray(photo).save(tmp_path / "photo.png")
    (tmp_path / "notes.txt").write_text("no photo")
    page.choose("#panel input[type=file]", tmp_path / "photo.png")
    red, green, blue = photo[0, 16]
    page.wait(f"String({PIXELS.format(selector=repr('canvas.paint'))}.slice(0, 3)) === '{red},{green},{blue}'")
    page.wait("document.getElementById('panel').ariaBusy !== 'true'")
    np.testing.assert_array_equal(state["requests"][-1][1]["inputs"]["images"][0], photo[:, 16:32])
    page.choose("#panel input[type=file]", tmp_path / "notes.txt")
    page.wait(ALERT)
    assert page.run(ALERT) == "notes.txt cannot be read as an image: choose a PNG, JPEG or WebP file."


@in_chromium
def test_attributes_add_up_along_their_directions(page, served):
    url, state = served
    page.open(f"{url}#tags")
    page.wait(ASKED)
    outputs = MODELS["tags"][0]["directions"]["outputs"]
    directions = np.array(answered(outputs["plain"], {"tags": ["hair=red", "glasses"]}, 0))
    start = np.array(state["requests"][-1][1]["inputs"]["latents"][0])
    for i, strength in enumerate([1.5, -0.5]):
        page.run(f"document.querySelectorAll('.sliders input')[{i}].id = 'strength{i}'")
        put(page, f"#strength{i}", strength)
    page.wait("document.getElementById('panel').ariaBusy !== 'true'")
    moved = np.array(state["requests"][-1][1]["inputs"]["latents"][0])
    np.testing.assert_allclose(moved - start, 1.5 * directions[0] - 0.5 * directions[1], atol=2e-4)


@in_chromium
def test_what_is_drawn_is_encoded_and_its_code_can_be_turned(page, served):
    url, state = served
    page.open(f"{url}#autoencoder")
    page.wait("document.querySelector('canvas.paint') !== null")
    put(page, ".tools input[type=range]", 1)
    page.run("document.querySelector('canvas.paint').focus()")
    page.press(" ")
    page.wait(ASKED + " && document.getElementById('took').textContent.startsWith('decode')")
    drawn = np.zeros([16, 16, 3])
    drawn[8, 8] = 255
    (encoded,) = (body["inputs"]["images"] for _, body in state["requests"] if body["signature_name"] == "encode")
    np.testing.assert_array_equal(encoded[0], drawn)
    put(page, ".sliders input", 2)
    page.wait("document.getElementById('panel').ariaBusy !== 'true'")
    before, after = (np.array(body["inputs"]["latents"][0]) for _, body in state["requests"][-2:])
    np.testing.assert_allclose(after[0], 2)
    np.testing.assert_array_equal(before[1:], after[1:])


@in_chromium
def test_sentences_between_two_that_somebody_types(page, served):
    url, state = served
    page.open(f"{url}#poems")
    page.wait("document.querySelectorAll('.texts li').length === 16")
    put(page, "#panel input[type=text]", "it's “new”", "change")
    page.wait("document.getElementById('panel').ariaBusy !== 'true'")
    encode, decode = (body for _, body in state["requests"][-2:])
    ends = np.array(answered(MODELS["poems"][0]["encode"]["outputs"]["latents"], encode["inputs"], 0))
    assert encode["inputs"]["sentences"][0] == "it's “new”"
    np.testing.assert_allclose(np.array(decode["inputs"]["latents"])[[0, -1]], ends, atol=1e-4)


@in_chromium
def test_a_form_for_any_signature(page, served):
    url, state = served
    page.open(f"{url}#others")
    page.wait("document.querySelector('#panel textarea') !== null")
    put(page, "#panel textarea", "hello\n\n世界 'n' $HOME `x` \\")
    page.run("document.querySelector('#panel form').requestSubmit()")
    page.wait("document.querySelectorAll('audio').length === 2")
    assert state["requests"][-1][1]["inputs"] == {"texts": ["hello", "世界 'n' $HOME `x` \\"]}
    page.wait("[...document.querySelectorAll('audio')].every(audio => audio.duration === 2000 / 16000)")
    put(page, "#panel select", "act", "change")
    put(page, "#panel textarea", "[[[1, 2, 3], [4, 5, 6]")
    page.run("document.querySelector('#panel form').requestSubmit()")
    page.wait(ALERT)
    assert page.run(ALERT).startswith("observation is not JSON: ")
    put(page, "#panel textarea", "[[[1, 2, 3], [4, 5, 6]]]")
    page.run("document.querySelector('#panel form').requestSubmit()")
    page.wait("document.querySelectorAll('#panel td').length === 1")
    assert page.run(ALERT) == ""
    assert state["requests"][-1][1] == {
        "signature_name": "act",
        "inputs": {"observation": [[[1, 2, 3], [4, 5, 6]]], "greedy": False},
    }


@in_chromium
@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl: apt-get install curl")
@pytest.mark.parametrize("model", ["captions", "editor"])
def test_the_curl_asks_the_same(page, served, model):
    url, state = served
    page.open(f"{url}#{model}")
    page.wait(ASKED)
    if model == "captions":
        put(page, "#panel input", """it's "red" $HOME `ls` \\ 'n' 世界 !!""")
        page.wait("document.getElementById('curl').textContent.includes('世界')")
    command = page.run("document.getElementById('curl').textContent")
    assert ("<<'EOF'" in command) == (model == "editor")  # too long for one word of a command
    asked = state["requests"][-1]
    for shell in ("bash", "sh"):
        subprocess.run([shell, "-c", command], check=True, capture_output=True)
        assert state["requests"][-1] == asked
    assert re.search(r"answered in \d+(\.\d)? ms", page.run("document.getElementById('took').textContent"))


@in_chromium
def test_errors_are_told_and_forgotten(page, served):
    url, state = served
    page.open(f"{url}#captions")
    page.wait(ASKED)
    state["error"] = "the model is <b>busy</b>: try again"
    put(page, "#panel input", "x")
    page.wait(ALERT)
    assert page.run(ALERT) == state["error"]
    assert page.run("document.getElementById('alert').getAttribute('role')") == "alert"
    state["error"] = None
    put(page, "#panel input", "y")
    page.wait(f"!({ALERT})")
    assert any("400" in problem for problem in page.problems)  # Chromium's own note of it
    page.problems.clear()


@in_chromium
def test_no_model_then_one_then_no_server(page, served):
    url, state = served
    state["models"].clear()
    page.open(url)
    page.wait("!document.getElementById('welcome').hidden")
    assert "python -m apps.image_generation train" in page.run("document.getElementById('welcome').textContent")
    state["models"]["late"] = MODELS["codes"]
    page.wait("document.querySelector('#about h1')?.textContent === 'late' && " + ASKED)
    assert page.run("document.getElementById('welcome').hidden")
    page.run("window.fetch = () => Promise.reject(new TypeError('gone'))")
    click(page, "New start")
    page.wait(ALERT)
    assert page.run(ALERT) == f"The server at {url[:-1]} does not answer: is python -m kgan.serving still running?"


@in_chromium
def test_numbers_that_json_does_not_have(page, served):
    url, _ = served
    page.open(url)
    text = json.dumps({"outputs": [1.5, float("nan"), -float("inf"), 'NaN of "Infinity" \\']})
    parsed = page.run(f"import('./server.js').then(server => server.parse({json.dumps(text)}))")
    assert parsed == {"outputs": [1.5, None, None, 'NaN of "Infinity" \\']}
    assert page.run("import('./server.js').then(server => server.parse('<html>'))") is None


@in_chromium
def test_directions_are_the_strongest(page, served):
    url, _ = served
    page.open(url)
    rows = np.random.default_rng(3).normal(size=(6, 40)) * np.array([9, 1, 5, 1, 0.5, 3])[:, None]
    given = f"{json.dumps(rows.tolist())}.map(row => Float32Array.from(row))"
    found = page.run(f"import('./maths.js').then(maths => maths.strongest({given}, 2))")
    left, values, _ = np.linalg.svd(rows)
    assert values[1] > 1.2 * values[2]
    np.testing.assert_allclose(np.abs(left.T[:2] @ np.array(found).T), np.eye(2), atol=1e-3)
    drawn = np.array(page.run("import('./maths.js').then(maths => maths.codes(7, 1, 20000))"))
    assert abs(drawn.mean()) < 0.03 and abs(drawn.std() - 1) < 0.03 and np.abs(drawn).max() > 3.3


@in_chromium
def test_the_keyboard_reaches_everything(page, served):
    url, _ = served
    page.open(f"{url}#editor")
    page.wait(ASKED)
    page.press("Tab")
    assert page.run("document.activeElement.textContent") == "Skip to the model"
    page.press("Enter")
    assert page.run("document.activeElement.id") == "main" and page.run("location.hash") == "#editor"
    page.run("document.querySelector('[role=tab][aria-selected=true]').focus()")
    page.press("ArrowRight")
    page.wait(
        "document.activeElement.textContent === 'Walk through codes' && document.activeElement.ariaSelected === 'true'"
    )
    page.press("ArrowLeft")
    page.wait(
        "document.activeElement.textContent === 'Paint on a photo' && document.activeElement.ariaSelected === 'true'"
    )
    page.press("Tab")
    assert page.run("document.activeElement.className").endswith("paint")
    ring = page.run("getComputedStyle(document.querySelector('.easel')).outlineStyle")
    page.press("Tab")
    assert ring == "solid" and page.run("document.activeElement.type") == "color"  # and so no key is caught


@in_chromium
def test_colours_follow_the_system_until_they_are_chosen(page, served):
    url, _ = served
    shade = "getComputedStyle(document.documentElement).backgroundColor"
    seen = {}
    for scheme in ("light", "dark"):
        page.look(prefers_color_scheme=scheme)
        page.open(url)
        page.wait(ASKED)
        seen[scheme] = page.run(shade)
        # WCAG AA: text 4.5 to 1, edges of controls 3 to 1.
        for front, back, least in [
            ("ink", "paper", 4.5), ("quiet", "paper", 4.5), ("quiet", "sheet", 4.5), ("quiet", "well", 4.5),
            ("quiet", "tint", 4.5), ("accent", "paper", 4.5), ("accent", "sheet", 4.5), ("on-accent", "accent", 4.5),
            ("alarm", "alarm-tint", 4.5), ("edge", "sheet", 3), ("edge", "paper", 3),
        ]:  # fmt: skip
            assert contrast(page, front, back) >= least, (scheme, front, back)
    assert seen["light"] != seen["dark"]
    page.run("document.getElementById('theme').click()")  # from the system's dark to light
    assert page.run(shade) == seen["light"]
    page.open(url)
    page.wait(ASKED)
    assert page.run(shade) == seen["light"]
    page.run("localStorage.clear()")


def contrast(page, *names):
    levels = []
    for name in names:
        colour = page.run(
            f"(e => {{ e.style.color = 'var(--{name})'; document.body.append(e); const c = getComputedStyle(e).color; "
            "e.remove(); return c; })(document.createElement('i'))"
        )
        values = np.array([float(value) / 255 for value in re.findall(r"[\d.]+", colour)[:3]])
        linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
        levels.append(linear @ [0.2126, 0.7152, 0.0722])
    return (max(levels) + 0.05) / (min(levels) + 0.05)


@in_chromium
def test_every_shipped_model_answers_the_page(page, server):
    listed = server.json("GET", "/kgan/models")[1]["models"]
    for model in listed:
        page.open(f"http://127.0.0.1:{server.port}/#{model['name']}")
        page.wait(f"document.querySelector('#about h1')?.textContent === '{model['name']}'")
        if model["about"]:
            page.wait(ASKED)
        assert page.run(ALERT) == ""
        page.run("[...document.querySelectorAll('[role=tab]')].at(-1).click()")
        page.wait("document.querySelector('#panel form') !== null")
        if model["about"]:
            page.run("document.querySelector('#panel form').requestSubmit()")
            page.wait(f"document.querySelector('#panel .output') !== null || ({ALERT})")
        assert page.run(ALERT) == ""
    assert len(listed) >= 6
