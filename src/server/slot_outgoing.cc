#include "src/server/slot_outgoing.h"

#include <utility>

#include "src/base/log.h"
#include "src/effects/command_stream.h"
#include "src/server/slot_moves.h"

namespace hearth {
namespace {

using cluster::migration::Export;
using cluster::migration::ExportAction;
namespace from = cluster::migration::from;

// Chunks that the target has not answered. Enough to keep it busy while answers travel.
constexpr std::size_t kChunksUnderWay = 16;
// A turn adds so much, which is less than half a millisecond of work.
constexpr std::size_t kWalkBytes = 512 * 1024;
constexpr std::size_t kWalkKeys = 256;
constexpr std::size_t kAnswerBytesMost = 1 << 20;
constexpr milliseconds kSayingMost{1000};  // between two words to the target

}  // namespace

Outgoing::Outgoing(Parts parts, const cluster::migration::ExportSettings& settings,
                   SlotMove& record)
    : parts_(std::move(parts)),
      record_(record),
      machine_(settings, parts_.engine->mono_now()),
      source_(*parts_.engine, *parts_.engine->services().commands, record.slots) {
  record_.state = cluster::migration::state_name(machine_.state());
  inputs_.emplace_back(from::Tick{});
}

Outgoing::~Outgoing() { *alive_ = false; }

void Outgoing::turn() {
  if (stream_ != nullptr && !stream_->unread().empty()) read_answers();
  while (!inputs_.empty() && !machine_.is_over()) {
    const Input input = std::move(inputs_.front());
    inputs_.pop_front();
    step(input);
  }
  if (source_.was_flushed()) step(from::Spoiled{"all keys were flushed"});
  step(from::Tick{});
  if (machine_.sends()) {
    if (source_.waiting_bytes() < kWalkBytes) source_.walk(kWalkBytes, kWalkKeys);
    send_data();
    step(from::Progress{source_.is_walked(), source_.waiting_bytes() + under_way_bytes_,
                        parts_.engine->holds().is_idle()});
  }
  update_record();
}

void Outgoing::look_at(const cluster::View& view) {
  from::Cluster input;
  record_.slots.for_each([&](Slot slot) {
    if (view.owner[slot] != view.myself) input.owner = from::Owner::kOther;
  });
  const cluster::NodeIndex target = view.find(NodeId(record_.target));
  input.target_failed =
      target == cluster::kNoNode || view.nodes[target].has(cluster::node_flag::kFail);
  inputs_.emplace_back(input);
  if (!view.me().is_primary()) inputs_.emplace_back(from::Spoiled{"this node is a replica"});
}

bool Outgoing::cancel() {
  if (machine_.is_over()) return false;
  step(from::Cancel{});
  update_record();
  return machine_.is_over();
}

void Outgoing::step(const Input& input) {
  const Export::State before = machine_.state();
  for (const ExportAction action : machine_.step(input, parts_.engine->mono_now())) run(action);
  if (machine_.state() != before) record_.updated = parts_.clock->unix_now();
}

void Outgoing::update_record() {
  const MonoTime now = parts_.engine->mono_now();
  record_.state = cluster::migration::state_name(machine_.state());
  record_.message = machine_.message();
  record_.paused = machine_.paused_for(now);
  if (!machine_.is_over() || record_.is_over()) return;
  record_.ended = record_.updated = parts_.clock->unix_now();
  record_.failed = machine_.state() == Export::State::kFailed;
  log::notice("The move {} of {} slots to {}: {} {} (writes waited for {} ms)", record_.name,
              record_.slots.count(), record_.target, record_.state, record_.message,
              record_.paused.count());
}

void Outgoing::run(ExportAction action) {
  switch (action) {
    case ExportAction::kConnect: return connect();
    case ExportAction::kEstablish: return establish();
    case ExportAction::kHold: holds_ = true; return;
    case ExportAction::kRelease: holds_ = false; return;
    case ExportAction::kReserve: return reserve();
    case ExportAction::kCommit: return commit();
    case ExportAction::kAsk: return ask();
    case ExportAction::kFence: return fence();
    case ExportAction::kClose: stream_.reset(); return;
  }
}

// --- the link

void Outgoing::connect() {
  const cluster::ViewPtr view = parts_.published();
  const cluster::NodeIndex target = view->find(NodeId(record_.target));
  if (target == cluster::kNoNode) {
    inputs_.emplace_back(from::Closed{"the target is not known any more"});
    return;
  }
  parser_ = ReplyParser();
  under_way_.clear();
  under_way_bytes_ = 0;
  StreamTarget to;
  to.host = view->nodes[target].address.ip;
  to.port = view->nodes[target].address.port;
  to.limits.unread_most = kAnswerBytesMost;
  to.source_ip = parts_.engine->settings().bind_source_addr;
  stream_ = parts_.streams->open(to, *this);
  stream_->set_deadline(parts_.engine->settings().repl_timeout);
}

void Outgoing::stream_opened() { inputs_.emplace_back(from::Opened{}); }

// Read at the end of the turn, which this callback is part of.
void Outgoing::stream_received() {}

void Outgoing::stream_ended(const ByteStream::End& end) {
  parts_.refresh_time();
  read_answers();
  stream_.reset();
  inputs_.emplace_back(from::Closed{end.why});
}

void Outgoing::establish() {
  std::string out;
  for (const auto& words : parts_.credentials)
    append_command(std::span<const std::string>(words), out);
  greetings_ = parts_.credentials.size();
  std::vector<std::string> words{"CLUSTER", "SYNCSLOTS", "ESTABLISH", record_.name, record_.source};
  append_ranges(record_.slots, words);
  append_command(std::span<const std::string>(words), out);
  stream_->write(out);
  under_way_.push_back({});
}

void Outgoing::send(std::string_view what, std::string_view word, Sent sent) {
  const std::string_view words[] = {"CLUSTER", "SYNCSLOTS", what, word};
  out_.clear();
  append_command(std::span<const std::string_view>(words), out_);
  stream_->write(out_);
  under_way_.push_back(sent);
  under_way_bytes_ += sent.bytes;
  last_sent_ = parts_.engine->mono_now();
}

void Outgoing::send_data() {
  if (stream_ == nullptr) return;
  while (source_.has_chunk() && under_way_.size() < kChunksUnderWay) {
    std::string chunk = source_.take_chunk();
    send("DATA", chunk, {chunk.size()});
    source_.give_back(std::move(chunk));
  }
  if (under_way_.empty() && parts_.engine->mono_now() - last_sent_ > kSayingMost)
    send("DATA", "", {});
}

// Answers come in the order of what was sent.
void Outgoing::read_answers() {
  if (stream_ == nullptr) return;
  parser_.feed(stream_->unread());
  stream_->consume(stream_->unread().size());
  for (;;) {
    auto reply = parser_.next();
    if (!reply || (*reply && greetings_ == 0 && under_way_.empty())) {
      inputs_.emplace_back(from::Closed{"the target's answers make no sense"});
      stream_.reset();
      return;
    }
    if (!*reply) return;
    std::string error((*reply)->is_error() ? (*reply)->text() : std::string_view());
    if (greetings_ > 0) {
      --greetings_;
      if (error.empty()) continue;
    } else {
      const Sent sent = under_way_.front();
      under_way_.pop_front();
      under_way_bytes_ -= sent.bytes;
      record_.heard = parts_.clock->unix_now();
      // Of what left together with the order to take the slots, only the answer to that counts.
      if (commit_sent_ && !sent.is_commit) continue;
      commit_sent_ = false;
    }
    inputs_.emplace_back(from::Answer{std::move(error)});
  }
}

// --- the hand-over

void Outgoing::reserve() {
  const auto done = [this, alive = alive_](const cluster::AdminReply& reply) {
    if (!*alive) return;
    const bool ok = reply.kind == cluster::AdminReply::Kind::kInteger;
    inputs_.emplace_back(from::Reserved{ok ? static_cast<Epoch>(reply.integer) : Epoch{0}});
  };
  if (const auto reply = parts_.cluster->administer(cluster::admin::ReserveEpoch{}, done))
    done(*reply);
}

void Outgoing::commit() {
  if (stream_ == nullptr) return;  // the machine hears of that next
  // Keys may have expired or been evicted since everything was confirmed.
  while (source_.has_chunk()) {
    const std::string chunk = source_.take_chunk();
    send("DATA", chunk, {chunk.size()});
  }
  commit_sent_ = true;
  send("COMMIT", std::to_string(machine_.epoch()), {.bytes = 0, .is_commit = true});
}

void Outgoing::ask() {
  const auto done = [this, alive = alive_](const std::string& failure, const std::string& error) {
    if (!*alive) return;
    from::Told told;
    if (failure.empty() && error.empty()) told.verdict = from::Verdict::kTaken;
    if (failure.empty() && error.starts_with("NOTTAKEN")) told.verdict = from::Verdict::kNotTaken;
    inputs_.emplace_back(told);
  };
  const cluster::ViewPtr view = parts_.published();
  const cluster::NodeIndex target = view->find(NodeId(record_.target));
  if (target == cluster::kNoNode) return done("it is not known", "");
  std::vector<std::string> words{"CLUSTER", "SYNCSLOTS", "QUERY", record_.name};
  append_ranges(record_.slots, words);
  parts_.ask(view->nodes[target], std::move(words), done);
}

void Outgoing::fence() {
  const auto done = [this, alive = alive_](const cluster::AdminReply& reply) {
    if (*alive) inputs_.emplace_back(from::Fenced{!reply.is_error()});
  };
  if (const auto reply = parts_.cluster->administer(cluster::admin::Outbid{machine_.epoch()}, done))
    done(*reply);
}

}  // namespace hearth
