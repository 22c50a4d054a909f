#include "tools/warm_mapping/key_template.h"

#include <fmt/core.h>

#include <algorithm>

#include "src/base/parse_number.h"

namespace hearth::warm {
namespace {

constexpr std::size_t kPadMax = 64;

bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

// The end of a "{...}" that begins at `at`: the first '}' that stands outside of quotes.
std::size_t closing_brace(std::string_view text, std::size_t at) {
  bool quoted = false;
  for (std::size_t i = at + 1; i < text.size(); ++i) {
    if (text[i] == '"') quoted = !quoted;
    if (text[i] == '}' && !quoted) return i;
  }
  return std::string_view::npos;
}

}  // namespace

Result<KeyTemplate::Format> KeyTemplate::parse_format(std::string_view word) {
  if (word == "lower") return Format{Change::kLower};
  if (word == "upper") return Format{Change::kUpper};
  if (word == "url") return Format{Change::kUrl};
  if (word.starts_with("pad")) {
    const auto width = parse_uint64(word.substr(3));
    if (width && *width >= 1 && *width <= kPadMax)
      return Format{Change::kPad, static_cast<std::size_t>(*width)};
  }
  return fail(ErrorCode::kInvalid,
              fmt::format("'{}' is no format (lower, upper, url, pad1 to pad64)", word));
}

Result<KeyTemplate::Part> KeyTemplate::parse_column(std::string_view inside) {
  Part part;
  std::string_view rest;
  if (inside.starts_with('"')) {
    const auto end = inside.find('"', 1);
    if (end == std::string_view::npos) return fail(ErrorCode::kInvalid, "'\"' does not end");
    part.column = inside.substr(1, end - 1);
    rest = inside.substr(end + 1);
    if (!rest.empty() && rest[0] != ':')
      return fail(ErrorCode::kInvalid, "only ':format' may follow a quoted name");
  } else {
    const auto colon = std::min(inside.find(':'), inside.size());
    part.column = inside.substr(0, colon);
    rest = inside.substr(colon);
    if (part.column.find('{') != std::string::npos)
      return fail(ErrorCode::kInvalid, "'{' inside of a column name");
  }
  if (part.column.empty()) return fail(ErrorCode::kInvalid, "no column between '{' and '}'");
  while (!rest.empty()) {
    rest.remove_prefix(1);
    const auto end = std::min(rest.find(':'), rest.size());
    HEARTH_TRY(const Format format, parse_format(rest.substr(0, end)));
    part.formats.push_back(format);
    rest = rest.substr(end);
  }
  return part;
}

Result<KeyTemplate> KeyTemplate::parse(std::string_view text) {
  KeyTemplate result;
  std::string literal;
  const auto wrong = [&](std::size_t at, std::string_view what) {
    return fail(ErrorCode::kInvalid,
                fmt::format("key template '{}', character {}: {}", text, at + 1, what));
  };
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    const bool doubled = i + 1 < text.size() && text[i + 1] == c;
    if ((c == '{' || c == '}') && doubled) {
      literal += c;
      i += 2;
    } else if (c == '}') {
      return wrong(i, "'}' without '{' (a literal brace is written twice)");
    } else if (c == '{') {
      const auto close = closing_brace(text, i);
      if (close == std::string_view::npos)
        return wrong(i, "'{' without '}' (a literal brace is written twice)");
      auto part = parse_column(text.substr(i + 1, close - i - 1));
      if (!part) return wrong(i, part.error().context);
      part->literal = std::move(literal);
      literal.clear();
      result.parts_.push_back(*std::move(part));
      i = close + 1;
    } else {
      literal += c;
      ++i;
    }
  }
  if (result.parts_.empty()) {
    return fail(
        ErrorCode::kInvalid,
        fmt::format("key template '{}' names no column, so all rows would have one key", text));
  }
  if (!literal.empty()) result.parts_.push_back({.literal = std::move(literal)});
  return result;
}

