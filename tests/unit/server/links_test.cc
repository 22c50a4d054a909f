// The links to other servers, on streams without sockets.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "src/command/migration_control.h"
#include "src/server/migration_link.h"
#include "src/server/primary_link.h"
#include "tests/support/memory_stream.h"

using namespace hearth;
using namespace hearth::test;
using Reason = ByteStream::End::Reason;

namespace {

struct Migration {
  MemoryOpener opener;
  MigrationLink link{opener, [] {}};
  std::vector<MigrationControl::JobResult> results;

  void start(std::vector<std::vector<std::string>> preamble = {}) {
    MigrationControl::Job job;
    job.host = "10.0.0.1";
    job.port = 7000;
    job.preamble = std::move(preamble);
    job.commands = {{"SET", "a", "1"}, {"SET", "b", "2"}};
    job.timeout = milliseconds(500);
    link.start(std::move(job),
               [this](MigrationControl::JobResult r) { results.push_back(std::move(r)); });
  }
};

constexpr std::string_view kCommands =
    "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n2\r\n";
constexpr std::string_view kSelect = "*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n";

struct Heard final : PrimaryLink::Listener {
  std::vector<std::string> log;
  PrimaryLink* closes = nullptr;  // in the middle of what it hears
  void link_connected() override { log.push_back("connected"); }
  void link_received(std::string_view bytes) override {
    if (closes != nullptr) closes->close();
    log.emplace_back(bytes);
  }
  void link_lost(std::string_view why) override { log.push_back("lost: " + std::string(why)); }
};

}  // namespace

TEST_CASE("a migration sends its preamble, then its commands, however the answers are cut") {
  for (const std::size_t piece : {1UL, 2UL, 1000UL}) {
    CAPTURE(piece);
    Migration m;
    m.start({{"SELECT", "3"}});
    MemoryStream& peer = m.opener.last();
    CHECK(peer.target.host == "10.0.0.1");
    CHECK(peer.deadline == milliseconds(500));
    peer.open();
    CHECK(peer.take_sent() == kSelect);
    peer.deliver("+OK\r\n", piece);
    CHECK(peer.take_sent() == kCommands);
    peer.deliver("+OK\r\n-BUSYKEY Target key name already exists.\r\n", piece);
    REQUIRE(m.results.size() == 1);
    CHECK(m.results[0].failure.empty());
    CHECK(m.results[0].errors ==
          std::vector<std::string>{"", "BUSYKEY Target key name already exists."});
    CHECK(m.link.cached_connections() == 1);
  }
}

TEST_CASE("a channel is used again for ten seconds, and an end while it was idle is no failure") {
  Migration m;
  m.start();
  m.opener.last().open();
  CHECK(m.opener.last().take_sent() == kCommands);
  m.opener.last().deliver("+OK\r\n+OK\r\n");
  CHECK(m.opener.last().deadline == seconds(10));
  m.start();
  CHECK(m.opener.streams.size() == 1);
  CHECK(m.opener.last().take_sent() == kCommands);
  SUBCASE("the peer answers") {
    m.opener.last().deliver("+OK\r\n+OK\r\n");
    CHECK(m.results.size() == 2);
    m.opener.last().be_silent();
    CHECK(m.link.cached_connections() == 0);
    CHECK(m.results.size() == 2);
  }
  SUBCASE("the peer had closed it: the job goes on another") {
    m.opener.last().end();
    CHECK(m.results.size() == 1);
    REQUIRE(m.opener.streams.size() == 2);
    m.opener.last().open();
    m.opener.last().take_sent();
    m.opener.last().deliver("+OK\r\n+OK\r\n");
    REQUIRE(m.results.size() == 2);
    CHECK(m.results[1].failure.empty());
  }
  SUBCASE("the peer is silent: the job has failed") {
    m.opener.last().be_silent();
    REQUIRE(m.results.size() == 2);
    CHECK(m.results[1].failure == "IOERR error or timeout reading to target instance");
  }
}

TEST_CASE("each phase of a migration has its error") {
  Migration m;
  m.start();
  REQUIRE(m.opener.streams.size() == 1);
  MemoryStream& peer = m.opener.last();
  SUBCASE("connecting") {
    peer.end();
    CHECK(m.results.at(0).failure == "IOERR error or timeout connecting to the client");
  }
  SUBCASE("writing: the peer is gone before it has taken all") {
    peer.open();
    peer.end();
    CHECK(m.results.at(0).failure == "IOERR error or timeout writing to target instance");
  }
  SUBCASE("a second one meanwhile goes on a connection of its own") {
    peer.open();
    m.start();
    REQUIRE(m.opener.streams.size() == 2);
    peer.take_sent();
    peer.deliver("+OK\r\n+OK\r\n");
    CHECK(m.results.size() == 1);
  }
  SUBCASE("reading") {
    peer.open();
    peer.take_sent();
    peer.be_silent();
    CHECK(m.results.at(0).failure == "IOERR error or timeout reading to target instance");
  }
  SUBCASE("answers that are none") {
    peer.open();
    peer.take_sent();
    peer.deliver("what?\r\n");
    CHECK(m.results.at(0).failure == "IOERR error or timeout reading to target instance");
    CHECK(peer.closed);
  }
  SUBCASE("an answer too many: the job is done, the peer is not trusted with another") {
    peer.open();
    peer.take_sent();
    peer.deliver("+OK\r\n+OK\r\n+OK\r\n");
    CHECK(m.results.at(0).failure.empty());
    CHECK(peer.closed);
  }
  SUBCASE("the server ends") {
    peer.open();
    m.link.stop();
    CHECK(peer.closed);
    CHECK(m.results.empty());
  }
}

TEST_CASE("the link to a primary hands on what comes, and may be closed while it does") {
  MemoryOpener opener;
  Heard heard;
  StreamPrimaryLink link(opener, heard);
  link.send("too early");
  link.connect({"primary", 6379, "10.0.0.9", false});
  CHECK(opener.last().target.source_ip == "10.0.0.9");
  CHECK_FALSE(opener.last().target.no_delay);
  link.send("too early");
  opener.last().open();
  link.send("PING");
  CHECK(opener.last().take_sent() == "PING");
  opener.last().deliver("+PONG\r\n");
  link.set_reading(false);
  CHECK_FALSE(opener.last().reading);
  opener.last().end();
  CHECK(heard.log == std::vector<std::string>{"connected", "+PONG\r\n", "lost: ended by the test"});
  link.connect({"primary", 6379, "", true});
  opener.last().open();
  heard.closes = &link;
  opener.last().deliver("bytes");
  CHECK(heard.log.back() == "bytes");
  CHECK(opener.last().closed);
}
