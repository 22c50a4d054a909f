// The last report of a process that dies by a signal of its own making.
#pragma once

namespace hearth {

// SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT print a report with a stack trace to the log's file
// (stdout if there is none) and end the process with the signal.
void install_crash_handlers();

// The file that reports go to; called whenever `logfile` changes. "" is stdout.
void set_crash_log(const char* path);

// Whether SIGABRT, which a failed check raises, ends the process with status 1 and without a core.
void set_exit_on_panic(bool on);

}  // namespace hearth
