// The change stream of a database whose changes are found by polling alone: it never has one.
#pragma once

#include "tools/warm_source/change_stream.h"

namespace hearth::warm {

// `FollowOptions::tables` is empty.
[[nodiscard]] std::unique_ptr<ChangeStream> make_no_changes(const FollowOptions& options);

}  // namespace hearth::warm
