#include "tests/sim/sim_cluster.h"

#include <fmt/format.h>

#include <utility>

#include "cluster/nodes_file/nodes_file.h"
#include "cluster/wire/codec.h"
#include "src/base/check.h"

namespace hearth::sim {

using namespace hearth::cluster;  // NOLINT: a test's own file

namespace {
constexpr std::int64_t kEpochUnixMs = 1'700'000'000'000;
constexpr std::int64_t kRefusedAfterMs = 2;
constexpr const char* kNodesPath = "nodes.conf";
constexpr std::ptrdiff_t kLogLinesMax = 20000;
}  // namespace

SimCluster::SimCluster(std::uint64_t seed, std::chrono::milliseconds node_timeout)
    : rng(seed), node_timeout_(node_timeout) {}

int SimCluster::add_node() {
  auto added = std::make_unique<SimNode>();
  added->index = size();
  added->ip = fmt::format("10.0.0.{}", added->index + 1);
  added->settings.node_timeout = node_timeout_;
  added->settings.announced = {"", added->port, 0,
                               static_cast<std::uint16_t>(added->port + kBusPortOffset)};
  added->settings.human_name = fmt::format("n{}", added->index);
  added->clock_offset_ms = static_cast<std::int64_t>(rng.below(400));
  nodes_.push_back(std::move(added));
  return size() - 1;
}

std::int64_t SimCluster::local_ms(int i) {
  const SimNode& n = node(i);
  const auto passed = static_cast<double>(now_ms_ - n.rate_since_ms);
  return now_ms_ + n.clock_lead_ms + static_cast<std::int64_t>((n.clock_rate - 1) * passed);
}

void SimCluster::set_clock_rate(int i, double rate) {
  SimNode& n = node(i);
  n.clock_lead_ms = local_ms(i) - now_ms_;
  n.rate_since_ms = now_ms_;
  n.clock_rate = rate;
}

void SimCluster::fill_disk(int i, bool full) {
  node(i).disk_full = full;
  node(i).disk.fail_at(full ? 1 : 0);
}

Now SimCluster::clock(int i) {
  const std::int64_t local = local_ms(i);
  return {MonoTime{(local + 1000) * 1000},
          UnixMillis{kEpochUnixMs + local + node(i).clock_offset_ms}, data_of(i)};
}

DataState SimCluster::data_of(int i) {
  const SimNode& n = node(i);
  DataState data;
  data.offset = n.offset;
  data.is_empty = n.offset == 0;
  data.owes_replicas = n.owes_replicas;
  data.writes_held = n.writes_held;
  data.is_warming = n.is_warming;
  if (n.followed.empty()) return data;
  data.link_up = stream_source(i) >= 0;
  if (n.stream_heard_ms >= 0) data.silence = std::chrono::milliseconds{now_ms_ - n.stream_heard_ms};
  return data;
}

void SimCluster::node_starts(int i) {
  SimNode& n = node(i);
  n.followed.clear();
  n.stream_heard_ms = -1;
  n.writes_held = false;
  // Its data is there at once, and judged before a replica asks for it.
  at_node(i, 0, [this, i] { step(i, input::Loading{false}); });
}

void SimCluster::show(int i, const ViewPtr& view) {
  node(i).view = view;
  checker.on_view(*view, now_ms_);
}

void SimCluster::follow(int i, const action::Follow& action) {
  node(i).followed = fmt::format("{}:{}", action.host, action.port);
  if (action.other_data) node(i).stream_heard_ms = -1;
}

void SimCluster::drop_keys(int i, const SlotSet& slots) {
  slots.for_each([this, i](Slot slot) { node(i).dropped.add(slot); });
}

int SimCluster::node_at(const std::string& ip, int port) {
  for (const auto& n : nodes_) {
    if (n->ip == ip && n->port == port) return n->index;
  }
  return -1;
}

int SimCluster::stream_source(int i) {
  if (!node(i).replicates) return -1;
  for (int k = 0; k < size(); ++k) {
    const bool is_it = fmt::format("{}:{}", node(k).ip, node(k).port) == node(i).followed;
    const bool refuses = is_up(k) && (node(k).view == nullptr || node(k).view->awaits_heir);
    if (is_it && k != i && is_up(k) && !refuses && can_hear(i, k)) return k;
  }
  return -1;
}

void SimCluster::move_data(int i) {
  SimNode& n = node(i);
  const int source = stream_source(i);
  if (source < 0) return;
  n.offset = node(source).offset;
  n.stream_heard_ms = now_ms_;
}

std::int64_t SimCluster::delay() {
  const auto spread = static_cast<std::uint64_t>(faults.delay_ms_max - faults.delay_ms_min + 1);
  return faults.delay_ms_min + static_cast<std::int64_t>(rng.below(spread));
}

void SimCluster::at(std::int64_t delay_ms, std::function<void()> run) {
  events_.push({now_ms_ + delay_ms, next_order_++, std::move(run)});
}

void SimCluster::at_node(int i, std::int64_t delay_ms, std::function<void()> run) {
  at(delay_ms, [this, i, life = node(i).life, run = std::move(run)] {
    if (node(i).life != life || node(i).machine == nullptr) return;
    if (node(i).paused_until_ms > now_ms_) {  // in the order of arrival, when it goes on
      return at_node(i, node(i).paused_until_ms - now_ms_, run);
    }
    // As the server does before it looks at anything that arrived.
    if (std::exchange(node(i).slept, false)) step(i, input::Tick{});
    if (node(i).machine == nullptr) return;
    run();
  });
}

void SimCluster::start(int i) {
  SimNode& n = node(i);
  HEARTH_CHECK(n.machine == nullptr);
  ++n.life;
  n.store = std::make_unique<NodesStore>(n.disk);
  HEARTH_CHECK(n.store->open(kNodesPath).has_value());
  const auto text = n.store->load();
  HEARTH_CHECK(text.has_value());
  std::optional<View> saved;
  if (!text->empty()) {
    auto parsed = parse_nodes_file(*text);
    HEARTH_CHECK(parsed.has_value());  // whatever the last crash did to the file
    saved = std::move(*parsed);
    n.durable = *saved;
  }
  n.dropped.clear();
  n.paused_until_ms = 0;
  n.slept = false;
  node_starts(i);
  n.machine = std::make_unique<Machine>(n.settings, saved, rng.next(), clock(i));
  show(i, n.machine->view(clock(i)));
  at_node(i, static_cast<std::int64_t>(rng.below(100)), [this, i] { tick(i); });
}

void SimCluster::tick(int i) {
  node_ticks(i);
  step(i, input::Tick{});
  if (node(i).machine != nullptr) at_node(i, kTickPeriod.count(), [this, i] { tick(i); });
}

void SimCluster::crash(int i) {
  SimNode& n = node(i);
  if (n.machine == nullptr) return;
  n.machine.reset();
  ++n.life;
  waiting_.erase(i);
  node_ended(i);
  if (n.saving != nullptr && rng.chance(0.5)) {
    // The crash comes in the middle of the write: at any of its operations, half of a write done.
    n.disk.fail_at(1 + static_cast<int>(rng.below(6)));
    static_cast<void>(n.store->save(nodes_file_text(*n.saving)));
  }
  n.saving = nullptr;
  n.store.reset();
  n.disk.keep_unsynced(rng.below(400));
  n.disk.crash();
  n.disk_full = false;
  std::vector<std::shared_ptr<Wire>> broken;
  for (const auto& [end, wire] : wires_) {
    if (end.first == i) broken.push_back(wire);
  }
  for (const auto& wire : broken) {
    const int other = wire->from == i ? wire->to : wire->from;
    const LinkId other_link = wire->from == i ? wire->to_link : wire->from_link;
    if (wire->from == i) wires_.erase({i, wire->from_link});
    if (wire->to == i) wires_.erase({i, wire->to_link});
    if (!wire->open) continue;
    wire->open = false;
    // The reset does not pass a partition; the other side finds out by time-outs.
    if (!can_hear(i, other)) continue;
    at_node(other, delay(), [this, other, other_link] {
      if (wires_.erase({other, other_link}) > 0) step(other, input::LinkClosed{other_link, false});
    });
  }
}

void SimCluster::run_for(std::int64_t ms) {
  const std::int64_t end = now_ms_ + ms;
  while (!events_.empty() && events_.top().at_ms <= end) {
    const Event event = events_.top();
    events_.pop();
    now_ms_ = event.at_ms;
    event.run();
  }
  now_ms_ = end;
}

bool SimCluster::run_until(std::int64_t ms, const std::function<bool()>& condition) {
  for (std::int64_t passed = 0; passed < ms; passed += 100) {
    if (condition()) return true;
    run_for(100);
  }
  return condition();
}

std::optional<AdminReply> SimCluster::step(int i, const Input& input) {
  SimNode& n = node(i);
  if (n.machine == nullptr) return std::nullopt;
  Actions actions = n.machine->step(input, clock(i));
  auto reply = std::move(actions.reply);
  reply_after_save_ = actions.reply_after_save;
  execute(i, std::move(actions));
  if (n.machine == nullptr) return reply;
  if (auto view = n.machine->end_turn(clock(i)); view != nullptr) {
    show(i, view);
  }
  if (n.machine->watches_data() && !std::holds_alternative<input::DataMoved>(input)) {
    at_node(i, 0, [this, i] { step(i, input::DataMoved{}); });
  }
  return reply;
}

void SimCluster::execute(int i, Actions actions) {
  SimNode& n = node(i);
  for (auto& action : actions.list) {
    if (n.crash_per_action > 0 && rng.chance(n.crash_per_action)) {
      crash(i);
      return;
    }
    if (auto* persist = std::get_if<action::Persist>(&action)) {
      do_persist(i, persist->view);
    } else if (auto* open = std::get_if<action::OpenLink>(&action)) {
      do_open(i, *open);
    } else if (auto* close = std::get_if<action::CloseLink>(&action)) {
      do_close(i, close->link);
    } else if (auto* send = std::get_if<action::Send>(&action)) {
      do_send(i, *send);
    } else if (auto* drop = std::get_if<action::DropKeys>(&action)) {
      drop_keys(i, drop->slots);
    } else if (auto* to = std::get_if<action::Follow>(&action)) {
      follow(i, *to);
    } else if (std::holds_alternative<action::Lead>(action)) {
      lead(i);
    } else if (auto* hold = std::get_if<action::HoldWrites>(&action)) {
      hold_writes(i, hold->on);
    } else if (auto* deliver = std::get_if<action::Deliver>(&action)) {
      n.delivered.push_back(deliver->channel + ":" + deliver->message);
    } else if (auto* resolve = std::get_if<action::ResolveSeed>(&action)) {
      at_node(i, 1, [this, i, r = *resolve] { step(i, input::SeedResolved{r.seed, {r.host}}); });
    } else if (auto* line = std::get_if<action::Log>(&action)) {
      if (log.size() < kLogLinesMax)
        log.push_back(fmt::format("{} n{} {}", now_ms_, i, line->text));
    }
  }
}

void SimCluster::do_persist(int i, const ViewPtr& view) {
  SimNode& n = node(i);
  HEARTH_CHECK(n.saving == nullptr);
  n.saving = view;
  const int spread = n.disk_delay_ms_max - n.disk_delay_ms_min + 1;
  const std::int64_t took =
      n.disk_delay_ms_min +
      static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(spread)));
  at_node(i, took, [this, i] { finish_persist(i); });
}

