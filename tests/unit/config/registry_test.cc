#include "src/config/registry.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "src/config/words.h"

using namespace hearth;
using namespace hearth::config;

namespace {

using Pairs = std::vector<std::pair<std::string_view, std::string_view>>;

std::string set_one(Registry& registry, std::string_view name, std::string_view value) {
  const auto done =
      registry.set(Pairs{{name, value}}, {.protected_allowed = true, .loading = false});
  return done ? "OK" : done.error();
}

std::string get_one(const Registry& registry, std::string_view name) {
  const std::string_view patterns[] = {name};
  const auto found = registry.get(patterns);
  return found.size() == 1 ? found[0].second : "(none)";
}

bool contains(const std::vector<NamedText>& list, std::string_view name) {
  return std::any_of(list.begin(), list.end(), [&](const NamedText& p) { return p.first == name; });
}

}  // namespace

TEST_CASE("a new registry has the documented defaults, as text and as fields") {
  const Registry registry;
  CHECK(get_one(registry, "port") == "6379");
  CHECK(registry.settings().port == 6379);
  CHECK(get_one(registry, "save") == "3600 1 300 100 60 10000");
  REQUIRE(registry.settings().save.size() == 3);
  CHECK(registry.settings().save[2].period == seconds{60});
  CHECK(registry.settings().save[2].changes == 10000);
  CHECK(get_one(registry, "client-output-buffer-limit") ==
        "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60");
  CHECK(registry.settings().client_output_buffer_limit[1].hard_bytes == 268435456);
  CHECK(registry.settings().client_output_buffer_limit[2].soft_time == seconds{60});
  CHECK(registry.settings().maxmemory_policy == EvictionPolicy::kNoEviction);
  CHECK(registry.settings().bind == std::vector<std::string>{"*", "-::*"});
  CHECK(registry.settings().cluster_node_timeout == milliseconds{15000});
  CHECK(registry.settings().latency_tracking_info_percentiles == std::vector<double>{50, 99, 99.9});
  CHECK(registry.settings().oom_score_adj_values == std::array<int, 3>{0, 200, 800});
  CHECK(registry.settings().rdb_compat == RdbCompat::kRedis72);
}

TEST_CASE("every parameter is documented and its names are unique") {
  std::set<std::string_view> names;
  for (const Section& section : sections()) {
    for (const Parameter& parameter : section.parameters) {
      INFO(std::string(parameter.name));
      CHECK(parameter.doc.size() > 10);
      CHECK(parameter.doc.back() == '.');
      CHECK(names.insert(parameter.name).second);
      if (!parameter.alias.empty()) CHECK(names.insert(parameter.alias).second);
      const bool stored_only = parameter.assign == nullptr && parameter.type.kind != Kind::kLines;
      CHECK(stored_only == has(parameter.flags, Flag::kNoEffect));
    }
  }
  CHECK(names.size() > 240);
}

TEST_CASE("every value that CONFIG GET shows can be set again and stays the same") {
  Registry registry;
  const std::string_view all[] = {"*"};
  const auto before = registry.get(all);
  for (const auto& [name, value] : before) {
    if (has(registry.find(name)->flags, Flag::kImmutable)) continue;
    INFO(name);
    CHECK(set_one(registry, name, value) == "OK");
  }
  CHECK(registry.get(all) == before);
}

TEST_CASE("CONFIG GET takes several patterns, both spellings, and hides what is hidden") {
  const Registry registry;
  const std::string_view patterns[] = {"maxmemory", "maxmemory*", "BIND", "*of"};
  const auto found = registry.get(patterns);
  std::set<std::string> names;
  for (const auto& [name, value] : found) CHECK(names.insert(name).second);
  for (const char* name :
       {"maxmemory", "maxmemory-samples", "maxmemory-clients", "BIND", "slaveof", "replicaof"}) {
    CHECK(contains(found, name));
  }
  CHECK_FALSE(contains(found, "bind"));
  const std::string_view all[] = {"*"};
  CHECK_FALSE(contains(registry.get(all), "key-load-delay"));
  CHECK_FALSE(contains(registry.get(all), "user"));
  CHECK(get_one(registry, "key-load-delay") == "0");
  CHECK(get_one(registry, "no-such-thing") == "(none)");
}

