// The replica's side of replication, event by event, without sockets or files.
#include "src/replication/replica_side.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace hearth;
using replication::Handshake;
using replication::ReplicaSide;
using State = replication::ReplicaSide::State;

namespace {

const std::string kName(40, 'a');

// Does what the machine asks for; the file is a string.
class Replica {
 public:
  Replica() {
    side.set_timeout(seconds{10});
    step(ReplicaSide::Followed{"primary", 6379});
  }
  void step(const ReplicaSide::Event& event) {
    for (const auto& action : side.step(MonoTime{now_ms * 1000}, event)) {
      if (std::holds_alternative<ReplicaSide::Connect>(action)) ++connects;
      if (std::holds_alternative<ReplicaSide::CloseLink>(action)) ++closes;
      if (const auto* bytes = std::get_if<ReplicaSide::SendLink>(&action)) sent += bytes->bytes;
      if (std::holds_alternative<ReplicaSide::OpenFile>(action)) {
        if (disk_fails) return step(ReplicaSide::FileFailed{"the disk is full"});
        file = "";
        has_file = true;
      }
      if (const auto* piece = std::get_if<ReplicaSide::WriteFile>(&action)) file += piece->bytes;
      if (const auto* cut = std::get_if<ReplicaSide::CutFile>(&action)) file.resize(cut->bytes);
      if (std::holds_alternative<ReplicaSide::DiscardFile>(action)) has_file = false;
      if (std::holds_alternative<ReplicaSide::LoadDue>(action)) load_due = true;
      if (std::holds_alternative<ReplicaSide::Acknowledge>(action)) {
        ++acks;
        side.note_acknowledged(MonoTime{now_ms * 1000});
      }
      if (std::holds_alternative<ReplicaSide::RelayComplete>(action))
        relayed += side.take_complete();
      if (const auto* name = std::get_if<ReplicaSide::ContinueAs>(&action)) continued_as = name->id;
      if (std::holds_alternative<ReplicaSide::RunStream>(action)) run();
      if (const auto* note = std::get_if<ReplicaSide::Note>(&action)) notes += note->text + "\n";
    }
  }
  void run() {
    if (must_wait) return;
    while (const auto command = side.next_command()) {
      std::string line;
      for (const auto word : command->words) line += (line.empty() ? "" : " ") + std::string(word);
      ran.push_back(command->asks_for_ack ? "(ack) " + line : line);
      if (line == "MULTI") in_multi = true;
      if (line == "EXEC") in_multi = false;
      side.command_done(in_multi);
    }
    side.end_run();
    relayed += side.take_complete();
    if (side.is_broken()) step(ReplicaSide::Lost{"protocol"});
  }
  void hear(std::string_view bytes) { step(ReplicaSide::Received{bytes}); }
  void tick(std::int64_t ms) {
    now_ms += ms;
    step(ReplicaSide::Ticked{must_wait});
  }
  void connect(const std::string& id = "", std::uint64_t next = 0) {
    if (side.state() == State::kConnect) step(ReplicaSide::TurnEnded{});
    if (side.state() == State::kConnect) tick(1000);
    Handshake::Hello hello;
    hello.replication_id = id;
    hello.next_offset = next;
    step(ReplicaSide::Connected{hello});
    for (int i = 0; i < 4; ++i) hear("+OK\r\n");
  }
  void go_online() {
    connect(kName, 1);
    hear("+CONTINUE\r\n");
    REQUIRE(side.state() == State::kConnected);
  }

  ReplicaSide side;
  std::int64_t now_ms = 100'000;
  int connects = 0, closes = 0, acks = 0;
  bool disk_fails = false, has_file = false, load_due = false, must_wait = false, in_multi = false;
  std::string sent, file, relayed, continued_as, notes;
  std::vector<std::string> ran;
};

}  // namespace

TEST_CASE("a replica connects at once, introduces itself and asks to go on where it stands") {
  Replica replica;
  CHECK(replica.connects == 0);
  replica.step(ReplicaSide::TurnEnded{});
  CHECK(replica.connects == 1);
  replica.connect(kName, 77);
  CHECK(replica.sent.ends_with("PSYNC\r\n$40\r\n" + kName + "\r\n$2\r\n77\r\n"));
  replica.hear("\n\n+CONTINUE " + std::string(40, 'b') + "\r\n*1\r\n$4\r\nPING\r\n");
  CHECK(replica.side.state() == State::kConnected);
  CHECK(replica.continued_as == std::string(40, 'b'));
  CHECK(replica.ran == std::vector<std::string>{"PING"});
  CHECK(replica.relayed == "*1\r\n$4\r\nPING\r\n");
}

