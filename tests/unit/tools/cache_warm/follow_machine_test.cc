// Follow without sockets: a table in memory, its changes, and a cache that answers when it likes.
#include "tools/cache_warm/follow_machine.h"

#include <doctest/doctest.h>

#include <map>

#include "src/base/random.h"
#include "tools/cache_warm/plan.h"

using namespace hearth;
using namespace hearth::warm;

namespace {

Cell number_cell(std::int64_t value) { return {.type = CellType::kInteger, .integer = value}; }
Cell text_cell(std::string_view value) { return {.type = CellType::kText, .bytes = value}; }

TableShape shape_of_users() {
  TableShape shape;
  shape.name = "users";
  shape.columns = {{.name = "id"}, {.name = "team"}, {.name = "bio"}};
  shape.in_old = {1, 1, 1};
  shape.readable = {1, 1, 1};
  shape.row_key = {0};
  shape.hint = "ALTER TABLE users REPLICA IDENTITY FULL;";
  return shape;
}

struct User {
  std::int64_t id = 0;
  std::int64_t team = 0;
  std::string bio;
};

RowImage image_of(const User& user, bool knows_bio = true) {
  RowImage image;
  image.exists = true;
  image.cells = {number_cell(user.id), number_cell(user.team), text_cell(user.bio)};
  image.known = {1, 1, static_cast<std::uint8_t>(knows_bio ? 1 : 0)};
  if (!knows_bio) image.cells[2] = Cell{};
  return image;
}

// Keeps keys; answers operations only when it is told to, in any order.
class LazyCache final : public RowSink {
 public:
  explicit LazyCache(Rng& rng) : rng_(rng) {}
  client::CompletionSink* fates = nullptr;
  std::map<std::string, std::string> keys;

  Result<void> put(const client::Operation& operation) override {
    const std::string key(operation.key);
    if (operation.bytes.find("\r\nDEL\r\n") != std::string_view::npos) {
      keys.erase(key);
    } else {
      keys[key] = std::string(operation.bytes);
    }
    open_.push_back(operation.tag);
    return {};
  }
  Result<void> idle(milliseconds) override { return {}; }
  Result<void> finish(std::optional<milliseconds>) override {
    while (!open_.empty()) answer();
    return {};
  }
  void answer() {
    if (open_.empty()) return;
    const std::size_t at = rng_.below(open_.size());
    const std::uint64_t tag = open_[at];
    open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(at));
    fates->on_done(tag);
  }
  [[nodiscard]] std::size_t open() const { return open_.size(); }
  void forget() { open_.clear(); }

 private:
  Rng& rng_;
  std::vector<std::uint64_t> open_;
};

// The database: the rows as they are now, which may be ahead of the change at hand.
class MemoryTable final : public FollowPort {
 public:
  explicit MemoryTable(const std::vector<Mapping>& mappings) : mappings_(mappings) {}
  std::map<std::int64_t, User> rows;
  LazyCache* cache = nullptr;
  std::vector<std::string> reports;
  int reads = 0;

  Result<void> read_rows(std::size_t mapping, const std::vector<std::string>& columns,
                         const std::vector<std::vector<std::string>>& values,
                         std::span<const std::uint64_t>,
                         const std::function<Result<void>(const Unit&)>& take) override {
    ++reads;
    std::vector<User> found;
    for (const auto& [id, user] : rows) {
      for (const auto& value : values) {
        if (std::to_string(columns[0] == "id" ? id : user.team) == value[0]) found.push_back(user);
      }
    }
    std::stable_sort(found.begin(), found.end(),
                     [](const User& a, const User& b) { return a.team < b.team; });
    return encode(mapping, found, take);
  }
  Result<std::uint64_t> erase_keys(std::size_t mapping) override {
    const std::string prefix(mappings_[mapping].outputs[0].key.prefix());
    return std::erase_if(cache->keys,
                         [&](const auto& one) { return one.first.starts_with(prefix); });
  }
  void report(std::size_t, std::string_view key, std::string_view reason) override {
    reports.push_back(std::string(key) + ": " + std::string(reason));
  }

