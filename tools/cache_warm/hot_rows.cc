#include "tools/cache_warm/hot_rows.h"

#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "src/base/bytes.h"
#include "src/base/parse_number.h"
#include "tools/warm_mapping/json.h"

namespace hearth::warm {
namespace {

constexpr std::size_t kKeysOfChunk = 100;
// A query whose rows make groups is asked for one key at a time.
constexpr std::size_t kQueriesMost = 200;

// A family of types for which it is known which texts they hold.
enum class Family : std::uint8_t { kInteger, kUnsigned, kDecimal, kText, kUuid };
struct KnownType {
  Family family;
  std::int64_t least = 0;  // kInteger
  std::int64_t most = 0;
};

template <typename T>
constexpr KnownType integer_type() {
  return {Family::kInteger, std::numeric_limits<T>::min(), std::numeric_limits<T>::max()};
}

// "character varying(10)" is "character varying".
std::optional<KnownType> known_type(std::string_view source_type) {
  std::string name = lower_case(source_type.substr(0, source_type.find('(')));
  while (name.ends_with(' ')) name.pop_back();
  if (name.ends_with(" unsigned")) return KnownType{Family::kUnsigned};
  static constexpr std::pair<std::string_view, KnownType> kTypes[] = {
      {"smallint", integer_type<std::int16_t>()},
      {"tinyint", integer_type<std::int16_t>()},
      {"integer", integer_type<std::int32_t>()},
      {"int", integer_type<std::int32_t>()},
      {"mediumint", integer_type<std::int32_t>()},
      {"bigint", integer_type<std::int64_t>()},
      {"numeric", {Family::kDecimal}},
      {"decimal", {Family::kDecimal}},
      {"text", {Family::kText}},
      {"character varying", {Family::kText}},
      {"character", {Family::kText}},
      {"citext", {Family::kText}},
      {"uuid", {Family::kUuid}},
  };
  for (const auto& [known, type] : kTypes) {
    if (name == known) return type;
  }
  return std::nullopt;
}

bool is_plain_text(std::string_view value) {
  Buffer scratch;
  return value.find('\0') == std::string_view::npos && append_json_string(scratch, value);
}

bool is_decimal(std::string_view value) {
  constexpr std::size_t kDigitsMost = 40;
  if (value.starts_with('-')) value.remove_prefix(1);
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  return !value.empty() && value.size() <= kDigitsMost && is_digit(value.front()) &&
         is_digit(value.back()) && std::count(value.begin(), value.end(), '.') <= 1 &&
         std::all_of(value.begin(), value.end(), [&](char c) { return is_digit(c) || c == '.'; });
}

bool is_uuid(std::string_view value) {
  constexpr std::size_t kUuidBytes = 36;
  if (value.size() != kUuidBytes) return false;
  for (std::size_t i = 0; i < kUuidBytes; ++i) {
    const char c = value[i];
    const bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
    const bool is_hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    if (is_dash ? c != '-' : !is_hex) return false;
  }
  return true;
}

bool may_be_compared(std::string_view value, const KnownType& type) {
  switch (type.family) {
    case Family::kInteger: {
      const auto number = parse_int64(value);
      return number && *number >= type.least && *number <= type.most;
    }
    case Family::kUnsigned: return parse_uint64(value).has_value();
    case Family::kDecimal: return is_decimal(value);
    case Family::kText: return is_plain_text(value);
    case Family::kUuid: return is_uuid(value);
  }
  return false;
}

// Why keys of the mapping can't be turned into rows; or the types of the template's columns.
struct Inverse {
  std::string obstacle;
  std::vector<KnownType> types;
};
Inverse inverse_of(const PreparedMapping& prepared, Typing typing) {
  Inverse inverse;
  const KeyTemplate& key = prepared.mapping->outputs.front().key;
  if (!key.is_invertible()) {
    inverse.obstacle = "its key has formats, or columns without text between them";
    return inverse;
  }
  for (const std::string& name : key.columns()) {
    const auto at = std::find_if(prepared.shape.columns.begin(), prepared.shape.columns.end(),
                                 [&](const Column& column) { return column.name == name; });
    const auto type = at == prepared.shape.columns.end() || typing == Typing::kLoose
                          ? std::optional(KnownType{Family::kText})
                          : known_type(at->source_type);
    if (!type) {
      inverse.obstacle = fmt::format("column '{}' is of a type that is not searched for ({})", name,
                                     at->source_type);
      return inverse;
    }
    inverse.types.push_back(*type);
  }
  return inverse;
}

std::vector<std::vector<std::string>> values_of(const KeyTemplate& key,
                                                const std::vector<KnownType>& types,
                                                std::span<const std::string> keys) {
  std::vector<std::vector<std::string>> found;
  for (const std::string& name : keys) {
    auto values = key.values_of(name);
    if (!values) continue;
    bool is_good = values->size() == types.size();
    for (std::size_t i = 0; is_good && i < types.size(); ++i)
      is_good = may_be_compared((*values)[i], types[i]);
    if (is_good) found.push_back(*std::move(values));
  }
  return found;
}

}  // namespace

HotRows find_hot_rows(std::span<const PreparedMapping> mappings, std::span<const std::string> keys,
                      Typing typing) {
  HotRows hot;
  if (keys.empty()) return hot;
  for (std::size_t i = 0; i < mappings.size(); ++i) {
    const Mapping& mapping = *mappings[i].mapping;
    const Inverse inverse = inverse_of(mappings[i], typing);
    if (!inverse.obstacle.empty()) {
      hot.notes.push_back(
          fmt::format("mapping '{}': the keys that are used most are not loaded "
                      "first, since {}",
                      mapping.name, inverse.obstacle));
      continue;
    }
    const KeyTemplate& key = mapping.outputs.front().key;
    auto values = values_of(key, inverse.types, keys);
    const bool one_by_one = mapping.group && !mapping.selection.sql.empty();
    if (one_by_one && values.size() > kQueriesMost) values.resize(kQueriesMost);
    const std::size_t step = one_by_one ? 1 : kKeysOfChunk;
    for (std::size_t at = 0; at < values.size(); at += step) {
      Chunk chunk{.kind = Chunk::Kind::kKeys};
      chunk.columns = key.columns();
      const std::size_t end = std::min(values.size(), at + step);
      for (std::size_t one = at; one < end; ++one) chunk.keys.push_back(std::move(values[one]));
      hot.tasks.push_back({i, std::move(chunk), true});
    }
  }
  return hot;
}

}  // namespace hearth::warm
