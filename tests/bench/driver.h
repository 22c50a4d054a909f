// An engine that is given requests as bytes, without sockets: the way of a request but for the
// kernel.
#pragma once

#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "src/command/table.h"
#include "src/commands/all.h"
#include "src/config/registry.h"
#include "src/engine/engine.h"
#include "src/proto/request_parser.h"

namespace hearth::bench {

struct NoHost final : EngineHost {
  void flush_soon(Session& session) override { session.output_pending = false; }
  void close_soon(Session&) override {}
  void resume_soon(Session&) override {}
};

inline std::string request(const std::vector<std::string>& words) {
  std::string bytes = "*" + std::to_string(words.size()) + "\r\n";
  for (const auto& w : words) bytes += "$" + std::to_string(w.size()) + "\r\n" + w + "\r\n";
  return bytes;
}

class Driver {
 public:
  Driver() : specs_(all_commands()), table_(specs_) {
    Engine::Options o;
    o.seed = 42;
    o.config = &config_;
    o.commands = &table_;
    o.host = &host_;
    o.ticks = [] { return std::uint64_t{0}; };
    o.now = UnixMillis{1'700'000'000'000};
    o.mono = MonoTime{1};
    engine_ = std::make_unique<Engine>(o);
    session_ = &engine_->open({"127.0.0.1:1", "127.0.0.1:2", 1, false, true, false});
  }

  // Whole requests. Their replies are dropped.
  void run(std::string_view bytes) {
    const ParserLimits limits;
    std::size_t position = 0;
    while (position < bytes.size()) {
      batch_.clear();
      while (batch_.requests.size() < RequestBatch::kRequestsMost && position < bytes.size()) {
        const auto first = static_cast<std::uint32_t>(batch_.words.size());
        std::size_t used = 0;
        if (parser_.next(bytes.substr(position), limits, batch_.words, used) !=
            RequestParser::Status::kRequest)
          std::abort();
        position += used;
        batch_.requests.push_back({first,
                                   static_cast<std::uint32_t>(batch_.words.size()) - first,
                                   position,
                                   nullptr,
                                   {}});
      }
      engine_->run(*session_, batch_);
    }
    session_->out.consume(session_->out.size());
  }

  [[nodiscard]] const CommandTable& commands() const { return table_; }
  [[nodiscard]] std::uint64_t error_replies() { return engine_->stats().total_error_replies; }
  [[nodiscard]] Engine& engine() { return *engine_; }

 private:
  std::vector<const CommandSpec*> specs_;
  CommandTable table_;
  config::Registry config_;
  NoHost host_;
  std::unique_ptr<Engine> engine_;
  Session* session_ = nullptr;
  RequestParser parser_;
  RequestBatch batch_;
};

}  // namespace hearth::bench