TEST_CASE("CONFIG SET changes text and field under either spelling") {
  Registry registry;
  CHECK(set_one(registry, "hash-max-ziplist-entries", "7") == "OK");
  CHECK(get_one(registry, "hash-max-listpack-entries") == "7");
  CHECK(registry.settings().hash_max_listpack_entries == 7);
  CHECK(set_one(registry, "MaxMemory", "700mb") == "OK");
  CHECK(get_one(registry, "maxmemory") == "734003200");
  CHECK(set_one(registry, "maxmemory-clients", "5%") == "OK");
  CHECK(registry.settings().maxmemory_clients.percent == 5);
  CHECK(set_one(registry, "client-output-buffer-limit", "replica 1mb 0 5") == "OK");
  CHECK(get_one(registry, "client-output-buffer-limit") ==
        "normal 0 0 0 slave 1048576 0 5 pubsub 33554432 8388608 60");
  CHECK(set_one(registry, "notify-keyspace-events", "EKA") == "OK");
  CHECK(get_one(registry, "notify-keyspace-events") == "AKE");
  CHECK(set_one(registry, "notify-keyspace-events", "Ehx$") == "OK");
  CHECK(get_one(registry, "notify-keyspace-events") == "$hxE");
  CHECK(set_one(registry, "shutdown-on-sigterm", "force nosave") == "OK");
  CHECK(get_one(registry, "shutdown-on-sigterm") == "nosave force");
  CHECK(registry.settings().shutdown_on_sigterm.force);
  CHECK(set_one(registry, "save", "") == "OK");
  CHECK(registry.settings().save.empty());
  CHECK(set_one(registry, "latency-tracking-info-percentiles", "") == "OK");
  CHECK(set_one(registry, "latency-tracking-info-percentiles", "0.0 50.0 100") == "OK");
  CHECK(get_one(registry, "latency-tracking-info-percentiles") == "0 50 100");
  CHECK(set_one(registry, "primaryauth", "secret") == "OK");
  CHECK(get_one(registry, "masterauth") == "secret");
}

TEST_CASE("CONFIG SET refuses with the documented words") {
  Registry registry;
  const auto failed = [](std::string_view name, std::string_view why) {
    return "ERR CONFIG SET failed (possibly related to argument '" + std::string(name) + "') - " +
           std::string(why);
  };
  const std::vector<std::array<const char*, 3>> cases = {
      {"daemonize", "yes", "can't set immutable config"},
      {"hz", "x", "argument couldn't be parsed into an integer"},
      {"hz", "-1", "argument must be between 0 and 2147483647 inclusive"},
      {"port", "65536", "argument must be between 0 and 65535 inclusive"},
      {"appendonly", "maybe", "argument must be 'yes' or 'no'"},
      {"maxmemory", "1x", "argument must be a memory value"},
      {"maxmemory", "-1", "argument must be a memory value"},
      {"maxmemory-clients", "200%", "percentage argument must be less or equal to 100"},
      {"appendfsync", "never", "argument(s) must be one of the following: everysec, always, no"},
      {"save", "1", "Invalid save parameters"},
      {"dbfilename", "a/b", "dbfilename can't be a path, just a filename"},
      {"shutdown-on-sigint", "save nosave",
       "shutdown options SAVE and NOSAVE can't be used simultaneously"},
      {"client-output-buffer-limit", "normal",
       "Wrong number of arguments in buffer limit configuration."},
      {"client-output-buffer-limit", "foo 1 2 3",
       "Invalid client class specified in buffer limit configuration."},
      {"oom-score-adj-values", "1 2", "wrong number of arguments"},
      {"notify-keyspace-events", "KEAz?", "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."},
      {"proc-title-template", "{bad}", "template format is invalid or contains unknown variables"},
      {"cluster-announce-hostname", "a b",
       "Hostnames may only contain alphanumeric characters, hyphens or dots"},
  };
  for (const auto& [name, value, why] : cases) {
    const std::string before = get_one(registry, name);
    CHECK(set_one(registry, name, value) == failed(name, why));
    CHECK(get_one(registry, name) == before);
  }
  CHECK(set_one(registry, "nope", "1") ==
        "ERR Unknown option or number of arguments for CONFIG SET - 'nope'");
  CHECK(set_one(registry, "user", "x") ==
        "ERR Unknown option or number of arguments for CONFIG SET - 'user'");
  const auto twice = registry.set(Pairs{{"hz", "1"}, {"hz", "2"}}, {});
  CHECK(twice.error() == failed("hz", "duplicate parameter"));
  const auto guarded =
      registry.set(Pairs{{"dir", "/"}}, {.protected_allowed = false, .loading = false});
  CHECK(guarded.error() == failed("dir", "can't set protected config"));
  const auto loading =
      registry.set(Pairs{{"dir", "/"}}, {.protected_allowed = true, .loading = true});
  CHECK(loading.error().starts_with("LOADING "));
}