TEST_CASE(
    "a snapshot comes by length or by its end mark, in any pieces, and the stream behind it") {
  const std::string stream = "*2\r\n$3\r\nDEL\r\n$1\r\na\r\n";
  const std::string mark(40, 'm');
  for (const std::string& body :
       {"$8\r\nSNAPSHOT" + stream, "\n$EOF:" + mark + "\r\nSNAPSHOT" + mark}) {
    for (std::size_t piece = 1; piece <= body.size(); ++piece) {
      CAPTURE(piece);
      Replica replica;
      replica.connect();
      const std::string all = "+FULLRESYNC " + kName + " 500\r\n" + body;
      for (std::size_t at = 0; at < all.size(); at += piece) replica.hear(all.substr(at, piece));
      REQUIRE(replica.side.state() == State::kLoad);
      CHECK(replica.load_due);
      CHECK(replica.file == "SNAPSHOT");
      CHECK(replica.side.handshake().offset() == 500);
      replica.step(ReplicaSide::Loaded{true, ""});
      CHECK(replica.side.state() == State::kConnected);
      CHECK(replica.acks == 1);
      if (body.ends_with(mark)) replica.hear(stream);
      CHECK(replica.ran == std::vector<std::string>{"DEL a"});
    }
  }
}

TEST_CASE("each state of a replica ends by its time-out, and it tries again") {
  Replica replica;
  const auto times_out = [&](State state) {
    CHECK(replica.side.state() == state);
    const int closes = replica.closes;
    replica.tick(9'999);
    CHECK(replica.side.state() == state);
    replica.tick(1);
    CHECK(replica.side.state() == State::kConnect);
    CHECK(replica.closes == closes + 1);
  };
  replica.step(ReplicaSide::TurnEnded{});
  times_out(State::kConnecting);
  replica.connect();
  times_out(State::kHandshake);
  replica.connect();
  replica.hear("+FULLRESYNC " + kName + " 1\r\n");
  times_out(State::kTransfer);
  replica.connect();
  replica.hear("+FULLRESYNC " + kName + " 1\r\n$100\r\nabc");
  CHECK(replica.has_file);
  times_out(State::kTransfer);
  CHECK_FALSE(replica.has_file);
  replica.go_online();
  times_out(State::kConnected);
}

TEST_CASE("a replica that must not run the stream does not blame the primary for its silence") {
  Replica replica;
  replica.go_online();
  replica.must_wait = true;
  replica.hear("*1\r\n$4\r\nPING\r\n");
  for (int i = 0; i < 60; ++i) replica.tick(1000);
  CHECK(replica.side.state() == State::kConnected);
  CHECK(replica.acks == 60);
  CHECK(replica.ran.empty());
  replica.must_wait = false;
  replica.step(ReplicaSide::TurnEnded{});
  CHECK(replica.ran.size() == 1);
}

TEST_CASE("data is as old as the last that was heard, whenever the end of the link was noticed") {
  Replica replica;
  replica.go_online();
  replica.hear("*1\r\n$4\r\nPING\r\n");
  const auto heard = replica.side.in_touch_at();
  CHECK(heard == MonoTime{replica.now_ms * 1000});
  replica.now_ms += 20'000;  // the process stood still
  replica.step(ReplicaSide::Lost{"killed"});
  CHECK(replica.side.in_touch_at() == heard);
  CHECK(replica.side.down_since() == MonoTime{replica.now_ms * 1000});
  replica.connect();
  CHECK(replica.side.in_touch_at() == heard);
}

TEST_CASE("lines without an end, and answers that are none, end the link") {
  for (const std::string& before : {std::string(), "+FULLRESYNC " + kName + " 1\r\n"}) {
    CAPTURE(before);
    Replica replica;
    replica.connect();
    if (!before.empty()) replica.hear(before);
    const std::string piece(10'000, 'x');
    int pieces = 0;
    for (; replica.side.state() != State::kConnect && pieces < 100; ++pieces) replica.hear(piece);
    CHECK(pieces == 7);
    CHECK(replica.side.ahead() == 0);
    CHECK(replica.notes.size() < 2000);
  }
  for (const char* header :
       {"nonsense\r\n", "$-1\r\n", "$EOF:short\r\n", "$99999999999999999999\r\n"}) {
    CAPTURE(header);
    Replica replica;
    replica.connect();
    replica.hear("+FULLRESYNC " + kName + " 1\r\n");
    replica.hear(header);
    CHECK(replica.side.state() == State::kConnect);
    CHECK_FALSE(replica.has_file);
  }
}

TEST_CASE("a disk that fails, and a snapshot that can't be loaded, end the attempt") {
  Replica replica;
  replica.disk_fails = true;
  replica.connect();
  replica.hear("+FULLRESYNC " + kName + " 1\r\n$3\r\nabc");
  CHECK(replica.side.state() == State::kConnect);
  CHECK(replica.notes.find("the disk is full") != std::string::npos);
  replica.disk_fails = false;
  replica.connect();
  replica.hear("+FULLRESYNC " + kName + " 1\r\n$3\r\nabc");
  REQUIRE(replica.side.state() == State::kLoad);
  replica.step(ReplicaSide::Loaded{false, "damaged"});
  CHECK(replica.side.state() == State::kConnect);
  CHECK_FALSE(replica.has_file);
}

TEST_CASE("a transaction is relayed when it is complete, and comes again if the link ends before") {
  Replica replica;
  replica.go_online();
  const std::string ping = "*1\r\n$4\r\nPING\r\n", multi = "*1\r\n$5\r\nMULTI\r\n",
                    exec = "*1\r\n$4\r\nEXEC\r\n";
  replica.hear(ping + multi + ping);
  CHECK(replica.relayed == ping);
  CHECK(replica.side.ahead() == multi.size() + ping.size());
  replica.hear(exec);
  CHECK(replica.relayed == ping + multi + ping + exec);
  replica.hear(multi + ping + "*1\r\n$4\r\nPI");
  replica.step(ReplicaSide::Lost{"gone"});
  CHECK(replica.relayed == ping + multi + ping + exec);
  CHECK(replica.side.ahead() == 0);
  // At once, since it was up.
  replica.step(ReplicaSide::TurnEnded{});
  CHECK(replica.connects == 2);
}

TEST_CASE("bytes that are no commands end the link; requests for an acknowledgement are not run") {
  Replica replica;
  replica.go_online();
  replica.hear("*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n");
  CHECK(replica.ran == std::vector<std::string>{"(ack) REPLCONF GETACK *"});
  CHECK(replica.relayed.size() > 30);
  replica.hear("*1\r\n!!!\r\n");
  CHECK(replica.side.state() == State::kConnect);
}

TEST_CASE("a primary that can't serve now, or refuses, is asked again after a second") {
  for (const char* answer : {"-LOADING wait\r\n", "-NOMASTERLINK\r\n", "-ERR no\r\n"}) {
    CAPTURE(answer);
    Replica replica;
    replica.connect();
    replica.hear(answer);
    CHECK(replica.side.state() == State::kConnect);
    const int connects = replica.connects;
    replica.tick(999);
    replica.step(ReplicaSide::TurnEnded{});
    CHECK(replica.connects == connects);
    replica.tick(1);
    CHECK(replica.connects == connects + 1);
  }
}

TEST_CASE("another primary, or none, ends what is under way") {
  Replica replica;
  replica.connect();
  replica.hear("+FULLRESYNC " + kName + " 1\r\n$100\r\nabc");
  const std::uint64_t attempt = replica.side.attempt();
  replica.step(ReplicaSide::Followed{"other", 1});
  CHECK_FALSE(replica.has_file);
  CHECK(replica.side.attempt() != attempt);
  CHECK(replica.side.host() == "other");
  replica.go_online();
  replica.step(ReplicaSide::Left{});
  CHECK(replica.side.state() == State::kNone);
  replica.tick(5000);
  replica.hear("*1\r\n$4\r\nPING\r\n");
  CHECK(replica.ran.empty());
}
