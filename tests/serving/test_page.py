"""The page around its panels: errors, commands, keys, colours, and every model that ships."""

import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from browsing import ALERT, ASKED, click, in_chromium, put
from page_server import MODELS


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
@pytest.mark.parametrize(("width", "height"), [(390, 800), (1280, 300)])
def test_the_list_shows_the_model_that_is_open(page, served, width, height):
    url, _ = served
    page.look(width, height)
    page.open(url)
    page.wait("document.querySelector('#models a[aria-current]') !== null")
    names = page.run("[...document.querySelectorAll('#models a')].map(link => link.dataset.name)")
    for name in (names[-1], names[0]):
        page.open(f"{url}#{name}")
        page.wait(f"document.querySelector('#models a[aria-current]')?.dataset.name === '{name}'")
        assert page.run(
            "(([list, link]) => ['left', 'top'].every(side => link[side] >= list[side] - 1) && "
            "['right', 'bottom'].every(side => link[side] <= list[side] + 1))"
            "(['#models', '#models a[aria-current]'].map(name => document.querySelector(name).getBoundingClientRect()))"
        ), name


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
        if page.run(
            "document.querySelectorAll('[role=tab]').length > 1"
        ):  # the form of all signatures waits for a person
            page.wait(ASKED)
        assert page.run(ALERT) == ""
        page.run("[...document.querySelectorAll('[role=tab]')].at(-1).click()")
        page.wait("document.querySelector('#panel form') !== null")
        if model["about"]:
            page.run("document.querySelector('#panel form').requestSubmit()")
            page.wait(f"document.querySelector('#panel .output') !== null || ({ALERT})")
        assert page.run(ALERT) == ""
    assert len(listed) >= 6