TEST_CASE("CONFIG SET of several pairs is all or nothing") {
  Registry registry;
  const auto done = registry.set(
      Pairs{{"maxmemory", "10"}, {"maxmemory-clients", "200%"}, {"client-query-buffer-limit", "x"}},
      {});
  CHECK(done.error().find("'maxmemory-clients'") != std::string::npos);
  CHECK(registry.settings().maxmemory == 0);
  CHECK(registry.set(Pairs{{"maxmemory", "10"}, {"save", "3000 5"}}, {}).has_value());
  CHECK(registry.settings().maxmemory == 10);
  CHECK(get_one(registry, "save") == "3000 5");
}

TEST_CASE("a hook that fails undoes the whole change, hooks that ran included") {
  Registry registry;
  std::vector<std::uint64_t> memory_seen;
  int other = 0;
  registry.on_change({"maxmemory"}, [&](const Settings& s) -> Result<void, std::string> {
    memory_seen.push_back(s.maxmemory);
    return {};
  });
  registry.on_change({"bind", "port"}, [&](const Settings& s) -> Result<void, std::string> {
    if (s.port == 1) return tl::unexpected(std::string("Unable to listen on this port"));
    return {};
  });
  registry.on_change({"hz"}, [&](const Settings&) -> Result<void, std::string> {
    ++other;
    return {};
  });
  const auto failed = registry.set(Pairs{{"maxmemory", "5"}, {"port", "1"}, {"hz", "20"}}, {});
  CHECK(failed.error() ==
        "ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this "
        "port");
  CHECK(memory_seen == std::vector<std::uint64_t>{5, 0});
  CHECK(other == 0);
  CHECK(get_one(registry, "maxmemory") == "0");
  CHECK(get_one(registry, "port") == "6379");

  CHECK(set_one(registry, "maxmemory", "0") == "OK");
  CHECK(memory_seen.size() == 2);  // nothing changed, nothing to apply
}

TEST_CASE("by default no client waits for the requests of others") {
  CHECK(Registry().settings().io_uring_wait == 0);
}

TEST_CASE("a value from inside that is not valid is refused, and the old one stays") {
  Registry registry;
  const std::vector<std::string> good{"10.0.0.1", "7000"};
  REQUIRE(registry.replace("replicaof", good));
  for (const char* host : {"", "a b", "a\nport 1", "\x01", "a\"b", "a'b", "\x7f"}) {
    CAPTURE(host);
    const std::vector<std::string> words{host, "6379"};
    CHECK_FALSE(registry.replace("replicaof", words));
  }
  const std::vector<std::string> long_name{std::string(256, 'h'), "6379"};
  CHECK_FALSE(registry.replace("replicaof", long_name));
  CHECK_FALSE(registry.replace("maxclients", "many"));
  CHECK(registry.settings().replicaof.host == "10.0.0.1");
  CHECK(registry.value_of("replicaof") == "10.0.0.1 7000");
}

