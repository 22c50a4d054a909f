#include "src/commands/stream/ids.h"

namespace hearth::commands {
namespace {

constexpr std::string_view kInvalidId =
    "ERR Invalid stream ID specified as stream command argument";

bool is_exclusive(std::string_view word) { return word.size() > 1 && word.front() == '('; }

}  // namespace

Result<StreamId, ReplyError> strict_id(std::string_view word, std::uint64_t missing_seq) {
  if (const auto id = parse_stream_id(word, missing_seq)) return *id;
  return refuse(std::string(kInvalidId));
}

Result<StreamId, ReplyError> any_id(std::string_view word, std::uint64_t missing_seq) {
  if (word == "-") return kStreamIdMin;
  if (word == "+") return kStreamIdMax;
  return strict_id(word, missing_seq);
}

Result<StreamId, ReplyError> interval_start(std::string_view word) {
  if (!is_exclusive(word)) return any_id(word, 0);
  HEARTH_TRY(const StreamId id, strict_id(word.substr(1), 0));
  if (const auto following = successor(id)) return *following;
  return refuse("ERR invalid start ID for the interval");
}

Result<StreamId, ReplyError> interval_end(std::string_view word) {
  if (!is_exclusive(word)) return any_id(word, UINT64_MAX);
  HEARTH_TRY(const StreamId id, strict_id(word.substr(1), UINT64_MAX));
  if (const auto before = predecessor(id)) return *before;
  return refuse("ERR invalid end ID for the interval");
}

Result<std::vector<StreamId>, ReplyError> strict_ids(std::span<const std::string_view> words) {
  std::vector<StreamId> ids;
  ids.reserve(words.size());
  for (const std::string_view word : words) {
    HEARTH_TRY(const StreamId id, strict_id(word));
    ids.push_back(id);
  }
  return ids;
}

}  // namespace hearth::commands
