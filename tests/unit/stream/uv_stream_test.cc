#include "src/stream/uv_stream.h"

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "src/base/random.h"

using namespace hearth;
using namespace std::chrono_literals;

namespace {

struct Side final : ByteStream::Owner {
  std::unique_ptr<LinkStream> stream;
  bool opened = false;
  bool takes = true;  // consumes what comes
  int sent = 0;
  std::string got;
  std::vector<ByteStream::End> ends;
  std::function<void()> on_received;

  void stream_opened() override { opened = true; }
  void stream_received() override {
    if (takes) {
      got += stream->unread();
      stream->consume(stream->unread().size());
    }
    if (on_received) on_received();
  }
  void stream_sent() override { ++sent; }
  void stream_ended(const ByteStream::End& end) override { ends.push_back(end); }
};

// A loop with a listener of the loopback interface; what it accepts is `server`.
struct Wire {
  uv_loop_t loop{};
  uv_tcp_t listener{};
  StreamTarget target;
  Side client, server;
  StreamTarget server_options;

  Wire() {
    REQUIRE(uv_loop_init(&loop) == 0);
    uv_tcp_init(&loop, &listener);
    listener.data = this;
    sockaddr_in address{};
    uv_ip4_addr("127.0.0.1", 0, &address);
    REQUIRE(uv_tcp_bind(&listener, reinterpret_cast<sockaddr*>(&address), 0) == 0);
    REQUIRE(uv_listen(reinterpret_cast<uv_stream_t*>(&listener), 16, [](uv_stream_t* l, int) {
              auto* self = static_cast<Wire*>(l->data);
              self->server.stream = UvStream::accept(l, self->server, self->server_options);
            }) == 0);
    sockaddr_storage bound{};
    int size = sizeof bound;
    uv_tcp_getsockname(&listener, reinterpret_cast<sockaddr*>(&bound), &size);
    target.host = "127.0.0.1";
    target.port = ntohs(reinterpret_cast<sockaddr_in*>(&bound)->sin_port);
  }
  ~Wire() {
    client.stream.reset();
    server.stream.reset();
    uv_close(reinterpret_cast<uv_handle_t*>(&listener), nullptr);
    uv_run(&loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&loop) == 0);  // all handles were given back
  }
  void connect() { client.stream = UvStream::connect(&loop, client, target); }
  template <typename Condition>
  bool run_until(Condition condition) {
    for (int i = 0; i < 1'000'000 && !condition(); ++i) uv_run(&loop, UV_RUN_ONCE);
    return condition();
  }
};

}  // namespace

TEST_CASE("a stream carries bytes both ways; what is written before it is open leaves then") {
  Wire wire;
  wire.connect();
  wire.client.stream->write("hello");
  CHECK_FALSE(wire.client.opened);
  REQUIRE(wire.run_until([&] { return wire.server.got == "hello"; }));
  CHECK(wire.client.opened);
  CHECK(wire.client.stream->peer_ip() == "127.0.0.1");
  CHECK(wire.server.stream->local_ip() == "127.0.0.1");
  std::string large(5'000'000, ' ');
  Rng rng(3);
  for (char& c : large) c = static_cast<char>(rng.below(256));
  wire.server.stream->write(large);
  wire.server.stream->write("end");
  REQUIRE(wire.run_until([&] { return wire.client.got.size() == large.size() + 3; }));
  CHECK((wire.client.got == large + "end"));
  REQUIRE(wire.run_until([&] { return wire.server.stream->unsent_bytes() == 0; }));
  CHECK(wire.server.sent >= 1);
}

TEST_CASE("what is not consumed comes again with what follows it") {
  Wire wire;
  wire.server.takes = false;
  std::string seen;
  wire.server.on_received = [&] {
    seen = wire.server.stream->unread();
    if (seen == "abc") wire.server.stream->consume(2);
  };
  wire.connect();
  wire.client.stream->write("abc");
  REQUIRE(wire.run_until([&] { return seen == "abc"; }));
  wire.client.stream->write("de");
  REQUIRE(wire.run_until([&] { return seen == "cde"; }));
}

