// The data of a move of slots: two engines, one of which sends what the other one runs, while
// clients change it.
#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <vector>

#include "cluster/model/slot.h"
#include "src/command/blocking_control.h"
#include "src/command/key_extract.h"
#include "src/effects/version_notes.h"
#include "src/server/slot_drops.h"
#include "src/server/slot_source.h"
#include "src/server/slot_target.h"
#include "tests/support/command_generator.h"
#include "tests/support/engine_fixture.h"

using namespace hearth;
using namespace hearth::test;

namespace {

constexpr const char* kTags[] = {"{a}", "{b}", "{c}"};

EngineFixture::Options options(std::uint64_t seed) {
  EngineFixture::Options o;
  o.seed = seed;
  o.config = {{"cluster-enabled", "yes"}, {"enable-debug-command", "yes"}};
  return o;
}

cluster::SlotSet slots_of(std::initializer_list<std::string_view> names) {
  cluster::SlotSet slots;
  for (const std::string_view name : names) slots.add(cluster::slot_of(name));
  return slots;
}

std::string digest(EngineFixture& server) { return server.run("DEBUG", "DIGEST"); }

// A source that clients write to, and a target.
class Move final : private EffectSink {
 public:
  explicit Move(std::uint64_t seed)
      : first(options(seed)), second(options(seed + 1000)), choices_(seed) {
    first.engine().add_sink(*this);
    GeneratorScope scope;
    scope.leaves_out = [](const Command& c) { return c.full_name.starts_with("flush"); };
    generator_.emplace(first.table(), choices_, first.now(), scope);
  }

  void begin(const cluster::SlotSet& slots) {
    source.emplace(first.engine(), first.table(), slots);
    target.emplace(second.engine(), slots);
  }

  // Something that a client does. All keys of a request have one tag.
  void write() {
    generator_->set_now(first.now());
    const std::string tag = kTags[choices_.below(3)];
    switch (choices_.below(10)) {
      case 0: return pass_time();
      case 1: return (void)first.run("SET", tag + "v" + any(300), "text", "PX", any(5000) + "1");
      case 2: return (void)first.run("DEL", tag + "v" + any(300));
      case 3: return transaction(tag);
      default: return request(tag, generator_->next());
    }
  }
  void pass_time() {
    const milliseconds by(choices_.below(400));
    first.advance(by);
    second.advance(by);
    first.tick();
    second.tick();
  }
  // A few keys further; what is there is run by the target.
  void carry(std::size_t keys) {
    source->walk(1 << 20, keys);
    while (source->has_chunk()) REQUIRE(target->apply(source->take_chunk()) == "");
  }

  EngineFixture first, second;
  std::optional<SlotSource> source;
  std::optional<SlotTarget> target;

 private:
  std::string any(std::uint64_t below) { return std::to_string(choices_.below(below)); }
  void transaction(const std::string& tag) {
    first.run("MULTI");
    for (int i = 0; i < 3; ++i) request(tag, generator_->next());
    first.run("EXEC");
  }
  void request(const std::string& tag, std::vector<std::string> words) {
    const std::vector<std::string_view> views(words.begin(), words.end());
    const Command* command = first.table().resolve(views);
    if (command == nullptr || !command->spec->arity.accepts(words.size())) return;
    std::vector<KeyPosition> keys;
    if (!extract_keys(*command, views, keys)) return;
    for (const KeyPosition& key : keys) words[key.index] = tag + words[key.index];
    Session& session = first.session();
    first.run_words(session, words);
    if (session.is_blocked()) {
      static_cast<void>(first.engine().services().blocking->unblock(
          session.id, BlockingControl::Unblock::kTimeout));
      EngineFixture::take(session);
    }
  }
  void on_commit(const CommittedUnit& unit) override {
    if (source) source->note(unit);
  }

  SeededChoices choices_;
  std::optional<CommandGenerator> generator_;
};

}  // namespace

