// Every parameter that CONFIG SET takes changes something: what an engine alone can show is shown
// here, and what only other parts of the server can is told with where it is looked at.
#include <doctest/doctest.h>

#include <functional>
#include <map>

#include "src/command/replica_control.h"
#include "tests/support/engine_fixture.h"
#include "tests/support/fake_persistence.h"

using namespace hearth;
using hearth::test::EngineFixture;

namespace {

using Probe = std::function<std::string(EngineFixture&)>;

// The reply to the last of some requests, words with blanks between.
std::vector<std::string> words_of(const std::string& line) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at < line.size();) {
    const std::size_t end = std::min(line.find(' ', at), line.size());
    words.push_back(line.substr(at, end - at));
    at = end + 1;
  }
  return words;
}
Probe replies(std::vector<std::string> lines) {
  return [lines = std::move(lines)](EngineFixture& server) {
    std::string reply;
    for (const std::string& line : lines)
      reply = server.run_words(server.session(), words_of(line));
    return reply;
  };
}
Probe encoding(const std::string& filling) { return replies({filling, "OBJECT ENCODING k"}); }
const std::string kLong(200, 'a');

struct Effect {
  std::string value;
  Probe probe;
  std::vector<std::string> before{};  // CONFIG SET of others, "name value"
};

std::string of_new_client(EngineFixture& server, const std::string& line) {
  Session& client = server.open();
  return server.run_words(client, words_of(line));
}

const std::map<std::string, Effect>& effects() {
  static const std::map<std::string, Effect> kEffects = {
      {"maxmemory", {"1", replies({"SET k v"})}},
      {"maxmemory-policy", {"allkeys-lfu", replies({"SET k v", "OBJECT FREQ k"})}},
      {"lfu-log-factor",
       {"0",
        [](EngineFixture& server) {
          server.run("SET", "k", "v");
          for (int i = 0; i < 100; ++i) server.run("GET", "k");
          return server.run("OBJECT", "FREQ", "k");
        },
        {"maxmemory-policy allkeys-lfu"}}},
      {"hz", {"77", replies({"INFO server"})}},
      {"notify-keyspace-events",
       {"KEA",
        [](EngineFixture& server) {
          Session& listener = server.open();
          server.run_as(listener, "SUBSCRIBE", "__keyevent@0__:set");
          EngineFixture::take(listener);
          server.run("SET", "k", "v");
          return EngineFixture::take(listener);
        }}},
      {"warm-gate", {"loading", replies({"INFO warm"})}},
      {"import-mode", {"yes", replies({"CLIENT IMPORT-SOURCE ON"})}},
      {"hash-max-listpack-entries", {"1", encoding("HSET k a 1 b 2")}},
      {"hash-max-listpack-value", {"10", encoding("HSET k a " + kLong.substr(0, 50))}},
      {"list-max-listpack-size", {"1", encoding("RPUSH k a b c")}},
      {"set-max-intset-entries", {"1", encoding("SADD k 1 2")}},
      {"set-max-listpack-entries", {"1", encoding("SADD k a b")}},
      {"set-max-listpack-value", {"10", encoding("SADD k " + kLong.substr(0, 50))}},
      {"zset-max-listpack-entries", {"1", encoding("ZADD k 1 a 2 b")}},
      {"zset-max-listpack-value", {"10", encoding("ZADD k 1 " + kLong.substr(0, 50))}},
      {"hll-sparse-max-bytes", {"0", replies({"PFADD k a b c", "STRLEN k"})}},
      {"stream-node-max-entries",
       {"1", replies({"XADD k 1 f v", "XADD k 2 f v", "XADD k 3 f v", "XINFO STREAM k"})}},
      {"stream-node-max-bytes",
       {"1", replies({"XADD k 1 f v", "XADD k 2 f v", "XADD k 3 f v", "XINFO STREAM k"})}},
      {"slowlog-log-slower-than", {"0", replies({"PING", "SLOWLOG LEN"})}},
      {"slowlog-max-len",
       {"1", replies({"PING", "PING", "SLOWLOG LEN"}), {"slowlog-log-slower-than 0"}}},
      {"commandlog-reply-larger-than", {"1", replies({"ECHO abc", "COMMANDLOG LEN large-reply"})}},
      {"commandlog-large-reply-max-len",
       {"1",
        replies({"ECHO abc", "ECHO abc", "COMMANDLOG LEN large-reply"}),
        {"commandlog-reply-larger-than 1"}}},
      {"latency-tracking", {"no", replies({"PING", "INFO latencystats"})}},
      {"latency-tracking-info-percentiles", {"42", replies({"PING", "INFO latencystats"})}},
      {"client-default-resp",
       {"3", [](EngineFixture& server) { return of_new_client(server, "HGETALL k"); }}},
      {"proto-max-bulk-len", {"1mb", replies({"SETRANGE k 2000000 x"})}},
      {"requirepass", {"secret", [](EngineFixture& s) { return of_new_client(s, "PING"); }}},
      {"acl-pubsub-default", {"allchannels", replies({"ACL SETUSER u", "ACL GETUSER u"})}},
      {"acllog-max-len", {"0", replies({"AUTH a b", "ACL LOG"})}},
      {"availability-zone", {"zone", replies({"INFO server"})}},
      {"rdb-compat", {"7.0", replies({"SET k v", "DUMP k"})}},
      {"rdbcompression", {"no", replies({"SET k " + kLong, "DUMP k"})}},
      {"skip-checksum-validation",
       {"yes",
        [](EngineFixture& server) {
          // A string payload of the value "v", without its checksum.
          return server.run("RESTORE", "k", "0",
                            std::string("\x00\x01v\x0b\x00", 5) + std::string(8, 'x'));
        }}},
      {"min-replicas-to-write", {"1", replies({"SET k v"})}},
      {"min-replicas-max-lag", {"0", replies({"SET k v"}), {"min-replicas-to-write 1"}}},
      {"maxclients", {"77", replies({"INFO clients"})}},
      {"lazyfree-lazy-expire",
       {"no",
        [](EngineFixture& server) {
          server.run("SET", "k", "v", "PX", "5");
          server.advance(milliseconds(10));
          server.run("GET", "k");
          return server.effects().empty() ? std::string() : server.effects()[0];
        }}},
      {"replica-read-only",
       {"no",
        [](EngineFixture& server) {
          server.engine().set_following(true);
          const std::string reply = server.run("SET", "k", "v");
          server.engine().set_following(false);
          return reply;
        }}},
      {"replica-ignore-maxmemory",
       {"no",
        [](EngineFixture& server) { return server.run("SET", "k", "v"); },
        {"maxmemory 1", "replica-read-only no"}}},
      {"dynamic-hz",
       {"no",
        [](EngineFixture& server) {
          for (int i = 0; i < 3000; ++i) server.open();
          server.tick();
          return server.run("INFO", "server");
        }}},
  };
  return kEffects;
}

