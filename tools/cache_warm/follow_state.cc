#include "tools/cache_warm/follow_state.h"

#include <fmt/core.h>

namespace hearth::warm {
namespace {

constexpr std::string_view kPollPrefix = "poll:";

std::string state_key(const std::string& name) { return std::string(kFollowStatePrefix) + name; }

Result<RespValue> ask_state(client::Client& client, std::span<const std::string_view> command,
                            std::string_view key) {
  HEARTH_TRY(RespValue reply, client.call(command, key));
  if (reply.is_error())
    return fail(ErrorCode::kIo, fmt::format("{} {}: {}", command[0], key, reply.text()));
  return reply;
}

}  // namespace

Result<std::optional<FollowState>> read_follow_state(client::Client& client,
                                                     const std::string& name) {
  const std::string key = state_key(name);
  const std::string_view command[] = {"HGETALL", key};
  HEARTH_TRY(const RespValue reply, ask_state(client, command, key));
  FollowState state;
  const auto items = reply.items();
  for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
    const std::string_view name_of = items[i].text();
    const std::string_view value = items[i + 1].text();
    if (name_of == "source") state.source = value;
    if (name_of == "phase" && value == "streaming") state.phase = FollowPhase::kStreaming;
    if (name_of == "position") state.position = value;
    if (name_of == "nodes") state.nodes = value;
    if (name_of.starts_with(kPollPrefix))
      state.polls[std::string(name_of.substr(kPollPrefix.size()))] = value;
  }
  if (state.position.empty()) return std::optional<FollowState>{};
  return std::optional(std::move(state));
}

Result<void> write_follow_state(client::Client& client, const std::string& name,
                                const FollowState& state) {
  const std::string key = state_key(name);
  const std::string_view phase = state.phase == FollowPhase::kStreaming ? "streaming" : "loading";
  std::vector<std::string_view> command = {"HSET",  key,        "source",   state.source,
                                           "phase", phase,      "position", state.position,
                                           "nodes", state.nodes};
  std::vector<std::string> names;
  names.reserve(state.polls.size());
  for (const auto& [mapping, value] : state.polls) {
    names.push_back(std::string(kPollPrefix) + mapping);
    command.insert(command.end(), {names.back(), value});
  }
  HEARTH_TRY_VOID(ask_state(client, command, key));
  return {};
}

Result<void> drop_follow_state(client::Client& client, const std::string& name) {
  const std::string key = state_key(name);
  const std::string_view command[] = {"DEL", key};
  HEARTH_TRY_VOID(ask_state(client, command, key));
  return {};
}

}  // namespace hearth::warm
