// CommandGenerator: requests made at random out of what commands document of their arguments.
//
// Keys come from a small pool in which each name belongs to a type, so that most requests find what
// they want; numbers, members and ids come from small pools too, so that requests meet. What is
// made is a function of the answers of `choices`, a seeded generator or the bytes of a fuzzer.
//
// Left out: commands that are about the server, the connection or another node, and not about data.
#pragma once

#include <algorithm>
#include <functional>
#include <initializer_list>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "src/base/random.h"
#include "src/base/time.h"
#include "src/command/spec.h"
#include "src/command/table.h"

namespace hearth::test {

// 0 .. n-1, n at least 1.
class Choices {
 public:
  virtual ~Choices() = default;
  virtual std::uint64_t below(std::uint64_t n) = 0;
};

class SeededChoices final : public Choices {
 public:
  explicit SeededChoices(std::uint64_t seed) : rng_(seed) {}
  std::uint64_t below(std::uint64_t n) override { return rng_.below(n); }

 private:
  Rng rng_;
};

// The bytes of an input in order; zeros behind its end.
class ByteChoices final : public Choices {
 public:
  explicit ByteChoices(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
  [[nodiscard]] bool exhausted() const { return bytes_.empty(); }
  std::uint64_t below(std::uint64_t n) override {
    std::uint64_t value = 0;
    for (std::uint64_t span = 1; span < n && !bytes_.empty(); span *= 256) {
      value = value << 8 | bytes_.front();
      bytes_ = bytes_.subspan(1);
    }
    return value % n;
  }

 private:
  std::span<const std::uint8_t> bytes_;
};

// The bounds of a generator.
struct GeneratorScope {
  // Commands, and of the others optional arguments and alternatives, that are left out.
  std::function<bool(const Command&)> leaves_out{};
  std::function<bool(const Command&, const ArgDoc&)> leaves_out_argument{};
  // Commands that are taken although they are not about data alone.
  std::function<bool(const Command&)> takes_too{};
  // One request of so many, if not 0, has its options in another order or twice, and words where
  // they don't belong: keywords as values, values as keywords, keys among them.
  std::uint64_t displaces_one_of = 0;
  // Nothing that ends or grows old within the next minutes, nor ids that the clock gives.
  bool far_times = false;
  // Beside the pool, now and then one of so many keys v0, v1 ...
  std::uint64_t crowd = 0;
};

class CommandGenerator {
 public:
  using Words = std::vector<std::string>;
  static constexpr const char* kKeys[] = {"s1", "s2", "s3", "h1", "h2", "l1", "l2",
                                          "t1", "t2", "z1", "z2", "x1", "x2", "none"};

  CommandGenerator(const CommandTable& table, Choices& choices, UnixMillis now,
                   GeneratorScope scope = {})
      : choices_(choices), now_(now), scope_(std::move(scope)) {
    for (const auto& command : table.all()) {
      if (!command->is_container()) consider(*command);
      for (const auto& sub : command->subcommands) consider(*sub);
    }
  }

  void set_now(UnixMillis now) { now_ = now; }
  // Only commands of this group from now on; those of all groups if there is none of it.
  void prefer(Group group) {
    std::vector<const Command*> some;
    for (const Command* c : all_)
      if (c->spec->group == group) some.push_back(c);
    commands_ = some.empty() ? all_ : some;
  }
  [[nodiscard]] const std::vector<const Command*>& commands() const { return commands_; }

  Words next() { return call(*commands_[choices_.below(commands_.size())]); }
  Words call(const Command& command) {
    command_ = &command;
    group_ = command.spec->group;
    announced_ = 0;
    Words words;
    if (command.parent != nullptr) words.emplace_back(command.parent->spec->name);
    words.emplace_back(command.spec->name);
    const bool displaces =
        scope_.displaces_one_of > 0 && choices_.below(scope_.displaces_one_of) == 0;
    if (!displaces) {
      add_all(command.spec->args, words);
      return words;
    }
    add_permuted(command.spec->args, words);
    if (choices_.below(2) == 0) displace(command, words);
    return words;
  }
  // Any key of the pool, or of the crowd.
  std::string any_key() {
    if (scope_.crowd > 0 && choices_.below(4) == 0) return crowd_key(choices_.below(scope_.crowd));
    return pick(kKeys);
  }
  static std::string crowd_key(std::uint64_t number) { return "v" + std::to_string(number); }

 private:
  static bool is_about_data(const Command& command) {
    static const std::set<std::string> kLeftOut = {
        "migrate", "restore", "restore-asking", "wait", "waitaof", "pfselftest", "pfdebug"};
    static const std::set<std::string> kTaken = {"flushdb", "flushall", "swapdb"};
    if (kTaken.contains(command.full_name)) return true;
    if (kLeftOut.contains(command.full_name)) return false;
    switch (command.spec->group) {
      case Group::kString:
      case Group::kList:
      case Group::kSet:
      case Group::kSortedSet:
      case Group::kHash:
      case Group::kHyperLogLog:
      case Group::kGeo:
      case Group::kStream:
      case Group::kBitmap:
      case Group::kGeneric: return true;
      default: return false;
    }
  }
  void consider(const Command& command) {
    const bool taken = is_about_data(command) || (scope_.takes_too && scope_.takes_too(command));
    if (command.spec->handler == nullptr || !taken) return;
    if (scope_.leaves_out && scope_.leaves_out(command)) return;
    all_.push_back(&command);
    commands_ = all_;
  }

