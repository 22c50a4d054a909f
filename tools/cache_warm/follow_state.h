// Where `follow` is, kept in the cache that it fills: a cache that was emptied has lost it too, so
// that what was loaded is never believed to be there when it is not.
//
// A hash of the name "cache-warm:follow:<name>": source (which database), phase, position, nodes
// (anchors_text: the streams of the cache's nodes that hold all before the position), and
// "poll:<mapping>" for each mapping that is polled.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "src/base/result.h"
#include "tools/client/client.h"

namespace hearth::warm {

inline constexpr std::string_view kFollowStatePrefix = "cache-warm:follow:";

enum class FollowPhase : std::uint8_t {
  kLoading,    // a load has begun and not ended: the keys are not complete
  kStreaming,  // the keys are those of `position`, or later
};

struct FollowState {
  std::string source;
  FollowPhase phase = FollowPhase::kLoading;
  std::string position;
  std::string nodes{};                         // empty: the nodes do not tell of their streams
  std::map<std::string, std::string> polls{};  // by mapping: see Poller::saved
};

// Nothing when there is none. Errors: kIo (the server's words), kBusy.
Result<std::optional<FollowState>> read_follow_state(client::Client& client,
                                                     const std::string& name);
// Acknowledged when it returns. Errors: as above.
Result<void> write_follow_state(client::Client& client, const std::string& name,
                                const FollowState& state);
Result<void> drop_follow_state(client::Client& client, const std::string& name);

}  // namespace hearth::warm
