// The command table as a whole: every spec is complete and consistent, and every command, called in
// the ways its own documentation allows, answers in the shape it declares.
#include <doctest/doctest.h>

#include <algorithm>
#include <cctype>
#include <functional>
#include <map>
#include <set>

#include "src/command/blocking_control.h"
#include "src/command/docs.h"
#include "src/command/persistence_control.h"
#include "src/command/replica_control.h"
#include "src/command/replication_control.h"
#include "src/command/server_control.h"
#include "src/proto/reply_parser.h"
#include "tests/support/engine_fixture.h"
#include "tests/support/fake_persistence.h"
#include "tests/support/fake_server.h"

using namespace hearth;
using hearth::test::EngineFixture;
using hearth::test::FakeServer;
using Words = std::vector<std::string>;

namespace {

void for_each_command(const CommandTable& table, const std::function<void(const Command&)>& fn) {
  for (const auto& command : table.all()) {
    fn(*command);
    for (const auto& sub : command->subcommands) fn(*sub);
  }
}

Words name_words(const Command& command) {
  if (command.parent == nullptr) return {std::string(command.spec->name)};
  return {std::string(command.parent->spec->name), std::string(command.spec->name)};
}

std::vector<RespValue> values(const std::string& bytes) {
  ReplyParser parser;
  parser.feed(bytes);
  std::vector<RespValue> all;
  for (;;) {
    auto next = parser.next();
    REQUIRE(next);
    if (!next->has_value()) break;
    all.push_back(std::move(**next));
  }
  CHECK(parser.buffered() == 0);
  return all;
}

// --- specs ---

int least_words(std::span<const ArgDoc> args);
int least_words_of(const ArgDoc& arg) {
  if (arg.optional) return 0;
  if (arg.kind == ArgDoc::Kind::kToken) return 1;
  int words = arg.token.empty() ? 0 : 1;
  if (arg.kind == ArgDoc::Kind::kBlock) return words + least_words(arg.parts);
  if (arg.kind != ArgDoc::Kind::kOneOf) return words + 1;
  int least = 1000;
  for (const ArgDoc& part : arg.parts) least = std::min(least, std::max(1, least_words_of(part)));
  return words + least;
}
int least_words(std::span<const ArgDoc> args) {
  int words = 0;
  for (const ArgDoc& arg : args) words += least_words_of(arg);
  return words;
}

bool is_version(std::string_view text) {
  return std::count(text.begin(), text.end(), '.') == 2 &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return c == '.' || std::isdigit(static_cast<unsigned char>(c)) != 0;
         });
}

void check_args(const Command& command, std::span<const ArgDoc> args) {
  for (const ArgDoc& arg : args) {
    CAPTURE(arg.name);
    CHECK_FALSE(arg.name.empty());
    const bool composite = arg.kind == ArgDoc::Kind::kOneOf || arg.kind == ArgDoc::Kind::kBlock;
    CHECK(composite != arg.parts.empty());
    if (arg.kind == ArgDoc::Kind::kToken) CHECK_FALSE(arg.token.empty());
    if (arg.kind == ArgDoc::Kind::kKey) {
      CHECK(arg.key_spec >= 0);
      CHECK(static_cast<std::size_t>(arg.key_spec) < command.spec->keys.size());
    }
    if (!arg.since.empty()) CHECK(is_version(arg.since));
    check_args(command, arg.parts);
  }
}

// --- replies ---

bool fits(const RespValue& v, Shape declared, int resp) {
  const auto any = [&](std::initializer_list<Shape> shapes) {
    return std::any_of(shapes.begin(), shapes.end(), [&](Shape s) { return has(declared, s); });
  };
  switch (v.kind) {
    case RespKind::kSimple:
      return v.text() == "OK" ? any({Shape::kOk, Shape::kSimple}) : any({Shape::kSimple});
    case RespKind::kInteger:
      return resp == 2 ? any({Shape::kInteger, Shape::kBoolean}) : any({Shape::kInteger});
    case RespKind::kBulk:
      return resp == 2 ? any({Shape::kBulk, Shape::kVerbatim, Shape::kDouble})
                       : any({Shape::kBulk});
    case RespKind::kNull: return any({Shape::kNull, Shape::kNullArray});
    case RespKind::kArray:
      return resp == 2 ? any({Shape::kArray, Shape::kMap, Shape::kSet, Shape::kPush})
                       : any({Shape::kArray});
    case RespKind::kMap: return any({Shape::kMap});
    case RespKind::kSet: return any({Shape::kSet});
    case RespKind::kPush: return any({Shape::kPush});
    case RespKind::kDouble: return any({Shape::kDouble});
    case RespKind::kBool: return any({Shape::kBoolean});
    case RespKind::kVerbatim: return any({Shape::kVerbatim});
    case RespKind::kBigNumber:
    case RespKind::kError: break;
  }
  return false;
}

