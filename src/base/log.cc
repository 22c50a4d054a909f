#include "src/base/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>

namespace hearth::log {
namespace {

// The process has one log, as it has one stdout; this is the only mutable state outside an object.
std::atomic<Level> g_level{Level::kNotice};  // NOLINT
std::atomic<char> g_role{'M'};               // NOLINT
std::shared_ptr<spdlog::logger>& logger() {
  static std::shared_ptr<spdlog::logger> instance = [] {
    auto made = std::make_shared<spdlog::logger>("hearth",
                                                 std::make_shared<spdlog::sinks::stdout_sink_mt>());
    made->set_level(spdlog::level::trace);
    made->set_pattern("%P:%v");
    made->flush_on(spdlog::level::trace);
    return made;
  }();
  return instance;
}

std::string stamp() {
  const auto now = std::chrono::system_clock::now();
  const auto ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
  const std::time_t secs = static_cast<std::time_t>(ms / 1000);
  std::tm tm{};
  localtime_r(&secs, &tm);
  char buf[64];
  const std::size_t n = std::strftime(buf, sizeof buf, "%d %b %Y %H:%M:%S", &tm);
  return fmt::format("{}.{:03}", std::string_view(buf, n), ms % 1000);
}

}  // namespace

Result<void> open(const std::string& path) {
  // The library would make missing directories: a mistyped path is to be noticed.
  const auto slash = path.rfind('/');
  if (slash != std::string::npos && slash > 0 && access(path.substr(0, slash).c_str(), F_OK) != 0)
    return fail(ErrorCode::kIo, fmt::format("log file '{}': {}", path, std::strerror(errno)));
  try {
    std::shared_ptr<spdlog::sinks::sink> sink;
    if (path.empty())
      sink = std::make_shared<spdlog::sinks::stdout_sink_mt>();
    else
      sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path, false);
    sink->set_pattern("%P:%v");
    logger()->sinks().assign(1, sink);
  } catch (const spdlog::spdlog_ex& e) {  // the library reports a file it can't open by throwing
    return fail(ErrorCode::kIo, fmt::format("log file '{}': {}", path, e.what()));
  }
  return {};
}

void set_level(Level level) noexcept { g_level.store(level, std::memory_order_relaxed); }
Level level() noexcept { return g_level.load(std::memory_order_relaxed); }
void set_role(char role) noexcept { g_role.store(role, std::memory_order_relaxed); }

void write(Level level, std::string_view message) {
  static constexpr char kMarks[] = {'.', '-', '*', '#', ' '};
  logger()->log(spdlog::level::info, "{} {} {} {}", g_role.load(std::memory_order_relaxed), stamp(),
                kMarks[static_cast<unsigned>(level)], message);
}

}  // namespace hearth::log
