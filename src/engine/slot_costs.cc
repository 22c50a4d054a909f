#include "src/engine/slot_costs.h"

#include <algorithm>
#include <utility>

#include "cluster/model/slot.h"
#include "src/command/replication_control.h"
#include "src/command/session.h"

namespace hearth {
namespace {

// "*2\r\n$3\r\nGET\r\n ..."
template <typename Words>
std::uint64_t request_size(const Words& words) {
  const auto header = [](std::size_t n) {
    std::uint64_t bytes = 4;
    for (; n >= 10; n /= 10) ++bytes;
    return bytes;
  };
  std::uint64_t bytes = header(words.size());
  for (const auto& word : words) bytes += header(word.size()) + word.size() + 2;
  return bytes;
}

// Requests that came otherwise than over a client's connection have no size yet.
std::uint64_t take_request_size(Session& session, std::span<const std::string_view> argv) {
  const std::uint64_t bytes = std::exchange(session.request_bytes, 0);
  return bytes != 0 ? bytes : request_size(argv);
}

// Replies to a log or a primary, and those that CLIENT REPLY silences, go nowhere.
std::uint64_t sent_of(const Session& session, std::uint64_t reply_bytes) {
  const bool is_silent = session.reply_mode != ReplyMode::kOn && !session.reply_is_push;
  return session.replaying || is_silent ? 0 : reply_bytes;
}

}  // namespace

void SlotCosts::note_keys(const Command& command, Words argv) {
  if (!extract_keys(command, argv, positions_)) return;
  for (const KeyPosition& p : positions_) {
    const Slot slot = cluster::slot_of(argv[p.index]);
    slots_.several = slots_.several || (slots_.slot && *slots_.slot != slot);
    slots_.slot = slot;
  }
}

void SlotCosts::add(const Reached& reached, const Command& command, std::uint64_t ns,
                    SlotFigures cost) {
  if (!reached.slot || reached.several) return;
  const std::uint64_t total_ns = core_.stats.commands[command.id].ns;
  cost.cpu_us = total_ns / 1000 - (total_ns - std::min(ns, total_ns)) / 1000;
  core_.stats.slots.add(*reached.slot, cost);
}

void SlotCosts::note_call(Session& session, const Command& command, Words argv, std::uint64_t ns,
                          std::uint64_t reply_bytes) {
  if (core_.loading) return;
  note_keys(command, argv);
  if (core_.depth > 0) return;  // it is a part of a script or a transaction
  const Reached reached = std::exchange(slots_, {});
  SlotFigures cost;
  cost.bytes_in = take_request_size(session, argv);
  cost.bytes_out = sent_of(session, reply_bytes);
  if (session.in_multi) {
    session.queue_traffic.in += cost.bytes_in;
    session.queue_traffic.out += cost.bytes_out;
    return;
  }
  const SessionTransaction::Traffic queued = std::exchange(session.queue_traffic, {});
  if (has(command.flags, Flag::kRunsQueue)) {
    cost.bytes_in += queued.in;
    cost.bytes_out += queued.out;
  }
  add(reached, command, ns, cost);
}

void SlotCosts::note_unserved(Session& session, const Command& command, Words argv,
                              std::uint64_t ns, std::uint64_t reply_bytes) {
  const Reached of_unit = std::exchange(slots_, {});
  note_keys(command, argv);
  const Reached reached = std::exchange(slots_, of_unit);
  add(reached, command, ns, {0, take_request_size(session, argv), sent_of(session, reply_bytes)});
}

void SlotCosts::note_queued(Session& session, Words argv, std::uint64_t reply_bytes) {
  session.queue_traffic.in += take_request_size(session, argv);
  session.queue_traffic.out += sent_of(session, reply_bytes);
}

void SlotCosts::note_stream(const CommittedUnit& unit) {
  const ReplicationControl* replication = core_.services.replication;
  const std::size_t replicas = replication == nullptr ? 0 : replication->fed_replicas();
  if (replicas == 0) return;
  for (const Effect& effect : unit.effects) {
    if ((effect.targets & Effect::kToReplicas) == 0) continue;
    if (const std::optional<Slot> slot = slot_of_effect(core_.commands, effect, positions_))
      core_.stats.slots.add(*slot, {0, 0, request_size(effect.argv) * replicas});
  }
}

}  // namespace hearth