TEST_CASE("slots arrive as they are at the source, whatever clients do meanwhile") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    Move move(seed);
    for (int i = 0; i < 400; ++i) move.write();
    move.begin(slots_of({"a", "b", "c"}));
    int steps = 0;
    while (!move.source->is_walked()) {
      move.write();
      move.carry(4);
      CHECK(move.second.run("DBSIZE") == ":0\r\n");
      REQUIRE(++steps < 10'000);
    }
    for (int i = 0; i < 100; ++i) {
      move.write();
      if (i % 7 == 0) move.carry(1);
    }
    move.carry(1);
    move.target->keep();
    CHECK(digest(move.first) == digest(move.second));
    if (digest(move.first) != digest(move.second)) return;
  }
}

TEST_CASE("a key that is written all the time does not keep a slot from being through") {
  Move move(1);
  for (int i = 0; i < 500; ++i) move.first.run("SET", "{a}" + std::to_string(i), "x");
  move.begin(slots_of({"a"}));
  int steps = 0;
  for (; !move.source->is_walked(); ++steps) {
    for (int i = 0; i < 20; ++i) move.first.run("INCR", "{a}hot");
    move.carry(32);
    REQUIRE(steps < 1000);
  }
  move.first.run("INCR", "{a}hot");
  move.carry(1);
  move.target->keep();
  CHECK(digest(move.first) == digest(move.second));
}