void SimCluster::finish_persist(int i) {
  SimNode& n = node(i);
  const std::string text = nodes_file_text(*n.saving);
  n.saving = nullptr;
  if (n.disk_broken) n.disk.fail_at(1);
  const bool ok = n.store->save(text).has_value();
  n.disk.fail_at(n.disk_full ? 1 : 0);
  if (ok) {
    auto parsed = parse_nodes_file(text);
    HEARTH_CHECK(parsed.has_value());
    n.durable = std::move(*parsed);
  }
  step(i, input::Persisted{ok});
  if (is_up(i)) answer_waiting(i, ok);
}

std::optional<AdminReply> SimCluster::administer(int i, AdminRequest request, Later later) {
  auto reply = step(i, input::Admin{std::move(request)});
  if (!reply || !is_up(i)) return AdminReply{AdminReply::Kind::kError, "down", 0};
  if (later == nullptr || reply->is_error() || reply_after_save_ <= node(i).machine->saved())
    return reply;
  waiting_[i].push_back({reply_after_save_, std::move(*reply), std::move(later)});
  return std::nullopt;
}

void SimCluster::answer_waiting(int i, bool saved) {
  auto all = std::exchange(waiting_[i], {});
  for (Waiting& one : all) {
    if (!is_up(i)) return;
    const bool is_done = one.save <= node(i).machine->saved();
    if (!is_done && saved) {
      waiting_[i].push_back(std::move(one));
      continue;
    }
    if (!is_done) one.reply = {AdminReply::Kind::kError, "ERR the disk failed", 0};
    one.later(one.reply);
  }
}

