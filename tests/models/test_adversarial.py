"""What every game shares, apart from its training, which tests/contracts runs."""

import keras
import pytest

from kgan import objectives
from kgan.errors import UsageError
from kgan.models.adversarial import described, rebuilt


def test_what_is_described_is_rebuilt():
    objective = objectives.LeastSquares(smooth=0.1)
    assert rebuilt(described(objective)) == objective
    assert rebuilt(described(None)) is None
    network = rebuilt(described(keras.Sequential([keras.Input([3]), keras.layers.Dense(2)])))
    assert network.output_shape == (None, 2)


def test_a_saved_model_cannot_name_code_outside_kgan():
    with pytest.raises(UsageError, match="subprocess.Popen, which is not of kgan"):
        rebuilt({"dataclass": "Popen", "module": "subprocess", "options": {"args": ["true"]}})
    with pytest.raises(UsageError, match="not of kgan"):
        rebuilt({"dataclass": "Popen", "module": "kganx.subprocess", "options": {}})
