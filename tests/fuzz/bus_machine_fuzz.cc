// Arbitrary events into a bus machine: links, ticks, administrators, messages of a few peers and
// raw frames. It never stops, stays within its bounds, and every nodes.conf that it writes loads
// again and is written the same way again.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/bus/limits.h"
#include "cluster/bus/machine.h"
#include "cluster/nodes_file/nodes_file.h"
#include "cluster/wire/codec.h"
#include "src/base/check.h"

namespace {

using namespace hearth;           // NOLINT: one small program
using namespace hearth::cluster;  // NOLINT

// Numbers and texts out of the input; zeros when it has ended.
class Source {
 public:
  explicit Source(std::string_view bytes) : left_(bytes) {}
  [[nodiscard]] bool is_empty() const { return left_.empty(); }
  unsigned byte() {
    if (left_.empty()) return 0;
    const auto b = static_cast<unsigned char>(left_.front());
    left_.remove_prefix(1);
    return b;
  }
  unsigned below(unsigned n) { return byte() % n; }
  std::string text() {
    const std::size_t wanted = byte() % 64;
    return std::string(take(wanted));
  }
  std::string_view frame() {
    const std::size_t high = byte();
    return take(high * 256 + byte());
  }
  // Small ones, and ones around the limits.
  std::uint64_t number() {
    const unsigned b = byte();
    if (b < 200) return b % 16;
    if (b < 220) return kEpochMax - b % 4;
    return (std::uint64_t{b} << 40) + byte();
  }

 private:
  std::string_view take(std::size_t wanted) {
    const std::size_t n = std::min(wanted, left_.size());
    const auto out = left_.substr(0, n);
    left_.remove_prefix(n);
    return out;
  }
  std::string_view left_;
};

class Run {
 public:
  Run(Source& in) : in_(in) {  // NOLINT: by reference on purpose
    settings_.announced = {in.below(2) == 0 ? "" : "10.0.0.1", 6379, 0, 16379};
    settings_.require_full_coverage = in.below(2) == 0;
    if (in.below(3) == 0) {
      settings_.expected_size = 1 + static_cast<int>(in.below(4));
      settings_.seeds = {{"10.0.0.2", 6379, 16379}};
    }
    settings_.replica_validity_factor = static_cast<int>(in.below(3));
    settings_.replicas_per_shard = static_cast<int>(in.below(2));
    restart(std::nullopt);
  }

  void one_event() {
    switch (in_.below(18)) {
      case 0: now_ms_ += in_.byte(); break;
      case 1: now_ms_ += 100 * in_.byte(); break;
      case 2:
      case 3: tick(); break;
      case 4: accept(); break;
      case 5: feed(input::LinkConnected{link(), "10.0.0.1"}); break;
      case 6: feed(input::LinkClosed{link(), in_.below(2) == 0}); break;
      case 7: admin(); break;
      case 8: persisted(in_.below(4) != 0); break;
      case 9: raw_frame(); break;
      case 10: feed(input::SeedResolved{in_.below(2), {"10.0.0.2", in_.text()}}); break;
      case 11: feed(input::Publish{in_.text(), in_.text(), in_.below(2) == 0}); break;
      case 12:
        if (in_.below(8) == 0 && !files_.empty()) restart(parse_nodes_file(files_.back()).value());
        break;
      case 13: move_data(); break;
      default: message(); break;
    }
  }

 private:
  [[nodiscard]] Now now() const {
    return {MonoTime{(now_ms_ + 1000) * 1000}, UnixMillis{1'700'000'000'000 + now_ms_}, data_};
  }
  void move_data() {
    data_.offset = in_.number();
    data_.is_empty = in_.below(2) == 0;
    data_.writes_held = in_.below(2) == 0;
    data_.link_up = in_.below(2) == 0;
    data_.silence.reset();
    if (in_.below(2) == 0) data_.silence = std::chrono::milliseconds{100 * in_.byte()};
    feed(input::DataMoved{});
  }
  void restart(std::optional<View> saved) {
    // Each life of a process draws other ids.
    machine_.emplace(settings_, saved, ++lives_, now());
    links_ = {0};
    save_due_ = false;
    tick();
    persisted(true);
  }
  void tick() {
    now_ms_ += kTickPeriod.count();
    feed(input::Tick{});
  }
  void accept() {
    next_inbound_ += 2;
    links_.push_back(next_inbound_);
    feed(input::LinkAccepted{next_inbound_, "10.0.0." + std::to_string(in_.below(9)), "10.0.0.1"});
  }
  void persisted(bool ok) {
    if (save_due_) feed(input::Persisted{ok});
  }
  LinkId link() { return links_[in_.byte() % links_.size()]; }
  NodeId id() {
    if (in_.below(8) == 0) return machine_->id();
    return NodeId(std::string(39, '0') + "0123456789abcdef"[in_.below(16)]);
  }

  void feed(const Input& input) {
    if (std::holds_alternative<input::Persisted>(input)) save_due_ = false;
    const Actions done = machine_->step(input, now());
    for (const auto& action : done.list) {
      if (const auto* open = std::get_if<action::OpenLink>(&action)) links_.push_back(open->link);
      if (const auto* send = std::get_if<action::Send>(&action)) {
        HEARTH_CHECK(wire::decode(wire::encode(*send->message)).has_value());
      }
      if (const auto* persist = std::get_if<action::Persist>(&action)) {
        HEARTH_CHECK(!save_due_);
        save_due_ = true;
        check_file(*persist->view);
      }
    }
    if (links_.size() > 64) links_.erase(links_.begin(), links_.begin() + 32);
    if (const ViewPtr view = machine_->end_turn(now())) {
      HEARTH_CHECK(view->nodes.size() <= limits::kNodesMax);
    }
  }
  void check_file(const View& view) {
    const std::string text = nodes_file_text(view);
    const auto loaded = parse_nodes_file(text);
    HEARTH_CHECK(loaded.has_value());
    HEARTH_CHECK(loaded->current_epoch >= view.current_epoch);
    HEARTH_CHECK(loaded->me().id == view.me().id && loaded->me().slots == view.me().slots);
    if (files_.size() > 4) files_.erase(files_.begin());
    files_.push_back(text);
  }

