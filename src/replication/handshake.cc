#include "src/replication/handshake.h"

#include <algorithm>
#include <utility>

#include "src/base/parse_number.h"
#include "src/effects/command_stream.h"

namespace hearth::replication {
namespace {

std::string_view next_word(std::string_view& rest) {
  const std::size_t begin = rest.find_first_not_of(' ');
  if (begin == std::string_view::npos) return rest = {};
  rest.remove_prefix(begin);
  const std::string_view word = rest.substr(0, rest.find(' '));
  rest.remove_prefix(word.size());
  return word;
}

}  // namespace

bool is_stream_id(std::string_view text) {
  return text.size() == kIdBytes && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
         });
}

std::string shown(std::string_view text) {
  constexpr std::size_t kMost = 160;
  std::string out(text.substr(0, kMost));
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = '?';
  }
  return out;
}

bool takes_open_slots(std::string_view version) {
  constexpr std::uint64_t kFirst = 8;
  const auto major = parse_uint64(version.substr(0, version.find('.')));
  return major && *major >= kFirst;
}

Handshake::Handshake(Hello hello) {
  lines_.push_back({Step::kPing, {"PING"}});
  if (!hello.password.empty()) {
    std::vector<std::string> words{"AUTH"};
    if (!hello.user.empty()) words.push_back(hello.user);
    words.push_back(hello.password);
    lines_.push_back({Step::kAuth, std::move(words)});
  }
  lines_.push_back({Step::kPort, {"REPLCONF", "listening-port", std::to_string(hello.port)}});
  if (!hello.address.empty())
    lines_.push_back({Step::kAddress, {"REPLCONF", "ip-address", hello.address}});
  lines_.push_back({Step::kCapabilities, {"REPLCONF", "capa", "eof", "capa", "psync2"}});
  lines_.push_back({Step::kVersion, {"REPLCONF", "version", std::string(kReplicaVersion)}});
  const bool knows = !hello.replication_id.empty();
  std::vector<std::string> psync{"PSYNC", knows ? hello.replication_id : "?",
                                 knows ? std::to_string(hello.next_offset) : "-1"};
  if (hello.asks_takeover) psync.emplace_back("FAILOVER");
  lines_.push_back({Step::kPsync, std::move(psync)});
}

std::string Handshake::next() {
  std::string out;
  append_command(std::span<const std::string>(lines_[at_].words), out);
  return out;
}

std::string Handshake::begin() { return next(); }

void Handshake::refuse(std::string why) {
  end_ = End::kRefused;
  error_ = std::move(why);
}

std::string Handshake::hear(std::string_view line) {
  if (end_ != End::kNone) return {};
  const bool error = line.starts_with('-');
  switch (lines_[at_].step) {
    case Step::kPing:
      // These three come from a primary that is alive; whether it lets us in, AUTH tells.
      if (error && !line.starts_with("-NOAUTH") && !line.starts_with("-NOPERM") &&
          !line.starts_with("-ERR operation not permitted")) {
        refuse("Error reply to PING from primary: '" + shown(line) + "'");
        return {};
      }
      break;
    case Step::kAuth:
      if (error) {
        refuse("Unable to AUTH to PRIMARY: " + shown(line));
        return {};
      }
      break;
    case Step::kPort:
    case Step::kAddress:
    case Step::kCapabilities:
    case Step::kVersion: break;  // an old primary does not know them; that is no obstacle
    case Step::kPsync: hear_psync(line); return {};
  }
  ++at_;
  return next();
}

void Handshake::hear_psync(std::string_view line) {
  std::string_view rest = line;
  const std::string_view word = next_word(rest);
  if (word == "+FULLRESYNC") {
    const std::string_view id = next_word(rest);
    const auto offset = parse_int64(next_word(rest));
    if (!is_stream_id(id) || !offset || *offset < 0)
      return refuse("The primary's answer to PSYNC is damaged: '" + shown(line) + "'");
    id_ = id;
    offset_ = static_cast<std::uint64_t>(*offset);
    end_ = End::kFull;
  } else if (word == "+CONTINUE") {
    const std::string_view id = next_word(rest);
    if (!id.empty() && !is_stream_id(id))
      return refuse("The primary's answer to PSYNC is damaged: '" + shown(line) + "'");
    id_ = id;
    end_ = End::kContinue;
  } else if (line.starts_with("-NOMASTERLINK") || line.starts_with("-LOADING")) {
    error_ = shown(line);
    end_ = End::kLater;
  } else {
    refuse("Unexpected reply to PSYNC from primary: '" + shown(line) + "'");
  }
}

std::optional<SnapshotHeader> parse_snapshot_header(std::string_view line) {
  constexpr std::string_view kEof = "$EOF:";
  if (line.starts_with(kEof)) {
    line.remove_prefix(kEof.size());
    if (line.size() != kIdBytes) return std::nullopt;
    return SnapshotHeader{std::nullopt, std::string(line)};
  }
  if (!line.starts_with('$')) return std::nullopt;
  const auto bytes = parse_int64(line.substr(1));
  if (!bytes || *bytes < 0) return std::nullopt;
  return SnapshotHeader{static_cast<std::uint64_t>(*bytes), ""};
}

}  // namespace hearth::replication
