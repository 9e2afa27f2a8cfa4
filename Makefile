# Thin on purpose: the work is in cargo and in the `noema` program.
#   make demo   the main job, from nothing to "demo: ok"
#   make test   every test
#   make fuzz-smoke   every fuzz target for a few seconds (FUZZ_SECONDS=5)
# Both install what they need, or say exactly what is missing.

CARGO ?= cargo
# `--workspace` everywhere, so that the demo and the tests share one set of features and nothing is
# compiled twice.
BUILD = $(CARGO) build --release --workspace
TARGET := $(or $(CARGO_TARGET_DIR),target)

.PHONY: demo test test-aarch64 lint doc fmt setup fuzz-smoke

demo: setup
	$(BUILD) --bin noema
	$(TARGET)/release/noema demo

test: setup
	$(CARGO) test --release --workspace

# The same bits on another architecture, under emulation.
test-aarch64: setup
	.ci/aarch64

# What a reviewer would say about style: formatting, clippy.
lint:
	.ci/rustfmt --check
	$(CARGO) clippy --release --workspace --all-targets -- -D warnings

doc:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --release --workspace --no-deps

FUZZ_SECONDS ?= 5
fuzz-smoke:
	.ci/fuzz-smoke $(FUZZ_SECONDS)

fmt:
	.ci/rustfmt

setup:
	@.ci/setup
