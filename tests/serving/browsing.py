"""The page in a headless Chromium, what tests look at in it, and how they use it."""

import json

import pytest
from chromium import BROWSER, Page
from page_server import serving

in_chromium = pytest.mark.skipif(BROWSER is None, reason="needs Chromium, an optional tool: apt-get install chromium")

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
