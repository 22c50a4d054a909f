#include "src/engine/warm_epochs.h"

#include <algorithm>
#include <bit>

#include "src/command/key_extract.h"
#include "src/command/write_guard.h"

namespace hearth {
namespace {

// Names in different databases are different keys.
std::uint64_t hash_in(DbIndex db, std::uint64_t hash) {
  return hash ^ (db * std::uint64_t{0x9e3779b97f4a7c15});
}

}  // namespace

WarmEpochs::Epoch* WarmEpochs::find(std::string_view id) {
  const auto at = std::find_if(epochs_.begin(), epochs_.end(),
                               [&](const Epoch& epoch) { return epoch.id == id; });
  return at == epochs_.end() ? nullptr : &*at;
}

// A small part of what the server may use, as it counts for maxmemory.
std::size_t WarmEpochs::filter_bytes() const {
  constexpr std::uint64_t kLeast = 64 * 1024;
  constexpr std::uint64_t kMost = 8 * 1024 * 1024;
  constexpr std::uint64_t kPart = 128;
  const std::uint64_t limit = core_.settings().maxmemory;
  if (limit == 0) return kMost;
  return std::clamp(std::bit_floor(limit / kPart), kLeast, kMost);
}

std::bitset<kSlotCount> WarmEpochs::owned() const {
  std::bitset<kSlotCount> slots;
  if (core_.view == nullptr) return slots.set();
  const cluster::View& view = *core_.view;
  const cluster::NodeView& me = view.me();
  const cluster::NodeIndex owner = me.is_replica() ? view.find(me.replica_of) : view.myself;
  for (std::size_t slot = 0; slot < slots.size(); ++slot) slots[slot] = view.owner[slot] == owner;
  return slots;
}

WarmControl::Begun WarmEpochs::begin(std::string_view id, seconds life) {
  if (find(id) != nullptr) return Begun::kExists;
  if (epochs_.size() >= kEpochsMost) return Begun::kTooMany;
  Epoch& epoch = epochs_.emplace_back(filter_bytes());
  epoch.id = id;
  epoch.began = epoch.used = core_.mono;
  epoch.life = life;
  epoch.known = owned();
  return Begun::kYes;
}

bool WarmEpochs::end(std::string_view id) {
  const auto before = epochs_.size();
  std::erase_if(epochs_, [&](const Epoch& epoch) { return epoch.id == id; });
  return epochs_.size() < before;
}

WarmAnswer WarmEpochs::ask(std::string_view id, DbIndex db, std::uint64_t hash, Slot slot) {
  Epoch* epoch = find(id);
  if (epoch == nullptr) return WarmAnswer::kUnknownEpoch;
  epoch->used = core_.mono;
  if (epoch->is_void || !epoch->known[slot]) return WarmAnswer::kUnknownEpoch;
  if (epoch->keys.contains(hash_in(db, hash))) {
    ++epoch->refused;
    return WarmAnswer::kTouched;
  }
  return WarmAnswer::kMayWrite;
}

void WarmEpochs::excuse(Excuse which) {
  if (is_on()) excused_ = which == Excuse::kNow ? Excused::kNow : Excused::kNext;
}

void WarmEpochs::note_write(std::string_view id) {
  Epoch* epoch = find(id);
  if (epoch == nullptr) return;
  ++epoch->stored;
  epoch->used = core_.mono;
}

void WarmEpochs::touch(DbIndex db, std::uint64_t hash) {
  for (Epoch& epoch : epochs_) {
    epoch.keys.add(hash_in(db, hash));
    ++epoch.touched;
  }
}

void WarmEpochs::after_command(const Command& command, std::span<const std::string_view> argv) {
  const Excused excused = excused_;
  excused_ = excused == Excused::kNext ? Excused::kNow : Excused::kNo;
  if (excused == Excused::kNow || !command.writes()) return;
  touch_all(before_.db, command, argv,
            !before_.is_replayed && core_.effects.wants_commands() &&
                core_.effects.recorded() == before_.effects);
}

void WarmEpochs::touch_all(DbIndex db, const Command& command,
                           std::span<const std::string_view> argv, bool tell_replicas) {
  constexpr std::uint16_t kWrites = access::kRW | access::kOW | access::kRM;
  positions_.clear();
  if (!extract_keys(command, argv, positions_)) return;
  const Keys keys(core_.env, db);
  std::string message;  // one for all keys, so that it takes no more memory than the request
  Slot slot = 0;
  for (const KeyPosition& position : positions_) {
    if ((position.access & kWrites) == 0) continue;
    const KeyRef key = keys.make_ref(argv[position.index]);
    touch(db, key.hash);
    slot = key.slot;
    if (tell_replicas) add_touch(message, key.name);
  }
  if (message.empty()) return;
  const std::string_view words[] = {"ECHO", message};
  core_.effects.relay({db, slot}, words);
}

std::vector<WarmStatus> WarmEpochs::status() const {
  std::vector<WarmStatus> all;
  for (const Epoch& epoch : epochs_) {
    WarmStatus& one = all.emplace_back();
    one.id = epoch.id;
    one.age = std::chrono::duration_cast<seconds>(core_.mono - epoch.began);
    one.life = epoch.life;
    one.stored = epoch.stored;
    one.refused = epoch.refused;
    one.touched = epoch.touched;
    one.is_void = epoch.is_void;
    if (core_.view != nullptr) one.slots_lost = (owned() & ~epoch.known).count();
  }
  return all;
}

void WarmEpochs::note_database_change() {
  for (Epoch& epoch : epochs_) epoch.is_void = true;
}

void WarmEpochs::lose_slot(Slot slot) {
  for (Epoch& epoch : epochs_) epoch.known.reset(slot);
}

void WarmEpochs::follow_view() {
  if (epochs_.empty()) return;
  const std::bitset<kSlotCount> now = owned();
  for (Epoch& epoch : epochs_) epoch.known &= now;
}

void WarmEpochs::clear() {
  epochs_.clear();
  excused_ = Excused::kNo;
}

void WarmEpochs::end_idle() {
  // A replica gives them longer: it hears of writes only, and not of those that were refused.
  const int times = core_.following ? 2 : 1;
  std::erase_if(epochs_,
                [&](const Epoch& epoch) { return core_.mono - epoch.used > times * epoch.life; });
}

}  // namespace hearth
