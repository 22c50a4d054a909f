#include "src/replication/handshake.h"

#include <doctest/doctest.h>

#include <functional>

using namespace hearth::replication;

namespace {

const std::string kId(40, 'a');

Handshake::Hello full_hello() {
  Handshake::Hello hello;
  hello.user = "joe";
  hello.password = "secret";
  hello.port = 7000;
  hello.address = "10.0.0.1";
  hello.replication_id = kId;
  hello.next_offset = 101;
  return hello;
}

std::string words(std::initializer_list<std::string> list) {
  std::string out = "*" + std::to_string(list.size()) + "\r\n";
  for (const std::string& word : list)
    out += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  return out;
}

// Says OK to everything in front of PSYNC.
void go_to_psync(Handshake& handshake) {
  std::string out = handshake.begin();
  while (out.find("PSYNC") == std::string::npos) out = handshake.hear("+OK");
}

}  // namespace

TEST_CASE("a replica introduces itself line by line") {
  Handshake handshake(full_hello());
  CHECK(handshake.begin() == words({"PING"}));
  CHECK(handshake.hear("+PONG") == words({"AUTH", "joe", "secret"}));
  CHECK(handshake.hear("+OK") == words({"REPLCONF", "listening-port", "7000"}));
  CHECK(handshake.hear("+OK") == words({"REPLCONF", "ip-address", "10.0.0.1"}));
  CHECK(handshake.hear("-ERR an old primary") ==
        words({"REPLCONF", "capa", "eof", "capa", "psync2"}));
  CHECK(handshake.hear("+OK") == words({"REPLCONF", "version", std::string(kReplicaVersion)}));
  CHECK(handshake.hear("-ERR Unrecognized REPLCONF option: version") ==
        words({"PSYNC", kId, "101"}));
  CHECK(handshake.end() == Handshake::End::kNone);
  CHECK(handshake.hear("+CONTINUE").empty());
  CHECK(handshake.end() == Handshake::End::kContinue);
  CHECK(handshake.id().empty());
}

TEST_CASE("who has no stream and no password asks for everything at once") {
  Handshake::Hello hello;
  hello.port = 1;
  Handshake handshake(hello);
  CHECK(handshake.begin() == words({"PING"}));
  CHECK(handshake.hear("-NOAUTH Authentication required.") ==
        words({"REPLCONF", "listening-port", "1"}));
  static_cast<void>(handshake.hear("+OK"));
  static_cast<void>(handshake.hear("+OK"));
  CHECK(handshake.hear("+OK") == words({"PSYNC", "?", "-1"}));
  static_cast<void>(handshake.hear("+FULLRESYNC " + kId + " 4711"));
  CHECK(handshake.end() == Handshake::End::kFull);
  CHECK(handshake.id() == kId);
  CHECK(handshake.offset() == 4711);
}

TEST_CASE("the answers to PSYNC that end a handshake otherwise") {
  const auto after = [](const std::string& line) {
    Handshake handshake(full_hello());
    go_to_psync(handshake);
    static_cast<void>(handshake.hear(line));
    return handshake;
  };
  const std::string other(40, 'b');
  CHECK(after("+CONTINUE " + other).id() == other);
  CHECK(after("-NOMASTERLINK not now").end() == Handshake::End::kLater);
  CHECK(after("-LOADING wait").end() == Handshake::End::kLater);
  for (const std::string& line :
       {std::string("-ERR unknown command"), std::string("+FULLRESYNC short 1"),
        "+FULLRESYNC " + kId + " x", "+FULLRESYNC " + kId + " -5", "+FULLRESYNC " + kId,
        std::string("+CONTINUE short"), "+CONTINUE " + std::string(39, 'a') + "\r",
        "+FULLRESYNC " + std::string(40, 'z') + " 1", std::string(100'000, 'x'),
        std::string("hello")}) {
    CAPTURE(line);
    const Handshake handshake = after(line);
    CHECK(handshake.end() == Handshake::End::kRefused);
    CHECK_FALSE(handshake.error().empty());
    CHECK(handshake.error().size() < 300);
    CHECK(handshake.error().find('\r') == std::string::npos);
  }
}

TEST_CASE("a primary that refuses the greeting or the password is told apart") {
  Handshake ping(full_hello());
  static_cast<void>(ping.begin());
  static_cast<void>(ping.hear("-MISCONF"));
  CHECK(ping.end() == Handshake::End::kRefused);
  CHECK(ping.error() == "Error reply to PING from primary: '-MISCONF'");

  Handshake auth(full_hello());
  static_cast<void>(auth.begin());
  static_cast<void>(auth.hear("+PONG"));
  static_cast<void>(auth.hear("-WRONGPASS no"));
  CHECK(auth.end() == Handshake::End::kRefused);
  CHECK(auth.error() == "Unable to AUTH to PRIMARY: -WRONGPASS no");
}

TEST_CASE("a snapshot is announced by its length or by its end mark") {
  const auto sized = parse_snapshot_header("$1234");
  REQUIRE(sized.has_value());
  CHECK(sized->bytes == 1234);
  const auto marked = parse_snapshot_header("$EOF:" + kId);
  REQUIRE(marked.has_value());
  CHECK_FALSE(marked->bytes.has_value());
  CHECK(marked->mark == kId);
  for (const char* line : {"", "$", "$-1", "$x", "$EOF:short", "+OK", "123"}) {
    CAPTURE(line);
    CHECK_FALSE(parse_snapshot_header(line).has_value());
  }
}

TEST_CASE("a replica that is to take over is asked with the PSYNC") {
  Handshake::Hello hello = full_hello();
  hello.asks_takeover = true;
  Handshake handshake(hello);
  std::string out = handshake.begin();
  while (out.find("PSYNC") == std::string::npos) out = handshake.hear("+OK");
  CHECK(out == words({"PSYNC", kId, "101", "FAILOVER"}));
}

TEST_CASE("replicas of Valkey 8 and later, and of hearth, follow open slots") {
  CHECK(takes_open_slots(kReplicaVersion));
  CHECK(takes_open_slots("8.0.0"));
  CHECK(takes_open_slots("10.1"));
  CHECK_FALSE(takes_open_slots("7.2.255"));
  CHECK_FALSE(takes_open_slots(""));
  CHECK_FALSE(takes_open_slots("new"));
}
