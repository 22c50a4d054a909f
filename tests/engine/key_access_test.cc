// A command reaches the keys that extraction finds, and no other: what it answers and changes does
// not depend on them, whatever order, number and place its words have.
#include <algorithm>
#include <map>
#include <set>

#include <doctest/doctest.h>

#include "src/command/key_extract.h"
#include "src/command/rights.h"
#include "src/proto/reply_parser.h"
#include "tests/support/command_generator.h"
#include "tests/support/engine_fixture.h"

namespace hearth {
namespace {

using test::CommandGenerator;
using test::EngineFixture;
using Words = std::vector<std::string>;

// One request for each key of the generator's pool, and the groups of streams.
const std::vector<std::pair<std::string, Words>>& data() {
  static const std::vector<std::pair<std::string, Words>> kData = {
      {"s1", {"SET", "s1", "12"}},
      {"s2", {"PFADD", "s2", "a", "b"}},
      {"s3", {"SET", "s3", "some text"}},
      {"h1", {"HSET", "h1", "f1", "1", "f2", "two"}},
      {"h2", {"HSET", "h2", "f1", "5"}},
      {"l1", {"RPUSH", "l1", "3", "1", "2"}},
      {"l2", {"RPUSH", "l2", "a", "b"}},
      {"t1", {"SADD", "t1", "1", "2", "3"}},
      {"t2", {"SADD", "t2", "a", "2"}},
      {"z1", {"GEOADD", "z1", "13.36", "38.11", "a", "15.08", "37.5", "b"}},
      {"z2", {"ZADD", "z2", "1", "a", "2", "c"}},
      {"x1", {"XADD", "x1", "5-1", "f", "v"}},
      {"x2", {"XADD", "x2", "7-1", "f", "v"}},
  };
  return kData;
}

std::string joined(const Words& words) {
  std::string line;
  for (const std::string& word : words) line += "'" + word + "' ";
  return line;
}

// A pattern that of the pool's names only this one matches.
std::string literal(std::string_view name) {
  std::string pattern;
  for (const char c : name) {
    if (std::string_view("*?[]\\^-").find(c) != std::string_view::npos) pattern += '\\';
    pattern += c == ' ' ? '?' : c;  // rules have no blanks
  }
  return pattern;
}

class World {
 public:
  World() : user_(server_.open()) {}

  // Only the keys that `wanted` has.
  void fill(const std::function<bool(const std::string&)>& wanted) {
    server_.session().deny_blocking = user_.deny_blocking = false;
    server_.run("SELECT", "0");
    server_.run("FLUSHALL");
    for (const auto& [key, words] : data()) {
      if (!wanted(key)) continue;
      server_.run_words(server_.session(), words);
      if (key[0] == 'x') server_.run("XGROUP", "CREATE", key, "g1", "0");
    }
  }
  std::string run(const Words& words) { return run_in(server_.session(), words); }
  std::string run_as_user(const Words& rules, const Words& words) {
    Words set{"ACL", "SETUSER", "ann", "reset", "on", "nopass", "+@all", "alldbs"};
    set.insert(set.end(), rules.begin(), rules.end());
    CHECK(server_.run_words(server_.session(), set) == "+OK\r\n");
    server_.run_as(user_, "AUTH", "ann", "");
    return run_in(user_, words);
  }
  std::string dry_run(const Words& words) {
    Words asked{"ACL", "DRYRUN", "ann"};
    asked.insert(asked.end(), words.begin(), words.end());
    return server_.run_words(server_.session(), asked);
  }
  // Value and deadline of each key that exists.
  std::map<std::string, std::string> state() {
    std::map<std::string, std::string> all;
    for (const char* key : CommandGenerator::kKeys) {
      const std::string value = server_.run("DUMP", key);
      if (value != "$-1\r\n") all[key] = value + server_.run("PEXPIRETIME", key);
    }
    return all;
  }
  [[nodiscard]] const CommandTable& table() const { return server_.table(); }
  [[nodiscard]] UnixMillis now() const { return server_.now(); }