TEST_CASE("keys of other slots are not sent, and keep their place at the target") {
  Move move(1);
  move.first.run("SET", "{a}k", "1");
  move.first.run("SET", "{b}k", "2");
  move.second.run("SET", "{b}own", "3");
  move.begin(slots_of({"a"}));
  move.carry(100'000);
  move.first.run("SET", "{b}k", "4");
  move.first.run("FUNCTION", "FLUSH");
  move.first.run("PUBLISH", "{a}channel", "text");
  move.carry(1);
  CHECK(move.source->is_walked());
  CHECK(move.second.run("DBSIZE") == ":1\r\n");
  move.target->keep();
  CHECK(move.second.run("DBSIZE") == ":2\r\n");
  CHECK(move.second.run("GET", "{b}k") == "$-1\r\n");
}

TEST_CASE("imported keys have no events, are replicated, and are seen by nobody") {
  Move move(1);
  for (int i = 0; i < 50; ++i) move.first.run("SET", "{a}" + std::to_string(i), "x", "PX", "100");
  move.begin(slots_of({"a"}));
  move.second.run("PING");  // forgets what was noted
  move.carry(100'000);
  CHECK(move.second.effects().size() == 50);
  CHECK(move.second.events().empty());
  move.second.advance(milliseconds(200));
  move.second.tick();
  CHECK(move.second.run("KEYS", "*") == "*0\r\n");
  CHECK(move.second.run("SCAN", "0", "COUNT", "100000") == "*2\r\n$1\r\n0\r\n*0\r\n");
  CHECK(move.second.run("RANDOMKEY") == "$-1\r\n");
  CHECK(move.second.run("INFO", "keyspace").find("db0") == std::string::npos);
  CHECK(move.second.engine().keyspace().db(0).stored_size() == 50);  // nothing expired
  move.target->keep();
  move.second.tick();
  CHECK(move.second.engine().keyspace().db(0).stored_size() == 0);
}

TEST_CASE("versions move with their slots, also those of keys that are gone") {
  // The tag of slot 0 too, which commands without keys stand in.
  std::string zero;
  for (int i = 0; zero.empty() || cluster::slot_of(zero) != 0; ++i) zero = std::to_string(i);
  for (const std::string& name : {std::string("a"), zero}) {
    CAPTURE(name);
    const std::string tag = "{" + name + "}";
    Move move(1);
    const auto set = [&](const std::string& key, int version) {
      return move.first.run("SET", tag + key, "x", "VER", std::to_string(version));
    };
    for (int i = 0; i < 2000; ++i)
      move.first.run("DEL", tag + "before" + std::to_string(i), "VER", "7");
    move.first.run("DEL", "{b}other", "VER", "7");
    for (int i = 0; i < 50; ++i) set("k" + std::to_string(i), 5);
    move.begin(slots_of({name}));
    move.carry(8);
    move.first.run("DEL", tag + "while", "VER", "8");
    move.first.run("DEL", tag + "k0");
    set("k1", 6);
    while (!move.source->is_walked()) move.carry(8);
    move.first.run("DEL", tag + "behind", "VER", "9");
    set("k2", 10);
    move.carry(1);
    move.target->keep();
    const auto version = [&](const std::string& key) {
      return move.second.run("OBJECT", "VERSION", key);
    };
    CHECK(version(tag + "before0") == ":7\r\n");
    CHECK(version(tag + "before1999") == ":7\r\n");
    CHECK(version(tag + "while") == ":8\r\n");
    CHECK(version(tag + "behind") == ":9\r\n");
    CHECK(version(tag + "k0") == ":5\r\n");
    CHECK(version(tag + "k1") == ":6\r\n");
    CHECK(version(tag + "k2") == ":10\r\n");
    CHECK(version(tag + "k3") == ":5\r\n");
    CHECK(version("{b}other") == "$-1\r\n");
    CHECK(move.second.run("SET", tag + "before7", "old", "VER", "7") == "$-1\r\n");
  }
}

TEST_CASE("what a source does not know of versions any more, its target does not either") {
  Move move(1);
  Tombstones& tombstones = move.first.engine().keyspace().db(0).tombstones();
  tombstones.raise_floor(1000);
  move.begin(slots_of({"a"}));
  while (!move.source->is_walked()) move.carry(8);
  move.target->keep();
  CHECK(move.second.run("SET", "{a}any", "old", "VER", "1000") == "$-1\r\n");
  CHECK(move.second.run("SET", "{a}any", "new", "VER", "1001") == "+OK\r\n");
}

TEST_CASE("a flush of everything is noticed") {
  Move move(1);
  move.begin(slots_of({"a"}));
  CHECK_FALSE(move.source->was_flushed());
  move.first.run("FLUSHALL");
  CHECK(move.source->was_flushed());
}

TEST_CASE("a source may write keys of the moving slots, and nothing else") {
  const char* const hostile[] = {
      "*1\r\n$8\r\nFLUSHALL\r\n",
      "*3\r\n$3\r\nSET\r\n$4\r\n{b}k\r\n$1\r\n1\r\n",
      "*3\r\n$3\r\nSET\r\n$4\r\n{a}k\r\n",
      "*2\r\n$3\r\nGET\r\n$4\r\n{a}k\r\n",
      "*4\r\n$6\r\nCONFIG\r\n$3\r\nSET\r\n$4\r\nport\r\n$1\r\n1\r\n",
      "*1\r\n$8\r\nSHUTDOWN\r\n",
      "*2\r\n$5\r\nLPUSH\r\n$4\r\n{a}k\r\n",
      "*1\r\n$5\r\nMULTI\r\n",
      "*2\r\n$6\r\nSELECT\r\n$3\r\nabc\r\n",
      "*0\r\n",
      "SET {a}k 1\r\n",
      "*999999999999\r\n",
      "$3\r\nabc\r\n",
      "*4\r\n$7\r\nRESTORE\r\n$4\r\n{a}k\r\n$1\r\n0\r\n$3\r\nabc\r\n",
      "\r\n",
  };
  std::vector<std::string> chunks(std::begin(hostile), std::end(hostile));
  const auto echo = [&](const std::string& message) {
    chunks.push_back("*2\r\n$4\r\nECHO\r\n$" + std::to_string(message.size()) + "\r\n" + message +
                     "\r\n");
  };
  const auto gone = [&](std::string_view key, std::uint64_t version) {
    return GoneNote{0, {{Tombstones::fingerprint(key, cluster::slot_of(key)), version}}}.text();
  };
  echo("hello");
  echo(gone("{b}k", 5));
  echo(gone("{a}k", 0));
  echo(gone("{a}k", UINT64_MAX));
  echo(gone("{a}k", 5).substr(0, 20));
  echo("hearth:gone:-1:");
  for (const std::string& chunk : chunks) {
    CAPTURE(chunk);
    EngineFixture server(options(1));
    SlotTarget target(server.engine(), slots_of({"a"}));
    CHECK(target.apply(chunk).starts_with("ERR "));
    CHECK(server.engine().keyspace().db(0).stored_size() == 0);
    CHECK(server.engine().keyspace().db(0).tombstones().empty());
  }
}

TEST_CASE("keys of lost slots are out of sight at once, and go by and by") {
  EngineFixture server(options(1));
  for (int i = 0; i < 100; ++i) server.run("SET", "{a}" + std::to_string(i), "x", "EX", "100");
  server.run("SET", "{b}k", "x");
  SlotDrops drops(server.engine());
  drops.add(slots_of({"a", "c"}), SlotDrops::Events::kTold);
  CHECK(server.run("DBSIZE") == ":1\r\n");
  CHECK(drops.has(cluster::slot_of("a")));
  CHECK_FALSE(drops.has(cluster::slot_of("c")));
  server.run("PING");
  CHECK(drops.step(30) == 30);
  CHECK(server.effects().size() == 30);
  CHECK(server.events().size() == 30);
  CHECK(server.engine().keyspace().db(0).stored_size() == 71);
  CHECK(drops.step(1000) == 70);
  CHECK(drops.is_empty());
  CHECK_FALSE(server.engine().keyspace().db(0).is_hidden(cluster::slot_of("a")));
  server.run("SET", "{a}new", "x");
  CHECK(server.run("DBSIZE") == ":2\r\n");
}

TEST_CASE("versions of lost slots' keys do not crowd out those of others") {
  EngineFixture server(options(1));
  server.run("SET", "{a}k", "x", "VER", "5");
  server.run("DEL", "{a}gone", "VER", "6");
  server.run("DEL", "{b}k", "VER", "7");
  SlotDrops drops(server.engine());
  drops.add(slots_of({"a"}), SlotDrops::Events::kTold);
  server.run("PING");
  CHECK(drops.step(1000) == 1);
  // Replicas forget them too.
  const std::vector<std::string> told{"DEL {a}k", "ECHO hearth:forget:{a}k"};
  CHECK(server.effects() == told);
  CHECK(server.engine().keyspace().db(0).tombstones().size() == 2);
  CHECK(server.run("OBJECT", "VERSION", "{a}k") == "$-1\r\n");
  CHECK(server.run("OBJECT", "VERSION", "{b}k") == ":7\r\n");
}

TEST_CASE("writes to held slots wait, reads where they are to wait too") {
  EngineFixture server(options(1));
  Holds& holds = server.engine().holds();
  Session& writer = server.open();
  holds.hold_slots(slots_of({"a"}), slots_of({"b"}));
  CHECK(server.run("GET", "{a}k") == "$-1\r\n");
  CHECK(server.run("SET", "{c}k", "1") == "+OK\r\n");
  CHECK(server.run_as(writer, "SET", "{a}k", "1").empty());
  CHECK(writer.is_held());
  Session& reader = server.open();
  CHECK(server.run_as(reader, "GET", "{b}k").empty());
  CHECK(reader.is_held());
  Session& flusher = server.open();
  CHECK(server.run_as(flusher, "FLUSHALL").empty());
  holds.hold_slots({}, {});
  CHECK_FALSE(writer.is_held());
  CHECK_FALSE(reader.is_held());
  CHECK(server.resumed().size() == 3);
  CHECK(server.run_as(writer, "SET", "{a}k", "1") == "+OK\r\n");
}
