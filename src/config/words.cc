#include "src/config/words.h"

#include <fmt/format.h>

namespace hearth::config {
namespace {

bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r') || c == '\0'; }

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

char escaped(char c) {
  switch (c) {
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'b': return '\b';
    case 'a': return '\a';
    default: return c;
  }
}

// Reads the inside of double quotes; `i` stands behind the opening one and is left behind the
// closing one. False if there is none.
bool read_double_quoted(std::string_view line, std::size_t& i, std::string& word) {
  while (i < line.size()) {
    const char c = line[i];
    if (c == '"') {
      ++i;
      return true;
    }
    if (c == '\\' && i + 3 < line.size() && line[i + 1] == 'x' && hex_digit(line[i + 2]) >= 0 &&
        hex_digit(line[i + 3]) >= 0) {
      word += static_cast<char>(hex_digit(line[i + 2]) * 16 + hex_digit(line[i + 3]));
      i += 4;
    } else if (c == '\\' && i + 1 < line.size()) {
      word += escaped(line[i + 1]);
      i += 2;
    } else {
      word += c;
      ++i;
    }
  }
  return false;
}

bool read_single_quoted(std::string_view line, std::size_t& i, std::string& word) {
  while (i < line.size()) {
    if (line[i] == '\'') {
      ++i;
      return true;
    }
    if (line[i] == '\\' && i + 1 < line.size() && line[i + 1] == '\'') ++i;
    word += line[i++];
  }
  return false;
}

}  // namespace

std::optional<std::vector<std::string>> split_words(std::string_view line) {
  std::vector<std::string> words;
  std::size_t i = 0;
  while (true) {
    while (i < line.size() && is_blank(line[i])) ++i;
    if (i == line.size()) return words;
    std::string word;
    while (i < line.size() && !is_blank(line[i])) {
      const char c = line[i];
      if (c != '"' && c != '\'') {
        word += c;
        ++i;
        continue;
      }
      ++i;
      const bool closed =
          c == '"' ? read_double_quoted(line, i, word) : read_single_quoted(line, i, word);
      if (!closed || (i < line.size() && !is_blank(line[i]))) return std::nullopt;
    }
    words.push_back(std::move(word));
  }
}

std::string quoted(std::string_view word) {
  std::string out = "\"";
  for (const char c : word) {
    const auto byte = static_cast<unsigned char>(c);
    switch (c) {
      case '\\': out += "\\\\"; break;
      case '"': out += "\\\""; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      case '\a': out += "\\a"; break;
      case '\b': out += "\\b"; break;
      default:
        if (byte >= 0x20 && byte < 0x7f) {
          out += c;
        } else {
          out += fmt::format("\\x{:02x}", byte);
        }
    }
  }
  out += '"';
  return out;
}

std::string quoted_if_needed(std::string_view word) {
  bool plain = !word.empty() && word[0] != '#';
  for (const char c : word) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte >= 0x7f || c == '"' || c == '\'' || c == '\\') plain = false;
  }
  return plain ? std::string(word) : quoted(word);
}

}  // namespace hearth::config
