// Versions of keys (VER n) in streams of commands: in the log, to replicas, and to the target of
// slots that move. Each is the text of an ECHO, which other servers run without effect.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hearth {

// "number:rest", as notes begin behind their name. Nothing if no number from 0 to 2^63 - 1 is
// there.
struct NumberedText {
  std::uint64_t number = 0;
  std::string_view rest;
};
[[nodiscard]] std::optional<NumberedText> numbered_text(std::string_view text);

// The key that was written just before has this version, or, if it is gone, leaves it.
struct VersionNote {
  std::uint64_t version = 0;  // 1 .. 2^63 - 1
  std::string_view key;

  [[nodiscard]] std::string text() const;
  // Nothing if the text is none that text() makes.
  [[nodiscard]] static std::optional<VersionNote> parse(std::string_view text);
};

// Versions of keys that are gone, for the database that is selected. Of keys in slots, at most
// kMost in a note.
struct GoneNote {
  static constexpr std::size_t kMost = 1024;
  struct Key {
    std::uint64_t fingerprint = 0;  // see Tombstones
    std::uint64_t version = 0;      // 1 .. 2^63 - 1
  };
  std::uint64_t floor = 0;
  std::vector<Key> keys;

  [[nodiscard]] std::string text() const;
  [[nodiscard]] static std::optional<GoneNote> parse(std::string_view text);
};

// Hands over the notes of all tombstones that are wanted(fingerprint), and of their floor. O(all).
template <typename Tombstones, typename Wanted, typename Take>
void for_each_gone_note(const Tombstones& tombstones, Wanted&& wanted, Take&& take) {
  GoneNote note{tombstones.floor(), {}};
  tombstones.for_each([&](std::uint64_t fingerprint, std::uint64_t version) {
    if (!wanted(fingerprint)) return;
    note.keys.push_back({fingerprint, version});
    if (note.keys.size() < GoneNote::kMost) return;
    take(note.text());
    note = {};
  });
  if (note.floor > 0 || !note.keys.empty()) take(note.text());
}

}  // namespace hearth