  // The keys that a load would write.
  std::map<std::string, std::string> loaded() {
    std::map<std::string, std::string> keys;
    std::vector<User> all;
    for (const auto& [id, user] : rows) all.push_back(user);
    std::stable_sort(all.begin(), all.end(),
                     [](const User& a, const User& b) { return a.team < b.team; });
    for (std::size_t i = 0; i < mappings_.size(); ++i) {
      const auto encoded = encode(i, all, [&](const Unit& unit) -> Result<void> {
        for (const Write& write : unit.writes)
          if (!write.is_delete) keys[std::string(write.key)] = std::string(write.bytes);
        return {};
      });
      REQUIRE(encoded);
    }
    return keys;
  }

 private:
  Result<void> encode(std::size_t mapping, const std::vector<User>& users,
                      const std::function<Result<void>(const Unit&)>& take) {
    HEARTH_TRY(auto encoder, RowEncoder::bind(mappings_[mapping], shape_of_users().columns));
    for (const User& user : users) {
      const RowImage image = image_of(user);
      if (const Unit* unit = encoder.encode(image.cells, 1, UnixMillis{0}))
        HEARTH_TRY_VOID(take(*unit));
    }
    if (const Unit* unit = encoder.finish()) HEARTH_TRY_VOID(take(*unit));
    return {};
  }
  const std::vector<Mapping>& mappings_;
};

constexpr const char* kMappings =
    "[[mapping]]\ntable = \"users\"\nkey = \"u:{id}\"\n[[mapping.output]]\nkey = "
    "\"bio:{bio}\"\nvalue = \"string\"\ncolumn = \"id\"\nnull_key = \"skip\"\n"
    "[[mapping]]\nname = \"teams\"\ntable = \"users\"\nkey = \"team:{team}\"\nvalue = "
    "\"list\"\ncolumn = \"id\"\n";

constexpr const char* kWithoutBioKey =
    "[[mapping]]\ntable = \"users\"\nkey = \"u:{id}\"\nvalue = \"hash\"\n[[mapping]]\nname = "
    "\"teams\"\ntable = \"users\"\nkey = \"team:{team}\"\nvalue = \"list\"\ncolumn = \"bio\"\n";

struct Bench {
  explicit Bench(std::uint64_t seed, std::string_view mappings = kMappings)
      : rng(seed),
        plan(*parse_plan(mappings, "test")),
        router(*ChangeRouter::make(plan.mappings)),
        table(plan.mappings),
        cache(rng) {
    REQUIRE(router.set_shape(0, shape_of_users()));
    table.cache = &cache;
    crash();
  }
  // Operations that were not acknowledged are forgotten; those that were sent reached the cache.
  void crash() {
    machine = std::make_unique<FollowMachine>(plan.mappings, router, table);
    machine->send_to(cache);
    cache.fates = machine.get();
    cache.forget();
  }
  void take(const Change& change) { REQUIRE(machine->take(change, UnixMillis{0})); }
  void insert(const User& user) { take({.kind = ChangeKind::kInsert, .new_row = image_of(user)}); }
  void update(const User& old_user, const User& user, bool knows_bio = true) {
    take({.kind = ChangeKind::kUpdate,
          .old_row = image_of(old_user),
          .new_row = image_of(user, knows_bio)});
  }
  void erase(const User& user) { take({.kind = ChangeKind::kDelete, .old_row = image_of(user)}); }
  void commit(std::uint64_t at) { take({.kind = ChangeKind::kCommit, .position = {0, at}}); }

  Rng rng;
  WarmPlan plan;
  ChangeRouter router;
  MemoryTable table;
  LazyCache cache;
  std::unique_ptr<FollowMachine> machine;
};

}  // namespace

