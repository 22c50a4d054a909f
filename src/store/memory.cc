#include "src/store/memory.h"

#include <malloc.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>

#ifdef HEARTH_JEMALLOC
#include <jemalloc/jemalloc.h>
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HEARTH_SANITIZER_COUNTS 1
// Of the sanitizers' public interface; GCC ships the function without its header.
extern "C" std::size_t __sanitizer_get_current_allocated_bytes();
#endif

namespace hearth::memory {

#ifdef HEARTH_JEMALLOC
namespace {

// The allocator's counters belong to the process, and so does the list of where they stand.
struct ThreadCounters {
  std::atomic<const std::uint64_t*> allocated{nullptr};
  std::atomic<const std::uint64_t*> freed{nullptr};
};
constexpr std::size_t kThreadsMost = 64;
std::array<ThreadCounters, kThreadsMost> g_threads;  // NOLINT
std::atomic<std::size_t> g_thread_count{0};          // NOLINT

template <typename T>
T read_stat(const char* name) {
  T value{};
  std::size_t size = sizeof value;
  mallctl(name, &value, &size, nullptr, 0);
  return value;
}

// Another thread writes its counter with plain stores; an aligned word is read whole.
std::uint64_t read_counter(const std::uint64_t* p) {
  return p == nullptr ? 0 : __atomic_load_n(p, __ATOMIC_RELAXED);
}

}  // namespace

void register_thread() {
  const std::size_t index = g_thread_count.fetch_add(1);
  if (index >= kThreadsMost) return;
  g_threads[index].allocated = read_stat<std::uint64_t*>("thread.allocatedp");
  g_threads[index].freed = read_stat<std::uint64_t*>("thread.deallocatedp");
}

std::uint64_t used_bytes() {
  std::uint64_t allocated = 0, freed = 0;
  const std::size_t count = std::min(g_thread_count.load(std::memory_order_relaxed), kThreadsMost);
  for (std::size_t i = 0; i < count; ++i) {
    freed += read_counter(g_threads[i].freed.load(std::memory_order_relaxed));
    allocated += read_counter(g_threads[i].allocated.load(std::memory_order_relaxed));
  }
  return allocated > freed ? allocated - freed : 0;
}

std::size_t rounded(std::size_t bytes) { return bytes == 0 ? 0 : nallocx(bytes, 0); }

AllocatorStats allocator_stats() {
  std::uint64_t epoch = 1;
  std::size_t size = sizeof epoch;
  mallctl("epoch", &epoch, &size, &epoch, size);
  AllocatorStats s;
  s.name = std::string("jemalloc-") + std::to_string(JEMALLOC_VERSION_MAJOR) + "." +
           std::to_string(JEMALLOC_VERSION_MINOR) + "." + std::to_string(JEMALLOC_VERSION_BUGFIX);
  s.allocated = read_stat<std::size_t>("stats.allocated");
  s.active = read_stat<std::size_t>("stats.active");
  s.resident = read_stat<std::size_t>("stats.resident");
  s.retained = read_stat<std::size_t>("stats.retained");
  return s;
}

void purge() { mallctl("arena.4096.purge", nullptr, nullptr, nullptr, 0); }

void set_background_thread(bool on) {
  mallctl("background_thread", nullptr, nullptr, &on, sizeof on);
}

namespace {

// A control takes only words of its own size.
template <typename T>
std::optional<std::int64_t> control_as(const char* name, std::optional<std::int64_t> set) {
  if (set) {
    T wanted = static_cast<T>(*set);
    if (mallctl(name, nullptr, nullptr, &wanted, sizeof wanted) != 0) return std::nullopt;
  }
  T value{};
  std::size_t size = sizeof value;
  if (mallctl(name, &value, &size, nullptr, 0) != 0) return std::nullopt;
  return static_cast<std::int64_t>(value);
}

}  // namespace

std::optional<std::int64_t> control_number(const std::string& name,
                                           std::optional<std::int64_t> set) {
  if (const auto value = control_as<std::uint64_t>(name.c_str(), set)) return value;
  if (const auto value = control_as<std::uint32_t>(name.c_str(), set)) return value;
  return control_as<bool>(name.c_str(), set);
}

std::optional<std::string> control_text(const std::string& name, ControlKind kind) {
  if (kind == ControlKind::kActs) {
    if (mallctl(name.c_str(), nullptr, nullptr, nullptr, 0) != 0) return std::nullopt;
    return std::string();
  }
  const char* text = nullptr;
  std::size_t size = sizeof text;
  if (mallctl(name.c_str(), &text, &size, nullptr, 0) != 0 || text == nullptr) return std::nullopt;
  return std::string(text);
}

#else

void register_thread() {}

std::uint64_t used_bytes() {
#ifdef HEARTH_SANITIZER_COUNTS
  return __sanitizer_get_current_allocated_bytes();
#else
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;  // small blocks, and those that are mapped by themselves
#endif
}

std::size_t rounded(std::size_t bytes) { return bytes == 0 ? 0 : (bytes + 8 + 15) / 16 * 16; }

AllocatorStats allocator_stats() {
  AllocatorStats s;
  s.name = "libc";
  s.allocated = s.active = used_bytes();
  s.resident = resident_bytes();
  return s;
}

void purge() { malloc_trim(0); }
void set_background_thread(bool) {}

std::optional<std::int64_t> control_number(const std::string&, std::optional<std::int64_t>) {
  return std::nullopt;
}
std::optional<std::string> control_text(const std::string&, ControlKind) { return std::nullopt; }

#endif

std::uint64_t resident_bytes() {
  std::FILE* f = std::fopen("/proc/self/statm", "r");
  if (f == nullptr) return 0;
  unsigned long long pages = 0, resident = 0;
  const int n = std::fscanf(f, "%llu %llu", &pages, &resident);
  std::fclose(f);
  return n == 2 ? resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)) : 0;
}

}  // namespace hearth::memory
