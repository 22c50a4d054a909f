#include "src/commands/string/condition.h"

#include <algorithm>
#include <cctype>

#include "src/base/format_number.h"
#include "src/base/hash.h"

namespace hearth::commands {
namespace {

constexpr std::size_t kDigestDigits = 16;

bool is_digest(std::string_view text) {
  return text.size() == kDigestDigits && std::all_of(text.begin(), text.end(), [](char c) {
           return std::isxdigit(static_cast<unsigned char>(c)) != 0;
         });
}

}  // namespace

std::string digest_text(std::string_view value) {
  static constexpr char kDigits[] = "0123456789abcdef";
  const std::uint64_t hash = hash_bytes(value, 0);
  std::string text(kDigestDigits, '0');
  for (std::size_t i = 0; i < kDigestDigits; ++i) text[i] = kDigits[(hash >> (60 - 4 * i)) & 15];
  return text;
}

Result<bool, ReplyError> Condition::holds(const Entry* entry) const {
  const bool negative = kind == Kind::kNotEqual || kind == Kind::kDigestNotEqual;
  if (entry == nullptr) return negative;
  if (entry->type() != Type::kString) return refuse(std::string(kWrongType));
  char scratch[kInt64TextMax];
  const std::string_view value = entry->string_value(scratch);
  const bool by_digest = kind == Kind::kDigestEqual || kind == Kind::kDigestNotEqual;
  const bool equal = by_digest ? equals_ignore_case(digest_text(value), operand) : value == operand;
  return equal != negative;
}

Result<std::optional<Condition>, ReplyError> condition_at(const ArgReader& args, std::size_t i) {
  using Kind = Condition::Kind;
  struct Word {
    std::string_view text;
    Kind kind;
  };
  static constexpr Word kWords[] = {{"IFEQ", Kind::kEqual},
                                    {"IFNE", Kind::kNotEqual},
                                    {"IFDEQ", Kind::kDigestEqual},
                                    {"IFDNE", Kind::kDigestNotEqual}};
  for (const Word& word : kWords) {
    if (!args.is(i, word.text, 1)) continue;
    const Condition condition{word.kind, args[i + 1]};
    const bool by_digest = word.kind == Kind::kDigestEqual || word.kind == Kind::kDigestNotEqual;
    if (by_digest && !is_digest(condition.operand))
      return refuse("ERR The digest must be exactly 16 hexadecimal characters");
    return condition;
  }
  return std::optional<Condition>();
}

}  // namespace hearth::commands
