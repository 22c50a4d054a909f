// The primary's side of replication, event by event, without sockets, files or processes.
#include "src/replication/primary_side.h"

#include <doctest/doctest.h>

#include <map>
#include <set>
#include <string>

#include "src/base/random.h"

using namespace hearth;
using namespace hearth::replication;

namespace {

const std::string kFirstName(40, '1');

// Does what the machine asks for, on peers that are strings of bytes.
class Primary {
 public:
  explicit Primary(const PrimarySettings& settings = {})
      : side(settings, [this] { return name(); }) {}

  std::string name() {
    ++names_;
    return std::string(40, static_cast<char>('0' + names_ % 10));
  }
  void step(const PrimaryEvent& event) {
    side.allow_child(!child_runs);
    perform(side.step(MonoTime{now_ms * 1000}, event));
  }
  void perform(const PrimaryActions& actions) {
    for (const auto& action : actions) {
      if (const auto* send = std::get_if<Send>(&action)) {
        sent[send->peer] += send->bytes;
      } else if (const auto* stream = std::get_if<SendStream>(&action)) {
        const std::uint64_t given =
            side.backlog()->read(stream->from, stream->bytes,
                                 [&](std::string_view piece) { sent[stream->peer] += piece; });
        CHECK(given == stream->bytes);
      } else if (const auto* file = std::get_if<SendFile>(&action)) {
        const std::string piece = files[file->peer].substr(0, file->bytes);
        files[file->peer].erase(0, piece.size());
        sent[file->peer] += piece;
        step(FilePiece{file->peer, piece.size()});
      } else if (const auto* snapshot = std::get_if<SendSnapshot>(&action)) {
        sent[snapshot->peer] += bytes_of_child;
      } else if (const auto* open = std::get_if<OpenFile>(&action)) {
        files[open->peer] = "file";
        step(FileOpened{open->peer, 4});
      } else if (const auto* drop = std::get_if<Drop>(&action)) {
        dropped[drop->peer] = drop->why;
      } else if (const auto* dismiss = std::get_if<Dismiss>(&action)) {
        dismissed.insert(dismiss->peer);
      } else if (const auto* start = std::get_if<StartSnapshot>(&action)) {
        started = *start;
        child_runs = true;
      } else if (std::holds_alternative<StopSnapshot>(action)) {
        ++stops;
        child_runs = false;
      } else if (const auto* read = std::get_if<ReadSnapshot>(&action)) {
        reads = read->on;
      } else if (const auto* note = std::get_if<Note>(&action)) {
        notes += note->text + "\n";
      }
    }
  }
  void append(std::string_view bytes) { side.append(bytes, 0); }
  // The peers' connections in the turn: all that was sent has left but for `stuck`.
  void end_turn() {
    std::vector<PeerOutput> outputs;
    for (const auto& [peer, replica] : side.peers()) {
      if (dropped.contains(peer)) continue;
      const std::uint64_t left = stuck.contains(peer) ? taken_[peer] : sent[peer].size();
      outputs.push_back({peer, sent[peer].size() - left, left});
      taken_[peer] = left;
    }
    step(TurnEnded{outputs});
  }
  void tick(std::int64_t ms) {
    now_ms += ms;
    step(Ticked{});
  }
  // A replica that speaks as hearth and redis-server do.
  void greet(PeerId peer, bool takes_eof = true) {
    Replica& replica = side.greet(peer);
    replica.takes_eof = takes_eof;
    replica.takes_psync2 = true;
    replica.port = static_cast<int>(peer);
  }
  void sync(PeerId peer, const std::string& id = "?", const std::string& offset = "-1") {
    greet(peer);
    step(SyncAsked{peer, true, id, offset});
  }
  void child_ended(bool succeeded) {
    child_runs = false;
    step(SnapshotEnded{succeeded});
  }
  std::string take(PeerId peer) { return std::exchange(sent[peer], {}); }
  ReplicaState state(PeerId peer) const { return side.peers().at(peer).state; }
  // Brings a replica online by a snapshot in a file.
  void bring_online(PeerId peer) {
    greet(peer, false);
    step(SyncAsked{peer, true, "?", "-1"});
    child_ended(true);
    CHECK(state(peer) == ReplicaState::kOnline);
    take(peer);
    taken_[peer] = 0;
  }