// Of these an engine without a process around it shows nothing.
const std::map<std::string, std::string>& elsewhere() {
  static const std::map<std::string, std::string> kElsewhere = [] {
    std::map<std::string, std::string> all;
    const auto add = [&](const std::string& where, const std::string& names) {
      for (const std::string& name : words_of(names)) all[name] = where;
    };
    add("replication: read by the machines of src/server and src/replication when they use it",
        "primaryuser primaryauth replica-serve-stale-data replica-lazy-flush "
        "replica-ignore-disk-write-errors replica-priority replica-announced replica-announce-ip "
        "replica-announce-port repl-diskless-sync repl-diskless-sync-delay "
        "repl-diskless-sync-max-replicas repl-disable-tcp-nodelay repl-ping-replica-period "
        "repl-timeout repl-backlog-size repl-backlog-ttl propagation-error-behavior "
        "min-replicas-to-ack min-replicas-to-ack-timeout");
    add("the bus is told all of its settings after any change (ClusterBus::follow_settings)",
        "cluster-node-timeout cluster-ping-interval cluster-replica-no-failover "
        "cluster-replica-validity-factor cluster-migration-barrier "
        "cluster-allow-replica-migration cluster-manual-failover-timeout "
        "cluster-replicas-per-shard "
        "cluster-require-full-coverage cluster-allow-reads-when-down "
        "cluster-allow-pubsubshard-when-down cluster-link-sendbuf-limit cluster-blacklist-ttl "
        "cluster-announce-ip cluster-announce-port cluster-announce-tls-port "
        "cluster-announce-bus-port cluster-announce-hostname cluster-announce-human-nodename "
        "cluster-announce-client-ipv4 cluster-announce-client-ipv6 "
        "cluster-preferred-endpoint-type");
    add("engine/cluster_test: SLOT-STATS", "cluster-slot-stats-enabled");
    add("sim/balance_test, system/balance_test", "cluster-rebalance");
    add("unit/cluster/migration, system/slot_moves_test",
        "cluster-slot-migration-handoff-max-lag-bytes cluster-slot-migration-write-pause-timeout "
        "cluster-slot-migration-log-max-len");
    add("engine/warm_gate_test: of a gate that is closed, and of keys that are walked",
        "warm-gate-fraction warm-gate-deadline warm-hot-keys");
    add("engine/version_test: the life of a tombstone", "version-tombstone-seconds");
    add("system/server_test: permissions of files", "data-file-mode");
    add("documented: read at the start", "cluster-seeds cluster-expected-size");
    add("eviction_test, expire_test: decided by chance or by time",
        "maxmemory-samples maxmemory-eviction-tenacity lfu-decay-time active-expire-effort "
        "lazyfree-lazy-eviction lazyfree-lazy-server-del lazyfree-lazy-user-del "
        "lazyfree-lazy-user-flush "
        "lazyexpire-nested-arbitrary-keys");
    add("scripting_test, tracking_test, server_test, key_test",
        "busy-reply-threshold tracking-table-max-keys latency-monitor-threshold maxmemory-clients "
        "locale-collate list-compress-depth client-output-buffer-limit "
        "commandlog-request-larger-than commandlog-large-request-max-len");
    add("sockets: src/net reads it when it uses it, or hears of it",
        "bind bind-source-addr port timeout tcp-keepalive protected-mode "
        "max-new-connections-per-cycle client-query-buffer-limit io-uring io-uring-wait "
        "unixsocket unixsocketperm unixsocketgroup tcp-backlog socket-mark-id");
    add("persistence: read when something is written or loaded",
        "save dbfilename rdb-version-check rdb-save-incremental-fsync rdb-del-sync-files "
        "rdb-key-save-delay key-load-delay loading-process-events-interval-bytes "
        "stop-writes-on-bgsave-error appendonly appendfsync no-appendfsync-on-rewrite "
        "auto-aof-rewrite-percentage auto-aof-rewrite-min-size aof-load-truncated "
        "aof-use-rdb-preamble aof-timestamp-enabled aof-rewrite-incremental-fsync "
        "aof-disable-auto-gc");
    add("the process: log, title, signals, memory of the system",
        "loglevel log-format log-timestamp-format dir crash-log-enabled use-exit-on-panic "
        "proc-title-template oom-score-adj oom-score-adj-values shutdown-timeout "
        "shutdown-on-sigint shutdown-on-sigterm jemalloc-bg-thread");
    return all;
  }();
  return kElsewhere;
}

