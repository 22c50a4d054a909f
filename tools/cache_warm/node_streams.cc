#include "tools/cache_warm/node_streams.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "src/base/hash.h"
#include "src/base/parse_number.h"

namespace hearth::warm {
namespace {

constexpr std::size_t kAnchorsMax = kSlotCount;
constexpr std::size_t kAnchorFields = 5;

// run id, name, offset and slots have no blanks; the endpoint, which may have, is the rest.
std::optional<Anchor> parse_anchor(std::string_view line) {
  std::array<std::string_view, kAnchorFields> fields;
  for (std::size_t i = 0; i + 1 < kAnchorFields; ++i) {
    const auto end = line.find(' ');
    if (end == std::string_view::npos) return std::nullopt;
    fields[i] = line.substr(0, end);
    line.remove_prefix(end + 1);
  }
  const auto offset = parse_uint64(fields[2]);
  const auto slots = parse_uint64(fields[3]);
  auto endpoint = client::parse_endpoint(line);
  if (!offset || !slots || !endpoint || fields[1].empty()) return std::nullopt;
  return Anchor{*std::move(endpoint), std::string(fields[0]), std::string(fields[1]), *offset,
                *slots};
}

const SlotOwner* owner_with(std::span<const SlotOwner> owners, std::string_view name) {
  const auto found = std::find_if(owners.begin(), owners.end(), [&](const SlotOwner& owner) {
    return owner.stream.name == name;
  });
  return found == owners.end() ? nullptr : &*found;
}

const SlotOwner* heir_of(std::span<const SlotOwner> owners, std::string_view name) {
  const auto found = std::find_if(owners.begin(), owners.end(), [&](const SlotOwner& owner) {
    return owner.stream.former_name == name;
  });
  return found == owners.end() ? nullptr : &*found;
}

struct Finding {
  StreamFate fate = StreamFate::kSame;
  const SlotOwner* heir = nullptr;
  std::optional<Anchor> now{};
  std::string what{};
};

Finding find_fate(const Anchor& anchor, std::span<const SlotOwner> owners,
                  std::span<const NodeStream> others) {
  const std::string was = anchor.endpoint.str();
  // A name goes with one process: a copy of it elsewhere would be no promise.
  const SlotOwner* same = owner_with(owners, anchor.name);
  if (same != nullptr && same->stream.run_id == anchor.run_id) return {.now = anchor};
  const auto process = std::find_if(owners.begin(), owners.end(), [&](const SlotOwner& owner) {
    return owner.stream.run_id == anchor.run_id;
  });
  // A server without replicas forgets its stream and begins another; a promoted one has a former
  // name then.
  if (process != owners.end() && process->stream.former_name.empty()) {
    Anchor now = anchor;
    now.name = process->stream.name;
    now.offset = process->stream.offset;
    return {.now = std::move(now)};
  }
  if (const SlotOwner* heir = heir_of(owners, anchor.name)) {
    const std::string is = heir->endpoint.str();
    const bool has_all = anchor.offset < heir->stream.former_until && heir->slots == anchor.slots;
    std::string what = is == was ? was + " restarted" : is + " took the place of " + was;
    if (!has_all) return {StreamFate::kLost, heir, {}, std::move(what)};
    // The numbers go on under the new name.
    return {
        StreamFate::kInherited, heir,
        Anchor{heir->endpoint, heir->stream.run_id, heir->stream.name, anchor.offset, heir->slots},
        std::move(what)};
  }
  const bool gave_all_away = std::any_of(others.begin(), others.end(), [&](const auto& other) {
    return other.is_primary && other.run_id == anchor.run_id && other.name == anchor.name;
  });
  if (gave_all_away) return {};
  const auto there = std::find_if(owners.begin(), owners.end(), [&](const SlotOwner& owner) {
    return owner.endpoint == anchor.endpoint;
  });
  if (there != owners.end())
    return {StreamFate::kLost, &*there, {}, was + " restarted or was replaced"};
  return {StreamFate::kLost, nullptr, {}, "others have taken the place of " + was};
}

}  // namespace

std::uint64_t slots_fingerprint(const std::bitset<kSlotCount>& slots) {
  return hash_bytes(slots.to_string(), 0);
}

std::vector<Anchor> anchors_of(std::span<const SlotOwner> owners) {
  std::vector<Anchor> anchors;
  for (const SlotOwner& owner : owners)
    anchors.push_back(
        {owner.endpoint, owner.stream.run_id, owner.stream.name, owner.stream.offset, owner.slots});
  return anchors;
}

std::string anchors_text(std::span<const Anchor> anchors) {
  std::string text;
  for (const Anchor& one : anchors)
    text += fmt::format("{} {} {} {} {}\n", one.run_id, one.name, one.offset, one.slots,
                        one.endpoint.str());
  return text;
}

Result<std::vector<Anchor>> parse_anchors(std::string_view text) {
  std::vector<Anchor> anchors;
  while (!text.empty()) {
    const auto end = text.find('\n');
    auto anchor = end == std::string_view::npos ? std::nullopt : parse_anchor(text.substr(0, end));
    if (!anchor || anchors.size() == kAnchorsMax)
      return fail(ErrorCode::kCorrupt, "the saved state of the nodes cannot be read");
    anchors.push_back(*std::move(anchor));
    text.remove_prefix(end + 1);
  }
  return anchors;
}

Verdict judge(std::span<const Anchor> anchors, std::span<const SlotOwner> owners,
              std::span<const NodeStream> others) {
  Verdict verdict;
  for (std::size_t i = 0; i < anchors.size(); ++i) {
    Finding found = find_fate(anchors[i], owners, others);
    if (found.now) verdict.anchors.push_back(*std::move(found.now));
    if (found.fate == StreamFate::kSame) continue;
    if (found.fate > verdict.fate || verdict.what.empty()) verdict.what = std::move(found.what);
    verdict.fate = std::max(verdict.fate, found.fate);
    verdict.changed.push_back(i);
    if (found.heir != nullptr) verdict.heirs.push_back(found.heir->endpoint);
  }
  return verdict;
}

bool ReplicaGate::passes(std::span<const SlotOwner> owners, MonoTime now) {
  if (!is_waiting_) return false;
  const bool have_all = std::all_of(anchors_.begin(), anchors_.end(), [&](const Anchor& anchor) {
    const SlotOwner* owner = owner_with(owners, anchor.name);
    return owner == nullptr || !owner->stream.replicated ||
           *owner->stream.replicated >= anchor.offset;
  });
  if (!have_all && now - begun_ < kPatience) return false;
  is_waiting_ = false;
  return true;
}

}  // namespace hearth::warm
