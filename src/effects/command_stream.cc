#include "src/effects/command_stream.h"

#include <algorithm>

#include "src/base/format_number.h"

namespace hearth {
namespace {

void append_length(char kind, std::size_t length, std::string& out) {
  out += kind;
  out += int64_text(static_cast<std::int64_t>(length));
  out += "\r\n";
}

template <typename Words>
void append_words(const Words& words, std::string& out) {
  append_length('*', words.size(), out);
  for (const std::string_view word : words) {
    append_length('$', word.size(), out);
    out += word;
    out += "\r\n";
  }
}

}  // namespace

void append_command(std::span<const std::string_view> words, std::string& out) {
  append_words(words, out);
}
void append_command(std::span<const std::string> words, std::string& out) {
  append_words(words, out);
}

void CommandStream::select(DbIndex db, std::string& out) {
  if (selected_ == db) return;
  selected_ = db;
  const std::string number = int64_text(db);
  append_words(std::initializer_list<std::string_view>{"SELECT", number}, out);
}

void CommandStream::append(const CommittedUnit& unit, std::string& out) {
  const auto count = std::ranges::count_if(
      unit.effects, [this](const Effect& effect) { return (effect.targets & target_) != 0; });
  if (count == 0) return;
  const bool transaction = unit.together && count > 1;
  if (transaction) append_words(std::initializer_list<std::string_view>{"MULTI"}, out);
  for (const Effect& effect : unit.effects) {
    if ((effect.targets & target_) == 0) continue;
    select(effect.db, out);
    append_words(effect.argv, out);
  }
  if (transaction) append_words(std::initializer_list<std::string_view>{"EXEC"}, out);
}

}  // namespace hearth
