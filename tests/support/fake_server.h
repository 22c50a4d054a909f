// FakeServer: the process around an engine, as far as tests need one.
#pragma once

#include <cstdlib>
#include <string>
#include <string_view>

#include "src/command/services.h"

namespace hearth::test {

class FakeServer final : public ServerControl {
 public:
  void shutdown() override { ++shutdowns; }
  void sleep(microseconds duration) override { slept += duration; }
  [[noreturn]] void crash(std::string_view) override { std::abort(); }
  [[nodiscard]] std::int64_t unix_micros(UnixMillis turn) override { return turn.ms * 1000 + 123; }
  [[nodiscard]] Result<void> rewrite_config(RewriteExtent extent) override {
    last_extent = extent;
    if (!config_file)
      return fail(ErrorCode::kInvalid, "The server is running without a config file");
    ++rewrites;
    return {};
  }

  int shutdowns = 0, rewrites = 0;
  bool config_file = true;
  RewriteExtent last_extent = RewriteExtent::kChanged;
  microseconds slept{0};
};

}  // namespace hearth::test
