// The things a follower has from a connect to a lost connection. Of follower.h's sources only.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tools/cache_warm/follower.h"
#include "tools/cache_warm/node_streams.h"
#include "tools/cache_warm/poller.h"

namespace hearth::warm {

// The connection that saves the position has nothing that is not asked for.
class NoFates final : public client::CompletionSink {
 public:
  void on_done(std::uint64_t) override {}
  void on_reply(std::uint64_t, RespValue) override {}
  void on_refused(std::uint64_t, std::string_view, std::string_view) override {}
};

struct Follower::Session {
  explicit Session(ChangeRouter made) : router(std::move(made)) {}
  ChangeRouter router;
  std::unique_ptr<ChangeStream> changes;
  std::optional<RowFinder> finder;
  std::unique_ptr<FollowMachine> machine;
  std::unique_ptr<client::Client> target;
  std::unique_ptr<ClusterSink> sink;
  NoFates no_fates;
  std::unique_ptr<client::Client> notebook;  // of the position
  std::unique_ptr<NodeWatch> watch;
  // The slots of each node, as of a slot map.
  std::map<std::string, std::uint64_t> slots;
  std::uint64_t slots_as_of = 0;
  std::vector<Anchor> anchors;  // of everything before `position`
  ReplicaGate gate;             // of what is acknowledged behind it:
  LogPosition held_position;    //   that
  std::map<std::string, std::string> held_polls;
  LogPosition confirmed;                     // to the database, which `position` is before
  std::map<std::string, std::string> polls;  // acknowledged
  MonoTime look_at{};                        // when the nodes are looked at next
  std::vector<std::pair<std::size_t, Poller>> pollers;  // by mapping
  FollowState state;
  LogPosition position;  // that is saved
  AckLedger::Mark reached;
  std::uint64_t changes_since_commit = 0;
  bool is_streaming = false;
  bool has_lost_nodes = false;  // which ended it: no fault of the database
};

}  // namespace hearth::warm
