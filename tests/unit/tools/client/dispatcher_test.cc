#include "tools/client/dispatcher.h"

#include <doctest/doctest.h>

#include "tests/unit/tools/client/fake_cluster.h"

using namespace hearth;
using namespace hearth::client;

namespace {

struct Harness {
  explicit Harness(int nodes, bool cluster_enabled = true, DispatcherOptions options = {})
      : servers(nodes, cluster_enabled),
        dispatcher(with_seed(std::move(options), servers), servers, sink) {
    dispatcher.start(servers.now());
  }
  static DispatcherOptions with_seed(DispatcherOptions options, FakeCluster& servers) {
    if (options.seeds.empty()) options.seeds.push_back(servers.node(0).endpoint);
    return options;
  }

  void steps(int count) {
    for (int i = 0; i < count; ++i) servers.step(dispatcher);
  }
  // Runs until nothing is outstanding; false when the client failed or the bound was reached.
  bool settle(int most = 5'000) {
    dispatcher.flush(servers.now());
    for (int i = 0; i < most && dispatcher.outstanding() > 0 && !dispatcher.failure(); ++i)
      servers.step(dispatcher);
    return dispatcher.outstanding() == 0 && !dispatcher.failure();
  }
  void set(const std::string& key, const std::string& value) {
    std::string bytes;
    append_command(bytes, {"SET", key, value});
    submit(bytes, key, 1);
  }
  void submit(const std::string& bytes, const std::string& key, std::uint16_t commands,
              bool capture = false) {
    Operation operation;
    operation.bytes = bytes;
    operation.key = std::string_view(bytes).substr(bytes.find(key), key.size());
    operation.slot = cluster::slot_of(key);
    operation.tag = next_tag++;
    operation.commands = commands;
    operation.capture = capture;
    dispatcher.submit(operation, servers.now());
  }
  void check_stored(const std::string& key, const std::string& value) {
    const auto& data = servers.node(servers.owner(cluster::slot_of(key))).data;
    const auto found = data.find(key);
    CAPTURE(key);
    REQUIRE(found != data.end());
    CHECK(found->second == value);
  }

  FakeCluster servers;
  RecordingSink sink;
  Dispatcher dispatcher;
  std::uint64_t next_tag = 0;
};

std::string key_of(int i) { return fmt::format("key:{}", i); }

}  // namespace

TEST_CASE("operations reach the owners of their slots and are acknowledged") {
  Harness h(3);
  for (int i = 0; i < 1000; ++i) h.set(key_of(i), fmt::format("v{}", i));
  CHECK(h.settle());
  CHECK(h.sink.done.size() == 1000);
  CHECK(h.dispatcher.is_cluster());
  CHECK(h.dispatcher.owners().size() == 3);
  CHECK(h.dispatcher.counters().moved == 0);
  for (int i = 0; i < 1000; ++i) h.check_stored(key_of(i), fmt::format("v{}", i));
}

TEST_CASE("a server without cluster support gets everything") {
  Harness h(1, false);
  for (int i = 0; i < 100; ++i) h.set(key_of(i), "v");
  CHECK(h.settle());
  CHECK_FALSE(h.dispatcher.is_cluster());
  CHECK(h.servers.node(0).data.size() == 100);
}

TEST_CASE("CLUSTER SLOTS stands in for CLUSTER SHARDS") {
  Harness h(3);
  h.servers.knows_shards = false;
  for (int i = 0; i < 100; ++i) h.set(key_of(i), "v");
  CHECK(h.settle());
  CHECK(h.dispatcher.owners().size() == 3);
}

