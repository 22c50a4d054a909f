// FakeServer: the process around an engine, as far as tests need one.
#pragma once

#include <cstdlib>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "src/command/server_control.h"

namespace hearth::test {

class FakeServer final : public ServerControl {
 public:
  [[nodiscard]] bool abort_shutdown() override { return std::exchange(pending_shutdown, false); }
  [[nodiscard]] Outcome shutdown(const ShutdownRequest& request, Session&) override {
    ++shutdowns;
    last_shutdown = request;
    return {};
  }
  void stand_still(microseconds duration) override {
    slept += duration;
    if (on_sleep) on_sleep(duration);
  }
  [[noreturn]] void crash(std::string_view) override { std::abort(); }
  [[nodiscard]] std::int64_t unix_micros(UnixMillis turn) override { return turn.ms * 1000 + 123; }
  [[nodiscard]] Result<void> rewrite_config(RewriteExtent extent) override {
    last_extent = extent;
    if (!config_file)
      return fail(ErrorCode::kInvalid, "The server is running without a config file");
    ++rewrites;
    return {};
  }

  [[nodiscard]] Result<std::string> read_text(const std::string& path) override {
    const auto at = files.find(path);
    if (at == files.end()) return fail(ErrorCode::kIo, "No such file or directory");
    return at->second;
  }
  [[nodiscard]] Result<void> replace_text(const std::string& path, std::string_view text) override {
    if (disk_is_full) return fail(ErrorCode::kIo, "No space left on device");
    files[path] = text;
    return {};
  }
  [[nodiscard]] std::string secret_hex(std::size_t length) override {
    return std::string(length, 'a');
  }

  std::map<std::string, std::string> files;
  bool disk_is_full = false;
  int shutdowns = 0, rewrites = 0;
  bool pending_shutdown = false;
  ShutdownRequest last_shutdown;
  bool config_file = true;
  RewriteExtent last_extent = RewriteExtent::kChanged;
  microseconds slept{0};
  std::function<void(microseconds)> on_sleep;
};

}  // namespace hearth::test
