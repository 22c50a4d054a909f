#include "tests/bench/growth.h"

#include <valgrind/callgrind.h>

#include <array>
#include <cstdio>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/bench/driver.h"

namespace hearth::bench {
namespace {

using Words = std::vector<std::string>;

std::string numbered(std::string_view prefix, std::size_t i) {
  return std::string(prefix) + std::to_string(i);
}

// Keys, by the group of the command that asks for them. The first holds n elements, the next ones
// hold one each.
std::string key_of(Group group, std::size_t i) {
  switch (group) {
    case Group::kList: return numbered("list:", i);
    case Group::kSet: return numbered("set:", i);
    case Group::kSortedSet:
    case Group::kGeo: return numbered("zset:", i);
    case Group::kHash: return numbered("hash:", i);
    case Group::kStream: return numbered("stream:", i);
    case Group::kHyperLogLog: return numbered("hll:", i);
    default: return numbered("string:", i);
  }
}

Group group_of(const Command& command) {
  return command.full_name.starts_with("sort") ? Group::kList : command.spec->group;
}

class Server {
 public:
  explicit Server(Driver& driver) : driver_(driver) {}

  void run(const Words& words) { driver_.run(request(words)); }
  // Counts as an error what the server refuses.
  void send(const Words& words) {
    const std::uint64_t before = driver_.error_replies();
    run(words);
    errors_ += driver_.error_replies() - before;
  }
  [[nodiscard]] std::uint64_t take_errors() { return std::exchange(errors_, 0); }

  // The data that the commands of the group look for: `keys` keys, the first with `elements`
  // elements.
  void fill(Group group, std::size_t elements, std::size_t keys) {
    run({"FLUSHALL"});
    for (std::size_t k = 0; k < keys; ++k) {
      const std::size_t count = k == 0 ? elements : 1;
      const std::string key = key_of(group, k);
      switch (group) {
        case Group::kList:
          push("RPUSH", key, count, [](auto& w, auto i) { w.push_back(std::to_string(i)); });
          break;
        case Group::kSet:
          push("SADD", key, count, [](auto& w, auto i) { w.push_back(name(i)); });
          break;
        case Group::kHash:
          push("HSET", key, count, [](auto& w, auto i) {
            w.push_back(name(i));
            w.push_back(std::to_string(i));
          });
          break;
        case Group::kSortedSet:
        case Group::kGeo:
          push("ZADD", key, count, [](auto& w, auto i) {
            w.push_back(std::to_string(i));
            w.push_back(name(i));
          });
          break;
        case Group::kStream:
          run({"XGROUP", "CREATE", key, "group", "0", "MKSTREAM"});
          for (std::size_t i = 0; i < count; ++i)
            run({"XADD", key, numbered("", i + 1) + "-1", "field", "value"});
          run({"XREADGROUP", "GROUP", "group", "consumer", "STREAMS", key, ">"});
          break;
        case Group::kHyperLogLog:
          push("PFADD", key, count, [](auto& w, auto i) { w.push_back(name(i)); });
          break;
        default: run({"SET", key, std::string(count, 'x')});
      }
    }
  }
  [[nodiscard]] Driver& driver() { return driver_; }

  static std::string name(std::size_t i) { return numbered("name:", i); }

 private:
  template <typename Add>
  void push(std::string_view command, const std::string& key, std::size_t count, Add add) {
    Words words{std::string(command), key};
    for (std::size_t i = 0; i < count; ++i) add(words, i);
    run(words);
  }

  Driver& driver_;
  std::uint64_t errors_ = 0;
};

// A request of a command with one documented argument, and what stands around it, `times` times.
class RequestOf {
 public:
  enum class Keys : std::uint8_t { kDifferent, kSame };

