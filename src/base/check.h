// HEARTH_CHECK: our bug. It stops the process, in every build, with the place and the condition.
// Bytes from a client, a peer or a disk never reach one.
#pragma once

namespace hearth {
[[noreturn]] void check_failed(const char* condition, const char* file, int line) noexcept;
}  // namespace hearth

#define HEARTH_CHECK(condition)                               \
  do {                                                        \
    if (!(condition)) [[unlikely]]                            \
      ::hearth::check_failed(#condition, __FILE__, __LINE__); \
  } while (false)

// The same in checked (debug) builds only, for conditions on hot paths.
#ifdef HEARTH_CHECKED
#define HEARTH_DCHECK(condition) HEARTH_CHECK(condition)
#else
#define HEARTH_DCHECK(condition) \
  do {                           \
  } while (false && (condition))
#endif