// Calls of a command, made at random from what it documents of its arguments.
class Caller {
 public:
  Caller(Rng& rng, Group group) : rng_(rng), group_(group) {}

  Words call(const Command& command) {
    Words words = name_words(command);
    add_all(command.spec->args, words);
    return words;
  }

 private:
  std::string pick(std::initializer_list<const char*> from) {
    return *(from.begin() + rng_.below(from.size()));
  }

  std::string key() {
    switch (group_) {
      case Group::kString:
      case Group::kBitmap: return pick({"s", "t", "n", "none"});
      case Group::kHash: return pick({"h", "none"});
      case Group::kSet: return pick({"set", "other set", "none"});
      case Group::kHyperLogLog: return pick({"hll", "none"});
      case Group::kStream: return pick({"x", "none"});
      case Group::kList: return pick({"l", "none"});
      case Group::kSortedSet: return pick({"z", "none"});
      case Group::kGeo: return pick({"g", "none"});
      default: return pick({"s", "n", "h", "none"});
    }
  }

  std::string scalar(const ArgDoc& arg) {
    switch (arg.kind) {
      case ArgDoc::Kind::kKey: return key();
      case ArgDoc::Kind::kInteger: return pick({"0", "1", "2", "10"});
      case ArgDoc::Kind::kDouble: return pick({"0.5", "1", "-2.25"});
      case ArgDoc::Kind::kPattern: return pick({"*", "s*"});
      case ArgDoc::Kind::kUnixTime: return pick({"2000000000", "2000000000000"});
      default: break;
    }
    if (arg.name == "field") return pick({"a", "b", "c"});
    if (group_ == Group::kStream) return stream_word(arg.name);
    return pick({"a", "10", "some text"});
  }

  std::string stream_word(std::string_view name) {
    if (name == "group") return pick({"g", "a"});
    if (name == "consumer") return pick({"c", "d"});
    if (name == "min-idle-time") return "0";
    if (name.find("id") != std::string_view::npos || name == "start" || name == "end")
      return pick({"5-1", "6", "10"});
    return pick({"a", "10"});
  }

  void add_all(std::span<const ArgDoc> args, Words& words) {
    for (const ArgDoc& arg : args) {
      if (arg.optional && rng_.below(2) == 0) continue;
      add(arg, words);
    }
  }

  void add(const ArgDoc& arg, Words& words) {
    std::uint64_t times = arg.multiple ? 1 + rng_.below(3) : 1;
    if (arg.name.starts_with("num") && arg.kind == ArgDoc::Kind::kInteger) {
      // The count of what follows.
      if (!arg.token.empty()) words.emplace_back(arg.token);
      announced_ = 1 + rng_.below(3);
      words.push_back(std::to_string(announced_));
      return;
    }
    if (arg.multiple && announced_ > 0) times = std::exchange(announced_, 0);
    for (std::uint64_t i = 0; i < times; ++i) {
      const bool is_token = arg.kind == ArgDoc::Kind::kToken;
      if (!arg.token.empty() && (i == 0 || arg.multiple_token || is_token))
        words.emplace_back(arg.token);
      if (arg.kind == ArgDoc::Kind::kOneOf)
        add(arg.parts[rng_.below(arg.parts.size())], words);
      else if (arg.kind == ArgDoc::Kind::kBlock)
        add_all(arg.parts, words);
      else if (!is_token)
        words.push_back(scalar(arg));
    }
  }

  Rng& rng_;
  Group group_;
  std::uint64_t announced_ = 0;
};

struct Sample {
  std::vector<Words> before;
  Words call;
};

const Words kLoadLibrary = {"FUNCTION", "LOAD", "REPLACE",
                            "#!lua name=lib\nredis.register_function{function_name='f', "
                            "callback=function() return 1 end, flags={'no-writes'}}"};

