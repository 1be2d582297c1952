"""One script a task; `python -m kgan` lists them."""

from kgan import quiet

quiet.import_tensorflow()
