// Random commands, the same to hearth and to redis-server: the replies and the data are the same.
// Commands that redis-server of this version does not know are left out, as is all that chance or
// the clock decides.
//
//   HEARTH_STEPS=1000000 HEARTH_SEED=7   a longer run, another seed
//   HEARTH_DISPLACED=4                   one request of four has its options permuted or displaced
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>

#include "src/base/format_number.h"
#include "src/base/parse_number.h"
#include "src/command/table.h"
#include "src/commands/all.h"
#include "tests/support/command_generator.h"
#include "tests/system/peers.h"

using namespace hearth;
using namespace hearth::test;

namespace {

using Words = std::vector<std::string>;

// Clocks of the two servers: a command may reach them this much apart.
constexpr std::int64_t kApartMs = 5000;

enum class Order : std::uint8_t { kAsSent, kAny };

std::string canonical(const RespValue& value, Order order);

std::vector<std::string> canonical_items(const RespValue& value, Order order) {
  std::vector<std::string> items;
  const std::size_t width = value.kind == RespKind::kMap ? 2 : 1;
  for (std::size_t i = 0; i + width <= value.items().size(); i += width) {
    std::string text = canonical(value.items()[i], Order::kAsSent);
    if (width == 2) text += "=>" + canonical(value.items()[i + 1], Order::kAsSent);
    items.push_back(std::move(text));
  }
  if (order == Order::kAny) std::ranges::sort(items);
  return items;
}

std::string printable(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    char code[8];
    std::snprintf(code, sizeof code, "\\x%02x", static_cast<unsigned char>(c));
    text += c >= ' ' && c <= '~' ? std::string(1, c) : std::string(code);
  }
  return text;
}

// Scores are written with as many digits as they need since 7.2, with 17 before.
std::string with_short_digits(std::string_view text) {
  constexpr std::size_t kDigits = 17;
  if (text.size() <= kDigits || text.find('.') == std::string_view::npos) return std::string(text);
  const auto number = parse_double(text);
  return number ? reply_double_text(*number) : std::string(text);
}

// The reply with its types, as one text.
std::string canonical(const RespValue& value, Order order) {
  switch (value.kind) {
    case RespKind::kSimple: return "+" + std::string(value.text());
    case RespKind::kError: return "-" + std::string(value.text());
    case RespKind::kInteger: return ":" + std::to_string(value.integer());
    case RespKind::kNull: return "null";
    case RespKind::kBool: return std::get<bool>(value.data) ? "true" : "false";
    case RespKind::kDouble: {
      char text[40];
      std::snprintf(text, sizeof text, ",%.17g", std::get<double>(value.data));
      return text;
    }
    case RespKind::kArray:
    case RespKind::kSet:
    case RespKind::kMap:
    case RespKind::kPush: {
      std::string text = value.kind == RespKind::kArray ? "["
                         : value.kind == RespKind::kSet ? "~["
                         : value.kind == RespKind::kMap ? "%["
                                                        : ">[";
      for (const std::string& item : canonical_items(value, order)) text += item + " ";
      return text + "]";
    }
    default: return '"' + printable(with_short_digits(value.text())) + '"';
  }
}

// Equal but for integers that tell times.
bool same_but_times(const RespValue& a, const RespValue& b) {
  if (a.kind != b.kind) return false;
  if (a.kind == RespKind::kInteger)
    return a.integer() == b.integer() || std::abs(a.integer() - b.integer()) <= kApartMs;
  if (a.items().size() != b.items().size()) return false;
  for (std::size_t i = 0; i < a.items().size(); ++i)
    if (!same_but_times(a.items()[i], b.items()[i])) return false;
  return !a.items().empty() || a == b;
}

std::string joined(const Words& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : " ") + ("'" + printable(word) + "'");
  return text;
}

bool has_tip(const Command& command, std::string_view tip) {
  return std::ranges::find(command.spec->tips, tip) != command.spec->tips.end();
}

// Members that chance picks, or cursors: only the shape of the reply is the same.
bool is_random(const Command& command) {
  static const std::set<std::string> kRandom = {
      "srandmember", "hrandfield", "zrandmember", "randomkey", "scan", "sscan", "hscan", "zscan"};
  return kRandom.contains(command.full_name);
}
bool tells_time(const Command& command) {
  return has_tip(command, "nondeterministic_output") || command.full_name == "xinfo|stream" ||
         command.full_name.ends_with("expiretime");
}
bool is_left_out(const Command& command) {
  // The data: SPOP changes it at random, the commands for ranges by name promise nothing for
  // members of different scores. The servers: what OBJECT tells is about the inside of one, what
  // HELP says is its own.
  if (command.full_name.find("lex") != std::string::npos) return true;
  return command.full_name == "spop" || command.full_name.starts_with("object|") ||
         command.full_name.ends_with("|help");
}

