#include "cluster/nodes_file/nodes_file.h"

#include <doctest/doctest.h>

#include <string>

#include "cluster/model/render.h"

using namespace hearth;
using namespace hearth::cluster;

namespace {

const std::string kA(40, 'a');
const std::string kB(40, 'b');
const std::string kC(40, 'c');

View three_nodes() {
  View view;
  NodeView a;
  a.id = NodeId(kA);
  a.address = {"127.0.0.1", 30001, 0, 40001};
  a.hostname = "a.example.org";
  a.human_name = "alpha";
  a.shard_id = NodeId(std::string(40, '1'));
  a.flags = node_flag::kMyself | node_flag::kPrimary;
  a.config_epoch = 3;
  a.slots.add(SlotRange{0, 5460});
  a.slots.add(6000);
  NodeView b;
  b.id = NodeId(kB);
  b.address = {"2001:db8::7", 30002, 30102, 40002};
  b.shard_id = NodeId(std::string(40, '2'));
  b.flags = node_flag::kPrimary | node_flag::kFail;
  b.config_epoch = 7;
  b.slots.add(SlotRange{5461, 5999});
  NodeView c;
  c.id = NodeId(kC);
  c.address = {"127.0.0.1", 30003, 0, 40003};
  c.shard_id = b.shard_id;
  c.flags = node_flag::kReplica | node_flag::kNoFailover;
  c.replica_of = b.id;
  view.nodes = {a, b, c};
  view.myself = 0;
  view.current_epoch = 9;
  view.last_vote_epoch = 8;
  view.migrating = {{93, 1}};
  view.importing = {{5500, 1}};
  view.index();
  return view;
}

}  // namespace

TEST_CASE("a view survives the way through nodes.conf") {
  View view = three_nodes();
  view.formation = {FormationState::Phase::kPromised, 4, 2, {NodeId(kA), NodeId(kB)}, 1};
  const std::string text = nodes_file_text(view);
  const auto back = parse_nodes_file(text);
  REQUIRE(back.has_value());
  CHECK(nodes_file_text(*back) == [&] {
    // Link states and times are not kept; only my own line says "connected".
    return text;
  }());
  CHECK(back->myself == 0);
  CHECK(back->nodes[0].slots == view.nodes[0].slots);
  CHECK(back->nodes[1].address == view.nodes[1].address);
  CHECK(back->nodes[2].replica_of == NodeId(kB));
  CHECK(back->current_epoch == 9);
  CHECK(back->last_vote_epoch == 8);
  CHECK(back->migrating_to(93) == 1);
  CHECK(back->importing_from(5500) == 1);
  CHECK(back->formation == view.formation);
}

TEST_CASE("the text has the form that other servers read") {
  CHECK(nodes_file_text(three_nodes()) ==
        kA + " 127.0.0.1:30001@40001,a.example.org,tls-port=0,shard-id=" + std::string(40, '1') +
            ",nodename=alpha myself,master - 0 0 3 connected 0-5460 6000 [93->-" + kB +
            "] [5500-<-" + kB + "]\n" + kB + " 2001:db8::7:30002@40002,,tls-port=30102,shard-id=" +
            std::string(40, '2') + " master,fail - 0 0 7 disconnected 5461-5999\n" + kC +
            " 127.0.0.1:30003@40003,,tls-port=0,shard-id=" + std::string(40, '2') +
            " slave,nofailover " + kB +
            " 0 0 7 disconnected\n"
            "vars currentEpoch 9 lastVoteEpoch 8\n");
}

TEST_CASE("files of other servers are read: no aux fields, no cport, unknown fields") {
  const std::string text = kA + " 127.0.0.1:30001@40001 myself,master - 0 0 1 connected 0-100\n" +
                           kB + " 127.0.0.1:30002 slave " + kA + " 0 1426238316232 1 connected\n" +
                           kC +
                           " :0@0,host,availability-zone=x handshake - 0 0 0 disconnected\n"
                           "vars currentEpoch 2 lastVoteEpoch 1 later 5\n";
  const auto view = parse_nodes_file(text);
  REQUIRE(view.has_value());
  CHECK(view->nodes.size() == 2);
  CHECK(view->nodes[1].address.cport == 40002);
  CHECK(view->nodes[1].config_epoch == 0);
  CHECK(view->current_epoch == 2);
  CHECK(view->formation.phase == FormationState::Phase::kOff);
}

