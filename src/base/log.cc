#include "src/base/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <syslog.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <memory>

#include "src/base/system_text.h"

namespace hearth::log {
namespace {

// The process has one log, as it has one stdout; this is the only mutable state outside an object.
std::atomic<Level> g_level{Level::kNotice};  // NOLINT
std::atomic<char> g_role{'M'};               // NOLINT
std::atomic<Format> g_format{};              // NOLINT
std::atomic<Timestamp> g_timestamp{};        // NOLINT
std::atomic<bool> g_to_syslog{false};        // NOLINT
std::shared_ptr<spdlog::logger>& logger() {
  static std::shared_ptr<spdlog::logger> instance = [] {
    auto made = std::make_shared<spdlog::logger>("hearth",
                                                 std::make_shared<spdlog::sinks::stdout_sink_mt>());
    made->set_level(spdlog::level::trace);
    made->set_pattern("%v");
    made->flush_on(spdlog::level::trace);
    return made;
  }();
  return instance;
}

std::string stamp(Timestamp form) {
  const auto now = std::chrono::system_clock::now();
  const auto ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
  if (form == Timestamp::kMilliseconds) return std::to_string(ms);
  const std::time_t secs = static_cast<std::time_t>(ms / 1000);
  std::tm tm{};
  localtime_r(&secs, &tm);
  const auto text = [&](const char* format) {
    char buffer[64];
    return std::string(buffer, std::strftime(buffer, sizeof buffer, format, &tm));
  };
  if (form == Timestamp::kLegacy)
    return fmt::format("{}.{:03}", text("%d %b %Y %H:%M:%S"), ms % 1000);
  std::string zone = text("%z");  // +hhmm
  if (zone.size() == 5) zone.insert(3, ":");
  return fmt::format("{}.{:03}{}", text("%Y-%m-%dT%H:%M:%S"), ms % 1000, zone);
}

// The inside of a quoted value.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n')
      out += "\\n";
    else if (c == '\r')
      out += "\\r";
    else
      out += c;
  }
  return out;
}

std::string_view role_name(char role) {
  return role == 'M' ? "primary" : role == 'S' ? "replica" : "child";
}

}  // namespace

Result<void> open(const std::string& path) {
  // The library would make missing directories: a mistyped path is to be noticed.
  const auto slash = path.rfind('/');
  if (slash != std::string::npos && slash > 0 && access(path.substr(0, slash).c_str(), F_OK) != 0)
    return fail(ErrorCode::kIo, fmt::format("log file '{}': {}", path, system_text(errno)));
  try {
    std::shared_ptr<spdlog::sinks::sink> sink;
    if (path.empty())
      sink = std::make_shared<spdlog::sinks::stdout_sink_mt>();
    else
      sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path, false);
    sink->set_pattern("%v");
    logger()->sinks().assign(1, sink);
  } catch (const spdlog::spdlog_ex& e) {  // the library reports a file it can't open by throwing
    return fail(ErrorCode::kIo, fmt::format("log file '{}': {}", path, e.what()));
  }
  return {};
}

void set_level(Level level) noexcept { g_level.store(level, std::memory_order_relaxed); }
Level level() noexcept { return g_level.load(std::memory_order_relaxed); }
void set_role(char role) noexcept { g_role.store(role, std::memory_order_relaxed); }

void set_format(Format format) noexcept { g_format.store(format, std::memory_order_relaxed); }
void set_timestamp(Timestamp timestamp) noexcept {
  g_timestamp.store(timestamp, std::memory_order_relaxed);
}

void open_syslog(const std::string& ident, int facility) {
  static std::string kept;  // syslog goes on to use it
  kept = ident;
  openlog(kept.c_str(), LOG_PID | LOG_NDELAY | LOG_NOWAIT, facility);
  g_to_syslog.store(true, std::memory_order_relaxed);
}

void write(Level level, std::string_view message) {
  struct Names {
    char mark;
    const char* name;
    int priority;  // of syslog
  };
  static constexpr Names kNames[] = {{'.', "debug", LOG_DEBUG},
                                     {'-', "info", LOG_INFO},
                                     {'*', "notice", LOG_NOTICE},
                                     {'#', "warning", LOG_WARNING},
                                     {' ', "", LOG_DEBUG}};
  const Names& names = kNames[static_cast<unsigned>(level)];
  const char role = g_role.load(std::memory_order_relaxed);
  const std::string time = stamp(g_timestamp.load(std::memory_order_relaxed));
  if (g_format.load(std::memory_order_relaxed) == Format::kLogfmt)
    logger()->info("pid={} role={} timestamp=\"{}\" level={} message=\"{}\"", getpid(),
                   role_name(role), time, names.name, escaped(message));
  else
    logger()->info("{}:{} {} {} {}", getpid(), role, time, names.mark, message);
  if (g_to_syslog.load(std::memory_order_relaxed))
    syslog(names.priority, "%.*s", static_cast<int>(message.size()), message.data());
}

}  // namespace hearth::log
