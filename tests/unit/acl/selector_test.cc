#include "src/acl/selector.h"

#include <doctest/doctest.h>

#include "src/acl/user.h"
#include "src/acl/users.h"
#include "src/base/random.h"

namespace {

using namespace hearth;
using namespace hearth::acl;

Catalog small_catalog() {
  std::vector<CatalogCommand> commands;
  commands.push_back({"get", 0, 1 | 2, false, {}});
  commands.push_back({"set", 1, 1 | 4, false, {}});
  commands.push_back({"config", 2, 8, false, {3, 4}});
  commands.push_back({"config|get", 3, 8, true, {}});
  commands.push_back({"config|set", 4, 8, true, {}});
  commands.push_back({"select", 5, 2, false, {}});
  return {std::move(commands), {{"string", 1}, {"fast", 2}, {"write", 4}, {"admin", 8}}};
}

Selector with(const Catalog& catalog, std::initializer_list<std::string_view> rules) {
  Selector selector(Selector::Channels::kNone);
  for (const auto rule : rules) CHECK(selector.apply(catalog, rule).has_value());
  return selector;
}

TEST_CASE("command rules are told as they were given, less what later ones make void") {
  const Catalog catalog = small_catalog();
  const auto told = [&](std::initializer_list<std::string_view> rules) {
    return with(catalog, rules).commands_text();
  };
  CHECK(told({}) == "-@all");
  CHECK(told({"+@all", "-@write"}) == "+@all -@write");
  CHECK(told({"+GET", "-get", "+get"}) == "-@all +get");
  CHECK(told({"+config|get", "+config"}) == "-@all +config");
  CHECK(told({"+config", "-config|set"}) == "-@all +config -config|set");
  CHECK(told({"+@string", "+@FAST", "+@string"}) == "-@all +@fast +@string");
  CHECK(told({"+@string", "-@all"}) == "-@all");
  CHECK(told({"+select|0", "+select|0", "+select|1"}) == "-@all +select|0 +select|1");
}

TEST_CASE("a subcommand and a first argument can be allowed by themselves") {
  const Catalog catalog = small_catalog();
  const Selector s = with(catalog, {"+config|get", "+select|0"});
  CHECK(s.allows_command(3, ""));
  CHECK_FALSE(s.allows_command(4, ""));
  CHECK_FALSE(s.allows_command(2, ""));
  CHECK(s.allows_command(5, "0"));
  CHECK_FALSE(s.allows_command(5, "1"));
  CHECK_FALSE(s.allows_command(5, ""));
}

TEST_CASE("taking one command away ends the right to everything") {
  const Catalog catalog = small_catalog();
  const Selector s = with(catalog, {"+@all", "-get"});
  CHECK_FALSE(s.all_commands());
  CHECK_FALSE(s.allows_command(0, ""));
  CHECK(s.allows_command(1, ""));
  CHECK(s.allows_command(700, ""));  // a command of the future
}

TEST_CASE("keys have rights by pattern") {
  const Catalog catalog = small_catalog();
  const Selector s = with(catalog, {"%R~read*", "%w~write*", "~both", "%R~x", "%W~x"});
  CHECK(s.allows_key("read1", kReadKey));
  CHECK_FALSE(s.allows_key("read1", kWriteKey));
  CHECK_FALSE(s.allows_key("read1", kAnyKeyUse));
  CHECK(s.allows_key("write1", kWriteKey));
  CHECK(s.allows_key("both", kAnyKeyUse));
  CHECK(s.allows_key("read1", 0));
  CHECK_FALSE(s.allows_key("other", 0));
  CHECK(s.keys_text() == "%R~read* %W~write* ~both ~x");
  CHECK_FALSE(s.allows_every_key(kReadKey));
  CHECK(with(catalog, {"%R~*"}).allows_every_key(kReadKey));
  CHECK_FALSE(with(catalog, {"%R~*"}).allows_every_key(kWriteKey));
}

TEST_CASE("patterns to subscribe to are held against the rules letter for letter") {
  const Catalog catalog = small_catalog();
  const Selector s = with(catalog, {"&news:*"});
  CHECK(s.allows_channel("news:1"));
  CHECK_FALSE(s.allows_channel("other"));
  CHECK(s.allows_channel_pattern("news:*"));
  CHECK_FALSE(s.allows_channel_pattern("news:1"));
}

TEST_CASE("databases are all until some are named") {
  const Catalog catalog = small_catalog();
  CHECK(with(catalog, {}).allows_database(7));
  const Selector s = with(catalog, {"db=0,2"});
  CHECK(s.allows_database(0));
  CHECK_FALSE(s.allows_database(1));
  CHECK(s.text() == "resetchannels db=0,2 -@all");
  CHECK_FALSE(with(catalog, {"resetdbs"}).allows_database(0));
  CHECK(with(catalog, {"db=1", "alldbs"}).text() == "resetchannels -@all");
}

TEST_CASE("rules that repeat change nothing, and what takes them back takes all of them") {
  const Catalog catalog = small_catalog();
  Selector s = with(catalog, {"~b", "%R~a", "&y", "&x", "~b", "%W~a", "&y", "db=2,1,2"});
  CHECK(s.text() == "~b ~a resetchannels &y &x db=2,1 -@all");
  for (const std::string_view rule : {"resetkeys", "resetchannels", "resetdbs", "~c", "&z", "db=5"})
    REQUIRE(s.apply(catalog, rule).has_value());
  CHECK(s.text() == "~c resetchannels &z db=5 -@all");
  CHECK_FALSE(s.allows_channel_pattern("y"));
  CHECK_FALSE(s.allows_database(1));
  CHECK(s.allows_key("c", kAnyKeyUse));
}

TEST_CASE("what every new entry is compared with has a limit") {
  const Catalog catalog = small_catalog();
  Selector s(Selector::Channels::kNone);
  for (std::size_t i = 0; i < kEntriesMost; ++i)
    REQUIRE(s.apply(catalog, "+select|" + std::to_string(i)).has_value());
  CHECK(s.apply(catalog, "+select|7").has_value());
  const auto more = s.apply(catalog, "+select|more");
  REQUIRE_FALSE(more.has_value());
  CHECK(more.error().why == "A command can have at most 1024 allowed first arguments");

  Users users(small_catalog());
  std::vector<std::string> texts;
  for (std::size_t i = 0; i <= kEntriesMost; ++i) texts.push_back(">p" + std::to_string(i));
  std::vector<std::string_view> rules(texts.begin(), texts.end());
  CHECK_FALSE(users.with_rules("many", rules).has_value());
  rules.pop_back();
  CHECK(users.with_rules("many", rules).has_value());
}

TEST_CASE("a wrong rule changes nothing and says what is wrong") {
  const Catalog catalog = small_catalog();
  Selector s(Selector::Channels::kNone);
  const std::string before = s.text();
  for (const std::string_view rule : {"+select|0 +@all",
                                      "+select|0\t+get",
                                      "+select|\n",
                                      "%~",
                                      "%X~a",
                                      "%RR~a",
                                      "~a b",
                                      "&a b",
                                      "nonsense",
                                      "+@nothing",
                                      "+nothing",
                                      "-config|x",
                                      "+config|x",
                                      "+config|get|y",
                                      "+select|",
                                      "db=",
                                      "db=1,",
                                      "db=-1",
                                      "db=x",
                                      "+",
                                      "-",
                                      ""}) {
    CAPTURE(rule);
    CHECK_FALSE(s.apply(catalog, rule).has_value());
    CHECK(s.text() == before);
  }
  CHECK(s.apply(catalog, "+nothing").error().unknown_name);
  CHECK(s.apply(catalog, "~*").has_value());
  CHECK_FALSE(s.apply(catalog, "~a").has_value());
}

TEST_CASE("SHA-256 of a known text") {
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("a user's text makes the same user") {
  const Users users(small_catalog());
  const std::string_view rules[] = {"on",   ">secret", "~a",    "&c",    "+@string",
                                    "-set", "(%R~b",   "+get)", "db=0,1"};
  const auto user = users.with_rules("ann", rules);
  REQUIRE(user.has_value());
  CHECK(user->accepts("secret"));
  CHECK_FALSE(user->accepts("Secret"));
  const auto again = users.parse("user ann " + user->text() + "\n", "f");
  REQUIRE(again.has_value());
  CHECK(again->at("ann").text() == user->text());
  CHECK(again->contains("default"));
}

// --- random rules ---

const Selector& selector_of(const User& user, std::size_t i) { return user.selectors()[i]; }

// Everything that one selector may say of another's rights, asked of both.
void check_same_rights(const User& a, const User& b) {
  CHECK(a.text() == b.text());
  CHECK(a.enabled() == b.enabled());
  CHECK(a.needs_no_password() == b.needs_no_password());
  CHECK(a.password_hashes() == b.password_hashes());
  REQUIRE(a.selectors().size() == b.selectors().size());
  static const std::string_view kWords[] = {"", "*", "a", "b", "a)", "(b", "[)]x", "0", "A", ")"};
  for (std::size_t i = 0; i < a.selectors().size(); ++i) {
    const Selector& x = selector_of(a, i);
    const Selector& y = selector_of(b, i);
    for (std::uint32_t id = 0; id <= 6; ++id) {
      for (const auto word : kWords)
        CHECK(x.allows_command(id, word) == y.allows_command(id, word));
    }
    for (const auto word : kWords) {
      for (const KeyRights rights : {KeyRights{0}, kReadKey, kWriteKey, kAnyKeyUse}) {
        CHECK(x.allows_key(word, rights) == y.allows_key(word, rights));
        CHECK(x.allows_every_key(rights) == y.allows_every_key(rights));
      }
      CHECK(x.allows_channel(word) == y.allows_channel(word));
      CHECK(x.allows_channel_pattern(word) == y.allows_channel_pattern(word));
    }
    for (int db = 0; db < 4; ++db) CHECK(x.allows_database(db) == y.allows_database(db));
  }
}

class RuleMaker {
 public:
  explicit RuleMaker(std::uint64_t seed) : rng_(seed) {}
  std::string rule() {
    switch (rng_.below(12)) {
      case 0: return selector();
      case 1: return odd() + odd();
      case 2: {
        static const std::string_view kPlain[] = {"on",
                                                  "off",
                                                  "nopass",
                                                  "resetpass",
                                                  ">a b",
                                                  "<a b",
                                                  "reset",
                                                  "clearselectors",
                                                  ">(",
                                                  ">x)",
                                                  "sanitize-payload",
                                                  "#zz",
                                                  "!zz",
                                                  "skip-sanitize-payload"};
        return std::string(kPlain[rng_.below(std::size(kPlain))]);
      }
      default: return permission();
    }
  }
  std::uint64_t below(std::uint64_t n) { return rng_.below(n); }

 private:
  std::string odd() {
    static const std::string_view kOdd[] = {"a", "b", "*", ")", "(",  " ",   "\t",   "\n",   "\"",
                                            "'", "#", "0", "A", "\\", "[)]", "\x01", "\xff", "|",
                                            "~", "",  "a", "b", "*",  "%",   "+",    "user", "\v"};
    return std::string(kOdd[rng_.below(std::size(kOdd))]);
  }
  std::string permission() {
    static const std::string_view kStarts[] = {
        "+get",        "-get",     "+set",    "+config",   "-config",     "+config|get",
        "-config|set", "+select",  "-select", "+@string",  "-@fast",      "+@write",
        "+@all",       "-@all",    "allkeys", "resetkeys", "allchannels", "resetchannels",
        "alldbs",      "resetdbs", "db=0",    "db=1,3",    "allcommands"};
    static const std::string_view kOpen[] = {"~",        "%R~",   "%W~",  "%RW~",        "&",
                                             "+select|", "+get|", "%wr~", "+config|get|"};
    std::string text;
    if (rng_.below(2) == 0) {
      text = kStarts[rng_.below(std::size(kStarts))];
      if (rng_.below(8) == 0) text += odd() + odd();
    } else {
      text = kOpen[rng_.below(std::size(kOpen))];
      text += odd();
      if (rng_.below(3) == 0) text += odd();
    }
    return text;
  }
  std::string selector() {
    std::string text = "(";
    for (std::uint64_t n = rng_.below(4); n > 0; --n) text += permission() + " ";
    return text + (rng_.below(6) == 0 ? "" : ")");
  }
  Rng rng_;
};

TEST_CASE("whatever rules a user was made by, its text makes the same rights") {
  constexpr std::uint64_t kSeed = 7;
  INFO("seed ", kSeed);
  const Users users(small_catalog());
  RuleMaker maker(kSeed);
  int accepted = 0;
  for (int round = 0; round < 5'000; ++round) {
    User user("ann", Selector::Channels::kNone);
    std::string rules;
    for (std::uint64_t n = 1 + maker.below(8); n > 0; --n) {
      const std::string rule = maker.rule();
      Users with(small_catalog());
      // One at a time, so that a refused one leaves the others.
      const std::string_view word = rule;
      with.put(user);
      if (auto next = with.with_rules("ann", std::span(&word, 1))) {
        user = std::move(*next);
        rules += "[" + rule + "]";
        ++accepted;
      }
    }
    CAPTURE(rules);
    const std::string line = "user ann " + user.text() + "\n";
    CAPTURE(line);
    const auto again = users.parse(line, "f");
    if (!again) FAIL_CHECK(again.error());
    REQUIRE(again.has_value());
    CHECK(again->size() == 2);
    check_same_rights(user, again->at("ann"));
  }
  CHECK(accepted > 5'000);
}

TEST_CASE("names that would break a line are refused, and others read back") {
  Users users(small_catalog());
  for (const std::string_view bad :
       {std::string_view(""), std::string_view("a b"), std::string_view("a\n"),
        std::string_view("a\0b", 3), std::string_view("\t")}) {
    CHECK_FALSE(is_user_name(bad));
  }
  for (const std::string_view name :
       {"\"a\"", "a'b", "#a", "user", "(x", "a)", "on", "\x01", "\xff\xfe"}) {
    CAPTURE(name);
    REQUIRE(is_user_name(name));
    Users some(small_catalog());
    const std::string_view rules[] = {"+get", "~x"};
    some.put(*some.with_rules(name, rules));
    const auto again = users.parse(some.file_text(), "f");
    REQUIRE(again.has_value());
    REQUIRE(again->contains(name));
    CHECK(again->find(name)->second.text() == some.find(name)->text());
    CHECK(again->size() == 2);
  }
}

TEST_CASE("a file with mistakes is refused whole, with the lines of all of them") {
  const Users users(small_catalog());
  const auto bad = users.parse("user a on\n\nuser a off\nuser b +nope\nbob\nuser c (+get\n", "f");
  REQUIRE_FALSE(bad.has_value());
  for (const std::string_view part :
       {"Duplicate user 'a' found on line 3", "f:4: Error in applying operation '+nope'",
        "f:5 should start with user", "f:6: Unmatched parenthesis", "no change"}) {
    CAPTURE(part);
    CHECK(bad.error().find(part) != std::string::npos);
  }
}

TEST_CASE("a user is unrestricted when one selector allows everything") {
  Users users(small_catalog());
  CHECK(users.default_user().unrestricted());
  const std::string_view rules[] = {"-get", "(+@all ~* &*)"};
  CHECK(users.with_rules("default", rules)->unrestricted());
  const std::string_view fewer[] = {"db=0"};
  CHECK_FALSE(users.with_rules("default", fewer)->unrestricted());
}

TEST_CASE("channels are kept unless one is lost") {
  const Users users(small_catalog());
  const auto user = [&](std::initializer_list<std::string_view> rules) {
    return *users.with_rules("u", std::vector<std::string_view>(rules));
  };
  CHECK(user({"&a", "&b"}).keeps_channels_of(user({"&a"})));
  CHECK(user({"allchannels"}).keeps_channels_of(user({"&a"})));
  CHECK(user({"(&a)"}).keeps_channels_of(user({"&a"})));
  CHECK_FALSE(user({"&b"}).keeps_channels_of(user({"&a"})));
  CHECK_FALSE(user({"&b"}).keeps_channels_of(user({"allchannels"})));
}

}  // namespace
