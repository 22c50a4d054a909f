#include "cluster/model/redirect.h"

#include <doctest/doctest.h>

#include <initializer_list>
#include <string>
#include <vector>

using namespace hearth;
using namespace hearth::cluster;

namespace {

NodeView node(char digit, std::uint16_t port, SlotRange slots) {
  NodeView n;
  n.id = NodeId(std::string(40, digit));
  n.address = {"127.0.0.1", port, static_cast<std::uint16_t>(port + 1000),
               static_cast<std::uint16_t>(port + 10000)};
  n.flags = node_flag::kPrimary;
  n.slots.add(slots);
  return n;
}

// Node 0 is myself with 0-99, node 1 owns 100-199, the rest is nobody's.
View two_nodes() {
  View view;
  view.nodes = {node('a', 6380, {0, 99}), node('b', 6381, {100, 199})};
  view.myself = 0;
  view.state = ClusterState::kOk;
  return view;
}

std::string answer(View view, RedirectQuery query, std::vector<Slot> slots) {
  view.index();
  query.slots = slots;
  return redirect_text(view, query, redirect(view, query));
}

}  // namespace

TEST_CASE("own slots are served, others redirected, unowned refused") {
  CHECK(answer(two_nodes(), {}, {}) == "");
  CHECK(answer(two_nodes(), {}, {5, 5}) == "");
  CHECK(answer(two_nodes(), {}, {150}) == "MOVED 150 127.0.0.1:6381");
  CHECK(answer(two_nodes(), {.session_tls = true}, {150}) == "MOVED 150 127.0.0.1:7381");
  CHECK(answer(two_nodes(), {}, {3999}) == "CLUSTERDOWN Hash slot not served");
  CHECK(answer(two_nodes(), {}, {5, 6}) == "CROSSSLOT Keys in request don't hash to the same slot");
}

TEST_CASE("the preferred endpoint type names the host") {
  View view = two_nodes();
  view.settings.endpoint_type = EndpointType::kHostname;
  CHECK(answer(view, {}, {150}) == "MOVED 150 ?:6381");
  view.nodes[1].hostname = "b.example.org";
  CHECK(answer(view, {}, {150}) == "MOVED 150 b.example.org:6381");
  view.settings.endpoint_type = EndpointType::kUnknown;
  CHECK(answer(view, {}, {150}) == "MOVED 150 :6381");
  view.settings.endpoint_type = EndpointType::kIp;
  view.nodes[1].client_ipv4 = "203.0.113.7";
  CHECK(answer(view, {}, {150}) == "MOVED 150 203.0.113.7:6381");
  CHECK(answer(view, {.session_ipv6 = true}, {150}) == "MOVED 150 127.0.0.1:6381");
}

TEST_CASE("a failed cluster refuses, or serves reads where that is allowed") {
  View view = two_nodes();
  view.state = ClusterState::kFail;
  CHECK(answer(view, {}, {5}) == "CLUSTERDOWN The cluster is down");
  CHECK(answer(view, {.command_writes = false}, {5}) == "CLUSTERDOWN The cluster is down");
  view.settings.reads_when_down = true;
  CHECK(answer(view, {.command_writes = false}, {5}) == "");
  CHECK(answer(view, {.command_writes = false}, {150}) == "MOVED 150 127.0.0.1:6381");
  CHECK(answer(view, {}, {5}) == "CLUSTERDOWN The cluster is down and only accepts read commands");
  CHECK(answer(view, {.shard_pubsub = true}, {5}) == "");
  view.settings.shard_pubsub_when_down = false;
  CHECK(answer(view, {.shard_pubsub = true}, {5}) == "CLUSTERDOWN The cluster is down");
}

TEST_CASE("a migrating slot asks the client to follow missing keys") {
  View view = two_nodes();
  view.migrating = {{7, 1}};
  CHECK(answer(view, {.keys_present = 1}, {7}) == "");
  CHECK(answer(view, {.keys_missing = 1}, {7}) == "ASK 7 127.0.0.1:6381");
  CHECK(answer(view, {.keys_missing = 2}, {7, 7}) == "ASK 7 127.0.0.1:6381");
  CHECK(answer(view, {.keys_present = 1, .keys_missing = 1}, {7, 7}) ==
        "TRYAGAIN Multiple keys request during rehashing of slot");
  CHECK(answer(view, {.moves_slots = true, .keys_missing = 1}, {7}) == "");
}