// Changes of later versions, and of hearth with them: where the replies contain these texts
// they may differ. An empty text stands for any reply.
struct Change {
  std::string_view command;  // empty: any
  std::string_view hearth, peer;
};
constexpr Change kChanges[] = {
    // 7.2: no negative cursors; a filter for a type that doesn't exist is refused.
    {"", "-ERR invalid cursor", ""},
    {"scan", "-ERR unknown type name", ""},
    // 7.2: what is too long to wait is not called negative, nor taken.
    {"", "-ERR timeout is out of range", ""},
    // 7.2: the command's name in this error.
    {"", "-ERR Unbalanced 'xread", "-ERR Unbalanced XREAD"},
    // 7.2: a text without the name of the product.
    {"", "-ERR Wrong number of args calling command", "-ERR Wrong number of args calling Redis"},
    // 7.2: ZRANK takes WITHSCORE. (In scripts the error begins with a capital.)
    {"zrank", "", "rong number of arg"},
    {"zrevrank", "", "rong number of arg"},
    // 7.4 and later: the arguments are looked at also if there is no such key, and a start needs no
    // end.
    {"bitcount", "-ERR", ""},
    {"bitcount", "", "-ERR syntax error"},
    {"bitpos", "-ERR", ""},
    // 7.4: the same word twice.
    {"getex", "-ERR syntax error", ""},
    // 7.4: no lag is below zero (entries that were read and then trimmed).
    {"xinfo|groups", "\"lag\" :0", "\"lag\" :-"},
    // 7.2: the least number is out of range.
    {"lrem", "-ERR value is out of range", ""},
    {"lpos", "-ERR value is out of range", ""},
    // 7.2: what was deleted stays behind the last id.
    {"xsetid", "-ERR The ID specified in XSETID is smaller than current max_deleted_entry_id", ""},
};
bool is_change(const Command& command, const std::string& hearth, const std::string& peer) {
  const auto fits = [](std::string_view pattern, const std::string& reply) {
    return reply.find(pattern) != std::string::npos;
  };
  return std::ranges::any_of(kChanges, [&](const Change& change) {
    return (change.command.empty() || change.command == command.full_name) &&
           fits(change.hearth, hearth) && fits(change.peer, peer);
  });
}

class Pair {
 public:
  Pair(const ServerProcess& hearth, const ServerProcess& peer)
      : hearth_(hearth.client()), peer_(peer.client()) {}

  struct Replies {
    RespValue hearth, peer;
  };
  Replies run(const Words& words) {
    REQUIRE(hearth_->send(words));
    REQUIRE(peer_->send(words));
    auto a = hearth_->read();
    auto b = peer_->read();
    REQUIRE_MESSAGE(a.has_value(), joined(words));
    REQUIRE_MESSAGE(b.has_value(), joined(words));
    return {*std::move(a), *std::move(b)};
  }
  // Where the data of both differ, "" if nowhere.
  std::string difference() {
    std::string text;
    for (const char* key : CommandGenerator::kKeys) {
      const std::string type(run({"TYPE", key}).hearth.text());
      const auto check = [&](const Words& words, Order order) {
        const Replies replies = run(words);
        if (canonical(replies.hearth, order) == canonical(replies.peer, order)) return;
        text += joined(words) + "\n    hearth: " + canonical(replies.hearth, order) +
                "\n    peer:   " + canonical(replies.peer, order) + "\n";
      };
      check({"TYPE", key}, Order::kAsSent);
      if (type == "string") {
        // The count that a HyperLogLog remembers is renewed.
        check({"PFCOUNT", key}, Order::kAsSent);
        check({"GET", key}, Order::kAsSent);
      }
      if (type == "list") check({"LRANGE", key, "0", "-1"}, Order::kAsSent);
      if (type == "hash") check({"HGETALL", key}, Order::kAny);
      if (type == "set") check({"SMEMBERS", key}, Order::kAny);
      if (type == "zset") check({"ZRANGE", key, "0", "-1", "WITHSCORES"}, Order::kAsSent);
      if (type == "stream") check({"XRANGE", key, "-", "+"}, Order::kAsSent);
      const Replies when = run({"PEXPIRETIME", key});
      if (!same_but_times(when.hearth, when.peer))
        text += std::string("PEXPIRETIME ") + key +
                "\n    hearth: " + std::to_string(when.hearth.integer()) +
                "\n    peer:   " + std::to_string(when.peer.integer()) + "\n";
    }
    return text;
  }

 private:
  std::unique_ptr<RespClient> hearth_, peer_;
};

