"""Decision making: environments, actors, critics, imitation and learned rewards.

tf-agents is imported below this package and nowhere else. What it needs before it is first imported is done here.
"""

import logging
import os
import sys
import warnings

import gymnasium

# tf-agents 0.19 imports the abandoned `gym`, of which nothing that is used here is used.
sys.modules.setdefault("gym", gymnasium)
warnings.filterwarnings("ignore", "distutils", DeprecationWarning)
warnings.filterwarnings("ignore", '"is not" with', SyntaxWarning)
# What draws classic control has a greeting and a warning of its own.
os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
warnings.filterwarnings("ignore", "pkg_resources is deprecated", UserWarning)
# tf-agents' PPO says so of the optimiser that is the quickest here.
logging.getLogger("absl").addFilter(lambda record: "Only tf.keras.optimizers" not in record.getMessage())
