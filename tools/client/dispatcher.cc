#include "tools/client/dispatcher.h"

#include <fmt/core.h>

#include <algorithm>

#include "tools/client/reply_class.h"

namespace hearth::client {
namespace {

constexpr milliseconds kPauseFirst{20};
constexpr milliseconds kPauseLongest{1'000};
// So many redirections are followed at once; nodes that send a slot to and fro get pauses.
constexpr std::uint32_t kRedirectsAtOnce = 3;
constexpr std::size_t kSpareBatches = 64;
// Shorter waits are no news.
constexpr milliseconds kWorthTelling{1'000};

}  // namespace

Dispatcher::Dispatcher(DispatcherOptions options, Transport& transport, CompletionSink& sink)
    : options_(std::move(options)), transport_(transport), sink_(sink), rng_(options_.random_seed) {
  owner_.fill(kNobody);
  links_.push_back({Link(kControl), kNobody, 0});
}

void Dispatcher::start(MonoTime now) {
  now_ = started_ = now;
  if (options_.single) return adopt(Topology::single(options_.seeds.front()));
  want_map(milliseconds{0});
  drive_control();
}

// ---- accepting ----

bool Dispatcher::has_room(Slot slot) const {
  if (held_bytes_ >= options_.window_bytes) return false;
  const std::uint16_t owner = owner_[slot];
  return owner == kNobody || nodes_[owner].window_used < options_.window_bytes;
}

bool Dispatcher::submit(const Operation& operation, MonoTime now) {
  now_ = now;
  ++outstanding_;
  counters_.bytes_queued += operation.bytes.size();
  BatchedOp op;
  op.tag = operation.tag;
  op.sequence = next_sequence_++;
  op.slot = operation.slot;
  op.replies = operation.commands;
  op.capture = operation.capture;
  op.key_size = static_cast<std::uint32_t>(operation.key.size());
  op.key_begin = operation.key.empty()
                     ? 0
                     : static_cast<std::uint32_t>(operation.key.data() - operation.bytes.data());

  const std::uint16_t owner = owner_[operation.slot];
  const bool goes_elsewhere = on_way_[operation.slot] > 0 && way_[operation.slot] != owner;
  if (fenced_[operation.slot] > 0 || goes_elsewhere) [[unlikely]] {
    keep({std::string(operation.bytes), op, now_, std::nullopt});
    return true;
  }
  if (owner == kNobody) [[unlikely]] {
    postpone({std::string(operation.bytes), op, {}, std::nullopt}, "its slot has no owner");
    return true;
  }
  Lane& lane = append(owner, operation.bytes, op);
  if (!is_full(*lane.open)) return false;
  seal(lane);
  pump(owner, lane);
  return true;
}

bool Dispatcher::is_full(const Batch& batch) const {
  return batch.bytes.size() >= options_.batch_bytes || batch.ops.size() >= options_.batch_ops;
}

Dispatcher::Lane& Dispatcher::lane_of(std::uint16_t node, Slot slot) {
  auto& lanes = nodes_[node].lanes;
  return lanes[slot % lanes.size()];
}

Dispatcher::Lane& Dispatcher::append(std::uint16_t index, std::string_view bytes,
                                     const BatchedOp& op) {
  Lane& lane = lane_of(index, op.slot);
  if (!lane.open) lane.open = fresh_batch(index);
  Batch& batch = *lane.open;
  BatchedOp& placed = batch.ops.emplace_back(op);
  placed.begin = batch.bytes.size();
  batch.bytes.append(bytes);
  batch.plain = batch.plain && op.replies == 1 && !op.capture;
  nodes_[index].window_used += bytes.size();
  ++on_way_[op.slot];
  way_[op.slot] = index;
  return lane;
}

void Dispatcher::flush(MonoTime now) {
  now_ = now;
  for (std::uint16_t i = 0; i < node_count(); ++i) {
    for (Lane& lane : nodes_[i].lanes) {
      if (lane.open) seal(lane);
      if (!lane.waiting.empty()) pump(i, lane);
    }
  }
}

std::unique_ptr<Batch> Dispatcher::fresh_batch(std::uint16_t node) {
  std::unique_ptr<Batch> batch;
  if (spare_.empty()) {
    batch = std::make_unique<Batch>();
    batch->bytes.reserve(options_.batch_bytes + options_.batch_bytes / 8);
  } else {
    batch = std::move(spare_.back());
    spare_.pop_back();
  }
  batch->node = node;
  return batch;
}

void Dispatcher::seal(Lane& lane) { lane.waiting.push_back(std::move(lane.open)); }

bool Dispatcher::has_ready_link(const Node& node) const {
  return std::any_of(node.lanes.begin(), node.lanes.end(), [&](const Lane& lane) {
    return links_[lane.link].link.state() == LinkState::kReady;
  });
}

void Dispatcher::pump(std::uint16_t index, Lane& lane) {
  if (lane.waiting.empty() || failure_) return;
  open_links(index);
  Link& link = links_[lane.link].link;
  if (link.state() != LinkState::kReady) return;
  while (!lane.waiting.empty()) {
    auto batch = std::move(lane.waiting.front());
    lane.waiting.pop_front();
    link.push(transport_, std::move(batch), now_);
  }
}

// A probe may end without an answer to anything: its connection is closed, or it greeted and there
// was nothing to send.
void Dispatcher::settle_probe(Node& node) {
  if (node.breaker.state() != Breaker::State::kHalfOpen) return;
  bool all_closed = true;
  for (const Lane& lane : node.lanes) {
    const Link& link = links_[lane.link].link;
    all_closed = all_closed && link.state() == LinkState::kClosed;
    if (link.state() == LinkState::kReady && !link.is_waiting() && lane.waiting.empty())
      return node.breaker.succeed();
  }
  if (all_closed) node.breaker.fail(now_, rng_);
}

void Dispatcher::open_links(std::uint16_t index) {
  Node& node = nodes_[index];
  settle_probe(node);
  if (!node.breaker.admits(now_)) return;
  const bool probes = node.breaker.state() == Breaker::State::kHalfOpen;
  for (const Lane& lane : node.lanes) {
    Link& link = links_[lane.link].link;
    if (link.state() != LinkState::kClosed) continue;
    if (probes && lane.waiting.empty()) continue;  // it would have nothing to ask
    if (!node.down_since && !has_ready_link(node)) node.down_since = now_;
    link.opening(now_);
    transport_.open(lane.link, node.endpoint);
    if (probes) return;
  }
}

std::uint16_t Dispatcher::node_for(const Endpoint& endpoint) {
  for (std::uint16_t i = 0; i < node_count(); ++i) {
    if (nodes_[i].endpoint == endpoint) return i;
  }
  const auto index = static_cast<std::uint16_t>(nodes_.size());
  Node& node = nodes_.emplace_back();
  node.endpoint = endpoint;
  node.breaker = Breaker({kPauseFirst, kPauseLongest});
  for (int lane = 0; lane < std::max(1, options_.links_per_node); ++lane) {
    const auto id = static_cast<LinkId>(links_.size());
    links_.push_back({Link(id), index, static_cast<std::uint16_t>(lane)});
    node.lanes.push_back({id, nullptr, {}});
  }
  return index;
}

std::vector<Endpoint> Dispatcher::owners() const {
  std::vector<Endpoint> result;
  for (std::uint16_t i = 0; i < node_count(); ++i) {
    if (std::find(owner_.begin(), owner_.end(), i) != owner_.end())
      result.push_back(nodes_[i].endpoint);
  }
  return result;
}

std::vector<Endpoint> Dispatcher::holders() const {
  std::vector<Endpoint> result = owners();
  for (const Endpoint& node : failed_) {
    if (std::find(result.begin(), result.end(), node) == result.end()) result.push_back(node);
  }
  return result;
}

std::bitset<kSlotCount> Dispatcher::slots_of(std::span<const Endpoint> nodes) const {
  std::bitset<kSlotCount> slots;
  for (std::size_t slot = 0; slot < owner_.size(); ++slot) {
    const std::uint16_t owner = owner_[slot];
    slots[slot] = owner != kNobody &&
                  std::find(nodes.begin(), nodes.end(), nodes_[owner].endpoint) != nodes.end();
  }
  return slots;
}

void DispatcherCounters::add(const DispatcherCounters& other) {
  retried += other.retried;
  moved += other.moved;
  asked += other.asked;
  postponed += other.postponed;
  repeated += other.repeated;
  links_lost += other.links_lost;
  map_updates += other.map_updates;
  bytes_queued += other.bytes_queued;
}

// ---- what the transport reports ----

void Dispatcher::on_connected(LinkId id, MonoTime now) {
  now_ = now;
  links_[id].link.greet(transport_, greeting(), now);
}

void Dispatcher::on_writable(LinkId id, MonoTime now) {
  now_ = now;
  links_[id].link.send(transport_, now);
}

void Dispatcher::on_bytes(LinkId id, std::string_view bytes, MonoTime now) {
  now_ = now;
  Link& link = links_[id].link;
  const bool was_ready = link.state() == LinkState::kReady;
  const auto outcome = link.on_bytes(bytes, *this, now);
  if (!outcome) {
    if (!was_ready && outcome.error().code == ErrorCode::kInvalid) {
      const auto& where = id == kControl ? control_endpoint_ : nodes_[links_[id].node].endpoint;
      fail_client(ErrorCode::kInvalid, fmt::format("{}: {}", where.str(), outcome.error().context));
    }
    transport_.close(id);
    link_lost(id, outcome.error().context);
  } else if (!was_ready && link.state() == LinkState::kReady && id != kControl) {
    Node& node = nodes_[links_[id].node];
    node.down_since.reset();
    pump(links_[id].node, node.lanes[links_[id].lane]);
  }
  if (new_map_) {
    adopt(*new_map_);
    new_map_.reset();
  }
  release_held();
  drive_control();
}

void Dispatcher::on_lost(LinkId id, std::string_view reason, MonoTime now) {
  now_ = now;
  link_lost(id, reason);
  release_held();
}

void Dispatcher::link_lost(LinkId id, std::string_view reason) {
  LinkHome& home = links_[id];
  const bool was_ready = home.link.state() == LinkState::kReady;
  // A server that lets clients in and answers nothing gets the same pauses as one that is away.
  const bool was_useful = was_ready && (home.link.has_answered() || !home.link.is_waiting());
  auto batches = home.link.reset();
  if (id == kControl) return control_failed(reason);
  if (was_ready) ++counters_.links_lost;

  for (auto& batch : batches) {
    retry_rest(*batch, reason, true);
    on_batch_end(std::move(batch));
  }
  // Operations that were not sent yet come behind those that are sent again.
  if (was_ready) take_back(nodes_[home.node].lanes[home.lane]);
  node_unreachable(home.node, reason, was_useful);
}

void Dispatcher::node_unreachable(std::uint16_t index, std::string_view reason, bool was_useful) {
  Node& node = nodes_[index];
  node.last_reason = reason;
  if (!was_useful) node.breaker.fail(now_, rng_);
  if (has_ready_link(node)) return;
  if (!node.down_since) node.down_since = now_;
  // An ASK was for this node alone; the owner of the slot knows better by now.
  for (Lane& lane : node.lanes) {
    const bool asks = std::any_of(lane.waiting.begin(), lane.waiting.end(),
                                  [](const auto& batch) { return batch->asking; });
    if (asks) take_back(lane);
  }
  want_map(milliseconds{was_useful ? 0 : 200});
}

void Dispatcher::tick(MonoTime now) {
  now_ = now;
  if (failure_) return;
  for (auto& home : links_) {
    const Link& link = home.link;
    const auto quiet = now - link.last_progress();
    const bool connecting = link.state() == LinkState::kConnecting;
    if (connecting ? quiet < options_.connect_timeout
                   : !link.is_waiting() || quiet < options_.reply_timeout) {
      continue;
    }
    transport_.close(link.id());
    link_lost(link.id(), connecting ? fmt::format("no connection within {} ms",
                                                  options_.connect_timeout.count())
                                    : fmt::format("no reply for {} ms (reply_timeout)",
                                                  options_.reply_timeout.count()));
  }
  release_held();
  for (std::uint16_t i = 0; i < node_count(); ++i) {
    Node& node = nodes_[i];
    bool is_wanted = false;
    for (Lane& lane : node.lanes) {
      is_wanted = is_wanted || !lane.waiting.empty();
      pump(i, lane);
    }
    if (!is_wanted) continue;
    if (node.down_since && now - *node.down_since > options_.retry_for) {
      fail_client(ErrorCode::kIo, fmt::format("{}: not reachable for {} s: {}", node.endpoint.str(),
                                              options_.retry_for.count() / 1000, node.last_reason));
    } else if (node.breaker.failures() > 0) {
      want_map(milliseconds{500});
    }
  }
  drive_control();
}

// ---- what answers say ----

void Dispatcher::on_success(Batch& batch, std::size_t first, std::size_t count, RespValue* last) {
  if (batch.node == kNobody) {
    if (last != nullptr) on_map_reply(*last);
    return;
  }
  nodes_[batch.node].breaker.succeed();
  if (!held_.empty()) [[unlikely]] {
    for (std::size_t i = first; i < first + count; ++i) finish_or_repeat(batch, i, last);
    return;
  }
  outstanding_ -= count;
  for (std::size_t i = first; i < first + count; ++i) {
    --on_way_[batch.ops[i].slot];
    tell(batch.ops[i], last);
  }
}

void Dispatcher::tell(const BatchedOp& op, RespValue* last) {
  if (last == nullptr) {
    sink_.on_done(op.tag);
  } else if (op.capture) {
    sink_.on_reply(op.tag, std::move(*last));
  } else {
    sink_.on_kept(op.tag);
  }
}

// Whether an earlier operation of the slot is held, so that this one has to come once more behind
// it, whatever its answer.
bool Dispatcher::must_repeat(const BatchedOp& op) const {
  return fenced_[op.slot] > 0 && fence_[op.slot] < op.sequence;
}

// One operation of the slot less is on its way.
void Dispatcher::land(Slot slot) {
  if (--on_way_[slot] == 0 && fenced_[slot] > 0) fence_opened_ = true;
}

void Dispatcher::finish_or_repeat(Batch& batch, std::size_t index, RespValue* last) {
  const BatchedOp& op = batch.ops[index];
  if (must_repeat(op)) return repeat_behind_fence(batch, index);
  land(op.slot);
  --outstanding_;
  tell(op, last);
}

void Dispatcher::on_error(LinkId id, Batch& batch, std::size_t index, std::string_view error) {
  if (id == kControl) return on_map_error(error);
  nodes_[batch.node].breaker.succeed();  // it is there, whatever it says
  const ReplyClass what = classify_error(error);
  const Slot slot = batch.ops[index].slot;
  if (what == ReplyClass::kRefused) {
    if (must_repeat(batch.ops[index])) return repeat_behind_fence(batch, index);
    land(slot);
    --outstanding_;
    sink_.on_refused(batch.ops[index].tag, batch.key_of(index), error);
    return;
  }
  HeldOp held = hold(batch, index);
  land(slot);
  if (what == ReplyClass::kMoved || what == ReplyClass::kAsk) {
    auto to = parse_redirection(error, nodes_[batch.node].endpoint);
    if (!to) return postpone(std::move(held), to.error().context);
    if (what == ReplyClass::kMoved) {
      ++counters_.moved;
      owner_[to->slot] = node_for(to->to);
      want_map(milliseconds{100});
    } else {
      ++counters_.asked;
      held.ask = to->to;
    }
    if (held.op.attempts >= kRedirectsAtOnce) return postpone(std::move(held), error);
    if (held.op.failing_since == MonoTime{}) held.op.failing_since = now_;
    ++held.op.attempts;
    ++counters_.retried;
    held.due = now_;
    keep(std::move(held));
    return;
  }
  ++counters_.postponed;
  if (what == ReplyClass::kWrongRole || error.starts_with("CLUSTERDOWN"))
    want_map(milliseconds{100});
  postpone(std::move(held), fmt::format("{}: {}", nodes_[batch.node].endpoint.str(), error));
}

void Dispatcher::on_batch_end(std::unique_ptr<Batch> batch) {
  if (batch->node != kNobody) nodes_[batch->node].window_used -= batch->bytes.size();
  batch->clear();
  // One huge value must not pin its memory for ever.
  if (spare_.size() < kSpareBatches && batch->bytes.capacity() <= 4 * options_.batch_bytes) {
    spare_.push_back(std::move(batch));
  }
}

// ---- trying again ----

milliseconds Dispatcher::pause(std::uint32_t failures) {
  const auto full =
      std::min(kPauseLongest, kPauseFirst * (1 << std::min<std::uint32_t>(failures, 6)));
  return milliseconds{full.count() / 2 + static_cast<std::int64_t>(rng_.below(
                                             static_cast<std::uint64_t>(full.count() / 2 + 1)))};
}

// Puts an operation that is in no batch among the held ones, those of its slot in their order.
void Dispatcher::keep(HeldOp held) {
  const Slot slot = held.op.slot;
  const std::uint64_t sequence = held.op.sequence;
  if (held_.empty() || held.due < held_due_) held_due_ = held.due;
  fence_[slot] = fenced_[slot] == 0 ? sequence : std::min(fence_[slot], sequence);
  held_bytes_ += held.bytes.size();
  auto place = held_.end();
  if (fenced_[slot] > 0) {
    place = std::find_if(held_.begin(), held_.end(), [&](const HeldOp& other) {
      return other.op.slot == slot && other.op.sequence > sequence;
    });
  }
  ++fenced_[slot];
  held_.insert(place, std::move(held));
  if (on_way_[slot] == 0) fence_opened_ = true;
}

void Dispatcher::postpone(HeldOp held, std::string_view reason) {
  if (held.op.failing_since == MonoTime{}) held.op.failing_since = now_;
  last_reason_ = reason;
  if (now_ - held.op.failing_since > options_.retry_for) {
    const auto key = std::string_view(held.bytes).substr(held.op.key_begin, held.op.key_size);
    fail_client(ErrorCode::kIo, fmt::format("key '{}' could not be written for {} s: {}", key,
                                            options_.retry_for.count() / 1000, reason));
  }
  held.due = now_ + pause(held.op.attempts++);
  ++counters_.retried;
  if (owner_[held.op.slot] == kNobody) want_map(milliseconds{100});
  keep(std::move(held));
}

void Dispatcher::repeat_behind_fence(const Batch& batch, std::size_t index) {
  HeldOp held = hold(batch, index);
  held.due = now_;
  ++counters_.repeated;
  land(held.op.slot);
  keep(std::move(held));
}

void Dispatcher::retry_rest(const Batch& batch, std::string_view reason, bool counts_as_attempt) {
  for (std::size_t i = batch.answered; i < batch.ops.size(); ++i) {
    HeldOp held = hold(batch, i);
    held.due = now_;
    if (counts_as_attempt) {
      if (held.op.failing_since == MonoTime{}) held.op.failing_since = now_;
      if (now_ - held.op.failing_since > options_.retry_for) {
        fail_client(ErrorCode::kIo,
                    fmt::format("{}: {}", nodes_[batch.node].endpoint.str(), reason));
      }
      ++held.op.attempts;
      ++counters_.retried;
    }
    land(held.op.slot);
    keep(std::move(held));
  }
}

// Puts everything that a lane has not sent back in front of the routing.
void Dispatcher::take_back(Lane& lane) {
  if (lane.open) seal(lane);
  auto waiting = std::move(lane.waiting);
  lane.waiting.clear();
  for (auto& batch : waiting) {
    retry_rest(*batch, "", false);
    on_batch_end(std::move(batch));
  }
}

// Lanes in which an operation waits for a node that does not own its slot any more.
void Dispatcher::take_back_strays() {
  for (std::uint16_t i = 0; i < node_count(); ++i) {
    const auto is_stray = [&](const std::unique_ptr<Batch>& batch) {
      return batch && !batch->asking &&
             std::any_of(batch->ops.begin(), batch->ops.end(),
                         [&](const auto& op) { return owner_[op.slot] != i; });
    };
    for (Lane& lane : nodes_[i].lanes) {
      if (is_stray(lane.open) || std::any_of(lane.waiting.begin(), lane.waiting.end(), is_stray))
        take_back(lane);
    }
  }
}

// Sends what is due and has nothing of its slot before it: neither on the way nor held. All that
// is held of a slot leaves in one pass, or stays behind the first that has to stay.
void Dispatcher::release_held() {
  if (held_.empty() || (!fence_opened_ && now_ < held_due_)) return;
  fence_opened_ = false;
  ++pass_;
  held_due_ = now_ + kPauseLongest;
  auto all = std::move(held_);
  held_.clear();
  for (auto& held : all) {
    const Slot slot = held.op.slot;
    const bool has_way = held.ask.has_value() || owner_[slot] != kNobody;
    const std::uint16_t node = held.ask ? node_for(*held.ask) : owner_[slot];
    const bool is_free = on_way_[slot] == 0 || (released_[slot] == pass_ && way_[slot] == node);
    if (blocked_[slot] != pass_ && is_free && has_way && held.due <= now_) {
      released_[slot] = pass_;
      --fenced_[slot];
      held_bytes_ -= held.bytes.size();
      route(held, node);
      continue;
    }
    if (blocked_[slot] != pass_) fence_[slot] = held.op.sequence;
    blocked_[slot] = pass_;
    if (!has_way && held.due <= now_) {
      held.due = now_ + pause(held.op.attempts++);
      want_map(milliseconds{100});
      if (held.op.failing_since != MonoTime{} && now_ - held.op.failing_since > options_.retry_for)
        fail_client(ErrorCode::kIo, fmt::format("slot {} had no owner for {} s", slot,
                                                options_.retry_for.count() / 1000));
    }
    if (held.due > now_) held_due_ = std::min(held_due_, held.due);
    held_.push_back(std::move(held));
  }
  flush(now_);
}

void Dispatcher::route(const HeldOp& held, std::uint16_t node) {
  if (held.ask) return send_asking(held, node);
  Lane& lane = append(node, held.bytes, held.op);
  if (is_full(*lane.open)) seal(lane);
}

void Dispatcher::send_asking(const HeldOp& held, std::uint16_t index) {
  Lane& before = lane_of(index, held.op.slot);
  if (before.open) seal(before);
  BatchedOp op = held.op;
  op.replies = static_cast<std::uint16_t>(op.replies * 2);
  const std::string bytes = with_asking(held.bytes);
  op.key_begin += static_cast<std::uint32_t>(command_length(bytes));
  Lane& lane = append(index, bytes, op);
  lane.open->asking = true;
  lane.open->plain = false;
  seal(lane);
}

std::optional<Dispatcher::Waiting> Dispatcher::waiting_for(MonoTime now) const {
  const auto since = [&](MonoTime begun) {
    return std::chrono::duration_cast<milliseconds>(now - begun);
  };
  if (failure_) return std::nullopt;
  if (!has_map_) {
    const auto waited = since(started_);
    if (control_failures_ == 0 && waited < kWorthTelling) return std::nullopt;
    return Waiting{control_reason_, waited};
  }
  for (const Node& node : nodes_) {
    if (node.down_since && outstanding_ > 0) {
      return Waiting{fmt::format("{}: {}", node.endpoint.str(),
                                 node.last_reason.empty() ? "connecting" : node.last_reason),
                     since(*node.down_since)};
    }
  }
  for (const auto& home : links_) {
    if (home.node == kNobody || !home.link.is_waiting()) continue;
    const auto quiet = since(home.link.last_progress());
    if (quiet >= kWorthTelling)
      return Waiting{nodes_[home.node].endpoint.str() + " does not answer", quiet};
  }
  for (const auto& held : held_) {
    if (held.op.failing_since == MonoTime{}) continue;
    const auto failing = since(held.op.failing_since);
    if (failing >= kWorthTelling) return Waiting{last_reason_, failing};
  }
  return std::nullopt;
}

void Dispatcher::fail_client(ErrorCode code, std::string context) {
  if (!failure_) failure_ = Error{code, std::move(context)};
}

}  // namespace hearth::client