// Calls that chance would not find.
const std::map<std::string, Sample> kSamples = {
    {"acl|dryrun", {{}, {"ACL", "DRYRUN", "default", "GET", "a"}}},
    {"auth", {{}, {"AUTH", "default", "any"}}},
    {"client|caching", {{{"CLIENT", "TRACKING", "ON", "OPTIN"}}, {"CLIENT", "CACHING", "YES"}}},
    {"client|import-source",
     {{{"CONFIG", "SET", "import-mode", "yes"}}, {"CLIENT", "IMPORT-SOURCE", "ON"}}},
    {"client|kill", {{}, {"CLIENT", "KILL", "TYPE", "pubsub"}}},
    {"client|list", {{}, {"CLIENT", "LIST"}}},
    {"command|getkeys", {{}, {"COMMAND", "GETKEYS", "MSET", "a", "1", "b", "2"}}},
    {"command|getkeysandflags", {{}, {"COMMAND", "GETKEYSANDFLAGS", "GET", "a"}}},
    {"config|set", {{}, {"CONFIG", "SET", "hz", "20"}}},
    {"debug", {{}, {"DEBUG", "DIGEST"}}},
    {"discard", {{{"MULTI"}}, {"DISCARD"}}},
    {"exec", {{{"MULTI"}, {"PING"}}, {"EXEC"}}},
    {"eval", {{}, {"EVAL", "return redis.call('get', KEYS[1])", "1", "s"}}},
    {"eval_ro", {{}, {"EVAL_RO", "return redis.call('get', KEYS[1])", "1", "s"}}},
    {"evalsha",
     {{{"SCRIPT", "LOAD", "return 1"}},
      {"EVALSHA", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db", "0"}}},
    {"evalsha_ro",
     {{{"SCRIPT", "LOAD", "return 1"}},
      {"EVALSHA_RO", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db", "0"}}},
    {"fcall", {{kLoadLibrary}, {"FCALL", "f", "0"}}},
    {"fcall_ro", {{kLoadLibrary}, {"FCALL_RO", "f", "0"}}},
    {"function|delete", {{kLoadLibrary}, {"FUNCTION", "DELETE", "lib"}}},
    {"function|load", {{}, kLoadLibrary}},
    {"script|load", {{}, {"SCRIPT", "LOAD", "return 1"}}},
    {"script|show",
     {{{"SCRIPT", "LOAD", "return 1"}},
      {"SCRIPT", "SHOW", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"}}},
    {"hotkeys|start", {{}, {"HOTKEYS", "START", "METRICS", "1", "CPU"}}},
    {"himport|set",
     {{{"HIMPORT", "PREPARE", "p", "x", "y"}}, {"HIMPORT", "SET", "h", "p", "1", "2"}}},
    {"latency|graph", {{}, {"LATENCY", "GRAPH", "command"}}},
    {"bitfield_ro", {{}, {"BITFIELD_RO", "s", "GET", "u8", "0"}}},
    {"bitfield", {{}, {"BITFIELD", "s", "GET", "u8", "0", "SET", "i5", "3", "-1"}}},
    {"pfdebug", {{}, {"PFDEBUG", "ENCODING", "hll"}}},
    {"xreadgroup", {{}, {"XREADGROUP", "GROUP", "g", "c", "STREAMS", "x", ">"}}},
    {"object|freq",
     {{{"CONFIG", "SET", "maxmemory-policy", "allkeys-lfu"}}, {"OBJECT", "FREQ", "s"}}},
    {"waitaof", {{}, {"WAITAOF", "0", "0", "0"}}},
    {"zlexcount", {{}, {"ZLEXCOUNT", "z", "-", "+"}}},
    {"zrangebylex", {{}, {"ZRANGEBYLEX", "z", "-", "+"}}},
    {"zrevrangebylex", {{}, {"ZREVRANGEBYLEX", "z", "+", "-"}}},
    {"zremrangebylex", {{}, {"ZREMRANGEBYLEX", "z", "[a", "(b"}}},
};

// Commands that only refuse without what an engine by itself does not have.
bool needs_more_than_an_engine(const Command& command) {
  static const std::set<std::string> kNames = {
      "restore",          "restore-asking",  // a payload, made by DUMP: tests/engine/key_test.cc
      "migrate",          "replicaof",      "slaveof",  // another server: tests/system
      "clusterscan",       // a cluster: tests/engine/cluster_scan_test.cc
      "function|restore",  // a payload, made by FUNCTION DUMP
      "script|kill",       // a script that runs: tests/engine/scripting_test.cc
      "function|kill",    "module|load",    "module|loadex", "module|unload",  // a module interface
      "acl|load",         "acl|save",  // a file of users: tests/engine/acl_test.cc
  };
  const Command& top = command.parent != nullptr ? *command.parent : command;
  return kNames.contains(command.full_name) || top.spec->group == Group::kCluster;
}

class World {
 public:
  explicit World(int resp) : resp_(resp), server_(options()) {
    server_.engine().services().server = &process_;
    server_.engine().services().persistence = &persistence_;
    server_.engine().services().replication = &replication_;
    server_.engine().services().replica = &replica_;
    server_.engine().services().handover = &handover_;
  }

  // Runs the sample in a session and a data set of their own.
  std::string run(const Sample& sample) {
    server_.engine().holds().unpause();
    Session& admin = server_.open();
    for (const Words& words :
         {Words{"CONFIG", "SET", "maxmemory-policy", "noeviction", "import-mode", "no"},
          Words{"FLUSHALL"}, Words{"MSET", "s", "some text", "t", "other text", "n", "10"},
          Words{"HSET", "h", "a", "1", "b", "2", "n", "3"}, Words{"SADD", "set", "a", "10", "b"},
          Words{"SADD", "other set", "a", "c"}, Words{"PFADD", "hll", "a", "b", "c"},
          Words{"XADD", "x", "5-1", "a", "1"}, Words{"XADD", "x", "6-1", "a", "1"},
          Words{"XGROUP", "CREATE", "x", "g", "0"},
          Words{"XREADGROUP", "GROUP", "g", "c", "COUNT", "1", "STREAMS", "x", ">"},
          Words{"RPUSH", "l", "a", "10", "some text"},
          Words{"ZADD", "z", "1", "a", "2", "b", "2", "10"},
          Words{"GEOADD", "g", "13", "38", "a", "15", "37", "10"}}) {
      const std::string reply = server_.run_words(admin, words);
      REQUIRE_MESSAGE(!reply.starts_with("-"), reply);
    }
    server_.engine().services().latency->add("command", server_.now(), 100);
    Session& session = server_.open();
    session.resp = resp_;
    for (const Words& words : sample.before) server_.run_words(session, words);
    std::string reply = server_.run_words(session, sample.call);
    if (session.is_blocked()) {  // what it says when its time is over
      CHECK(server_.engine().services().blocking->unblock(session.id,
                                                          BlockingControl::Unblock::kTimeout));
      reply = EngineFixture::take(session);
    }
    const int resp_after = session.resp;
    server_.engine().close(session);
    server_.engine().close(admin);
    last_resp_ = resp_after;
    return reply;
  }
  // HELLO and RESET answer in the version that holds behind them.
  [[nodiscard]] int last_resp() const { return last_resp_; }
  [[nodiscard]] const CommandTable& table() const { return server_.table(); }

 private:
  static EngineFixture::Options options() {
    EngineFixture::Options o;
    o.config = {{"enable-debug-command", "yes"}};
    return o;
  }
  int resp_;
  int last_resp_ = 2;
  FakeServer process_;
  test::FakePersistence persistence_;
  test::FakeReplication replication_;
  test::FakeReplica replica_;
  test::FakeHandover handover_;
  EngineFixture server_;
};

}  // namespace

TEST_CASE("every spec is complete and consistent") {
  EngineFixture server;
  for_each_command(server.table(), [](const Command& command) {
    const CommandSpec& spec = *command.spec;
    CAPTURE(command.full_name);
    CHECK(std::all_of(spec.name.begin(), spec.name.end(),
                      [](char c) { return std::islower(static_cast<unsigned char>(c)) == 0; }));
    CHECK(spec.summary.size() > 10);
    CHECK(spec.summary.ends_with('.'));
    CHECK(std::isupper(static_cast<unsigned char>(spec.summary.front())) != 0);
    CHECK_FALSE(spec.complexity.empty());
    CHECK(is_version(spec.since));
    if (!spec.deprecated_since.empty()) {
      CHECK(is_version(spec.deprecated_since));
      CHECK_FALSE(spec.replaced_by.empty());
    }
    for (const HistoryNote& note : spec.history) {
      CHECK(is_version(note.since));
      CHECK(note.change.ends_with('.'));
    }
    CHECK_FALSE((has(command.flags, Flag::kWrite) && has(command.flags, Flag::kReadonly)));
    for (const KeySpec& key : spec.keys) {
      const std::uint16_t kind =
          key.access & (access::kRO | access::kRW | access::kOW | access::kRM);
      if ((key.access & access::kNotKey) == 0) CHECK(std::has_single_bit(kind));
      if ((key.access & (access::kUpdate | access::kInsert | access::kDelete)) != 0)
        CHECK((has(command.flags, Flag::kWrite) || has(command.flags, Flag::kRunsScript)));
      CHECK(key.step >= 1);
    }
    check_args(command, spec.args);
    if (spec.handler == nullptr) return;
    CHECK(static_cast<std::uint16_t>(spec.reply) != 0);
    const int names = command.parent != nullptr ? 2 : 1;
    const int least = names + least_words(spec.args);
    const int arity = spec.arity.count >= 0 ? spec.arity.count : -spec.arity.count;
    CHECK(least == arity);
  });
}

TEST_CASE("every command answers in its declared shape in both protocols") {
  constexpr int kCalls = 40;
  constexpr std::uint64_t kSeed = 20240607;
  INFO("seed ", kSeed);
  for (const int resp : {2, 3}) {
    World world(resp);
    for_each_command(world.table(), [&](const Command& command) {
      if (command.spec->handler == nullptr) return;
      CAPTURE(command.full_name);
      CAPTURE(resp);
      Rng rng(kSeed + command.id);
      Caller caller(rng, command.spec->group);
      int answers = 0;
      const auto check = [&](const Sample& sample) {
        std::string line;
        for (const auto& word : sample.call) line += word + " ";
        CAPTURE(line);
        const std::string reply = world.run(sample);
        if (reply.empty()) {
          CHECK(has(command.spec->reply, Shape::kNone));
          ++answers;
        }
        for (const RespValue& v : values(reply)) {
          if (v.is_error()) continue;
          CAPTURE(reply);
          CHECK(fits(v, command.spec->reply, world.last_resp()));
          ++answers;
        }
      };
      if (const auto sample = kSamples.find(command.full_name); sample != kSamples.end())
        check(sample->second);
      for (int i = 0; i < kCalls; ++i) check({{}, caller.call(command)});
      if (!needs_more_than_an_engine(command)) CHECK(answers > 0);
    });
  }
}

TEST_CASE("every container knows its subcommands, helps, and refuses others") {
  EngineFixture server;
  for (const auto& command : server.table().all()) {
    if (!command->is_container()) continue;
    const std::string name(command->spec->name);
    CAPTURE(name);
    const std::string unknown = server.run(name, "no-such-word");
    CHECK(unknown == "-ERR unknown subcommand 'no-such-word'. Try " + name + " HELP.\r\n");
    if (CommandTable::find_sub(*command, "HELP") == nullptr) continue;
    const auto help = values(server.run(name, "help"));
    REQUIRE(help.size() == 1);
    CHECK(help[0].items().size() == 1 + 2 * command->subcommands.size());
    CHECK(help[0].items()[0].text().starts_with(name + " <subcommand> "));
    CHECK(server.run(name, "HELP", "x") ==
          "-ERR wrong number of arguments for '" + command->full_name + "|help' command\r\n");
  }
}

TEST_CASE("COMMAND INFO gives ten fields, sets where the protocol has them") {
  EngineFixture server;
  CHECK(server.run("COMMAND", "INFO", "get", "nope") ==
        "*2\r\n*10\r\n$3\r\nget\r\n:2\r\n*2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n*3\r\n+@"
        "read\r\n+@string\r\n+@fast\r\n*0\r\n"
        "*1\r\n*6\r\n$5\r\nflags\r\n*2\r\n+RO\r\n+access\r\n$12\r\nbegin_search\r\n*4\r\n$"
        "4\r\ntype\r\n$5\r\nindex\r\n$4\r\n"
        "spec\r\n*2\r\n$5\r\nindex\r\n:1\r\n$9\r\nfind_keys\r\n*4\r\n$4\r\ntype\r\n$5\r\nrange\r\n$"
        "4\r\nspec\r\n*6\r\n$7\r\n"
        "lastkey\r\n:0\r\n$7\r\nkeystep\r\n:1\r\n$5\r\nlimit\r\n:0\r\n*0\r\n$-1\r\n");
  server.session().resp = 3;
  const std::string reply = server.run("COMMAND", "INFO", "client|list");
  CHECK(
      reply.starts_with("*1\r\n*10\r\n$11\r\nclient|list\r\n:-2\r\n~4\r\n+admin\r\n+noscript\r\n+"
                        "loading\r\n+stale\r\n:0\r\n:0\r\n:0\r\n"));
  CHECK(server.run("COMMAND", "INFO", "get|key", "config|get|key", "x") == "*3\r\n_\r\n_\r\n_\r\n");
  const auto all = values(server.run("COMMAND"));
  CHECK(all[0].items().size() == server.table().all().size());
  CHECK(values(server.run("COMMAND", "INFO"))[0].items().size() == server.table().all().size());
}

TEST_CASE("COMMAND COUNT and LIST agree with the table, and filters narrow the list") {
  EngineFixture server;
  CHECK(server.run("COMMAND", "COUNT") ==
        ":" + std::to_string(server.table().all().size()) + "\r\n");
  const auto list = [&](const Words& words) {
    std::set<std::string> names;
    Words call = {"COMMAND", "LIST"};
    call.insert(call.end(), words.begin(), words.end());
    const auto reply = values(server.run_words(server.session(), call));
    for (const RespValue& v : reply[0].items()) names.insert(std::string(v.text()));
    return names;
  };
  CHECK(list({}).size() == server.table().id_count());
  CHECK(list({"FILTERBY", "PATTERN", "SET"}) == std::set<std::string>{"set"});
  CHECK(list({"FILTERBY", "PATTERN", "config|*re*"}) ==
        std::set<std::string>{"config|resetstat", "config|rewrite"});
  CHECK(list({"FILTERBY", "PATTERN", "config*"}).contains("config|get"));
  CHECK(list({"FILTERBY", "ACLCAT", "transaction"}) ==
        std::set<std::string>{"multi", "exec", "discard", "watch", "unwatch"});
  CHECK(list({"FILTERBY", "ACLCAT", "nope"}).empty());
  CHECK(list({"FILTERBY", "MODULE", "nope"}).empty());
  CHECK(server.run("COMMAND", "LIST", "x") == "-ERR syntax error\r\n");
  CHECK(server.run("COMMAND", "LIST", "FILTERBY", "x", "y") == "-ERR syntax error\r\n");
}

TEST_CASE("COMMAND DOCS is a map of maps, and leaves unknown names out") {
  EngineFixture server;
  server.session().resp = 3;
  const auto docs = values(server.run("COMMAND", "DOCS", "get", "nope", "config"));
  REQUIRE(docs[0].kind == RespKind::kMap);
  CHECK(docs[0].items().size() == 4);
  const RespValue* get = docs[0].find("get");
  REQUIRE(get != nullptr);
  CHECK(get->find("since")->text() == "1.0.0");
  CHECK(get->find("group")->text() == "string");
  const auto args = get->find("arguments")->items();
  REQUIRE(args.size() == 1);
  CHECK(args[0].find("name")->text() == "key");
  CHECK(args[0].find("type")->text() == "key");
  CHECK(args[0].find("display_text")->text() == "key");
  CHECK(args[0].find("key_spec_index")->integer(-1) == 0);
  const RespValue* config = docs[0].find("config");
  REQUIRE(config != nullptr);
  REQUIRE(config->find("subcommands") != nullptr);
  CHECK(config->find("subcommands")->find("config|set") != nullptr);
  CHECK(config->find("arguments") == nullptr);
  const auto old = values(server.run("COMMAND", "DOCS", "substr"));
  const RespValue* substr = old[0].find("substr");
  REQUIRE(substr != nullptr);
  CHECK(substr->find("doc_flags")->items()[0].text() == "deprecated");
  CHECK(substr->find("deprecated_since") != nullptr);
  CHECK(substr->find("replaced_by") != nullptr);
  const auto all = values(server.run("COMMAND", "DOCS"));
  CHECK(all[0].items().size() == 2 * server.table().all().size());
}

TEST_CASE("COMMAND GETKEYS finds keys by the specs") {
  EngineFixture server;
  CHECK(server.run("COMMAND", "GETKEYS", "mset", "a", "1", "b", "2") ==
        "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
  CHECK(server.run("COMMAND", "GETKEYS", "memory", "usage", "k") == "*1\r\n$1\r\nk\r\n");
  CHECK(server.run("COMMAND", "GETKEYS", "lcs", "a", "b") == "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
  CHECK(server.run("COMMAND", "GETKEYS", "nope", "a") == "-ERR Invalid command specified\r\n");
  CHECK(server.run("COMMAND", "GETKEYS", "ping") == "-ERR The command has no key arguments\r\n");
  CHECK(server.run("COMMAND", "GETKEYS", "get") ==
        "-ERR Invalid number of arguments specified for command\r\n");
  CHECK(server.run("COMMAND", "GETKEYS", "spublish", "c", "m") ==
        "-ERR The command has no key arguments\r\n");
  CHECK(server.run("COMMAND", "GETKEYS", "migrate", "h", "1", "", "0", "10", "KEYS", "a", "KEYS") ==
        "*2\r\n$1\r\na\r\n$4\r\nKEYS\r\n");
  CHECK(server.run("COMMAND", "GETKEYS", "migrate", "h", "1", "k", "0", "10", "KEYS", "a") ==
        "-ERR Invalid arguments specified for command\r\n");
  CHECK(server.run("COMMAND", "GETKEYSANDFLAGS", "mset", "a", "1") ==
        "*1\r\n*2\r\n$1\r\na\r\n*2\r\n+OW\r\n+update\r\n");
  CHECK(server.run("COMMAND", "GETKEYSANDFLAGS", "set", "a", "1") ==
        "*1\r\n*2\r\n$1\r\na\r\n*2\r\n+OW\r\n+update\r\n");
  CHECK(server.run("COMMAND", "GETKEYSANDFLAGS", "set", "a", "1", "GET") ==
        "*1\r\n*2\r\n$1\r\na\r\n*3\r\n+RW\r\n+access\r\n+update\r\n");
  CHECK(server.run("COMMAND", "GETKEYSANDFLAGS", "sort", "a", "STORE", "b") ==
        "*2\r\n*2\r\n$1\r\na\r\n*2\r\n+RO\r\n+access\r\n"
        "*2\r\n$1\r\nb\r\n*2\r\n+OW\r\n+update\r\n");
  server.session().resp = 3;
  CHECK(server.run("COMMAND", "GETKEYSANDFLAGS", "get", "a") ==
        "*1\r\n*2\r\n$1\r\na\r\n~2\r\n+RO\r\n+access\r\n");
}

TEST_CASE("COMMAND INFO names the channels of sharded messages where clients look for keys") {
  EngineFixture server;
  CHECK(server.run("COMMAND", "INFO", "spublish").find(":1\r\n:1\r\n:1\r\n") != std::string::npos);
  CHECK(server.run("COMMAND", "INFO", "ssubscribe").find(":1\r\n:-1\r\n:1\r\n") !=
        std::string::npos);
  CHECK(server.run("COMMAND", "INFO", "publish").find(":0\r\n:0\r\n:0\r\n") != std::string::npos);
  CHECK(server.run("COMMAND", "INFO", "publish").find("may_replicate") == std::string::npos);
  CHECK(server.run("COMMAND", "INFO", "eval_ro").find("@read\r\n") == std::string::npos);
}

TEST_CASE("the syntax of arguments reads as manuals write it") {
  static constexpr ArgDoc kChoice[] = {args::integer("seconds", "EX"),
                                       args::token("keepttl", "KEEPTTL")};
  static constexpr ArgDoc kPair[] = {args::key(), args::string("value")};
  static constexpr ArgDoc kArgs[] = {
      args::block("data", kPair).many(), args::one_of("expiry", kChoice).opt(),
      args::one_of("how", kChoice), args::string("id", "ID").repeats_token().opt()};
  CHECK(syntax_of(kArgs) ==
        "key value [key value ...] [EX seconds | KEEPTTL] <EX seconds | KEEPTTL> [ID id [ID id "
        "...]]");
}

TEST_CASE("renamed and removed commands answer to their new names only") {
  const std::vector<const CommandSpec*> specs = all_commands();
  CommandTable table(specs);
  CHECK(table.rename("get", "fetch"));
  CHECK(table.rename("FLUSHALL", ""));
  CHECK_FALSE(table.rename("nope", "x"));
  CHECK_FALSE(table.rename("set", "fetch"));
  CHECK(table.find("get") == nullptr);
  REQUIRE(table.find("FETCH") != nullptr);
  CHECK(table.find("fetch")->full_name == "get");
  CHECK(table.find("flushall") == nullptr);
}
