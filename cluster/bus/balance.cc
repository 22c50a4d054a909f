// Balance: what primaries tell each other about their slots and their load, and whether this node
// is being drained. The bus carries it; cluster/migration/rebalance.h decides what follows from it.
//
// The messages are MODULE messages, which other servers pass over; to nodes that take light
// headers they are 36 bytes. They are told again and again, so a lost one does no harm, and they
// say nothing that a node must keep.
#include <algorithm>

#include "cluster/bus/state.h"
#include "src/base/bytes.h"

namespace hearth::cluster::bus {
namespace {

constexpr std::uint64_t kBalanceModule = 0x4845415254484231ULL;  // "HEARTHB1"
constexpr std::uint8_t kNews = 1;

// mode u8, flags u8, zeros u16, keys u64, CPU microseconds a second u64. A longer one is of a later
// version, which keeps these.
constexpr std::size_t kNewsBytes = 20;
constexpr std::uint8_t kDraining = 1, kTakes = 2, kMoving = 4, kStuck = 8, kCountsCpu = 16;
// Sums of what peers tell stay far from overflow.
constexpr std::uint64_t kFigureMax = std::uint64_t{1} << 48;

std::string news_payload(const BalanceNews& news) {
  std::string out;
  ByteWriter w(out);
  w.be(static_cast<std::uint8_t>(news.mode));
  const int flags = (news.draining ? kDraining : 0) | (news.takes ? kTakes : 0) |
                    (news.moving ? kMoving : 0) | (news.stuck ? kStuck : 0) |
                    (news.counts_cpu ? kCountsCpu : 0);
  w.be(static_cast<std::uint8_t>(flags));
  w.zeros(2);
  w.be(news.keys);
  w.be(news.cpu_us);
  return out;
}

bool read_news(std::string_view payload, BalanceNews& news) {
  ByteReader in(payload);
  std::uint8_t mode = 0, flags = 0;
  if (payload.size() < kNewsBytes || !in.be(mode) || !in.be(flags) || !in.skip(2) ||
      !in.be(news.keys) || !in.be(news.cpu_us)) {
    return false;
  }
  if (mode > static_cast<std::uint8_t>(BalanceMode::kLoad)) return false;
  news.mode = static_cast<BalanceMode>(mode);
  news.draining = (flags & kDraining) != 0;
  news.takes = (flags & kTakes) != 0;
  news.moving = (flags & kMoving) != 0;
  news.stuck = (flags & kStuck) != 0;
  news.counts_cpu = (flags & kCountsCpu) != 0;
  news.keys = std::min(news.keys, kFigureMax);
  news.cpu_us = std::min(news.cpu_us, kFigureMax);
  return true;
}

void broadcast_news(State& s) {
  const ModuleBody body{kBalanceModule, kNews, news_payload(s.myself->balance)};
  std::shared_ptr<Message> full, light;
  for (auto& [id, node] : s.nodes) {
    if (node.has(node_flag::kMyself | node_flag::kHandshake)) continue;
    Link* link = s.find_link(node.link);
    if (link == nullptr) continue;
    const bool takes_light = node.has(node_flag::kLightModule);
    auto& message = takes_light ? light : full;
    if (message == nullptr) {
      message = std::make_shared<Message>(Message{MessageType::kModule, takes_light, {}, body});
    }
    s.send(*link, message);
  }
}

}  // namespace

const BalanceNews* balance_of(const State& s, const Node& node) {
  if (node.balance_heard == kNever) return nullptr;
  if (s.age(node.balance_heard) > balance_news_life(s.nodes.size()).count()) return nullptr;
  return &node.balance;
}

bool is_draining(const State& s, const Node& node) {
  if (&node == s.myself) return s.draining;
  const BalanceNews* news = balance_of(s, node);
  return news != nullptr && news->draining;
}

AdminReply tell_balance(State& s, const admin::TellBalance& in) {
  Node& me = *s.myself;
  me.balance = in.news;
  me.balance.draining = s.draining;
  me.balance_heard = s.now_ms;
  broadcast_news(s);
  return {};
}

AdminReply drain(State& s, const admin::Drain& in) {
  if (in.on && s.myself->is_replica()) {
    return {AdminReply::Kind::kError, "ERR a replica has no slots to give away", 0};
  }
  if (s.draining == in.on) return {};
  s.draining = in.on;
  s.note(log::Level::kNotice, in.on ? "This node is being drained: it gives its slots away."
                                    : "This node is not drained any more.");
  s.must_save();
  s.publish_now();
  Node& me = *s.myself;
  me.balance.draining = in.on;
  me.balance.takes = me.balance.takes && !in.on;
  me.balance_heard = s.now_ms;
  broadcast_news(s);
  return {};
}

void on_balance_message(State& s, Node& sender, const ModuleBody& body) {
  if (body.module_id != kBalanceModule || body.type != kNews) return;
  BalanceNews news;
  if (!read_news(body.payload, news)) return;
  sender.balance = news;
  sender.balance_heard = s.now_ms;
}

}  // namespace hearth::cluster::bus
