#include "persistence/rdb/object_stream.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "persistence/rdb/dump.h"
#include "src/base/random.h"

using namespace hearth;
using namespace hearth::rdb;

namespace {

// The answer of redis-server 7.0.15 to DUMP after: six entries with the fields f and g or h, one of
// them deleted (marked in the node); group g1 with alice, bob and zed, who have four entries
// pending; group g2 at the end.
constexpr std::string_view kFromRedis70 =
    "13011000000000000000010000000000000001c34059406a126a0000002b0005010101020181660281670200200900"
    "0"
    "020010682763103070105200d0001600d0032600d0003200f401b0033600d0002200f400d0034a00d0004600d00356"
    "0"
    "0d02000108200303010181682041020601ff050901010103010602026731040181ffffffffffffffff040000000000"
    "0"
    "00001000000000000000139c5ae07a2010000010000000000000002000000000000000139c5ae07a20100000100000"
    "0"
    "000000000400000000000000014bc5ae07a201000001000000000000000900000000000000019bc5ae07a201000002"
    "0"
    "305616c69636539c5ae07a201000002000000000000000100000000000000010000000000000002000000000000000"
    "1"
    "03626f624bc5ae07a20100000100000000000000040000000000000001037a65649bc5ae07a2010000010000000000"
    "0"
    "00009000000000000000102673209010600000a007e8b364486f5851d";

std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2)
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  return bytes;
}

const Stream& stream_of(const Object& object) {
  REQUIRE(object.type() == Type::kStream);
  return *std::get<std::unique_ptr<Stream>>(object.value);
}

std::string body_of(const Stream& stream, Target target) {
  std::string out;
  EncodeOptions options;
  options.target = target;
  const EncodedType type = encode_stream(stream, options, out);
  CHECK(type.type == (target == Target::kRedis70 ? ObjectType::kStreamListpacks2
                                                 : ObjectType::kStreamListpacks3));
  CHECK(type.version == (target == Target::kRedis70 ? kVersionRedis70 : kVersionPortable));
  return out;
}

Result<std::unique_ptr<Stream>> decode(ObjectType type, std::string_view body) {
  ByteReader in(body);
  auto stream = decode_stream(static_cast<std::uint8_t>(type), in, {});
  if (stream) CHECK(in.remaining() == 0);
  return stream;
}

}  // namespace

TEST_CASE("a stream of redis-server 7.0 is read in full") {
  const auto object = parse_dump_payload(from_hex(kFromRedis70), {});
  REQUIRE(object.has_value());
  const Stream& stream = stream_of(*object);
  CHECK(stream.length() == 5);
  CHECK(stream.entries_added() == 6);
  CHECK(stream.last_id() == StreamId{9, 1});
  CHECK(stream.max_deleted_id() == StreamId{3, 1});
  CHECK(stream.first_id() == StreamId{1, 1});
  CHECK_FALSE(stream.contains({3, 1}));
  std::string text;
  StreamReader reader(stream, kStreamIdMin, kStreamIdMax);
  while (reader.next()) {
    text += stream_id_text(reader.id());
    reader.for_each_field([&](std::string_view field, std::string_view value) {
      text += " " + std::string(field) + "=" + std::string(value);
    });
    text += ";";
  }
  CHECK(text == "1-1 f=v1 g=7;2-1 f=v2 g=7;4-1 f=v4 g=7;5-1 f=v5 g=7;9-1 h=1;");
  const StreamGroup* group = stream.group("g1");
  REQUIRE(group != nullptr);
  CHECK(group->last_id == StreamId{4, 1});
  CHECK(group->entries_read == StreamGroup::kUnknown);
  CHECK(group->pending().size() == 4);
  REQUIRE(group->consumer("alice") != nullptr);
  CHECK(group->consumer("alice")->pending.size() == 2);
  CHECK(group->consumer("alice")->active_ms == group->consumer("alice")->seen_ms);
  REQUIRE(group->find({9, 1}) != nullptr);
  CHECK(group->find({9, 1})->consumer->name == "zed");
  CHECK(group->find({9, 1})->deliveries == 2);
  CHECK(stream.group("g2")->entries_read == 6);

  for (const Target target : {Target::kRedis72, Target::kRedis70}) {
    const std::string body = body_of(stream, target);
    const auto type =
        target == Target::kRedis70 ? ObjectType::kStreamListpacks2 : ObjectType::kStreamListpacks3;
    const auto again = decode(type, body);
    REQUIRE(again.has_value());
    CHECK(body_of(**again, target) == body);
    for (std::size_t cut = 0; cut < body.size(); ++cut)
      CHECK_FALSE(decode(type, body.substr(0, cut)).has_value());
  }
}