  // An argument is left out with all of its alternatives, and with any part that it can't do
  // without.
  bool is_left_out(const ArgDoc& arg) const {
    const auto out = [this](const ArgDoc& part) { return is_left_out(part); };
    const auto needed_out = [this](const ArgDoc& part) {
      return !part.optional && is_left_out(part);
    };
    if (!scope_.leaves_out_argument) return false;
    if (scope_.leaves_out_argument(*command_, arg)) return true;
    if (arg.kind == ArgDoc::Kind::kOneOf) return std::ranges::all_of(arg.parts, out);
    return arg.kind == ArgDoc::Kind::kBlock && std::ranges::any_of(arg.parts, needed_out);
  }

  template <std::size_t N>
  std::string pick(const char* const (&from)[N]) {
    return from[choices_.below(N)];
  }
  template <std::size_t N>
  std::int64_t pick(const std::int64_t (&from)[N]) {
    return from[choices_.below(N)];
  }
  std::string pick(std::initializer_list<const char*> from) {
    return *(from.begin() + choices_.below(from.size()));
  }
  bool rarely() { return choices_.below(12) == 0; }

  std::string key() {
    if (rarely()) return any_key();
    switch (group_) {
      case Group::kString:
      case Group::kBitmap: return pick({"s1", "s2", "s3"});
      case Group::kHyperLogLog: return pick({"s2", "s3", "none"});
      case Group::kHash: return pick({"h1", "h2"});
      case Group::kList: return pick({"l1", "l2"});
      case Group::kSet: return pick({"t1", "t2"});
      case Group::kSortedSet:
      case Group::kGeo: return pick({"z1", "z2"});
      case Group::kStream: return pick({"x1", "x2"});
      default: return any_key();
    }
  }

  static bool mentions(std::string_view name, std::string_view part) {
    return name.find(part) != std::string_view::npos;
  }

  std::string integer(std::string_view name) {
    if (name == "db" || name == "destination-db" || mentions(name, "index"))
      return pick({"0", "1", "-1", "2"});
    if (mentions(name, "seconds"))
      return scope_.far_times ? pick({"100000", "7000000", "0", "-5"})
                              : pick({"1", "5", "100", "100000", "0"});
    if (name == "timeout") return "1";
    if (mentions(name, "offset")) return pick({"0", "1", "7", "20", "100", "-1"});
    return pick({"0", "1", "2", "3", "5", "10", "-1", "-3", "100", "64"});
  }