TEST_CASE("damage is named with its line, at every cut of the text") {
  const std::string text = nodes_file_text(three_nodes());
  const auto error_of = [](const std::string& t) { return parse_nodes_file(t).error().context; };
  CHECK(error_of("") == "nodes file: no line has the flag 'myself'");
  CHECK(error_of(text + "garbage\n") == "nodes file, line 5: not a node or variables");
  CHECK(error_of(text + text) == "nodes file, line 5: not a node or variables");
  for (std::size_t cut = 0; cut < text.size(); ++cut) {
    const auto part = parse_nodes_file(text.substr(0, cut));
    const bool whole_lines = cut > 0 && text[cut - 1] == '\n';
    if (!whole_lines) CHECK_FALSE(part.has_value());
  }
  const auto with_slots = [](const std::string& slots) {
    return kA + " 127.0.0.1:1@2 myself,master - 0 0 1 connected " + slots + "\n";
  };
  CHECK(parse_nodes_file(with_slots("16383")).has_value());
  for (const char* bad :
       {"16384", "5-4", "-1", "1-", "x", "[5->-abc]", "[5->-", "[", "0-99999999999999999999"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_nodes_file(with_slots(bad)).has_value());
  }
  CHECK_FALSE(parse_nodes_file(with_slots("[5->-" + kB + "]")).has_value());
}

TEST_CASE("CLUSTER NODES shows clients the host name and no auxiliary fields") {
  const View view = three_nodes();
  CHECK(node_line(view, 1, NodeLineFor::kClients) ==
        kB + " 2001:db8::7:30002@40002 master,fail - 0 0 7 disconnected 5461-5999");
  CHECK(node_line(view, 1, NodeLineFor::kTlsClients) ==
        kB + " 2001:db8::7:30102@40002 master,fail - 0 0 7 disconnected 5461-5999");
  CHECK(node_line(view, 0, NodeLineFor::kClients).find("30001@40001,a.example.org myself,master") !=
        std::string::npos);
  CHECK(flags_text(0) == "noflags");
}

TEST_CASE("a node that is drained is so after a restart") {
  View view;
  NodeView me;
  me.id = NodeId(kA);
  me.flags = node_flag::kMyself | node_flag::kPrimary;
  me.address = {"10.0.0.1", 6379, 0, 16379};
  view.nodes.push_back(me);
  view.myself = 0;
  view.index();
  CHECK(nodes_file_text(view).find("draining") == std::string::npos);
  view.draining = true;
  const std::string text = nodes_file_text(view);
  CHECK(text.ends_with("lastVoteEpoch 0 draining 1\n"));
  REQUIRE(parse_nodes_file(text).has_value());
  CHECK(parse_nodes_file(text)->draining);
  CHECK_FALSE(parse_nodes_file(text.substr(0, text.size() - 2) + "2\n").has_value());
}

TEST_CASE("CLUSTER NODES shows clients of each family the address that is meant for them") {
  View view = three_nodes();
  view.nodes[1].client_ipv4 = "192.0.2.7";
  view.nodes[1].client_ipv6 = "2001:db8::77";
  CHECK(node_line(view, 1, NodeLineFor::kClients).starts_with(kB + " 192.0.2.7:30002@40002 "));
  CHECK(
      node_line(view, 1, NodeLineFor::kIpv6Clients).starts_with(kB + " 2001:db8::77:30002@40002 "));
  CHECK(node_line(view, 1, NodeLineFor::kFile).starts_with(kB + " 2001:db8::7:30002@40002,"));
}

TEST_CASE("CLUSTER INFO counts slots by the health of their owner") {
  View view = three_nodes();
  view.size = 2;
  view.stats.sent[0] = 3;
  view.stats.received[1] = 2;
  CHECK(cluster_info_text(view) ==
        "cluster_state:fail\r\ncluster_slots_assigned:6001\r\ncluster_slots_ok:5462\r\n"
        "cluster_slots_pfail:0\r\ncluster_slots_fail:539\r\ncluster_known_nodes:3\r\n"
        "cluster_size:2\r\ncluster_current_epoch:9\r\ncluster_my_epoch:3\r\n"
        "cluster_stats_messages_ping_sent:3\r\ncluster_stats_messages_sent:3\r\n"
        "cluster_stats_messages_pong_received:2\r\ncluster_stats_messages_received:2\r\n"
        "total_cluster_links_buffer_limit_exceeded:0\r\n");
}