  PrimarySide side;
  std::int64_t now_ms = 100'000;
  bool child_runs = false, reads = false;
  int stops = 0;
  StartSnapshot started;
  std::string bytes_of_child, notes;
  std::map<PeerId, std::string> sent, files;
  std::map<PeerId, Drop::Why> dropped;
  std::set<PeerId> dismissed, stuck;

 private:
  int names_ = 0;
  std::map<PeerId, std::uint64_t> taken_;
};

PrimarySettings without_delay() {
  PrimarySettings settings;
  settings.diskless_delay = seconds{0};
  settings.timeout = seconds{10};
  return settings;
}

// 5 MB may wait for a replica, and no silence ends it.
PrimarySettings limited_output() {
  PrimarySettings settings = without_delay();
  settings.output_hard = 5'000'000;
  settings.timeout = seconds{1000};
  return settings;
}

}  // namespace

TEST_CASE("a full sync by a file: header, bytes, and then the stream from that moment on") {
  PrimarySettings settings = without_delay();
  settings.diskless = false;
  Primary primary(settings);
  primary.sync(1);
  CHECK_FALSE(primary.started.direct);
  CHECK(primary.take(1) == "+FULLRESYNC " + kFirstName + " 0\r\n");
  CHECK(primary.side.takes_fresh_start());
  CHECK_FALSE(primary.side.takes_fresh_start());
  primary.append("one");
  primary.end_turn();
  CHECK(primary.take(1).empty());
  primary.child_ended(true);
  CHECK(primary.take(1) == "$4\r\nfileone");
  CHECK(primary.state(1) == ReplicaState::kOnline);
  primary.append("two");
  primary.end_turn();
  CHECK(primary.take(1) == "two");
}

TEST_CASE("a full sync without a file waits for the first acknowledgement") {
  Primary primary(without_delay());
  primary.sync(1);
  CHECK(primary.started.direct);
  CHECK(primary.reads);
  const std::string mark(40, '2');
  CHECK(primary.take(1) == "+FULLRESYNC " + kFirstName + " 0\r\n$EOF:" + mark + "\r\n");
  primary.bytes_of_child = "data";
  primary.step(SnapshotBytes{"data"});
  primary.append("one");
  primary.child_ended(true);
  CHECK(primary.take(1) == "data" + mark);
  CHECK(primary.state(1) == ReplicaState::kAwaitAck);
  primary.end_turn();
  CHECK(primary.take(1).empty());
  primary.step(Acknowledged{1, 0, {}});
  CHECK(primary.take(1) == "one");
}

TEST_CASE("replicas that come while the delay runs share a snapshot; others wait for the next") {
  PrimarySettings settings;
  settings.diskless_delay = seconds{5};
  Primary primary(settings);
  primary.sync(1);
  primary.tick(4000);
  CHECK_FALSE(primary.child_runs);
  primary.sync(2);
  primary.tick(1000);
  REQUIRE(primary.child_runs);
  CHECK(primary.state(2) == ReplicaState::kSaving);
  primary.sync(3);
  CHECK(primary.state(3) == ReplicaState::kWaiting);
  primary.child_ended(true);
  primary.tick(5000);
  CHECK(primary.state(3) == ReplicaState::kSaving);
  settings.diskless_max_replicas = 1;
  Primary eager(settings);
  eager.sync(1);
  CHECK(eager.child_runs);
}

