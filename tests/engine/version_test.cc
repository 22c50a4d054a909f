// VER and WARM: nothing brings an old row back, whatever comes late, twice or in another order.
#include <doctest/doctest.h>

#include <deque>
#include <map>
#include <set>

#include "persistence/aof/base.h"
#include "src/base/hash.h"
#include "src/base/random.h"
#include "src/proto/request_parser.h"
#include "src/store/tombstones.h"
#include "tests/support/engine_fixture.h"

using namespace hearth;
using namespace hearth::test;

namespace {

using Words = std::vector<std::string>;

// Repeats on another engine what the first commits, as a replica does.
class Replica final : private EffectSink {
 public:
  explicit Replica(EngineFixture& primary, std::uint64_t seed = 99)
      : engine_(options(seed)), session_(engine_.open()) {
    session_.replaying = session_.primary = session_.authenticated = true;
    primary.engine().add_sink(*this);
  }
  [[nodiscard]] EngineFixture& engine() { return engine_; }

 private:
  static EngineFixture::Options options(std::uint64_t seed) {
    EngineFixture::Options o;
    o.seed = seed;
    o.config = {{"enable-debug-command", "yes"}};
    return o;
  }
  void on_commit(const CommittedUnit& unit) override {
    for (const Effect& effect : unit.effects) engine_.run_words(session_, effect.argv);
  }

  EngineFixture engine_;
  Session& session_;
};

std::string integer(std::uint64_t n) { return ":" + std::to_string(n) + "\r\n"; }
constexpr const char* kOk = "+OK\r\n";
constexpr const char* kNull = "$-1\r\n";

}  // namespace

TEST_CASE("SET with VER stores what is newer, also after the key is gone") {
  EngineFixture server;
  CHECK(server.run("SET", "k", "a", "VER", "10") == kOk);
  CHECK(server.run("OBJECT", "VERSION", "k") == ":10\r\n");
  CHECK(server.run("SET", "k", "old", "VER", "9") == kNull);
  CHECK(server.run("SET", "k", "same", "VER", "10") == kNull);
  CHECK(server.run("GET", "k") == "$1\r\na\r\n");
  CHECK(server.run("SET", "k", "b", "VER", "11", "EX", "100") == kOk);
  CHECK(server.run("TTL", "k") == ":100\r\n");
  CHECK(server.run("OBJECT", "VERSION", "k") == ":11\r\n");

  // An application's write keeps the version, and so does whatever removes the key.
  CHECK(server.run("SET", "k", "by hand") == kOk);
  CHECK(server.run("SET", "k", "old", "VER", "11") == kNull);
  CHECK(server.run("DEL", "k") == ":1\r\n");
  CHECK(server.run("SET", "k", "old", "VER", "11") == kNull);
  CHECK(server.run("OBJECT", "VERSION", "k") == ":11\r\n");
  CHECK(server.run("SET", "k", "c", "VER", "12", "PX", "5") == kOk);
  server.advance(milliseconds{10});
  CHECK(server.run("GET", "k") == kNull);
  CHECK(server.run("SET", "k", "old", "VER", "12") == kNull);
  CHECK(server.run("SET", "k", "by hand") == kOk);
  CHECK(server.run("SET", "k", "old", "VER", "12") == kNull);
  CHECK(server.run("SET", "k", "d", "VER", "13", "GET") == "$7\r\nby hand\r\n");
  CHECK(server.run("SET", "k", "e", "NX", "VER", "14") == kNull);
  CHECK(server.run("OBJECT", "VERSION", "k") == ":13\r\n");

  CHECK(server.run("FLUSHALL") == kOk);
  CHECK(server.run("OBJECT", "VERSION", "k") == kNull);
  CHECK(server.run("SET", "k", "v", "VER", "1") == kOk);

  for (const char* wrong : {"0", "-1", "x", "9223372036854775808"})
    CHECK(server.run("SET", "k", "v", "VER", wrong) ==
          "-ERR version must be a positive integer\r\n");
  CHECK(server.run("SET", "k", "v", "VER") == "-ERR syntax error\r\n");
  CHECK(server.run("SET", "k", "v", "VER", "5", "VER", "6") == "-ERR syntax error\r\n");
}

