#include "tools/cache_warm/key_template.h"

#include <fmt/core.h>

#include <algorithm>

namespace hearth::warm {

Result<KeyTemplate> KeyTemplate::parse(std::string_view text) {
  KeyTemplate result;
  Part part;
  const auto wrong = [&](std::size_t at, std::string_view what) {
    return fail(ErrorCode::kInvalid,
                fmt::format("key template '{}', character {}: {}", text, at + 1, what));
  };
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    const bool doubled = i + 1 < text.size() && text[i + 1] == c;
    if ((c == '{' || c == '}') && doubled) {
      part.literal += c;
      i += 2;
    } else if (c == '}') {
      return wrong(i, "'}' without '{' (a literal brace is written twice)");
    } else if (c == '{') {
      const auto close = text.find('}', i);
      if (close == std::string_view::npos)
        return wrong(i, "'{' without '}' (a literal brace is written twice)");
      const std::string_view name = text.substr(i + 1, close - i - 1);
      if (name.empty()) return wrong(i, "no column between '{' and '}'");
      if (name.find('{') != std::string_view::npos) return wrong(i, "'{' inside of a column name");
      part.column = name;
      result.parts_.push_back(std::move(part));
      part = Part{};
      i = close + 1;
    } else {
      part.literal += c;
      ++i;
    }
  }
  if (result.parts_.empty()) {
    return fail(
        ErrorCode::kInvalid,
        fmt::format("key template '{}' names no column, so all rows would have one key", text));
  }
  if (!part.literal.empty()) result.parts_.push_back(std::move(part));
  return result;
}

Result<void> KeyTemplate::bind(const std::vector<Column>& columns) {
  for (auto& part : parts_) {
    if (part.column.empty()) continue;
    const auto found = std::find_if(columns.begin(), columns.end(), [&](const Column& column) {
      return column.name == part.column;
    });
    if (found == columns.end()) {
      return fail(ErrorCode::kInvalid,
                  fmt::format("key names column '{}', which the rows do not have", part.column));
    }
    part.index = static_cast<std::size_t>(found - columns.begin());
  }
  return {};
}

int KeyTemplate::render(Row row, Buffer& out) const {
  for (const auto& part : parts_) {
    out.append(part.literal);
    if (part.column.empty()) continue;
    const Cell& cell = row[part.index];
    if (cell.is_null()) return static_cast<int>(part.index);
    append_plain(out, cell);
  }
  return -1;
}

std::vector<std::string> KeyTemplate::columns() const {
  std::vector<std::string> names;
  for (const auto& part : parts_) {
    if (!part.column.empty()) names.push_back(part.column);
  }
  return names;
}

}  // namespace hearth::warm