TEST_CASE("a replica that was away goes on where it was, if the backlog has it") {
  PrimarySettings settings = without_delay();
  settings.backlog_bytes = 10;
  Primary primary(settings);
  primary.bring_online(1);
  const std::string id = primary.side.id();
  primary.append("0123456789abcdef");
  primary.step(PeerClosed{1});
  struct Case {
    std::string id, offset;
    bool accepted;
  };
  const Case cases[] = {{id, "7", true},    {id, "6", false},
                        {id, "17", true},   {id, "18", false},
                        {id, "-1", false},  {id, "0", false},
                        {id, "x", false},   {id, "", false},
                        {"?", "-1", false}, {std::string(40, 'f'), "17", false}};
  PeerId peer = 10;
  for (const Case& c : cases) {
    CAPTURE(c.id);
    CAPTURE(c.offset);
    ++peer;
    primary.sync(peer, c.id, c.offset);
    CHECK((primary.state(peer) == ReplicaState::kOnline) == c.accepted);
    if (c.accepted) {
      CHECK(primary.take(peer) ==
            "+CONTINUE " + id + "\r\n" +
                std::string("0123456789abcdef").substr(std::stoul(c.offset) - 1));
    }
    primary.step(PeerClosed{peer});
    primary.child_runs = false;
  }
}

TEST_CASE("replicas are fed from the moment that their snapshot shows") {
  Primary primary(without_delay());
  CHECK(primary.side.fed_replicas() == 0);
  primary.bring_online(1);
  CHECK(primary.side.fed_replicas() == 1);
  primary.sync(2, "?", "-1");
  CHECK(primary.side.fed_replicas() == 2);
  primary.step(PeerClosed{1});
  CHECK(primary.side.fed_replicas() == 1);
  // The stream that it gets then is that of this server's own primary.
  static_cast<void>(primary.side.follow());
  CHECK(primary.side.fed_replicas() == 0);
}

