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

}  // namespace

Dispatcher::Dispatcher(DispatcherOptions options, Transport& transport, CompletionSink& sink)
    : options_(std::move(options)), transport_(transport), sink_(sink), rng_(options_.random_seed) {
  owner_.fill(kNobody);
  links_.push_back({Link(kControl), kNobody});
}

void Dispatcher::start(MonoTime now) {
  now_ = started_ = now;
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
  op.slot = operation.slot;
  op.replies = operation.commands;
  op.capture = operation.capture;
  op.key_size = static_cast<std::uint32_t>(operation.key.size());
  op.key_begin = operation.key.empty()
                     ? 0
                     : static_cast<std::uint32_t>(operation.key.data() - operation.bytes.data());

  const std::uint16_t owner = owner_[operation.slot];
  if (owner == kNobody) [[unlikely]] {
    postpone({std::string(operation.bytes), op, {}, std::nullopt}, "its slot has no owner");
    return true;
  }
  append(owner, operation.bytes, op);
  const Batch& open = *nodes_[owner].open;
  if (open.bytes.size() < options_.batch_bytes && open.ops.size() < options_.batch_ops)
    return false;
  seal(nodes_[owner]);
  pump(owner);
  return true;
}

BatchedOp& Dispatcher::append(std::uint16_t index, std::string_view bytes, const BatchedOp& op) {
  Node& node = nodes_[index];
  if (!node.open) node.open = fresh_batch(index);
  Batch& batch = *node.open;
  BatchedOp& placed = batch.ops.emplace_back(op);
  placed.begin = batch.bytes.size();
  batch.bytes.append(bytes);
  batch.plain = batch.plain && op.replies == 1 && !op.capture;
  node.window_used += bytes.size();
  return placed;
}

void Dispatcher::flush(MonoTime now) {
  now_ = now;
  for (std::uint16_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i].open) seal(nodes_[i]);
    if (!nodes_[i].waiting.empty()) pump(i);
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

void Dispatcher::seal(Node& node) { node.waiting.push_back(std::move(node.open)); }

Link* Dispatcher::least_loaded_link(const Node& node) {
  Link* best = nullptr;
  for (const LinkId id : node.links) {
    Link& link = links_[id].link;
    if (link.state() != LinkState::kReady) continue;
    if (best == nullptr || link.unanswered_bytes() < best->unanswered_bytes()) best = &link;
  }
  return best;
}

void Dispatcher::pump(std::uint16_t index) {
  Node& node = nodes_[index];
  if (node.waiting.empty() || failure_) return;
  open_links(index);
  while (!node.waiting.empty()) {
    Link* link = least_loaded_link(node);
    if (link == nullptr) return;
    auto batch = std::move(node.waiting.front());
    node.waiting.pop_front();
    link->push(transport_, std::move(batch), now_);
  }
}

void Dispatcher::open_links(std::uint16_t index) {
  Node& node = nodes_[index];
  while (node.links.size() < static_cast<std::size_t>(options_.links_per_node)) {
    const auto id = static_cast<LinkId>(links_.size());
    links_.push_back({Link(id), index});
    node.links.push_back(id);
  }
  if (now_ < node.connect_at) return;
  for (const LinkId id : node.links) {
    if (links_[id].link.state() != LinkState::kClosed) continue;
    if (!node.down_since && least_loaded_link(node) == nullptr) node.down_since = now_;
    links_[id].link.opening(now_);
    transport_.open(id, node.endpoint);
  }
}

std::uint16_t Dispatcher::node_for(const Endpoint& endpoint) {
  for (std::uint16_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i].endpoint == endpoint) return i;
  }
  Node& node = nodes_.emplace_back();
  node.endpoint = endpoint;
  return static_cast<std::uint16_t>(nodes_.size() - 1);
}

std::vector<Endpoint> Dispatcher::owners() const {
  std::vector<Endpoint> result;
  for (std::uint16_t i = 0; i < nodes_.size(); ++i) {
    if (std::find(owner_.begin(), owner_.end(), i) != owner_.end())
      result.push_back(nodes_[i].endpoint);
  }
  return result;
}

// ---- what the transport reports ----

void Dispatcher::on_connected(LinkId id, MonoTime now) {
  now_ = now;
  std::size_t replies = 0;
  std::string text = greeting(replies);
  links_[id].link.greet(transport_, std::move(text), replies, now);
}

void Dispatcher::on_writable(LinkId id) { links_[id].link.send(transport_); }

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
    pump(links_[id].node);
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
  node_unreachable(home.node, reason, was_useful);
}

