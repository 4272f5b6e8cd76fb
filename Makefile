# The few commands that a newcomer types. Meson and ninja do the work.
.PHONY: all setup demo deb check check-python check-web check-net check-arm bench bench-python clean

all:
	@scripts/build

setup:
	@scripts/setup

demo:
	@scripts/demo

check:
	@scripts/check

# A part of check: pymist with the libraries that it has adapters for, from PyPI.
check-python:
	@scripts/setup check
	@scripts/build
	@scripts/check-python

# A part of check: mist.js, the page, and OHIF, Cornerstone3D, NiiVue, dicomweb-client and dcmjs in headless Chromium.
check-web:
	@scripts/setup check
	@scripts/build
	@scripts/check-web

# A part of check, where root and network namespaces allow: downloads over slow lines.
check-net:
	@scripts/setup check
	@scripts/build
	@scripts/check-net

# libmist-core for 64-bit ARM, its tests and fuzz corpora under qemu-user (Debian's packages of arm64).
check-arm:
	@scripts/setup demo
	@scripts/check-arm

bench:
	@scripts/bench

# Samples/s into a PyTorch loader beside other readers; with the libraries of check-python where they are there.
bench-python:
	@scripts/setup check
	@scripts/build
	@[ -x build/python-environment/bin/python ] && build/python-environment/bin/python bench/python.py || bench/python.py

deb:
	@scripts/setup demo
	@scripts/deb

clean:
	rm -rf build build-arm build-clang build-asan build-fuzz
