#!/bin/sh
# Runs every operation of the benchmark under valgrind's memory check.
#
#   memory_check.sh BINARY
set -eu
operations=$("$1" 2>&1 | sed -n 's/^operations: //p')
[ -n "$operations" ]
for operation in $operations; do
  # Only so does valgrind see the allocations that go to jemalloc.
  valgrind --quiet --error-exitcode=1 --soname-synonyms=somalloc='*jemalloc*' "$1" "$operation" 3000
  echo "$operation: ok"
done