TEST_CASE("a hook may put the value into its final form") {
  Registry registry;
  registry.on_change({"dir"}, [&](const Settings& s) -> Result<void, std::string> {
    REQUIRE(registry.replace("dir", "/base/" + s.dir));
    return {};
  });
  CHECK(set_one(registry, "dir", "x") == "OK");
  CHECK(get_one(registry, "dir") == "/base/x");
  CHECK(registry.settings().dir == "/base/x");
  CHECK(set_one(registry, "replica-priority", "3") == "OK");
  REQUIRE(registry.replace("replicaof", "10.0.0.1 7000"));
  CHECK(registry.settings().replicaof.host == "10.0.0.1");
  CHECK(registry.settings().replicaof.port == 7000);
  REQUIRE(registry.replace("replicaof", ""));
  CHECK(registry.settings().replicaof.host.empty());
}

TEST_CASE("hz outside of its range is taken for the nearer end") {
  Registry registry;
  CHECK(set_one(registry, "hz", "5000") == "OK");
  CHECK(get_one(registry, "hz") == "500");
  CHECK(registry.settings().hz == 500);
  CHECK(set_one(registry, "hz", "0") == "OK");
  CHECK(get_one(registry, "hz") == "1");
}

TEST_CASE("CONFIG SET takes no control characters, but in passwords") {
  Registry registry;
  for (const Section& section : sections()) {
    for (const Parameter& p : section.parameters) {
      if (p.type.kind == Kind::kLines || has(p.flags, Flag::kImmutable)) continue;
      if (has(p.flags, Flag::kSensitive)) continue;
      for (const std::string_view bad :
           {"127.0.0.1:7000\nenable-debug-command\tyes\n#:1", "\t", "a\rb", "a\x7f", "a\x01"}) {
        CAPTURE(p.name);
        const std::pair<std::string_view, std::string_view> pair[] = {{p.name, bad}};
        const auto done = registry.set(pair, {.protected_allowed = true, .loading = false});
        REQUIRE_FALSE(done.has_value());
        CHECK(done.error().find("must not contain control characters") != std::string::npos);
      }
    }
  }
}

TEST_CASE("a password of any bytes comes back from the file that it was written to") {
  using namespace std::string_view_literals;
  for (const std::string_view password : {"a\0b"sv, "\x01\xff\n\r\t\"'\\ #"sv, " "sv}) {
    Registry registry;
    const std::pair<std::string_view, std::string_view> pair[] = {{"requirepass", password}};
    REQUIRE(registry.set(pair, {.protected_allowed = true, .loading = false}).has_value());
    CHECK(registry.settings().requirepass == password);
    const std::string line = "requirepass " + quoted_if_needed(password);
    CHECK(line.find('\n') == std::string::npos);
    const auto words = split_words(line);
    REQUIRE(words.has_value());
    Registry reader;
    REQUIRE(reader.apply_directive(*words).has_value());
    CHECK(reader.settings().requirepass == password);
  }
}

// The meaning of a word stands next to it: it can't get out of step with the enum of the field.
TEST_CASE("every choice is taken and told as it is spelled") {
  Registry registry;
  for (const Section& section : sections()) {
    for (const Parameter& p : section.parameters) {
      if (p.type.kind != Kind::kChoice) continue;
      for (const Choice& choice : p.type.choices) {
        CAPTURE(p.name);
        CAPTURE(choice.word);
        const std::vector<std::string> words{std::string(p.name), std::string(choice.word)};
        CHECK(registry.apply_directive(words).has_value());
        CHECK(registry.value_of(p.name) == choice.word);
      }
    }
  }
  const std::vector<std::string> words{"maxmemory-policy", "ALLKEYS-LFU"};
  CHECK(registry.apply_directive(words).has_value());
  CHECK(registry.settings().maxmemory_policy == EvictionPolicy::kAllKeysLfu);
}

TEST_CASE("a hook for any change hears of each") {
  Registry registry;
  int heard = 0;
  registry.on_any_change([&](const Settings&) -> Result<void, std::string> {
    ++heard;
    return {};
  });
  int expected = 0;
  for (const Section& section : sections()) {
    for (const Parameter& p : section.parameters) {
      if (p.type.kind != Kind::kBool || has(p.flags, Flag::kImmutable)) continue;
      CAPTURE(p.name);
      const std::string other = p.default_text == "yes" ? "no" : "yes";
      if (set_one(registry, p.name, other) != "OK") continue;  // activedefrag
      CHECK(heard == ++expected);
    }
  }
  CHECK(expected > 20);
}
