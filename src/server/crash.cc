#include "src/server/crash.h"

#include <execinfo.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "src/server/version.h"

namespace hearth {
namespace {

// A signal handler can reach nothing but the process: a fixed buffer, filled before.
std::array<char, 4096> g_log_path{};             // NOLINT
volatile std::sig_atomic_t g_exit_on_panic = 0;  // NOLINT

void print(int fd, const char* text) {
  const ssize_t written = write(fd, text, std::strlen(text));
  static_cast<void>(written);
}

void on_crash(int signal_number, siginfo_t* info, void*) {
  const int fd = g_log_path[0] == '\0'
                     ? STDOUT_FILENO
                     : open(g_log_path.data(), O_APPEND | O_CREAT | O_WRONLY, 0644);
  const int out = fd >= 0 ? fd : STDERR_FILENO;
  char line[256];
  print(out, "\n\n=== HEARTH BUG REPORT START: Cut & paste starting from here ===\n");
  std::snprintf(line, sizeof line, "%d:M # hearth %s crashed by signal: %d, si_code: %d\n",
                getpid(), kVersion, signal_number, info != nullptr ? info->si_code : 0);
  print(out, line);
  if (info != nullptr && (signal_number == SIGSEGV || signal_number == SIGBUS)) {
    std::snprintf(line, sizeof line, "%d:M # Accessing address: %p\n", getpid(), info->si_addr);
    print(out, line);
  }
  if (info != nullptr && info->si_code <= 0 && info->si_pid != 0) {
    std::snprintf(line, sizeof line, "%d:M # Killed by PID: %ld, UID: %d\n", getpid(),
                  static_cast<long>(info->si_pid), static_cast<int>(info->si_uid));
    print(out, line);
  }
  print(out, "\n------ STACK TRACE ------\n");
  void* frames[64];
  const int count = backtrace(frames, 64);
  backtrace_symbols_fd(frames, count, out);
  print(out, "\n=== HEARTH BUG REPORT END. ===\n");
  if (signal_number == SIGABRT && g_exit_on_panic != 0) _exit(1);
  // The default action follows: a core where cores are on, and the true exit status.
  struct sigaction act {};
  act.sa_handler = SIG_DFL;
  sigemptyset(&act.sa_mask);
  sigaction(signal_number, &act, nullptr);
  raise(signal_number);
}

}  // namespace

void set_crash_log(const char* path) {
  std::snprintf(g_log_path.data(), g_log_path.size(), "%s", path);
}

void set_exit_on_panic(bool on) { g_exit_on_panic = on ? 1 : 0; }

void install_crash_handlers() {
  // The first call loads a library, which a signal handler must not.
  void* warm[1];
  backtrace(warm, 1);
  struct sigaction act {};
  sigemptyset(&act.sa_mask);
  act.sa_flags = static_cast<int>(SA_NODEFER | SA_RESETHAND | SA_SIGINFO);
  act.sa_sigaction = on_crash;
  for (const int s : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) sigaction(s, &act, nullptr);
}

}  // namespace hearth