TEST_CASE("DEL with VER leaves a tombstone, also of a key that was never there") {
  EngineFixture server;
  CHECK(server.run("DEL", "k", "VER", "5") == ":0\r\n");
  CHECK(server.run("SET", "k", "old", "VER", "5") == kNull);
  CHECK(server.run("SET", "k", "new", "VER", "6") == kOk);
  CHECK(server.run("UNLINK", "k", "VER", "6") == kNull);
  CHECK(server.run("UNLINK", "k", "VER", "7") == ":1\r\n");
  CHECK(server.run("OBJECT", "VERSION", "k") == ":7\r\n");
  // It goes when its time is over, unless a loader may still bring what is as old.
  CHECK(server.run("WARM", "BEGIN", "load", "EX", "100000") == kOk);
  const auto wait = [&](int hours) {
    for (int i = 0; i < hours; ++i) {
      server.advance(std::chrono::hours{1});
      server.tick();
    }
  };
  wait(10);
  CHECK(server.run("OBJECT", "VERSION", "k") == ":7\r\n");
  CHECK(server.run("WARM", "END", "load") == kOk);
  CHECK(server.run("CONFIG", "SET", "version-tombstone-seconds", "60") == kOk);
  for (int i = 0; i < 3; ++i) {
    server.advance(seconds{60});
    server.tick();
  }
  CHECK(server.run("OBJECT", "VERSION", "k") == kNull);

  // Words of a longer list are keys.
  server.run("MSET", "a", "1", "VER", "2", "3", "3", "b", "4");
  CHECK(server.run("DEL", "a", "VER", "3", "b") == ":4\r\n");
}

TEST_CASE("versions of keys follow all kinds of changes as a model says, on a replica too") {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    CAPTURE(seed);
    EngineFixture::Options options;
    options.seed = seed;
    options.config = {{"enable-debug-command", "yes"}};
    EngineFixture server(options);
    Replica replica(server);
    Rng rng(seed);
    std::map<std::string, std::uint64_t> model;
    const std::vector<std::string> keys{"a", "b", "c", std::string(300, 'k')};
    std::string dump;
    for (int step = 0; step < 400; ++step) {
      const std::string& key = keys[rng.below(keys.size())];
      const std::string& other = keys[rng.below(keys.size())];
      const std::uint64_t version = rng.below(300) + 1;
      const bool newer = version > model[key];
      const std::string text = std::to_string(version);
      const std::string value = "value of " + std::string(rng.below(60), 'v') + text;
      CAPTURE(step);
      const auto accept = [&] { model[key] = std::max(model[key], version); };
      const std::uint64_t choice = rng.below(16);
      CAPTURE(choice);
      CAPTURE(key);
      CAPTURE(other);
      switch (choice) {
        case 0:
        case 1:
          REQUIRE(server.run("SET", key, value, "VER", text) == (newer ? kOk : kNull));
          accept();
          break;
        case 2: {
          const std::string reply = server.run("DEL", key, "VER", text);
          REQUIRE((reply == kNull) == !newer);
          accept();
          break;
        }
        case 3:
          server.run("DEL", key);
          REQUIRE(server.run("HSETEX", key, "VER", text, "FIELDS", "1", "f", value) ==
                  (newer ? ":1\r\n" : ":0\r\n"));
          accept();
          break;
        case 4: server.run("SET", key, value); break;
        case 5: server.run("SET", key, std::to_string(rng.below(100)), "KEEPTTL"); break;
        case 6: server.run(rng.below(2) == 0 ? "DEL" : "UNLINK", key); break;
        case 7:
          server.run("DEL", key);
          for (std::uint64_t i = rng.below(40); i > 0; --i)
            server.run("RPUSH", key, std::string(rng.below(40), 'e'));
          break;
        case 8:
          server.run("LPOP", key, "2");
          server.run("LSET", key, "0", std::string(rng.below(100), 'x'));
          break;
        case 9: server.run("APPEND", key, value); break;
        case 10:
          server.run("PEXPIRE", key, "50");
          server.advance(milliseconds{static_cast<std::int64_t>(rng.below(100))});
          replica.engine().advance(milliseconds{0});
          server.tick();
          break;
        case 11: server.run("PERSIST", key); break;
        case 12: server.run("RENAME", key, other); break;
        case 13: server.run("COPY", key, other, "REPLACE"); break;
        case 14:
          if (rng.below(12) == 0) {
            server.run("FLUSHALL");
            model.clear();
          }
          break;
        default: {
          dump = server.run("DUMP", key);
          if (dump == kNull) break;
          dump = dump.substr(dump.find('\n') + 1);
          dump.resize(dump.size() - 2);
          REQUIRE(server.run("RESTORE", key, "0", dump, "REPLACE", "VER", text) ==
                  (newer ? kOk : kNull));
          accept();
          // A payload brings the version of its key along.
          REQUIRE(server.run("RESTORE", other, "0", dump, "REPLACE") == kOk);
          if (dump.find("hver") != std::string::npos) {
            const std::string there = server.run("OBJECT", "VERSION", other);
            model[other] = std::stoull(there.substr(1));
          }
        }
      }
      for (const std::string& each : keys) {
        CAPTURE(each);
        const std::string expected = model[each] == 0 ? kNull : integer(model[each]);
        REQUIRE(server.run("OBJECT", "VERSION", each) == expected);
        REQUIRE(replica.engine().run("OBJECT", "VERSION", each) == expected);
      }
    }
    CHECK(server.run("DEBUG", "DIGEST") == replica.engine().run("DEBUG", "DIGEST"));
  }
}