TEST_CASE("a request that can't be met is told in the log without its length and its line ends") {
  Primary primary(without_delay());
  primary.bring_online(1);
  primary.notes.clear();
  primary.sync(2, primary.side.id(), std::string(100'000, 'x') + "\r\nforged line");
  CHECK(primary.notes.size() < 1000);
  CHECK(primary.notes.find("forged") == std::string::npos);
}

TEST_CASE("whatever a replica acknowledges, it has no more than there is") {
  Primary primary(without_delay());
  primary.bring_online(1);
  primary.append("abc");
  primary.step(Acknowledged{1, UINT64_MAX, UINT64_MAX});
  CHECK(primary.side.replicas_at(3, true) == 1);
  CHECK(primary.side.replicas_at(4, false) == 0);
  CHECK(primary.side.confirmed_by(1) >= 3);
  CHECK(primary.side.confirmed_by(2) == 0);  // there is one
}

TEST_CASE("each state ends by its time-out") {
  PrimarySettings settings = without_delay();
  settings.ping_period = seconds{1000};
  const auto check_time_out = [&](Primary& primary, const std::string& why) {
    for (int i = 0; i < 12 && primary.dropped.empty(); ++i) {
      primary.end_turn();
      primary.tick(1000);
    }
    REQUIRE(primary.dropped.contains(1));
    CHECK(primary.dropped[1] == Drop::Why::kTimeout);
    CHECK(primary.notes.find(why) != std::string::npos);
  };
  SUBCASE("waiting, and taking no sign of life") {
    Primary primary(settings);
    primary.child_runs = true;
    primary.sync(1);
    primary.stuck = {1};
    check_time_out(primary, "(full sync)");
  }
  SUBCASE("a direct snapshot: the child is let go of") {
    Primary primary(settings);
    primary.sync(1);
    primary.stuck = {1};
    check_time_out(primary, "(full sync)");
    CHECK(primary.stops == 1);
    CHECK_FALSE(primary.child_runs);
    // The next one gets its own.
    primary.sync(2);
    CHECK(primary.state(2) == ReplicaState::kSaving);
  }
  SUBCASE("sending a file") {
    Primary primary(settings);
    primary.greet(1, false);
    primary.step(SyncAsked{1, true, "?", "-1"});
    primary.stuck = {1};
    primary.files[1] = std::string(3'000'000, 'f');
    primary.step(FileOpened{1, 3'000'000});
    CHECK(primary.state(1) == ReplicaState::kSending);
    check_time_out(primary, "(full sync)");
  }
  SUBCASE("no acknowledgement of the snapshot") {
    Primary primary(settings);
    primary.sync(1);
    primary.child_ended(true);
    check_time_out(primary, "(full sync)");
  }
  SUBCASE("no acknowledgement of the stream") {
    Primary primary(settings);
    primary.bring_online(1);
    check_time_out(primary, "(streaming sync)");
  }
  SUBCASE("a replica that never acknowledges, once it takes nothing") {
    Primary primary(settings);
    primary.greet(1, false);
    primary.step(SyncAsked{1, false, "", ""});
    primary.child_ended(true);
    REQUIRE(primary.state(1) == ReplicaState::kOnline);
    for (int i = 0; i < 30; ++i) {
      primary.end_turn();
      primary.tick(1000);
    }
    CHECK(primary.dropped.empty());
    primary.stuck = {1};
    primary.append("more");
    check_time_out(primary, "(streaming sync)");
  }
}

TEST_CASE("the slowest replica of a direct snapshot sets the pace, until it is dropped") {
  PrimarySettings settings = without_delay();
  Primary primary(settings);
  settings.diskless_delay = seconds{5};
  primary.side.change_settings(settings);
  primary.sync(1);
  primary.sync(2);
  primary.tick(5000);
  primary.stuck = {1};
  primary.bytes_of_child = std::string(700'000, 'd');
  primary.step(SnapshotBytes{primary.bytes_of_child});
  primary.end_turn();
  CHECK(primary.reads);
  primary.step(SnapshotBytes{primary.bytes_of_child});
  primary.end_turn();
  CHECK_FALSE(primary.reads);
  for (int i = 0; i < 12; ++i) {
    primary.tick(1000);
    primary.end_turn();
  }
  CHECK(primary.dropped.contains(1));
  CHECK_FALSE(primary.dropped.contains(2));
  CHECK(primary.reads);
  CHECK(primary.stops == 0);
}

TEST_CASE("the stream stands once for all replicas, and as far as the slowest needs it") {
  PrimarySettings settings = without_delay();
  settings.backlog_bytes = 100'000;
  settings.timeout = seconds{1000};
  Primary primary(settings);
  for (PeerId peer = 1; peer <= 10; ++peer) primary.bring_online(peer);
  primary.stuck = {1, 2, 3, 4, 5};
  const std::string piece(100'000, 's');
  for (int i = 0; i < 200; ++i) {
    primary.append(piece);
    primary.end_turn();
  }
  constexpr std::uint64_t kAll = 200 * 100'000;
  CHECK(primary.side.backlog()->memory_bytes() < kAll + 100'000);
  CHECK(primary.side.backlog()->held() == 100'000);
  for (PeerId peer = 1; peer <= 5; ++peer) CHECK(primary.sent[peer].size() <= 1024 * 1024);
  for (PeerId peer = 6; peer <= 10; ++peer) CHECK(primary.sent[peer].size() == kAll);
  // They get all of it once they read again, and the memory is given back.
  primary.stuck.clear();
  for (int i = 0; i < 40; ++i) primary.end_turn();
  for (PeerId peer = 1; peer <= 5; ++peer) CHECK(primary.sent[peer].size() == kAll);
  primary.end_turn();
  CHECK(primary.side.backlog()->memory_bytes() < 200'000);
}

TEST_CASE("the hard output limit bounds what waits for a replica that is online") {
  Primary primary(limited_output());
  primary.bring_online(1);
  primary.stuck = {1};
  for (int i = 0; i < 51; ++i) {
    primary.append(std::string(100'000, 's'));
    primary.end_turn();
    CHECK(primary.dropped.contains(1) == (i >= 50));
  }
  CHECK(primary.dropped[1] == Drop::Why::kOutputLimit);
}

TEST_CASE("the hard output limit bounds what waits while the snapshot is written") {
  Primary primary(limited_output());
  primary.sync(1);
  primary.append(std::string(5'000'001, 's'));
  primary.end_turn();
  CHECK(primary.dropped[1] == Drop::Why::kOutputLimit);
  CHECK(primary.stops == 1);
}

TEST_CASE("the soft output limit bounds what waits after its time") {
  PrimarySettings settings = limited_output();
  settings.output_soft = 1000;
  settings.soft_for = seconds{3};
  Primary primary(settings);
  primary.bring_online(1);
  primary.stuck = {1};
  primary.append(std::string(2000, 's'));
  primary.end_turn();
  primary.now_ms += 3000;
  primary.end_turn();
  CHECK(primary.dropped.empty());
  primary.now_ms += 1;
  primary.end_turn();
  CHECK(primary.dropped[1] == Drop::Why::kOutputLimit);
}

TEST_CASE("a snapshot that fails, or can't be started, drops those who waited for it") {
  Primary primary(without_delay());
  primary.sync(1);
  primary.child_runs = false;
  primary.step(SnapshotFailed{"no memory"});
  CHECK(primary.dropped[1] == Drop::Why::kFailed);
  primary.sync(2);
  primary.child_ended(false);
  CHECK(primary.dropped[2] == Drop::Why::kFailed);
}

TEST_CASE("after a promotion who followed the old stream follows on, up to where it ended") {
  Primary primary(without_delay());
  const std::string old(40, 'c');
  primary.perform(primary.side.follow());
  primary.perform(primary.side.adopt(old, 100));
  primary.side.append("0123456789", 3);
  CHECK_FALSE(primary.side.wants_stream());
  primary.perform(primary.side.lead(MonoTime{primary.now_ms * 1000}));
  CHECK(primary.side.wants_stream());
  CHECK(primary.side.id2() == old);
  CHECK(primary.side.takes_fresh_start());
  primary.append("new");
  primary.sync(1, old, "111");
  CHECK(primary.take(1) == "+CONTINUE " + primary.side.id() + "\r\nnew");
  primary.sync(2, old, "112");  // it had more than the promoted one
  CHECK(primary.state(2) == ReplicaState::kSaving);
}

TEST_CASE("after a restart replicas follow on, and a replica asks to") {
  const std::string old(40, 'c');
  Primary primary(without_delay());
  primary.perform(primary.side.resume(MonoTime{1}, old, 500, 2, PrimarySide::Role::kPrimary));
  CHECK(primary.side.id() != old);
  primary.append("new");
  primary.sync(1, old, "501");
  CHECK(primary.take(1) == "+CONTINUE " + primary.side.id() + "\r\nnew");
  primary.sync(2, old, "502");
  CHECK(primary.state(2) == ReplicaState::kSaving);

  Primary replica(without_delay());
  replica.perform(replica.side.resume(MonoTime{1}, old, 500, 2, PrimarySide::Role::kReplica));
  CHECK(replica.side.id() == old);
  CHECK(replica.side.offset() == 500);
  CHECK(replica.side.stream_db() == 2);
}

TEST_CASE("a backlog without replicas is given up after its time, and the stream's name with it") {
  PrimarySettings settings = without_delay();
  settings.backlog_ttl = seconds{100};
  Primary primary(settings);
  primary.bring_online(1);
  primary.append("abc");
  const std::string id = primary.side.id();
  primary.step(PeerClosed{1});
  primary.tick(99'000);
  CHECK(primary.side.backlog().has_value());
  primary.tick(2'000);
  CHECK_FALSE(primary.side.backlog().has_value());
  CHECK(primary.side.id() != id);
  CHECK(primary.side.offset() == 3);
}

TEST_CASE("a stream that stands still is kept alive by pings; an end that is saved is not moved") {
  PrimarySettings settings = without_delay();
  settings.ping_period = seconds{2};
  Primary primary(settings);
  primary.bring_online(1);
  primary.tick(1000);
  primary.tick(1000);
  primary.end_turn();
  CHECK(primary.take(1) == "*1\r\n$4\r\nPING\r\n");
  primary.side.ask_for_acks();
  primary.end_turn();
  CHECK(primary.take(1) == "*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n");
  primary.side.freeze(true);
  const std::uint64_t offset = primary.side.offset();
  primary.side.ask_for_acks();
  primary.append("lost");
  primary.tick(5000);
  primary.end_turn();
  CHECK(primary.side.offset() == offset);
}

TEST_CASE("who wants the snapshot alone is dismissed with it") {
  Primary primary(without_delay());
  primary.greet(1, false);
  primary.side.greet(1).snapshot_only = true;
  primary.step(SyncAsked{1, false, "", ""});
  primary.append("stream");
  primary.child_ended(true);
  CHECK(primary.take(1) == "$4\r\nfile");
  CHECK(primary.dismissed.contains(1));
}

TEST_CASE("random events: replicas hear a snapshot and then every byte behind it, or are dropped") {
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    CAPTURE(seed);
    Rng rng(seed);
    PrimarySettings settings = without_delay();
    settings.backlog_bytes = 1 + rng.below(3000);
    settings.output_hard = rng.below(2) == 0 ? 0 : 50'000;
    Primary primary(settings);
    std::string all;
    PeerId next = 1;
    for (int i = 0; i < 300; ++i) {
      const PeerId peer = 1 + rng.below(next);
      switch (rng.below(12)) {
        case 0:
          if (next < 8) {
            primary.greet(next, rng.below(2) == 0);
            primary.step(SyncAsked{next, true, "?", "-1"});
            ++next;
          }
          break;
        case 1:
          if (primary.child_runs) primary.child_ended(rng.below(5) != 0);
          break;
        case 2:
          if (primary.side.peers().contains(peer))
            primary.step(Acknowledged{peer, rng.below(all.size() + 1), {}});
          break;
        case 3:
          if (rng.below(4) == 0) {
            primary.step(PeerClosed{peer});
            primary.dropped.emplace(peer, Drop::Why::kAsked);
          }
          break;
        case 4: primary.stuck.insert(peer); break;
        case 5: primary.stuck.clear(); break;
        case 6: primary.tick(static_cast<std::int64_t>(rng.below(3000))); break;
        case 7:
          primary.bytes_of_child = std::string(rng.below(400'000), 'd');
          if (primary.child_runs) primary.step(SnapshotBytes{primary.bytes_of_child});
          break;
        default: {
          if (!primary.side.backlog()) break;
          std::string piece(rng.below(3000), 'x');
          for (char& c : piece) c = static_cast<char>('a' + rng.below(26));
          all += piece;
          primary.append(piece);
        }
      }
      primary.end_turn();
      // Pings and requests for acknowledgements are part of the stream.
      if (primary.side.backlog()) {
        const std::uint64_t last = primary.side.offset();
        if (last > all.size()) all += primary.side.backlog()->from(all.size() + 1);
      }
      for (const auto& [id, replica] : primary.side.peers()) {
        if (replica.dropped || replica.state != ReplicaState::kOnline) continue;
        const std::string& sent = primary.sent[id];
        const std::size_t header = sent.find("+FULLRESYNC ") + 12 + 41;
        const std::uint64_t from = std::stoull(sent.substr(header, 20));
        REQUIRE(replica.next > from);
        const std::string heard = all.substr(from, replica.next - 1 - from);
        REQUIRE(sent.ends_with(heard));
      }
    }
  }
}
