// Memory that the process holds, by the allocator's own counters.
//
// jemalloc keeps exact per-thread totals of bytes allocated and freed, which cost nothing to keep
// and two loads to read; without jemalloc the sanitizer runtime or mallinfo2 answers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace hearth::memory {

// Every thread that frees or makes data registers itself once, at its start.
void register_thread();

// Bytes in use by all registered threads. Two loads per thread.
[[nodiscard]] std::uint64_t used_bytes();

// The size the allocator really gives for a request of `bytes`.
[[nodiscard]] std::size_t rounded(std::size_t bytes);

struct AllocatorStats {
  std::string name;
  std::uint64_t allocated = 0;
  std::uint64_t active = 0;
  std::uint64_t resident = 0;
  std::uint64_t retained = 0;
  std::uint64_t muzzy = 0;
};
// Refreshes and reads the allocator's statistics: microseconds to milliseconds, for INFO only.
[[nodiscard]] AllocatorStats allocator_stats();

// A control of the allocator by its name, as a number: set first if there is a value to set, then
// read. Nothing if there is no such control, or none that is a number. For tests.
[[nodiscard]] std::optional<std::int64_t> control_number(const std::string& name,
                                                         std::optional<std::int64_t> set);
// The same for controls that are text. With kActs it is one that just does something, and
// the text is empty.
enum class ControlKind : std::uint8_t { kText, kActs };
[[nodiscard]] std::optional<std::string> control_text(const std::string& name, ControlKind kind);

// Resident set of the process, from /proc/self/statm; 0 where that can't be read.
[[nodiscard]] std::uint64_t resident_bytes();

// Gives free pages back to the system.
void purge();

// On: a thread of the allocator returns free pages to the system. Off: the thread that frees does.
// Does nothing where the allocator has no such thread.
void set_background_thread(bool on);

}  // namespace hearth::memory
