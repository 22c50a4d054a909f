#include "src/acl/selector.h"

#include <doctest/doctest.h>

#include "src/acl/user.h"
#include "src/acl/users.h"

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

TEST_CASE("a wrong rule changes nothing and says what is wrong") {
  const Catalog catalog = small_catalog();
  Selector s(Selector::Channels::kNone);
  const std::string before = s.text();
  for (const std::string_view rule :
       {"%~", "%X~a", "%RR~a", "~a b", "&a b", "nonsense", "+@nothing", "+nothing", "-config|x",
        "+config|x", "+config|get|y", "+select|", "db=", "db=1,", "db=-1", "db=x", "+", "-", ""}) {
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
