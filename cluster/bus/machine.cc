#include "cluster/bus/machine.h"

#include <fmt/format.h>

#include <type_traits>
#include <utility>

#include "cluster/bus/state.h"

namespace hearth::cluster {

using bus::Node;
using bus::State;

namespace {

void set_now(State& s, Now now) {
  s.now = now;
  s.now_ms = now.mono.us / 1000;
}

// The settings that this node announces to others.
void announce_settings(State& s) {
  Node& me = *s.myself;
  const std::string learned_ip = me.address.ip;
  me.address = s.settings.announced;
  if (me.address.ip.empty()) me.address.ip = learned_ip;
  me.hostname = s.settings.hostname;
  me.human_name = s.settings.human_name;
  me.client_ipv4 = s.settings.client_ipv4;
  me.client_ipv6 = s.settings.client_ipv6;
  // Both decode light frames.
  me.set(node_flag::kExtensions | node_flag::kLightPublish | node_flag::kLightModule);
}

void publish(State& s, const input::Publish& in) {
  const auto type = in.sharded ? MessageType::kPublishShard : MessageType::kPublish;
  const PublishBody body{in.channel, in.message};
  std::shared_ptr<Message> full;
  std::shared_ptr<Message> light;
  for (auto& [id, node] : s.nodes) {
    if (node.has(node_flag::kMyself | node_flag::kHandshake)) continue;
    if (in.sharded && node.shard_id != s.myself->shard_id) continue;
    bus::Link* link = s.find_link(node.link);
    if (link == nullptr) continue;
    const bool takes_light = node.has(node_flag::kLightPublish);
    auto& message = takes_light ? light : full;
    if (message == nullptr) {
      message = std::make_shared<Message>(Message{type, takes_light, {}, body});
    }
    s.send(*link, message);
  }
}

bool announces_the_same(const BusSettings& a, const BusSettings& b) {
  return a.announced == b.announced && a.hostname == b.hostname && a.human_name == b.human_name &&
         a.client_ipv4 == b.client_ipv4 && a.client_ipv6 == b.client_ipv6;
}

void apply_settings(State& s, const BusSettings& settings) {
  const bool seeds_changed = s.settings.seeds != settings.seeds;
  const bool has_news = !announces_the_same(s.settings, settings);
  s.settings = settings;
  announce_settings(s);
  // The usual heartbeats take up to half the time-out until all peers know, and clients ask any.
  if (has_news) s.broadcast_pong();
  if (seeds_changed) s.formation.seeds.clear();
  bus::resume_formation(s);
  s.may_save();
  s.publish_now();
  s.check_state = true;
}

void drop_sends(State& s) {
  std::erase_if(s.out, [](const Action& a) { return std::holds_alternative<action::Send>(a); });
}

void fill_in_headers(State& s) {
  if (s.headless.empty()) return;
  const MessageHeader header = s.header();
  for (const auto& message : s.headless) {
    message->header = header;
    if (message->type == MessageType::kAuthRequest && s.manual.may_start) {
      message->header.message_flags |= message_flag::kForceAck;
    }
  }
  s.headless.clear();
}

// A vote, or the request for one, is of the epoch that it was made in. What became of it is told by
// the header, so once that shows a later epoch it would be another vote than was meant.
bool is_stale_vote(const State& s, const State::Held& held) {
  const MessageType type = held.message->type;
  if (type != MessageType::kAuthRequest && type != MessageType::kAuthAck) return false;
  const Epoch told = s.is_saved() ? s.current_epoch : s.durable->current_epoch;
  return held.epoch != told;
}

void on_persisted(State& s, bool ok) {
  if (!std::exchange(s.saving, false)) return;
  s.disk_failed = !ok;
  if (!ok) {
    s.save_now = true;
    s.held.clear();
    return;
  }
  s.durable = s.being_saved;
  s.saved = s.in_save;
  s.check_state = s.check_state || s.serve_after_save > 0;
  std::vector<State::Held> waiting = std::exchange(s.held, {});
  for (auto& held : waiting) {
    if (held.until_saved > s.saved) {
      s.held.push_back(std::move(held));
    } else if (is_stale_vote(s, held)) {
      if (held.message->type == MessageType::kAuthRequest) s.election.asked_at = bus::kNever;
    } else if (bus::Link* link = s.find_link(held.link); link != nullptr && link->connected) {
      // Its header tells what is saved; later changes that are not saved yet are left out.
      ++s.stats.sent[static_cast<std::size_t>(held.message->type)];
      s.headless.push_back(held.message);
      s.out.emplace_back(action::Send{held.link, held.message});
    }
  }
  if (s.pong_after_save != 0 && s.pong_after_save <= s.saved) {
    s.pong_after_save = 0;
    s.broadcast_pong();
  }
}

void save_if_due(State& s, bool is_tick) {
  if (s.saving || (s.disk_failed && !is_tick)) return;
  if (!s.save_now && !(is_tick && s.save_soon)) return;
  s.save_now = s.save_soon = false;
  s.saving = true;
  s.in_save = s.wanted;
  s.being_saved = bus::durable_part(s);
  s.out.emplace_back(action::Persist{std::make_shared<const View>(bus::build_durable_view(s))});
}

Actions finish(State& s, bool is_tick) {
  bus::advance_failover(s, is_tick);
  bus::tell_followed(s);
  if (std::exchange(s.check_state, false)) bus::update_cluster_state(s);
  fill_in_headers(s);
  if (!s.dirty_slots.empty()) {
    s.out.emplace_back(action::DropKeys{s.dirty_slots});
    s.dirty_slots.clear();
  }
  if (is_tick && s.view_changed) s.view_changed_now = true;
  // While the disk refuses, this node is mute: what peers must not hear of before it is saved is
  // not saved, and they are to treat it as failed.
  if (s.disk_failed || !s.durable) drop_sends(s);
  save_if_due(s, is_tick);
  Actions actions;
  actions.list = std::exchange(s.out, {});
  return actions;
}

}  // namespace

Machine::Machine(BusSettings settings, const std::optional<View>& saved, std::uint64_t seed,
                 Now now)
    : state_(std::make_unique<State>(std::move(settings), seed)) {
  State& s = *state_;
  set_now(s, now);
  s.started = s.now_ms;
  if (saved) {
    bus::restore(s, *saved);
    s.durable = bus::durable_part(s);
    bus::resume_formation(s);
    s.note(log::Level::kNotice,
           fmt::format("Node configuration loaded, I'm {}", s.myself->id.view()));
  } else {
    s.myself =
        &s.add_node(NodeId(s.rng.hex(NodeId::kLength)), node_flag::kMyself | node_flag::kPrimary);
    s.myself->shard_id = NodeId(s.rng.hex(NodeId::kLength));
    bus::start_formation(s);
    s.note(log::Level::kNotice,
           fmt::format("No cluster configuration found, I'm {}", s.myself->id.view()));
  }
  announce_settings(s);
  s.must_save();
  s.check_state = true;
}

Machine::~Machine() = default;

Actions Machine::step(const Input& input, Now now) {
  State& s = *state_;
  set_now(s, now);
  std::optional<AdminReply> reply;
  const std::uint64_t wanted = s.wanted;
  // Loading itself says first whether the data is there.
  if (!std::holds_alternative<input::Loading>(input)) bus::judge_loaded_data(s);
  std::visit(
      [&](const auto& in) {
        using In = std::decay_t<decltype(in)>;
        if constexpr (std::is_same_v<In, input::Tick>) {
          bus::on_tick(s);
        } else if constexpr (std::is_same_v<In, input::LinkAccepted>) {
          bus::on_link_accepted(s, in);
        } else if constexpr (std::is_same_v<In, input::LinkConnected>) {
          bus::on_link_connected(s, in);
        } else if constexpr (std::is_same_v<In, input::LinkClosed>) {
          if (in.over_buffer_limit) ++s.stats.links_over_buffer_limit;
          bus::on_link_closed(s, in.link);
        } else if constexpr (std::is_same_v<In, input::MessageReceived>) {
          if (bus::Link* link = s.find_link(in.link)) bus::on_message(s, *link, *in.message);
        } else if constexpr (std::is_same_v<In, input::MessageDropped>) {
          ++s.stats.received[static_cast<std::size_t>(in.type)];
        } else if constexpr (std::is_same_v<In, input::Publish>) {
          publish(s, in);
        } else if constexpr (std::is_same_v<In, input::SeedResolved>) {
          bus::on_seed_resolved(s, in);
        } else if constexpr (std::is_same_v<In, input::SettingsChanged>) {
          apply_settings(s, in.settings);
        } else if constexpr (std::is_same_v<In, input::Admin>) {
          reply = bus::administer(s, in.request);
          s.view_changed_now = s.view_changed;
        } else if constexpr (std::is_same_v<In, input::Persisted>) {
          on_persisted(s, in.ok);
        } else if constexpr (std::is_same_v<In, input::Loading>) {
          s.loading = in.loading;
          bus::judge_loaded_data(s);
          s.check_state = true;
        } else if constexpr (std::is_same_v<In, input::DataMoved>) {
          // finish() looks at what is under way.
        }
      },
      input);
  Actions actions = finish(s, std::holds_alternative<input::Tick>(input));
  actions.reply = std::move(reply);
  if (s.wanted != wanted) actions.reply_after_save = s.wanted;
  return actions;
}

ViewPtr Machine::end_turn(Now now) {
  State& s = *state_;
  if (!s.view_changed || !s.view_changed_now) return nullptr;
  s.view_changed = s.view_changed_now = false;
  return view(now);
}

ViewPtr Machine::view(Now now) const {
  // Only the clock of the copy differs; the state itself stays as the last step left it.
  State& s = *state_;
  set_now(s, now);
  return std::make_shared<const View>(bus::build_view(s));
}

std::vector<Machine::LinkEnd> Machine::links() const {
  std::vector<LinkEnd> out;
  for (const auto& [id, node] : state_->nodes) {
    if (node.has(node_flag::kHandshake)) continue;
    if (node.link != 0) out.push_back({node.link, false, id});
    if (node.inbound != 0) out.push_back({node.inbound, true, id});
  }
  return out;
}

std::uint64_t Machine::saved() const { return state_->saved; }

bool Machine::is_saved() const { return state_->is_saved(); }

ViewPtr Machine::unsaved(Now now) const {
  State& s = *state_;
  if (s.is_saved() && !s.save_now && !s.save_soon && !s.saving) return nullptr;
  set_now(s, now);
  return std::make_shared<const View>(bus::build_durable_view(s));
}

bool Machine::watches_data() const { return state_->manual.is_under_way(); }

bool Machine::is_member(LinkId id) const {
  const bus::Link* link = state_->find_link(id);
  return link != nullptr && link->node != nullptr && !link->node->has(node_flag::kHandshake);
}

const NodeId& Machine::id() const { return state_->myself->id; }

}  // namespace hearth::cluster
