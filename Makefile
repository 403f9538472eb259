# `make demo` and `make test` set up all they need: programs from Debian (as root), Python packages into .venv.
# What is there already is left alone; what is missing and cannot be installed stops them with its name.

PYTHON ?= python3
RUN := .venv/bin/python -m

.PHONY: demo test lint bench scale lab accuracy ablation oracle names policing lock packages-demo packages-test
.DEFAULT_GOAL := demo

demo: packages-demo .venv/ready ## the bundled example, from capture to verdict
	@.venv/bin/interference

test: lint ## everything that has to hold; pytest has the last word
	@$(RUN) pytest

lint: packages-test .venv/ready ## style and types
	@$(RUN) ruff check
	@$(RUN) ruff format --check
	@$(RUN) mypy

bench: packages-demo .venv/ready ## packets per second and memory, beside tshark
	@$(RUN) tests.bench

lab: packages-test .venv/ready ## emulated networks that interfere for real, into build/lab (as root)
	@$(RUN) tests.lab.run -o build/lab

accuracy: packages-test .venv/ready ## the analyzer against the laboratory's truth; the table in captures/README.md
	@$(RUN) tests.lab.accuracy build/lab --errors --keep
	@$(RUN) tests.lab.check build/lab # and whether that truth is on the wire

ablation: packages-test .venv/ready ## what each rule is worth in the laboratory, and over a FOLDER of captures with truth
	@$(RUN) tests.lab.ablation build/lab $(FOLDER) > build/ABLATION.md && mv build/ABLATION.md captures/ABLATION.md

scale: packages-demo .venv/ready ## seconds and memory by how many packets and flows there are
	@$(RUN) tests.bench.scale

oracle: packages-demo .venv/ready ## the same conversations, names and resends as tshark, over any FOLDER of captures
	@$(RUN) tests.oracle $(FOLDER)

names: .venv/ready ## server names against the truth beside a FOLDER of captures, with its manifest.csv
	@$(RUN) tests.oracle.names $(FOLDER)

policing: .venv/ready ## the SIGCOMM 2016 study's policing detector beside the analyzer, over a FOLDER with its manifest.csv
	@$(RUN) tests.oracle.policing $(FOLDER)

# -- Programs from Debian, by the command that tells whether they are there ---------------------------------------
missing = $(if $(shell command -v $(1) 2>/dev/null),,$(2))
python = $(shell { $(PYTHON) -c 'import ensurepip' || echo python3-venv; } 2>/dev/null)
fonts = $(if $(wildcard /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf),,fonts-dejavu-core)
demo_packages = $(strip $(python) $(call missing,tshark,tshark))
test_packages = $(strip $(demo_packages) $(fonts) $(call missing,dumpcap,wireshark-common) \
	$(call missing,tcpdump,tcpdump) $(call missing,ip,iproute2) $(call missing,chromium,chromium))

packages-demo packages-test: export DEBIAN_FRONTEND := noninteractive
packages-demo packages-test: packages-%:
	@wanted="$($*_packages)"; [ -z "$$wanted" ] && exit; \
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
		echo "Missing: $$wanted. Install them (apt-get install $$wanted), then run make again." >&2; exit 1; fi; \
	echo "Installing $$wanted" >&2; \
	apt-get -qq update && apt-get -qq -o DPkg::Lock::Timeout=300 install --no-install-recommends $$wanted >/dev/null

# -- Python packages: exactly the locked ones, again whenever the lock or pyproject.toml says something else --------
key := $(shell cat requirements.lock pyproject.toml | sha256sum | cut -c 1-16)

.PHONY: .venv/ready
.venv/ready: packages-demo
	@[ "$$(cat $@ 2>/dev/null)" = "$(key) $(CURDIR)" ] && exit; set -e; \
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed" if sys.version_info < (3, 11) else 0)'; \
	$(RUN) pip --version >/dev/null 2>&1 || $(PYTHON) -m venv .venv; \
	echo "Installing Python packages into .venv" >&2; \
	$(RUN) pip install -q --disable-pip-version-check --require-hashes -r requirements.lock; \
	$(RUN) pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .; \
	$(RUN) compileall -q analyzer signatures; \
	echo "$(key) $(CURDIR)" > $@

lock: ## pin the newest versions that pyproject.toml allows, for Python 3.11 and later
	@python3.11 -m venv build/lock && build/lock/bin/pip install -q pip-tools
	@CUSTOM_COMPILE_COMMAND="make lock" build/lock/bin/pip-compile -q --upgrade --all-extras --generate-hashes \
		--strip-extras --no-emit-index-url --no-emit-find-links --no-emit-options -o requirements.lock pyproject.toml
