# GNU make 3.81 and POSIX tools: macOS as it comes is enough.

VENV ?= .venv
BIN = $(VENV)/bin
PYTEST = $(BIN)/python -m pytest

# As many files of tests at a time as there are processors, up to four, each process with servers of its own. Not
# for tests of workers' and browsers' processes: what must happen within seconds there is timed alone.
AT_ONCE = --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

# Newest first; PYTHON= names another.
PYTHONS = python3.14 python3.13 python3.12 python3.11 python3

.PHONY: help run test test-databases test-all coverage lint audit format faults bench scale docs screenshots messages changelog hooks wheel clean

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

run: $(VENV)/.runs ## start the console on 127.0.0.1:8000 (PORT=) with a worker and a real program
	@exec $(BIN)/python -m executor_project.demo

# The faults are in their short form here; the kills alone, as below.
test: lint ## check style, types, floors and migrations, then run every test
	@$(BIN)/python -m tests.servers --install
	@$(PYTEST) tests/acceptance
	@$(PYTEST) $(AT_ONCE) --ignore tests/acceptance --ignore tests/faults
	@$(BIN)/python -m pytest tests/faults/test_kills.py
	@$(BIN)/python -m pytest tests/faults -n 3 --dist loadfile --ignore tests/faults/test_kills.py

# The drivers need a compiler, so they stay out of what everybody installs.
test-databases: $(VENV)/.databases ## run the suite on each database, say of seven what is proven (ONLY=mariadb)
	@$(VENV)/databases/bin/python -m tests.servers --install mariadb
	@$(VENV)/databases/bin/python -m tests.proof $(ONLY)

test-all: $(VENV)/.tests ## run the tests on every Python and Django that there is (ONLY=tests/unit)
	@$(BIN)/nox --non-interactive -- $(ONLY)

# Workers and web servers are measured as well, down to the last child; the faults kill too many.
coverage: $(VENV)/.tests ## the same, and hold that 95 % of the branches in programs were taken
	@$(BIN)/coverage erase
	@$(MAKE) --no-print-directory test PYTEST='$(BIN)/coverage run -m pytest'
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report --include 'programs/*' --fail-under 95
	@$(BIN)/coverage json --quiet --include 'programs/*' -o - | $(BIN)/python scripts/branches.py

lint: $(VENV)/.tests ## check style, types, floors and migrations
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/mypy
	@$(BIN)/python manage.py makemigrations --check --dry-run --settings tests.settings

audit: $(VENV)/.tests ## ask whether a vulnerability is known in what is installed
	@$(BIN)/python scripts/audit.py

format: $(VENV)/.tests ## put the code into its one form
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format --quiet .

# The kills come first and alone: how soon a program goes on is measured there in tenths of seconds.
# The rest waits more than it works: three files at a time.
faults: $(VENV)/.tests ## do harm of twenty kinds, and judge what became of it (ONLY= names, SEED= replays)
	@$(BIN)/python -m tests.servers --install
	@table=$$(mktemp) && rm "$$table" && trap 'rm -f "$$table"' EXIT && status=5 && \
	export FAULTS=long FAULTS_TABLE="$$table" FAULTS_SEED="$(or $(SEED),$$(date +%s))" && \
	for files in "tests/faults/test_kills.py" "tests/faults -n 3 --dist loadfile \
	    --ignore tests/faults/test_kills.py"; do \
	    $(BIN)/python -m pytest $$files $(if $(ONLY),-k '$(ONLY)'); \
	    case $$? in \
	        0) test $$status = 5 && status=0 ;; \
	        5) ;; # none of these has such a name \
	        *) status=1 ;; \
	    esac; \
	done; exit $$status

bench: $(VENV)/.tests $(VENV)/.benchmarks ## measure speed beside others, half an hour (ONLY=A,D: parts, ROUNDS=5)
	@$(BIN)/python -m tests.servers --install
	@$(BIN)/python -m tests.servers -- $(BIN)/python -m benchmarks \
	    $(if $(ONLY),--only '$(ONLY)') $(if $(ROUNDS),--rounds '$(ROUNDS)')

scale: $(VENV)/.tests ## measure the console's pages on a million programs (some minutes, 4 GB of disk)
	@$(BIN)/python -m tests.servers --install
	@$(BIN)/python -m tests.servers -- $(BIN)/python -m benchmarks.console

docs: $(VENV)/.tests ## build the documents into build/docs, with warnings as errors
	@$(BIN)/sphinx-build -q -E -W --keep-going -d build/doctrees -c docs . build/docs
	@echo "build/docs/index.html"