Result<void> KeyTemplate::bind(const std::vector<Column>& columns) {
  for (auto& part : parts_) {
    if (part.column.empty()) continue;
    const auto is_it = [&](const Column& column) { return column.name == part.column; };
    const auto found = std::find_if(columns.begin(), columns.end(), is_it);
    if (std::count_if(columns.begin(), columns.end(), is_it) > 1) {
      return fail(ErrorCode::kInvalid,
                  fmt::format("key names column '{}', and two columns are named so", part.column));
    }
    if (found == columns.end()) {
      return fail(ErrorCode::kInvalid,
                  fmt::format("key names column '{}', which the rows do not have", part.column));
    }
    part.index = static_cast<std::size_t>(found - columns.begin());
  }
  return {};
}

void KeyTemplate::apply(const Format& format, Buffer& out, std::size_t begin) {
  const std::string text(out.view().substr(begin));
  out.cut_to(begin);
  switch (format.change) {
    case Change::kLower: return out.append(lower_case(text));
    case Change::kUpper:
      for (const char c : text) out.push(ascii_upper(c));
      return;
    case Change::kPad:
      for (std::size_t i = text.size(); i < format.width; ++i) out.push('0');
      return out.append(text);
    case Change::kUrl: {
      static constexpr char kHex[] = "0123456789ABCDEF";
      for (const char c : text) {
        if (is_unreserved(c)) {
          out.push(c);
        } else {
          const auto byte = static_cast<unsigned char>(c);
          const char escaped[3] = {'%', kHex[byte >> 4], kHex[byte & 15]};
          out.append({escaped, 3});
        }
      }
    }
  }
}

int KeyTemplate::render(Row row, Buffer& out) const {
  for (const auto& part : parts_) {
    out.append(part.literal);
    if (part.column.empty()) continue;
    const Cell& cell = row[part.index];
    const std::size_t begin = out.size();
    if (cell.is_null() || !append_plain(out, cell)) return static_cast<int>(part.index);
    for (const Format& format : part.formats) apply(format, out, begin);
  }
  return -1;
}

std::string KeyTemplate::glob() const {
  std::string out;
  for (const auto& part : parts_) {
    for (const char c : part.literal) {
      if (c == '*' || c == '?' || c == '[' || c == ']' || c == '\\' || c == '^') out += '\\';
      out += c;
    }
    if (!part.column.empty()) out += '*';
  }
  return out;
}

std::size_t KeyTemplate::literal_bytes() const {
  std::size_t sum = 0;
  for (const auto& part : parts_) sum += part.literal.size();
  return sum;
}

bool KeyTemplate::merges_values() const {
  for (const auto& part : parts_) {
    for (const auto& format : part.formats) {
      if (format.change == Change::kLower || format.change == Change::kUpper) return true;
    }
  }
  return false;
}

bool KeyTemplate::is_invertible() const {
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    if (!parts_[i].formats.empty()) return false;
    if (i > 0 && !parts_[i].column.empty() && parts_[i].literal.empty()) return false;
  }
  return !parts_.empty();
}

std::optional<std::vector<std::string>> KeyTemplate::values_of(std::string_view key) const {
  std::vector<std::string> values;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const Part& part = parts_[i];
    if (!key.starts_with(part.literal)) return std::nullopt;
    key.remove_prefix(part.literal.size());
    if (part.column.empty()) break;
    std::size_t end = key.size();
    if (i + 1 < parts_.size()) {
      const Part& next = parts_[i + 1];
      // Behind the last column, the text ends the key.
      end = next.column.empty() && key.ends_with(next.literal) ? key.size() - next.literal.size()
                                                               : key.find(next.literal);
      if (end == std::string_view::npos) return std::nullopt;
    }
    values.emplace_back(key.substr(0, end));
    key.remove_prefix(end);
  }
  if (!key.empty()) return std::nullopt;
  return values;
}

std::vector<std::string> KeyTemplate::columns() const {
  std::vector<std::string> names;
  for (const auto& part : parts_) {
    if (!part.column.empty()) names.push_back(part.column);
  }
  return names;
}

}  // namespace hearth::warm