  // `repeated` may be nullptr. Names and numbers begin at `first`.
  RequestOf(const Command& command, const ArgDoc* repeated, std::size_t times, std::size_t first,
            Keys keys = Keys::kDifferent)
      : command_(command),
        group_(group_of(command)),
        repeated_(repeated),
        times_(times),
        next_(first),
        same_key_(keys == Keys::kSame) {
    // A weight belongs to each key, an id to each stream.
    ties_keys_ =
        repeated != nullptr && (repeated->name == "weight" ||
                                (repeated->name == "id" && command.full_name.starts_with("xread")));
    if (command.parent != nullptr) words_.emplace_back(command.parent->spec->name);
    words_.emplace_back(command.spec->name);
    add_all(command.spec->args);
  }
  [[nodiscard]] Words take() { return std::move(words_); }

 private:
  static bool holds(const ArgDoc& arg, const ArgDoc* wanted) {
    if (&arg == wanted) return true;
    for (const ArgDoc& part : arg.parts)
      if (holds(part, wanted)) return true;
    return false;
  }
  [[nodiscard]] bool wanted(const ArgDoc& arg) const {
    return repeated_ != nullptr && holds(arg, repeated_);
  }
  void add_all(std::span<const ArgDoc> args) {
    std::size_t ids = 1;
    for (const ArgDoc& arg : args) {
      if (arg.optional && !wanted(arg)) continue;
      // STREAMS key ... id ...: as many of the one as of the other.
      ids = add(arg, group_ == Group::kStream && arg.name == "id" ? ids : 1);
    }
  }
  std::size_t add(const ArgDoc& arg, std::size_t at_least) {
    if (arg.name.starts_with("num") && arg.kind == ArgDoc::Kind::kInteger) {
      if (!arg.token.empty()) words_.emplace_back(arg.token);
      announced_ = words_.size();
      words_.emplace_back("1");
      return 1;
    }
    const bool counts = announced_ > 0 && arg.multiple;
    const bool tied = ties_keys_ && arg.multiple && arg.kind == ArgDoc::Kind::kKey;
    const std::size_t times = &arg == repeated_ || tied ? times_ : arg.multiple ? at_least : 1;
    if (counts) words_[std::exchange(announced_, 0)] = std::to_string(times);
    for (std::size_t i = 0; i < times; ++i) {
      const bool is_token = arg.kind == ArgDoc::Kind::kToken;
      if (!arg.token.empty() && (i == 0 || arg.multiple_token || is_token))
        words_.emplace_back(arg.token);
      if (arg.kind == ArgDoc::Kind::kOneOf)
        add(choice(arg.parts), 1);
      else if (arg.kind == ArgDoc::Kind::kBlock)
        add_all(arg.parts);
      else if (!is_token)
        words_.push_back(value(arg, next_ + i));
    }
    return times;
  }
  const ArgDoc& choice(std::span<const ArgDoc> parts) const {
    for (const ArgDoc& part : parts)
      if (wanted(part)) return part;
    return parts.front();
  }
  std::string value(const ArgDoc& arg, std::size_t i) const {
    const auto mentions = [&](std::string_view part) {
      return arg.name.find(part) != std::string_view::npos;
    };
    const bool by_text = command_.full_name.find("bylex") != std::string::npos || mentions_lex();
    if (arg.kind == ArgDoc::Kind::kKey) return key_of(group_, same_key_ ? 0 : i);
    if (arg.name == "rule") return "~" + Server::name(i);
    if (by_text && (arg.name == "min" || arg.name == "max")) return arg.name == "min" ? "-" : "+";
    if (arg.name == "min-idle-time") return "0";
    if (arg.kind == ArgDoc::Kind::kPattern) return numbered("name:*", i);
    if (arg.kind == ArgDoc::Kind::kUnixTime)
      return mentions("milli") ? "1900000000000" : "1900000000";
    if (mentions("timeout")) return "0.001";
    if (arg.name == "db" || mentions("destination-db")) return "1";
    if (mentions("count") || mentions("threshold")) return "10";
    if (mentions("seconds")) return numbered("", 100'000 + i);
    if (arg.name == "encoding") return "u8";
    if (group_ == Group::kStream) {
      if (arg.name == "group" || arg.name == "consumer") return std::string(arg.name);
      if (arg.name == "start") return "-";
      if (arg.name == "end") return "+";
      if (mentions("id")) return numbered("", i + 1) + "-1";
    }
    if (arg.name == "min" || arg.name == "start") return "0";
    if (arg.name == "max" || arg.name == "stop" || arg.name == "end") return "100000000";
    if (arg.name == "longitude" || arg.name == "latitude") return "13.5";
    if (arg.kind == ArgDoc::Kind::kInteger || arg.kind == ArgDoc::Kind::kDouble)
      return numbered("", i % 50);
    if (mentions("offset")) return numbered("#", i);
    return Server::name(i);
  }

  [[nodiscard]] bool mentions_lex() const { return command_.full_name == "zlexcount"; }

  const Command& command_;
  Group group_;
  const ArgDoc* repeated_;
  std::size_t times_, next_;
  bool same_key_, ties_keys_ = false;
  std::size_t announced_ = 0;  // the word that tells how many follow; 0: none does
  Words words_;
};

bool is_run(const Command& command) {
  static const std::set<std::string_view> kLeftOut = {
      "migrate",  "wait",           "waitaof",    "pfselftest",   "pfdebug",
      "quit",     "reset",          "hello",      "auth",         "acl|load",
      "acl|save", "config|rewrite", "config|set", "client|pause", "client|kill"};
  if (command.spec->handler == nullptr || kLeftOut.contains(command.full_name)) return false;
  switch (command.spec->group) {
    case Group::kCluster:
    case Group::kScripting:
    case Group::kSentinel:
    case Group::kTransactions:
    case Group::kModule: return false;
    case Group::kServer:
      return command.parent != nullptr &&
             (command.full_name.starts_with("acl") || command.full_name.starts_with("command") ||
              command.full_name.starts_with("config") || command.full_name.starts_with("latency"));
    default: return true;
  }
}

void collect_repeated(std::span<const ArgDoc> args, std::vector<const ArgDoc*>& out) {
  for (const ArgDoc& arg : args) {
    if (arg.multiple) out.push_back(&arg);
    collect_repeated(arg.parts, out);
  }
}

class Cases {
 public:
  Cases(Server& server, std::size_t n) : server_(server), n_(n) {}