TEST_CASE("a lost connection repeats what was not acknowledged and nothing else") {
  Harness h(1, false);
  h.set("warm", "up");
  REQUIRE(h.settle());
  h.servers.bytes_per_step = 5 * 40;  // forty OKs a step
  for (int i = 0; i < 500; ++i) h.set(key_of(i), "v");
  h.dispatcher.flush(h.servers.now());
  h.steps(3);
  const std::size_t acknowledged = h.sink.done.size();
  CHECK(acknowledged > 1);
  CHECK(acknowledged < 400);
  const std::uint64_t retried_before = h.dispatcher.counters().retried;
  h.servers.cut(0, h.dispatcher);
  CHECK(h.settle());
  CHECK(h.sink.done.size() == 501);
  CHECK(h.dispatcher.counters().retried - retried_before == 501 - acknowledged);
  CHECK(h.dispatcher.counters().links_lost == 1);
}

TEST_CASE("a storm of MOVED ends with every key at its new owner") {
  Harness h(3);
  h.set("warm", "up");
  REQUIRE(h.settle());
  for (int slot = 0; slot < kSlotCount; ++slot) h.servers.give(static_cast<Slot>(slot), slot % 3);
  for (int i = 0; i < 2000; ++i) h.set(key_of(i), "v");
  CHECK(h.settle());
  CHECK(h.sink.done.size() == 2001);
  CHECK(h.dispatcher.counters().moved > 0);
  h.steps(300);
  CHECK(h.dispatcher.counters().map_updates >= 2);
  for (int i = 0; i < 2000; ++i) h.check_stored(key_of(i), "v");
}

TEST_CASE("ASK sends one operation elsewhere, with ASKING before each of its commands") {
  Harness h(2);
  const Slot slot = cluster::slot_of("key:1");
  const int owner = h.servers.owner(slot);
  h.servers.migrate(slot, 1 - owner);
  std::string bytes;
  append_command(bytes, {"SET", "key:1", "a"});
  append_command(bytes, {"SET", "key:1", "b"});
  h.submit(bytes, "key:1", 2);
  REQUIRE(h.settle());
  CHECK(h.dispatcher.counters().asked == 1);
  CHECK(h.servers.node(1 - owner).data["key:1"] == "b");
  CHECK(h.dispatcher.counters().moved == 0);
}

TEST_CASE("an asked node that dies gives the operation back to the owner of the slot") {
  Harness h(2);
  const Slot slot = cluster::slot_of("key:1");
  const int owner = h.servers.owner(slot);
  h.servers.migrate(slot, 1 - owner);
  h.servers.node(1 - owner).up = false;
  h.set("key:1", "a");
  h.dispatcher.flush(h.servers.now());
  h.steps(50);
  CHECK(h.sink.done.empty());
  h.servers.give(slot, owner);  // the migration is called off
  CHECK(h.settle());
  h.check_stored("key:1", "a");
}

TEST_CASE("nodes that are not ready are asked again until they are") {
  for (const char* error : {"LOADING data set", "CLUSTERDOWN The cluster is down", "TRYAGAIN later",
                            "OOM command not allowed when used memory > 'maxmemory'.",
                            "NOREPLICAS Not enough good replicas to write.",
                            "MISCONF Errors writing to the AOF file: No space left on device",
                            "READONLY You can't write against a read only replica."}) {
    CAPTURE(error);
    Harness h(3);
    h.servers.node(1).refuses_all = error;
    for (int i = 0; i < 100; ++i) h.set(key_of(i), "v");
    CHECK_FALSE(h.settle(300));
    h.servers.node(1).refuses_all.clear();
    CHECK(h.settle());
    CHECK(h.sink.done.size() == 100);
  }
}

TEST_CASE("a refused operation is reported with its key and does not hold up the others") {
  Harness h(1, false);
  h.set("good", "v");
  h.set("bad", "poison");
  h.set("fine", "v");
  CHECK(h.settle());
  CHECK(h.sink.done == std::set<std::uint64_t>{0, 2});
  CHECK(h.sink.refused.at(1) == "bad: ERR value is not allowed");
}