  void raw_frame() {
    auto decoded = wire::decode(in_.frame());
    if (!decoded) return;
    feed(input::MessageReceived{link(), std::make_shared<const Message>(std::move(*decoded))});
  }
  void message() {
    Message m;
    m.type = static_cast<MessageType>(in_.below(11));
    m.header.sender = id();
    m.header.current_epoch = in_.number();
    m.header.config_epoch = in_.number();
    m.header.port = static_cast<std::uint16_t>(7000 + in_.below(4));
    m.header.cport = static_cast<std::uint16_t>(17000 + in_.below(4));
    m.header.flags = static_cast<NodeFlags>(in_.byte() * 4 + in_.byte());
    m.header.message_flags = static_cast<std::uint8_t>(in_.byte());
    if (in_.below(3) == 0) m.header.replica_of = id();
    if (in_.below(4) == 0) m.header.announced_ip = in_.text();
    m.header.slots = slots();
    fill_body(m);
    feed(input::MessageReceived{link(), std::make_shared<const Message>(std::move(m))});
  }
  SlotSet slots() {
    SlotSet out;
    for (unsigned n = in_.below(4); n > 0; --n) {
      const auto first = static_cast<Slot>(in_.byte() * 64);
      out.add(SlotRange{first, static_cast<Slot>(first + in_.below(64))});
    }
    return out;
  }
  void fill_body(Message& m) {
    switch (m.type) {
      case MessageType::kPing:
      case MessageType::kPong:
      case MessageType::kMeet: {
        auto& body = m.body.emplace<PingBody>();
        for (unsigned n = in_.below(4); n > 0; --n) {
          GossipEntry e;
          e.id = id();
          e.ip = in_.below(2) == 0 ? "10.0.0.3" : in_.text();
          e.cport = static_cast<std::uint16_t>(in_.byte());
          e.flags = static_cast<NodeFlags>(in_.byte());
          e.pong_received = static_cast<std::uint32_t>(in_.number());
          body.gossip.push_back(e);
        }
        body.extensions.hostname = in_.text();
        body.extensions.human_name = in_.text();
        if (in_.below(2) == 0) body.extensions.shard_id = id();
        if (in_.below(4) == 0) body.extensions.forgotten.push_back({id(), in_.number()});
        break;
      }
      case MessageType::kFail: m.body = FailBody{id()}; break;
      case MessageType::kPublish:
      case MessageType::kPublishShard: m.body = PublishBody{in_.text(), in_.text()}; break;
      case MessageType::kUpdate: m.body = UpdateBody{id(), in_.number(), slots()}; break;
      case MessageType::kModule:
        m.body = ModuleBody{in_.below(4) == 0 ? 0x4845415254485231ULL : 0x4845415254484631ULL,
                            static_cast<std::uint8_t>(in_.below(4)),
                            std::string(in_.frame().substr(0, 512))};
        break;
      default: break;
    }
  }
  void admin() {
    const auto slot = static_cast<Slot>(in_.byte() * 64);
    const std::string name = id().str();
    switch (in_.below(17)) {
      case 0: feed(input::Admin{admin::AddSlots{{slot}}}); break;
      case 1: feed(input::Admin{admin::DelSlots{{slot}}}); break;
      case 2: feed(input::Admin{admin::SetSlotMigrating{slot, name}}); break;
      case 3: feed(input::Admin{admin::SetSlotImporting{slot, name}}); break;
      case 4: feed(input::Admin{admin::SetSlotStable{slot}}); break;
      case 5: feed(input::Admin{admin::SetSlotNode{slot, name, false}}); break;
      case 6: feed(input::Admin{admin::Forget{name}}); break;
      case 7: feed(input::Admin{admin::BumpEpoch{}}); break;
      case 8: feed(input::Admin{admin::Reset{in_.below(2) == 0, false}}); break;
      case 9:
        feed(input::Admin{admin::SetConfigEpoch{static_cast<std::int64_t>(in_.number())}});
        break;
      case 10:
      case 11: feed(input::Admin{admin::Replicate{name, false}}); break;
      case 12: feed(input::Admin{admin::ReplicateNoOne{}}); break;
      case 13:
        feed(input::Admin{admin::Failover{static_cast<admin::Failover::Mode>(in_.below(3))}});
        break;
      case 14: feed(input::Admin{admin::HandOver{}}); break;
      default: feed(input::Admin{admin::Meet{"10.0.0.5", 7000, 17000}}); break;
    }
  }

  Source& in_;
  BusSettings settings_;
  std::uint64_t lives_ = 0;
  std::int64_t now_ms_ = 0;
  DataState data_;
  std::optional<Machine> machine_;
  std::vector<LinkId> links_{0};
  LinkId next_inbound_ = 1;
  bool save_due_ = false;
  std::vector<std::string> files_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Source in(std::string_view(reinterpret_cast<const char*>(data), size));
  Run run(in);
  while (!in.is_empty()) run.one_event();
  return 0;
}