TEST_CASE("changed payloads are refused or decode to a stream that can be written and read") {
  const auto object = parse_dump_payload(from_hex(kFromRedis70), {});
  REQUIRE(object.has_value());
  Rng rng(77);
  EncodeOptions plain;
  plain.compression = Compression::kOff;
  std::string good;
  encode_stream(stream_of(*object), plain, good);
  int accepted = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string bytes = good;
    for (std::uint64_t n = 1 + rng.below(3); n > 0; --n)
      bytes[rng.below(bytes.size())] = static_cast<char>(rng.next());
    ByteReader in(bytes);
    const auto stream =
        decode_stream(static_cast<std::uint8_t>(ObjectType::kStreamListpacks3), in, {});
    if (!stream) continue;
    ++accepted;
    std::string body;
    encode_stream(**stream, plain, body);
    const auto again = decode(ObjectType::kStreamListpacks3, body);
    REQUIRE(again.has_value());
    CHECK((*again)->length() == (*stream)->length());
  }
  CHECK(accepted > 0);
}

TEST_CASE("the oldest form knows the last id only; the rest is estimated") {
  const std::vector<std::string_view> pair = {"f", "v"};
  Stream stream;
  for (std::uint64_t i = 1; i <= 4; ++i) stream.append({i, 0}, pair, {0, 3});
  std::string body = body_of(stream, Target::kRedis70);
  // Take away what that form does not have: first id, largest deleted, additions; then no groups.
  body.resize(body.size() - 6);
  body += '\x01';                           // one group
  body += std::string("\x01g\x01\x00", 4);  // g at 1-0
  body += std::string("\x00\x00", 2);       // nothing pending, no consumers
  const auto read = decode(ObjectType::kStreamListpacks, body);
  REQUIRE(read.has_value());
  CHECK((*read)->length() == 4);
  CHECK((*read)->entries_added() == 4);
  CHECK((*read)->group("g")->entries_read == 1);
  CHECK((*read)->lag(*(*read)->group("g")) == 3);
}

TEST_CASE("entries that are nobody's go through a consumer without a name") {
  const std::vector<std::string_view> pair = {"f", "v"};
  Stream stream;
  for (std::uint64_t i = 1; i <= 3; ++i) stream.append({i, 0}, pair, {});
  StreamGroup& group = *stream.add_group("g", {3, 0}, 3);
  StreamConsumer& someone = group.add_consumer("someone", UnixMillis{5});
  group.assign({1, 0}, &someone, 9).deliveries = 1;
  group.assign({2, 0}, nullptr, 0).deliveries = 4;
  const auto read = decode(ObjectType::kStreamListpacks3, body_of(stream, Target::kRedis72));
  REQUIRE(read.has_value());
  const StreamGroup* copy = (*read)->group("g");
  CHECK(copy->consumers().size() == 1);
  REQUIRE(copy->find({2, 0}) != nullptr);
  CHECK(copy->find({2, 0})->consumer == nullptr);
  CHECK(copy->find({2, 0})->deliveries == 4);
  CHECK(copy->find({1, 0})->consumer->name == "someone");
}
