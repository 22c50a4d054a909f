// How long the key of a row lives.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "src/base/time.h"
#include "tools/warm_mapping/mapping.h"
#include "tools/warm_mapping/row.h"

namespace hearth::warm {

// Either a length from now on, or a point in time, or neither: for ever.
struct Lifetime {
  std::optional<milliseconds> length;
  std::optional<UnixMillis> deadline;
  bool is_over = false;  // nothing is to be stored

  [[nodiscard]] bool is_forever() const { return !length && !deadline; }
};

// `cell` is the one of ttl_column or expires_at; null when the mapping has neither. Nothing when
// the cell says no time: numbers are seconds, texts are numbers or ISO 8601 (UTC without a zone).
[[nodiscard]] std::optional<Lifetime> lifetime_of(const Output& output, const Cell& cell,
                                                  std::string_view key, UnixMillis now);

}  // namespace hearth::warm
