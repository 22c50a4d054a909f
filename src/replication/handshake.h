// Handshake: the conversation in which a replica introduces itself to its primary and asks for the
// stream of effects. One line goes out, one comes back, up to the answer to PSYNC:
//
//   PING, AUTH, REPLCONF listening-port / ip-address / capa / version, PSYNC
//
// Without sockets: what is to be sent is taken from the return values.
//
// Lines come from a peer: they are bounded by kLineMost (the caller gives up on a longer one), ids
// are hexadecimal digits, and error() repeats no more of a line than fits into a log line.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hearth::replication {

// A line of either side, up to the header of the snapshot, is never longer.
inline constexpr std::size_t kLineMost = 64 * 1024;
inline constexpr std::size_t kIdBytes = 40;
// Whether a peer's text can be the name of a stream.
[[nodiscard]] bool is_stream_id(std::string_view text);
// The first part of a peer's text, without control characters: for logs.
[[nodiscard]] std::string shown(std::string_view text);

// A replica that says so, or a later one, follows the open slots of its primary (Valkey 8).
inline constexpr std::string_view kReplicaVersion = "8.0.0";
// Whether a replica of this version does. False for text that is no version.
[[nodiscard]] bool takes_open_slots(std::string_view version);

class Handshake {
 public:
  struct Hello {
    std::string user, password;  // no AUTH without a password
    std::uint16_t port = 0;      // where clients reach this server
    std::string address;         // "": the primary sees it itself
    std::string replication_id;  // of the stream we have, "" if none
    std::uint64_t next_offset = 0;
    bool asks_takeover = false;  // the other side is to become the primary: FAILOVER
  };
  enum class End : std::uint8_t {
    kNone,      // not yet
    kContinue,  // the stream goes on at next_offset; id() is its name, "" if it stays
    kFull,      // all data comes, then the stream of id() behind offset()
    kLater,     // the primary can't now: try again
    kRefused,   // error() says why
  };

  explicit Handshake(Hello hello);
  // The first bytes to send.
  [[nodiscard]] std::string begin();
  // A line of the primary, without its end. Returns what to send next, "" if nothing.
  [[nodiscard]] std::string hear(std::string_view line);

  [[nodiscard]] End end() const { return end_; }
  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] std::uint64_t offset() const { return offset_; }
  [[nodiscard]] const std::string& error() const { return error_; }

 private:
  enum class Step : std::uint8_t { kPing, kAuth, kPort, kAddress, kCapabilities, kVersion, kPsync };
  struct Line {
    Step step;
    std::vector<std::string> words;
  };
  [[nodiscard]] std::string next();
  void refuse(std::string why);
  void hear_psync(std::string_view line);

  std::vector<Line> lines_;
  std::size_t at_ = 0;
  End end_ = End::kNone;
  std::string id_, error_;
  std::uint64_t offset_ = 0;
};

// The announcement of a snapshot: "$<bytes>" or "$EOF:<mark of 40 bytes>".
struct SnapshotHeader {
  std::optional<std::uint64_t> bytes;  // else it ends with the mark
  std::string mark;
};
// Nothing for other lines.
[[nodiscard]] std::optional<SnapshotHeader> parse_snapshot_header(std::string_view line);

}  // namespace hearth::replication