TEST_CASE("an operation of several commands is refused by the first error among them") {
  Harness h(1, false);
  std::string bytes;
  append_command(bytes, {"SET", "k", "v"});
  append_command(bytes, {"SET", "k", "poison"});
  append_command(bytes, {"SET", "k", "w"});
  h.submit(bytes, "k", 3);
  h.set("after", "v");
  CHECK(h.settle());
  CHECK(h.sink.refused.at(0) == "k: ERR value is not allowed");
  CHECK(h.sink.done == std::set<std::uint64_t>{1});
}

TEST_CASE("captured replies come back as values") {
  Harness h(2);
  h.set("k", "hello");
  REQUIRE(h.settle());
  std::string bytes;
  append_command(bytes, {"GET", "k"});
  h.submit(bytes, "k", 1, true);
  CHECK(h.settle());
  CHECK(h.sink.replies.at(1).text() == "hello");
}

TEST_CASE("a dead node fails the client after retry_for, with the reason") {
  Harness h(2, true, {.retry_for = milliseconds{500}});
  h.set("warm", "up");
  REQUIRE(h.settle());
  h.servers.node(1).up = false;
  for (int i = 0; i < 100; ++i) h.set(key_of(i), "v");
  CHECK_FALSE(h.settle(2000));
  REQUIRE(h.dispatcher.failure().has_value());
  CHECK(h.dispatcher.failure()->code == ErrorCode::kIo);
  CHECK(h.dispatcher.failure()->context.find("connection refused") != std::string::npos);
  CHECK(h.dispatcher.outstanding() > 0);
}

TEST_CASE("a fail-over moves what waits for the dead node to its successor") {
  Harness h(3);
  h.set("warm", "up");
  REQUIRE(h.settle());
  h.servers.node(1).up = false;
  for (int i = 0; i < 1000; ++i) h.set(key_of(i), "v");
  CHECK_FALSE(h.settle(300));
  for (int slot = 0; slot < kSlotCount; ++slot) {
    if (h.servers.owner(static_cast<Slot>(slot)) == 1) h.servers.give(static_cast<Slot>(slot), 2);
  }
  CHECK(h.settle());
  CHECK(h.sink.done.size() == 1001);
  for (int i = 0; i < 1000; ++i) h.check_stored(key_of(i), "v");
}

TEST_CASE("a failed primary owns nothing, but is not forgotten before another takes its place") {
  Harness h(3);
  h.set("warm", "up");
  REQUIRE(h.settle());
  h.servers.node(1).up = false;
  h.servers.node(1).is_failed = true;
  h.dispatcher.renew_map(h.servers.now());
  h.steps(200);
  CHECK(h.dispatcher.owners().size() == 2);
  CHECK(h.dispatcher.slots_of({&h.servers.node(1).endpoint, 1}).none());
  const auto holders = h.dispatcher.holders();
  REQUIRE(holders.size() == 3);
  CHECK(holders[2] == h.servers.node(1).endpoint);
  for (int slot = 0; slot < kSlotCount; ++slot) {
    if (h.servers.owner(static_cast<Slot>(slot)) == 1) h.servers.give(static_cast<Slot>(slot), 2);
  }
  h.dispatcher.renew_map(h.servers.now());
  h.steps(200);
  CHECK(h.dispatcher.holders() == h.dispatcher.owners());
}

TEST_CASE("no server at all fails the client after retry_for") {
  Harness h(1, true, {.retry_for = milliseconds{300}});
  h.servers.node(0).up = false;
  h.steps(1000);
  REQUIRE(h.dispatcher.failure().has_value());
  CHECK(h.dispatcher.failure()->context.find("10.0.0.1:7000: connection refused") !=
        std::string::npos);
  CHECK(h.servers.opened < 40);  // with pauses between the attempts
}