screenshots: $(VENV)/.tests ## take the pictures of the console that the documents show
	@$(BIN)/python -m tests.servers --install
	@$(BIN)/python scripts/screenshots.py

messages: $(VENV)/.tests ## collect what the console says into its catalogues, and compile them
	@$(BIN)/python scripts/messages.py

changelog: $(VENV)/.made ## draft CHANGELOG entries from the commits since the last tag
	@$(BIN)/python scripts/changelog.py

# An earlier `make hooks` led git to a folder instead.
hooks: $(VENV)/.tests ## check what is committed, its message and what is pushed, from now on
	@test "$$(git config core.hooksPath)" != .githooks || git config --unset core.hooksPath
	@$(BIN)/pre-commit install

wheel: $(VENV)/.tests ## build the distribution into dist/
	@$(BIN)/python -m build --outdir dist

clean: ## forget the environment, the development database, generated files and caches
	@rm -rf $(VENV) db.sqlite3 db.sqlite3-shm db.sqlite3-wal media staticfiles build dist htmlcov
	@rm -rf .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache


# The environment. Each stamp says what is installed; it is older than its reason to be made anew.

$(VENV)/.runs: requirements.txt $(VENV)/.made
	@echo "Installing requirements.txt into $(VENV)"
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.tests: requirements-dev.txt requirements.txt $(VENV)/.made
	@echo "Installing requirements-dev.txt into $(VENV)"
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@ $(VENV)/.runs

# What is compiled needs a compiler and a library of the system: they come first.
$(VENV)/.databases: requirements-databases.txt requirements-dev.txt requirements.txt $(VENV)/.tests
	@$(BIN)/python -m tests.servers --install mariadb
	@echo "Installing requirements-databases.txt into $(VENV)/databases"
	@$(BIN)/python -m venv --clear $(VENV)/databases
	@$(VENV)/databases/bin/pip install --quiet --disable-pip-version-check \
	    -r requirements-databases.txt
	@$(VENV)/databases/bin/pip install --quiet --disable-pip-version-check --no-deps \
	    'django-redshift-backend>=5.0,<6' # it asks for a Django before 5.2, and compiles on 5.2
	@touch $@

# The systems that the benchmark measures beside this one stay out of what is tested and shipped.
$(VENV)/.benchmarks: benchmarks/requirements.txt $(VENV)/.made
	@echo "Installing benchmarks/requirements.txt into $(VENV)/benchmarks"
	@$(BIN)/python -m venv --clear $(VENV)/benchmarks
	@$(VENV)/benchmarks/bin/pip install --quiet --disable-pip-version-check -r benchmarks/requirements.txt
	@touch $@

# A candidate on PATH may be a shim that does not run, too old, or without its venv module (Debian
# packages that apart): each is tried, and the nearest miss names the fix.
# What is in a folder that was not begun here is not ours to clear: it may be an environment in use.
$(VENV)/.made:
	@if test -n "$$(ls -A $(VENV) 2>/dev/null)" && \
	    ! test -e $(VENV)/.made && ! test -e $(VENV)/.begun; then \
	    echo "$(VENV) holds what make has not put there: name another folder (VENV=), or remove it" >&2; \
	    exit 1; \
	fi
	@for python in $(or $(PYTHON),$(PYTHONS)); do \
	    "$$python" -c "import sys; sys.exit(sys.version_info < (3, 11))" 2>/dev/null || continue; \
	    if "$$python" -c "import ensurepip, venv" 2>/dev/null; then \
	        echo "Making $(VENV) with $$python"; \
	        mkdir -p $(VENV) && touch $(VENV)/.begun && \
	        find $(VENV) -mindepth 1 ! -name .begun -delete && \
	        "$$python" -m venv $(VENV) && touch $@ && rm $(VENV)/.begun; exit; \
	    fi; \
	    without_venv=$${without_venv:-$$python}; \
	done; \
	if [ "$$without_venv" ]; then \
	    echo "$$without_venv cannot make virtual environments: apt-get install $${without_venv##*/}-venv" >&2; \
	else \
	    echo "Python 3.11 or newer is needed: install it (apt-get install python3 python3-venv;" \
	        "brew install python), or name it with PYTHON=" >&2; \
	fi; exit 1

# Asked for another Python than the one that the environment has: make it anew.
ifdef PYTHON
ifneq ($(shell $(PYTHON) -V 2>&1),$(shell test -x $(BIN)/python && $(BIN)/python -V 2>&1))
.PHONY: $(VENV)/.made
endif
endif
