#include "tests/sim/checker.h"

#include <fmt/format.h>

namespace hearth::sim {

using cluster::Message;
using cluster::MessageHeader;
using cluster::MessageType;
using cluster::View;

namespace {
bool claims_more(const cluster::SlotSet& claimed, const cluster::SlotSet& durable) {
  if (claimed == durable) return false;
  bool more = false;
  claimed.for_each([&](Slot slot) { more = more || !durable.has(slot); });
  return more;
}
}  // namespace

void Checker::violated(std::int64_t now_ms, const NodeId& node, std::string what) {
  violations_.push_back(
      fmt::format("at {} ms, node {}: {}", now_ms, node.view().substr(0, 8), what));
}

void Checker::on_view(const View& view, std::int64_t now_ms) {
  const auto& me = view.me();
  if (!me.is_primary() || view.served.none()) return;
  auto& last = served_[me.id];
  if (last.first == me.config_epoch && last.second == me.slots) return;
  last = {me.config_epoch, me.slots};
  auto& servers = servers_[me.config_epoch];
  for (std::size_t slot = 0; slot < kSlotCount; ++slot) {
    if (!view.served[slot]) continue;
    const auto [at, added] = servers.try_emplace(static_cast<Slot>(slot), me.id);
    if (added || at->second == me.id) continue;
    violated(now_ms, me.id,
             fmt::format("serves slot {} with epoch {}, as node {} did", slot, me.config_epoch,
                         at->second.view().substr(0, 8)));
    return;
  }
}

void Checker::forget(const NodeId& id) { seen_.erase(id); }

void Checker::on_send(const Message& message, const View& durable, const NodeId& to,
                      std::int64_t now_ms) {
  if (message.light) return;
  const MessageHeader& header = message.header;
  Seen& seen = seen_[header.sender];
  if (header.current_epoch < seen.current_epoch) {
    violated(
        now_ms, header.sender,
        fmt::format("current epoch fell from {} to {}", seen.current_epoch, header.current_epoch));
  }
  seen.current_epoch = header.current_epoch;
  if (header.current_epoch > durable.current_epoch) {
    violated(now_ms, header.sender, "told of a current epoch that is not on its disk");
  }
  if (header.replica_of.is_null()) {
    if (header.config_epoch < seen.config_epoch) {
      violated(
          now_ms, header.sender,
          fmt::format("config epoch fell from {} to {}", seen.config_epoch, header.config_epoch));
    }
    seen.config_epoch = header.config_epoch;
    if (header.config_epoch != durable.me().config_epoch) {
      violated(now_ms, header.sender, "told of a config epoch that is not on its disk");
    }
    if (claims_more(header.slots, durable.me().slots)) {
      violated(now_ms, header.sender, "claimed slots that are not its own on its disk");
    }
    check_claims(seen, header, now_ms);
  }
  if (message.type == MessageType::kAuthAck) check_vote(seen, message, durable, to, now_ms);
}

void Checker::check_claims(Seen& seen, const MessageHeader& header, std::int64_t now_ms) {
  if (seen.claimed == header.slots && seen.claimed_epoch == header.config_epoch) return;
  seen.claimed = header.slots;
  seen.claimed_epoch = header.config_epoch;
  auto& owners = owners_[header.config_epoch];
  header.slots.for_each([&](Slot slot) {
    const auto [at, added] = owners.try_emplace(slot, header.sender);
    if (added || at->second == header.sender) return;
    violated(now_ms, header.sender,
             fmt::format("claims slot {} with epoch {}, as node {} did", slot, header.config_epoch,
                         at->second.view().substr(0, 8)));
  });
}

void Checker::check_vote(Seen& seen, const Message& message, const View& durable, const NodeId& to,
                         std::int64_t now_ms) {
  const Epoch epoch = message.header.current_epoch;
  if (durable.last_vote_epoch < epoch) {
    violated(now_ms, message.header.sender, "voted before the vote was on its disk");
  }
  if (seen.vote_epoch == epoch && seen.voted_for != to) {
    violated(now_ms, message.header.sender, fmt::format("voted twice in epoch {}", epoch));
  }
  seen.vote_epoch = epoch;
  seen.voted_for = to;
}

}  // namespace hearth::sim
