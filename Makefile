# `make demo` and `make test` work as first commands on a fresh Linux x86-64 machine with git, make and Python 3.11.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
OLDER := .venv-older
TORCH := torch==2.13.0
# PyTorch's plain wheel for Linux brings several GB of CUDA; set this to the index of its CPU wheels to avoid that.
TORCH_FROM := $(if $(GEAK_TORCH_INDEX),--index-url $(GEAK_TORCH_INDEX))
READY := $(VENV)/.ready
CAGE := $(BIN)/python tests/attacks/cage.py
ATTACKS := $(BIN)/python -m pytest tests/attacks -p no:cacheprovider -q

.PHONY: demo test check format unit attacks slow older gpu bench clean

demo: $(READY)
	$(BIN)/python examples/demo.py

test: check unit attacks

$(READY): requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --requirement requirements.lock
	$(BIN)/pip install --quiet --constraint requirements.lock $(TORCH_FROM) $(TORCH)
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

unit: $(READY)
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not gpu and not api and not slow"

# Attacks run only inside namespaces of their own, once as root where we are root, once as an ordinary user; side by
# side, since they wait more than they work.
attacks: $(READY)
	$(CAGE) --user -- $(ATTACKS) -m "not gpu and not slow" > $(VENV)/attacks-user.log 2>&1 & user=$$!; \
	if [ "$$(id -u)" = 0 ]; then $(CAGE) -- $(ATTACKS) -m "not gpu and not slow"; fi; root=$$?; \
	wait $$user; user=$$?; cat $(VENV)/attacks-user.log; test $$root = 0 && test $$user = 0

slow: $(READY)
	$(BIN)/python -m pytest -n 2 -m slow
	$(CAGE) -- $(ATTACKS) -m slow

# The oldest Triton and numpy that are promised to work, before the packages of the ordinary environment.
older: $(READY)
	test -x $(OLDER)/bin/python || $(PYTHON) -m venv $(OLDER)
	$(OLDER)/bin/pip install --quiet --no-deps triton==3.6.0 numpy==2.1.3
	echo "$$PWD/$$(echo $(VENV)/lib/python3*/site-packages)" > "$$(echo $(OLDER)/lib/python3*/site-packages)/rest.pth"
	echo "$$PWD" >> "$$(echo $(OLDER)/lib/python3*/site-packages)/rest.pth"
	echo "$$PWD/evaluator" >> "$$(echo $(OLDER)/lib/python3*/site-packages)/rest.pth"
	$(OLDER)/bin/python -m pytest -n 2 -m "not gpu and not api and not slow" tests/device tests/machine_code tests/datasets \
		tests/proof tests/plan tests/awkward tests/cheats \
		tests/judge/test_tiers.py tests/judge/test_targets.py tests/judge/test_values.py

# On a machine with a GPU, with its own Python, torch, triton and numpy: nothing is installed, and no pytest is needed.
# The benchmark can be gone on with, and shared between machines: make gpu GPU="--shard 1/4 --minutes 8".
GPU_PYTHON ?= python3
gpu:
	PYTHONPATH=.:evaluator $(GPU_PYTHON) bench/gpu.py $(GPU)

bench: $(READY)
	$(BIN)/python bench/sandbox.py --write
	$(BIN)/python bench/judge.py --write
	$(BIN)/python bench/starter.py --write
	$(BIN)/python bench/embedded.py --write
	$(BIN)/python bench/loop.py --write
	$(BIN)/python bench/batch.py --write

clean:
	rm -rf $(VENV) $(OLDER) dist build
