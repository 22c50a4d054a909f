#include <doctest/doctest.h>

#include <algorithm>

#include "src/command/server_control.h"
#include "src/proto/reply_parser.h"
#include "tests/support/engine_fixture.h"
#include "tests/support/fake_server.h"

using hearth::milliseconds;
using hearth::RespValue;
using hearth::seconds;
using hearth::Session;
using hearth::test::EngineFixture;
using hearth::test::FakeServer;
using Lines = std::vector<std::string>;

namespace {

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

EngineFixture::Options debugging() {
  EngineFixture::Options options;
  options.config = {{"enable-debug-command", "yes"}, {"enable-protected-configs", "yes"}};
  return options;
}

RespValue value(const std::string& bytes) {
  hearth::ReplyParser parser;
  parser.feed(bytes);
  auto parsed = parser.next();
  REQUIRE(parsed);
  REQUIRE(parsed->has_value());
  return **parsed;
}

std::string info(EngineFixture& server, const std::string& section, const std::string& name) {
  const std::string text = server.run("INFO", section);
  const std::size_t at = text.find("\r\n" + name + ":");
  if (at == std::string::npos) return "(none)";
  const std::size_t begin = at + name.size() + 3;
  return text.substr(begin, text.find('\r', begin) - begin);
}

// Every field of INFO's text, without its section lines.
Lines field_names(const std::string& text) {
  Lines names;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find("\r\n", at), text.size());
    const std::string line = text.substr(at, end - at);
    if (const std::size_t colon = line.find(':'); colon != std::string::npos && line[0] != '#')
      names.push_back(line.substr(0, colon));
    at = end + 2;
  }
  return names;
}

}  // namespace

TEST_CASE("INFO keysizes counts keys by the powers of two of their sizes") {
  EngineFixture server;
  server.run("SET", "empty", "");
  for (const int size : {1, 2, 3, 1023, 1024, 5000}) {
    server.run("SET", "s" + std::to_string(size), std::string(static_cast<std::size_t>(size), 'x'));
  }
  server.run("RPUSH", "l", "a", "b", "c", "d");
  server.run("SADD", "set", "a");
  server.run("ZADD", "z", "1", "a", "2", "b");
  server.run("SELECT", "3");
  server.run("HSET", "h", "f", "v");
  server.run("XADD", "x", "*", "f", "v");
  CHECK(server.run("INFO", "keysizes")
            .ends_with("# Keysizes\r\n"
                       "db0_distrib_strings_sizes:0=1,1=1,2=2,512=1,1K=1,4K=1\r\n"
                       "db0_distrib_lists_items:4=1\r\n"
                       "db0_distrib_sets_items:1=1\r\n"
                       "db0_distrib_zsets_items:2=1\r\n"
                       "db3_distrib_hashes_items:1=1\r\n"
                       "db3_distrib_streams_items:1=1\r\n\r\n"));
}

