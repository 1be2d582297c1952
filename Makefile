# make demo: from nothing to a trained, measured and served generator of digits.
# make test: everything that can be checked in a few minutes.
# Both set up .venv first; PYTHON=/path/to/python3.12 chooses another interpreter.

fits = $(1) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do $(call fits,$$p) && echo $$p && break; done)
VENV := .venv
RUN := $(VENV)/bin/python
APP := $(RUN) -m apps.image_generation
LATEST = $$(ls -d runs/demo/image_generation/* | tail -n 1)

.PHONY: setup demo test
setup: $(VENV)/installed

$(VENV)/installed: requirements.txt
	@test -n "$(PYTHON)" && $(call fits,$(PYTHON)) || \
		{ echo "error: kgan needs Python 3.11, 3.12 or 3.13 but found '$(PYTHON)': give make PYTHON=/path/to/python3.12"; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@# Its metadata pins packages that no longer fit beside this TensorFlow; it works without them.
	$(RUN) -m pip install --quiet --disable-pip-version-check --no-deps tf-agents==0.19.0
	@touch $@

demo: setup
	$(APP) train --runs runs/demo
	$(APP) export --run $(LATEST) --to saved_models/demo
	@# TensorFlow's greetings go to a file, which is shown when something is wrong.
	$(RUN) saved_models/draw.py saved_models/demo --out runs/demo/served.png 2>runs/demo/draw.log || \
		{ cat runs/demo/draw.log; exit 1; }
	@echo
	@echo "That was: a GAN trained on real digits, measured against digits it never saw, exported, and served"
	@echo "by plain TensorFlow, without Keras and without kgan. Look at:"
	@echo "  $(LATEST)/progress.gif   how it learned"
	@echo "  $(LATEST)/samples/       the same, picture by picture"
	@echo "  runs/demo/served.png     what the exported model draws"
	@echo "  saved_models/demo/       the exported model"
	@echo "Now with images of your own:"
	@echo "  $(APP) train --data folder:PATH/TO/IMAGES --size 64"
	@echo "or go on with this run:"
	@echo "  $(APP) train --resume $(LATEST) --updates 10000"
	@echo "or see what else there is:"
	@echo "  $(RUN) -m kgan"

test: setup
	$(RUN) -m pytest
