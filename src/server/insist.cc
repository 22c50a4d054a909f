#include "src/server/insist.h"

#include <unistd.h>

#include <array>
#include <cstring>

namespace hearth {
namespace {

// A signal handler can reach nothing but the process: a fixed buffer, filled before.
std::array<char, 1024> g_unfinished{};  // NOLINT

void on_insist(int) {
  if (g_unfinished[0] != '\0') unlink(g_unfinished.data());
  _exit(1);
}

}  // namespace

InsistGuard::InsistGuard(const char* unfinished_file) {
  const std::size_t length = std::strlen(unfinished_file);
  if (length < g_unfinished.size()) std::memcpy(g_unfinished.data(), unfinished_file, length + 1);
  struct sigaction act {};
  act.sa_handler = on_insist;
  sigemptyset(&act.sa_mask);
  sigaction(SIGINT, &act, &before_);
}

InsistGuard::~InsistGuard() {
  sigaction(SIGINT, &before_, nullptr);
  g_unfinished[0] = '\0';
}

}  // namespace hearth
