// Every counter and every gauge of INFO moves: what an engine alone can show is shown here, and
// what only other parts of the server can is told with where it is looked at.
#include "src/metrics/figures.h"

#include <doctest/doctest.h>

#include "src/command/cluster_control.h"
#include "src/command/migration_control.h"
#include "src/command/reclaimer.h"
#include "src/metrics/info_text.h"
#include "src/server/follower.h"
#include "src/server/persistence.h"
#include "src/server/replication.h"
#include "tests/support/engine_fixture.h"
#include "tests/support/fake_persistence.h"
#include "tests/support/figure_watch.h"
#include "tests/support/figures_elsewhere.h"

using namespace hearth;
using hearth::test::EngineFixture;
using hearth::test::FakeReplication;
using hearth::test::FigureWatch;

namespace {

// --- what surrounds the engine ---

// Keeps what it is given until it is told to free it.
class HoldingReclaimer final : public Reclaimer {
 public:
  void reclaim(Garbage garbage) override { pending_ += garbage.object_count(); }
  [[nodiscard]] std::uint64_t pending_objects() const override { return pending_; }
  [[nodiscard]] std::uint64_t freed_objects() const override { return freed_; }
  void reset_freed() override { freed_ = 0; }
  void free_all() { freed_ += std::exchange(pending_, 0); }

 private:
  std::uint64_t pending_ = 0, freed_ = 0;
};

class Links final : public ClusterControl {
 public:
  std::optional<cluster::AdminReply> administer(cluster::AdminRequest, Later) override {
    return std::nullopt;
  }
  cluster::ViewPtr view() override { return nullptr; }
  std::vector<cluster::LinkInfo> links() override { return all; }
  void drop_messages(int) override {}
  void close_on_drop(bool) override {}
  bool cut_links(const NodeId&, cluster::LinkSide) override { return false; }

  std::vector<cluster::LinkInfo> all;
};

class Sockets final : public MigrationControl {
 public:
  void start(Job, std::function<void(JobResult)>) override {}
  [[nodiscard]] std::uint64_t cached_connections() const override { return cached; }
  std::uint64_t cached = 0;
};

class EndingServer final : public ServerControl {
 public:
  Outcome shutdown(const ShutdownRequest&, Session&) override { return {}; }
  std::optional<milliseconds> shutdown_left() const override { return left; }
  void stand_still(microseconds) override {}
  void crash(std::string_view) override { std::abort(); }
  Result<std::string> read_text(const std::string&) override { return ""; }
  Result<void> replace_text(const std::string&, std::string_view) override { return {}; }
  std::string secret_hex(std::size_t length) override { return std::string(length, 'a'); }
  Result<void> rewrite_config(RewriteExtent) override { return {}; }
  std::optional<milliseconds> left;
};

class Backlog final : public FakeReplication {
 public:
  std::uint64_t backlog_bytes() const override { return bytes; }
  std::uint64_t bytes = 0;
};

// A counter of nanoseconds that moves whenever it is read, by 2 ms.
std::uint64_t moving_ticks() {
  static std::uint64_t ticks = 0;
  return ticks += 2'000'000;
}

ProcessFacts::Cpu moving_cpu() {
  static double spent = 0;
  spent += 1;
  return {spent, spent, spent, spent, spent, spent};
}

// --- what is done, and looked at before and after ---

EngineFixture::Options options() {
  EngineFixture::Options options;
  options.ticks = moving_ticks;
  options.facts.cpu = moving_cpu;
  options.config = {{"enable-debug-command", "yes"}};
  return options;
}

class Scene {
 public:
  explicit Scene(FigureWatch& watch) : watch_(watch) {
    watch_.begin();
    look();
  }
  void look() { watch_.look(*server.engine().services().info); }
  // By a client of its own, which leaves its replies where they are.
  Session& client(std::initializer_list<std::string_view> words) {
    Session& session = server.open();
    run_as(session, words);
    return session;
  }
  void run_as(Session& session, std::initializer_list<std::string_view> words) {
    server.engine().execute(session, std::vector<std::string_view>(words));
  }
  EngineFixture server{options()};