TEST_CASE("a position is confirmed when everything before it is acknowledged, and not before") {
  AckLedger ledger;
  const auto first = ledger.issue(1);
  const auto second = ledger.issue(2);
  ledger.mark({0, 10}, {});
  const auto third = ledger.issue(3);
  ledger.mark({0, 20}, {});
  CHECK(ledger.done(second) == 2);
  CHECK(ledger.done(third) == 3);
  CHECK(!ledger.take_reached());
  CHECK(ledger.done(first) == 1);
  CHECK(ledger.take_reached()->position.offset == 20);
  CHECK(!ledger.take_reached());
  ledger.mark({0, 30}, {});
  CHECK(ledger.take_reached()->position.offset == 30);
}

TEST_CASE("a change of a key writes the new one and deletes the old ones") {
  Bench bench(1);
  const User ann{1, 7, "ann"};
  bench.table.rows[1] = ann;
  bench.insert(ann);
  bench.commit(10);
  REQUIRE(bench.machine->settle());
  CHECK(bench.cache.keys.size() == 3);
  const User eve{2, 8, "eve"};
  bench.table.rows = {{2, eve}};
  bench.update(ann, eve);
  bench.commit(20);
  REQUIRE(bench.machine->settle());
  CHECK(bench.cache.keys == bench.table.loaded());
  CHECK(bench.cache.keys.contains("bio:eve"));
  CHECK(!bench.machine->take_reached());
  REQUIRE(bench.cache.finish(std::nullopt));
  CHECK(bench.machine->take_reached()->position.offset == 20);
  bench.table.rows.clear();
  bench.erase(eve);
  REQUIRE(bench.machine->settle());
  CHECK(bench.cache.keys.empty());
}

TEST_CASE("a large value that did not change is read again, also when the key changes") {
  Bench bench(1, "[[mapping]]\ntable = \"users\"\nkey = \"u:{id}\"\n");
  const User old_user{1, 7, "long"};
  const User user{5, 7, "long"};
  bench.table.rows[5] = user;
  bench.cache.keys["u:1"] = "old";
  bench.update(old_user, user, false);
  CHECK(bench.table.reads == 0);
  REQUIRE(bench.machine->settle());
  CHECK(bench.table.reads == 1);
  CHECK(bench.cache.keys == bench.table.loaded());
  // The row is gone by the time it is read.
  bench.update(user, user, false);
  bench.table.rows.clear();
  REQUIRE(bench.machine->settle());
  CHECK(bench.cache.keys.empty());
}

TEST_CASE("TRUNCATE waits for what was sent and deletes all keys") {
  Bench bench(1);
  bench.table.rows[1] = {1, 7, "ann"};
  bench.insert({1, 7, "ann"});
  bench.table.rows.clear();
  bench.take({.kind = ChangeKind::kTruncate});
  CHECK(bench.cache.open() == 0);
  CHECK(bench.cache.keys.count("u:1") == 0);
  CHECK(bench.cache.keys.count("team:7") == 0);
}

TEST_CASE("a row that has no value any more has no key, and is told when it is bad") {
  Bench bench(1, "[[mapping]]\ntable = \"users\"\nkey = \"u:{id}\"\njson_columns = [\"bio\"]\n");
  bench.insert({1, 7, "{}"});
  CHECK(bench.cache.keys.size() == 1);
  bench.update({1, 7, "{}"}, {1, 7, "no json"});
  CHECK(bench.cache.keys.empty());
  CHECK(bench.table.reports == std::vector<std::string>{"u:1: column 'bio' is not valid JSON"});
}

