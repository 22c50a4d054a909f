#include "tools/cache_warm/node_info.h"

#include <algorithm>

#include "src/base/parse_number.h"

namespace hearth::warm {
namespace {

// "db0:keys=12,expires=0,..."
std::uint64_t keys_in(std::string_view value) {
  constexpr std::string_view kKeys = "keys=";
  if (!value.starts_with(kKeys)) return 0;
  value.remove_prefix(kKeys.size());
  return parse_uint64(value.substr(0, value.find(','))).value_or(0);
}

// "ip=127.0.0.1,port=7001,state=online,offset=12,lag=0". A replica that is only being sent a
// snapshot has nothing that it could be promoted with.
void take_replica(NodeStream& stream, std::string_view value) {
  bool is_online = false;
  std::uint64_t offset = 0;
  while (!value.empty()) {
    const auto end = std::min(value.find(','), value.size());
    const std::string_view part = value.substr(0, end);
    value.remove_prefix(std::min(end + 1, value.size()));
    if (part == "state=online") is_online = true;
    if (part.starts_with("offset=")) offset = parse_uint64(part.substr(7)).value_or(0);
  }
  if (!is_online) return;
  stream.replicated = std::min(stream.replicated.value_or(offset), offset);
}

bool is_number(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Lines of INFO replication. True: it was one of them.
bool take_stream_line(NodeStream& stream, std::string_view name, std::string_view value) {
  if (name == "role") {
    stream.is_primary = value == "master";
  } else if (name == "master_replid") {
    stream.name = value;
  } else if (name == "master_replid2") {
    if (value.find_first_not_of('0') != std::string_view::npos) stream.former_name = value;
  } else if (name == "master_repl_offset") {
    stream.offset = parse_uint64(value).value_or(0);
  } else if (name == "second_repl_offset") {
    stream.former_until = parse_uint64(value).value_or(0);  // -1: none
  } else if (name.starts_with("slave") && is_number(name.substr(5))) {
    take_replica(stream, value);
  } else {
    return false;
  }
  return true;
}

}  // namespace

std::optional<NodeInfo> parse_node_info(std::string_view text) {
  NodeInfo info;
  bool is_info = false;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = line.substr(colon + 1);
    const auto number = parse_uint64(value).value_or(0);
    if (name == "run_id") {
      info.stream.run_id = value;
      is_info = true;
    } else if (take_stream_line(info.stream, name, value)) {
      continue;
    } else if (name == "instantaneous_ops_per_sec") {
      info.ops_per_second = number;
    } else if (name == "evicted_keys") {
      info.evicted_keys = number;
    } else if (name == "used_memory") {
      info.used_memory = number;
    } else if (name == "maxmemory") {
      info.max_memory = number;
    } else if (name == "maxmemory_policy") {
      info.policy = value;
    } else if (name.starts_with("db") && value.starts_with("keys=")) {
      info.keys += keys_in(value);
    }
  }
  return is_info ? std::optional(std::move(info)) : std::nullopt;
}

}  // namespace hearth::warm
