#include "cluster/wire/codec.h"

#include <fmt/format.h>

#include <utility>

#include "src/base/bytes.h"
#include "src/base/check.h"

namespace hearth::cluster::wire {
namespace {

constexpr std::string_view kSignature = "RCmb";
constexpr std::uint16_t kVersion = 1;
constexpr std::uint16_t kLightBit = 0x8000;
constexpr std::size_t kIpField = 46;
constexpr std::size_t kExtensionHeader = 8;
constexpr std::size_t kReservedBytes = 30;

// Where the fields of a full header stand; the writer asserts that it arrives at each.
namespace at {
constexpr std::size_t kType = 12;
constexpr std::size_t kSender = 40;
constexpr std::size_t kSlots = 80;
constexpr std::size_t kReplicaOf = 2128;
constexpr std::size_t kExtensionCount = 2214;
constexpr std::size_t kSecondPort = 2246;
constexpr std::size_t kState = 2252;
}  // namespace at
static_assert(at::kSlots == at::kSender + NodeId::kLength);
static_assert(at::kReplicaOf == at::kSlots + SlotSet::kBytes);
static_assert(at::kExtensionCount == at::kReplicaOf + NodeId::kLength + kIpField);
static_assert(at::kSecondPort == at::kExtensionCount + 2 + kReservedBytes);
static_assert(kFullHeaderBytes == at::kState + 4);

enum ExtensionType : std::uint16_t {
  kHostname = 0,
  kHumanName = 1,
  kForgottenNode = 2,
  kShardId = 3,
  kClientIpv4 = 4,
  kClientIpv6 = 5,
};

std::string_view until_nul(std::string_view field) { return field.substr(0, field.find('\0')); }

bool read_id(ByteReader& in, NodeId& id) {
  std::string_view text;
  if (!in.take(NodeId::kLength, text)) return false;
  if (text.front() == '\0') {  // unset ids travel as zero bytes
    id = NodeId{};
    return true;
  }
  id = NodeId(text);
  return NodeId::is_valid(text);
}

bool read_text(ByteReader& in, std::size_t width, std::string& out) {
  std::string_view field;
  if (!in.take(width, field)) return false;
  out = until_nul(field);
  return true;
}

void write_id(ByteWriter& out, const NodeId& id) {
  if (id.is_null()) {
    out.zeros(NodeId::kLength);
  } else {
    out.bytes(id.view());
  }
}

// --- decoding --------------------------------------------------------------------------------

struct Counts {
  std::uint16_t gossip = 0;
  std::uint16_t extensions = 0;
};

bool read_header(ByteReader& in, MessageHeader& header, Counts& counts) {
  std::string_view slots;
  std::uint16_t type = 0;
  std::uint8_t state = 0;
  const bool whole = in.be(header.port) && in.be(type) && in.be(counts.gossip) &&
                     in.be(header.current_epoch) && in.be(header.config_epoch) &&
                     in.be(header.replication_offset) && read_id(in, header.sender) &&
                     in.take(SlotSet::kBytes, slots) && read_id(in, header.replica_of) &&
                     read_text(in, kIpField, header.announced_ip) && in.be(counts.extensions) &&
                     in.skip(kReservedBytes) && in.be(header.second_port) && in.be(header.cport) &&
                     in.be(header.flags) && in.be(state) && in.be(header.message_flags) &&
                     in.skip(2);
  if (!whole || header.sender.is_null()) return false;
  if (header.current_epoch > kEpochMax || header.config_epoch > kEpochMax) return false;
  header.slots = SlotSet::from_wire(slots);
  header.state = state == 0 ? ClusterState::kOk : ClusterState::kFail;
  return true;
}

bool read_gossip(ByteReader& in, std::uint16_t count, std::vector<GossipEntry>& out) {
  if (in.remaining() < count * kGossipBytes) return false;
  out.resize(count);
  for (auto& e : out) {
    const bool whole = read_id(in, e.id) && in.be(e.ping_sent) && in.be(e.pong_received) &&
                       read_text(in, kIpField, e.ip) && in.be(e.port) && in.be(e.cport) &&
                       in.be(e.flags) && in.be(e.second_port) && in.skip(2);
    if (!whole || e.id.is_null()) return false;
  }
  return true;
}

bool read_extension(std::uint16_t type, std::string_view data, Extensions& out) {
  ByteReader in(data);
  switch (type) {
    case kHostname: out.hostname = until_nul(data); return out.hostname.size() <= kHostnameMax;
    case kHumanName:
      out.human_name = until_nul(data);
      return out.human_name.size() <= kHumanNameMax;
    case kForgottenNode: {
      ForgottenNode node;
      if (!read_id(in, node.id) || !in.be(node.ttl_seconds)) return false;
      out.forgotten.push_back(node);
      return true;
    }
    case kShardId: return read_id(in, out.shard_id);
    case kClientIpv4:
      out.client_ipv4 = until_nul(data);
      return out.client_ipv4.size() <= kIpTextMax;
    case kClientIpv6:
      out.client_ipv6 = until_nul(data);
      return out.client_ipv6.size() <= kIpTextMax;
    default: return true;  // a newer peer's extension: its length is enough to pass over it
  }
}

bool read_extensions(ByteReader& in, std::uint16_t count, Extensions& out) {
  for (unsigned i = 0; i < count; ++i) {
    std::uint32_t length = 0;
    std::uint16_t type = 0;
    std::string_view data;
    if (!in.be(length) || !in.be(type) || !in.skip(2)) return false;
    if (length < kExtensionHeader || length % 8 != 0) return false;
    if (!in.take(length - kExtensionHeader, data) || !read_extension(type, data, out)) return false;
  }
  return true;
}

bool read_ping(ByteReader& in, const MessageHeader& header, Counts counts, PingBody& out) {
  if (!read_gossip(in, counts.gossip, out.gossip)) return false;
  if ((header.message_flags & message_flag::kExtensions) == 0) return true;
  return read_extensions(in, counts.extensions, out.extensions);
}

bool read_publish(ByteReader& in, PublishBody& out) {
  std::uint32_t channel_bytes = 0;
  std::uint32_t message_bytes = 0;
  std::string_view channel;
  std::string_view message;
  if (!in.be(channel_bytes) || !in.be(message_bytes) || !in.take(channel_bytes, channel) ||
      !in.take(message_bytes, message)) {
    return false;
  }
  out.channel = channel;
  out.message = message;
  return true;
}

bool read_update(ByteReader& in, UpdateBody& out) {
  std::string_view slots;
  if (!in.be(out.config_epoch) || !read_id(in, out.node) || !in.take(SlotSet::kBytes, slots)) {
    return false;
  }
  out.slots = SlotSet::from_wire(slots);
  return !out.node.is_null() && out.config_epoch <= kEpochMax;
}

bool read_module(ByteReader& in, ModuleBody& out) {
  std::uint32_t length = 0;
  std::string_view payload;
  if (!in.be(out.module_id) || !in.be(length) || !in.be(out.type) || !in.take(length, payload)) {
    return false;
  }
  out.payload = payload;
  return true;
}

bool read_body(ByteReader& in, Message& message, Counts counts) {
  switch (message.type) {
    case MessageType::kPing:
    case MessageType::kPong:
    case MessageType::kMeet:
      return read_ping(in, message.header, counts, message.body.emplace<PingBody>());
    case MessageType::kFail: {
      auto& body = message.body.emplace<FailBody>();
      return read_id(in, body.failed) && !body.failed.is_null();
    }
    case MessageType::kPublish:
    case MessageType::kPublishShard: return read_publish(in, message.body.emplace<PublishBody>());
    case MessageType::kUpdate: return read_update(in, message.body.emplace<UpdateBody>());
    case MessageType::kModule: return read_module(in, message.body.emplace<ModuleBody>());
    case MessageType::kAuthRequest:
    case MessageType::kAuthAck:
    case MessageType::kMfStart: return true;
  }
  return false;
}

bool may_be_light(MessageType type) {
  return type == MessageType::kPublish || type == MessageType::kPublishShard ||
         type == MessageType::kModule;
}

// --- encoding --------------------------------------------------------------------------------

void write_text_extension(ByteWriter& out, ExtensionType type, std::string_view text,
                          std::size_t max, std::uint16_t& count) {
  if (text.empty()) return;
  text = text.substr(0, max);
  const std::size_t padded = (text.size() + 1 + 7) / 8 * 8;  // with its NUL
  out.be(static_cast<std::uint32_t>(kExtensionHeader + padded));
  out.be(static_cast<std::uint16_t>(type));
  out.be(std::uint16_t{0});
  out.fixed(text, padded);
  ++count;
}

std::uint16_t write_extensions(ByteWriter& out, const Extensions& ext) {
  std::uint16_t count = 0;
  write_text_extension(out, kHostname, ext.hostname, kHostnameMax, count);
  write_text_extension(out, kHumanName, ext.human_name, kHumanNameMax, count);
  for (const auto& node : ext.forgotten) {
    out.be(static_cast<std::uint32_t>(kExtensionHeader + NodeId::kLength + 8));
    out.be(static_cast<std::uint16_t>(kForgottenNode));
    out.be(std::uint16_t{0});
    write_id(out, node.id);
    out.be(node.ttl_seconds);
    ++count;
  }
  if (!ext.shard_id.is_null()) {
    out.be(static_cast<std::uint32_t>(kExtensionHeader + NodeId::kLength));
    out.be(static_cast<std::uint16_t>(kShardId));
    out.be(std::uint16_t{0});
    write_id(out, ext.shard_id);
    ++count;
  }
  write_text_extension(out, kClientIpv4, ext.client_ipv4, kIpTextMax, count);
  write_text_extension(out, kClientIpv6, ext.client_ipv6, kIpTextMax, count);
  return count;
}

Counts write_ping(ByteWriter& out, const PingBody& body) {
  for (const auto& e : body.gossip) {
    write_id(out, e.id);
    out.be(e.ping_sent);
    out.be(e.pong_received);
    out.fixed(std::string_view(e.ip).substr(0, kIpTextMax), kIpField);
    out.be(e.port);
    out.be(e.cport);
    out.be(e.flags);
    out.be(e.second_port);
    out.be(std::uint16_t{0});
  }
  return {static_cast<std::uint16_t>(body.gossip.size()), write_extensions(out, body.extensions)};
}

Counts write_body(ByteWriter& out, const Message& message) {
  switch (message.type) {
    case MessageType::kPing:
    case MessageType::kPong:
    case MessageType::kMeet: return write_ping(out, std::get<PingBody>(message.body));
    case MessageType::kFail: write_id(out, std::get<FailBody>(message.body).failed); break;
    case MessageType::kPublish:
    case MessageType::kPublishShard: {
      const auto& body = std::get<PublishBody>(message.body);
      out.be(static_cast<std::uint32_t>(body.channel.size()));
      out.be(static_cast<std::uint32_t>(body.message.size()));
      out.bytes(body.channel);
      out.bytes(body.message);
      break;
    }
    case MessageType::kUpdate: {
      const auto& body = std::get<UpdateBody>(message.body);
      out.be(body.config_epoch);
      write_id(out, body.node);
      out.bytes(body.slots.wire_bytes());
      break;
    }
    case MessageType::kModule: {
      const auto& body = std::get<ModuleBody>(message.body);
      out.be(body.module_id);
      out.be(static_cast<std::uint32_t>(body.payload.size()));
      out.be(body.type);
      out.bytes(body.payload);
      break;
    }
    case MessageType::kAuthRequest:
    case MessageType::kAuthAck:
    case MessageType::kMfStart: break;
  }
  return {message.type == MessageType::kPublish || message.type == MessageType::kPublishShard
              ? std::uint16_t{1}
              : std::uint16_t{0},
          0};
}

void write_full_header(ByteWriter& out, const Message& message, Counts counts) {
  const MessageHeader& h = message.header;
  out.be(h.port);
  HEARTH_DCHECK(out.size() == at::kType);
  out.be(static_cast<std::uint16_t>(message.type));
  out.be(counts.gossip);
  out.be(h.current_epoch);
  out.be(h.config_epoch);
  out.be(h.replication_offset);
  HEARTH_DCHECK(out.size() == at::kSender);
  write_id(out, h.sender);
  out.bytes(h.slots.wire_bytes());
  HEARTH_DCHECK(out.size() == at::kReplicaOf);
  write_id(out, h.replica_of);
  out.fixed(std::string_view(h.announced_ip).substr(0, kIpTextMax), kIpField);
  HEARTH_DCHECK(out.size() == at::kExtensionCount);
  out.be(counts.extensions);
  out.zeros(kReservedBytes);
  HEARTH_DCHECK(out.size() == at::kSecondPort);
  out.be(h.second_port);
  out.be(h.cport);
  out.be(h.flags);
  HEARTH_DCHECK(out.size() == at::kState);
  out.be(std::uint8_t{h.state == ClusterState::kOk ? std::uint8_t{0} : std::uint8_t{1}});
  auto flags = h.message_flags;
  if (counts.extensions > 0) flags = static_cast<std::uint8_t>(flags | message_flag::kExtensions);
  out.be(flags);
  out.zeros(2);
  HEARTH_DCHECK(out.size() == kFullHeaderBytes);
}

}  // namespace

Result<std::size_t> frame_length(std::string_view bytes) {
  const std::string_view seen = bytes.substr(0, kSignature.size());
  if (seen != kSignature.substr(0, seen.size())) {
    return fail(ErrorCode::kCorrupt, "cluster bus: bytes do not start with the frame signature");
  }
  if (bytes.size() < 8) return std::size_t{0};
  const std::size_t length = load_be<std::uint32_t>(bytes.data() + 4);
  if (length < kLightHeaderBytes) {
    return fail(ErrorCode::kCorrupt, fmt::format("cluster bus: frame of {} bytes", length));
  }
  if (length > kFrameBytesMax) {
    return fail(ErrorCode::kLimit, fmt::format("cluster bus: frame of {} bytes", length));
  }
  return length;
}

Result<Message> decode(std::string_view frame) {
  HEARTH_TRY(const std::size_t length, frame_length(frame));
  if (length == 0 || length != frame.size()) {
    return fail(ErrorCode::kCorrupt, "cluster bus: frame length differs from the bytes given");
  }
  const auto version = load_be<std::uint16_t>(frame.data() + 8);
  if (version != kVersion) {
    return fail(ErrorCode::kUnsupported, fmt::format("cluster bus: version {}", version));
  }
  const auto raw_type = load_be<std::uint16_t>(frame.data() + at::kType);
  Message message;
  message.light = (raw_type & kLightBit) != 0;
  message.type = static_cast<MessageType>(raw_type & ~kLightBit);
  if (message.type > MessageType::kPublishShard || (message.light && !may_be_light(message.type))) {
    return fail(ErrorCode::kUnsupported, fmt::format("cluster bus: message type {:#x}", raw_type));
  }
  ByteReader in(frame);
  Counts counts;
  bool whole = true;
  if (message.light) {
    whole = in.skip(kLightHeaderBytes);
  } else {
    whole = in.skip(10) && read_header(in, message.header, counts);
  }
  if (!whole || !read_body(in, message, counts) || in.remaining() != 0) {
    return fail(ErrorCode::kCorrupt, fmt::format("cluster bus: message type {} of {} bytes is not "
                                                 "well formed near byte {}",
                                                 raw_type, frame.size(), in.offset()));
  }
  return message;
}

std::string encode(const Message& message) {
  std::string body;
  ByteWriter body_writer(body);
  const Counts counts = write_body(body_writer, message);
  HEARTH_CHECK(!message.light || may_be_light(message.type));
  const std::size_t header_bytes = message.light ? kLightHeaderBytes : kFullHeaderBytes;
  HEARTH_CHECK(header_bytes + body.size() <= kFrameBytesMax);

  std::string frame;
  frame.reserve(header_bytes + body.size());
  ByteWriter out(frame);
  out.bytes(kSignature);
  out.be(static_cast<std::uint32_t>(header_bytes + body.size()));
  out.be(kVersion);
  if (message.light) {
    out.zeros(2);
    out.be(static_cast<std::uint16_t>(static_cast<std::uint16_t>(message.type) | kLightBit));
    out.zeros(2);
  } else {
    write_full_header(out, message, counts);
  }
  out.bytes(body);
  return frame;
}

}  // namespace hearth::cluster::wire