TEST_CASE("mappings that cannot be followed say what would help") {
  const auto error_of = [](std::string_view lines) -> std::string {
    static WarmPlan plan;
    plan = *parse_plan("[[mapping]]\n" + std::string(lines), "test");
    auto router = ChangeRouter::make(plan.mappings);
    if (!router) return router.error().context;
    TableShape shape = shape_of_users();
    shape.in_old = {1, 0, 0};
    const auto bound = router->set_shape(0, shape);
    return bound ? "" : bound.error().context;
  };
  const auto has = [&](std::string_view lines, std::string_view words) {
    const std::string error = error_of(lines);
    CHECK_MESSAGE(error.find(words) != std::string::npos, error);
  };
  CHECK(error_of("table = \"users\"\nkey = \"u:{id}\"\n").empty());
  has("query = \"SELECT 1\"\nkey = \"{id}\"\n", "follow = { tables");
  has("table = \"users\"\nkey = \"u:{id}\"\nonly_if_absent = true\n", "only_if_absent");
  has("table = \"users\"\nkey = \"u:{id}\"\nvalue = \"hash\"\nreplace = false\n", "replace");
  has("table = \"users\"\nkey = \"u:{team}\"\n", "REPLICA IDENTITY FULL");
  has("table = \"users\"\nkey = \"u:{id}\"\nfields = [\"gone\"]\n", "no column 'gone'");
  has("query = \"SELECT 1\"\nkey = \"{id}:{x}\"\nfollow = { tables = { users = [\"id\"] } }\n",
      "column 'x'");
  CHECK(error_of("query = \"SELECT 1\"\nkey = \"{id}\"\nfollow = false\n").empty());
}

TEST_CASE("after any changes, crashes and replays the keys are those of a load") {
  for (std::uint64_t seed = 1; seed <= 80; ++seed) {
    CAPTURE(seed);
    // A column that makes a key is never left out of a change; one that does not may be.
    const bool may_lack = seed % 2 == 0;
    Bench bench(seed, may_lack ? kWithoutBioKey : kMappings);
    Rng& rng = bench.rng;
    // Every change and where its transaction ends, for replays.
    struct Logged {
      ChangeKind kind;
      User before;
      User after;
      bool knows_bio;
    };
    std::vector<Logged> log;
    std::uint64_t confirmed = 0;
    std::size_t delivered = 0;
    const auto deliver = [&](std::size_t upto) {
      for (; delivered < upto; ++delivered) {
        const Logged& one = log[delivered];
        if (one.kind == ChangeKind::kInsert) bench.insert(one.after);
        if (one.kind == ChangeKind::kUpdate) bench.update(one.before, one.after, one.knows_bio);
        if (one.kind == ChangeKind::kDelete) bench.erase(one.before);
        bench.commit(delivered + 1);
        if (rng.below(3) == 0) bench.cache.answer();
        if (rng.below(10) == 0) REQUIRE(bench.machine->settle());
        if (const auto reached = bench.machine->take_reached()) {
          CHECK(reached->position.offset >= confirmed);
          confirmed = reached->position.offset;
        }
      }
    };
    for (int step = 0; step < 200; ++step) {
      const auto id = static_cast<std::int64_t>(rng.below(12));
      const User fresh{id, static_cast<std::int64_t>(rng.below(4)),
                       "b" + std::to_string(rng.below(1ULL << 50))};
      auto& rows = bench.table.rows;
      const auto found = rows.find(id);
      if (found == rows.end()) {
        log.push_back({ChangeKind::kInsert, {}, fresh, true});
        rows[id] = fresh;
      } else if (rng.below(3) == 0) {
        log.push_back({ChangeKind::kDelete, found->second, {}, true});
        rows.erase(found);
      } else {
        User changed = fresh;
        const bool keeps_bio = rng.below(2) == 0;
        if (keeps_bio) changed.bio = found->second.bio;
        if (rng.below(3) == 0 && !rows.contains(id + 100)) changed.id = id + 100;
        log.push_back({ChangeKind::kUpdate, found->second, changed, !may_lack || !keeps_bio});
        rows.erase(found);
        rows[changed.id] = changed;
      }
      // The stream is behind the database by a few changes.
      const std::size_t behind = rng.below(4);
      if (log.size() > behind) deliver(std::max(delivered, log.size() - behind));
      if (rng.below(40) == 0) {
        bench.crash();
        delivered = static_cast<std::size_t>(confirmed);
      }
    }
    deliver(log.size());
    REQUIRE(bench.machine->settle());
    REQUIRE(bench.cache.finish(std::nullopt));
    CHECK(bench.cache.keys == bench.table.loaded());
    CHECK(bench.machine->take_reached()->position.offset == log.size());
  }
}
