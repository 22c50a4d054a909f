// The service manager that started the process: what `supervised` says, and how it is told that the
// server is ready. Source: sd_notify(3); upstart's "expect stop".
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "src/config/settings.h"

namespace hearth {

class Supervisor {
 public:
  // `auto` looks for what the manager left in the environment. With a manager that is named but
  // has left nothing there, or with none, nobody is told anything. To be called once, before there
  // are threads: what was meant for this process alone is taken out of the environment.
  [[nodiscard]] static Supervisor find(config::Supervised setting);

  [[nodiscard]] bool is_there() const { return kind_ != Kind::kNone; }
  // As INFO's process_supervised has it.
  [[nodiscard]] std::string_view name() const;

  // The server takes clients. Upstart is told by a stop of the process, which it ends.
  void ready();
  // It will be ready after at most so long.
  void wait_longer(seconds most);
  void stopping();

 private:
  enum class Kind : unsigned char { kNone, kSystemd, kUpstart };
  explicit Supervisor(Kind kind, std::string socket = "")
      : kind_(kind), socket_(std::move(socket)) {}

  Kind kind_;
  std::string socket_;  // kSystemd
};

}  // namespace hearth
