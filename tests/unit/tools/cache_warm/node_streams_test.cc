#include "tools/cache_warm/node_streams.h"

#include <doctest/doctest.h>

#include <set>

#include "src/base/random.h"
#include "tools/cache_warm/node_info.h"

using namespace hearth;
using namespace hearth::warm;

namespace {

client::Endpoint at(std::uint16_t port) { return {"127.0.0.1", port, ""}; }

SlotOwner owner(std::uint16_t port, std::string run_id, std::string name, std::uint64_t offset) {
  return {
      at(port),
      {.run_id = std::move(run_id), .name = std::move(name), .offset = offset, .is_primary = true},
      port};
}

SlotOwner heir(SlotOwner of, std::uint16_t port, std::uint64_t until) {
  SlotOwner now = owner(port, "run-" + std::to_string(port), "stream-" + std::to_string(port), 900);
  now.stream.former_name = of.stream.name;
  now.stream.former_until = until;
  now.slots = of.slots;
  return now;
}

Verdict judged(const SlotOwner& before, const std::vector<SlotOwner>& now,
               const std::vector<NodeStream>& others = {}) {
  const auto anchors = anchors_of({&before, 1});
  return judge(anchors, now, others);
}

}  // namespace

TEST_CASE("INFO replication tells a stream and how far all replicas are") {
  const auto info = parse_node_info(
      "run_id:r\r\n# Replication\r\nrole:master\r\nconnected_slaves:3\r\n"
      "slave0:ip=1.1.1.1,port=1,state=online,offset=70,lag=0\r\n"
      "slave1:ip=1.1.1.1,port=2,state=online,offset=50,lag=1,type=replica\r\n"
      "slave2:ip=1.1.1.1,port=3,state=wait_bgsave,offset=0,lag=0\r\n"
      "slave_repl_offset:3\r\nmaster_replid:abc\r\nmaster_replid2:def\r\n"
      "master_repl_offset:100\r\nsecond_repl_offset:40\r\n");
  REQUIRE(info.has_value());
  CHECK(info->stream.is_primary);
  CHECK(info->stream.name == "abc");
  CHECK(info->stream.former_name == "def");
  CHECK(info->stream.former_until == 40);
  CHECK(info->stream.offset == 100);
  CHECK(info->stream.replicated == 50);
  const auto alone = parse_node_info(
      "run_id:r\r\nrole:slave\r\nmaster_replid2:0000000000000000000000000000000000000000\r\n"
      "second_repl_offset:-1\r\n");
  REQUIRE(alone.has_value());
  CHECK_FALSE(alone->stream.is_primary);
  CHECK(alone->stream.former_name.empty());
  CHECK(alone->stream.former_until == 0);
  CHECK_FALSE(alone->stream.replicated.has_value());
}

TEST_CASE("an owner that goes on is the same, also when it gives its stream another name") {
  const SlotOwner before = owner(1, "run", "stream", 100);
  CHECK(judged(before, {owner(1, "run", "stream", 200)}).fate == StreamFate::kSame);
  // Without replicas for an hour: a name that nobody had before it.
  const Verdict renamed = judged(before, {owner(1, "run", "another", 7)});
  CHECK(renamed.fate == StreamFate::kSame);
  REQUIRE(renamed.anchors.size() == 1);
  CHECK(renamed.anchors[0].name == "another");
  CHECK(renamed.anchors[0].offset == 7);
}