TEST_CASE("a replica's own log has what the replica heard of versions and epochs") {
  EngineFixture primary;
  Replica replica(primary);
  Replica log(replica.engine());
  EngineFixture& read = log.engine();
  primary.run("SET", "gone", "a", "VER", "5");
  primary.run("DEL", "gone", "VER", "7");
  primary.run("SET", "k", "a", "VER", "6");
  CHECK(read.run("OBJECT", "VERSION", "gone") == ":7\r\n");
  CHECK(read.run("OBJECT", "VERSION", "k") == ":6\r\n");
  primary.run("WARM", "BEGIN", "load", "EX", "100");
  primary.run("SET", "k", "by hand");
  primary.run("DEL", "never there");
  primary.run("SET", "row", "1", "WARM", "load");
  CHECK(read.run("SET", "k", "row", "WARM", "load") == kNull);
  CHECK(read.run("SET", "never there", "row", "WARM", "load") == kNull);
  CHECK(read.run("SET", "row", "2", "WARM", "load") == kOk);
  primary.run("WARM", "END", "load");
  CHECK(read.run("SET", "other", "row", "WARM", "load").starts_with("-NOWARM"));
}

TEST_CASE("a log that is rewritten as commands keeps the versions, also of keys that are gone") {
  EngineFixture server;
  server.run("SET", "string", "a", "VER", "5");
  server.run("SET", "timed", "a", "EX", "100", "VER", "6");
  for (int i = 0; i < 1000; ++i) server.run("RPUSH", "large", std::to_string(i));
  server.run("RPUSH", "small", "x");
  for (const char* key : {"large", "small"}) {
    Database& db = server.engine().keyspace().db(0);
    const KeyRef ref{key, hash_bytes(key, server.engine().keyspace().seed()), 0};
    db.raise_version(ref, db.find(ref), 7);
  }
  for (int i = 0; i < 3000; ++i) server.run("DEL", "gone" + std::to_string(i), "VER", "8");
  server.run("SELECT", "3");
  server.run("DEL", "alone", "VER", "9");

  struct Text final : rdb::ByteSink {
    std::string all;
    Result<void> append(std::string_view bytes) override {
      all += bytes;
      return {};
    }
  } text;
  REQUIRE(aof::write_base(server.engine().keyspace(), {}, text));
  EngineFixture read;
  Session& log = read.open();
  log.replaying = log.authenticated = true;
  RequestParser parser;
  for (std::string_view rest = text.all; !rest.empty();) {
    std::vector<std::string_view> words;
    std::size_t used = 0;
    REQUIRE(parser.next(rest, {}, words, used) == RequestParser::Status::kRequest);
    read.run_words(log, {words.begin(), words.end()});
    rest.remove_prefix(used);
  }
  const auto version = [&](const char* key) { return read.run("OBJECT", "VERSION", key); };
  CHECK(version("string") == ":5\r\n");
  CHECK(version("timed") == ":6\r\n");
  CHECK(version("large") == ":7\r\n");
  CHECK(version("small") == ":7\r\n");
  CHECK(version("gone0") == ":8\r\n");
  CHECK(version("gone2999") == ":8\r\n");
  CHECK(version("alone") == kNull);
  read.run("SELECT", "3");
  CHECK(version("alone") == ":9\r\n");
}