  // Within a few seconds of now, or far away.
  std::string time(std::string_view name) {
    const bool in_ms = mentions(name, "milli");
    const std::int64_t now = in_ms ? now_.ms : now_.ms / 1000;
    const std::int64_t unit = in_ms ? 1000 : 1;
    constexpr std::int64_t kDeltas[] = {-10, 1, 5, 1000, 1'000'000};
    constexpr std::int64_t kFarDeltas[] = {-10'000, 10'000, 50'000, 1'000'000};
    return std::to_string(now + unit * (scope_.far_times ? pick(kFarDeltas) : pick(kDeltas)));
  }

  std::string stream_word(std::string_view name) {
    if (name == "group") return pick({"g1", "g2"});
    if (name == "consumer") return pick({"c1", "c2", "c3"});
    if (name == "min-idle-time")
      return scope_.far_times ? pick({"0", "1000000"}) : pick({"0", "1000"});
    if (name == "pid" || name == "iid") return pick({"p", "q"});
    if (name == "field" || name == "value") return pick({"a", "b", "1", "some longer value"});
    if (name == "id" && choices_.below(3) == 0)
      return scope_.far_times ? pick({">", "$"}) : pick({">", "$", "+", "*"});
    if (name == "start") return pick({"-", "0", "(3", "5-2"});
    if (name == "end") return pick({"+", "9", "(7", "5-2"});
    return pick({"0", "1", "3", "5-2", "7-*", "20", "9-1"});
  }

  std::string text(const ArgDoc& arg) {
    const std::string_view name = arg.name;
    if (group_ == Group::kStream) return stream_word(name);
    if (name == "field") return pick({"f1", "f2", "f3", "f4", "5"});
    if (name == "min" || name == "max" || name == "start" || name == "stop" || name == "end")
      return pick({"-inf", "+inf", "(1", "3", "[a", "(c", "-", "+", "0", "-1"});
    if (name == "encoding") return pick({"u8", "i16", "u1", "i64"});
    if (mentions(name, "offset")) return pick({"0", "#1", "7", "100"});
    if (rarely()) return std::string(100, 'v');
    return pick({"a", "b", "c", "d", "1", "2", "10", "-7", "3.25", "some text", ""});
  }

  std::string scalar(const ArgDoc& arg) {
    switch (arg.kind) {
      case ArgDoc::Kind::kKey: return key();
      case ArgDoc::Kind::kInteger: return integer(arg.name);
      case ArgDoc::Kind::kDouble:
        if (arg.name == "timeout") return "0.1";
        return pick({"0", "1", "1.5", "-2.25", "3", "13.361389", "38.115556", "100"});
      case ArgDoc::Kind::kPattern: return pick({"*", "s*", "f?", "nothing"});
      case ArgDoc::Kind::kUnixTime: return time(arg.name);
      default: return text(arg);
    }
  }

  void add_all(std::span<const ArgDoc> args, Words& words) {
    std::uint64_t times = 0;
    for (const ArgDoc& arg : args) {
      if (arg.optional && (is_left_out(arg) || choices_.below(3) != 0)) continue;
      // STREAMS key ... id ...: as many of the one as of the other.
      times = add(arg, words, group_ == Group::kStream && arg.name == "id" ? times : 0);
    }
  }

  // Options behind the last argument that must be there, some of them twice, in any order.
  void add_permuted(std::span<const ArgDoc> args, Words& words) {
    std::size_t fixed = args.size();
    while (fixed > 0 && args[fixed - 1].optional) --fixed;
    add_all(args.first(fixed), words);
    std::vector<Words> options;
    for (const ArgDoc& arg : args.subspan(fixed)) {
      if (is_left_out(arg)) continue;
      for (std::uint64_t n = choices_.below(3); n > 0; --n) add(arg, options.emplace_back(), 0);
    }
    while (!options.empty()) {
      const auto at = options.begin() + static_cast<std::ptrdiff_t>(choices_.below(options.size()));
      words.insert(words.end(), at->begin(), at->end());
      options.erase(at);
    }
  }

  static void collect_tokens(std::span<const ArgDoc> args, Words& out) {
    for (const ArgDoc& arg : args) {
      if (!arg.token.empty()) out.emplace_back(arg.token);
      collect_tokens(arg.parts, out);
    }
  }
  void displace(const Command& command, Words& words) {
    const std::size_t first = command.parent != nullptr ? 2 : 1;
    if (words.size() <= first) return;
    Words tokens;
    collect_tokens(command.spec->args, tokens);
    const auto foreign = [&] {
      return tokens.empty() || choices_.below(4) == 0 ? any_key()
                                                      : tokens[choices_.below(tokens.size())];
    };
    for (std::uint64_t n = 1 + choices_.below(2); n > 0; --n) {
      const auto place = [&] { return first + choices_.below(words.size() - first); };
      const std::size_t i = place(), k = place();
      const auto at = words.begin() + static_cast<std::ptrdiff_t>(i);
      switch (choices_.below(4)) {
        case 0: *at = foreign(); break;
        case 1: words.insert(at, foreign()); break;
        case 2: std::swap(words[i], words[k]); break;
        default: {
          const Words again(at, words.begin() + static_cast<std::ptrdiff_t>(std::min(
                                                    words.size(), i + 1 + choices_.below(3))));
          words.insert(words.begin() + static_cast<std::ptrdiff_t>(k), again.begin(), again.end());
        }
      }
    }
  }

  const ArgDoc& one_of(std::span<const ArgDoc> parts) {
    const auto known = [this](const ArgDoc& part) { return !is_left_out(part); };
    const auto count = static_cast<std::uint64_t>(std::ranges::count_if(parts, known));
    std::uint64_t skip = choices_.below(std::max<std::uint64_t>(count, 1));
    for (const ArgDoc& part : parts)
      if (known(part) && skip-- == 0) return part;
    return parts.front();
  }

  // Returns how many times it was put.
  std::uint64_t add(const ArgDoc& arg, Words& words, std::uint64_t given_times) {
    if (arg.name.starts_with("num") && arg.kind == ArgDoc::Kind::kInteger) {
      if (!arg.token.empty()) words.emplace_back(arg.token);
      announced_ = 1 + choices_.below(3);
      words.push_back(std::to_string(announced_));
      return 1;
    }
    std::uint64_t times = arg.multiple ? 1 + choices_.below(3) : 1;
    if (arg.multiple && given_times > 0) times = given_times;
    if (arg.multiple && announced_ > 0) times = std::exchange(announced_, 0);
    for (std::uint64_t i = 0; i < times; ++i) {
      const bool is_token = arg.kind == ArgDoc::Kind::kToken;
      if (!arg.token.empty() && (i == 0 || arg.multiple_token || is_token))
        words.emplace_back(arg.token);
      if (arg.kind == ArgDoc::Kind::kOneOf)
        add(one_of(arg.parts), words, 0);
      else if (arg.kind == ArgDoc::Kind::kBlock)
        add_all(arg.parts, words);
      else if (!is_token)
        words.push_back(scalar(arg));
    }
    return times;
  }

  Choices& choices_;
  UnixMillis now_;
  GeneratorScope scope_;
  std::vector<const Command*> all_, commands_;
  const Command* command_ = nullptr;
  Group group_ = Group::kGeneric;
  std::uint64_t announced_ = 0;
};

}  // namespace hearth::test
