// One machine without a network around it: a test hands it links and messages of peers that do not
// exist, and reads its actions.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "cluster/bus/machine.h"
#include "cluster/model/message.h"

namespace hearth::sim {

struct BareMachine {
  explicit BareMachine(const std::optional<cluster::View>& saved = std::nullopt,
                       cluster::BusSettings with = default_settings())
      : settings(std::move(with)),
        machine(std::make_unique<cluster::Machine>(settings, saved, 1, now())) {
    tick();
  }
  // Of a node of index 9'999'999 and `count` others that are members of its cluster.
  static cluster::View file_of(int count) {
    cluster::View file;
    for (int i = 0; i <= count; ++i) {
      cluster::NodeView node;
      node.id = id_of(i == count ? 9'999'999 : i);
      node.flags = cluster::node_flag::kPrimary;
      if (i == count) node.flags |= cluster::node_flag::kMyself;
      node.address = {"10.9.9.9", 7000, 0, static_cast<std::uint16_t>(17'000 + i % 10'000)};
      file.nodes.push_back(node);
    }
    file.myself = static_cast<cluster::NodeIndex>(count);
    file.index();
    return file;
  }

  static cluster::BusSettings default_settings() {
    cluster::BusSettings s;
    s.announced = {"10.0.0.1", 6379, 0, 16379};
    return s;
  }
  [[nodiscard]] cluster::Now now() const {
    return {MonoTime{(1000 + ms) * 1000}, UnixMillis{1'700'000'000'000 + ms}, data};
  }
  // One turn of one step. What it wants done is added to `actions`.
  void feed(const cluster::Input& input) {
    cluster::Actions done = machine->step(input, now());
    bool saves = false;
    for (auto& action : done.list) {
      saves = saves || std::holds_alternative<cluster::action::Persist>(action);
      actions.push_back(std::move(action));
    }
    if (done.reply) reply = *done.reply;
    if (auto view = machine->end_turn(now()); view != nullptr) {
      published = std::move(view);
      ++views;
    }
    if (saves && disk_answers) feed(cluster::input::Persisted{true});
  }
  void tick(int times = 1) {
    for (int i = 0; i < times; ++i) {
      ms += cluster::kTickPeriod.count();
      feed(cluster::input::Tick{});
    }
  }
  [[nodiscard]] cluster::ViewPtr view() { return machine->view(now()); }

  // --- a peer that is made up

  static NodeId id_of(int n) { return NodeId(fmt::format("{:040x}", n + 1)); }
  [[nodiscard]] cluster::Message heartbeat(cluster::MessageType type, int n) const {
    cluster::Message m;
    m.type = type;
    m.header.sender = id_of(n);
    m.header.port = static_cast<std::uint16_t>(7000 + n % 10'000);
    m.header.cport = static_cast<std::uint16_t>(17'000 + n % 10'000);
    m.header.flags = cluster::node_flag::kPrimary;
    m.body = cluster::PingBody{};
    return m;
  }
  void receive(cluster::LinkId link, cluster::Message message) {
    feed(cluster::input::MessageReceived{
        link, std::make_shared<const cluster::Message>(std::move(message))});
  }
  cluster::LinkId accept(const std::string& ip = "10.9.9.9") {
    next_inbound += 2;
    feed(cluster::input::LinkAccepted{next_inbound, ip, "10.0.0.1"});
    return next_inbound;
  }
  template <typename A>
  [[nodiscard]] std::vector<A> all() const {
    std::vector<A> out;
    for (const auto& action : actions) {
      if (const auto* a = std::get_if<A>(&action)) out.push_back(*a);
    }
    return out;
  }
  // The peer introduces itself, answers on the link that is opened to it, and so is a member.
  // Returns the link that the machine opened.
  cluster::LinkId join(int n) {
    receive(accept(), heartbeat(cluster::MessageType::kMeet, n));
    actions.clear();
    tick();
    for (const auto& open : all<cluster::action::OpenLink>()) {
      if (open.cport != 17'000 + n % 10'000) continue;
      feed(cluster::input::LinkConnected{open.link, "10.0.0.1"});
      receive(open.link, heartbeat(cluster::MessageType::kPong, n));
      return open.link;
    }
    return 0;
  }
  [[nodiscard]] int count_with(cluster::NodeFlags flag) {
    int n = 0;
    const cluster::ViewPtr v = view();
    for (const auto& node : v->nodes) n += node.has(flag) ? 1 : 0;
    return n;
  }

  std::int64_t ms = 0;
  cluster::DataState data;
  cluster::BusSettings settings;
  std::unique_ptr<cluster::Machine> machine;
  std::vector<cluster::Action> actions;
  cluster::AdminReply reply;
  cluster::ViewPtr published;
  int views = 0;
  bool disk_answers = true;  // false: the test feeds input::Persisted itself
  cluster::LinkId next_inbound = 1;
};

}  // namespace hearth::sim
