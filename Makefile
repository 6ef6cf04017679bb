# Each target makes its own .venv when there is none.
#   make demo    watch real models being monitored (ARGS=--once: to the end, without a terminal)
#   make test    run the test suite                (ARGS="-k drift": a part of it)
#   make lint    style, types, generated files
#   make bench   our cost beside that of peers
#   make join    the same for the join of labels; minutes, and some 4 GB of peers
#   make bundle  write dashboards, rules, chart files and the README's tables anew
#   make manifests
#                write helm/manifests/exporter.yaml anew; needs helm
#   make cluster build a Kubernetes API server, without which its test is skipped; needs go
#   make pictures
#                draw the dashboards to docs/pictures (needs npm, Chromium, Prometheus, Alertmanager)
#   make frameworks
#                install BentoML, KServe and Ray Serve, without which their tests are skipped

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BENCH := $(VENV)/bench

.PHONY: demo test lint bench join bundle manifests cluster pictures frameworks clean

demo: $(VENV)/.demo
	@$(BIN)/model-exporter demo $(ARGS)

test: $(VENV)/.dev
	@$(BIN)/python -m pytest $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/model-exporter bundle check

join: $(BENCH)/.peers
	$(BENCH)/bin/pip install --quiet --disable-pip-version-check --editable .[exporter]
	$(BENCH)/bin/python benchmarks/join.py --install $(ARGS)

bench: $(BENCH)/.peers
	$(BENCH)/bin/python benchmarks/hot_path.py $(ARGS)
	$(BENCH)/bin/python benchmarks/batch.py $(ARGS)
	$(BENCH)/bin/python benchmarks/churn.py $(ARGS)

bundle: $(VENV)/.dev
	$(BIN)/model-exporter bundle write

# Without the lines that say Helm: who applies it by hand has none.
MANIFEST := helm/manifests/exporter.yaml
manifests:
	@echo '# Made by `make manifests`; values.yaml beside it holds what to change.' > $(MANIFEST)
	@helm template model-exporter helm/model-exporter --namespace monitoring --skip-tests \
	  --values helm/manifests/values.yaml | \
	  sed -e '/^# Source:/d' -e '/^ *helm.sh\/chart:/d' -e '/^ *app.kubernetes.io\/managed-by:/d' \
	  >> $(MANIFEST)

cluster: $(VENV)/cluster/kube-apiserver

pictures: $(VENV)/.dev
	$(BIN)/python docs/pictures/draw.py

frameworks: $(VENV)/.frameworks

clean:
	rm -rf $(VENV)

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "model-exporter needs Python 3.11 or newer; name one with: make PYTHON=python3.11"; exit 1; }
	@echo "Creating $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@touch $@

# pip is quiet but for what goes wrong: hundreds of lines would hide the story.
$(VENV)/.demo: $(VENV)/.created pyproject.toml
	@echo "Installing model-exporter[demo] into $(VENV): numpy, scikit-learn, duckdb and others, about a minute ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[demo]'
	@touch $@

$(VENV)/.dev: $(VENV)/.created pyproject.toml
	@echo "Installing model-exporter[dev] into $(VENV): the demo's packages and the test tools, about a minute ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(VENV)/.demo

# An environment of its own, for what these need would decide the versions that all tests run with.
$(VENV)/.frameworks: $(VENV)/.created pyproject.toml tests/integrations/frameworks.txt
	@echo "Installing KServe, BentoML and Ray Serve into $(VENV)/frameworks, about 1.5 minutes ..."
	@$(PYTHON) -m venv $(VENV)/frameworks
	@$(VENV)/frameworks/bin/pip install --quiet --disable-pip-version-check \
	  --editable . --requirement tests/integrations/frameworks.txt
	@touch $@

# Apart from ours: the peers want old versions of much.
$(BENCH)/.peers: $(VENV)/.created pyproject.toml benchmarks/requirements.txt
	@echo "Installing model-exporter and its peers into $(BENCH), about a minute ..."
	@$(PYTHON) -m venv $(BENCH)
	@$(BENCH)/bin/pip install --quiet --disable-pip-version-check --editable . --requirement benchmarks/requirements.txt
	@$(BENCH)/bin/pip install --quiet --disable-pip-version-check --no-deps boxkite==0.0.5
	@touch $@

$(VENV)/cluster/kube-apiserver: .ci/cluster
	@echo "Building etcd and kube-apiserver into $(VENV)/cluster, about 10 minutes ..."
	@.ci/cluster $(VENV)/cluster