void SimCluster::wipe(int i) {
  node(i).disk = test::MemFileSystem();
  node(i).durable.reset();
}

void SimCluster::write_file(int i, const View& file) {
  HEARTH_CHECK(node(i).machine == nullptr);
  node(i).disk.put(kNodesPath, nodes_file_text(file));
}

void SimCluster::do_open(int i, const action::OpenLink& action) {
  int target = -1;
  for (const auto& other : nodes_) {
    if (other->ip == action.ip && other->port + kBusPortOffset == action.cport) {
      target = other->index;
    }
  }
  const auto refuse = [this, i, link = action.link] {
    at_node(i, kRefusedAfterMs, [this, i, link] { step(i, input::LinkClosed{link, false}); });
  };
  if (target < 0 || (can_hear(i, target) && node(target).machine == nullptr)) return refuse();
  if (!can_hear(i, target)) return;  // nobody answers; the machine gives up by itself
  auto wire = std::make_shared<Wire>(Wire{i, target, action.link, next_inbound_, false});
  next_inbound_ += 2;
  wires_[{i, action.link}] = wire;
  at_node(target, delay(), [this, wire] {
    if (wires_.count({wire->from, wire->from_link}) == 0) return;  // given up meanwhile
    if (!can_hear(wire->from, wire->to)) return;
    wire->open = true;
    wires_[{wire->to, wire->to_link}] = wire;
    step(wire->to, input::LinkAccepted{wire->to_link, node(wire->from).ip, node(wire->to).ip});
    at_node(wire->from, delay(), [this, wire] {
      if (wire->open) {
        step(wire->from, input::LinkConnected{wire->from_link, node(wire->from).ip});
      }
    });
  });
}

