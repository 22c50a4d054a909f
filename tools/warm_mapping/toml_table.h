// Reads one TOML table key by key, with errors that name file, line and key.
#pragma once

#include <fmt/core.h>

#define TOML_EXCEPTIONS 0
// The library states what it believes of its input with assert; a mapping file is anybody's text
// and must end in an error, not in an abort.
#define TOML_ASSERT(condition) static_cast<void>(0)
#include <toml++/toml.h>

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/parse_number.h"
#include "src/base/result.h"
#include "tools/warm_mapping/ttl.h"

namespace hearth::warm {

// Takes the keys of one table out one by one; what is left at the end is unknown. Keeps the first
// error and the place it belongs to, so that a caller may read all keys and ask once.
class TableReader {
 public:
  TableReader(std::string_view file, std::string path, const toml::table& table)
      : file_(file), path_(std::move(path)), table_(table) {}

  bool has(std::string_view key) const { return table_.contains(key); }

  std::optional<std::string> text(std::string_view key) {
    const auto* node = take(key);
    if (node == nullptr) return std::nullopt;
    if (const auto value = node->value_exact<std::string>()) return *value;
    wrong(key, "must be a string");
    return std::nullopt;
  }
  std::optional<bool> boolean(std::string_view key) {
    const auto* node = take(key);
    if (node == nullptr) return std::nullopt;
    if (const auto value = node->value_exact<bool>()) return *value;
    wrong(key, "must be true or false");
    return std::nullopt;
  }
  std::optional<std::uint64_t> number(std::string_view key, std::uint64_t least,
                                      std::uint64_t most) {
    const auto* node = take(key);
    if (node == nullptr) return std::nullopt;
    const auto value = node->value_exact<std::int64_t>();
    if (!value || *value < 0 || static_cast<std::uint64_t>(*value) < least ||
        static_cast<std::uint64_t>(*value) > most) {
      wrong(key, fmt::format("must be a whole number, {} to {}", least, most));
      return std::nullopt;
    }
    return static_cast<std::uint64_t>(*value);
  }
  // A number of bytes, or a text such as "64mb".
  std::optional<std::size_t> bytes(std::string_view key, std::uint64_t least, std::uint64_t most) {
    const auto* node = take(key);
    if (node == nullptr) return std::nullopt;
    std::optional<std::uint64_t> size;
    if (const auto value = node->value_exact<std::int64_t>(); value && *value >= 0)
      size = static_cast<std::uint64_t>(*value);
    if (const auto value = node->value_exact<std::string>()) size = parse_memory_size(*value);
    if (!size || *size < least || *size > most) {
      wrong(key, fmt::format("must be a size such as 64kb or 16mb, {} to {} bytes", least, most));
      return std::nullopt;
    }
    return static_cast<std::size_t>(*size);
  }
  std::optional<milliseconds> duration(std::string_view key) {
    const auto value = text(key);
    if (!value) return std::nullopt;
    const auto length = parse_duration(*value);
    if (!length)
      wrong(key, fmt::format("'{}' is no duration such as 30s, 15m, 1h30m or 7d", *value));
    return length;
  }
  std::optional<double> percent(std::string_view key) {
    const auto value = text(key);
    if (!value) return std::nullopt;
    const auto fraction = parse_percent(*value);
    if (!fraction) wrong(key, fmt::format("'{}' is no percentage such as 10%", *value));
    return fraction;
  }
  std::optional<std::vector<std::string>> texts(std::string_view key) {
    const auto* node = take(key);
    if (node == nullptr) return std::nullopt;
    std::vector<std::string> result;
    const auto* array = node->as_array();
    if (array == nullptr || array->empty()) {
      wrong(key, "must be a list of strings, with at least one");
      return std::nullopt;
    }
    for (const auto& item : *array) {
      const auto value = item.value_exact<std::string>();
      if (!value || value->empty()) {
        wrong(key, "must be a list of strings");
        return std::nullopt;
      }
      result.push_back(*value);
    }
    return result;
  }
  // Index into `words`.
  std::optional<std::size_t> choice(std::string_view key,
                                    std::initializer_list<std::string_view> words) {
    const auto value = text(key);
    if (!value) return std::nullopt;
    const auto found = std::find(words.begin(), words.end(), *value);
    if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
    wrong(key, fmt::format("'{}' is none of: {}", *value, joined(words)));
    return std::nullopt;
  }

  void wrong(std::string_view key, std::string_view what) {
    if (!error_) set_error(key, what);
  }
  // A key that is not known comes before any other mistake: that one may be missing because this
  // one is misspelt.
  Result<void> finish() {
    for (const auto& [key, node] : table_) {
      if (taken_.contains(std::string(key.str()))) continue;
      set_error(key.str(), "is not known here");
      break;
    }
    if (error_) return unexpected<Error>(*error_);
    return {};
  }
  const toml::node* take(std::string_view key) {
    taken_.emplace(key);
    return table_.get(key);
  }

 private:
  void set_error(std::string_view key, std::string_view what) {
    const auto* node = table_.get(key);
    const auto line = node == nullptr ? table_.source().begin.line : node->source().begin.line;
    error_ = Error{ErrorCode::kInvalid, fmt::format("{}:{}: {}{}{}: {}", file_, line, path_,
                                                    path_.empty() ? "" : ".", key, what)};
  }
  static std::string joined(std::initializer_list<std::string_view> words) {
    std::string all;
    for (const auto word : words) all += (all.empty() ? "" : ", ") + std::string(word);
    return all;
  }
  std::string_view file_;
  std::string path_;
  const toml::table& table_;
  std::set<std::string> taken_;
  std::optional<Error> error_;
};

template <typename T, typename U>
void assign(T& to, std::optional<U> from) {
  if (from) to = static_cast<T>(*std::move(from));
}

// `file:line: key: what`, for the place of a node.
[[nodiscard]] inline unexpected<Error> wrong_shape(std::string_view file, const toml::node& node,
                                                   std::string_view key, std::string_view what) {
  return fail(ErrorCode::kInvalid,
              fmt::format("{}:{}: {}: {}", file, node.source().begin.line, key, what));
}

}  // namespace hearth::warm
