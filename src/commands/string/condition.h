// Conditions on the value a key holds: IFEQ, IFNE, IFDEQ, IFDNE of SET and DELEX.
//
// A digest is XXH3 of the value, 64 bits with seed 0, in 16 hex digits of any case.
#pragma once

#include <optional>
#include <string>

#include "src/command/args.h"
#include "src/store/entry.h"

namespace hearth::commands {

struct Condition {
  enum class Kind : std::uint8_t { kEqual, kNotEqual, kDigestEqual, kDigestNotEqual };
  Kind kind = Kind::kEqual;
  std::string_view operand;

  // Whether the condition holds for a string; for an absent key, given as nullptr, only the
  // negative ones hold. Refuses values of other types.
  [[nodiscard]] Result<bool, ReplyError> holds(const Entry* entry) const;
};

// The condition at word i and its operand behind it; nothing if there is none. Refuses a digest
// that cannot be one.
[[nodiscard]] Result<std::optional<Condition>, ReplyError> condition_at(const ArgReader& args,
                                                                        std::size_t i);

// 16 lower-case hex digits.
[[nodiscard]] std::string digest_text(std::string_view value);

inline constexpr ArgDoc kValueConditions[] = {
    args::string("ifeq-value", "IFEQ"), args::string("ifne-value", "IFNE"),
    args::string("ifdeq-digest", "IFDEQ"), args::string("ifdne-digest", "IFDNE")};

}  // namespace hearth::commands