  // `prepare` is not counted, `run` is.
  void add(const std::string& name, const std::function<void(std::size_t)>& prepare,
           const std::function<void(std::size_t)>& run) {
    for (const std::size_t n : {n_, 4 * n_}) {
      prepare(n);
      static_cast<void>(server_.take_errors());
      CALLGRIND_ZERO_STATS;
      run(n);
      const std::string label =
          std::to_string(n) + "\t" + std::to_string(server_.take_errors()) + "\t" + name;
      CALLGRIND_DUMP_STATS_AT(label.c_str());
      std::printf("%s\n", label.c_str());
    }
  }
  void add_documented(const Command& command) {
    const Group group = group_of(command);
    const bool is_plain = command.spec->complexity.starts_with("O(1)") ||
                          command.spec->complexity.starts_with("O(log");
    std::vector<const ArgDoc*> repeated;
    collect_repeated(command.spec->args, repeated);
    for (const ArgDoc* arg : repeated) {
      add(
          "words " + command.full_name + " " + std::string(arg->name),
          [&](std::size_t n) { server_.fill(group, n, n); },
          [&](std::size_t n) { server_.send(RequestOf(command, arg, n, 0).take()); });
      if (arg->kind != ArgDoc::Kind::kKey) continue;
      add(
          "same " + command.full_name + " " + std::string(arg->name),
          [&](std::size_t n) { server_.fill(group, n, 1); },
          [&](std::size_t n) {
            server_.send(RequestOf(command, arg, n, 0, RequestOf::Keys::kSame).take());
          });
    }
    add(
        "value " + command.full_name, [&](std::size_t n) { server_.fill(group, n, 2); },
        [&](std::size_t) { server_.send(RequestOf(command, nullptr, 1, 0).take()); });
    if (!is_plain && repeated.empty()) return;
    add(
        "again " + command.full_name, [&](std::size_t n) { server_.fill(group, 1, n); },
        [&](std::size_t n) {
          for (std::size_t i = 0; i < n; ++i)
            server_.send(
                RequestOf(command, repeated.empty() ? nullptr : repeated.front(), 1, i).take());
        });
  }
  void add_held() {
    const auto nothing = [&](std::size_t) { server_.run({"FLUSHALL"}); };
    for (const std::string kind : {"", "P", "S"}) {
      add("held " + kind + "SUBSCRIBE, one by one", nothing, [&](std::size_t n) {
        for (std::size_t i = 0; i < n; ++i) server_.send({kind + "SUBSCRIBE", Server::name(i)});
        for (std::size_t i = 0; i < n; ++i) server_.send({kind + "UNSUBSCRIBE", Server::name(i)});
      });
    }
    add(
        "held watched keys, all touched",
        [&](std::size_t n) {
          server_.fill(Group::kString, 1, n);
          for (std::size_t i = 0; i < n; ++i) server_.run({"WATCH", key_of(Group::kString, i)});
        },
        [&](std::size_t n) {
          for (std::size_t i = 0; i < n; ++i) server_.send({"SET", key_of(Group::kString, i), "v"});
          server_.send({"UNWATCH"});
        });
    add("held queued commands", nothing, [&](std::size_t n) {
      server_.send({"MULTI"});
      for (std::size_t i = 0; i < n; ++i) server_.send({"SET", Server::name(i), "v"});
      server_.send({"EXEC"});
    });
    add("held queued commands, discarded", nothing, [&](std::size_t n) {
      server_.send({"MULTI"});
      for (std::size_t i = 0; i < n; ++i) server_.send({"SET", Server::name(i), "v"});
      server_.send({"DISCARD"});
    });
    add(
        "held rules of a user, one by one",
        [&](std::size_t) {
          server_.run({"ACL", "DELUSER", "u"});
        },
        [&](std::size_t n) {
          for (std::size_t i = 0; i < n; ++i)
            server_.send({"ACL", "SETUSER", "u", "~" + Server::name(i)});
        });
    add(
        "held users", [&](std::size_t) {},
        [&](std::size_t n) {
          for (std::size_t i = 0; i < n; ++i)
            server_.send({"ACL", "SETUSER", numbered("user", i), "on"});
          for (std::size_t i = 0; i < n; ++i) server_.send({"ACL", "DELUSER", numbered("user", i)});
        });
    add(
        "held consumer groups",
        [&](std::size_t) {
          server_.run({"FLUSHALL"});
          server_.run({"XADD", "s", "1-1", "f", "v"});
        },
        [&](std::size_t n) {
          for (std::size_t i = 0; i < n; ++i)
            server_.send({"XGROUP", "CREATE", "s", Server::name(i), "0"});
          for (std::size_t i = 0; i < n; ++i)
            server_.send({"XREADGROUP", "GROUP", Server::name(i), "c", "STREAMS", "s", ">"});
          server_.send({"XINFO", "GROUPS", "s"});
        });
    add(
        "held consumers",
        [&](std::size_t) {
          server_.run({"FLUSHALL"});
          server_.run({"XGROUP", "CREATE", "s", "g", "0", "MKSTREAM"});
        },
        [&](std::size_t n) {
          for (std::size_t i = 0; i < n; ++i) {
            server_.send({"XADD", "s", "*", "f", "v"});
            server_.send({"XREADGROUP", "GROUP", "g", Server::name(i), "STREAMS", "s", ">"});
          }
          for (std::size_t i = 0; i < n; ++i)
            server_.send({"XGROUP", "DELCONSUMER", "s", "g", Server::name(i)});
        });
    add(
        "held fields with deadlines", [&](std::size_t n) { server_.fill(Group::kHash, n, 1); },
        [&](std::size_t n) {
          for (std::size_t i = 0; i < n; ++i)
            server_.send({"HPEXPIRE", "hash:0", std::to_string(1'000'000 - i), "FIELDS", "1",
                          Server::name(i)});
          for (std::size_t i = 0; i < n; ++i)
            server_.send({"HPERSIST", "hash:0", "FIELDS", "1", Server::name(i)});
        });
    for (const std::string end : {"LPOP", "RPOP"}) {
      add(
          "held list, emptied by " + end, [&](std::size_t n) { server_.fill(Group::kList, n, 1); },
          [&](std::size_t n) {
            for (std::size_t i = 0; i < n; ++i) server_.send({end, "list:0"});
          });
    }
    for (const std::string one :
         {"SPOP set:0", "ZPOPMIN zset:0", "ZPOPMAX zset:0", "SRANDMEMBER set:0",
          "HRANDFIELD hash:0", "ZRANDMEMBER zset:0", "RANDOMKEY"}) {
      const std::size_t space = one.find(' ');
      const Group group = one.starts_with("Z")   ? Group::kSortedSet
                          : one.starts_with("S") ? Group::kSet
                          : one.starts_with("H") ? Group::kHash
                                                 : Group::kString;
      Words words{one.substr(0, space)};
      if (space != std::string::npos) words.push_back(one.substr(space + 1));
      add(
          "held " + one + ", again and again",
          [&](std::size_t n) { server_.fill(group, n, group == Group::kString ? n : 1); },
          [&](std::size_t n) {
            for (std::size_t i = 0; i < n; ++i) server_.send(words);
          });
    }
    for (const std::string scan : {"SCAN", "SSCAN set:0", "HSCAN hash:0", "ZSCAN zset:0"}) {
      const std::size_t space = scan.find(' ');
      const Group group = scan.starts_with("SS")  ? Group::kSet
                          : scan.starts_with("H") ? Group::kHash
                          : scan.starts_with("Z") ? Group::kSortedSet
                                                  : Group::kString;
      Words words{scan.substr(0, space)};
      if (space != std::string::npos) words.push_back(scan.substr(space + 1));
      words.insert(words.end(), {"0", "COUNT", "1000000"});
      add(
          "held " + scan + " of all",
          [&](std::size_t n) { server_.fill(group, n, group == Group::kString ? n : 1); },
          [&](std::size_t) { server_.send(words); });
    }
    add(
        "held keys, all removed", [&](std::size_t n) { server_.fill(Group::kString, 1, n); },
        [&](std::size_t n) {
          for (std::size_t i = 0; i < n; ++i) server_.send({"DEL", key_of(Group::kString, i)});
        });
    add("held sessions that open and close", nothing, [&](std::size_t n) {
      std::vector<Session*> sessions;
      for (std::size_t i = 0; i < n; ++i)
        sessions.push_back(
            &server_.driver().engine().open({"127.0.0.1:1", "127.0.0.1:2", 1, false, true, false}));
      server_.send({"CLIENT", "LIST"});
      for (Session* s : sessions) server_.driver().engine().close(*s);
    });
  }

 private:
  Server& server_;
  std::size_t n_;
};

}  // namespace

int run_growth(std::size_t n) {
  Driver driver;
  Server server(driver);
  Cases cases(server, n);
  for (const auto& command : driver.commands().all()) {
    if (is_run(*command)) cases.add_documented(*command);
    for (const auto& sub : command->subcommands)
      if (is_run(*sub)) cases.add_documented(*sub);
  }
  cases.add_held();
  return 0;
}

}  // namespace hearth::bench