// Some of the mistakes that a client can make: a word too few or too many, a word of another kind.
Words spoiled(Words words, Choices& choices) {
  const char* const kOddWords[] = {"",
                                   "abc",
                                   "-1",
                                   "1.5",
                                   "0x10",
                                   "1e400",
                                   "nan",
                                   "inf",
                                   "9223372036854775807",
                                   "-9223372036854775808",
                                   "9223372036854775808",
                                   "LIMIT",
                                   "WITHSCORES"};
  const std::size_t fixed =
      words.size() > 1 && words[1].find_first_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 0 ? 2 : 1;
  if (words.size() <= fixed) return words;
  const std::size_t at = fixed + choices.below(words.size() - fixed);
  const auto place = words.begin() + static_cast<std::ptrdiff_t>(at);
  switch (choices.below(4)) {
    case 0: words.erase(place); break;
    case 1: words.insert(place, words[fixed + choices.below(words.size() - fixed)]); break;
    default: *place = kOddWords[choices.below(std::size(kOddWords))];
  }
  return words;
}

struct Verdict {
  std::string difference;    // what a client would see differently, "" if nothing
  bool is_known = false;     // the difference is one of kChanges
  bool is_answered = false;  // by hearth, with something else than an error
};

// How a client may run a command.
enum class Way : std::uint8_t { kAlone, kTransaction, kScript };
const char* const kWayNames[] = {"", "in a transaction: ", "in a script: "};

Pair::Replies run(Pair& pair, const Words& words, Way way) {
  switch (way) {
    case Way::kAlone: break;
    case Way::kTransaction: {
      pair.run({"MULTI"});
      Pair::Replies queued = pair.run(words);
      const Pair::Replies all = pair.run({"EXEC"});
      if (queued.hearth.is_error() || queued.peer.is_error()) return queued;
      REQUIRE(all.hearth.items().size() == 1);
      REQUIRE(all.peer.items().size() == 1);
      return {all.hearth.items()[0], all.peer.items()[0]};
    }
    case Way::kScript: {
      Words script{"EVAL", "return redis.pcall(unpack(ARGV))", "0"};
      script.insert(script.end(), words.begin(), words.end());
      return pair.run(script);
    }
  }
  return pair.run(words);
}

Verdict compare(Pair& pair, const CommandTable& table, const Words& words, Way way) {
  const std::vector<std::string_view> argv(words.begin(), words.end());
  const Command* command = table.resolve(argv);
  REQUIRE(command != nullptr);
  // Since 7.2 a consumer is there once it has asked; before, once it has got something.
  if (command->full_name == "xreadgroup" || command->full_name == "xautoclaim" ||
      command->full_name == "xclaim") {
    for (const char* key : CommandGenerator::kKeys)
      if (words.size() > 3) pair.run({"XGROUP", "CREATECONSUMER", key, words[2], words[3]});
  }
  // In a transaction nobody waits; scripts may ask for such commands since 7.2 only.
  if (has(command->flags, Flag::kBlocking)) way = Way::kTransaction;
  const Pair::Replies replies = run(pair, words, way);
  bool same = false;
  const bool any_order = has_tip(*command, "nondeterministic_output_order");
  const Order order = any_order ? Order::kAny : Order::kAsSent;
  if (is_random(*command) && !replies.hearth.is_error() && !replies.peer.is_error()) {
    same = replies.hearth.kind == replies.peer.kind &&
           (any_order || replies.hearth.items().size() == replies.peer.items().size());
  } else if (tells_time(*command)) {
    same = same_but_times(replies.hearth, replies.peer);
  } else {
    same = canonical(replies.hearth, order) == canonical(replies.peer, order);
  }
  const std::string ours = canonical(replies.hearth, order);
  const std::string theirs = canonical(replies.peer, order);
  Verdict verdict;
  verdict.is_answered = !replies.hearth.is_error();
  if (same) return verdict;
  verdict.difference = "    hearth: " + ours + "\n    peer:   " + theirs + "\n";
  verdict.is_known = is_change(*command, ours, theirs);
  return verdict;
}

std::string kind_of(const Words& words, const std::string& difference) {
  return words[0] + " " + difference.substr(0, 40);
}

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// The literal words that a server documents of each of its commands.
class KnownWords {
 public:
  explicit KnownWords(const ServerProcess& server) {
    const auto client = server.client();
    const auto names = client->run({"COMMAND", "LIST"});
    REQUIRE(names.has_value());
    for (const auto& name : names->items()) words_[std::string(name.text())];
    const auto docs = client->run({"COMMAND", "DOCS"});
    REQUIRE(docs.has_value());
    for (std::size_t i = 0; i + 1 < docs->items().size(); i += 2)
      collect_command(std::string(docs->items()[i].text()), docs->items()[i + 1]);
  }
  [[nodiscard]] bool has_command(const std::string& full_name) const {
    return words_.contains(full_name);
  }
  // Words of old servers' commands are not documented in places: then only what came later than
  // they did is not known.
  [[nodiscard]] bool has(const Command& command, const ArgDoc& arg) const {
    const auto& words = words_.at(command.full_name);
    if (arg.token.empty()) return true;
    return words.empty() ? arg.since.empty() : words.contains(std::string(arg.token));
  }

