#!/bin/sh
# Every C and C++ source is formatted as .clang-format says, and starts with its licence line.
cd "$1" || exit 1
command -v clang-format >/dev/null || { echo "clang-format is not installed"; exit 77; }
files=$(find src include tests fuzz bench examples -name '*.[ch]' -o -name '*.cc' 2>/dev/null)
[ -n "$files" ] || { echo "no sources found"; exit 1; }
status=0
for file in $files; do
    clang-format --dry-run -Werror "$file" >/dev/null 2>&1 || { echo "$file: not formatted (clang-format -i $file)"; status=1; }
    head -n 1 "$file" | grep -q 'SPDX-License-Identifier: BSD-2-Clause' || { echo "$file: no SPDX line"; status=1; }
done
exit $status
