#include "src/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace hearth {

void check_failed(const char* condition, const char* file, int line) noexcept {
  std::fprintf(stderr, "=== ASSERTION FAILED ===\n%s:%d: %s\n", file, line, condition);
  std::fflush(stderr);
  std::abort();
}

}  // namespace hearth
