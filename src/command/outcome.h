// Outcome: how a handler ends, with or without an error for the client.
#pragma once

#include <string>

#include "src/base/result.h"

namespace hearth {

// A client's mistake. The text starts with its code: "ERR ...", "WRONGTYPE ...".
struct ReplyError {
  std::string text;
  bool counted = false;  // in the statistics of errors already, by the command that a script called
};
using Outcome = Result<void, ReplyError>;

[[nodiscard]] inline tl::unexpected<ReplyError> refuse(std::string text) {
  return tl::unexpected<ReplyError>(ReplyError{std::move(text)});
}

}  // namespace hearth