 private:
  FigureWatch& watch_;
};

void clients_come_and_wait(FigureWatch& watch) {
  Scene scene(watch);
  EngineFixture& server = scene.server;
  server.session().query_bytes = 1000;  // the network's part
  scene.client({"BLPOP", "k", "10"});
  server.run("XGROUP", "CREATE", "stream", "g", "$", "MKSTREAM");
  scene.client({"XREADGROUP", "GROUP", "g", "c", "BLOCK", "0", "STREAMS", "stream", ">"});
  scene.client({"SUBSCRIBE", "channel"});
  scene.client({"PSUBSCRIBE", "pattern*"});
  scene.client({"SSUBSCRIBE", "shard"});
  scene.client({"WATCH", "k"});
  Session& tracking = scene.client({"HELLO", "3"});
  scene.run_as(tracking, {"CLIENT", "TRACKING", "ON"});
  scene.run_as(tracking, {"GET", "k"});
  Session& broadcast = scene.client({"HELLO", "3"});
  scene.run_as(broadcast, {"CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "p"});
  scene.look();
}

void time_passes(FigureWatch& watch) {
  Scene scene(watch);
  EngineFixture& server = scene.server;
  server.run("CONFIG", "SET", "hz", "20");
  for (int i = 0; i < 40; ++i) {
    server.run("PING");
    server.engine().end_turn(microseconds(5));
    server.advance(milliseconds(100));
    server.tick();
  }
  scene.look();
  server.advance(std::chrono::duration_cast<milliseconds>(std::chrono::hours(49)));
  scene.look();
}

void keys_expire(FigureWatch& watch) {
  Scene scene(watch);
  EngineFixture& server = scene.server;
  server.run("SET", "there", "v");
  server.run("GET", "there");
  for (int i = 0; i < 2000; ++i) server.run("SET", "k" + std::to_string(i), "v", "PX", "10");
  server.run("HSET", "hash", "f", "v", "other", "v");
  server.run("HPEXPIRE", "hash", "10", "FIELDS", "1", "f");
  scene.look();
  server.advance(milliseconds(20));
  server.run("HGET", "hash", "f");
  for (int i = 0; i < 100; ++i) {
    server.tick();
    scene.look();
  }
}

void memory_runs_short(FigureWatch& watch) {
  Scene scene(watch);
  EngineFixture& server = scene.server;
  server.run("SET", "large", std::string(40'000'000, 'x'));
  for (int i = 0; i < 100; ++i) server.run("SET", "k" + std::to_string(i), std::string(5000, 'x'));
  scene.look();
  server.run("CONFIG", "SET", "maxmemory", "1");
  server.run("SET", "k", "v");  // refused: no policy
  server.advance(seconds(1));
  scene.look();
  server.run("CONFIG", "SET", "maxmemory", "0");
  const std::uint64_t used = server.engine().reports().memory_figures().total;
  server.run("CONFIG", "SET", "maxmemory-policy", "allkeys-random");
  server.run("CONFIG", "SET", "maxmemory", std::to_string(used - 10'000));
  server.run("SET", "k", "v");
  scene.look();
  server.run("CONFIG", "SET", "maxmemory", "0");
}

void clients_take_too_much(FigureWatch& watch) {
  Scene scene(watch);
  EngineFixture& server = scene.server;
  server.run("SET", "big", std::string(100'000, 'x'));
  server.run("CONFIG", "SET", "client-output-buffer-limit", "normal 250000 0 0");
  Session& limited = server.open();
  for (int i = 0; i < 5 && !limited.close_now; ++i) scene.run_as(limited, {"GET", "big"});
  server.run("CONFIG", "SET", "client-output-buffer-limit", "normal 0 0 0");
  server.run("CONFIG", "SET", "maxmemory-clients", "1000000");
  Session& evicted = server.open();
  for (int i = 0; i < 40 && !evicted.close_now; ++i) scene.run_as(evicted, {"GET", "big"});
  server.run("CONFIG", "SET", "maxmemory-clients", "0");
  Session& fitted = scene.client({"GET", "big"});
  scene.look();
  fitted.out.consume(fitted.out.size());
  for (int i = 0; i < 20; ++i) {
    server.advance(seconds(1));
    server.tick();
  }
  scene.look();
  for (Session* session : {&limited, &evicted, &fitted}) server.engine().close(*session);
}

void scripts_are_kept(FigureWatch& watch) {
  Scene scene(watch);
  EngineFixture& server = scene.server;
  for (int i = 0; i < 501; ++i) server.run("EVAL", "return " + std::to_string(i), "0");
  server.run("FUNCTION", "LOAD",
             "#!lua name=lib\nredis.register_function('f', function() return 1 end)");
  server.run("FCALL", "f", "0");
  scene.look();
}

void requests_are_refused(FigureWatch& watch) {
  Scene scene(watch);
  EngineFixture& server = scene.server;
  server.run("ACL", "SETUSER", "ann", "on", "nopass", "+get", "+publish", "~a", "&c", "db=0");
  server.run("AUTH", "nobody", "wrong");
  Session& ann = scene.client({"AUTH", "ann", "x"});
  scene.run_as(ann, {"SET", "a", "v"});
  scene.run_as(ann, {"GET", "b"});
  scene.run_as(ann, {"PUBLISH", "d", "x"});
  server.run("ACL", "SETUSER", "ann", "+select");
  scene.run_as(ann, {"SELECT", "1"});
  server.session().replaying = true;
  server.run("LPUSH", "a", "v");
  server.run("GET", "a");
  server.session().replaying = false;
  scene.look();
}

void a_node_is_warmed(FigureWatch& watch) {
  EngineFixture::Options gated = options();
  gated.config.push_back({"warm-gate", "loading"});
  EngineFixture server(gated);
  watch.begin();
  watch.look(*server.engine().services().info);
  server.run("WARM", "LOADER");
  server.run("WARM", "BEGIN", "load");
  server.run("WARM", "PROGRESS", "users", "1", "2");
  server.engine().warm_gate().tell_loader("running", 1);
  server.advance(seconds(2));
  watch.look(*server.engine().services().info);
}

void others_report(FigureWatch& watch) {
  Scene scene(watch);
  EngineFixture& server = scene.server;
  Services& services = server.engine().services();
  HoldingReclaimer reclaimer;
  Links links;
  Sockets sockets;
  EndingServer process;
  Backlog backlog;
  services.reclaimer = server.engine().environment().reclaimer = &reclaimer;
  services.cluster = &links;
  services.migration = &sockets;
  services.server = &process;
  services.replication = &backlog;
  links.all = {{true, NodeId{}, UnixMillis{5}, 0}, {false, NodeId{}, UnixMillis{6}, 42}};
  sockets.cached = 1;
  process.left = milliseconds(5);
  backlog.bytes = backlog.unsent = 1000;
  server.open().replica = true;
  for (int i = 0; i < 200; ++i)
    server.run("HSET", "hash", "f" + std::to_string(i), std::string(100, 'v'));
  server.run("UNLINK", "hash");
  scene.look();
  reclaimer.free_all();
  server.engine().set_loading(true);
  scene.look();
  services.reclaimer = server.engine().environment().reclaimer = nullptr;
  services.cluster = nullptr;
  services.migration = nullptr;
  services.server = nullptr;
  services.replication = nullptr;
}

}  // namespace

TEST_CASE("every counter and gauge of INFO moves") {
  FigureWatch watch;
  clients_come_and_wait(watch);
  time_passes(watch);
  keys_expire(watch);
  memory_runs_short(watch);
  clients_take_too_much(watch);
  scripts_are_kept(watch);
  requests_are_refused(watch);
  a_node_is_warmed(watch);
  others_report(watch);
  Persistence::list_figures(watch);
  Replication::list_figures(watch);
  Follower::list_figures(watch);

  std::set<std::string_view> seen_elsewhere;
  const auto note = [&](std::span<const std::string_view> rows) {
    seen_elsewhere.insert(rows.begin(), rows.end());
  };
  note(hearth::test::kFiguresOfSockets);
  note(hearth::test::kFiguresOfTwoServers);
  note(hearth::test::kFiguresOfPersistence);
  note(hearth::test::kFiguresOfJemalloc);
  for (const std::string_view row : seen_elsewhere) {
    CAPTURE(row);
    CHECK(watch.rows().contains(row));
  }
  for (const auto& [row, kind] : watch.rows()) {
    if (kind != FigureKind::kCounter && kind != FigureKind::kGauge) continue;
    CAPTURE(row);
    CHECK((watch.has_moved(row) || seen_elsewhere.contains(row)));
  }
}

TEST_CASE("INFO shows a row as a line, a family as a line a member, and no row without a value") {
  struct Source {
    std::int64_t number = -5;
    bool has_text = false;
  };
  const FigureRow<Source> rows[] = {
      {figure::gauge("number", ""), [](const Source& s) { return s.number; }},
      {figure::memory("bytes", ""), [](const Source&) { return 2048; }},
      {figure::gauge("share", ""), [](const Source&) { return FigureValue::percent(1, 3); }},
      {figure::gauge("ratio", ""), [](const Source&) { return FigureValue::decimal(1.5, 3); }},
      {figure::text("text", ""),
       [](const Source& s) { return s.has_text ? FigureValue("x") : FigureValue(); }},
      {figure::counter("db", ""),
       [](const Source& s, FigureView& view) {
         for (const char* label : {"0", "1"}) {
           view.begin_member(label);
           view.add_part("keys", s.number);
           view.add_part("ttl", "none");
           view.end_member();
         }
       }},
  };
  InfoText text;
  Source source;
  for (const char* title : {"One", "Two"}) {
    text.begin_section(title);
    show_rows<Source>(rows, &source, text);
    source.has_text = true;
  }
  const std::string lines =
      "number:-5\r\nbytes:2048\r\nbytes_human:2.00K\r\nshare:33.33%\r\nratio:1.500\r\n";
  const std::string members = "db0:keys=-5,ttl=none\r\ndb1:keys=-5,ttl=none\r\n";
  CHECK(text.text() ==
        "# One\r\n" + lines + members + "\r\n# Two\r\n" + lines + "text:x\r\n" + members);
}