TEST_CASE("a warm epoch refuses its loader what others touched") {
  EngineFixture server;
  CHECK(server.run("SET", "k", "row", "WARM", "load").starts_with("-NOWARM"));
  CHECK(server.run("WARM", "BEGIN", "load") == kOk);
  CHECK(server.run("WARM", "BEGIN", "load").starts_with("-ERR"));
  CHECK(server.run("SET", "k", "row", "EX", "10", "WARM", "load") == kOk);
  CHECK(server.run("SET", "k", "row again", "WARM", "load") == kOk);
  // An application that removes a key need not know that it was not there yet.
  CHECK(server.run("DEL", "absent") == ":0\r\n");
  CHECK(server.run("SET", "absent", "row", "WARM", "load") == kNull);
  CHECK(server.run("DEL", "k") == ":1\r\n");
  CHECK(server.run("SET", "k", "row", "WARM", "load") == kNull);
  server.run("MULTI");
  server.run("SET", "in a transaction", "app");
  server.run("EXEC");
  CHECK(server.run("SET", "in a transaction", "row", "WARM", "load") == kNull);
  server.run("EVAL", "return redis.call('SET', KEYS[1], 'app')", "1", "in a script");
  CHECK(server.run("SET", "in a script", "row", "WARM", "load") == kNull);
  server.run("SET", "from", "app");
  server.run("RENAME", "from", "to");
  CHECK(server.run("SET", "from", "row", "WARM", "load") == kNull);
  CHECK(server.run("SET", "to", "row", "WARM", "load") == kNull);
  CHECK(server.run("HSETEX", "h", "WARM", "load", "FIELDS", "1", "f", "v") == ":1\r\n");
  CHECK(server.run("HSET", "h", "f", "app") == ":0\r\n");
  CHECK(server.run("HSETEX", "h", "WARM", "load", "FIELDS", "1", "f", "v") == ":0\r\n");
  // Keys of other databases are others.
  server.run("SELECT", "1");
  CHECK(server.run("SET", "to", "row", "WARM", "load") == kOk);
  server.run("SELECT", "0");
  CHECK(server.run("WARM", "STATUS").find("refused\r\n:7\r\n") != std::string::npos);
  // Whole databases are too many keys to remember: the loader has to begin again.
  CHECK(server.run("FLUSHDB") == kOk);
  CHECK(server.run("SET", "new", "row", "WARM", "load").starts_with("-NOWARM"));
  CHECK(server.run("WARM", "END", "load") == kOk);
  CHECK(server.run("WARM", "END", "load").starts_with("-NOWARM"));

  // One that nobody uses ends by itself; there can't be any number of them.
  CHECK(server.run("WARM", "BEGIN", "left", "EX", "10") == kOk);
  server.advance(seconds{9});
  server.tick();
  CHECK(server.run("SET", "k", "row", "WARM", "left") == kOk);
  server.advance(seconds{9});
  server.tick();
  CHECK(server.run("SET", "k", "row", "WARM", "left") == kOk);
  server.advance(seconds{11});
  server.tick();
  CHECK(server.run("SET", "k", "row", "WARM", "left").starts_with("-NOWARM"));
  for (std::size_t i = 0; i < WarmControl::kEpochsMost; ++i)
    CHECK(server.run("WARM", "BEGIN", std::to_string(i)) == kOk);
  CHECK(server.run("WARM", "BEGIN", "more") == "-ERR too many warm epochs are open\r\n");
}

