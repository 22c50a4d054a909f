// Servers in memory behind a Transport: they own slots, answer SET, GET, PING, AUTH, ASKING and
// CLUSTER SHARDS, and can be made to fail. Time passes one millisecond a step.
#pragma once

#include <doctest/doctest.h>
#include <fmt/core.h>

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "cluster/model/slot.h"
#include "src/base/random.h"
#include "src/proto/reply_parser.h"
#include "tools/client/dispatcher.h"

namespace hearth::client {

struct FakeNode {
  Endpoint endpoint;
  bool up = true;
  bool is_failed = false;        // as the others see it
  bool hangs_up = false;         // closes the connection at the first data command
  std::string refuses_all;       // an error every data command gets
  std::set<std::string> denied;  // commands that the user may not run
  std::string password;
  std::map<std::string, std::string> data;
  std::uint64_t commands = 0;
};

class FakeCluster final : public Transport {
 public:
  explicit FakeCluster(int nodes, bool cluster_enabled = true) : enabled_(cluster_enabled) {
    for (int i = 0; i < nodes; ++i) {
      nodes_.push_back({});
      nodes_.back().endpoint = {"10.0.0.1", static_cast<std::uint16_t>(7000 + i), ""};
    }
    for (int slot = 0; slot < kSlotCount; ++slot)
      owner_[static_cast<std::size_t>(slot)] = slot * nodes / kSlotCount;
  }

  FakeNode& node(int index) { return nodes_[static_cast<std::size_t>(index)]; }
  int owner(Slot slot) const { return owner_[slot]; }
  void give(Slot slot, int to) {
    migrating_.erase(slot);
    if (to == owner_[slot]) return;
    auto& from_data = node(owner_[slot]).data;
    for (auto it = from_data.begin(); it != from_data.end();) {
      if (cluster::slot_of(it->first) == slot) {
        node(to).data.insert(*it);
        it = from_data.erase(it);
      } else {
        ++it;
      }
    }
    owner_[slot] = to;
  }
  void migrate(Slot slot, int to) {
    if (to != owner_[slot]) migrating_[slot] = to;
  }
  bool knows_shards = true;
  std::size_t bytes_per_step = 1 << 20;  // delivered to the client, each link
  std::size_t send_room = 1 << 20;       // taken from the client, each call
  std::uint64_t opened = 0;

  void open(LinkId link, const Endpoint& to) override {
    ++opened;
    links_[link] = Connection{to, false, ReplyParser{}, "", false};
  }
  std::size_t send(LinkId link, std::string_view bytes) override {
    auto& connection = links_.at(link);
    const std::size_t n = std::min(bytes.size(), send_room);
    connection.requests.feed(bytes.substr(0, n));
    connection.blocked = n < bytes.size();
    return n;
  }
  void close(LinkId link) override { links_.erase(link); }

  // Lets everything that is due happen once.
  void step(Dispatcher& dispatcher) {
    now_ = now_ + milliseconds{1};
    std::vector<LinkId> ids;
    for (const auto& [id, connection] : links_) ids.push_back(id);
    for (const LinkId id : ids) {
      if (links_.contains(id)) serve(id, dispatcher);
    }
    dispatcher.tick(now_);
  }
  // Breaks the links of a node; what the node answered and the client has not seen is lost.
  void cut(int index, Dispatcher& dispatcher) {
    std::vector<LinkId> gone;
    for (const auto& [id, connection] : links_) {
      if (connection.to == node(index).endpoint && connection.connected) gone.push_back(id);
    }
    for (const LinkId id : gone) {
      links_.erase(id);
      dispatcher.on_lost(id, "cut", now_);
    }
  }
  [[nodiscard]] MonoTime now() const { return now_; }

 private:
  struct Connection {
    Endpoint to;
    bool connected = false;
    ReplyParser requests;
    std::string replies;
    bool asking = false;
    bool authenticated = false;
    bool blocked = false;
  };

  FakeNode* find(const Endpoint& endpoint) {
    for (auto& n : nodes_) {
      if (n.endpoint == endpoint) return &n;
    }
    return nullptr;
  }

  void serve(LinkId id, Dispatcher& dispatcher) {
    FakeNode* server = find(links_.at(id).to);
    if (server == nullptr || !server->up) {
      links_.erase(id);
      return dispatcher.on_lost(id, "connection refused", now_);
    }
    if (!links_.at(id).connected) {
      links_.at(id).connected = true;
      dispatcher.on_connected(id, now_);
      return;
    }
    auto& connection = links_.at(id);
    if (connection.blocked) dispatcher.on_writable(id, now_);
    for (;;) {
      auto request = connection.requests.next();
      REQUIRE(request.has_value());
      if (!request->has_value()) break;
      const std::string_view name = (*request)->items()[0].text();
      if (server->hangs_up && (name == "SET" || name == "GET")) {
        links_.erase(id);
        return dispatcher.on_lost(id, "hung up", now_);
      }
      connection.replies += answer(connection, *server, **request);
    }
    const std::string out = connection.replies.substr(0, bytes_per_step);
    connection.replies.erase(0, out.size());
    if (!out.empty()) dispatcher.on_bytes(id, out, now_);
  }