 private:
  void collect_command(const std::string& name, const RespValue& doc) {
    if (const RespValue* args = doc.find("arguments")) collect(*args, words_[name]);
    const RespValue* subcommands = doc.find("subcommands");
    if (subcommands == nullptr) return;
    for (std::size_t i = 0; i + 1 < subcommands->items().size(); i += 2)
      collect_command(std::string(subcommands->items()[i].text()), subcommands->items()[i + 1]);
  }
  static void collect(const RespValue& args, std::set<std::string>& words) {
    for (const RespValue& arg : args.items()) {
      if (const RespValue* token = arg.find("token")) words.emplace(token->text());
      if (const RespValue* parts = arg.find("arguments")) collect(*parts, words);
    }
  }

  std::map<std::string, std::set<std::string>> words_;  // by full name
};

}  // namespace

TEST_CASE("random commands are answered as redis-server answers them") {
  const auto redis = redis_server();
  if (!redis) return;
  const auto hearth = start_peer(hearth_server());
  const auto peer = start_peer(*redis);
  const KnownWords known(*peer);

  GeneratorScope scope;
  scope.far_times = true;
  scope.displaces_one_of = from_environment("HEARTH_DISPLACED", 0);
  const bool is_old = !known.has_command("client|setinfo");  // older than 7.2
  scope.leaves_out = [&known, is_old](const Command& command) {
    // 7.2 tells two times of a consumer: when it last asked, and when it last got something.
    const bool tells_more =
        command.full_name == "xinfo|consumers" || command.full_name == "xinfo|stream";
    return is_left_out(command) || !known.has_command(command.full_name) || (is_old && tells_more);
  };
  scope.leaves_out_argument = [&known](const Command& command, const ArgDoc& arg) {
    return arg.token == "*" || !known.has(command, arg);  // XADD *: an id of the clock
  };
  const std::vector<const CommandSpec*> specs = all_commands();
  const CommandTable table(specs);
  const std::uint64_t seed = from_environment("HEARTH_SEED", 1);
  SeededChoices choices(seed);
  const std::int64_t seconds =
      std::stoll(std::string(peer->client()->run({"TIME"})->items()[0].text()));
  CommandGenerator generator(table, choices, UnixMillis{seconds * 1000}, scope);
  constexpr Group kGroups[] = {Group::kString,  Group::kHash,        Group::kList,
                               Group::kSet,     Group::kSortedSet,   Group::kStream,
                               Group::kBitmap,  Group::kHyperLogLog, Group::kGeo,
                               Group::kGeneric, Group::kServer};

  const std::uint64_t steps = from_environment("HEARTH_STEPS", 20'000);
  constexpr std::uint64_t kStepsPerRound = 100;
  constexpr std::uint64_t kCompareEvery = 10;
  std::map<std::string, std::string> different;  // one of a kind
  std::uint64_t answered = 0;
  Pair pair(*hearth, *peer);
  for (std::uint64_t round = 0; round * kStepsPerRound < steps; ++round) {
    pair.run({"FLUSHALL"});
    pair.run({"HELLO", choices.below(2) == 0 ? "2" : "3"});
    generator.prefer(kGroups[choices.below(std::size(kGroups))]);
    std::string log;
    for (std::uint64_t i = 1; i <= kStepsPerRound; ++i) {
      Words words = generator.next();
      if (std::ranges::find(words, "BYLEX") != words.end()) continue;
      if (choices.below(8) == 0) words = spoiled(std::move(words), choices);
      const std::uint64_t chance = choices.below(10);
      const Way way = chance == 0 ? Way::kTransaction : chance == 1 ? Way::kScript : Way::kAlone;
      log += kWayNames[static_cast<std::size_t>(way)] + joined(words) + "\n";
      const Verdict verdict = compare(pair, table, words, way);
      if (verdict.is_answered) ++answered;
      if (!verdict.difference.empty()) {
        if (!verdict.is_known)
          different.emplace(kind_of(words, verdict.difference), log + verdict.difference);
        break;  // the data may differ too
      }
      if (i % kCompareEvery != 0) continue;
      const std::string data = pair.difference();
      if (!data.empty()) {
        different.emplace("data " + kind_of(words, data), log + data);
        break;
      }
      log.clear();
    }
  }
  for (const auto& [kind, text] : different) MESSAGE(kind, "\n", text);
  CHECK(different.empty());
  // Errors alone would prove little; rounds end early where versions differ.
  CHECK(answered > steps / 3);
}