TEST_CASE("of many keys INFO keysizes looks at some, which stand for all") {
  EngineFixture server;
  for (int i = 0; i < 150; ++i) {
    std::vector<std::string> words{"MSET"};
    for (int j = 0; j < 1000; ++j) {
      words.push_back("key" + std::to_string(1000 * i + j));
      words.emplace_back("0123456789");
    }
    REQUIRE(server.run_words(server.session(), words) == "+OK\r\n");
  }
  const std::string text = info(server, "keysizes", "db0_distrib_strings_sizes");
  REQUIRE(text.starts_with("8="));
  const int counted = std::stoi(text.substr(2));
  CHECK(counted >= 149'990);
  CHECK(counted <= 150'000);
}

TEST_CASE("INFO gives the sections that are asked for, each once, in its own order") {
  EngineFixture server;
  const std::string all = server.run("INFO", "all");
  std::size_t last = 0;
  for (const auto* title : {"# Server", "# Clients", "# Memory", "# Persistence", "# Stats",
                            "# Replication", "# CPU", "# Modules", "# Commandstats", "# Errorstats",
                            "# Latencystats", "# Cluster", "# Keyspace"}) {
    const std::size_t at = all.find(title);
    CHECK_MESSAGE(at != std::string::npos, title);
    CHECK(at >= last);
    last = at;
  }
  CHECK_FALSE(contains(all, "# Debug"));
  const std::string some = server.run("INFO", "keyspace", "CPU", "cpu");
  CHECK(some.find("# CPU") == some.rfind("# CPU"));
  CHECK(some.find("# CPU") < some.find("# Keyspace"));
  CHECK_FALSE(contains(server.run("INFO"), "# Commandstats"));
  CHECK(contains(server.run("INFO", "everything"), "# Commandstats"));
  CHECK(contains(server.run("INFO", "cpu", "default"), "# Keyspace"));
  CHECK(contains(server.run("INFO", "debug"), "eventloop_duration_max:"));
  CHECK(server.run("INFO", "sentinel") == "$0\r\n\r\n");
  server.session().resp = 3;
  CHECK(server.run("INFO", "sentinel") == "=4\r\ntxt:\r\n");
}

TEST_CASE("no field of INFO appears twice") {
  EngineFixture server;
  Lines names = field_names(server.run("INFO", "everything"));
  CHECK(names.size() > 150);
  std::sort(names.begin(), names.end());
  CHECK(std::adjacent_find(names.begin(), names.end()) == names.end());
}

TEST_CASE("INFO counts what happened") {
  EngineFixture server;
  server.run("SET", "k", "v");
  server.run("GET", "k");
  server.run("GET", "none");
  server.run("NOPE");
  server.run("INCR", "k");
  server.run("GET");
  CHECK(info(server, "stats", "keyspace_hits") == "1");
  CHECK(info(server, "stats", "keyspace_misses") == "1");
  CHECK(info(server, "stats", "total_error_replies") == "3");
  CHECK(info(server, "errorstats", "errorstat_ERR") == "count=3");
  CHECK(info(server, "commandstats", "cmdstat_get")
            .starts_with("calls=2,usec=0,usec_per_call=0.00,rejected_calls=1,failed_calls=0"));
  CHECK(info(server, "commandstats", "cmdstat_incr") ==
        "calls=1,usec=0,usec_per_call=0.00,rejected_calls=0,failed_calls=1");
  CHECK(info(server, "commandstats", "cmdstat_info").starts_with("calls="));
  CHECK(info(server, "latencystats", "latency_percentiles_usec_get") ==
        "p50=0.000,p99=0.000,p99.9=0.000");
  CHECK(info(server, "persistence", "rdb_changes_since_last_save") == "1");
  server.run("SET", "t", "v", "EX", "10");
  CHECK(info(server, "keyspace", "db0") == "keys=2,expires=1,avg_ttl=0");
  server.advance(seconds(100));
  CHECK(info(server, "server", "uptime_in_seconds") == "100");
}

TEST_CASE("INFO counts clients by what they do") {
  EngineFixture server;
  Session& subscriber = server.open();
  Session& watcher = server.open();
  server.run_as(subscriber, "SUBSCRIBE", "c");
  server.run_as(watcher, "WATCH", "a", "b", "a");
  CHECK(info(server, "clients", "connected_clients") == "3");
  CHECK(info(server, "clients", "pubsub_clients") == "1");
  CHECK(info(server, "clients", "watching_clients") == "1");
  CHECK(info(server, "clients", "total_watched_keys") == "2");
  server.run("CLIENT", "PAUSE", "1000", "WRITE");
  server.run_as(watcher, "SET", "k", "v");
  CHECK(info(server, "clients", "blocked_clients") == "1");
}

TEST_CASE("CONFIG RESETSTAT starts the counters anew") {
  EngineFixture server;
  server.run("GET", "k");
  server.run("NOPE");
  CHECK(server.run("CONFIG", "RESETSTAT") == "+OK\r\n");
  CHECK(info(server, "stats", "keyspace_misses") == "0");
  CHECK(info(server, "stats", "total_error_replies") == "0");
  CHECK(info(server, "errorstats", "errorstat_ERR") == "(none)");
  CHECK(info(server, "commandstats", "cmdstat_get") == "(none)");
  CHECK(info(server, "commandstats", "cmdstat_config|resetstat").starts_with("calls=1,"));
}

TEST_CASE("CONFIG GET and SET work on one and on many parameters") {
  EngineFixture server;
  CHECK(server.run("CONFIG", "SET", "maxmemory", "1mb", "hz", "20") == "+OK\r\n");
  CHECK(server.run("CONFIG", "GET", "maxmemory") == "*2\r\n$9\r\nmaxmemory\r\n$7\r\n1048576\r\n");
  CHECK(server.run("CONFIG", "SET", "maxmemory", "2mb", "hz", "x")
            .starts_with("-ERR CONFIG SET failed"));
  CHECK(server.run("CONFIG", "GET", "maxmemory") == "*2\r\n$9\r\nmaxmemory\r\n$7\r\n1048576\r\n");
  CHECK(server.run("CONFIG", "SET", "maxmemory", "1", "hz") == "-ERR syntax error\r\n");
  CHECK(server.run("CONFIG", "SET", "nope", "1")
            .starts_with("-ERR Unknown option or number of arguments for CONFIG SET - 'nope'"));
  server.session().resp = 3;
  CHECK(server.run("CONFIG", "GET", "hz", "h?") == "%1\r\n$2\r\nhz\r\n$2\r\n20\r\n");
  CHECK(server.run("CONFIG", "GET", "nothing-like-it") == "%0\r\n");
}

TEST_CASE("background work runs 1 to 500 times a second, more often for many clients") {
  EngineFixture server;
  const auto rate = [&] { return server.engine().tick_rate(); };
  CHECK(rate() == 10);
  server.run("CONFIG", "SET", "hz", "0");
  CHECK(rate() == 1);
  server.run("CONFIG", "SET", "hz", "1000000");
  CHECK(rate() == 500);
  server.run("CONFIG", "SET", "hz", "1", "dynamic-hz", "no");
  for (int i = 0; i < 1000; ++i) server.open();
  server.tick();
  CHECK(rate() == 1);
  server.run("CONFIG", "SET", "dynamic-hz", "yes");
  CHECK(rate() == 8);  // 1001 clients, no more than 200 for each tick
  CHECK(server.run("INFO", "server").find("\nhz:8\r\n") != std::string::npos);
}

TEST_CASE(
    "writes that are held for a shutdown go on after it, whatever CLIENT PAUSE said meanwhile") {
  EngineFixture server;
  Session& writer = server.open();
  server.engine().holds().hold_writes(hearth::WriteHolder::kShutdown, true);
  CHECK(server.run_as(writer, "SET", "k", "v").empty());
  CHECK(server.run("GET", "k") == "$-1\r\n");
  server.run("CLIENT", "PAUSE", "10", "WRITE");
  server.run("CLIENT", "UNPAUSE");
  CHECK(server.engine().holds().is_paused());
  server.run("CLIENT", "PAUSE", "1000", "WRITE");
  server.engine().holds().hold_writes(hearth::WriteHolder::kShutdown, false);
  CHECK(server.engine().holds().is_paused());
  server.run("CLIENT", "UNPAUSE");
  CHECK_FALSE(server.engine().holds().is_paused());
  CHECK(server.resumed() == std::vector<hearth::ConnId>{writer.id});
}

TEST_CASE("protected parameters change only where that is allowed") {
  EngineFixture closed;
  CHECK(closed.run("CONFIG", "SET", "dbfilename", "x").starts_with("-ERR CONFIG SET failed"));
  EngineFixture open(debugging());
  CHECK(open.run("CONFIG", "SET", "dbfilename", "x") == "+OK\r\n");
}

TEST_CASE("CONFIG REWRITE is the server's, and needs a file") {
  EngineFixture server(debugging());
  CHECK(server.run("CONFIG", "REWRITE") == "-ERR The server is running without a config file\r\n");
  FakeServer process;
  server.engine().services().server = &process;
  CHECK(server.run("CONFIG", "REWRITE") == "+OK\r\n");
  CHECK(server.run("DEBUG", "CONFIG-REWRITE-FORCE-ALL") == "+OK\r\n");
  CHECK(process.last_extent == FakeServer::RewriteExtent::kEverything);
  process.config_file = false;
  CHECK(server.run("CONFIG", "REWRITE") == "-ERR The server is running without a config file\r\n");
  CHECK(process.rewrites == 2);
}

TEST_CASE("secrets among parameters are kept from the slow log") {
  EngineFixture server;
  server.run("CONFIG", "SET", "slowlog-log-slower-than", "0");
  server.run("SLOWLOG", "RESET");
  server.run("CONFIG", "SET", "requirepass", "secret", "hz", "11");
  const std::string log = server.run("SLOWLOG", "GET", "1");
  CHECK(contains(log, "(redacted)"));
  CHECK_FALSE(contains(log, "secret"));
  CHECK(contains(log, "$2\r\n11\r\n"));
}

TEST_CASE("TIME, DBSIZE, LASTSAVE and ROLE tell the state of things") {
  EngineFixture server;
  FakeServer process;
  server.engine().services().server = &process;
  CHECK(server.run("TIME") == "*2\r\n$10\r\n1000000000\r\n$3\r\n123\r\n");
  server.advance(milliseconds(1500));
  CHECK(server.run("LASTSAVE") == ":1000000000\r\n");
  CHECK(server.run("DBSIZE") == ":0\r\n");
  server.run("SET", "k", "v");
  CHECK(server.run("DBSIZE") == ":1\r\n");
  CHECK(server.run("ROLE") == "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n");
}

TEST_CASE("FLUSHDB empties one database, FLUSHALL all of them") {
  EngineFixture server;
  server.run("SET", "a", "1");
  server.run("SELECT", "1");
  server.run("SET", "b", "1");
  CHECK(server.run("FLUSHDB") == "+OK\r\n");
  CHECK(server.effects() == Lines{"FLUSHDB"});
  CHECK(server.run("DBSIZE") == ":0\r\n");
  server.run("SELECT", "0");
  CHECK(server.run("DBSIZE") == ":1\r\n");
  CHECK(server.run("FLUSHALL", "ASYNC") == "+OK\r\n");
  CHECK(server.run("DBSIZE") == ":0\r\n");
  CHECK(server.run("FLUSHALL", "SYNC") == "+OK\r\n");
  CHECK(server.run("FLUSHALL", "x") == "-ERR syntax error\r\n");
  CHECK(server.run("FLUSHDB", "ASYNC", "SYNC") == "-ERR syntax error\r\n");
}

TEST_CASE("SWAPDB exchanges two databases for everyone") {
  EngineFixture server;
  server.run("SET", "k", "zero");
  CHECK(server.run("SWAPDB", "0", "3") == "+OK\r\n");
  CHECK(server.effects() == Lines{"SWAPDB 0 3"});
  CHECK(server.run("GET", "k") == "$-1\r\n");
  server.run("SELECT", "3");
  CHECK(server.run("GET", "k") == "$4\r\nzero\r\n");
  CHECK(server.run("SWAPDB", "3", "3") == "+OK\r\n");
  CHECK(server.run("SWAPDB", "x", "0") == "-ERR invalid first DB index\r\n");
  CHECK(server.run("SWAPDB", "0", "x") == "-ERR invalid second DB index\r\n");
  CHECK(server.run("SWAPDB", "0", "16") == "-ERR DB index is out of range\r\n");
}

TEST_CASE("the slow log keeps the newest entries, shortened") {
  EngineFixture server;
  server.run("CONFIG", "SET", "slowlog-log-slower-than", "0", "slowlog-max-len", "3");
  server.run("SLOWLOG", "RESET");
  server.run("CLIENT", "SETNAME", "me");
  server.run("ECHO", std::string(200, 'x'));
  const RespValue log = value(server.run("SLOWLOG", "GET"));
  REQUIRE(log.items().size() == 3);
  const auto newest = log.items()[0].items();
  REQUIRE(newest.size() == 6);
  CHECK(newest[1].integer() == 1'000'000'000);
  CHECK(newest[3].items()[0].text() == "ECHO");
  CHECK(newest[3].items()[1].text() == std::string(128, 'x') + "... (72 more bytes)");
  CHECK(newest[4].text() == "127.0.0.1:1");
  CHECK(newest[5].text() == "me");
  CHECK(newest[0].integer() == log.items()[1].items()[0].integer() + 1);
  CHECK(value(server.run("SLOWLOG", "GET", "1")).items().size() == 1);
  CHECK(value(server.run("SLOWLOG", "GET", "-1")).items().size() == 3);
  CHECK(server.run("SLOWLOG", "GET", "-2") ==
        "-ERR count should be greater than or equal to -1\r\n");
  CHECK(server.run("SLOWLOG", "LEN") == ":3\r\n");
  server.run("CONFIG", "SET", "slowlog-log-slower-than", "-1");
  CHECK(server.run("SLOWLOG", "RESET") == "+OK\r\n");
  CHECK(server.run("SLOWLOG", "LEN") == ":0\r\n");
}

TEST_CASE("EXEC is not in the slow log, what it ran is") {
  EngineFixture server;
  server.run("CONFIG", "SET", "slowlog-log-slower-than", "0");
  server.run("MULTI");
  server.run("ECHO", "x");
  server.run("SLOWLOG", "RESET");
  server.run("EXEC");
  const RespValue log = value(server.run("SLOWLOG", "GET"));
  for (const RespValue& entry : log.items()) CHECK(entry.items()[3].items()[0].text() != "EXEC");
}

TEST_CASE("LATENCY keeps spikes by event until they are reset") {
  EngineFixture server;
  hearth::LatencyMonitor& monitor = *server.engine().services().latency;
  CHECK(server.run("LATENCY", "LATEST") == "*0\r\n");
  CHECK(contains(server.run("LATENCY", "DOCTOR"), "not being monitored"));
  server.run("CONFIG", "SET", "latency-monitor-threshold", "100");
  CHECK(contains(server.run("LATENCY", "DOCTOR"), "No event took longer than 100 ms"));
  monitor.add("command", server.now(), 300);
  server.advance(seconds(2));
  monitor.add("command", server.now(), 500);
  server.advance(seconds(2));
  monitor.add("command", server.now(), 400);
  CHECK(server.run("LATENCY", "LATEST") ==
        "*1\r\n*4\r\n$7\r\ncommand\r\n:1000000004\r\n:400\r\n:500\r\n");
  CHECK(server.run("LATENCY", "HISTORY", "command") ==
        "*3\r\n*2\r\n:1000000000\r\n:300\r\n*2\r\n:1000000002\r\n:500\r\n*2\r\n:1000000004\r\n:"
        "400\r\n");
  CHECK(server.run("LATENCY", "HISTORY", "none") == "*0\r\n");
  const std::string graph = server.run("LATENCY", "GRAPH", "command");
  CHECK(contains(graph, "command - high 500 ms, low 300 ms (all time high 500 ms)\n"));
  CHECK(contains(graph, "\n ##\n"));  // only the two worst reach the fourth row
  CHECK(contains(graph, "\n###\n"));
  CHECK(contains(graph, "\n420\nsss\n"));
  CHECK(server.run("LATENCY", "GRAPH", "none") == "-ERR No samples available for event 'none'\r\n");
  CHECK(contains(server.run("LATENCY", "DOCTOR"),
                 "1. command: 3 seconds with spikes, on average 400 ms"));
  CHECK(server.run("LATENCY", "RESET", "none") == ":0\r\n");
  CHECK(server.run("LATENCY", "RESET") == ":1\r\n");
  CHECK(server.run("LATENCY", "LATEST") == "*0\r\n");
}

TEST_CASE("LATENCY HISTOGRAM counts calls by duration") {
  EngineFixture server;
  server.session().resp = 3;
  server.run("SET", "k", "v");
  server.run("SET", "k", "v");
  server.run("CLIENT", "ID");
  const std::string of_set =
      "%2\r\n$5\r\ncalls\r\n:2\r\n$14\r\nhistogram_usec\r\n%1\r\n:1\r\n:2\r\n";
  CHECK(server.run("LATENCY", "HISTOGRAM", "set", "nope") == "%1\r\n$3\r\nset\r\n" + of_set);
  CHECK(server.run("LATENCY", "HISTOGRAM", "client").starts_with("%1\r\n$9\r\nclient|id\r\n"));
  CHECK(server.run("LATENCY", "HISTOGRAM", "client|id").starts_with("%1\r\n$9\r\nclient|id\r\n"));
  CHECK(server.run("LATENCY", "HISTOGRAM", "get") == "%0\r\n");
  CHECK(server.run("LATENCY", "HISTOGRAM").starts_with("%3\r\n"));
}

TEST_CASE("MEMORY tells the size of a key and of the whole") {
  EngineFixture server;
  server.run("SET", "small", "v");
  server.run("SET", "large", std::string(100'000, 'x'));
  const auto small = value(server.run("MEMORY", "USAGE", "small")).integer();
  const auto large = value(server.run("MEMORY", "USAGE", "large", "SAMPLES", "0")).integer();
  CHECK(small > 16);
  CHECK(small < 100);
  CHECK(large > 100'000);
  CHECK(server.run("MEMORY", "USAGE", "none") == "$-1\r\n");
  CHECK(server.run("MEMORY", "USAGE", "small", "SAMPLES", "-1") == "-ERR syntax error\r\n");
  CHECK(server.run("MEMORY", "USAGE", "small", "SAMPLES") == "-ERR syntax error\r\n");
  const RespValue stats = value(server.run("MEMORY", "STATS"));
  REQUIRE(stats.find("keys.count") != nullptr);
  CHECK(stats.find("keys.count")->integer() == 2);
  REQUIRE(stats.find("db.0") != nullptr);
  CHECK(stats.find("db.0")->find("overhead.hashtable.main")->integer() > 0);
  CHECK(stats.find("peak.allocated")->integer() >= stats.find("total.allocated")->integer());
  CHECK(server.run("MEMORY", "PURGE") == "+OK\r\n");
  CHECK(server.run("MEMORY", "DOCTOR").starts_with("$"));
  CHECK(contains(server.run("MEMORY", "MALLOC-STATS"), "allocated"));
}

TEST_CASE("MONITOR shows commands quoted, with the database they ran in, but no admin commands") {
  EngineFixture server;
  Session& watcher = server.open();
  CHECK(server.run_as(watcher, "MONITOR") == "+OK\r\n");
  server.run("SELECT", "2");
  server.run("SET", "a b", std::string("\x01\n", 2));
  server.run("CONFIG", "GET", "hz");
  server.run("NOPE");
  CHECK(EngineFixture::take(watcher) ==
        "+1000000000.000000 [2 127.0.0.1:1] \"SELECT\" \"2\"\r\n"
        "+1000000000.000000 [2 127.0.0.1:1] \"SET\" \"a b\" \"\\x01\\n\"\r\n");
  server.run_as(watcher, "RESET");
  server.run("PING");
  CHECK(EngineFixture::take(watcher).empty());
}

TEST_CASE("MONITOR shows its own client's commands, but not the QUIT with which it leaves") {
  EngineFixture server;
  FakeServer process;
  server.engine().services().server = &process;
  server.run("MONITOR");
  CHECK(server.run("PING") == "+PONG\r\n+1000000000.000123 [0 127.0.0.1:1] \"PING\"\r\n");
  CHECK(server.run("QUIT") == "+OK\r\n");
}

TEST_CASE("SHUTDOWN asks the process to end, in the way that its words say") {
  EngineFixture server;
  FakeServer process;
  server.engine().services().server = &process;
  CHECK(server.run("SHUTDOWN", "x") == "-ERR syntax error\r\n");
  CHECK(server.run("SHUTDOWN", "SAVE", "NOSAVE") == "-ERR syntax error\r\n");
  CHECK(server.run("SHUTDOWN", "ABORT", "NOW") == "-ERR syntax error\r\n");
  CHECK(server.run("SHUTDOWN", "ABORT") == "-ERR No shutdown in progress.\r\n");
  CHECK(process.shutdowns == 0);
  process.pending_shutdown = true;
  CHECK(server.run("SHUTDOWN", "ABORT") == "+OK\r\n");
  CHECK(server.run("SHUTDOWN", "ABORT") == "-ERR No shutdown in progress.\r\n");
  CHECK(server.run("SHUTDOWN", "SAVE").empty());
  CHECK(process.shutdowns == 1);
  CHECK(process.last_shutdown.save);
  CHECK(server.run("SHUTDOWN", "NOSAVE", "NOW", "FORCE").empty());
  CHECK(process.shutdowns == 2);
  CHECK_FALSE(process.last_shutdown.save);
  CHECK(process.last_shutdown.nosave);
  CHECK(process.last_shutdown.now);
  CHECK(process.last_shutdown.force);
}

TEST_CASE("LOLWUT ends with the version") {
  EngineFixture server;
  CHECK(contains(server.run("LOLWUT"), "Redis ver. "));
  CHECK(contains(server.run("LOLWUT", "VERSION", "5", "3", "3"), "Redis ver. "));
  CHECK(server.run("LOLWUT", "VERSION", "x") == "-ERR value is not an integer or out of range\r\n");
}

TEST_CASE("DEBUG is closed unless the configuration opens it") {
  EngineFixture server;
  CHECK(server.run("DEBUG", "DIGEST").starts_with("-ERR DEBUG command not allowed."));
  EngineFixture::Options local;
  local.config = {{"enable-debug-command", "local"}};
  EngineFixture here(local);
  CHECK(here.run("DEBUG", "DIGEST").starts_with("+"));
  Session& remote = here.engine().open({"10.0.0.1:1", "10.0.0.2:6379", 1, false, false, false});
  CHECK(here.run_as(remote, "DEBUG", "DIGEST").starts_with("-ERR DEBUG command not allowed."));
}

TEST_CASE("equal data has an equal digest, whatever its encoding and order") {
  EngineFixture server(debugging());
  const std::string zero = "+" + std::string(40, '0') + "\r\n";
  CHECK(server.run("DEBUG", "DIGEST") == zero);
  server.run("SET", "s", "12");
  server.run("HSET", "h", "a", "1", "b", "2");
  const std::string digest = server.run("DEBUG", "DIGEST");
  CHECK(digest != zero);
  server.run("FLUSHALL");
  CHECK(server.run("DEBUG", "DIGEST") == zero);
  server.run("CONFIG", "SET", "hash-max-listpack-entries", "0");
  server.run("HSET", "h", "b", "2");
  server.run("HSET", "h", "a", "1");
  server.run("SET", "s", "1");
  server.run("APPEND", "s", "2");
  CHECK(server.run("OBJECT", "ENCODING", "h") == "$9\r\nhashtable\r\n");
  CHECK(server.run("DEBUG", "DIGEST") == digest);
  server.run("EXPIRE", "s", "100");
  CHECK(server.run("DEBUG", "DIGEST") != digest);
  server.run("PERSIST", "s");
  CHECK(server.run("DEBUG", "DIGEST") == digest);
  server.run("SELECT", "1");
  server.run("SET", "s", "12");
  CHECK(server.run("DEBUG", "DIGEST") != digest);
  const RespValue values = value(server.run("DEBUG", "DIGEST-VALUE", "s", "none"));
  CHECK(values.items()[0].text().size() == 40);
  CHECK(values.items()[1].text() == std::string(40, '0'));
}

TEST_CASE("DEBUG POPULATE makes keys that do not exist yet, unreplicated") {
  EngineFixture server(debugging());
  server.run("SET", "key:1", "mine");
  CHECK(server.run("DEBUG", "POPULATE", "3") == "+OK\r\n");
  CHECK(server.effects().empty());
  CHECK(server.run("GET", "key:1") == "$4\r\nmine\r\n");
  CHECK(server.run("GET", "key:2") == "$7\r\nvalue:2\r\n");
  CHECK(server.run("DEBUG", "POPULATE", "1", "p", "10") == "+OK\r\n");
  CHECK(server.run("GET", "p:0") == std::string("$10\r\nvalue:0\0\0\0\r\n", 17));
  CHECK(server.run("DEBUG", "POPULATE", "x") == "-ERR value is out of range, must be positive\r\n");
}

TEST_CASE("DEBUG PROTOCOL replies with each kind, as the version writes it") {
  EngineFixture server(debugging());
  const std::vector<std::array<std::string, 3>> kinds = {
      {"string", "$11\r\nHello World\r\n", "$11\r\nHello World\r\n"},
      {"integer", ":12345\r\n", ":12345\r\n"},
      {"double", "$5\r\n3.141\r\n", ",3.141\r\n"},
      {"null", "$-1\r\n", "_\r\n"},
      {"array", "*3\r\n:0\r\n:1\r\n:2\r\n", "*3\r\n:0\r\n:1\r\n:2\r\n"},
      {"set", "*3\r\n:0\r\n:1\r\n:2\r\n", "~3\r\n:0\r\n:1\r\n:2\r\n"},
      {"map", "*6\r\n:0\r\n:0\r\n:1\r\n:1\r\n:2\r\n:0\r\n",
       "%3\r\n:0\r\n#f\r\n:1\r\n#t\r\n:2\r\n#f\r\n"},
      {"true", ":1\r\n", "#t\r\n"},
      {"false", ":0\r\n", "#f\r\n"},
      {"bignum", "$37\r\n1234567999999999999999999999999999999\r\n",
       "(1234567999999999999999999999999999999\r\n"},
      {"verbatim", "$25\r\nThis is a verbatim\nstring\r\n",
       "=29\r\ntxt:This is a verbatim\nstring\r\n"},
      {"attrib", "$39\r\nSome real reply following the attribute\r\n",
       "|1\r\n$14\r\nkey-popularity\r\n*2\r\n$7\r\nkey:123\r\n:90\r\n$39\r\nSome real reply "
       "following the attribute\r\n"},
      {"push", "-ERR RESP2 is not supported by this command\r\n",
       ">2\r\n$16\r\nserver-cpu-usage\r\n:42\r\n$40\r\nSome real reply following the push "
       "reply\r\n"},
  };
  for (const auto& [kind, resp2, resp3] : kinds) {
    server.session().resp = 2;
    CHECK(server.run("DEBUG", "PROTOCOL", kind) == resp2);
    server.session().resp = 3;
    CHECK(server.run("DEBUG", "PROTOCOL", kind) == resp3);
  }
  CHECK(server.run("DEBUG", "PROTOCOL", "x").starts_with("-ERR Wrong protocol type name."));
}

TEST_CASE("DEBUG switches change how the server runs") {
  EngineFixture server(debugging());
  FakeServer process;
  server.engine().services().server = &process;
  CHECK(server.run("DEBUG", "SLEEP", "0.5") == "+OK\r\n");
  CHECK(process.slept == milliseconds(500));
  CHECK(server.run("DEBUG", "SLEEP", "0\r\n") == "+OK\r\n");  // hiredis asks so
  CHECK(server.run("DEBUG", "SET-ACTIVE-EXPIRE", "0") == "+OK\r\n");
  server.run("SET", "k", "v", "PX", "1");
  server.advance(milliseconds(10));
  server.tick();
  CHECK(server.run("DBSIZE") == ":1\r\n");
  server.run("DEBUG", "SET-ACTIVE-EXPIRE", "1");
  server.run("DEBUG", "PAUSE-CRON", "1");
  server.tick();
  CHECK(server.run("DBSIZE") == ":1\r\n");
  server.run("DEBUG", "PAUSE-CRON", "0");
  server.tick();
  CHECK(server.run("DBSIZE") == ":0\r\n");
  const std::string id = info(server, "replication", "master_replid");
  CHECK(id.size() == 40);
  CHECK(server.run("DEBUG", "CHANGE-REPL-ID") == "+OK\r\n");
  CHECK(info(server, "replication", "master_replid") != id);
  CHECK(server.run("DEBUG", "STRINGMATCH-LEN", "10", "a*b") == ":0\r\n");
  CHECK(server.run("DEBUG", "STRINGMATCH-LEN", "10", "a*") == ":1\r\n");
  CHECK(server.run("DEBUG", "ERROR", "MINE text") == "-MINE text\r\n");
  CHECK(server.run("DEBUG", "QUICKLIST-PACKED-THRESHOLD", "5gb") ==
        "-ERR argument must be a memory value bigger than 1 and smaller than 4gb\r\n");
  CHECK(server.run("DEBUG", "DICT-RESIZING", "0") == "+OK\r\n");
  CHECK(server.run("DEBUG", "DICT-RESIZING", "1") == "+OK\r\n");
  CHECK(server.run("DEBUG", "NOPE") ==
        "-ERR unknown subcommand or wrong number of arguments for 'NOPE'. Try DEBUG HELP.\r\n");
  CHECK(server.run("DEBUG", "DIGEST", "x")
            .starts_with("-ERR unknown subcommand or wrong number of arguments for 'DIGEST'"));
}

TEST_CASE("DEBUG OBJECT and HTSTATS look inside") {
  EngineFixture server(debugging());
  server.run("SET", "k", "v");
  CHECK(contains(server.run("DEBUG", "OBJECT", "k"), " encoding:embstr "));
  CHECK(contains(server.run("DEBUG", "OBJECT", "k"), " lru:"));
  CHECK(contains(server.run("DEBUG", "OBJECT", "k"), " serializedlength:2 "));
  CHECK(server.run("DEBUG", "OBJECT", "none") == "-ERR no such key\r\n");
  CHECK(contains(server.run("DEBUG", "HTSTATS", "0"), "number of elements: 1\n"));
  CHECK(contains(server.run("DEBUG", "HTSTATS", "0"), "table size: 1\n"));
  CHECK(server.run("DEBUG", "MALLCTL", "no.such.control") ==
        "-ERR the allocator has no such control\r\n");
  CHECK(server.run("DEBUG", "MALLCTL-STR", "no.such.control", "VOID") ==
        "-ERR the allocator has no such control\r\n");
  CHECK(server.run("DEBUG", "HTSTATS", "16") == "-ERR Out of range database\r\n");
  CHECK(server.run("DEBUG", "HTSTATS-KEY", "k") ==
        "-ERR The value stored at the specified key is not represented using an hash table\r\n");
}

TEST_CASE("a limit that is lowered evicts without waiting for a command") {
  EngineFixture server;
  server.run("CONFIG", "SET", "maxmemory-policy", "allkeys-lru");
  server.run("SET", "k", "v");
  server.run("CONFIG", "SET", "maxmemory", "1");
  server.tick();
  CHECK(server.run("DBSIZE") == ":0\r\n");
  CHECK(info(server, "stats", "evicted_keys") == "1");
}

TEST_CASE("a table of keys follows its keys once it may change its size again") {
  EngineFixture server(debugging());
  const auto stats = [&] { return server.run("DEBUG", "HTSTATS", "0"); };
  for (int i = 0; i < 128; ++i) server.run("SET", "k" + std::to_string(i), "v");
  CHECK(contains(stats(), "table size: 128\n"));
  server.run("DEBUG", "DICT-RESIZING", "0");
  for (int i = 5; i < 128; ++i) server.run("DEL", "k" + std::to_string(i));
  server.tick();
  CHECK(contains(stats(), "table size: 128\n"));
  server.run("DEBUG", "DICT-RESIZING", "1");
  server.tick();
  CHECK(contains(stats(), "table size: 8\n"));
  CHECK(server.run("DBSIZE") == ":5\r\n");
  CHECK(server.run("GET", "k4") == "$1\r\nv\r\n");
}

TEST_CASE("a client's reply buffer grows with its replies and shrinks after a time") {
  EngineFixture server(debugging());
  Session& client = server.open();
  const auto size = [&] {
    const std::string line = server.run("CLIENT", "LIST", "ID", std::to_string(client.id));
    const std::size_t at = line.find(" rbs=") + 5;
    return line.substr(at, line.find(' ', at) - at);
  };
  // The fixture reads replies away; a connection consumes them.
  const auto get = [&] {
    const std::vector<std::string_view> words{"GET", "big"};
    server.engine().execute(client, words);
    client.out.consume(client.out.size());
  };
  server.run("SET", "big", std::string(32768, 'x'));
  CHECK(size() == "1024");
  get();
  server.tick();
  CHECK(size() == "16384");
  server.advance(seconds(4));
  server.tick();
  server.advance(seconds(6));
  server.tick();
  server.advance(seconds(1));
  server.tick();
  CHECK(size() == "1024");
  server.run("DEBUG", "REPLYBUFFER", "PEAK-RESET-TIME", "NEVER");
  get();
  for (int i = 0; i < 10; ++i) {
    server.tick();
    server.advance(seconds(10));
  }
  CHECK(size() == "16384");
  server.run("DEBUG", "REPLYBUFFER", "PEAK-RESET-TIME", "100");
  for (int i = 0; i < 3; ++i) {
    server.tick();
    server.advance(seconds(1));
  }
  CHECK(size() == "1024");
  CHECK(info(server, "stats", "reply_buffer_expands") == "2");
  CHECK(info(server, "stats", "reply_buffer_shrinks") == "2");
  CHECK(server.run("DEBUG", "REPLYBUFFER", "RESIZING", "0") == "+OK\r\n");
  get();
  server.tick();
  CHECK(size() == "1024");
  CHECK(server.run("DEBUG", "REPLYBUFFER", "PEAK-RESET-TIME", "RESET") == "+OK\r\n");
}

TEST_CASE("rates are those since the counters were reset") {
  EngineFixture server;
  const auto run_for = [&](int ticks, int commands_each) {
    for (int i = 0; i < ticks; ++i) {
      for (int n = 0; n < commands_each; ++n) server.run("PING");
      server.advance(milliseconds(100));
      server.tick();
    }
  };
  run_for(20, 100);
  CHECK(std::stoi(info(server, "stats", "instantaneous_ops_per_sec")) >= 1000);
  server.run("CONFIG", "RESETSTAT");
  run_for(2, 0);
  CHECK(std::stoi(info(server, "stats", "instantaneous_ops_per_sec")) < 20);
}

TEST_CASE("KEYS gives up when its reply outgrows what the client may have waiting") {
  EngineFixture server;
  for (int i = 0; i < 5000; ++i) server.run("SET", std::string(100, 'k') + std::to_string(i), "v");
  server.run("CONFIG", "SET", "client-output-buffer-limit", "normal 100000 0 0");
  const std::vector<std::string_view> words{"KEYS", "*"};
  server.engine().execute(server.session(), words);
  CHECK(server.session().close_now);
  CHECK(server.session().out.size() < 300'000);
}