TEST_CASE("a replica hears of keys that a write named in vain, in one message") {
  EngineFixture server;
  Replica replica(server);
  server.run("WARM", "BEGIN", "load");
  CHECK(server.run("DEL", "a", "with:colon 3:", "") == ":0\r\n");
  CHECK(server.effects().size() == 1);
  for (const char* key : {"a", "with:colon 3:", ""})
    CHECK(replica.engine().run("SET", key, "row", "WARM", "load") == kNull);
  CHECK(replica.engine().run("SET", "other", "row", "WARM", "load") == kOk);
}

TEST_CASE("an epoch that began anew knows nothing of the last one's writes") {
  EngineFixture server;
  Replica replica(server);
  server.run("WARM", "BEGIN", "one");
  server.run("SET", "k", "app");
  server.run("WARM", "END", "one");
  server.run("WARM", "BEGIN", "two");
  CHECK(server.run("SET", "k", "row", "WARM", "two") == kOk);
  CHECK(replica.engine().run("SET", "k", "row", "WARM", "two") == kOk);
  CHECK(replica.engine().run("SET", "k", "row", "WARM", "one").starts_with("-NOWARM"));
}

namespace {

// A table of rows whose values name the change that made them, and a cache in front of it.
class World {
 public:
  static constexpr std::uint64_t kRows = 6;
  explicit World(std::uint64_t seed) : rng(seed), first(options(seed)), second_(first, seed + 1) {
    for (std::uint64_t i = 0; i < kRows; ++i) commit(i);
  }

  static std::string key(std::uint64_t row) { return "row:" + std::to_string(row); }
  // The row gets another value or goes; returns what happened.
  struct Change {
    std::uint64_t position = 0, row = 0;
    bool is_gone = false;
  };
  Change commit(std::uint64_t row) {
    const Change change{++position, row, rng.below(5) == 0};
    rows[row] = change.is_gone ? 0 : position;
    log.push_back(change);
    return change;
  }
  std::string run(const Words& words) { return cache().run_words(cache().session(), words); }
  [[nodiscard]] EngineFixture& cache() { return failed_over_ ? second_.engine() : first; }
  void fail_over() { failed_over_ = true; }
  // The change whose value the cache has; 0: none.
  std::uint64_t cached(std::uint64_t row) {
    const std::string reply = run({"GET", key(row)});
    return reply == kNull ? 0 : std::stoull(reply.substr(reply.find('\n') + 1));
  }

  Rng rng;
  std::uint64_t position = 0;
  std::map<std::uint64_t, std::uint64_t> rows;  // 0: the row is gone
  std::vector<Change> log;
  EngineFixture first;

 private:
  static EngineFixture::Options options(std::uint64_t seed) {
    EngineFixture::Options o;
    o.seed = seed;
    return o;
  }
  Replica second_;
  bool failed_over_ = false;
};

}  // namespace