 private:
  // Without waiting: a command that would wait answers as if its time were over.
  std::string run_in(Session& session, const Words& words) {
    session.deny_blocking = true;
    std::string reply = server_.run_words(session, words);
    session.deny_blocking = false;
    server_.run("SELECT", "0");
    return reply;
  }
  EngineFixture server_;
  Session& user_;
};

bool has_keys(const Command& command) {
  return command.spec->handler != nullptr &&
         std::ranges::any_of(command.spec->keys,
                             [](const KeySpec& k) { return (k.access & access::kNotKey) == 0; });
}

struct Extracted {
  std::map<std::string, std::uint16_t> keys;  // with all that is done with each
  bool fits = false;
  explicit Extracted(const CommandTable& table, const Words& words) {
    const std::vector<std::string_view> argv(words.begin(), words.end());
    const Command* command = table.resolve(argv);
    std::vector<KeyPosition> positions;
    if (command == nullptr || !command->spec->arity.accepts(argv.size())) return;
    fits = extract_keys(*command, argv, positions);
    if (!fits) return;
    for (const KeyPosition& p : positions) keys[words[p.index]] |= p.access;
  }
  [[nodiscard]] Words rules(const std::string* without = nullptr) const {
    Words rules;
    for (const auto& [key, how] : keys) {
      if (without != nullptr && key == *without) continue;
      const acl::KeyRights rights = key_rights(how);
      if ((rights & acl::kReadKey) != 0 || rights == 0) rules.push_back("%R~" + literal(key));
      if ((rights & acl::kWriteKey) != 0) rules.push_back("%W~" + literal(key));
    }
    return rules;
  }
};

bool may_change(const Command& command, std::uint16_t how) {
  // Reading through a group or a cached count moves what the value keeps of its own readers.
  if (command.full_name == "xreadgroup" || command.full_name == "pfcount") return true;
  return (key_rights(how) & acl::kWriteKey) != 0;
}

bool is_denied(const std::string& reply) { return reply.starts_with("-NOPERM"); }
// SORT's patterns need the right to read every key.
bool is_pattern_refusal(const std::string& reply) {
  return reply.find("denied due to insufficient ACL permissions") != std::string::npos;
}

struct Counts {
  int answered = 0, denied = 0;
};

void check_one(World& whole, World& part, const Command& command, const Words& words, int which,
               Counts& counts) {
  const std::string request = joined(words);
  CAPTURE(request);
  const Extracted found(whole.table(), words);
  const auto before = (whole.fill([](const std::string&) { return true; }), whole.state());
  part.fill([&](const std::string& key) { return found.keys.contains(key); });

  // A user with the rights that extraction asks for may run it, and hears what a server without
  // the other keys says to a user with all rights.
  const std::string reply = whole.run_as_user(found.rules(), words);
  CHECK_FALSE(is_denied(reply));
  if (is_pattern_refusal(reply)) return;
  const std::string reply_without_others = part.run(words);
  CHECK(reply == reply_without_others);
  if (!reply.starts_with("-")) ++counts.answered;
  const auto after = whole.state();
  for (const auto& [key, value] : before) {
    const auto used = found.keys.find(key);
    if (used != found.keys.end() && may_change(command, used->second)) continue;
    CAPTURE(key);
    CHECK(after.contains(key));
    if (after.contains(key)) CHECK(after.at(key) == value);
  }
  for (const auto& [key, value] : after) {
    CAPTURE(key);
    CHECK((before.contains(key) || found.keys.contains(key)));
  }

  // Without the right to one of them it is refused and changes nothing.
  if (found.keys.empty()) return;
  const auto forbidden = std::next(found.keys.begin(), which % static_cast<int>(found.keys.size()));
  whole.fill([](const std::string&) { return true; });
  const std::string refusal = whole.run_as_user(found.rules(&forbidden->first), words);
  CAPTURE(forbidden->first);
  CHECK(is_denied(refusal));
  CHECK(whole.state() == before);
  CHECK(whole.dry_run(words).find("has no permissions to access the '" + forbidden->first) !=
        std::string::npos);
  ++counts.denied;
}

}  // namespace

TEST_CASE("a command reaches the keys that extraction finds, and needs the right to each") {
  constexpr std::uint64_t kSeed = 20260607;
  constexpr int kCalls = 60;
  INFO("seed ", kSeed);
  World whole, part;
  test::SeededChoices choices(kSeed);
  test::GeneratorScope scope;
  scope.takes_too = has_keys;
  scope.displaces_one_of = 2;
  CommandGenerator generator(whole.table(), choices, whole.now(), scope);
  std::set<std::string> never_denied;
  for (const Command* command : generator.commands()) {
    // A command that works on all keys of a database has no keys of its own.
    if (!has_keys(*command) || has(command->flags, Flag::kTouchesArbitraryKeys)) continue;
    CAPTURE(command->full_name);
    Counts counts;
    for (int i = 0; i < kCalls; ++i)
      check_one(whole, part, *command, generator.call(*command), i, counts);
    if (counts.denied == 0) never_denied.insert(command->full_name);
  }
  CHECK(never_denied == std::set<std::string>{});
}

TEST_CASE("a word that stands as a value of another is no option, and the last of two counts") {
  EngineFixture server;
  const auto keys = [&](const Words& words) {
    Words asked{"COMMAND", "GETKEYS"};
    asked.insert(asked.end(), words.begin(), words.end());
    std::string text;
    ReplyParser parser;
    parser.feed(server.run_words(server.session(), asked));
    const auto reply = parser.next();
    REQUIRE((reply && reply->has_value()));
    if ((*reply)->is_error()) return "!" + std::string((*reply)->text());
    for (const RespValue& v : (*reply)->items()) text += std::string(v.text()) + " ";
    return text;
  };
  CHECK(keys({"SORT", "a", "STORE", "b", "BY", "STORE", "asc"}) == "a b ");
  CHECK(keys({"SORT", "a", "BY", "STORE", "STORE", "b", "STORE", "c"}) == "a c ");
  CHECK(keys({"SORT", "a", "GET", "STORE", "LIMIT", "STORE", "STORE"}) == "a ");
  CHECK(keys({"SORT_RO", "a", "STORE", "b"}) == "a ");
  CHECK(keys({"GEORADIUS", "a", "1", "2", "3", "m", "STORE", "b", "STOREDIST", "c"}) == "a c ");
  CHECK(keys({"GEORADIUS", "a", "1", "2", "3", "m", "STORE", "STOREDIST", "ASC"}) ==
        "a STOREDIST ");
  CHECK(keys({"GEORADIUSBYMEMBER", "a", "STORE", "3", "m", "COUNT", "STORE"}) == "a ");
  CHECK(keys({"XREADGROUP", "GROUP", "STREAMS", "x", "STREAMS", "a", "0"}) == "a ");
  CHECK(keys({"XREAD", "COUNT", "STREAMS", "STREAMS", "STREAMS", "0"}) == "STREAMS ");
  CHECK(keys({"XREAD", "STREAMS", "a", "b", "0"}) ==
        "!ERR Invalid arguments specified for command");
  CHECK(keys({"MIGRATE", "h", "1", "", "0", "5", "AUTH", "KEYS", "KEYS", "a"}) == "a ");
}

TEST_CASE("what a script calls is held against the keys of that call") {
  EngineFixture server;
  server.run("ACL", "SETUSER", "ann", "on", "nopass", "+@all", "~a*");
  Session& ann = server.open();
  server.run_as(ann, "AUTH", "ann", "");
  server.run("RPUSH", "alist", "1");
  const std::string script =
      "return redis.pcall('SORT','alist','STORE','secret','BY','STORE','asc')";
  CHECK(server.run_as(ann, "EVAL", script, "0").starts_with("-"));
  CHECK(server.run("EXISTS", "secret") == ":0\r\n");
  CHECK(server.run_as(ann, "SORT", "alist", "STORE", "secret", "BY", "STORE", "asc") ==
        "-NOPERM No permissions to access a key\r\n");
  CHECK(server.run_as(ann, "SORT", "alist", "GET", "#") ==
        "-ERR GET option of SORT denied due to insufficient ACL permissions.\r\n");
}

}  // namespace hearth
