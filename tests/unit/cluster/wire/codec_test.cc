#include "cluster/wire/codec.h"

#include <doctest/doctest.h>

#include <string>

#include "src/base/bytes.h"
#include "src/base/random.h"

using namespace hearth;
using namespace hearth::cluster;

namespace {

MessageHeader some_header(Rng& rng) {
  MessageHeader h;
  h.sender = NodeId(rng.hex(40));
  h.current_epoch = rng.below(kEpochMax + 1);
  h.config_epoch = rng.below(kEpochMax + 1);
  h.replication_offset = rng.next();
  for (int i = 0; i < 50; ++i) h.slots.add(static_cast<Slot>(rng.below(kSlotCount)));
  if (rng.chance(0.5)) h.replica_of = NodeId(rng.hex(40));
  h.announced_ip = rng.chance(0.5) ? "10.1.2.3" : "";
  h.port = static_cast<std::uint16_t>(rng.next());
  h.second_port = static_cast<std::uint16_t>(rng.next());
  h.cport = static_cast<std::uint16_t>(rng.next());
  h.flags = static_cast<NodeFlags>(rng.next());
  h.state = rng.chance(0.5) ? ClusterState::kOk : ClusterState::kFail;
  h.message_flags = static_cast<std::uint8_t>(rng.below(4));
  return h;
}

GossipEntry some_gossip(Rng& rng) {
  return {NodeId(rng.hex(40)),
          static_cast<std::uint32_t>(rng.next()),
          static_cast<std::uint32_t>(rng.next()),
          "fe80::1234:5678",
          static_cast<std::uint16_t>(rng.next()),
          static_cast<std::uint16_t>(rng.next()),
          static_cast<std::uint16_t>(rng.next()),
          static_cast<NodeFlags>(rng.next())};
}

Message message_of(Rng& rng, MessageType type) {
  Message m;
  m.type = type;
  m.header = some_header(rng);
  switch (type) {
    case MessageType::kPing:
    case MessageType::kPong:
    case MessageType::kMeet: {
      PingBody body;
      for (auto n = rng.below(5); n > 0; --n) body.gossip.push_back(some_gossip(rng));
      if (rng.chance(0.7)) {
        body.extensions.hostname = rng.hex(rng.below(257));
        body.extensions.human_name = rng.hex(rng.below(257));
        body.extensions.client_ipv4 = "192.0.2.1";
        body.extensions.client_ipv6 = "2001:db8::1";
        body.extensions.shard_id = NodeId(rng.hex(40));
        body.extensions.forgotten = {{NodeId(rng.hex(40)), 60}, {NodeId(rng.hex(40)), rng.next()}};
        m.header.message_flags |= message_flag::kExtensions;
      }
      m.body = body;
      break;
    }
    case MessageType::kFail: m.body = FailBody{NodeId(rng.hex(40))}; break;
    case MessageType::kPublish:
    case MessageType::kPublishShard:
      m.body = PublishBody{rng.hex(rng.below(20)), rng.hex(rng.below(2000))};
      break;
    case MessageType::kUpdate: {
      UpdateBody body{NodeId(rng.hex(40)), rng.below(kEpochMax + 1), {}};
      body.slots.add(SlotRange{100, 5460});
      m.body = body;
      break;
    }
    case MessageType::kModule: m.body = ModuleBody{rng.next(), 7, rng.hex(rng.below(300))}; break;
    case MessageType::kAuthRequest:
    case MessageType::kAuthAck:
    case MessageType::kMfStart: break;
  }
  return m;
}

}  // namespace

TEST_CASE("every message type survives the way through bytes") {
  const std::uint64_t seed = 11;
  CAPTURE(seed);
  Rng rng(seed);
  for (int round = 0; round < 100; ++round) {
    for (unsigned type = 0; type <= 10; ++type) {
      const Message m = message_of(rng, static_cast<MessageType>(type));
      const std::string frame = wire::encode(m);
      REQUIRE(wire::frame_length(frame).value() == frame.size());
      const auto back = wire::decode(frame);
      REQUIRE(back.has_value());
      REQUIRE(*back == m);
    }
  }
}

TEST_CASE("light messages leave the header out and come back") {
  Message m;
  m.type = MessageType::kPublishShard;
  m.light = true;
  m.body = PublishBody{"news", "hello"};
  const std::string frame = wire::encode(m);
  CHECK(frame == std::string("RCmb\0\0\0\x21\0\1\0\0\x80\x0a\0\0\0\0\0\4\0\0\0\5newshello", 33));
  CHECK(wire::decode(frame).value() == m);
}

