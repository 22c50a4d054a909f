#include "src/commands/key/slot_tag.h"

#include <array>
#include <memory>

#include "src/base/check.h"

namespace hearth::commands {
namespace {

constexpr std::string_view kTagLetters =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::size_t kTagMost = 3;

struct SlotTag {
  std::array<char, kTagMost> text{};
  std::uint8_t size = 0;
};
using SlotTags = std::array<SlotTag, kSlotCount>;

// All texts of `size` letters, in order.
void take_tags(SlotTags& tags, std::size_t size, int& missing) {
  std::array<std::size_t, kTagMost> at{};
  for (bool more = true; more && missing > 0;) {
    SlotTag tag;
    tag.size = static_cast<std::uint8_t>(size);
    for (std::size_t i = 0; i < size; ++i) tag.text[i] = kTagLetters[at[i]];
    SlotTag& known = tags[cluster::slot_of({tag.text.data(), size})];
    if (known.size == 0) {
      known = tag;
      --missing;
    }
    std::size_t digit = size;
    while (digit > 0 && ++at[digit - 1] == kTagLetters.size()) at[--digit] = 0;
    more = digit > 0;
  }
}

std::unique_ptr<const SlotTags> make_tags() {
  auto tags = std::make_unique<SlotTags>();
  int missing = kSlotCount;
  for (std::size_t size = 1; size <= kTagMost; ++size) take_tags(*tags, size, missing);
  HEARTH_CHECK(missing == 0);
  return tags;
}

}  // namespace

std::string_view tag_of_slot(Slot slot) {
  static const std::unique_ptr<const SlotTags> tags = make_tags();
  const SlotTag& tag = (*tags)[slot];
  return {tag.text.data(), tag.size};
}

}  // namespace hearth::commands
