"""Decision making: environments, actors, critics, imitation and learned rewards.

tf-agents is imported below this package and nowhere else. What it needs before it is first imported is done here.
"""

import sys
import warnings

import gymnasium

# tf-agents 0.19 imports the abandoned `gym`, of which nothing that is used here is used.
sys.modules.setdefault("gym", gymnasium)
for kind in (DeprecationWarning, SyntaxWarning):
    warnings.filterwarnings("ignore", category=kind, module=r"(tf_agents|tensorflow_probability|distutils).*")
