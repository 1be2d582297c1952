"""What each panel asks of a model, and what it shows of the answer."""

import itertools
import json

import gymnasium
import numpy as np
from browsing import ALERT, ASKED, PIXELS, click, in_chromium, put, tabs
from page_server import MODELS, answered
from PIL import Image

PANELS = {
    "captions": ["Type a caption", "Every signature"],
    "codes": ["Walk through codes", "Every signature"],
    "editor": ["Paint on a photo", "Walk through codes", "Every signature"],
    "tags": ["Change attributes", "Walk through codes", "Every signature"],
    "autoencoder": ["Draw, and see it come back", "Walk through codes", "Every signature"],
    "poems": ["Write sentences", "Every signature"],
    "agent": ["Watch the agent", "Every signature"],
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
def test_the_world_of_the_agent_is_that_of_gymnasium(page, served):
    url, _ = served
    page.open(url)
    environment = gymnasium.make("CartPole-v1").unwrapped
    environment.reset(seed=1)
    actions = np.random.default_rng(1).integers(0, 2, 60).tolist()
    states = [environment.state]
    for action in actions:
        _, _, is_over, _, _ = environment.step(action)
        states.append(environment.state)
        if is_over:
            break
    assert is_over
    found = page.run(
        f"""import('./cartpole.js').then(({{step, isOver}}) => {{
            const states = [{json.dumps(np.array(states[0]).tolist())}];
            for (const action of {actions[: len(states) - 1]}) states.push(step(states.at(-1), action));
            return [states, states.map(isOver)];
        }})"""
    )
    np.testing.assert_allclose(found[0], states, rtol=1e-9)
    assert found[1] == [False] * (len(states) - 1) + [True]


@in_chromium
def test_the_agent_is_asked_for_every_action(page, served):
    url, state = served
    page.open(f"{url}#agent")
    page.wait(ASKED)
    (begun,) = (body["inputs"]["observations"] for _, body in state["requests"])
    assert np.abs(begun).max() <= 0.05
    click(page, "One step")
    page.wait("document.querySelector('.seen').textContent.includes('1 of 500')")
    click(page, "Push to the right")
    before = page.run(PIXELS.format(selector="'canvas.world'"))
    click(page, "Watch")
    page.wait("+/(\\d+) of 500/.exec(document.querySelector('.seen').textContent)[1] > 20")
    click(page, "Stop")
    page.wait("document.getElementById('panel').ariaBusy !== 'true'")
    assert page.run(PIXELS.format(selector="'canvas.world'")) != before
    asked = [np.array(body["inputs"]["observations"][0]) for _, body in state["requests"]]
    assert asked[2][1] - asked[1][1] > 0.2  # the push, and the step
    np.testing.assert_allclose(
        [b[0] - a[0] for a, b in itertools.pairwise(asked[2:])], [0.02 * a[1] for a in asked[2:-1]], atol=2e-4
    )
    page.run("location.hash = '#codes'")  # whoever leaves is followed by no more requests
    page.wait("document.querySelector('#about h1')?.textContent === 'codes'")


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
