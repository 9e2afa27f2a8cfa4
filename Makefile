# Thin on purpose: the work is in cargo and in the `noema` program.
#   make demo   the main job, from nothing to "demo: ok"
#   make demo-all   the same, and the eight economies of examples/
#   make test   every test, those of the store RocksDB too: its C++ takes a quarter of an hour, once
#   make fuzz-smoke   every fuzz target for a few seconds (FUZZ_SECONDS=5)
# All install what they need, or say exactly what is missing.

CARGO ?= cargo
# `--workspace` everywhere, so that the demo and the tests share one set of features and no dependency is
# compiled twice. The demo is without RocksDB.
BUILD = $(CARGO) build --release --workspace
TARGET := $(or $(CARGO_TARGET_DIR),target)

.PHONY: demo demo-all test test-aarch64 test-s390x cuda lint doc fmt setup setup-rocksdb fuzz-smoke

demo: setup
	$(BUILD) --bin noema
	$(TARGET)/release/noema demo --examples examples

demo-all: setup
	$(BUILD) --bin noema
	$(TARGET)/release/noema demo --all --examples examples

test: setup-rocksdb
	$(CARGO) test --release --workspace --features rocksdb

# The same bits on another architecture, under emulation; s390x is big-endian.
test-aarch64 test-s390x: test-%: setup
	.ci/emulated $*

# NVIDIA devices: builds and tests it, on an emulated card where that needs one.
cuda: setup
	.ci/cuda

# What a reviewer would say about style: formatting, clippy.
lint: setup-rocksdb
	.ci/rustfmt --check
	$(CARGO) clippy --release --workspace --all-targets --features rocksdb -- -D warnings

doc: setup-rocksdb
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --release --workspace --no-deps --features rocksdb

FUZZ_SECONDS ?= 5
fuzz-smoke:
	.ci/fuzz-smoke $(FUZZ_SECONDS)

fmt:
	.ci/rustfmt

setup:
	@.ci/setup

setup-rocksdb:
	@.ci/setup rocksdb