void SimCluster::do_close(int i, LinkId link) {
  const auto found = wires_.find({i, link});
  if (found == wires_.end()) return;
  const auto wire = found->second;
  wires_.erase(found);
  if (!wire->open) return;
  wire->open = false;
  const bool forward = wire->from_link == link;  // a node may have a connection to itself
  const int other = forward ? wire->to : wire->from;
  const LinkId other_link = forward ? wire->to_link : wire->from_link;
  if (!can_hear(i, other)) return;
  at_node(other, delay(), [this, other, other_link] {
    if (wires_.erase({other, other_link}) > 0) step(other, input::LinkClosed{other_link, false});
  });
}

void SimCluster::do_send(int i, const action::Send& action) {
  SimNode& n = node(i);
  const auto found = wires_.find({i, action.link});
  if (found == wires_.end() || !found->second->open) return;
  const auto& wire = found->second;
  const bool forward = wire->from_link == action.link;
  const int to = forward ? wire->to : wire->from;
  HEARTH_CHECK(n.durable.has_value());
  checker.on_send(*action.message, *n.durable,
                  node(to).machine != nullptr ? node(to).machine->id() : NodeId{}, now_ms_);
  transmit(wire, forward, wire::encode(*action.message));
}

void SimCluster::transmit(const std::shared_ptr<Wire>& wire, bool forward,
                          const std::string& frame) {
  const int from = forward ? wire->from : wire->to;
  const int to = forward ? wire->to : wire->from;
  const LinkId to_link = forward ? wire->to_link : wire->from_link;
  bytes_sent_ += frame.size();
  if (rng.chance(faults.loss)) return;
  const int copies = rng.chance(faults.duplicate) ? 2 : 1;
  for (int copy = 0; copy < copies; ++copy) {
    at_node(to, delay(), [this, wire, from, to, to_link, frame] {
      if (!wire->open || !reaches(from, to)) return;
      auto message = wire::decode(frame);
      HEARTH_CHECK(message.has_value());
      step(to,
           input::MessageReceived{to_link, std::make_shared<const Message>(std::move(*message))});
    });
  }
}

