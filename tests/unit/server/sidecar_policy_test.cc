#include "src/server/sidecar_policy.h"

#include <doctest/doctest.h>

#include "src/server/line_log.h"
#include "src/server/warm_sidecar.h"

using namespace hearth;
using State = SidecarPolicy::State;

namespace {

// Each start fails at once.
seconds pause_after(SidecarPolicy& policy, MonoTime& now) {
  policy.started(now);
  policy.ended(3, 0, now);
  const seconds pause = policy.pause();
  now = now + pause;
  return pause;
}

}  // namespace

TEST_CASE("a loader that fails for want of a database or a node is started again, ever later") {
  MonoTime now{1'000'000};
  SidecarPolicy policy(now);
  CHECK(policy.is_due(now));
  std::vector<std::int64_t> pauses;
  for (int i = 0; i < 9; ++i) pauses.push_back(pause_after(policy, now).count());
  CHECK(pauses == std::vector<std::int64_t>{1, 2, 4, 8, 16, 32, 60, 60, 60});
  CHECK(policy.runs() == 9);
  CHECK(policy.is_due(now));
  CHECK_FALSE(policy.is_due(MonoTime{now.us - 1}));
  // It worked for a while: the next pause is short again.
  policy.started(now);
  CHECK_FALSE(policy.is_due(now));
  CHECK(policy.state_name() == "running");
  policy.ended(4, 0, now + seconds{61});
  CHECK(policy.pause() == seconds{1});
  CHECK(policy.state() == State::kWaiting);
}

TEST_CASE("the exit code decides whether the loader is started again") {
  const auto after = [](std::int64_t code, int signal) {
    SidecarPolicy policy(MonoTime{1});
    policy.started(MonoTime{1});
    policy.ended(code, signal, MonoTime{2});
    return policy.state();
  };
  CHECK(after(0, 0) == State::kDone);
  CHECK(after(1, 0) == State::kDone);
  CHECK(after(2, 0) == State::kFailed);
  CHECK(after(3, 0) == State::kWaiting);
  CHECK(after(4, 0) == State::kWaiting);
  CHECK(after(5, 0) == State::kFailed);
  CHECK(after(6, 0) == State::kFailed);
  CHECK(after(130, 0) == State::kWaiting);
  CHECK(after(0, 9) == State::kWaiting);
  SidecarPolicy never(MonoTime{1});
  never.not_started(MonoTime{1});
  CHECK(never.state_name() == "waiting");
  CHECK(never.runs() == 0);
  CHECK_FALSE(never.is_due(MonoTime{1}));
}

TEST_CASE("the loader is sent to the server's socket, or to an address that it listens on") {
  config::Settings s;
  s.warm = "/etc/m.toml";
  s.port = 7001;
  const auto target = [&] { return sidecar_arguments(s, "/data").back(); };
  CHECK(sidecar_arguments(s, "/data") == std::vector<std::string>{"cache-warm", "warm",
                                                                  "/etc/m.toml", "--target",
                                                                  "127.0.0.1:7001"});
  s.bind = {"-::*", "10.0.0.7"};
  CHECK(target() == "[::1]:7001");
  s.bind = {"10.0.0.7", "127.0.0.1"};
  CHECK(target() == "10.0.0.7:7001");
  s.bind = {"-fe80::1"};
  CHECK(target() == "[fe80::1]:7001");
  s.unixsocket = "run/hearth.sock";
  CHECK(target() == "unix:/data/run/hearth.sock");
  s.unixsocket = "/run/hearth.sock";
  CHECK(target() == "unix:/run/hearth.sock");
  s.cluster_enabled = true;
  CHECK(target() == "[fe80::1]:7001");
  s.port = 0;
  CHECK(target() == "unix:/run/hearth.sock");
}

TEST_CASE("lines of the loader are cut, cleaned and counted") {
  std::vector<std::string> lines;
  LineLog log([&](std::string_view line) { lines.emplace_back(line); });
  MonoTime now{10'000'000};
  log.add("one\r\ntwo\x1b[2J\n\nthr", now);
  log.add("ee\n", now);
  CHECK(lines == std::vector<std::string>{"one", "two?[2J", "three"});
  lines.clear();
  log.add(std::string(5000, 'x') + "\n", now);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].size() == LineLog::kLineBytesMost);
  lines.clear();
  now = now + seconds{1};
  for (int i = 0; i < 100; ++i) log.add("line\n", now);
  CHECK(lines.size() == LineLog::kLinesPerSecond);
  log.add("later\nlast", now + seconds{1});
  CHECK(lines[LineLog::kLinesPerSecond] == "(80 more lines)");
  CHECK(lines.back() == "later");
  log.end(now + seconds{1});
  CHECK(lines.back() == "last");
}