TEST_CASE("fields stand where the format says") {
  Rng rng(3);
  Message m = message_of(rng, MessageType::kUpdate);
  m.header.port = 0x1122;
  m.header.cport = 0x3344;
  m.header.second_port = 0x5566;
  m.header.flags = 0x0102;
  m.header.announced_ip = "10.0.0.9";
  m.header.state = ClusterState::kFail;
  m.header.message_flags = message_flag::kPaused;
  const std::string f = wire::encode(m);
  CHECK(f.size() == 4352);
  CHECK(f.substr(0, 4) == "RCmb");
  CHECK(load_be<std::uint32_t>(&f[4]) == 4352);
  CHECK(load_be<std::uint16_t>(&f[8]) == 1);
  CHECK(load_be<std::uint16_t>(&f[10]) == 0x1122);
  CHECK(load_be<std::uint16_t>(&f[12]) == 7);
  CHECK(load_be<std::uint16_t>(&f[14]) == 0);
  CHECK(load_be<std::uint64_t>(&f[16]) == m.header.current_epoch);
  CHECK(load_be<std::uint64_t>(&f[24]) == m.header.config_epoch);
  CHECK(load_be<std::uint64_t>(&f[32]) == m.header.replication_offset);
  CHECK(f.substr(40, 40) == m.header.sender.view());
  CHECK(f.substr(80, 2048) == m.header.slots.wire_bytes());
  CHECK(f.substr(2168, 9) == std::string("10.0.0.9\0", 9));
  CHECK(load_be<std::uint16_t>(&f[2246]) == 0x5566);
  CHECK(load_be<std::uint16_t>(&f[2248 - 0]) == 0x3344);
  CHECK(load_be<std::uint16_t>(&f[2250]) == 0x0102);
  CHECK(f[2252] == 1);
  CHECK(f[2253] == 1);
  CHECK(load_be<std::uint64_t>(&f[2256]) == std::get<UpdateBody>(m.body).config_epoch);
  CHECK(wire::encode(message_of(rng, MessageType::kFail)).size() == 2296);
  CHECK(wire::encode(message_of(rng, MessageType::kAuthRequest)).size() == 2256);
}

TEST_CASE("a frame cut at any byte, or with a wrong inner length, is refused") {
  Rng rng(5);
  for (unsigned type = 0; type <= 10; ++type) {
    std::string frame = wire::encode(message_of(rng, static_cast<MessageType>(type)));
    for (std::size_t cut = 8; cut < frame.size(); cut += 1 + cut / 50) {
      std::string part = frame.substr(0, cut);
      CHECK_FALSE(wire::decode(part).has_value());
      store_be(part.data() + 4, static_cast<std::uint32_t>(cut));
      CHECK_FALSE(wire::decode(part).has_value());
    }
    frame += "12345678";
    store_be(frame.data() + 4, static_cast<std::uint32_t>(frame.size()));
    CHECK_FALSE(wire::decode(frame).has_value());
  }
}

TEST_CASE("random damage never does more than fail") {
  const std::uint64_t seed = 23;
  CAPTURE(seed);
  Rng rng(seed);
  for (int round = 0; round < 3000; ++round) {
    std::string frame = wire::encode(message_of(rng, static_cast<MessageType>(rng.below(11))));
    for (auto n = 1 + rng.below(6); n > 0; --n) {
      frame[8 + rng.below(frame.size() - 8)] = static_cast<char>(rng.next());
    }
    if (const auto m = wire::decode(frame); m.has_value()) {
      CHECK(wire::decode(wire::encode(*m)).has_value());
    }
  }
}

TEST_CASE("the frame length is known from eight bytes and bounded") {
  CHECK(wire::frame_length("RCm").value() == 0);
  CHECK_FALSE(wire::frame_length("GET ").has_value());
  CHECK_FALSE(wire::frame_length(std::string("RCmb\0\0\0\x0f", 8)).has_value());
  CHECK_FALSE(wire::frame_length(std::string("RCmb\x7f\0\0\0", 8)).has_value());
  CHECK(wire::frame_length(std::string("RCmb\0\0\x11\0", 8)).value() == 4352);
}

TEST_CASE("unknown versions, types and light forms are unsupported, unknown extensions are not") {
  Rng rng(9);
  const std::string good = wire::encode(message_of(rng, MessageType::kAuthAck));
  std::string bad = good;
  bad[9] = 2;
  CHECK(wire::decode(bad).error().code == ErrorCode::kUnsupported);
  bad = good;
  bad[13] = 11;
  CHECK(wire::decode(bad).error().code == ErrorCode::kUnsupported);
  bad = good;
  bad[12] = static_cast<char>(0x80);
  CHECK(wire::decode(bad).error().code == ErrorCode::kUnsupported);

  Message ping = message_of(rng, MessageType::kPing);
  ping.header.message_flags = 0;
  ping.body = PingBody{};
  std::string frame = wire::encode(ping);
  frame[2253] = message_flag::kExtensions;
  frame[2215] = 1;
  frame += std::string("\0\0\0\x10\0\x63\0\0new-data", 16);
  store_be(frame.data() + 4, static_cast<std::uint32_t>(frame.size()));
  const auto back = wire::decode(frame);
  REQUIRE(back.has_value());
  CHECK(std::get<PingBody>(back->body).extensions == Extensions{});
}