void Dispatcher::node_unreachable(std::uint16_t index, std::string_view reason, bool was_useful) {
  Node& node = nodes_[index];
  node.last_reason = reason;
  if (!was_useful) node.connect_at = now_ + pause(node.connect_failures++);
  if (least_loaded_link(node) != nullptr) return;
  if (!node.down_since) node.down_since = now_;
  // An ASK was for this node alone; the owner of the slot knows better by now.
  take_back_waiting(index, false);
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
    link_lost(link.id(),
              connecting
                  ? fmt::format("no connection within {} ms", options_.connect_timeout.count())
                  : fmt::format("no reply for {} ms", options_.reply_timeout.count()));
  }
  release_held();
  for (std::uint16_t i = 0; i < nodes_.size(); ++i) {
    Node& node = nodes_[i];
    if (node.waiting.empty()) continue;
    pump(i);
    if (node.down_since && now - *node.down_since > options_.retry_for) {
      fail_client(ErrorCode::kIo, fmt::format("{}: not reachable for {} s: {}", node.endpoint.str(),
                                              options_.retry_for.count() / 1000, node.last_reason));
    } else if (node.connect_failures > 0) {
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
  outstanding_ -= count;
  nodes_[batch.node].connect_failures = 0;
  if (last != nullptr) {
    sink_.on_reply(batch.ops[first].tag, std::move(*last));
    return;
  }
  for (std::size_t i = first; i < first + count; ++i) sink_.on_done(batch.ops[i].tag);
}

void Dispatcher::on_error(LinkId id, Batch& batch, std::size_t index, std::string_view error) {
  if (id == kControl) return on_map_error(error);
  const ReplyClass what = classify_error(error);
  if (what == ReplyClass::kRefused) {
    --outstanding_;
    sink_.on_refused(batch.ops[index].tag, batch.key_of(index), error);
    return;
  }
  HeldOp held = hold(batch, index);
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
    held_bytes_ += held.bytes.size();
    ready_.push_back(std::move(held));
    return;
  }
  ++counters_.postponed;
  if (what == ReplyClass::kWrongRole || error.starts_with("CLUSTERDOWN"))
    want_map(milliseconds{100});
  postpone(std::move(held), error);
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

void Dispatcher::postpone(HeldOp held, std::string_view reason) {
  if (held.op.failing_since == MonoTime{}) held.op.failing_since = now_;
  if (now_ - held.op.failing_since > options_.retry_for) {
    const auto key = std::string_view(held.bytes).substr(held.op.key_begin, held.op.key_size);
    fail_client(ErrorCode::kIo, fmt::format("key '{}' could not be written for {} s: {}", key,
                                            options_.retry_for.count() / 1000, reason));
  }
  held.due = now_ + pause(held.op.attempts++);
  held_due_ = held_.empty() ? held.due : std::min(held_due_, held.due);
  held_bytes_ += held.bytes.size();
  ++counters_.retried;
  if (owner_[held.op.slot] == kNobody) want_map(milliseconds{100});
  held_.push_back(std::move(held));
}

void Dispatcher::retry_rest(const Batch& batch, std::string_view reason, bool counts_as_attempt) {
  for (std::size_t i = batch.answered; i < batch.ops.size(); ++i) {
    HeldOp held = hold(batch, i);
    if (counts_as_attempt) {
      if (held.op.failing_since == MonoTime{}) held.op.failing_since = now_;
      if (now_ - held.op.failing_since > options_.retry_for) {
        fail_client(ErrorCode::kIo,
                    fmt::format("{}: {}", nodes_[batch.node].endpoint.str(), reason));
      }
      ++held.op.attempts;
      ++counters_.retried;
    }
    held_bytes_ += held.bytes.size();
    ready_.push_back(std::move(held));
  }
}

// Puts operations that have not been sent, and do not belong to the node any more, back in front
// of the routing: those that followed an ASK when it is down, or (everything) all of a batch in
// which the slot of any one has a new owner.
void Dispatcher::take_back_waiting(std::uint16_t index, bool everything) {
  Node& node = nodes_[index];
  if (node.open) seal(node);
  std::deque<std::unique_ptr<Batch>> kept;
  for (auto& batch : node.waiting) {
    const bool stray =
        batch->asking
            ? !everything || node.down_since.has_value()
            : everything && std::any_of(batch->ops.begin(), batch->ops.end(),
                                        [&](const auto& op) { return owner_[op.slot] != index; });
    if (stray) {
      retry_rest(*batch, "", false);
      on_batch_end(std::move(batch));
    } else {
      kept.push_back(std::move(batch));
    }
  }
  node.waiting = std::move(kept);
}

void Dispatcher::release_held() {
  if (!held_.empty() && now_ >= held_due_) {
    std::deque<HeldOp> later;
    for (auto& held : held_) {
      if (held.due > now_) {
        held_due_ = later.empty() ? held.due : std::min(held_due_, held.due);
        later.push_back(std::move(held));
      } else {
        ready_.push_back(std::move(held));
      }
    }
    held_ = std::move(later);
  }
  if (ready_.empty()) return;
  while (!ready_.empty()) {
    HeldOp next = std::move(ready_.front());
    ready_.pop_front();
    held_bytes_ -= next.bytes.size();
    route(std::move(next));
  }
  flush(now_);
}

void Dispatcher::route(HeldOp held) {
  if (held.ask) {
    const std::uint16_t node = node_for(*held.ask);
    send_asking(held, node);
    return;
  }
  const std::uint16_t owner = owner_[held.op.slot];
  if (owner == kNobody) return postpone(std::move(held), "its slot has no owner");
  append(owner, held.bytes, held.op);
  const Batch& open = *nodes_[owner].open;
  if (open.bytes.size() >= options_.batch_bytes || open.ops.size() >= options_.batch_ops)
    seal(nodes_[owner]);
}

void Dispatcher::send_asking(const HeldOp& held, std::uint16_t index) {
  Node& node = nodes_[index];
  if (node.open) seal(node);
  BatchedOp op = held.op;
  op.replies = static_cast<std::uint16_t>(op.replies * 2);
  const std::string bytes = with_asking(held.bytes);
  op.key_begin += static_cast<std::uint32_t>(command_length(bytes));
  append(index, bytes, op);
  node.open->asking = true;
  node.open->plain = false;
  seal(node);
}

void Dispatcher::fail_client(ErrorCode code, std::string context) {
  if (!failure_) failure_ = Error{code, std::move(context)};
}

}  // namespace hearth::client