TEST_CASE("an importing slot is served after ASKING only") {
  View view = two_nodes();
  view.importing = {{150, 1}};
  CHECK(answer(view, {.keys_missing = 1}, {150}) == "MOVED 150 127.0.0.1:6381");
  CHECK(answer(view, {.session_asking = true, .keys_missing = 1}, {150}) == "");
  CHECK(answer(view, {.session_asking = true, .keys_present = 2}, {150, 150}) == "");
  CHECK(answer(view, {.session_asking = true, .keys_present = 1, .keys_missing = 1}, {150, 150}) ==
        "TRYAGAIN Multiple keys request during rehashing of slot");
  CHECK(answer(view, {.session_asking = true}, {151}) == "MOVED 151 127.0.0.1:6381");
}

TEST_CASE("a replica serves reads of READONLY sessions for its own primary") {
  View view = two_nodes();
  view.nodes[0].flags = node_flag::kReplica;
  view.nodes[0].slots.clear();
  view.nodes[0].replica_of = view.nodes[1].id;
  CHECK(answer(view, {.command_writes = false}, {150}) == "MOVED 150 127.0.0.1:6381");
  CHECK(answer(view, {.command_writes = false, .session_readonly = true}, {150}) == "");
  CHECK(answer(view, {.session_readonly = true}, {150}) == "MOVED 150 127.0.0.1:6381");
  CHECK(answer(view, {.shard_pubsub = true}, {150}) == "");
}

TEST_CASE("a replica sends readers after the keys that have left its primary") {
  View view = two_nodes();
  view.nodes[0].flags = node_flag::kReplica;
  view.nodes[0].slots.clear();
  view.nodes[0].replica_of = view.nodes[1].id;
  view.nodes.push_back(node('c', 6382, {200, 299}));
  view.migrating = {{150, 2}};
  view.importing = {{250, 2}};
  const RedirectQuery reads{.command_writes = false, .session_readonly = true, .keys_missing = 1};
  CHECK(answer(view, reads, {150}) == "ASK 150 127.0.0.1:6382");
  RedirectQuery half = reads;
  half.keys_present = 1;
  CHECK(answer(view, half, {150, 150}) ==
        "TRYAGAIN Multiple keys request during rehashing of slot");
  CHECK(answer(view, {.command_writes = false, .keys_missing = 1}, {150}) ==
        "MOVED 150 127.0.0.1:6381");
  // The same on the side of the target.
  CHECK(answer(view, reads, {250}) == "MOVED 250 127.0.0.1:6382");
  RedirectQuery asks = reads;
  asks.session_asking = true;
  CHECK(answer(view, asks, {250}) == "");
  asks.keys_missing = 2;
  CHECK(answer(view, asks, {250, 250}) ==
        "TRYAGAIN Multiple keys request during rehashing of slot");
  asks.command_writes = true;
  CHECK(answer(view, asks, {250}) == "MOVED 250 127.0.0.1:6382");
  asks.command_writes = asks.session_readonly = false;
  CHECK(answer(view, asks, {250}) == "MOVED 250 127.0.0.1:6382");
}

TEST_CASE("the fast answer covers exactly the settled slots of a healthy cluster") {
  View view = two_nodes();
  view.migrating = {{7, 1}};
  view.index();
  CHECK(view.serves(5));
  CHECK_FALSE(view.serves(7));
  CHECK_FALSE(view.serves(150));
  CHECK(view.assigned == 200);
  CHECK(view.owner_of(150) == &view.nodes[1]);
  CHECK(view.owner_of(3999) == nullptr);
  CHECK(view.in_motion(7));
  view.state = ClusterState::kFail;
  view.index();
  CHECK_FALSE(view.serves(5));
}

TEST_CASE("one key that is named twice is one key while its slot is imported") {
  View view = two_nodes();
  view.importing = {{150, 1}};
  view.index();
  const std::string again = "TRYAGAIN Multiple keys request during rehashing of slot";
  CHECK(answer(view, {.session_asking = true, .keys_missing = 2}, {150, 150}) == again);
  CHECK(answer(view, {.session_asking = true, .keys_missing = 2, .one_key = true}, {150, 150}) ==
        "");
}
