# `make demo` and `make test` are all a newcomer needs; each sets itself up.

PY := .venv/bin/python
UV := .venv/bin/uv
# A folder of wheels that pip is told to look into (for instance a CPU build of torch) is passed on to uv.
LINKS = $${UV_FIND_LINKS-$$(.venv/bin/pip config get global.find-links 2>/dev/null || true)}

# Also where the environment forbids to keep bytecode: without it both workers compile every module anew, in each run.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test lint format docs slow realdata fuzz clean \
	bench-step bench-metrics bench-encode bench-coco80 bench-flagship bench-auto bench-finetune bench-ablation bench-regimes bench-clip-scores bench-right-half bench-adathresh bench-at-size bench-copies bench-split bench-conditions bench-readers bench-serve bench-pointing bench-predict

demo: .venv/demo
	$(PY) -m manylabel demo

test: .venv/dev lint
	$(PY) -m pytest -n 2

lint: .venv/dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	$(PY) -m mypy
	$(PY) docs/generate.py --check

format: .venv/dev
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

docs: .venv/dev
	$(PY) docs/generate.py

# What takes minutes, or photographs that are not part of the project.
slow: .venv/dev
	$(PY) -m pytest -m slow
realdata: .venv/dev
	$(PY) -m pytest -m realdata

# Ten minutes of damaged label files of every format.
fuzz: .venv/dev
	PYTHONPATH=tests $(PY) tests/fuzz.py --minutes 10

bench-step: .venv/dev
	$(PY) benchmarks/cprfl_step.py
bench-metrics: .venv/dev
	$(PY) benchmarks/metrics.py
bench-encode: .venv/dev
	$(PY) benchmarks/encode.py
bench-coco80: .venv/dev
	$(PY) benchmarks/recipes.py recipes
bench-flagship: .venv/dev
	$(PY) benchmarks/flagship.py
bench-auto: .venv/dev
	$(PY) benchmarks/auto_from_photos.py
bench-finetune: .venv/dev
	$(PY) benchmarks/finetune.py
bench-ablation: .venv/dev
	$(PY) benchmarks/ablation.py
	$(PY) benchmarks/plots.py
bench-regimes: .venv/dev
	$(PY) benchmarks/regimes.py
bench-clip-scores: .venv/dev
	$(PY) benchmarks/clip_scores.py
bench-adathresh: .venv/dev
	$(PY) benchmarks/adathresh.py
bench-right-half: .venv/dev
	$(PY) benchmarks/right_half.py
bench-at-size: .venv/dev
	$(PY) benchmarks/at_size.py
bench-copies: .venv/dev
	$(PY) benchmarks/copies.py
bench-split: .venv/dev
	$(PY) benchmarks/split.py
bench-conditions: .venv/dev
	$(PY) benchmarks/conditions_at_size.py
bench-readers: .venv/dev
	$(PY) benchmarks/readers_at_size.py
bench-predict: .venv/dev
	$(PY) benchmarks/predict.py
bench-serve: .venv/dev
	$(PY) benchmarks/serve_load.py
bench-pointing: .venv/dev
	$(PY) benchmarks/pointing.py

.venv/bin/uv:
	python3 -m venv .venv
	.venv/bin/pip install -q uv

.venv/demo: pyproject.toml constraints.txt | .venv/bin/uv
	UV_FIND_LINKS="$(LINKS)" $(UV) pip install -q --compile-bytecode --python $(PY) -c constraints.txt -e ".[demo]"
	touch $@

.venv/dev: pyproject.toml constraints.txt | .venv/bin/uv
	UV_FIND_LINKS="$(LINKS)" $(UV) pip install -q --compile-bytecode --python $(PY) -c constraints.txt -e ".[dev]"
	touch $@ .venv/demo

clean:
	rm -rf .venv runs build