TEST_CASE(
    "loads and a change stream with versions end with the rows, whatever comes late or twice") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    CAPTURE(seed);
    World world(seed);
    Rng& rng = world.rng;
    std::map<std::uint64_t, std::uint64_t> newest;  // that was ever cached, by row
    std::map<std::uint64_t, std::uint64_t> snapshot;
    std::uint64_t snapshot_at = 0;
    std::size_t applied = 0;
    const auto take_snapshot = [&] {
      snapshot = world.rows;
      snapshot_at = world.position;
    };
    const auto apply_next = [&] {
      const World::Change& change = world.log[applied++];
      const std::string version = std::to_string(change.position);
      const std::string key = World::key(change.row);
      if (change.is_gone)
        world.run({"DEL", key, "VER", version});
      else
        world.run({"SET", key, version, "VER", version});
    };
    take_snapshot();
    applied = world.log.size();
    for (int step = 0; step < 150; ++step) {
      const std::uint64_t row = rng.below(World::kRows);
      switch (rng.below(10)) {
        case 0:
        case 1: world.commit(row); break;
        case 2:
        case 3:
          if (applied < world.log.size()) apply_next();
          break;
        case 4:
        case 5:
        case 6:
          if (snapshot[row] != 0) {
            world.run({"SET", World::key(row), std::to_string(snapshot[row]), "VER",
                       std::to_string(snapshot_at)});
          }
          break;
        case 7:  // the stream is read again from an earlier place, which stands behind the snapshot
          applied = std::max<std::size_t>(snapshot_at,
                                          applied - std::min<std::size_t>(applied, rng.below(5)));
          break;
        case 8: world.run({"DEL", World::key(row)}); break;  // evicted, expired, or by hand
        default:
          if (rng.below(30) == 0) world.fail_over();
      }
      for (std::uint64_t i = 0; i < World::kRows; ++i) {
        const std::uint64_t value = world.cached(i);
        if (value == 0) continue;
        CAPTURE(i);
        REQUIRE(value >= newest[i]);
        newest[i] = value;
      }
    }
    while (applied < world.log.size()) apply_next();
    for (std::uint64_t i = 0; i < World::kRows; ++i) {
      const std::uint64_t value = world.cached(i);
      CAPTURE(i);
      if (value != 0) REQUIRE(value == world.rows[i]);
    }
  }
}

TEST_CASE("a warm epoch never leaves an old row beside applications that commit and then remove") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    CAPTURE(seed);
    World world(seed);
    Rng& rng = world.rng;
    std::map<std::uint64_t, std::uint64_t> snapshot;
    int epoch = 0;
    bool has_snapshot = false;
    std::set<std::uint64_t> to_remove;  // rows whose change was committed and not yet told
    const auto begin = [&] {
      world.run({"WARM", "END", std::to_string(epoch)});
      world.run({"WARM", "BEGIN", std::to_string(++epoch)});
      has_snapshot = false;
    };
    const auto tell = [&](std::uint64_t row) {
      const std::string key = World::key(row);
      to_remove.erase(row);
      switch (rng.below(4)) {
        case 0: world.run({"DEL", key}); break;
        case 1: world.run({"EVAL", "return redis.call('UNLINK', KEYS[1])", "1", key}); break;
        case 2:
          if (world.rows[row] == 0)
            world.run({"DEL", key});
          else
            world.run({"SET", key, std::to_string(world.rows[row])});
          break;
        default:
          world.run({"MULTI"});
          world.run({"DEL", key});
          world.run({"EXEC"});
      }
    };
    begin();
    for (int step = 0; step < 150; ++step) {
      const std::uint64_t row = rng.below(World::kRows);
      switch (rng.below(8)) {
        case 0:
          world.commit(row);
          to_remove.insert(row);
          break;
        case 1:
          if (!to_remove.empty()) tell(*to_remove.begin());
          break;
        case 2:
          if (!has_snapshot) snapshot = world.rows;
          has_snapshot = true;
          break;
        case 3:
        case 4:
        case 5:
          if (has_snapshot && snapshot[row] != 0) {
            world.run({"SET", World::key(row), std::to_string(snapshot[row]), "WARM",
                       std::to_string(epoch)});
          }
          break;
        case 6:
          if (rng.below(8) == 0) begin();
          if (rng.below(20) == 0) world.run({"FLUSHALL"}), to_remove.clear();
          break;
        default:
          if (rng.below(30) == 0) world.fail_over();
      }
    }
    while (!to_remove.empty()) tell(*to_remove.begin());
    for (std::uint64_t i = 0; i < World::kRows; ++i) {
      const std::uint64_t value = world.cached(i);
      CAPTURE(i);
      if (value != 0) REQUIRE(value == world.rows[i]);
    }
  }
}