TEST_CASE("an heir has what it followed, up to the offset of its promotion and not further") {
  const SlotOwner before = owner(1, "run", "stream", 100);
  const Verdict whole = judged(before, {heir(before, 2, 101)});
  CHECK(whole.fate == StreamFate::kInherited);
  CHECK(whole.what == "127.0.0.1:2 took the place of 127.0.0.1:1");
  REQUIRE(whole.anchors.size() == 1);
  CHECK(whole.anchors[0].name == "stream-2");
  CHECK(whole.anchors[0].offset == 100);
  CHECK(judged(before, {heir(before, 2, 100)}).fate == StreamFate::kLost);
  // It has more than the other's slots: some may have come after the anchor.
  SlotOwner larger = heir(before, 2, 101);
  larger.slots += 1;
  CHECK(judged(before, {larger}).fate == StreamFate::kLost);
  // Promoted twice since the last look.
  SlotOwner second = heir(heir(before, 2, 101), 3, 101);
  second.slots = before.slots;
  CHECK(judged(before, {second}).fate == StreamFate::kLost);
  // The same process, a replica in between.
  SlotOwner back = heir(before, 1, 101);
  back.stream.run_id = "run";
  back.stream.former_name = "of the other";
  CHECK(judged(before, {back}).fate == StreamFate::kLost);
}

TEST_CASE("a restarted server has lost its keys, unless its snapshot has all of them") {
  const SlotOwner before = owner(1, "run", "stream", 100);
  const Verdict empty = judged(before, {owner(1, "other", "fresh", 0)});
  CHECK(empty.fate == StreamFate::kLost);
  CHECK(empty.what == "127.0.0.1:1 restarted or was replaced");
  CHECK(empty.heirs == std::vector<client::Endpoint>{at(1)});
  CHECK(judged(before, {heir(before, 1, 101)}).fate == StreamFate::kInherited);
  CHECK(judged(before, {heir(before, 1, 60)}).fate == StreamFate::kLost);
  // The name alone is no promise.
  CHECK(judged(before, {owner(1, "other", "stream", 200)}).fate == StreamFate::kLost);
}

TEST_CASE("a node that gave its slots away is no loss while it is there") {
  const SlotOwner before = owner(1, "run", "stream", 100);
  const std::vector<SlotOwner> now{owner(2, "second", "another", 5)};
  CHECK(judged(before, now, {owner(1, "run", "stream", 120).stream}).fate == StreamFate::kSame);
  CHECK(judged(before, now).fate == StreamFate::kLost);
  NodeStream replica = owner(1, "run", "stream", 120).stream;
  replica.is_primary = false;
  CHECK(judged(before, now, {replica}).fate == StreamFate::kLost);
}

TEST_CASE("anchors are read back as they were written, and nothing else is") {
  std::vector<Anchor> anchors{{at(7001), "r1", "s1", 5, 1}, {at(7002), "r2", "s2", 1ULL << 63, 2}};
  anchors.push_back({{"", 0, "/a path/sock"}, "r3", "s3", 0, 3});
  const std::string text = anchors_text(anchors);
  const auto read = parse_anchors(text);
  REQUIRE(read.has_value());
  CHECK(*read == anchors);
  CHECK(parse_anchors("")->empty());
  for (std::size_t length = 1; length < text.size(); ++length) {
    const auto part = parse_anchors(text.substr(0, length));
    if (part) CHECK(text[length - 1] == '\n');
  }
  for (const char* wrong :
       {"\n", "r s x 1 h:1\n", "r s 1 x h:1\n", "r  1 1 h:1\n", "r s 1 1 h:x\n"})
    CHECK_MESSAGE(!parse_anchors(wrong).has_value(), wrong);
  std::string many;
  for (int i = 0; i <= kSlotCount; ++i) many += "r s 1 1 h:1\n";
  CHECK_FALSE(parse_anchors(many).has_value());
}

TEST_CASE("the gate opens when all replicas have it, and in the end in any case") {
  SlotOwner node = owner(1, "run", "stream", 100);
  ReplicaGate gate;
  CHECK_FALSE(gate.passes({&node, 1}, MonoTime{}));
  gate.wait_for(anchors_of({&node, 1}), MonoTime{});
  CHECK(gate.passes({&node, 1}, MonoTime{}));  // no replicas
  CHECK_FALSE(gate.is_waiting());
  node.stream.replicated = 99;
  gate.wait_for(anchors_of({&node, 1}), MonoTime{});
  CHECK_FALSE(gate.passes({&node, 1}, MonoTime{}));
  node.stream.offset = 200;
  node.stream.replicated = 100;
  CHECK(gate.passes({&node, 1}, MonoTime{}));
  gate.wait_for(anchors_of({&node, 1}), MonoTime{});
  CHECK_FALSE(gate.passes({&node, 1}, MonoTime{} + (ReplicaGate::kPatience - microseconds{1})));
  CHECK(gate.passes({&node, 1}, MonoTime{} + ReplicaGate::kPatience));
}