TEST_CASE("a server that hangs up on every command is not connected to in a tight loop") {
  Harness h(1, false);
  h.servers.node(0).hangs_up = true;
  h.set("k", "v");
  h.dispatcher.flush(h.servers.now());
  h.steps(2'000);
  CHECK(h.servers.opened < 40);
  h.servers.node(0).hangs_up = false;
  CHECK(h.settle());
}

TEST_CASE("every seed is tried") {
  DispatcherOptions options;
  options.seeds = {{"10.9.9.9", 1, ""}, {"10.0.0.1", 7001, ""}};
  Harness h(2, true, options);
  h.set("k", "v");
  CHECK(h.settle());
}

TEST_CASE("a wrong password fails the client at once, the right one works") {
  {
    Harness h(1, false, {.password = "wrong"});
    h.servers.node(0).password = "secret";
    h.steps(20);
    REQUIRE(h.dispatcher.failure().has_value());
    CHECK(h.dispatcher.failure()->code == ErrorCode::kInvalid);
  }
  Harness h(2, true, {.username = "u", .password = "secret", .client_name = "test"});
  h.servers.node(0).password = h.servers.node(1).password = "secret";
  for (int i = 0; i < 20; ++i) h.set(key_of(i), "v");
  CHECK(h.settle());
}

TEST_CASE("a silent server counts as lost") {
  Harness h(1, false, {.reply_timeout = milliseconds{100}});
  h.set("warm", "up");
  REQUIRE(h.settle());
  h.servers.bytes_per_step = 0;
  h.set("k", "v");
  h.dispatcher.flush(h.servers.now());
  h.steps(150);
  CHECK(h.dispatcher.counters().links_lost == 1);
  h.servers.bytes_per_step = 1 << 20;
  CHECK(h.settle());
}

TEST_CASE("the window bounds what is accepted for a node") {
  Harness h(1, false, {.batch_bytes = 1000, .window_bytes = 10'000});
  h.set("warm", "up");
  REQUIRE(h.settle());
  int accepted = 0;
  while (h.dispatcher.has_room(cluster::slot_of("k")) && accepted < 1000) {
    h.set(fmt::format("k{}", accepted++), std::string(100, 'x'));
  }
  CHECK(accepted > 50);
  CHECK(accepted < 100);
  CHECK(h.settle());
  CHECK(h.dispatcher.has_room(cluster::slot_of("k")));
}

TEST_CASE("held operations count against the window too") {
  Harness h(1, false, {.window_bytes = 10'000});
  h.set("warm", "up");
  REQUIRE(h.settle());
  h.servers.node(0).refuses_all = "TRYAGAIN";
  int accepted = 0;
  for (int i = 0; i < 2000; ++i) {
    if (h.dispatcher.has_room(cluster::slot_of("k")))
      h.set(fmt::format("k{}", accepted++), std::string(100, 'x'));
    h.dispatcher.flush(h.servers.now());
    h.servers.step(h.dispatcher);
  }
  CHECK(accepted < 250);
  h.servers.node(0).refuses_all.clear();
  CHECK(h.settle());
}

TEST_CASE("several links to a node share its batches") {
  Harness h(1, false, {.links_per_node = 4, .batch_ops = 10});
  for (int i = 0; i < 500; ++i) h.set(key_of(i), "v");
  CHECK(h.settle());
  CHECK(h.sink.done.size() == 500);
  CHECK(h.servers.opened >= 5);
}

TEST_CASE("the last value of a key stays the last one when an earlier one is tried again") {
  for (const int links : {1, 3}) {
    CAPTURE(links);
    Harness h(2, true, {.links_per_node = links, .batch_ops = 2});
    h.set("warm", "up");
    REQUIRE(h.settle());
    h.servers.node(h.servers.owner(cluster::slot_of("k"))).refuses_all = "TRYAGAIN later";
    for (int i = 0; i < 5; ++i) h.set("k", fmt::format("v{}", i));
    h.dispatcher.flush(h.servers.now());
    h.steps(1);
    h.servers.node(h.servers.owner(cluster::slot_of("k"))).refuses_all.clear();
    for (int i = 5; i < 10; ++i) h.set("k", fmt::format("v{}", i));
    CHECK(h.settle());
    h.check_stored("k", "v9");
    CHECK(h.sink.done.size() == 11);
  }
}

TEST_CASE("the order of a key holds through lost links, moved slots and refusals, seeded") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    Rng rng(seed);
    Harness h(3, true,
              {.links_per_node = 1 + static_cast<int>(rng.below(3)),
               .batch_ops = 1 + rng.below(10),
               .window_bytes = 4000,
               .retry_for = milliseconds{60'000},
               .random_seed = seed});
    h.set("warm", "up");
    REQUIRE(h.settle());
    std::map<std::string, std::string> last;
    std::map<Slot, int> moving;
    int next = 0;
    for (int step = 0; step < 2'000; ++step) {
      h.servers.bytes_per_step = 1 + rng.below(100);
      for (std::uint64_t n = rng.below(6); n > 0; --n) {
        const std::string key = fmt::format("k{}", rng.below(5));
        if (!h.dispatcher.has_room(cluster::slot_of(key))) break;
        h.set(key, last[key] = fmt::format("v{}", next++));
      }
      const Slot slot = cluster::slot_of(fmt::format("k{}", rng.below(5)));
      // A slot moves as a whole: what is written at its new owner meanwhile stays there.
      if (rng.chance(0.03)) {
        if (const auto found = moving.find(slot); found != moving.end()) {
          h.servers.give(slot, found->second);
          moving.erase(found);
        } else if (const int to = static_cast<int>(rng.below(3)); to != h.servers.owner(slot)) {
          h.servers.migrate(slot, to);
          moving[slot] = to;
        }
      }
      if (rng.chance(0.01)) h.servers.cut(static_cast<int>(rng.below(3)), h.dispatcher);
      auto& node = h.servers.node(static_cast<int>(rng.below(3)));
      if (rng.chance(0.02)) node.refuses_all = "OOM no room";
      if (rng.chance(0.1)) node.refuses_all.clear();
      if (rng.chance(0.2)) h.dispatcher.flush(h.servers.now());
      h.servers.step(h.dispatcher);
    }
    for (int i = 0; i < 3; ++i) h.servers.node(i).refuses_all.clear();
    h.servers.bytes_per_step = 1 << 20;
    REQUIRE(h.settle(60'000));
    for (const auto& [slot, to] : moving) h.servers.give(slot, to);
    for (const auto& [key, value] : last) h.check_stored(key, value);
  }
}

TEST_CASE("a value that takes long to send is progress, not silence") {
  Harness h(1, false, {.batch_bytes = 100, .reply_timeout = milliseconds{100}});
  h.set("warm", "up");
  REQUIRE(h.settle());
  h.servers.send_room = 50;
  h.set("k", std::string(50 * 1'000, 'x'));
  h.dispatcher.flush(h.servers.now());
  h.steps(1'200);
  CHECK(h.dispatcher.counters().links_lost == 0);
  CHECK(h.settle());
}

TEST_CASE("what a load can do without may be denied") {
  Harness h(2, true, {.client_name = "test"});
  for (int i = 0; i < 2; ++i) h.servers.node(i).denied = {"CLIENT", "PING", "CLUSTER"};
  for (int i = 0; i < 50; ++i) h.set(key_of(i), "v");
  CHECK(h.settle());
  CHECK(h.sink.done.size() == 50);
  CHECK(h.dispatcher.counters().moved > 0);
  for (int i = 0; i < 50; ++i) h.check_stored(key_of(i), "v");
}

TEST_CASE("a null reply is told apart from a stored value") {
  Harness h(1, false);
  std::string bytes;
  append_command(bytes, {"NULL", "k"});
  h.submit(bytes, "k", 1);
  h.set("other", "v");
  CHECK(h.settle());
  CHECK(h.sink.kept == std::set<std::uint64_t>{0});
  CHECK(h.sink.done == std::set<std::uint64_t>{1});
}

TEST_CASE("what is waited for has a name") {
  Harness h(2, true, {.retry_for = milliseconds{10'000}});
  h.servers.node(0).up = false;
  h.steps(50);
  REQUIRE(h.dispatcher.waiting_for(h.servers.now()).has_value());
  CHECK(h.dispatcher.waiting_for(h.servers.now())->what == "10.0.0.1:7000: connection refused");
  h.servers.node(0).up = true;
  h.set("warm", "up");
  REQUIRE(h.settle());
  CHECK_FALSE(h.dispatcher.waiting_for(h.servers.now()).has_value());
  h.servers.node(1).refuses_all = "OOM no room";
  for (int i = 0; i < 20; ++i) h.set(key_of(i), "v");
  h.dispatcher.flush(h.servers.now());
  h.steps(1'500);
  REQUIRE(h.dispatcher.waiting_for(h.servers.now()).has_value());
  CHECK(h.dispatcher.waiting_for(h.servers.now())->what == "10.0.0.1:7001: OOM no room");
}

TEST_CASE("random cuts, migrations, outages and partial reads lose nothing, seeded") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    Rng rng(seed);
    Harness h(4, true,
              {.links_per_node = 1 + static_cast<int>(rng.below(3)),
               .batch_ops = 20,
               .window_bytes = 4000,
               .retry_for = milliseconds{60'000},
               .reply_timeout = milliseconds{300},
               .random_seed = seed});
    int next = 0;
    for (int step = 0; step < 4000; ++step) {
      h.servers.bytes_per_step = 1 + rng.below(400);
      h.servers.send_room = 1 + rng.below(2000);
      for (std::uint64_t n = rng.below(6); n > 0; --n) {
        const std::string key = key_of(next);
        if (!h.dispatcher.has_room(cluster::slot_of(key))) break;
        h.set(key, fmt::format("v{}", next++));
      }
      const auto slot = static_cast<Slot>(rng.below(kSlotCount));
      if (rng.chance(0.2)) h.servers.migrate(slot, static_cast<int>(rng.below(4)));
      if (rng.chance(0.2)) h.servers.give(slot, static_cast<int>(rng.below(4)));
      if (rng.chance(0.01)) h.servers.cut(static_cast<int>(rng.below(4)), h.dispatcher);
      if (rng.chance(0.005)) h.servers.node(static_cast<int>(rng.below(4))).refuses_all = "LOADING";
      if (rng.chance(0.02)) h.servers.node(static_cast<int>(rng.below(4))).refuses_all.clear();
      if (rng.chance(0.003)) {
        const int victim = static_cast<int>(rng.below(4));
        h.servers.node(victim).up = !h.servers.node(victim).up;
      }
      if (rng.chance(0.1)) h.dispatcher.flush(h.servers.now());
      h.servers.step(h.dispatcher);
      REQUIRE_FALSE(h.dispatcher.failure().has_value());
    }
    for (int i = 0; i < 4; ++i) {
      h.servers.node(i).up = true;
      h.servers.node(i).refuses_all.clear();
    }
    h.servers.bytes_per_step = h.servers.send_room = 1 << 20;
    const bool settled = h.settle(60'000);
    if (h.dispatcher.failure()) FAIL(h.dispatcher.failure()->context);
    CAPTURE(h.dispatcher.outstanding());
    REQUIRE(settled);
    CHECK(h.sink.done.size() == static_cast<std::size_t>(next));
    CHECK(h.sink.refused.empty());
    std::map<std::string, std::string> all;
    for (int i = 0; i < 4; ++i)
      all.insert(h.servers.node(i).data.begin(), h.servers.node(i).data.end());
    for (int i = 0; i < next; ++i) {
      REQUIRE(all.contains(key_of(i)));
      CHECK(all[key_of(i)] == fmt::format("v{}", i));
    }
  }
}