void SimCluster::inject(int from, int to, const Message& message) {
  for (const auto& [end, wire] : wires_) {
    if (wire->from == from && wire->to == to && wire->open) {
      transmit(wire, true, wire::encode(message));
      return;
    }
  }
}

MessageHeader SimCluster::header_of(int i) {
  const ViewPtr v = view(i);
  const NodeView& me = v->me();
  MessageHeader h;
  h.sender = me.id;
  h.current_epoch = v->current_epoch;
  h.config_epoch = me.config_epoch;
  h.slots = me.slots;
  h.replica_of = me.replica_of;
  h.port = me.address.port;
  h.cport = me.address.cport;
  h.flags = me.flags;
  if (const auto primary = v->find(me.replica_of); primary != kNoNode) {
    h.slots = v->nodes[primary].slots;
    h.config_epoch = v->nodes[primary].config_epoch;
  }
  return h;
}

AdminReply SimCluster::admin(int i, AdminRequest request) {
  auto reply = step(i, input::Admin{std::move(request)});
  return reply.value_or(AdminReply{AdminReply::Kind::kError, "down", 0});
}

void SimCluster::meet(int from, int to) {
  admin(from, admin::Meet{node(to).ip, node(to).port,
                          static_cast<std::uint16_t>(node(to).port + kBusPortOffset)});
}

void SimCluster::publish(int i, std::string channel, std::string message) {
  step(i, input::Publish{std::move(channel), std::move(message), false});
}

void SimCluster::set_groups(const std::vector<int>& groups) {
  for (std::size_t i = 0; i < groups.size(); ++i) nodes_[i]->group = groups[i];
}

void SimCluster::heal() {
  for (auto& n : nodes_) n->group = 0;
  cuts_.clear();
}

AdminReply SimCluster::replicate(int i, int primary) {
  return admin(i, admin::Replicate{id(primary).str(), false});
}

int SimCluster::primary_of(int by, int i) {
  const ViewPtr v = view(by);
  const auto at = v->find(node(i).durable->me().id);
  if (at == kNoNode) return -2;
  if (v->nodes[at].is_primary()) return -1;
  for (int k = 0; k < size(); ++k) {
    if (node(k).durable && node(k).durable->me().id == v->nodes[at].replica_of) return k;
  }
  return -2;
}

ViewPtr SimCluster::view(int i) { return node(i).machine->view(clock(i)); }

NodeId SimCluster::id(int i) { return node(i).machine->id(); }

std::vector<int> SimCluster::owners(int i) {
  const ViewPtr v = view(i);
  std::vector<int> index(v->nodes.size(), -2);
  for (int k = 0; k < size(); ++k) {
    if (!is_up(k)) continue;
    if (const auto at = v->find(id(k)); at != kNoNode) index[at] = k;
  }
  std::vector<int> out(kSlotCount, -1);
  for (std::size_t slot = 0; slot < out.size(); ++slot) {
    if (v->owner[slot] != kNoNode) out[slot] = index[v->owner[slot]];
  }
  return out;
}