// A shard whose primary acknowledges before its replica has it, and a follower that knows no more
// of it than INFO. Writes are numbered; a write is an offset of the stream.
TEST_CASE("whatever a shard loses in failovers and restarts is written again") {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    CAPTURE(seed);
    Rng rng(seed);
    std::set<std::uint64_t> primary_has;
    std::set<std::uint64_t> replica_has;
    std::vector<std::uint64_t> stream;  // by offset: the write that stands there
    std::size_t replica_at = 0;
    bool has_replica = true;
    int names = 1;
    SlotOwner now = owner(1, "run1", "s1", 0);
    std::uint64_t written = 0;  // by the database's order; all are acknowledged
    std::uint64_t saved = 0;
    std::uint64_t held = 0;
    std::vector<Anchor> anchors = anchors_of({&now, 1});
    ReplicaGate gate;
    const auto put = [&](std::uint64_t write) {
      primary_has.insert(write);
      stream.push_back(write);
      now.stream.offset = stream.size();
    };
    const auto replicate = [&](std::size_t upto) {
      for (; replica_at < upto; ++replica_at) replica_has.insert(stream[replica_at]);
    };
    const auto look = [&] {
      now.stream.replicated.reset();
      if (has_replica) now.stream.replicated = replica_at;
      Verdict verdict = judge(anchors, {&now, 1}, {});
      if (verdict.fate != StreamFate::kSame) {
        gate = ReplicaGate{};
        const std::uint64_t from = verdict.fate == StreamFate::kLost ? 0 : saved;
        for (std::uint64_t i = from; i < written; ++i) put(i);
        if (verdict.fate == StreamFate::kLost) {
          anchors = anchors_of({&now, 1});
          saved = written;
        } else {
          anchors = verdict.anchors;
        }
        return;
      }
      anchors = verdict.anchors;
      if (!gate.is_waiting()) {
        held = written;
        gate.wait_for(anchors_of({&now, 1}), MonoTime{});
      }
      if (!gate.passes({&now, 1}, MonoTime{})) return;
      anchors = gate.anchors();
      saved = held;
    };
    const auto become = [&](std::uint64_t until) {
      now.stream.former_name = now.stream.name;
      now.stream.former_until = until + 1;
      ++names;
      now.stream.name = "s" + std::to_string(names);
      now.stream.run_id = "run" + std::to_string(names);
      stream.resize(until);
      now.stream.offset = until;
      replica_at = std::min<std::size_t>(replica_at, until);
    };
    std::set<std::uint64_t> snapshot;
    std::size_t snapshot_at = 0;
    std::string snapshot_name;
    for (int step = 0; step < 120; ++step) {
      switch (rng.below(12)) {
        case 0:
        case 1:
        case 2:
        case 3: put(written++); break;
        case 4:
        case 5:
          if (has_replica) replicate(replica_at + rng.below(stream.size() - replica_at + 1));
          break;
        case 6: has_replica = !has_replica; break;
        case 7:  // a failover; the old primary follows the new one, with its data
          primary_has = replica_has;
          become(replica_at);
          break;
        case 8:
          snapshot = primary_has;
          snapshot_at = stream.size();
          snapshot_name = now.stream.name;
          break;
        case 9:  // a restart, with the snapshot where it is of this stream, else with nothing
          if (snapshot_name == now.stream.name) {
            primary_has = snapshot;
            become(snapshot_at);
          } else {
            primary_has.clear();
            become(0);
            now.stream.former_name.clear();
          }
          replica_has = primary_has;
          replica_at = stream.size();
          break;
        default: look(); break;
      }
    }
    look();
    CHECK(primary_has.size() == written);
  }
}