TEST_CASE("the end of the peer is told once, and nothing after it") {
  Wire wire;
  wire.connect();
  wire.client.stream->write("x");
  REQUIRE(wire.run_until([&] { return wire.server.got == "x"; }));
  wire.client.stream.reset();
  REQUIRE(wire.run_until([&] { return !wire.server.ends.empty(); }));
  CHECK(wire.server.ends[0].reason == ByteStream::End::Reason::kPeer);
  wire.server.stream->write("into the void");
  for (int i = 0; i < 10; ++i) uv_run(&wire.loop, UV_RUN_NOWAIT);
  CHECK(wire.server.ends.size() == 1);
  CHECK(wire.client.ends.empty());
}

TEST_CASE("attempts that cannot come to anything end later, with a reason") {
  struct Attempt {
    std::string what;
    std::function<void(StreamTarget&)> spoil;
  };
  const std::vector<Attempt> attempts = {
      {"nobody listens", [](auto& to) { to.port = 1; }},
      {"a name that is none", [](auto& to) { to.host = "no such name"; }},
      {"an empty name",
       [](auto& to) {
         to.host = "";
         to.port = 1;
       }},
      {"an address to connect from that is none", [](auto& to) { to.source_ip = "nowhere"; }},
      {"an address to connect from that this host does not have",
       [](auto& to) { to.source_ip = "203.0.113.1"; }},
  };
  for (const Attempt& attempt : attempts) {
    CAPTURE(attempt.what);
    Wire wire;
    attempt.spoil(wire.target);
    wire.connect();
    CHECK(wire.client.ends.empty());
    REQUIRE(wire.run_until([&] { return !wire.client.ends.empty(); }));
    CHECK_FALSE(wire.client.ends[0].why.empty());
    CHECK_FALSE(wire.client.opened);
  }
}

TEST_CASE("a stream on which nothing moves ends at its deadline") {
  Wire wire;
  wire.connect();
  wire.client.stream->set_deadline(20ms);
  REQUIRE(wire.run_until([&] { return !wire.client.ends.empty(); }));
  CHECK(wire.client.opened);
  CHECK(wire.client.ends[0].reason == ByteStream::End::Reason::kTimeout);
}

TEST_CASE("a peer that takes nothing, or sends what has no end, ends the stream") {
  Wire wire;
  REQUIRE(wire.client.ends.empty());
  SUBCASE("unsent bytes have a limit") {
    wire.target.limits.unsent_most = 1'000'000;
    wire.connect();
    REQUIRE(wire.run_until([&] { return wire.server.stream != nullptr; }));
    wire.server.stream->set_reading(false);
    for (int i = 0; i < 100 && wire.client.ends.empty(); ++i) {
      wire.client.stream->write(std::string(900'000, 'x'));
      uv_run(&wire.loop, UV_RUN_NOWAIT);
    }
  }
  SUBCASE("unread bytes have a limit") {
    wire.client.takes = false;
    wire.target.limits.unread_most = 100'000;
    wire.connect();
    REQUIRE(wire.run_until([&] { return wire.server.stream != nullptr; }));
    wire.server.stream->write(std::string(1'000'000, 'x'));
  }
  REQUIRE(wire.run_until([&] { return !wire.client.ends.empty(); }));
  CHECK(wire.client.ends[0].reason == ByteStream::End::Reason::kLimit);
}

TEST_CASE("a stream may be destroyed in the callback that tells of bytes") {
  Wire wire;
  std::string kept;
  wire.server.takes = false;
  wire.server.on_received = [&] {
    const std::string_view unread = wire.server.stream->unread();
    wire.server.stream.reset();
    kept = unread;  // still there
  };
  wire.connect();
  wire.client.stream->write("last words");
  REQUIRE(wire.run_until([&] { return !wire.client.ends.empty(); }));
  CHECK(kept == "last words");
}
