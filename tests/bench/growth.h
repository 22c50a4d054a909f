// How the cost of commands grows with what one client sends or holds.
#pragma once

#include <cstddef>

namespace hearth::bench {

// Runs cases, each with n and with 4n of something, under callgrind:
//
//   words    one argument of a command repeated, out of what the command documents of its arguments
//   same     the same with one key, of so many elements, repeated
//   value    a command on a value of so many elements
//   again    a command so many times, each time with other names, so that state grows
//   held     what a session, or the server for it, holds: subscriptions, watched keys, a queue ...
//
// After each run the counts of callgrind are dumped with "<n>\t<errors>\t<case>" as their reason;
// growth_gate.py compares. Returns the exit code.
int run_growth(std::size_t n);

}  // namespace hearth::bench