  std::string answer(Connection& connection, FakeNode& server, const RespValue& request) {
    const auto args = request.items();
    const std::string name(args[0].text());
    if (name == "AUTH") {
      connection.authenticated = args.back().text() == server.password;
      return connection.authenticated ? "+OK\r\n" : "-WRONGPASS invalid username-password pair\r\n";
    }
    if (!server.password.empty() && !connection.authenticated)
      return "-NOAUTH Authentication required.\r\n";
    if (server.denied.contains(name))
      return "-NOPERM User default has no permissions to run the '" + name + "' command\r\n";
    if (name == "PING")
      return server.refuses_all.starts_with("LOADING") ? "-" + server.refuses_all + "\r\n"
                                                       : "+PONG\r\n";
    if (name == "SELECT" || name == "CLIENT") return "+OK\r\n";
    if (name == "CLUSTER") return cluster_reply(std::string(args[1].text()));
    if (name == "ASKING") {
      connection.asking = true;
      return "+OK\r\n";
    }
    const bool asking = std::exchange(connection.asking, false);
    ++server.commands;
    if (!server.refuses_all.empty()) return "-" + server.refuses_all + "\r\n";
    const std::string key(args[1].text());
    const Slot slot = cluster::slot_of(key);
    if (enabled_) {
      const int mine = static_cast<int>(&server - nodes_.data());
      const auto target = migrating_.find(slot);
      const bool importing = asking && target != migrating_.end() && target->second == mine;
      if (owner_[slot] != mine && !importing)
        return fmt::format("-MOVED {} {}\r\n", slot, node(owner_[slot]).endpoint.str());
      if (owner_[slot] == mine && target != migrating_.end() && !server.data.contains(key)) {
        return fmt::format("-ASK {} {}\r\n", slot, node(target->second).endpoint.str());
      }
    }
    if (name == "SET") {
      if (args[2].text() == "poison") return "-ERR value is not allowed\r\n";
      server.data[key] = std::string(args[2].text());
      return "+OK\r\n";
    }
    if (name == "APPLY") return ":1\r\n";
    if (name == "NULL") return "$-1\r\n";
    const auto found = server.data.find(key);
    return found == server.data.end()
               ? "$-1\r\n"
               : fmt::format("${}\r\n{}\r\n", found->second.size(), found->second);
  }

  std::string cluster_reply(const std::string& sub) {
    if (!enabled_) return "-ERR This instance has cluster support disabled\r\n";
    if (sub == "SHARDS" && !knows_shards)
      return "-ERR unknown subcommand 'SHARDS'. Try CLUSTER HELP.\r\n";
    std::string body;
    int entries = 0;
    for (int slot = 0; slot < kSlotCount;) {
      int end = slot;
      while (end + 1 < kSlotCount &&
             owner_[static_cast<std::size_t>(end + 1)] == owner_[static_cast<std::size_t>(slot)])
        ++end;
      const auto& n = node(owner_[static_cast<std::size_t>(slot)]);
      if (sub == "SHARDS") {
        body += fmt::format(
            "*4\r\n$5\r\nslots\r\n*2\r\n:{}\r\n:{}\r\n$5\r\nnodes\r\n*1\r\n*8\r\n$"
            "8\r\nendpoint\r\n${}\r\n{}\r\n"
            "$4\r\nport\r\n:{}\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$6\r\nhealth\r\n{}\r\n",
            slot, end, n.endpoint.host.size(), n.endpoint.host, n.endpoint.port,
            n.is_failed ? "$4\r\nfail" : "$6\r\nonline");
      } else {
        body += fmt::format("*3\r\n:{}\r\n:{}\r\n*2\r\n${}\r\n{}\r\n:{}\r\n", slot, end,
                            n.endpoint.host.size(), n.endpoint.host, n.endpoint.port);
      }
      ++entries;
      slot = end + 1;
    }
    return fmt::format("*{}\r\n", entries) + body;
  }

  bool enabled_;
  std::vector<FakeNode> nodes_;
  std::array<int, kSlotCount> owner_{};
  std::map<Slot, int> migrating_;
  std::map<LinkId, Connection> links_;
  MonoTime now_{1'000'000};
};

// Notes the fate of every operation.
class RecordingSink final : public CompletionSink {
 public:
  void on_done(std::uint64_t tag) override { CHECK(done.insert(tag).second); }
  void on_kept(std::uint64_t tag) override { CHECK(kept.insert(tag).second); }
  void on_reply(std::uint64_t tag, RespValue reply) override { replies[tag] = std::move(reply); }
  void on_refused(std::uint64_t tag, std::string_view key, std::string_view error) override {
    refused[tag] = std::string(key) + ": " + std::string(error);
  }
  std::set<std::uint64_t> done;
  std::set<std::uint64_t> kept;
  std::map<std::uint64_t, RespValue> replies;
  std::map<std::uint64_t, std::string> refused;
};

}  // namespace hearth::client
