#include "src/effects/version_notes.h"

#include <fmt/format.h>

#include "src/base/bytes.h"
#include "src/base/parse_number.h"

namespace hearth {
namespace {

constexpr std::string_view kVersion = "hearth:version:";  // version ':' key
constexpr std::string_view kGone = "hearth:gone:";        // floor ':' (fingerprint version) ...

std::optional<NumberedText> numbered_behind(std::string_view name, std::string_view text) {
  return text.starts_with(name) ? numbered_text(text.substr(name.size())) : std::nullopt;
}

}  // namespace

std::optional<NumberedText> numbered_text(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto number = parse_int64(text.substr(0, colon));
  if (!number || *number < 0) return std::nullopt;
  return NumberedText{static_cast<std::uint64_t>(*number), text.substr(colon + 1)};
}

std::string VersionNote::text() const { return fmt::format("{}{}:{}", kVersion, version, key); }

std::optional<VersionNote> VersionNote::parse(std::string_view text) {
  const auto told = numbered_behind(kVersion, text);
  if (!told || told->number == 0) return std::nullopt;
  return VersionNote{told->number, told->rest};
}

std::string GoneNote::text() const {
  std::string text = fmt::format("{}{}:", kGone, floor);
  ByteWriter writer(text);
  for (const Key& key : keys) {
    writer.le(key.fingerprint);
    writer.le(key.version);
  }
  return text;
}

std::optional<GoneNote> GoneNote::parse(std::string_view text) {
  const auto told = numbered_behind(kGone, text);
  if (!told || told->rest.size() > kMost * sizeof(Key)) return std::nullopt;
  GoneNote note{told->number, {}};
  ByteReader reader(told->rest);
  while (reader.remaining() > 0) {
    Key& key = note.keys.emplace_back();
    if (!reader.le(key.fingerprint) || !reader.le(key.version) || key.version == 0 ||
        key.version > INT64_MAX)
      return std::nullopt;
  }
  return note;
}

}  // namespace hearth
