// The part of the dispatcher that finds out who owns which slot.
#include <fmt/core.h>

#include <algorithm>

#include "src/base/parse_number.h"
#include "tools/client/dispatcher.h"

namespace hearth::client {
namespace {

// A server that was just asked is not asked again at once, however many redirections come.
constexpr milliseconds kMapInterval{100};

bool says_unknown_command(std::string_view error) {
  return error.starts_with("ERR unknown") || error.starts_with("ERR Unknown");
}

}  // namespace

// The first words of each connection. The PING at its end is answered with -LOADING by a server
// that is not ready, so that no batch is sent only to be refused row by row. Name, WARM LOADER and
// PING are no loss where the user may not run them, or the server does not know them.
Greeting Dispatcher::greeting() const {
  Greeting greeting;
  const auto add = [&](std::initializer_list<std::string_view> args) {
    append_command(greeting.text, args);
    ++greeting.replies;
  };
  if (!options_.password.empty()) {
    if (options_.username.empty()) {
      add({"AUTH", options_.password});
    } else {
      add({"AUTH", options_.username, options_.password});
    }
  }
  if (options_.db != 0) add({"SELECT", int64_text(options_.db)});
  const std::size_t needed = greeting.replies;
  if (!options_.client_name.empty()) add({"CLIENT", "SETNAME", options_.client_name});
  if (options_.is_loader) add({"WARM", "LOADER"});
  add({"PING"});
  greeting.optional = greeting.replies - needed;
  return greeting;
}

void Dispatcher::want_map(milliseconds delay) {
  if (options_.single) return;
  const MonoTime at = std::max(map_not_before_, now_ + delay);
  map_ask_at_ = map_wanted_ ? std::min(map_ask_at_, at) : at;
  map_wanted_ = true;
}

void Dispatcher::renew_map(MonoTime now) {
  now_ = now;
  if (is_cluster_) want_map(milliseconds{0});
}

void Dispatcher::drive_control() {
  if (failure_) return;
  if (!has_map_ && now_ - started_ > options_.retry_for) {
    return fail_client(ErrorCode::kIo,
                       fmt::format("no server answered for {} s; last: {}",
                                   options_.retry_for.count() / 1000, control_reason_));
  }
  Link& link = links_[kControl].link;
  if (link.state() == LinkState::kReady && map_question_ == MapQuestion::kNone) {
    if (map_wanted_ && now_ >= map_ask_at_) return ask_for_map(MapQuestion::kShards);
    transport_.close(kControl);
    link.reset();
    return;
  }
  if (!map_wanted_ || link.state() != LinkState::kClosed || now_ < map_ask_at_) return;

  // Nodes that own slots first: they are known to be part of the cluster now.
  std::vector<Endpoint> candidates = owners();
  for (const auto& seed : options_.seeds) {
    if (std::find(candidates.begin(), candidates.end(), seed) == candidates.end())
      candidates.push_back(seed);
  }
  control_endpoint_ = candidates[control_candidate_++ % candidates.size()];
  link.opening(now_);
  transport_.open(kControl, control_endpoint_);
}

void Dispatcher::ask_for_map(MapQuestion question) {
  map_question_ = question;
  auto batch = std::make_unique<Batch>();
  batch->node = kNobody;
  batch->plain = false;
  append_command(batch->bytes, {"CLUSTER", question == MapQuestion::kShards ? "SHARDS" : "SLOTS"});
  BatchedOp& op = batch->ops.emplace_back();
  op.capture = true;
  links_[kControl].link.push(transport_, std::move(batch), now_);
}

void Dispatcher::on_map_reply(const RespValue& reply) {
  auto map = map_question_ == MapQuestion::kShards ? parse_cluster_shards(reply, control_endpoint_)
                                                   : parse_cluster_slots(reply, control_endpoint_);
  if (!map) {
    control_reason_ = fmt::format("{}: {}", control_endpoint_.str(), map.error().context);
  } else if (map->slots_covered() == 0) {
    control_reason_ =
        fmt::format("{}: no slot of the cluster has an owner", control_endpoint_.str());
  } else {
    new_map_ = *std::move(map);
  }
  map_question_ = MapQuestion::kNone;
  map_wanted_ = false;
  if (!new_map_) want_map(pause(control_failures_++));
}

void Dispatcher::on_map_error(std::string_view error) {
  const MapQuestion asked = map_question_;
  map_question_ = MapQuestion::kNone;
  if (error.find("cluster support disabled") != std::string_view::npos ||
      (asked == MapQuestion::kSlots && says_unknown_command(error))) {
    new_map_ = Topology::single(control_endpoint_);
    map_wanted_ = false;
    return;
  }
  const bool is_denied = error.starts_with("NOPERM");
  if (asked == MapQuestion::kShards && (is_denied || says_unknown_command(error)))
    return ask_for_map(MapQuestion::kSlots);
  if (is_denied) {
    // Without a map the first MOVED of each slot tells its owner.
    map_wanted_ = false;
    if (!has_map_) new_map_ = Topology::single(control_endpoint_);
    return;
  }
  control_reason_ = fmt::format("{}: {}", control_endpoint_.str(), error);
  map_wanted_ = false;
  want_map(pause(control_failures_++));
}

void Dispatcher::control_failed(std::string_view reason) {
  map_question_ = MapQuestion::kNone;
  control_reason_ = fmt::format("{}: {}", control_endpoint_.str(), reason);
  map_ask_at_ = map_not_before_ = now_ + pause(control_failures_++);
}

void Dispatcher::adopt(const Topology& map) {
  ++counters_.map_updates;
  control_failures_ = 0;
  has_map_ = true;
  is_cluster_ = map.is_cluster;
  failed_ = map.failed;
  map_not_before_ = now_ + kMapInterval;
  std::vector<std::uint16_t> indexes;
  for (const auto& endpoint : map.nodes) indexes.push_back(node_for(endpoint));
  for (std::size_t slot = 0; slot < owner_.size(); ++slot) {
    owner_[slot] = map.owner[slot] == kNobody ? kNobody : indexes[map.owner[slot]];
  }
  take_back_strays();
}

}  // namespace hearth::client
