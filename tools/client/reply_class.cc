#include "tools/client/reply_class.h"

#include <fmt/core.h>

#include "src/base/parse_number.h"

namespace hearth::client {

ReplyClass classify_error(std::string_view error) noexcept {
  const std::string_view word = error.substr(0, error.find(' '));
  if (word == "MOVED") return ReplyClass::kMoved;
  if (word == "ASK") return ReplyClass::kAsk;
  if (word == "READONLY") return ReplyClass::kWrongRole;
  for (const std::string_view later : {"LOADING", "TRYAGAIN", "CLUSTERDOWN", "BUSY", "MASTERDOWN",
                                       "OOM", "NOREPLICAS", "MISCONF"}) {
    if (word == later) return ReplyClass::kTryLater;
  }
  return ReplyClass::kRefused;
}

Result<Redirection> parse_redirection(std::string_view error, const Endpoint& from) {
  const auto first = error.find(' ');
  const auto second = first == std::string_view::npos ? first : error.find(' ', first + 1);
  if (second == std::string_view::npos) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("redirection without slot and address: '{}'", error));
  }
  const auto slot = parse_uint64(error.substr(first + 1, second - first - 1));
  if (!slot || *slot >= kSlotCount) {
    return fail(ErrorCode::kCorrupt, fmt::format("redirection with a wrong slot: '{}'", error));
  }
  auto endpoint = parse_redirect_endpoint(error.substr(second + 1), from);
  if (!endpoint)
    return fail(ErrorCode::kCorrupt,
                fmt::format("redirection '{}': {}", error, endpoint.error().context));
  return Redirection{static_cast<Slot>(*slot), *std::move(endpoint)};
}

}  // namespace hearth::client