void set(EngineFixture& server, const std::string& name, const std::string& value) {
  CAPTURE(name);
  REQUIRE(server.run("CONFIG", "SET", name, value) == "+OK\r\n");
}

}  // namespace

TEST_CASE("a parameter that is set at run time has its effect at once") {
  for (const auto& [name, effect] : effects()) {
    CAPTURE(name);
    const auto see = [&](bool changed) {
      EngineFixture server;
      test::FakeReplica replica;
      server.engine().services().replica = &replica;
      if (name == "replica-ignore-maxmemory") server.engine().set_following(true);
      for (const std::string& line : effect.before)
        set(server, words_of(line)[0], words_of(line)[1]);
      if (changed) set(server, name, effect.value);
      return effect.probe(server);
    };
    CHECK(see(false) != see(true));
  }
}

TEST_CASE("every parameter that can be set at run time is known to have an effect") {
  for (const config::Section& section : config::sections()) {
    for (const config::Parameter& p : section.parameters) {
      const std::string name(p.name);
      CAPTURE(name);
      const bool settable =
          !config::has(p.flags, config::Flag::kImmutable) && p.type.kind != config::Kind::kLines;
      const bool known = effects().contains(name) || elsewhere().contains(name);
      if (config::has(p.flags, config::Flag::kNoEffect)) {
        CHECK_FALSE(known);
      } else if (settable) {
        CHECK(known);
        CHECK_FALSE((effects().contains(name) && elsewhere().contains(name)));
      }
    }
  }
}
