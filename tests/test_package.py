"""What `import kgan` settles before TensorFlow is first imported."""

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(("given", "settled"), [({}, "1"), ({"TF_ENABLE_ONEDNN_OPTS": "0"}, "0")])
def test_onednn_is_on_unless_told_otherwise(given, settled):
    kept = {name: value for name, value in os.environ.items() if name != "TF_ENABLE_ONEDNN_OPTS"}
    code = "import os, sys, kgan; assert 'tensorflow' not in sys.modules; print(os.environ['TF_ENABLE_ONEDNN_OPTS'])"
    done = subprocess.run([sys.executable, "-c", code], env=kept | given, capture_output=True, text=True)
    assert done.stdout.strip() == settled, done.stderr


@pytest.mark.parametrize(
    ("given", "code", "told"),
    [
        ({"KERAS_BACKEND": "jax"}, "import kgan", "unset KERAS_BACKEND or set it to 'tensorflow'"),
        ({}, "import sys; sys.modules['tensorflow'] = None; import kgan", "import kgan first"),
    ],
)
def test_what_would_meet_the_wrong_keras_is_refused(given, code, told):
    kept = {name: value for name, value in os.environ.items() if name not in ("KERAS_BACKEND", "TF_USE_LEGACY_KERAS")}
    done = subprocess.run([sys.executable, "-c", code], env=kept | given, capture_output=True, text=True)
    assert done.returncode != 0 and "ImportError" in done.stderr and told in done.stderr
