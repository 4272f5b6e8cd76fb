# The few commands that a newcomer types. Meson and ninja do the work.
.PHONY: all setup demo check bench clean

all:
	@scripts/build

setup:
	@scripts/setup

demo:
	@scripts/demo

check:
	@scripts/check

bench:
	@scripts/bench

clean:
	rm -rf build build-clang build-asan build-fuzz