bool SimCluster::agrees_now() {
  ViewPtr first;
  std::size_t running = 0;
  for (int i = 0; i < size(); ++i) running += is_up(i) ? 1 : 0;
  for (int i = 0; i < size(); ++i) {
    if (!is_up(i)) continue;
    const View& v = *node(i).view;
    if (v.state != ClusterState::kOk || v.nodes.size() != running) return false;
    if (first == nullptr) first = node(i).view;
    for (std::size_t k = 0; k < running; ++k) {  // nodes stand in the order of their ids
      const NodeView& n = v.nodes[k];
      const NodeView& same = first->nodes[k];
      constexpr NodeFlags kUnsettled =
          node_flag::kPfail | node_flag::kFail | node_flag::kHandshake | node_flag::kNoAddr;
      if (n.has(kUnsettled) || !n.link_connected) return false;
      // A replica shows its primary's epoch; its own one, of former times, is nobody's business.
      const bool same_epoch = n.is_replica() || n.config_epoch == same.config_epoch;
      if (n.id != same.id || !same_epoch || !(n.slots == same.slots) ||
          n.replica_of != same.replica_of || n.shard_id != same.shard_id ||
          n.human_name != same.human_name || v.current_epoch != first->current_epoch) {
        return false;
      }
      // My own address is learnt from the others, and only told to clients.
      if (!n.has(node_flag::kMyself) && !same.has(node_flag::kMyself) &&
          !(n.address == same.address)) {
        return false;
      }
    }
    // Both ways: each of the others has identified itself on a link of its own.
    std::size_t to = 0;
    std::size_t from = 0;
    for (const auto& link : node(i).machine->links()) ++(link.inbound ? from : to);
    if (to != running - 1 || from != running - 1) return false;
    if (!node(i).machine->is_saved()) return false;
  }
  return true;
}

bool SimCluster::is_converged() {
  if (!agrees_now()) {
    agreed_since_ms_ = -1;
    return false;
  }
  std::string on;
  for (int i = 0; i < size(); ++i) {
    if (!is_up(i)) continue;
    // All agree: one view tells for all of them.
    for (const auto& n : node(i).view->nodes) {
      on += fmt::format("{} {} ", n.id.view(), n.config_epoch);
      for (const auto range : n.slots.ranges()) on += range_text(range) + " ";
    }
    on += std::to_string(node(i).view->current_epoch);
    break;
  }
  if (agreed_since_ms_ < 0 || on != agreed_on_) {
    agreed_since_ms_ = now_ms_;
    agreed_on_ = on;
  }
  return now_ms_ - agreed_since_ms_ >= kStableMs;
}

std::string SimCluster::story(std::size_t lines) {
  std::string out;
  for (std::size_t i = log.size() > lines ? log.size() - lines : 0; i < log.size(); ++i) {
    out += log[i] + "\n";
  }
  for (int i = 0; i < size(); ++i) {
    if (is_up(i)) out += fmt::format("n{} sees:\n{}", i, nodes_file_text(*view(i)));
  }
  return out;
}

void SimCluster::create(const std::vector<int>& members) {
  const auto count = static_cast<int>(members.size());
  for (int k = 0; k < count; ++k) {
    const int i = members[static_cast<std::size_t>(k)];
    if (!is_up(i)) start(i);
    admin::AddSlots add;
    for (int slot = k * kSlotCount / count; slot < (k + 1) * kSlotCount / count; ++slot) {
      add.slots.push_back(static_cast<Slot>(slot));
    }
    admin(i, add);
    admin(i, admin::SetConfigEpoch{k + 1});
  }
  for (const int i : members) {
    if (i != members.front()) meet(members.front(), i);
  }
}

}  // namespace hearth::sim
